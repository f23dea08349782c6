//! Missed ticks of intervals.

use std::time::{Duration, Instant};

/// What becomes of an interval's ticks that are missed, because nobody polled in time.
///
/// Take an interval of 10 ms that ticked at 0 and is polled next at 34 ms:
///
/// | | ticks it yields then | later ones |
/// |---|---|---|
/// | `Burst` | those of 10, 20 and 30 ms, one at each poll | 40, 50, … |
/// | `Skip` | that of 10 ms | 40, 50, … |
/// | `Delay` | that of 10 ms | 44, 54, … if polled in time |
///
/// Each yields the instant at which its tick was due. To catch up costs `Skip` and `Delay` one
/// poll, however many ticks were missed.
///
/// # Examples
///
/// A heartbeat that does not send what it has missed:
///
/// ```
/// use async_wheel::Timer;
/// use async_wheel::time::MissedTicks;
/// use futures_lite::StreamExt;
/// use std::time::Duration;
///
/// # async_wheel::block_on(async {
/// let ms = Duration::from_millis(1);
/// let mut beats = Timer::interval(ms).with_missed_ticks(MissedTicks::Skip);
/// let first = beats.next().await.unwrap();
/// std::thread::sleep(5 * ms);
/// // The tick that came first, and then none of the others that are over.
/// assert_eq!(beats.next().await.unwrap(), first + ms);
/// assert!(beats.next().await.unwrap() >= first + 6 * ms);
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTicks {
    /// They are all made up for, one after the other without waiting. The ticks stay in phase.
    ///
    /// For what has to happen as often as there are periods, such as samples that are counted.
    #[default]
    Burst = 0,
    /// The first of them is yielded and the others are left out. The ticks stay in phase.
    ///
    /// For heartbeats and whatever is to happen at certain times, once.
    Skip = 1,
    /// The next tick comes a period after each one that is taken. The phase shifts by as much as
    /// each tick was late, also if it was late by less than a period.
    ///
    /// For what needs a pause of at least a period, such as polling a service.
    Delay = 2,
}

impl MissedTicks {
    /// Returns when the next tick is due if one that was due at `due` is taken at `now`. `None`: the
    /// clock does not count that far.
    pub(super) fn next(self, period: Duration, due: Instant, now: Instant) -> Option<Instant> {
        let next = due.checked_add(period);
        match self {
            MissedTicks::Burst => next,
            MissedTicks::Delay => now.checked_add(period),
            MissedTicks::Skip if next.is_none_or(|next| next > now) => next,
            MissedTicks::Skip => {
                let late = now.saturating_duration_since(due).as_nanos();
                // A period of zero has a tick at each moment.
                let phase = late.checked_rem(period.as_nanos()).unwrap_or(0);
                // Less than the period, of which 64 bits are enough.
                now.checked_add(period.saturating_sub(Duration::from_nanos(phase as u64)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_delay_shifts_ticks_in_time() {
        let due = Instant::now();
        let now = due + MS / 3;
        for missed in [MissedTicks::Burst, MissedTicks::Skip] {
            assert_eq!(missed.next(MS, due, now), Some(due + MS));
        }
        assert_eq!(MissedTicks::Delay.next(MS, due, now), Some(now + MS));
    }

    #[test]
    fn skip_keeps_the_phase_after_any_stall() {
        let due = Instant::now();
        for periods in [1, 2, 999, 1_000, 1_000_000] {
            for beyond in [0, 1, 999_999] {
                let now = due + periods * MS + Duration::from_nanos(beyond);
                let next = MissedTicks::Skip.next(MS, due, now).unwrap();
                assert_eq!(next, due + (periods + 1) * MS, "{periods} periods and {beyond} ns");
            }
        }
    }

    #[test]
    fn period_of_zero_ticks_now() {
        let due = Instant::now();
        for late in [Duration::ZERO, MS] {
            let now = due + late;
            assert_eq!(MissedTicks::Skip.next(Duration::ZERO, due, now), Some(now));
            assert_eq!(MissedTicks::Delay.next(Duration::ZERO, due, now), Some(now));
            assert_eq!(MissedTicks::Burst.next(Duration::ZERO, due, now), Some(due));
        }
    }
}
