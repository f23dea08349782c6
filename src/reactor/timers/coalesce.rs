//! Coalescing: where timers are dense, they fire together, on a grid.
//!
//! A wake-up costs several microseconds: the system sets its own timer, switches to the thread and
//! back, and the executor wakes another thread. With 100,000 timers a second, one for each would
//! take most of a processor. So where timers are dense, none fires before the next point of a
//! *grid*, and then all do that are due. Network drivers moderate their interrupts like this.
//!
//! - The grid's step follows from the density: the longest within the bound in which no more than
//!   [`BATCH`] timers come. Where fewer than [`FEW`] come in a step, or all in a burst now and then,
//!   there is no grid: one by one, timers are as exact as the system can wake a thread. With a bound
//!   of 0.5 ms a thread wakes for timers at most 8,000 times a second, or once for 128 of them.
//! - What is known of the density holds for a while only: what is due long after the last look at it
//!   waits for nothing.
//! - A timer waits for the grid whatever else wakes the driver. If it did not, tasks that wake
//!   each other's threads would fire them few at a time.
//! - All grids of a process start at the same instant, and each step is half of the next longer
//!   one. So shards that are equally dense wake together, and not each other in turn; and what was
//!   put on one grid, as a delay queue's own timer, is put on another of the same bound or a finer
//!   one without being delayed twice.

use std::mem;

/// The longest that a timer waits for others, in nanoseconds, by default.
pub(crate) const LONGEST: u64 = 500_000;

/// How many timers have to come in a step of the grid.
const FEW: u64 = 4;

/// How many timers come in a step at most, if the shortest step allows it.
const BATCH: u64 = 256;

/// The shortest step is the bound, halved so many times.
const HALVINGS: u32 = 5;

/// How long timers are counted, in nanoseconds, before their density is set anew: at least so long...
const PERIOD: u64 = 16_000_000;

/// ... and for so many steps of the longest grid.
const STEPS: u64 = 8;

/// Timers have to fire at one point of the grid in so many at least. Those that come in bursts share
/// wake-ups already.
const APART: u64 = 4;

/// For how many periods a density holds. If nothing has fired in the last of them, there was a
/// pause.
const HOLDS: u64 = 2;

/// All times are wheel time.
#[derive(Debug)]
pub(crate) struct Coalescer {
    /// The longest that a timer of a shard waits for others, which all grids have in common. Zero:
    /// not at all.
    bound: u64,
    /// The longest that these may.
    longest: u64,
    /// The step of the grid. Zero where there is none.
    step: u64,
    /// For what is due from then on, there is none.
    ends: u64,
    /// Since when timers are counted.
    since: u64,
    /// How many fired since then.
    count: u64,
    /// In how many bursts. Rounds of which each has left some to the next are one.
    bursts: u64,
    /// Whether the last round has left some that are due.
    goes_on: bool,
}

impl Coalescer {
    pub(crate) fn new(bound: u64) -> Coalescer {
        Coalescer::with_slack(bound, bound)
    }

    /// For timers that may be late by `slack` at most.
    pub(crate) fn with_slack(bound: u64, slack: u64) -> Coalescer {
        Coalescer {
            bound,
            longest: bound.min(slack),
            step: 0,
            ends: 0,
            since: 0,
            count: 0,
            bursts: 0,
            goes_on: false,
        }
    }

    pub(crate) fn bound(&self) -> u64 {
        self.bound
    }

    /// Goes on with another bound.
    pub(crate) fn set_bound(&mut self, bound: u64) {
        if bound != self.bound {
            *self = Coalescer::new(bound);
        }
    }

    /// Notes that timers fired in a round, and whether it has left some that may be due.
    pub(crate) fn fired(&mut self, now: u64, count: usize, more: bool) {
        let is_new = !mem::replace(&mut self.goes_on, more);
        if count == 0 {
            return;
        }
        self.count += count as u64;
        self.bursts += u64::from(is_new);
        let period = PERIOD.max(self.longest * STEPS);
        // A clock that has stepped back begins another period.
        let counted = now.checked_sub(self.since).unwrap_or(period);
        if counted >= period {
            self.step = if counted < HOLDS * period { self.step_for(counted) } else { 0 };
            self.ends = now.saturating_add(HOLDS * period);
            (self.since, self.count, self.bursts) = (now, 0, 0);
        }
    }

    /// Returns the step for what has fired in a time.
    fn step_for(&self, time: u64) -> u64 {
        let apart = time / self.count;
        let shortest = self.bound >> HALVINGS;
        let most = self.longest.min(apart.saturating_mul(BATCH).max(shortest));
        let steps = (0..=HALVINGS).rev().map(|doublings| shortest << doublings);
        let step = steps.into_iter().find(|step| *step <= most).unwrap_or(0);
        let is_dense = step / FEW >= apart && step * APART >= time / self.bursts.max(1);
        if is_dense { step } else { 0 }
    }

