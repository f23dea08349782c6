//! The arithmetic between instants and a wheel's time.

use std::time::{Duration, Instant};

/// The wheel's time at the epoch: the middle of what there is, since deadlines may lie before it.
const EPOCH: u64 = 1 << 63;

/// The instant that a wheel's time is counted from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(Instant);

impl Epoch {
    pub(super) fn new(now: Instant) -> Epoch {
        Epoch(now)
    }

    /// A deadline in the wheel's time, `None` if it is too far ahead.
    #[inline]
    pub(super) fn deadline(self, at: Instant) -> Option<u64> {
        match at.checked_duration_since(self.0) {
            Some(ahead) => nanos(ahead)?.checked_add(EPOCH),
            None => Some(nanos(self.0.duration_since(at)).map_or(0, |by| EPOCH.saturating_sub(by))),
        }
    }

    /// The deadline that lies a duration after an instant; `None` if it is too far ahead.
    #[inline]
    pub(super) fn after(self, now: Instant, duration: Duration) -> Option<u64> {
        self.deadline(now.checked_add(duration)?)
    }

    /// The time that it is, in the wheel's.
    #[inline]
    pub(super) fn elapsed(self, now: Instant) -> u64 {
        self.deadline(now).unwrap_or(u64::MAX)
    }

    /// The instant of a deadline that was an instant before.
    #[inline]
    pub(super) fn instant(self, deadline: u64) -> Instant {
        match deadline.checked_sub(EPOCH) {
            Some(ahead) => self.0 + Duration::from_nanos(ahead),
            None => self.0 - Duration::from_nanos(EPOCH - deadline),
        }
    }
}

/// A duration in nanoseconds, if they fit.
#[inline]
fn nanos(duration: Duration) -> Option<u64> {
    let seconds = duration.as_secs().checked_mul(1_000_000_000)?;
    seconds.checked_add(duration.subsec_nanos().into())
}
