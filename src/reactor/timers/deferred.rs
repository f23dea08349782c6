//! Postponements that are done together.
//!
//! Among so many timers that they do not fit into the near caches, each postponement waits for its
//! entry to come from memory, under the lock. What wakes nobody has time until somebody looks at
//! the deadlines. So a few are written down and done one after the other: then their entries come
//! at the same time. Whoever looks at deadlines [settles](Deferred::settle) first, and the order
//! in which they came is kept.

use std::task::Waker;

use crate::sys::Pages;
use crate::wheel::{Key, Wheel};

/// From how many timers on it pays: their entries are half a MiB. With fewer nothing is deferred.
pub(super) const FROM: usize = if cfg!(test) { 2 } else { 1 << 14 };

/// The most that are written down: so many are done while the lock is held, in about two
/// microseconds.
pub(super) const MOST: usize = 64;

/// Deadlines that the wheel has not been given yet.
#[derive(Debug)]
pub(super) struct Deferred {
    /// Each with the key of its timer, which is stale if that is gone by now.
    deadlines: Vec<(Key, u64)>,
}

impl Deferred {
    pub(super) const NONE: Deferred = Deferred { deadlines: Vec::new() };

    /// Writes a timer's new deadline down. Returns `false` if there is no room.
    #[inline(always)]
    pub(super) fn defer(&mut self, key: Key, deadline: u64) -> bool {
        let has_room = self.deadlines.len() < self.deadlines.capacity();
        if has_room {
            self.deadlines.push((key, deadline));
        }
        has_room
    }

    /// Gives the wheel what was written down.
    #[inline]
    pub(super) fn settle(&mut self, wheel: &mut Wheel<Waker, Pages>) {
        if !self.deadlines.is_empty() {
            self.give_to(wheel);
        }
    }

    #[inline(never)]
    fn give_to(&mut self, wheel: &mut Wheel<Waker, Pages>) {
        for &(key, deadline) in &self.deadlines {
            wheel.reschedule(key, deadline);
        }
        self.deadlines.clear();
    }

    /// Makes room for as many as may be written down.
    pub(super) fn make_room(&mut self) {
        self.deadlines.reserve_exact(MOST);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Fired, Slack, Sleeper, TimerKey, Timers, WakeTarget};
    use super::*;
    use crate::clock::NEVER;
    use crate::reactor::Settings;

    const SECOND: u64 = 1_000_000_000;

    fn insert(timers: &mut Timers, deadline: u64) -> TimerKey {
        timers.insert(deadline, Slack::UNSET, Waker::noop().clone()).0
    }

    /// Returns timers of which the first is the earliest, and was postponed without the wheel.
    fn postponed() -> (Timers, [TimerKey; 3]) {
        let mut timers = Timers::new(&Settings::default());
        let keys = [10, 200, 400].map(|seconds| insert(&mut timers, seconds * SECOND));
        // The first makes room.
        for seconds in [11, 300] {
            assert_eq!(timers.reschedule(keys[0], seconds * SECOND), WakeTarget::None);
        }
        let known = timers.wheel.deadline(keys[0].without_slack().unwrap());
        assert_eq!(known, Some(11 * SECOND), "it is deferred");
        (timers, keys)
    }

    #[test]
    fn every_look_sees_deferred_deadlines() {
        let (mut timers, _) = postponed();
        assert_eq!(timers.next_deadline(), 200 * SECOND);
        let (mut timers, _) = postponed();
        assert_eq!(timers.sleep_until(), 200 * SECOND);
        let (mut timers, keys) = postponed();
        let mut fired = Vec::new();
        assert!(!timers.fire(250 * SECOND, &mut fired));
        assert_eq!(fired.iter().map(|fired| fired.key).collect::<Vec<_>>(), [keys[1]]);
        let (mut timers, keys) = postponed();
        timers.unschedule(keys[0]);
        assert!(!timers.is_scheduled(keys[0]));
        assert_eq!(timers.next_deadline(), 200 * SECOND);
        let (mut timers, keys) = postponed();
        assert_eq!(timers.ensure(keys[0], 11 * SECOND), WakeTarget::None);
        assert_eq!(timers.next_deadline(), 11 * SECOND);
        let (mut timers, _) = postponed();
        assert_eq!(timers.stats().0.postponed, 2);
    }

