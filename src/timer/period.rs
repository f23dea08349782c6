//! The period of an interval, with a count of the ticks that it is behind.
//!
//! Both are in one word, so that a `Timer` stays within 40 bytes:
//!
//! ```text
//!   bit 63   bits 62..53   bits 52..0
//!   0        count         period in nanoseconds, below 2^53: 104 days
//!   1        ----- period in nanoseconds, below 2^63 - 1 -----
//!   1        ----- all ones: there is no next tick -----------
//! ```
//!
//! A longer period has no count. It needs none: to be 1,024 ticks behind, it would have to be
//! overdue for 292 years.

use std::fmt;
use std::time::Duration;

use crate::clock;

const COUNT_SHIFT: u32 = 53;
const NANOS: u64 = (1 << COUNT_SHIFT) - 1;
const LONG: u64 = 1 << 63;

/// The time from one tick to the next, and how many ticks in a row were overdue.
#[derive(Clone, Copy)]
pub(super) struct Period(u64);

impl Period {
    /// There is no next tick.
    pub(super) const NEVER: Period = Period(u64::MAX);

    /// The number of the tick that gives way, among overdue ticks in a row.
    const BURST: u64 = 1024;

    /// Creates a period with a count of zero. One of more than 292 years is [`Period::NEVER`].
    pub(super) fn new(duration: Duration) -> Period {
        // All ones in what is long is `NEVER` already.
        match clock::saturating_nanos(duration) {
            nanos @ ..=NANOS => Period(nanos),
            nanos @ ..LONG => Period(LONG | nanos),
            _ => Period::NEVER,
        }
    }

    /// Returns the time to the next tick, or `None` if there is none.
    pub(super) fn get(self) -> Option<Duration> {
        match self.0 {
            u64::MAX => None,
            long @ LONG.. => Some(Duration::from_nanos(long & !LONG)),
            word => Some(Duration::from_nanos(word & NANOS)),
        }
    }

    /// Starts the count anew: the interval has caught up.
    pub(super) fn caught_up(&mut self) {
        if self.0 < LONG {
            self.0 &= NANOS;
        }
    }

    /// Counts a tick whose next one is overdue, too. Returns `true` if it is the 1,024th in a
    /// row: that one gives way, and the count starts anew.
    pub(super) fn gives_way(&mut self) -> bool {
        if self.0 >= LONG {
            return false;
        }
        let gives_way = self.0 >> COUNT_SHIFT == Period::BURST - 1;
        if gives_way {
            self.caught_up();
        } else {
            self.0 += 1 << COUNT_SHIFT;
        }
        gives_way
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_is_exact_whatever_its_count() {
        for nanos in [0, 1, NANOS - 1, NANOS, NANOS + 1, LONG / 2, LONG - 2] {
            let duration = Duration::from_nanos(nanos);
            let mut period = Period::new(duration);
            for _ in 0..3_000 {
                assert_eq!(period.get(), Some(duration));
                period.gives_way();
            }
            period.caught_up();
            assert_eq!(period.get(), Some(duration));
        }
    }

    #[test]
    fn period_that_cannot_be_counted_is_never() {
        for duration in [Duration::from_nanos(LONG - 1), Duration::from_nanos(LONG), Duration::MAX]
        {
            let mut period = Period::new(duration);
            assert_eq!(period.get(), None);
            assert!(!period.gives_way());
            period.caught_up();
            assert_eq!(period.get(), None);
        }
    }

    #[test]
    fn every_1024th_overdue_tick_gives_way() {
        for nanos in [0, 1, NANOS] {
            let mut period = Period::new(Duration::from_nanos(nanos));
            for tick in 1..=10_240 {
                assert_eq!(period.gives_way(), tick % 1024 == 0, "tick {tick} of {nanos} ns");
            }
        }
    }

    #[test]
    fn catching_up_restarts_the_count() {
        let mut period = Period::new(Duration::from_nanos(1));
        for _ in 0..10 {
            assert!((1..1024).all(|_| !period.gives_way()));
            period.caught_up();
        }
    }
}
