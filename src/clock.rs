//! The one door to time: reads it, and turns an [`Instant`] into wheel time.
//!
//! Wheel time is nanoseconds since the first look at the clock. It covers 584 years; what lies
//! beyond is `u64::MAX`, which means never. What lies before the first look is zero: it was
//! in the past already then.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Wheel time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// The instant that is wheel time zero.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// The time now.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// An instant as wheel time.
pub(crate) fn wheel_time(at: Instant) -> u64 {
    saturating_nanos(at.saturating_duration_since(epoch()))
}

/// The time now as wheel time.
pub(crate) fn wheel_now() -> u64 {
    let epoch = epoch();
    saturating_nanos(now().saturating_duration_since(epoch))
}

/// A duration in nanoseconds, or [`NEVER`].
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheel_time_of_now_does_not_run_ahead_of_the_clock() {
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
        assert_eq!(saturating_nanos(Duration::from_nanos(7)), 7);
    }
}
