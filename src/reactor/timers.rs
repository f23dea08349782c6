//! The timers of one shard, and who sleeps until when.
//!
//! Everything here happens under the shard's `timers` lock; no waker is cloned, woken or
//! dropped in it. A waker that is due is *taken out* of its entry, woken by reference outside
//! the lock, and *put back*: the timer's owner may push out a deadline that has passed without
//! polling again, and is then woken by the waker that polled last. While a waker is out, the
//! entry holds a placeholder.

use std::mem;
use std::task::Waker;

use super::pace::Pace;
use super::placeholder::{placeholder, stamp};
use crate::clock::NEVER;
use crate::wheel::{Key, Wheel};

/// The most timers that one round hands out, so that a storm of them cannot starve I/O.
pub(crate) const BUDGET: usize = 1024;

/// Who counts on hearing of timers that are earlier than those they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleeper {
    /// Nobody: whoever sleeps next looks at the wheel first.
    Nobody,
    /// Who holds the seat sleeps in the shard's poller until this wheel time.
    Driver { until: u64 },
    /// The fallback sleeps, and will look at this shard at this wheel time.
    Fallback { until: u64 },
}

/// Whom an insert has to wake, outside the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Alarm {
    None,
    Driver,
    Fallback,
}

/// A timer that went off: its waker is out.
#[derive(Debug)]
pub(crate) struct Fired {
    key: Key,
    /// The stamp of the placeholder in the entry.
    stamp: usize,
    pub(crate) waker: Waker,
}