    /// Returns when a timer that is due at `deadline` is to fire: never before that, and after it
    /// by less than the bound.
    pub(crate) fn coalesced(&self, deadline: u64) -> u64 {
        if self.step == 0 || deadline >= self.ends {
            return deadline;
        }
        deadline.checked_next_multiple_of(self.step).unwrap_or(deadline)
    }

    /// Returns the last moment up to `limit` that lies on the grid. Without end stays without end.
    pub(crate) fn last_until(&self, limit: u64) -> u64 {
        if limit >= self.ends {
            return limit;
        }
        limit - limit.checked_rem(self.step).unwrap_or(0)
    }

    /// Returns `true` if nothing is to fire yet, since the earliest deadline waits for the grid.
    pub(crate) fn holds(&self, earliest: Option<u64>, now: u64) -> bool {
        self.step > 0 && earliest.is_some_and(|deadline| now < self.coalesced(deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NEVER;

    const SPARSE: u64 = LONGEST / FEW;

    /// Lets a timer fire every so many nanoseconds for a while, from a start; returns the
    /// end.
    fn run(coalescer: &mut Coalescer, start: u64, apart: u64) -> u64 {
        let end = start + 5 * PERIOD;
        (start..end).step_by(apart as usize).for_each(|now| coalescer.fired(now, 1, false));
        end
    }

    /// Returns the step of a grid for timers so far apart.
    fn step(bound: u64, apart: u64) -> u64 {
        let mut coalescer = Coalescer::new(bound);
        run(&mut coalescer, 1_000_000_000, apart);
        coalescer.step
    }

    #[test]
    fn sparse_timers_are_not_delayed() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, SPARSE + 3_000);
        for deadline in end..end + 10 {
            assert_eq!(coalescer.coalesced(deadline), deadline);
            assert!(!coalescer.holds(Some(deadline), deadline));
        }
    }

    #[test]
    fn timers_just_dense_enough_are_coalesced() {
        assert_eq!(step(LONGEST, SPARSE), LONGEST);
    }

    /// Wake-ups cost a bounded share of a processor: few a second, or each for many timers.
    #[test]
    fn wake_ups_are_few_or_for_many() {
        for apart in (100..200_000).step_by(997) {
            let step = step(LONGEST, apart);
            let timers = step.max(apart) / apart;
            let wake_ups = 1_000_000_000 / step.max(apart);
            assert!(wake_ups <= 8_000 || timers >= BATCH / 2, "{apart} ns apart: {wake_ups}");
            assert!(step <= LONGEST && timers <= BATCH, "{apart} ns apart: {step}, {timers}");
        }
    }

    #[test]
    fn dense_timers_fire_on_the_grid_only() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, 10_000);
        let on_grid = end.next_multiple_of(LONGEST);
        let (first, last) = (on_grid + 1, on_grid + LONGEST);
        for deadline in [first, first + 1, last - 1, last] {
            assert_eq!(coalescer.coalesced(deadline), last);
            assert!(coalescer.holds(Some(deadline), last - 1));
            assert!(!coalescer.holds(Some(deadline), last));
        }
        assert!(!coalescer.holds(None, first));
    }

    /// What is on one grid is on each that is finer: shards meet, and nothing is delayed twice.
    #[test]
    fn grids_of_all_densities_share_their_points() {
        for bound in [LONGEST, 1_000_000, 777_777] {
            let steps: Vec<_> =
                [50, 100, 300, 1_000, 10_000].map(|apart| step(bound, apart)).into();
            assert!(
                steps.windows(2).all(|pair| pair[0] > 0 && pair[1] % pair[0] == 0),
                "{steps:?}"
            );
            let mut coalescer = Coalescer::with_slack(bound, bound / 3);
            run(&mut coalescer, 1_000_000_000, 10_000);
            let with_slack = coalescer.step;
            assert!(with_slack > 0 && with_slack <= bound / 3);
            assert_eq!(steps[4] % with_slack, 0);
        }
    }

    #[test]
    fn bound_of_zero_delays_nothing() {
        for (bound, slack) in [(0, 0), (0, LONGEST), (LONGEST, 0)] {
            for count in [1, 1_000, 10_000_000] {
                let mut coalescer = Coalescer::with_slack(bound, slack);
                (1..50).for_each(|round| coalescer.fired(round * 1_000_000, count, false));
                assert_eq!(coalescer.step, 0, "{bound}, {slack}, {count}");
            }
        }
    }

    #[test]
    fn longer_bound_coalesces_sparser_timers() {
        assert_eq!(step(10 * LONGEST, 5 * SPARSE), 10 * LONGEST);
    }

    /// The period in which timers are counted has many points of the grid, however long it is.
    #[test]
    fn long_bound_keeps_timers_dense() {
        const SECOND: u64 = 1_000_000_000;
        let mut coalescer = Coalescer::new(SECOND);
        let steps = (1..50).map(|second| {
            coalescer.fired(second * SECOND, 10, false);
            coalescer.step
        });
        let steps: Vec<_> = steps.collect();
        assert!(steps[20..].iter().all(|step| *step == SECOND), "{steps:?}");
    }

    #[test]
    fn slack_ends_on_the_grid() {
        let mut coalescer = Coalescer::with_slack(LONGEST, 1_000_000);
        assert_eq!(coalescer.last_until(1_234_567), 1_234_567);
        (coalescer.step, coalescer.ends) = (500_000, 2_000_000);
        assert_eq!(coalescer.last_until(1_234_567), 1_000_000);
        assert_eq!(coalescer.last_until(1_500_000), 1_500_000);
        assert_eq!(coalescer.last_until(2_345_678), 2_345_678, "by then there is no grid");
        assert_eq!(coalescer.last_until(NEVER), NEVER);
    }

    /// A hundred timers at every tick of a game need no grid: they share a wake-up as it is.
    #[test]
    fn bursts_are_not_delayed() {
        let mut coalescer = Coalescer::new(LONGEST);
        let mut burst = |apart| {
            (1..50).for_each(|tick| coalescer.fired(tick * apart, 100, false));
            coalescer.step
        };
        assert_eq!(burst(2 * APART * LONGEST), 0);
        assert_eq!(burst(APART * LONGEST / 2), LONGEST);
    }

    /// As many as a round may fire, and more: then the burst goes on in the next rounds.
    #[test]
    fn burst_of_many_rounds_is_one() {
        let mut coalescer = Coalescer::new(LONGEST);
        let mut bursts = |apart| {
            for tick in 1..50 {
                (0..15).for_each(|round| coalescer.fired(tick * apart + round, 10, true));
                coalescer.fired(tick * apart + 15, 10, false);
            }
            coalescer.step
        };
        assert_eq!(bursts(2 * APART * LONGEST), 0);
        assert_eq!(bursts(APART * LONGEST / 2), LONGEST);
    }

    /// Rounds that never come to an end leave nothing to wait for.
    #[test]
    fn storm_without_end_needs_no_grid() {
        let mut coalescer = Coalescer::new(LONGEST);
        (1_000..500_000).step_by(10).for_each(|us| coalescer.fired(us * 1_000, 100, true));
        assert_eq!(coalescer.step, 0);
        let end = run(&mut coalescer, 500_000_000, 10_000);
        assert!(coalescer.coalesced(end + 1) > end + 1, "then it is over");
    }

    #[test]
    fn after_a_pause_nothing_is_delayed() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, 1_000);
        let later = end + 1_000_000_000;
        coalescer.fired(later, 1, false);
        assert_eq!(coalescer.coalesced(later + 1), later + 1);
    }

    /// The first of a sparse time is as exact as those after it.
    #[test]
    fn first_after_a_pause_is_not_delayed() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, 10_000);
        let soon = end + PERIOD / 2;
        assert!(coalescer.coalesced(soon + 1) > soon + 1, "it goes on");
        for later in [end + HOLDS * PERIOD, end + 3_600_000_000_000] {
            assert_eq!(coalescer.coalesced(later + 1), later + 1);
            assert_eq!(coalescer.last_until(later + 1), later + 1);
            assert!(!coalescer.holds(Some(later + 1), later + 1));
        }
    }

    #[test]
    fn burst_after_long_sleep_is_not_dense() {
        let mut coalescer = Coalescer::new(LONGEST);
        coalescer.fired(10_000_000_000, 10_000, false);
        assert_eq!(coalescer.coalesced(10_000_000_001), 10_000_000_001);
    }

    /// The clock that steps back: what is due is late by less than the bound, as ever.
    #[test]
    fn clock_step_back_lengthens_no_wait() {
        let mut coalescer = Coalescer::new(LONGEST);
        run(&mut coalescer, 10_000_000_000, 1_000);
        for deadline in [0, 1, 1_000_000_001] {
            assert!(coalescer.coalesced(deadline) - deadline < LONGEST);
        }
        // What was counted before says nothing any more.
        coalescer.fired(1_000, 1, false);
        let end = run(&mut coalescer, 2_000, 2 * SPARSE);
        assert_eq!(coalescer.coalesced(end + 1), end + 1);
        assert_eq!(coalescer.coalesced(NEVER), NEVER);
    }
}
