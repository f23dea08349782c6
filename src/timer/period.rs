//! An interval's period, how many ticks it has yielded in a row, and what was asked of it, in one
//! word.
//!
//! All of it has to be kept for each timer, and a timer is to stay small. A period of less than
//! 2⁴³ ns, 2.4 hours, leaves bits free, and the count is there. A longer one is 1,024 ticks behind
//! after 104 days at the earliest, so its ticks are not counted.
//!
//! | Bits | Meaning |
//! |---|---|
//! | 62, 63 | what becomes of missed ticks, or 3: see below |
//! | 57 to 61 | the number of the [`Slack`] |
//! | 56 | zero |
//! | 0 to 55 | below 5,121 · 2⁴³: ticks in a row from bit 43 on, the period below them |
//! | | up to 2⁵⁶ - 2: a long period, plus 5,120 · 2⁴³ |
//! | | 2⁵⁶ - 1: no period |
//!
//! From a count of 1,025 on it says when the interval gave way ([`Moment`]). A period of more than
//! 312 days takes bits 0 to 61 and leaves none for what was asked. One of 146 years is no period.

use std::time::Duration;

use super::MissedTicks;
use super::gave_way::Moment;
use crate::clock;
use crate::reactor::Slack;

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

/// The bits of the period and the count.
const TICKS_BITS: u32 = 56;
const TICKS: u64 = (1 << TICKS_BITS) - 1;
/// In these bits: no period.
const NO_PERIOD: u64 = TICKS;

const SLACK_SHIFT: u32 = 57;
const MISSED_SHIFT: u32 = 62;
/// The bits of a period that leaves no others but the two above it, which are set.
const LONGEST: u64 = (1 << MISSED_SHIFT) - 1;

const _: () = assert!(LONG + LONG_OFFSET < NO_PERIOD && Slack::COUNT == 32);

