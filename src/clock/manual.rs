//! The manual clock: a test moves it, for its own thread only; it stands still, or steps with
//! each look, forward or back.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static HAND: Cell<Option<Hand>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Hand {
    at: Instant,
    /// How far it steps back with each look.
    back: Duration,
}

/// Lets this thread's clock stand at wheel time `at`, from now on.
pub(crate) fn set(at: u64) {
    step_back(at, Duration::ZERO);
}

/// Lets this thread's clock step back with each look, from wheel time `at` on.
pub(crate) fn step_back(at: u64, back: Duration) {
    // What is fixed at the first look is fixed by the true clock.
    let epoch = super::epoch();
    #[cfg(async_wheel_epoll)]
    let _ = super::linux::timespec(0);
    HAND.set(Some(Hand { at: epoch + Duration::from_nanos(at), back }));
}

/// Returns `true` if the test moves this thread's clock.
#[cfg(async_wheel_epoll)]
pub(super) fn is_set() -> bool {
    HAND.get().is_some()
}

/// The time on this thread.
pub(super) fn now() -> Instant {
    let Some(Hand { at, back }) = HAND.get() else {
        return Instant::now();
    };
    HAND.set(Some(Hand { at: at - back, back }));
    at
}
