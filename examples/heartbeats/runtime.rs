//! What the program asks of a runtime: timers and TCP.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use futures_lite::{AsyncRead, AsyncWrite, Stream};

/// A runtime with the interface of async-io.
pub trait Runtime: 'static {
    /// The name of the crate.
    const NAME: &'static str;
    type Timer: Future<Output = Instant> + Stream<Item = Instant> + Send + Unpin + 'static;
    type Listener: Send + Sync + 'static;
    type Tcp: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static;

    fn block_on<T>(future: impl Future<Output = T>) -> T;

    /// The time, by the clock of its timers.
    fn now() -> Instant;
    fn never() -> Self::Timer;
    fn after(duration: Duration) -> Self::Timer;
    fn interval_at(start: Instant, period: Duration) -> Self::Timer;
    fn set_after(timer: &mut Self::Timer, duration: Duration);
    fn set_at(timer: &mut Self::Timer, instant: Instant);
    /// Takes the deadline away.
    fn clear(timer: &mut Self::Timer);

    fn listener(listener: TcpListener) -> io::Result<Self::Listener>;
    /// The stream sends at once, whatever the size.
    fn accept(
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Tcp, SocketAddr)>> + Send;
    /// The stream sends at once, whatever the size.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>> + Send;
}

/// Defines a runtime by the name of its crate and its clock. Both crates get the same code.
macro_rules! runtime {
    ($(#[$about:meta])* $name:ident, $krate:ident, $text:literal, $now:path) => {
        $(#[$about])*
        pub enum $name {}

        impl $crate::runtime::Runtime for $name {
            const NAME: &'static str = $text;
            type Timer = $krate::Timer;
            type Listener = $krate::Async<std::net::TcpListener>;
            type Tcp = $krate::Async<std::net::TcpStream>;

            fn block_on<T>(future: impl Future<Output = T>) -> T {
                $krate::block_on(future)
            }

            fn now() -> std::time::Instant {
                $now()
            }

            fn never() -> Self::Timer {
                $krate::Timer::never()
            }

            fn after(duration: std::time::Duration) -> Self::Timer {
                $krate::Timer::after(duration)
            }

            fn interval_at(
                start: std::time::Instant,
                period: std::time::Duration,
            ) -> Self::Timer {
                $krate::Timer::interval_at(start, period)
            }

            fn set_after(timer: &mut Self::Timer, duration: std::time::Duration) {
                timer.set_after(duration);
            }

            fn set_at(timer: &mut Self::Timer, instant: std::time::Instant) {
                timer.set_at(instant);
            }

            fn clear(timer: &mut Self::Timer) {
                timer.clear();
            }

            fn listener(listener: std::net::TcpListener) -> std::io::Result<Self::Listener> {
                $krate::Async::new(listener)
            }

            async fn accept(
                listener: &Self::Listener,
            ) -> std::io::Result<(Self::Tcp, std::net::SocketAddr)> {
                let (stream, peer) = listener.accept().await?;
                // Best effort: without it, small writes are only later.
                let _ = stream.get_ref().set_nodelay(true);
                Ok((stream, peer))
            }

            async fn connect(address: std::net::SocketAddr) -> std::io::Result<Self::Tcp> {
                let stream = $krate::Async::<std::net::TcpStream>::connect(address).await?;
                // Best effort: without it, small writes are only later.
                let _ = stream.get_ref().set_nodelay(true);
                Ok(stream)
            }
        }
    };
}
pub(crate) use runtime;

runtime! {
    /// This crate.
    AsyncWheel, async_wheel, "async-wheel", async_wheel::time::now
}
