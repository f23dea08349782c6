//! monoio, with epoll and with io_uring.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::time::{Duration, Instant};

use compare::runtimes::{Postpone, Timers};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net;
use monoio::time::{self, TimeDriver};
use monoio::{Driver, IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};

use crate::lent::{Lent, Streams};

pub struct Monoio<D>(PhantomData<D>);

pub type Epoll = Monoio<LegacyDriver>;
pub type Uring = Monoio<IoUringDriver>;

/// A driver that a runtime with timers can be made of.
pub trait Drives: 'static {
    type WithTimers: Driver;

    fn runtime() -> io::Result<Runtime<Self::WithTimers>>;
}

impl Drives for LegacyDriver {
    type WithTimers = TimeDriver<LegacyDriver>;

    fn runtime() -> io::Result<Runtime<Self::WithTimers>> {
        RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()
    }
}

impl Drives for IoUringDriver {
    type WithTimers = TimeDriver<IoUringDriver>;

    fn runtime() -> io::Result<Runtime<Self::WithTimers>> {
        RuntimeBuilder::<IoUringDriver>::new().enable_timer().build()
    }
}

/// Makes a runtime as the workloads will.
pub fn attempt() -> io::Result<()> {
    IoUringDriver::runtime().map(drop)
}

impl<D: Drives> Timers for Monoio<D> {
    type Timer = time::Sleep;

    fn after(duration: Duration) -> Self::Timer {
        time::sleep(duration)
    }

    fn at(instant: Instant) -> Self::Timer {
        time::sleep_until(instant.into())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        D::runtime().expect("a runtime").block_on(future)
    }
}

impl<D: Drives> Postpone for Monoio<D> {
    fn push_out(timer: Pin<&mut Self::Timer>, duration: Duration) {
        timer.reset(time::Instant::now() + duration);
    }
}

impl<D: Drives> Streams for Monoio<D> {
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
        let stream = net::TcpStream::connect_addr(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: Vec<u8>) -> Lent<usize> {
        stream.read(buffer).await
    }

    async fn write_all(stream: &mut Self::Stream, bytes: Vec<u8>) -> Lent<()> {
        let (written, bytes) = stream.write_all(bytes).await;
        (written.map(drop), bytes)
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        monoio::spawn(task);
    }
}
