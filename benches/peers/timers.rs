//! Timers that are no runtime's.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use compare::runtimes::{Postpone, Timers, Tokio};
use futures_lite::future;
use futures_timer::Delay;
use pingora_timeout::fast_timeout::fast_sleep;

/// For programs on tokio, in steps of 10 ms.
pub struct PingoraTimeout;

impl Timers for PingoraTimeout {
    /// A future without a name, which has to be in a box to be kept.
    type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn after(duration: Duration) -> Self::Timer {
        Box::pin(fast_sleep(duration))
    }

    fn at(instant: Instant) -> Self::Timer {
        Box::pin(async move { fast_sleep(instant.saturating_duration_since(Instant::now())).await })
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        Tokio::block_on(future)
    }
}

/// A thread with a heap, for any executor.
pub struct FuturesTimer;

impl Timers for FuturesTimer {
    type Timer = Delay;

    fn after(duration: Duration) -> Delay {
        Delay::new(duration)
    }

    fn at(instant: Instant) -> Delay {
        Delay::new(instant.saturating_duration_since(Instant::now()))
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        future::block_on(future)
    }
}

impl Postpone for FuturesTimer {
    fn push_out(timer: Pin<&mut Delay>, duration: Duration) {
        timer.get_mut().reset(duration);
    }
}