/// A period, a count of ticks, and what was asked of the timer.
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
    pub(super) const NONE: Period = Period(NO_PERIOD);

    /// A period, with no ticks yielded so far.
    pub(super) fn new(period: Duration) -> Period {
        Period::NONE.with_period(period)
    }

    /// The same with another period, and no ticks yielded so far.
    pub(super) fn with_period(self, period: Duration) -> Period {
        let asked = if self.is_longest() { 0 } else { self.0 & !TICKS };
        let nanos = clock::saturating_nanos(period);
        match nanos {
            0..LONG => Period(asked | nanos),
            _ if nanos < NO_PERIOD - LONG_OFFSET => Period(asked | (nanos + LONG_OFFSET)),
            _ if nanos < LONGEST => Period(!LONGEST | nanos),
            _ => Period(asked | NO_PERIOD),
        }
    }

    /// Returns the period, unless there is none.
    pub(super) fn get(self) -> Option<Duration> {
        let nanos = match self.0 & TICKS {
            _ if self.is_longest() => self.0 & LONGEST,
            NO_PERIOD => return None,
            ticks if ticks >= LONG + LONG_OFFSET => ticks - LONG_OFFSET,
            ticks => ticks % LONG,
        };
        Some(Duration::from_nanos(nanos))
    }

    /// Returns what the count says of the next tick.
    pub(super) fn state(self) -> TickState {
        match (self.0 & TICKS) >> COUNT_SHIFT {
            _ if !self.is_counted() => TickState::Yields,
            BURST => TickState::MustGiveWay,
            count if count >= GAVE_WAY => TickState::GaveWay(Moment::from_number(count - GAVE_WAY)),
            _ => TickState::Yields,
        }
    }

    /// Counts a tick that is yielded.
    pub(super) fn count(&mut self) {
        if self.is_counted() {
            debug_assert_eq!(self.state(), TickState::Yields);
            self.0 += LONG;
        }
    }

    /// Starts to count anew, and no longer gives way.
    pub(super) fn restart(&mut self) {
        if self.is_counted() {
            self.set_count(0);
        }
    }

    /// Notes that the interval gives way, at this moment.
    pub(super) fn give_way(&mut self, at: Moment) {
        debug_assert!(self.is_counted());
        self.set_count(GAVE_WAY + at.number());
    }

    fn set_count(&mut self, count: u64) {
        self.0 = self.0 & (!TICKS | (LONG - 1)) | count << COUNT_SHIFT;
    }

    /// Returns `true` if its ticks are counted; not if there is no period.
    fn is_counted(self) -> bool {
        self.0 & TICKS < LONG + LONG_OFFSET && !self.is_longest()
    }

    /// Returns `true` if there is no room for anything but the period.
    fn is_longest(self) -> bool {
        self.0 >> MISSED_SHIFT == 3
    }

    /// Returns what becomes of missed ticks.
    #[inline]
    pub(super) fn missed_ticks(self) -> MissedTicks {
        match self.0 >> MISSED_SHIFT {
            1 => MissedTicks::Skip,
            2 => MissedTicks::Delay,
            _ => MissedTicks::Burst,
        }
    }

    /// Sets what becomes of missed ticks, unless the period is too long.
    pub(super) fn set_missed_ticks(&mut self, missed: MissedTicks) {
        if !self.is_longest() {
            self.0 = self.0 & LONGEST | (missed as u64) << MISSED_SHIFT;
        }
    }

    /// Returns `true` if nothing was asked, and the period leaves room for it.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.0 >> TICKS_BITS == 0
    }

    /// Returns the slack that was set.
    #[inline]
    pub(super) fn slack(self) -> Slack {
        if self.is_plain() || self.is_longest() {
            return Slack::UNSET;
        }
        Slack::from_number((self.0 >> SLACK_SHIFT) as u8 % Slack::COUNT)
    }

    /// Sets the slack, unless the period is too long.
    pub(super) fn set_slack(&mut self, slack: Slack) {
        if !self.is_longest() {
            let bits = u64::from(Slack::COUNT - 1) << SLACK_SHIFT;
            self.0 = self.0 & !bits | u64::from(slack.number()) << SLACK_SHIFT;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Periods at the ends of what is counted, and of what is long.
    const PERIODS: [u64; 10] = [
        0,
        1,
        1_000_000_007,
        LONG - 1,
        LONG,
        LONG + 1,
        LAST_LONG,
        LAST_LONG + 1,
        LONG_OFFSET,
        LONGEST - 1,
    ];

    /// The last that leaves room for what is asked.
    const LAST_LONG: u64 = NO_PERIOD - LONG_OFFSET - 1;

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
    fn centuries_are_no_period() {
        // The docs say 146 years.
        let years = |years: u64| Period::new(Duration::from_secs(years * 31_556_952));
        assert!(years(146).get().is_some());
        for endless in [years(147), Period::new(Duration::MAX)] {
            assert_eq!((endless, endless.get()), (Period::NONE, None));
        }
        assert_eq!(Period::new(Duration::from_nanos(LONGEST)), Period::NONE);
    }

    #[test]
    fn what_is_asked_survives_all_else() {
        let asked = |period: Period| (period.missed_ticks(), period.slack());
        for missed in [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay] {
            for number in 0..Slack::COUNT {
                let slack = Slack::from_number(number);
                let mut period = Period::NONE;
                period.set_slack(slack);
                period.set_missed_ticks(missed);
                assert_eq!((asked(period), period.get()), ((missed, slack), None));
                for nanos in PERIODS {
                    let mut period = period.with_period(Duration::from_nanos(nanos));
                    assert_eq!(period.get(), Some(Duration::from_nanos(nanos)));
                    let left = if nanos <= LAST_LONG {
                        (missed, slack)
                    } else {
                        (MissedTicks::Burst, Slack::UNSET)
                    };
                    assert_eq!(asked(period), left, "{nanos} ns");
                    for _ in 0..BURST {
                        period.count();
                    }
                    assert_eq!(asked(period), left, "{nanos} ns, with ticks");
                    if period.state() == TickState::MustGiveWay {
                        period.give_way(Moment::from_number(Moment::COUNT - 1));
                    }
                    assert_eq!(asked(period), left, "{nanos} ns, gave way");
                    period.restart();
                    assert_eq!(asked(period), left, "{nanos} ns, started anew");
                    assert_eq!(period.get(), Some(Duration::from_nanos(nanos)));
                }
            }
        }
    }

    #[test]
    fn other_missed_ticks_and_slack_replace_the_first() {
        let mut period = Period::new(Duration::from_millis(7));
        for number in (0..Slack::COUNT).rev() {
            period.set_slack(Slack::from_number(number));
            assert_eq!(period.slack().number(), number);
        }
        for missed in [MissedTicks::Delay, MissedTicks::Skip, MissedTicks::Burst] {
            period.set_missed_ticks(missed);
            assert_eq!(period.missed_ticks(), missed);
        }
        assert_eq!(period, Period::new(Duration::from_millis(7)));
    }
}
