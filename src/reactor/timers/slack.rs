//! Timers with a slack: one may fire late by its slack, so that several share a wake-up.
//!
//! There is a wheel for each slack that is in use. Whenever the driver is awake, what is due fires,
//! whatever its slack, unless the timers of that slack are dense: then they fire on the grid only, as
//! [`coalesce`](super::coalesce) says, and a slack ends on the last point that lies in it. A
//! sleep lasts until the first timer's slack ends: of those with the same
//! slack that is the one with the earliest deadline, so the wheels know it. A driver that nothing
//! else wakes therefore wakes at the end of some timer's slack, with all others that are due by
//! then. No choice of moments has fewer wake-ups: each is the last that its first timer admits.
//! Timers with a slack of zero never wait for the grid.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use super::{BUDGET, Coalescer};
use crate::clock::{self, NEVER};
use crate::sys::Pages;
use crate::wheel::{Counts, Key, Wheel};

/// How many slacks there are: zero, and one more for each that was asked for.
const SLACKS: usize = 31;

/// Free in the table.
const FREE: u64 = 0;

/// The slacks that were asked for, in nanoseconds. An entry is written once.
static TABLE: [AtomicU64; SLACKS] = [const { AtomicU64::new(FREE) }; SLACKS];

/// A slack by its number: small enough for a timer, and for its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slack(u8);

impl Slack {
    /// None was set.
    pub(crate) const UNSET: Slack = Slack(0);
    /// Exact, also where timers are dense.
    pub(crate) const ZERO: Slack = Slack(1);

    /// Numbers are less than this.
    pub(crate) const COUNT: u8 = SLACKS as u8 + 1;

    /// Returns a slack of this duration; or, where the table is full, the longest shorter one in it.
    pub(crate) fn of(duration: Duration) -> Slack {
        let wanted = clock::saturating_nanos(duration);
        if wanted == 0 {
            return Slack::ZERO;
        }
        let (mut best, mut longest) = (Slack::ZERO, 0);
        // The first is that of zero.
        for (index, entry) in TABLE.iter().enumerate().skip(1) {
            // Ordering: Relaxed: a number, by which nothing else is published.
            let mut known = entry.load(Ordering::Relaxed);
            if known == FREE {
                let entered =
                    entry.compare_exchange(FREE, wanted, Ordering::Relaxed, Ordering::Relaxed);
                known = entered.map_or_else(|known| known, |_| wanted);
            }
            match known {
                known if known <= wanted && known > longest => {
                    (best, longest) = (Slack(index as u8 + 1), known);
                }
                _ => {}
            }
            if longest == wanted {
                break;
            }
        }
        best
    }

    pub(crate) fn from_number(number: u8) -> Slack {
        debug_assert!(number < Slack::COUNT);
        Slack(number)
    }

    pub(crate) fn number(self) -> u8 {
        self.0
    }

    /// Returns the duration in nanoseconds, which is [`NEVER`] if it has no end.
    ///
    /// # Panics
    ///
    /// If it is unset.
    pub(crate) fn nanos(self) -> u64 {
        // Ordering: Relaxed, as above. The number was given out after the entry was written, and each
        // load after that finds it.
        TABLE[self.index()].load(Ordering::Relaxed)
    }

    fn index(self) -> usize {
        usize::from(self.0) - 1
    }
}

/// A shard's timers with a slack. No slack is [`Slack::UNSET`] here.
#[derive(Debug, Default)]
pub(super) struct SlackTimers {
    /// One for each slack that was used here: a few.
    wheels: Vec<SlackWheel>,
}

#[derive(Debug)]
struct SlackWheel {
    slack: Slack,
    nanos: u64,
    wheel: Wheel<Waker, Pages>,
    coalescer: Coalescer,
}

impl SlackTimers {
    /// Returns the wheel for a slack that a timer has.
    #[cold]
    pub(super) fn wheel(&self, slack: Slack) -> Option<&Wheel<Waker, Pages>> {
        Some(&self.wheels.iter().find(|of| of.slack == slack)?.wheel)
    }

    #[cold]
    pub(super) fn wheel_mut(&mut self, slack: Slack) -> Option<&mut Wheel<Waker, Pages>> {
        Some(&mut self.wheels.iter_mut().find(|of| of.slack == slack)?.wheel)
    }

    /// Returns the wheel for a slack, which is made if need be, and the slack in nanoseconds. `bound`
    /// is that of all grids.
    pub(super) fn make_wheel(
        &mut self,
        slack: Slack,
        bound: u64,
    ) -> (&mut Wheel<Waker, Pages>, u64) {
        let place = self.wheels.iter().position(|of| of.slack == slack).unwrap_or_else(|| {
            let nanos = slack.nanos();
            let coalescer = Coalescer::with_slack(bound, nanos);
            self.wheels.push(SlackWheel { slack, nanos, wheel: Wheel::giving_back(), coalescer });
            self.wheels.len() - 1
        });
        let SlackWheel { nanos, wheel, .. } = &mut self.wheels[place];
        (wheel, *nanos)
    }

