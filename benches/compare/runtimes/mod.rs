//! What a runtime must be able to do to take part: [`Timers`] for the workloads of one thread with
//! timers only, [`Postpone`] if a timer can be postponed, [`Runtime`] for the others.
//!
//! A workload is written once, over one of these traits. What the runtimes do differently by nature
//! is here: which executor a task runs on, and what a pending timer is. The package `peers` has
//! more of them.

mod inside_tokio;
mod like_async_io;
mod on_tokio;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

pub use inside_tokio::InsideTokio;
pub use like_async_io::{AsyncIo, AsyncWheel};
pub use on_tokio::{OnTokio, Tokio, TokioAlternative};

/// Timers, and what runs a future that waits for them.
pub trait Timers: 'static {
    /// A timer that fires once.
    type Timer: Future + 'static;

    fn after(duration: Duration) -> Self::Timer;
    fn at(instant: Instant) -> Self::Timer;
    /// Runs a future on this thread, with the timers and the I/O of this thread.
    fn block_on<T>(future: impl Future<Output = T>) -> T;
}

/// Timers that can be postponed.
pub trait Postpone: Timers {
    /// Moves the deadline to so much after now.
    fn push_out(timer: Pin<&mut Self::Timer>, duration: Duration);
}

/// A runtime with timers, tasks and TCP.
pub trait Runtime: Postpone + Timers<Timer: Send> {
    type Interval: Send + 'static;
    /// A timeout that is pushed out at each sign of life.
    type Idle: Future + 'static;
    type Listener: Send + 'static;
    type Stream: Send + 'static;

    /// Elapses when it was not touched for so long.
    fn idle(limit: Duration) -> Self::Idle;
    /// Pushes the deadline to this one, which is one limit after now.
    fn touch(idle: Pin<&mut Self::Idle>, now: Instant, deadline: Instant);
    fn interval_at(start: Instant, period: Duration) -> Self::Interval;
    fn tick(interval: &mut Self::Interval) -> impl Future<Output = ()> + Send;

    fn listener(listener: std::net::TcpListener) -> io::Result<Self::Listener>;
    /// Streams send at once, whatever the size.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn read(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;
    /// Fails when nothing has come within `limit`.
    fn read_within(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
        limit: Duration,
    ) -> impl Future<Output = io::Result<usize>> + Send;
    fn write_all(
        stream: &mut Self::Stream,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Runs a future on this thread, which never drives the runtime's timers and I/O.
    fn outside<T>(future: impl Future<Output = T>) -> T {
        futures_lite::future::block_on(future)
    }
    /// Runs a future, and the tasks that it spawns, on so many threads.
    fn run<T: Send + 'static>(threads: usize, main: impl Future<Output = T> + Send + 'static) -> T;
    /// Spawns a task within [`run`](Self::run).
    fn spawn(task: impl Future<Output = ()> + Send + 'static);
    /// Runs a future, and the tasks that it spawns with [`spawn_local`](Self::spawn_local), on this
    /// thread.
    fn run_local<T>(main: impl Future<Output = T>) -> T;
    fn spawn_local(task: impl Future<Output = ()> + 'static);
    /// Runs so many futures at a time, each on a thread of its own.
    fn in_parallel<T, F>(threads: usize, make: impl Fn(usize) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static;
}
