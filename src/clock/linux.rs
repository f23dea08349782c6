//! The system's own view of the clock behind [`Instant`](std::time::Instant), on Linux.

use std::sync::OnceLock;
#[cfg(any(test, feature = "test-util"))]
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, Timespec, clock_gettime};

use super::NEVER;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// How far the coarse clock is taken to be behind at most. It moves with the system's tick, each
/// 10 ms where that is slowest; the rest is for a machine that is too busy to tick.
///
/// Should it be further behind once, a timer that is due is put into the wheel, which wakes the
/// task again, until the next tick: late, but not lost.
pub(super) const COARSE_LAG: u64 = 100_000_000;

/// Wheel time by the clock of the last tick: at or before [`wheel_now`](super::wheel_now), and
/// several times cheaper, since it does not ask the processor's counter.
#[inline]
pub(super) fn coarse_wheel_now() -> u64 {
    // Ordering: Relaxed: a number, through which nothing else is read. A thread that follows a
    // manual clock does not see the zero of before: it has stored `NEVER` itself, or has heard of
    // the process's clock from the thread that did (`forget_coarse_zero`).
    #[cfg(any(test, feature = "test-util"))]
    let zero = match COARSE_ZERO.load(Ordering::Relaxed) {
        NEVER => return coarse_or_manual_wheel_now(),
        zero => zero,
    };
    #[cfg(not(any(test, feature = "test-util")))]
    let zero = zero();
    coarse_since(zero)
}

fn coarse_since(zero: u64) -> u64 {
    nanos(clock_gettime(ClockId::MonotonicCoarse)).saturating_sub(zero)
}

/// The same as [`zero`] while nobody has a manual clock; [`NEVER`] otherwise, and before the first
/// look.
#[cfg(any(test, feature = "test-util"))]
static COARSE_ZERO: AtomicU64 = AtomicU64::new(NEVER);

#[cfg(any(test, feature = "test-util"))]
#[cold]
#[inline(never)]
fn coarse_or_manual_wheel_now() -> u64 {
    if super::manual::is_followed() {
        return super::wheel_now();
    }
    let zero = zero();
    // Ordering: Relaxed: `forget_coarse_zero` runs under the lock of `unless_used`, too. Before it,
    // this store is overwritten there; after it there is a manual clock, and nothing is stored. A
    // load of the zero relies on nothing else that was written before.
    #[cfg(feature = "test-util")]
    super::manual::unless_used(|| COARSE_ZERO.store(zero, Ordering::Relaxed));
    coarse_since(zero)
}

/// Somebody has a manual clock from now on.
#[cfg(feature = "test-util")]
pub(super) fn forget_coarse_zero() {
    // Ordering: Relaxed: a thread sees its own store. Other threads that are to follow the new
    // clock, that of the process, hear of it by what orders this store before their load in
    // `coarse_wheel_now`. To the rest, on the system's clock, the zero is right as it was.
    COARSE_ZERO.store(NEVER, Ordering::Relaxed);
}

/// A wheel time as the system's monotonic clock has it. Not before it; later by what lies
/// between two looks at the clock.
pub(crate) fn timespec(wheel_time: u64) -> Timespec {
    let at = zero().saturating_add(wheel_time);
    Timespec { tv_sec: i64::try_from(at / SECOND).unwrap_or(i64::MAX), tv_nsec: (at % SECOND) as _ }
}

/// The system's monotonic clock at wheel time zero, in nanoseconds; late by what lies between
/// two looks at the clock, never early.
fn zero() -> u64 {
    static ZERO: OnceLock<u64> = OnceLock::new();
    let look = || {
        let ours = super::system_wheel_now();
        nanos(clock_gettime(ClockId::Monotonic)) - ours
    };
    // The best of some: a thread that is interrupted between its two looks would make every
    // timer of the process that much late, for good.
    *ZERO.get_or_init(|| (0..8).map(|_| look()).min().unwrap_or(NEVER))
}

fn nanos(at: Timespec) -> u64 {
    (at.tv_sec as u64).saturating_mul(SECOND).saturating_add(at.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::super::wheel_now;
    use super::*;

    #[test]
    fn the_coarse_clock_is_never_ahead() {
        for _ in 0..1_000 {
            let coarse = coarse_wheel_now();
            assert!(coarse <= wheel_now());
        }
    }

    #[test]
    fn system_time_is_not_before_its_wheel_time() {
        let at = wheel_now();
        let system = nanos(clock_gettime(ClockId::Monotonic));
        // The zero is late by less than a look at the clock takes on the slowest machine.
        assert!(nanos(timespec(at)) <= system + 1_000_000);
        assert_eq!(timespec(NEVER).tv_nsec as u64, NEVER % SECOND);
    }
}
