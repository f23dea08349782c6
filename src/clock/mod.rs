//! The facade to time: reads it, and turns an [`Instant`] into wheel time.
//!
//! Wheel time is nanoseconds since the first look at the clock. It covers 584 years; what lies
//! beyond is `u64::MAX`, which means never. What lies before the first look is zero: it was
//! in the past already then.

#[cfg(async_wheel_epoll)]
pub(crate) mod linux;
#[cfg(any(test, feature = "test-util"))]
pub(crate) mod manual;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Wheel time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// The instant that is wheel time zero.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// The time now: by the system's clock, or by the manual one that this thread follows.
#[inline]
pub(crate) fn now() -> Instant {
    #[cfg(any(test, feature = "test-util"))]
    let look = manual::look_in_use();
    #[cfg(not(any(test, feature = "test-util")))]
    let look = Instant::now;
    look()
}

/// An instant as wheel time.
pub(crate) fn wheel_time(at: Instant) -> u64 {
    saturating_nanos(at.saturating_duration_since(epoch()))
}

/// The instant that is this wheel time, or `None` if it never comes.
pub(crate) fn instant(wheel_time: u64) -> Option<Instant> {
    if wheel_time == NEVER {
        return None;
    }
    epoch().checked_add(Duration::from_nanos(wheel_time))
}

/// The time now as wheel time.
pub(crate) fn wheel_now() -> u64 {
    let epoch = epoch();
    saturating_nanos(now().saturating_duration_since(epoch))
}

/// The time now as wheel time, by the system's clock: how long a poller waits is measured by that.
pub(crate) fn system_wheel_now() -> u64 {
    let epoch = epoch();
    saturating_nanos(Instant::now().saturating_duration_since(epoch))
}

/// Returns the time if an instant, which is also given as wheel time, has come.
///
/// Where the system has a cheap clock that is behind the exact one by a few milliseconds, that
/// one answers for what is far ahead: so most timers cost no second look at the exact clock
/// when they are first polled.
#[inline]
pub(crate) fn time_if_come(at: Instant, wheel_time: u64) -> Option<Instant> {
    if is_far_ahead(wheel_time) {
        return None;
    }
    Some(now()).filter(|now| at <= *now)
}

#[cfg(async_wheel_epoll)]
#[inline]
fn is_far_ahead(wheel_time: u64) -> bool {
    wheel_time > linux::coarse_wheel_now().saturating_add(linux::COARSE_LAG)
}

#[cfg(not(async_wheel_epoll))]
fn is_far_ahead(_: u64) -> bool {
    false
}

/// A duration in nanoseconds, or [`NEVER`].
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().checked_mul(1_000_000_000);
    let nanos = u64::from(duration.subsec_nanos());
    seconds.and_then(|seconds| seconds.checked_add(nanos)).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheel_time_is_not_ahead_of_clock() {
        let before = wheel_now();
        let at = wheel_time(now());
        let after = wheel_now();
        assert!(before <= at && at <= after);
    }

    #[test]
    fn instants_before_the_epoch_are_in_the_past() {
        let epoch = epoch();
        if let Some(earlier) = epoch.checked_sub(Duration::from_nanos(1)) {
            assert_eq!(wheel_time(earlier), 0);
        }
        assert_eq!(wheel_time(epoch), 0);
    }

    #[test]
    fn what_does_not_fit_is_never() {
        assert_eq!(saturating_nanos(Duration::MAX), NEVER);
        assert_eq!(saturating_nanos(Duration::from_nanos(NEVER)), NEVER);
        assert_eq!(saturating_nanos(Duration::from_nanos(NEVER - 1)), NEVER - 1);
        assert_eq!(saturating_nanos(Duration::from_nanos(NEVER) + Duration::from_nanos(1)), NEVER);
        assert_eq!(saturating_nanos(Duration::from_nanos(7)), 7);
    }

    #[test]
    fn exact_clock_decides_whether_instant_has_come() {
        for ahead in [0, 1, 1_000_000, 50_000_000, 99_000_000, 101_000_000, 10_000_000_000] {
            let before = now();
            let at = before + Duration::from_nanos(ahead);
            let come = time_if_come(at, wheel_time(at)).is_some();
            let after = now();
            assert!(!come || at <= after, "came early by {:?}", at - after);
            assert!(come || before < at, "has not come {:?} after", before - at);
        }
    }
}