    /// Fires timers that are due, at most `budget`. Returns how many there were, and `true` if there
    /// may be more.
    pub(super) fn fire(
        &mut self,
        now: u64,
        budget: usize,
        mut each: impl FnMut(Slack, Key, u64, &mut Waker),
    ) -> (usize, bool) {
        let most_moves = budget.max(BUDGET).saturating_mul(2) as u64;
        let (mut fired, mut moved, mut more) = (0, 0, false);
        for SlackWheel { slack, wheel, coalescer, .. } in &mut self.wheels {
            if coalescer.holds(wheel.next_deadline(), now) {
                continue;
            }
            let before = wheel.counts().moved;
            let progress = wheel.fire(now, budget - fired, |key, deadline, waker| {
                each(*slack, key, deadline, waker);
            });
            coalescer.fired(now, progress.expired, progress.more);
            fired += progress.expired;
            moved += wheel.counts().moved - before;
            // Also if they have moved as many as one of them may: the next one's would come on top.
            if fired == budget || progress.more || moved >= most_moves {
                more = true;
                break;
            }
        }
        if more {
            // Another wheel is the first next time, so that a busy one leaves the others a turn.
            self.wheels.rotate_left(1);
        }
        (fired, more)
    }

    /// The earliest deadline, or [`NEVER`]; too early at worst.
    pub(super) fn next_deadline(&self) -> u64 {
        let deadlines = self.wheels.iter().filter_map(|of| of.wheel.next_deadline());
        deadlines.min().unwrap_or(NEVER)
    }

    /// Until when a sleep may last, or [`NEVER`]; too early at worst.
    pub(super) fn next_limit(&self) -> u64 {
        let limit = |of: &SlackWheel| {
            let limit = of.wheel.next_deadline()?.saturating_add(of.nanos);
            Some(of.coalescer.last_until(limit))
        };
        self.wheels.iter().filter_map(limit).min().unwrap_or(NEVER)
    }

