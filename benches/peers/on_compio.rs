//! compio, with io_uring.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::time::{Duration, Instant};

use compare::runtimes::Timers;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net;
use compio::runtime::Runtime;
use compio::{runtime, time};

use crate::lent::{Lent, Streams};

pub struct Compio;

/// Makes a runtime as the workloads will.
pub fn attempt() -> io::Result<Runtime> {
    Runtime::new()
}

impl Timers for Compio {
    /// A future without a name, which has to be in a box to be kept.
    type Timer = Pin<Box<dyn Future<Output = ()>>>;

    fn after(duration: Duration) -> Self::Timer {
        Box::pin(time::sleep(duration))
    }

    fn at(instant: Instant) -> Self::Timer {
        Box::pin(time::sleep_until(instant))
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        Runtime::new().expect("a runtime").block_on(future)
    }
}

impl Streams for Compio {
    type Listener = net::TcpListener;
    type Stream = net::TcpStream;

    fn listener(listener: TcpListener) -> io::Result<Self::Listener> {
        listener.set_nonblocking(true)?;
        net::TcpListener::from_std(listener)
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, mut buffer: Vec<u8>) -> Lent<usize> {
        // It appends to what is in the buffer's length, up to its capacity.
        buffer.clear();
        stream.read(buffer).await.into()
    }

    async fn write_all(stream: &mut Self::Stream, bytes: Vec<u8>) -> Lent<()> {
        stream.write_all(bytes).await.into()
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        runtime::spawn(task).detach();
    }
}
