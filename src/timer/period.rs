//! An interval's period, and how many ticks it has yielded in a row, in one word.
//!
//! Both have to be kept for each timer, and a timer is to stay small. A period of less than
//! 2⁴³ ns, 2.4 hours, leaves the upper bits of the word free, and the count is there. A longer
//! one is 1,024 ticks behind after 104 days at the earliest, so its ticks are not counted.
//!
//! | Word | Meaning |
//! |---|---|
//! | below 5,121 · 2⁴³ | ticks in a row in the bits from 43 on, the period below them |
//! | up to `u64::MAX - 1` | a long period, plus 5,120 · 2⁴³ |
//! | `u64::MAX` | no period |
//!
//! From a count of 1,025 on it says when the interval gave way ([`Moment`]).
//! The long periods lose 522 days of 584 years to the others: what lies beyond is no period.

use std::time::Duration;

use super::gave_way::Moment;
use crate::clock::{self, NEVER};

/// Ticks that an interval yields in a row, when more than that are overdue, before it gives way.
pub(super) const BURST: u64 = 1024;

/// The count of one that gave way at moment 0.
const GAVE_WAY: u64 = BURST + 1;
/// And of one that did at the last that there is a number for.
const LAST_COUNT: u64 = GAVE_WAY + Moment::COUNT - 1;

const COUNT_SHIFT: u32 = 43;
/// The first period that is long.
const LONG: u64 = 1 << COUNT_SHIFT;
/// What is added to a long period: it begins where the others end.
const LONG_OFFSET: u64 = LAST_COUNT << COUNT_SHIFT;

/// A period and a count of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period(u64);

/// Whether an interval may yield another overdue tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TickState {
    /// It may.
    Yields,
    /// It has yielded [`BURST`] in a row.
    MustGiveWay,
    /// It gave way at its last poll, which was at this moment.
    GaveWay(Moment),
}

impl Period {
    /// No period: the timer fires once.
    pub(super) const NONE: Period = Period(NEVER);

    /// A period, with no ticks yielded so far.
    pub(super) fn new(period: Duration) -> Period {
        let nanos = clock::saturating_nanos(period);
        Period(if nanos < LONG { nanos } else { nanos.saturating_add(LONG_OFFSET) })
    }

    /// Returns the period, unless there is none.
    pub(super) fn get(self) -> Option<Duration> {
        let nanos = match self.0 {
            NEVER => return None,
            _ if self.is_long() => self.0 - LONG_OFFSET,
            _ => self.0 % LONG,
        };
        Some(Duration::from_nanos(nanos))
    }

    /// Returns what the count says of the next tick.
    pub(super) fn state(self) -> TickState {
        match self.0 >> COUNT_SHIFT {
            BURST => TickState::MustGiveWay,
            count if count >= GAVE_WAY && !self.is_long() => {
                TickState::GaveWay(Moment::from_number(count - GAVE_WAY))
            }
            _ => TickState::Yields,
        }
    }

    /// Counts a tick that is yielded.
    pub(super) fn count(&mut self) {
        if !self.is_long() {
            debug_assert_eq!(self.state(), TickState::Yields);
            self.0 += LONG;
        }
    }

    /// Starts to count anew, and no longer gives way.
    pub(super) fn restart(&mut self) {
        if !self.is_long() {
            self.0 %= LONG;
        }
    }

    /// Notes that the interval gives way, at this moment.
    pub(super) fn give_way(&mut self, at: Moment) {
        debug_assert!(!self.is_long(), "its ticks are not counted");
        self.0 = self.0 % LONG + ((GAVE_WAY + at.number()) << COUNT_SHIFT);
    }

    /// Returns `true` if there is no count in the word: also where there is no period.
    fn is_long(self) -> bool {
        self.0 >= LONG + LONG_OFFSET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Periods at the ends of what is counted, and of what is long.
    const PERIODS: [u64; 8] =
        [0, 1, 1_000_000_007, LONG - 1, LONG, LONG + 1, LONG_OFFSET, NEVER - LONG_OFFSET - 1];

    #[test]
    fn period_survives_any_count() {
        for nanos in PERIODS {
            let expected = Some(Duration::from_nanos(nanos));
            let mut period = Period::new(Duration::from_nanos(nanos));
            for tick in 0..100 * BURST {
                assert_eq!(period.get(), expected, "{nanos} ns, tick {tick}");
                if period.state() == TickState::MustGiveWay {
                    let at = Moment::from_number(tick / BURST * 41 % Moment::COUNT);
                    period.give_way(at);
                    assert_eq!(period.get(), expected, "{nanos} ns gave way");
                    assert_eq!(period.state(), TickState::GaveWay(at));
                    period.restart();
                }
                period.count();
            }
            period.restart();
            assert_eq!(period, Period::new(Duration::from_nanos(nanos)));
        }
    }

    #[test]
    fn only_short_periods_are_counted() {
        for nanos in PERIODS {
            let mut period = Period::new(Duration::from_nanos(nanos));
            let counted = (0..10 * BURST).take_while(|_| {
                let goes = period.state() == TickState::Yields;
                if goes {
                    period.count();
                }
                goes
            });
            let expected = if nanos < LONG { BURST } else { 10 * BURST };
            assert_eq!(counted.count() as u64, expected, "{nanos} ns");
        }
    }

    #[test]
    fn centuries_and_more_are_no_period() {
        // The docs say 583 years.
        let years = |years: u64| Period::new(Duration::from_secs(years * 31_556_952));
        assert!(years(583).get().is_some());
        for endless in [years(585), Period::new(Duration::MAX)] {
            assert_eq!((endless, endless.get()), (Period::NONE, None));
        }
        assert_eq!(Period::new(Duration::from_nanos(NEVER - LONG_OFFSET)), Period::NONE);
    }
}