    /// What was done to all wheels.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.wheels.iter().for_each(|of| counts.add(of.wheel.counts()));
        counts
    }

    pub(super) fn len(&self) -> usize {
        self.wheels.iter().map(|of| of.wheel.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sleeper, Timers, WakeTarget};
    use super::*;
    use crate::reactor::Settings;

    const MS: u64 = 1_000_000;

    fn slack(nanos: u64) -> Slack {
        Slack::of(Duration::from_nanos(nanos))
    }

    fn insert(timers: &mut Timers, deadline: u64, slack: Slack) -> WakeTarget {
        timers.insert(deadline, slack, Waker::noop().clone()).1
    }

    #[test]
    fn slack_is_known_by_its_number() {
        for nanos in [0, 1, 3 * MS, 4 * MS] {
            assert_eq!(slack(nanos).nanos(), nanos);
            assert_eq!(slack(nanos), slack(nanos));
        }
        assert_ne!(slack(3 * MS), slack(4 * MS));
        assert_eq!(Slack::of(Duration::MAX).nanos(), NEVER);
    }

    #[test]
    fn timers_within_each_others_slack_share_a_wake_up() {
        let mut timers = Timers::new(&Settings::default());
        let _ = insert(&mut timers, 100 * MS, slack(20 * MS));
        let _ = insert(&mut timers, 119 * MS, slack(20 * MS));
        let _ = insert(&mut timers, 119 * MS, slack(1_000 * MS));
        let _ = insert(&mut timers, 121 * MS, slack(20 * MS));
        assert_eq!(timers.sleep_until(), 120 * MS);
        let mut fired = Vec::new();
        assert!(!timers.fire(120 * MS, &mut fired));
        assert_eq!(fired.len(), 3);
        assert_eq!(timers.sleep_until(), 141 * MS);
    }

    #[test]
    fn awake_driver_fires_what_is_due() {
        let mut timers = Timers::new(&Settings::default());
        let _ = insert(&mut timers, 100 * MS, slack(20 * MS));
        assert_eq!(timers.next_deadline(), 100 * MS);
        let mut fired = Vec::new();
        let _ = timers.fire(100 * MS - 1, &mut fired);
        assert!(fired.is_empty());
        let _ = timers.fire(100 * MS, &mut fired);
        assert_eq!(fired.len(), 1);
        assert_eq!((timers.next_deadline(), timers.sleep_until()), (NEVER, NEVER));
    }

    #[test]
    fn only_an_earlier_limit_wakes_the_sleeper() {
        let mut timers = Timers::new(&Settings::default());
        timers.set_sleeper(Sleeper::Driver { until: 100 * MS });
        assert_eq!(insert(&mut timers, 80 * MS, slack(20 * MS)), WakeTarget::None);
        assert_eq!(insert(&mut timers, 80 * MS, slack(19 * MS)), WakeTarget::Driver);
        timers.set_sleeper(Sleeper::Driver { until: 99 * MS });
        let (key, target) = timers.insert(90 * MS, slack(20 * MS), Waker::noop().clone());
        assert_eq!(target, WakeTarget::None);
        assert_eq!(timers.reschedule(key, 79 * MS), WakeTarget::None);
        assert_eq!(timers.reschedule(key, 79 * MS - 1), WakeTarget::Driver);
    }

    #[test]
    fn zero_slack_is_exact_among_dense_timers() {
        let mut timers = Timers::new(&Settings::default());
        for now in (10 * MS..=40 * MS).step_by(20_000) {
            let _ = insert(&mut timers, now, Slack::UNSET);
            let _ = timers.fire(now, &mut Vec::new());
        }
        let next = 40 * MS + 1;
        let _ = insert(&mut timers, next, Slack::UNSET);
        assert!(timers.sleep_until() > next, "they are coalesced");
        let until = timers.sleep_until();
        timers.set_sleeper(Sleeper::Driver { until });
        assert_eq!(insert(&mut timers, next + 1, Slack::ZERO), WakeTarget::Driver);
        assert_eq!(timers.sleep_until(), next + 1);
    }

    #[test]
    fn timer_keeps_its_key_and_waker() {
        let mut timers = Timers::new(&Settings::default());
        let (key, _) = timers.insert(10 * MS, slack(MS), Waker::noop().clone());
        assert!(timers.is_scheduled(key));
        assert_eq!((key.slack(), timers.len()), (slack(MS), 1));
        timers.unschedule(key);
        assert!(!timers.is_scheduled(key));
        assert_eq!(timers.ensure(key, 5 * MS), WakeTarget::None);
        assert_eq!(timers.sleep_until(), 6 * MS);
        assert!(timers.set_waker(key, Waker::noop().clone()).is_some());
        assert!(timers.remove(key).is_some());
        assert!(timers.remove(key).is_none());
        assert_eq!((timers.len(), timers.sleep_until()), (0, NEVER));
    }

    /// Above the most that can be told apart, timers go without a slack.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of timers: minutes")]
    fn too_many_go_without_slack() {
        let mut timers = Timers::new(&Settings::default());
        let keys: Vec<_> = (0..=super::super::key::MOST_WITH_SLACK as u64)
            .map(|number| timers.insert(MS + number, slack(MS), Waker::noop().clone()).0)
            .collect();
        let (last, others) = keys.split_last().unwrap();
        assert_eq!(last.slack(), Slack::UNSET);
        assert!(others.iter().all(|key| key.slack() == slack(MS)));
        for key in keys {
            assert!(timers.remove(key).is_some());
        }
    }

    /// A busy slack leaves the others, and the timers without one, a turn.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of timers: minutes")]
    fn storm_of_one_slack_does_not_starve_others() {
        let mut timers = Timers::new(&Settings::default());
        for _ in 0..3 {
            (0..700).for_each(|_| assert_eq!(insert(&mut timers, MS, slack(MS)), WakeTarget::None));
        }
        let (other, _) = timers.insert(MS, slack(2 * MS), Waker::noop().clone());
        let (without, _) = timers.insert(MS, Slack::UNSET, Waker::noop().clone());
        let mut fired = Vec::new();
        assert!(timers.fire(MS, &mut fired));
        assert!(!timers.is_scheduled(without));
        assert!(timers.fire(MS, &mut fired));
        assert!(!timers.is_scheduled(other));
        while timers.fire(MS, &mut fired) {}
        assert_eq!(fired.len(), 2_102);
    }

    /// Random timers in as few wake-ups as there can be: none early, none later than its slack.
    #[test]
    fn random_timers_fire_in_fewest_wake_ups() {
        let slacks = [0, 1, 300_000, 5 * MS, 40 * MS, 3_000 * MS];
        for seed in 0..if cfg!(miri) { 2 } else { 40 } {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut timers = Timers::new(&Settings::default());
            let mut model: Vec<(u64, u64)> = Vec::new();
            for _ in 0..random.usize(1..200) {
                let deadline = random.u64(1..1_000 * MS);
                let nanos = slacks[random.usize(..slacks.len())];
                model.push((deadline, nanos));
                let _ = insert(&mut timers, deadline, slack(nanos));
            }
            while let Some(wake) = model.iter().map(|(deadline, slack)| deadline + slack).min() {
                assert_eq!(timers.sleep_until(), wake, "seed {seed}");
                let due = model.iter().filter(|(deadline, _)| *deadline <= wake).count();
                model.retain(|(deadline, _)| *deadline > wake);
                let mut fired = Vec::new();
                assert!(!timers.fire(wake, &mut fired));
                assert_eq!(fired.len(), due, "seed {seed}");
            }
            assert_eq!(timers.sleep_until(), NEVER);
        }
    }
}
