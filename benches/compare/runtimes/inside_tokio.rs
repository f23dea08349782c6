//! async-wheel in a tokio program: its timers and I/O in tokio's tasks, driven by one of them, with
//! no thread beside tokio's.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::time::{Duration, Instant};

use async_wheel::{Builder, driver, os::unix::reactor_fd};
use tokio::io::{Interest, unix::AsyncFd};
use tokio::task;

use super::{AsyncWheel, Postpone, Runtime, Timers, Tokio};

pub struct InsideTokio;

impl InsideTokio {
    /// To be called before anything else.
    pub fn start() -> io::Result<()> {
        Builder::new().fallback_thread(false).build()
    }

    /// Drives beside a future, from a task.
    async fn driven<T>(main: impl Future<Output = T>) -> T {
        let driver = tokio::spawn(drive());
        let result = main.await;
        driver.abort();
        result
    }
}

async fn drive() -> io::Result<()> {
    let reactor = reactor_fd().ok_or(io::ErrorKind::Unsupported)?;
    // SAFETY: the descriptor stays open for the life of the process.
    let reactor = unsafe { AsyncFd::register_with_interest(reactor, Interest::READABLE)? };
    loop {
        reactor.readable().await?.clear_ready();
        while driver::drive(Some(Duration::ZERO))? != driver::Round::default() {
            task::yield_now().await;
        }
    }
}

impl Timers for InsideTokio {
    type Timer = <AsyncWheel as Timers>::Timer;

    fn after(duration: Duration) -> Self::Timer {
        AsyncWheel::after(duration)
    }

    fn at(instant: Instant) -> Self::Timer {
        AsyncWheel::at(instant)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        Tokio::block_on(Self::driven(future))
    }
}

impl Postpone for InsideTokio {
    fn push_out(timer: Pin<&mut Self::Timer>, duration: Duration) {
        AsyncWheel::push_out(timer, duration);
    }
}

impl Runtime for InsideTokio {
    type Interval = <AsyncWheel as Runtime>::Interval;
    type Idle = <AsyncWheel as Runtime>::Idle;
    type Listener = <AsyncWheel as Runtime>::Listener;
    type Stream = <AsyncWheel as Runtime>::Stream;

    fn idle(limit: Duration) -> Self::Idle {
        AsyncWheel::idle(limit)
    }

    fn touch(idle: Pin<&mut Self::Idle>, now: Instant, deadline: Instant) {
        AsyncWheel::touch(idle, now, deadline);
    }

    fn interval_at(start: Instant, period: Duration) -> Self::Interval {
        AsyncWheel::interval_at(start, period)
    }

    async fn tick(interval: &mut Self::Interval) {
        AsyncWheel::tick(interval).await;
    }

    fn listener(listener: TcpListener) -> io::Result<Self::Listener> {
        AsyncWheel::listener(listener)
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        AsyncWheel::accept(listener).await
    }

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        AsyncWheel::connect(address).await
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        AsyncWheel::read(stream, buffer).await
    }

    async fn read_within(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
        limit: Duration,
    ) -> io::Result<usize> {
        AsyncWheel::read_within(stream, buffer, limit).await
    }

    async fn write_all(stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<()> {
        AsyncWheel::write_all(stream, bytes).await
    }

    fn run<T: Send + 'static>(threads: usize, main: impl Future<Output = T> + Send + 'static) -> T {
        Tokio::run(threads, Self::driven(main))
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        Tokio::spawn(task);
    }

    fn run_local<T>(main: impl Future<Output = T>) -> T {
        Tokio::run_local(Self::driven(main))
    }

    fn spawn_local(task: impl Future<Output = ()> + 'static) {
        Tokio::spawn_local(task);
    }

    fn in_parallel<T, F>(threads: usize, make: impl Fn(usize) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        Tokio::in_parallel(threads, |index| {
            let future = make(index);
            async move {
                match index {
                    0 => Self::driven(future).await,
                    _ => future.await,
                }
            }
        })
    }
}
