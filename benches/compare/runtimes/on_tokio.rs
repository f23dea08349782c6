//! tokio: one thread is its current-thread runtime, several are its multi-thread runtime.
//!
//! With `tokio_unstable`, the latter can also have tokio's alternative timer.

use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net;
use tokio::runtime::{Builder, Runtime as TokioRuntime};
use tokio::task::{self, LocalSet};
use tokio::time;

use super::{Postpone, Runtime, Timers};

pub struct OnTokio<const ALTERNATIVE: bool>;

pub type Tokio = OnTokio<false>;

/// With a timer wheel in each of the worker threads, and so of several threads only.
pub type TokioAlternative = OnTokio<true>;

fn on_this_thread() -> TokioRuntime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn on_threads(threads: usize, alternative: bool) -> TokioRuntime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all();
    if alternative {
        with_alternative_timer(&mut builder);
    }
    builder.build().expect("a runtime")
}

#[cfg(tokio_unstable)]
fn with_alternative_timer(builder: &mut Builder) {
    builder.enable_alt_timer();
}

#[cfg(not(tokio_unstable))]
fn with_alternative_timer(_: &mut Builder) {
    unreachable!("only the package `peers` is built with tokio_unstable");
}

impl<const ALTERNATIVE: bool> Timers for OnTokio<ALTERNATIVE> {
    type Timer = time::Sleep;

    fn after(duration: Duration) -> Self::Timer {
        time::sleep(duration)
    }

    fn at(instant: Instant) -> Self::Timer {
        time::sleep_until(instant.into())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        on_this_thread().block_on(future)
    }
}

impl<const ALTERNATIVE: bool> Postpone for OnTokio<ALTERNATIVE> {
    fn push_out(timer: Pin<&mut Self::Timer>, duration: Duration) {
        timer.reset(time::Instant::now() + duration);
    }
}

impl<const ALTERNATIVE: bool> Runtime for OnTokio<ALTERNATIVE> {
    type Interval = time::Interval;
    type Idle = time::Sleep;
    type Listener = net::TcpListener;
    type Stream = net::TcpStream;

    fn idle(limit: Duration) -> Self::Idle {
        time::sleep(limit)
    }

    fn touch(idle: Pin<&mut Self::Idle>, _: Instant, deadline: Instant) {
        idle.reset(deadline.into());
    }

    fn interval_at(start: Instant, period: Duration) -> Self::Interval {
        time::interval_at(start.into(), period)
    }

    async fn tick(interval: &mut Self::Interval) {
        interval.tick().await;
    }

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

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn read_within(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
        limit: Duration,
    ) -> io::Result<usize> {
        time::timeout(limit, stream.read(buffer)).await?
    }

    async fn write_all(stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }

    /// One worker thread drives.
    fn outside<T>(future: impl Future<Output = T>) -> T {
        static WORKER: LazyLock<TokioRuntime> = LazyLock::new(|| on_threads(1, false));
        let _entered = WORKER.enter();
        futures_lite::future::block_on(future)
    }

    fn run<T: Send + 'static>(threads: usize, main: impl Future<Output = T> + Send + 'static) -> T {
        match threads {
            1 => ManuallyDrop::new(on_this_thread()).block_on(main),
            _ => {
                // Tasks that still run end with the process, not one by one before it.
                let runtime = ManuallyDrop::new(on_threads(threads, ALTERNATIVE));
                runtime.block_on(runtime.spawn(main)).expect("no panic")
            }
        }
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn run_local<T>(main: impl Future<Output = T>) -> T {
        LocalSet::new().block_on(&on_this_thread(), main)
    }

    fn spawn_local(task: impl Future<Output = ()> + 'static) {
        task::spawn_local(task);
    }

    /// Tasks of one runtime: several runtimes would not be what programs do.
    fn in_parallel<T, F>(threads: usize, make: impl Fn(usize) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = on_threads(threads.max(2), ALTERNATIVE);
        let tasks: Vec<_> = (0..threads).map(|index| runtime.spawn(make(index))).collect();
        tasks.into_iter().map(|task| runtime.block_on(task).expect("no panic")).collect()
    }
}