    #[test]
    fn fired_timer_is_scheduled_by_deferred_deadline() {
        let (mut timers, keys) = postponed();
        let (mut fired, mut again) = (Vec::new(), Vec::new());
        assert!(!timers.fire(250 * SECOND, &mut fired));
        assert!(!timers.is_scheduled(keys[1]));
        assert_eq!(timers.reschedule(keys[1], 260 * SECOND), WakeTarget::None);
        timers.put_back(&mut fired, &mut again);
        assert!(timers.is_scheduled(keys[1]));
        assert_eq!(timers.next_deadline(), 260 * SECOND);
    }

    #[test]
    fn deadline_that_wakes_is_not_deferred() {
        let (mut timers, keys) = postponed();
        timers.set_sleeper(Sleeper::Driver { until: 100 * SECOND });
        assert_eq!(timers.reschedule(keys[0], 50 * SECOND), WakeTarget::Driver);
        let known = timers.wheel.deadline(keys[0].without_slack().unwrap());
        assert_eq!(known, Some(50 * SECOND));
    }

    #[test]
    fn gone_timers_deadline_reaches_no_other() {
        let (mut timers, keys) = postponed();
        assert!(timers.remove(keys[0]).is_some());
        let new = insert(&mut timers, 12 * SECOND);
        assert_eq!(timers.next_deadline(), 12 * SECOND);
        assert!(timers.is_scheduled(new));
        assert_eq!(timers.len(), 3);
    }

    #[test]
    fn few_deadlines_are_deferred_at_a_time() {
        let (mut timers, keys) = postponed();
        for beat in 0..1_000 {
            let _ = timers.reschedule(keys[beat % 3], 500 * SECOND + beat as u64);
            assert!(timers.deferred.deadlines.len() <= MOST);
        }
        assert!(timers.deferred.deadlines.capacity() < 2 * MOST);
    }

    /// Random operations beside a map: what is due fires, and nothing else.
    #[test]
    fn deferring_changes_nothing_that_fires() {
        for seed in 0..if cfg!(miri) { 1 } else { 200 } {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut timers = Timers::new(&Settings::default());
            let mut model: BTreeMap<usize, (TimerKey, Option<u64>)> = BTreeMap::new();
            let mut now = 0;
            for step in 0..if cfg!(miri) { 100 } else { 600 } {
                let deadline = now + random.u64(0..[10, 100_000, 10 * SECOND][step % 3]);
                let picked = random.usize(..step + 1);
                let found = model.range_mut(picked..).next().map(|(id, timer)| (*id, timer));
                match (random.u8(..16), found) {
                    (0..4, _) | (_, None) => {
                        model.insert(step, (insert(&mut timers, deadline), Some(deadline)));
                    }
                    (4..10, Some((_, (key, due)))) => {
                        *due = Some(deadline);
                        let _ = timers.reschedule(*key, deadline);
                    }
                    (10, Some((_, (key, due)))) => {
                        *due = Some(deadline);
                        let _ = timers.ensure(*key, deadline);
                    }
                    (11, Some((_, (key, due)))) => {
                        *due = None;
                        timers.unschedule(*key);
                    }
                    (12, Some((id, (key, _)))) => {
                        assert!(timers.remove(*key).is_some());
                        model.remove(&id);
                    }
                    (13, Some((_, (key, due)))) => {
                        assert_eq!(timers.is_scheduled(*key), due.is_some(), "seed {seed}");
                    }
                    _ => {
                        now = deadline;
                        fire_beside(&mut timers, &mut model, now);
                    }
                }
            }
            fire_beside(&mut timers, &mut model, NEVER - 1);
            assert!(model.values().all(|(_, due)| due.is_none()));
        }
    }

    fn fire_beside(
        timers: &mut Timers,
        model: &mut BTreeMap<usize, (TimerKey, Option<u64>)>,
        now: u64,
    ) {
        let (mut fired, mut again): (Vec<Fired>, Vec<Fired>) = (Vec::new(), Vec::new());
        while timers.fire(now, &mut fired) {}
        let mut came: Vec<_> = fired.iter().map(|fired| fired.key).collect();
        for (key, due) in model.values_mut() {
            if due.is_some_and(|due| due <= now) {
                *due = None;
                let place = came.iter().position(|came| came == key);
                came.swap_remove(place.expect("what is due fires"));
            }
        }
        assert!(came.is_empty(), "early at {now}: {came:?}");
        timers.put_back(&mut fired, &mut again);
        assert!(again.is_empty());
    }
}
