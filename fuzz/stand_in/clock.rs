//! In place of `src/clock/mod.rs`: a clock that the target moves.
//!
//! As where the system has a cheap clock beside the exact one, what is far ahead is judged by one
//! that is behind, by as much as the target says.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Wheel time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// How far the cheap clock may be behind.
const COARSE_LAG: u64 = 100_000_000;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static BEHIND: Cell<u64> = const { Cell::new(0) };
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// Sets the exact clock, and by how much the cheap one is behind it.
pub(crate) fn set(now: u64, behind: u64) {
    NOW.set(now);
    BEHIND.set(behind.min(COARSE_LAG));
}

/// Moves the clock to a later time; it never steps back.
pub(crate) fn advance_to(now: u64) {
    NOW.set(NOW.get().max(now));
}

/// Lets time pass.
pub(crate) fn pass(nanos: u64) {
    advance_to(wheel_now().saturating_add(nanos));
}

/// The time now.
pub(crate) fn now() -> Instant {
    epoch() + Duration::from_nanos(NOW.get())
}

/// An instant as wheel time.
pub(crate) fn wheel_time(at: Instant) -> u64 {
    saturating_nanos(at.saturating_duration_since(epoch()))
}

/// The time now as wheel time.
pub(crate) fn wheel_now() -> u64 {
    NOW.get()
}

/// Returns the time if an instant, which is also given as wheel time, has come.
pub(crate) fn time_if_come(at: Instant, wheel_time: u64) -> Option<Instant> {
    let coarse = NOW.get().saturating_sub(BEHIND.get());
    Some(now()).filter(|now| wheel_time <= coarse.saturating_add(COARSE_LAG) && at <= *now)
}

/// A duration in nanoseconds, or [`NEVER`].
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