#[derive(Debug)]
pub(crate) struct Timers {
    wheel: Wheel<Waker>,
    sleeper: Sleeper,
    pace: Pace,
    /// How many wakers were taken out so far.
    taken: usize,
    /// The stamps of wakers that are out and whose timers went off again meanwhile.
    missed: Vec<usize>,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            wheel: Wheel::new(),
            sleeper: Sleeper::Nobody,
            pace: Pace::default(),
            taken: 0,
            missed: Vec::new(),
        }
    }

    /// Adds a timer.
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> (Key, Alarm) {
        let key = self.wheel.insert(deadline, waker);
        (key, self.alarm(deadline))
    }

    /// Gives a timer another deadline; it keeps its waker.
    pub(crate) fn reschedule(&mut self, key: Key, deadline: u64) -> Alarm {
        if self.wheel.reschedule(key, deadline) { self.alarm(deadline) } else { Alarm::None }
    }

    /// Schedules a timer for a deadline unless it is.
    pub(crate) fn ensure(&mut self, key: Key, deadline: u64) -> Alarm {
        if self.wheel.deadline(key) == Some(deadline) {
            return Alarm::None;
        }
        self.reschedule(key, deadline)
    }

    /// Takes a timer's deadline away; it keeps its waker.
    pub(crate) fn unschedule(&mut self, key: Key) {
        self.wheel.unschedule(key);
    }

    /// Takes a timer out. The caller drops the waker outside the lock.
    #[must_use]
    pub(crate) fn remove(&mut self, key: Key) -> Option<Waker> {
        let waker = self.wheel.remove(key);
        self.give_memory_back();
        waker
    }

    /// Whether a timer is to wake this waker, when it goes off.
    pub(crate) fn will_wake(&self, key: Key, waker: &Waker) -> bool {
        self.wheel.get(key).is_some_and(|registered| registered.will_wake(waker))
    }

    /// Gives a timer another waker and returns the old one, to be dropped outside the lock.
    #[must_use]
    pub(crate) fn set_waker(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        match self.wheel.get_mut(key) {
            Some(registered) => Some(mem::replace(registered, waker)),
            None => Some(waker),
        }
    }

    /// Whom to wake because of a deadline that has just come in, if it is earlier than what
    /// the sleeper counts on. The sleeper is told once.
    fn alarm(&mut self, deadline: u64) -> Alarm {
        let (until, alarm) = match self.sleeper {
            Sleeper::Nobody => return Alarm::None,
            Sleeper::Driver { until } => (until, Alarm::Driver),
            Sleeper::Fallback { until } => (until, Alarm::Fallback),
        };
        // Where timers are dense, a sleep for this one would last as long.
        if self.pace.put_off(deadline) >= until {
            return Alarm::None;
        }
        self.sleeper = Sleeper::Nobody;
        alarm
    }

    /// Takes the wakers of due timers out. Whether there may be more.
    pub(crate) fn fire(&mut self, now: u64, fired: &mut Vec<Fired>) -> bool {
        let Timers { wheel, pace, taken, missed, .. } = self;
        let progress = wheel.fire(now, BUDGET, |key, _, registered| {
            if let Some(stamp) = stamp(registered) {
                // It is out already, and whoever took it looks here when putting it back.
                if !missed.contains(&stamp) {
                    missed.push(stamp);
                }
                return;
            }
            *taken = taken.wrapping_add(1);
            let waker = mem::replace(registered, placeholder(*taken));
            fired.push(Fired { key, stamp: *taken, waker });
        });
        pace.fired(now, progress.expired);
        progress.more
    }

    /// Puts wakers back that were woken. What is left in `fired` has to be dropped outside the
    /// lock; what moves to `again` went off once more meanwhile and has to be woken again.
    ///
    /// A waker goes back only where its own placeholder still is. If the timer is gone, or the
    /// task has polled again meanwhile and left another waker, nobody wants it any more.
    pub(crate) fn put_back(&mut self, fired: &mut [Fired], again: &mut Vec<Fired>) {
        for Fired { key, stamp: out, waker } in fired.iter_mut() {
            let missed = self.missed.iter().position(|missed| missed == out);
            if let Some(index) = missed {
                self.missed.swap_remove(index);
            }
            let Some(registered) = self.wheel.get_mut(*key) else { continue };
            if stamp(registered) != Some(*out) {
                continue;
            }
            if missed.is_some() {
                let waker = mem::replace(waker, placeholder(*out));
                again.push(Fired { key: *key, stamp: *out, waker });
            } else {
                mem::swap(registered, waker);
            }
        }
    }

    /// The earliest deadline, or [`NEVER`]; too early at worst.
    pub(crate) fn next_deadline(&self) -> u64 {
        self.wheel.next_deadline().unwrap_or(NEVER)
    }

    /// Until when a sleep may last, or [`NEVER`]: until the earliest deadline, or where timers
    /// are dense, until a few are due.
    pub(crate) fn sleep_until(&self) -> u64 {
        self.wheel.next_deadline().map_or(NEVER, |next| self.pace.put_off(next))
    }

    pub(crate) fn sleeper(&self) -> Sleeper {
        self.sleeper
    }

    /// Writes down who sleeps until when.
    pub(crate) fn set_sleeper(&mut self, sleeper: Sleeper) {
        self.sleeper = sleeper;
    }

    pub(crate) fn len(&self) -> usize {
        self.wheel.len()
    }

    /// When the last timer is gone, so is the memory of a population that was large once.
    fn give_memory_back(&mut self) {
        if self.wheel.is_empty() && self.wheel.capacity() > 4 * BUDGET {
            self.wheel.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            // Ordering: Relaxed: a count, looked at by nobody else.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waker() -> Waker {
        Waker::from(Arc::new(Count::default()))
    }

    /// Whether a timer has a waker of this task's. Not `will_wake`: two clones of one waker may
    /// have tables at different addresses, and have, where Miri runs this.
    fn is_for(timers: &Timers, key: Key, task: &Waker) -> bool {
        timers.wheel.get(key).is_some_and(|waker| waker.data() == task.data())
    }

    #[test]
    fn only_an_earlier_deadline_rouses_the_sleeper_and_only_once() {
        let mut timers = Timers::new();
        timers.set_sleeper(Sleeper::Driver { until: 100 });
        assert_eq!(timers.insert(100, waker()).1, Alarm::None);
        assert_eq!(timers.insert(99, waker()).1, Alarm::Driver);
        assert_eq!(timers.insert(98, waker()).1, Alarm::None);
        timers.set_sleeper(Sleeper::Fallback { until: NEVER });
        assert_eq!(timers.insert(1_000, waker()).1, Alarm::Fallback);
    }

    #[test]
    #[cfg_attr(miri, ignore = "a thousand rounds: minutes")]
    fn where_timers_are_dense_a_deadline_that_changes_nothing_for_the_sleeper_rouses_nobody() {
        let mut timers = Timers::new();
        for now in (10_000_000..20_000_000).step_by(10_000) {
            let _ = timers.insert(now, waker());
            let _ = timers.fire(now, &mut Vec::new());
        }
        let next = 20_000_000;
        let _ = timers.insert(next, waker());
        let until = timers.sleep_until();
        assert!(until > next + 100_000);
        timers.set_sleeper(Sleeper::Driver { until });
        assert_eq!(timers.insert(next + 1, waker()).1, Alarm::None);
        assert_eq!(timers.insert(next - 1, waker()).1, Alarm::None);
        assert_eq!(timers.sleep_until(), until);
        // A deadline that has passed by more than timers are put off.
        assert_eq!(timers.insert(1, waker()).1, Alarm::Driver);
    }

    #[test]
    fn a_timer_keeps_its_waker_after_it_went_off() {
        let mut timers = Timers::new();
        let task = waker();
        let (key, _) = timers.insert(10, task.clone());
        let (mut fired, mut again) = (Vec::new(), Vec::new());
        assert!(!timers.fire(10, &mut fired));
        assert_eq!(fired.len(), 1);
        timers.put_back(&mut fired, &mut again);
        assert!(again.is_empty());
        assert!(is_for(&timers, key, &task));
    }

    #[test]
    fn a_timer_that_goes_off_while_its_waker_is_out_is_woken_again() {
        let mut timers = Timers::new();
        let task = waker();
        let (key, _) = timers.insert(10, task.clone());
        let (mut fired, mut again) = (Vec::new(), Vec::new());
        let _ = timers.fire(10, &mut fired);
        let _ = timers.reschedule(key, 20);
        let _ = timers.fire(20, &mut Vec::new());
        timers.put_back(&mut fired, &mut again);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].waker.data(), task.data());
        fired.clear();
        timers.put_back(&mut again, &mut fired);
        assert!(fired.is_empty());
        assert!(is_for(&timers, key, &task));
        assert!(timers.missed.is_empty());
    }

    #[test]
    fn a_waker_set_while_the_old_one_is_out_stays() {
        let mut timers = Timers::new();
        let (old, new) = (waker(), waker());
        let (key, _) = timers.insert(10, old);
        let (mut fired, mut again) = (Vec::new(), Vec::new());
        let _ = timers.fire(10, &mut fired);
        drop(timers.set_waker(key, new.clone()));
        timers.put_back(&mut fired, &mut again);
        assert!(is_for(&timers, key, &new));
    }

    #[test]
    fn of_two_wakers_that_are_out_the_later_stays_whichever_comes_back_first() {
        let mut timers = Timers::new();
        let (old, new) = (waker(), waker());
        let (key, _) = timers.insert(10, old);
        let (mut first, mut second, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let _ = timers.fire(10, &mut first);
        drop(timers.set_waker(key, new.clone()));
        let _ = timers.reschedule(key, 20);
        let _ = timers.fire(20, &mut second);
        timers.put_back(&mut second, &mut again);
        timers.put_back(&mut first, &mut again);
        assert!(again.is_empty());
        assert!(is_for(&timers, key, &new));
    }

    #[test]
    fn a_timer_removed_while_its_waker_is_out_is_gone() {
        let mut timers = Timers::new();
        let (key, _) = timers.insert(10, waker());
        let (mut fired, mut again) = (Vec::new(), Vec::new());
        let _ = timers.fire(10, &mut fired);
        drop(timers.remove(key));
        timers.put_back(&mut fired, &mut again);
        assert!(again.is_empty());
        assert_eq!(timers.len(), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "thousands of timers: minutes")]
    fn a_storm_is_handed_out_in_parts() {
        let mut timers = Timers::new();
        for _ in 0..2 * BUDGET + 1 {
            let _ = timers.insert(10, Waker::noop().clone());
        }
        let mut parts = Vec::new();
        loop {
            let mut fired = Vec::new();
            let more = timers.fire(10, &mut fired);
            parts.push(fired.len());
            if !more {
                break;
            }
        }
        assert_eq!(parts, [BUDGET, BUDGET, 1]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "thousands of timers: minutes")]
    fn memory_of_many_timers_is_given_back_with_the_last_and_that_of_few_is_kept() {
        let mut timers = Timers::new();
        let mut insert = |count: usize| {
            let keys = (0..count).map(|_| timers.insert(10, Waker::noop().clone()).0);
            let keys: Vec<_> = keys.collect();
            let full = timers.wheel.capacity();
            keys[1..].iter().for_each(|&key| drop(timers.remove(key)));
            let one_left = timers.wheel.capacity();
            drop(timers.remove(keys[0]));
            (full, one_left, timers.wheel.capacity())
        };
        let (full, one_left, empty) = insert(4 * BUDGET);
        assert_eq!((one_left, empty), (full, full));
        let (full, one_left, empty) = insert(4 * BUDGET + 1);
        assert_eq!((one_left, empty), (full, 0));
    }
}
