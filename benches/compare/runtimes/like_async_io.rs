//! async-wheel and async-io: the same interface, so the same lines.
//!
//! Tasks run on `async_executor`, with each of its threads in `block_on`.

use std::future::{self, Future};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, StaticExecutor};
use async_wheel::time::IdleTimeout;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};

use super::{Postpone, Runtime, Timers};

thread_local! {
    static LOCAL: LocalExecutor<'static> = const { LocalExecutor::new() };
}

macro_rules! like_async_io {
    ($(#[$meta:meta])* $runtime:ident, $library:ident, $executor:ident,
     $idle:ty, $new:ident, $touch:path) => {
        static $executor: StaticExecutor = StaticExecutor::new();

        $(#[$meta])*
        pub struct $runtime;

        impl Timers for $runtime {
            type Timer = $library::Timer;

            fn after(duration: Duration) -> Self::Timer {
                $library::Timer::after(duration)
            }

            fn at(instant: Instant) -> Self::Timer {
                $library::Timer::at(instant)
            }

            fn block_on<T>(future: impl Future<Output = T>) -> T {
                $library::block_on(future)
            }
        }

        impl Postpone for $runtime {
            fn push_out(timer: Pin<&mut Self::Timer>, duration: Duration) {
                timer.get_mut().set_after(duration);
            }
        }

        impl Runtime for $runtime {
            type Interval = $library::Timer;
            type Idle = $idle;
            type Listener = $library::Async<TcpListener>;
            type Stream = $library::Async<TcpStream>;

            fn idle(limit: Duration) -> Self::Idle {
                <$idle>::$new(limit)
            }

            fn touch(idle: Pin<&mut Self::Idle>, now: Instant, deadline: Instant) {
                $touch(idle.get_mut(), now, deadline);
            }

            fn interval_at(start: Instant, period: Duration) -> Self::Interval {
                $library::Timer::interval_at(start, period)
            }

            async fn tick(interval: &mut Self::Interval) {
                interval.next().await;
            }

            fn listener(listener: TcpListener) -> io::Result<Self::Listener> {
                $library::Async::new(listener)
            }

            async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
                let (stream, _) = listener.accept().await?;
                stream.get_ref().set_nodelay(true)?;
                Ok(stream)
            }

            async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
                let stream = $library::Async::<TcpStream>::connect(address).await?;
                stream.get_ref().set_nodelay(true)?;
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
                let timeout = async {
                    $library::Timer::after(limit).await;
                    Err(io::ErrorKind::TimedOut.into())
                };
                stream.read(buffer).or(timeout).await
            }

            async fn write_all(stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<()> {
                stream.write_all(bytes).await
            }

            fn run<T: Send + 'static>(
                threads: usize,
                main: impl Future<Output = T> + Send + 'static,
            ) -> T {
                for _ in 1..threads {
                    thread::spawn(|| {
                        $library::block_on($executor.run(future::pending::<()>()));
                    });
                }
                $library::block_on($executor.run(main))
            }

            fn spawn(task: impl Future<Output = ()> + Send + 'static) {
                $executor.spawn(task).detach();
            }

            fn run_local<T>(main: impl Future<Output = T>) -> T {
                LOCAL.with(|executor| $library::block_on(executor.run(main)))
            }

            fn spawn_local(task: impl Future<Output = ()> + 'static) {
                LOCAL.with(|executor| executor.spawn(task).detach());
            }

            fn in_parallel<T, F>(threads: usize, make: impl Fn(usize) -> F) -> Vec<T>
            where
                T: Send + 'static,
                F: Future<Output = T> + Send + 'static,
            {
                let threads: Vec<_> = (0..threads)
                    .map(|index| {
                        let future = make(index);
                        thread::spawn(|| $library::block_on(future))
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            }
        }
    };
}

like_async_io! {
    /// The library of this repository.
    AsyncWheel, async_wheel, WHEEL_EXECUTOR,
    IdleTimeout, new, touch
}

like_async_io! {
    /// What it has the interface of.
    AsyncIo, async_io, IO_EXECUTOR,
    async_io::Timer, after, postpone
}

fn touch(idle: &mut IdleTimeout, now: Instant, _: Instant) {
    idle.touch_at(now);
}

fn postpone(timer: &mut async_io::Timer, _: Instant, deadline: Instant) {
    timer.set_at(deadline);
}
