//! glommio, with io_uring.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::pin::Pin;
use std::time::{Duration, Instant};

use compare::runtimes::{Postpone, Timers};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net;
use glommio::timer::Timer;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use crate::lent::{Lent, Streams};

pub struct Glommio;

/// Makes a runtime as the workloads will. It also asks for memory that may be locked.
pub fn attempt() -> glommio::Result<LocalExecutor, ()> {
    LocalExecutorBuilder::new(Placement::Unbound).make()
}

impl Timers for Glommio {
    type Timer = Timer;

    fn after(duration: Duration) -> Timer {
        Timer::new(duration)
    }

    fn at(instant: Instant) -> Timer {
        Timer::new(instant.saturating_duration_since(Instant::now()))
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        attempt().expect("a runtime").run(future)
    }
}

impl Postpone for Glommio {
    fn push_out(timer: Pin<&mut Timer>, duration: Duration) {
        timer.get_mut().reset(duration);
    }
}

impl Streams for Glommio {
    type Listener = net::TcpListener;
    type Stream = net::TcpStream;

    fn listener(listener: TcpListener) -> io::Result<Self::Listener> {
        // SAFETY: the descriptor is a listening socket, and nothing else has it.
        Ok(unsafe { net::TcpListener::from_raw_fd(listener.into_raw_fd()) })
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let stream = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, mut buffer: Vec<u8>) -> Lent<usize> {
        let read = stream.read(&mut buffer).await;
        (read, buffer)
    }

    async fn write_all(stream: &mut Self::Stream, bytes: Vec<u8>) -> Lent<()> {
        let written = stream.write_all(&bytes).await;
        (written, bytes)
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        glommio::spawn_local(task).detach();
    }
}
