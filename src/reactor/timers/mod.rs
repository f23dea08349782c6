//! The timers of one shard, and who sleeps until when.
//!
//! Everything here happens under the shard's `timers` lock; no waker is cloned, woken or
//! dropped in it. A waker that is due is *taken out* of its entry, woken by reference outside
//! the lock, and *put back*: the timer's owner may postpone a deadline that has passed without
//! polling again, and is then woken by the waker that polled last. While a waker is out, the
//! entry holds a placeholder.

use std::mem;
use std::task::Waker;

use crate::clock::NEVER;
use crate::sys::Pages;
use crate::wheel::{Key, Wheel};

mod coalesce;
mod placeholder;

use coalesce::Coalescer;
use placeholder::{placeholder, stamp};

/// The most timers that expire at once, so that a storm of them cannot starve I/O.
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

/// The thread that an insert has to wake, outside the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum WakeTarget {
    None,
    Driver,
    Fallback,
}

/// A timer that fired: its waker is out.
#[derive(Debug)]
pub(crate) struct Fired {
    key: Key,
    /// The stamp of the placeholder in the entry.
    stamp: usize,
    pub(crate) waker: Waker,
}

#[derive(Debug)]
pub(crate) struct Timers {
    /// Gives back what a burst of timers took while others are left, and keeps what few need.
    wheel: Wheel<Waker, Pages>,
    sleeper: Sleeper,
    coalescer: Coalescer,
    /// The stamp of the waker that was taken out last, an even number.
    taken: usize,
}

/// What the stamp of a waker that is out is changed by if its timer fires again meanwhile.
const MISSED: usize = 1;

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            wheel: Wheel::giving_back(),
            sleeper: Sleeper::Nobody,
            coalescer: Coalescer::default(),
            taken: 0,
        }
    }

    /// Adds a timer.
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> (Key, WakeTarget) {
        let key = self.wheel.insert(deadline, waker);
        (key, self.wake_target(deadline))
    }

    /// Gives a timer another deadline; it keeps its waker.
    pub(crate) fn reschedule(&mut self, key: Key, deadline: u64) -> WakeTarget {
        if self.wheel.reschedule(key, deadline) {
            self.wake_target(deadline)
        } else {
            WakeTarget::None
        }
    }

    /// Schedules a timer for a deadline unless it is.
    pub(crate) fn ensure(&mut self, key: Key, deadline: u64) -> WakeTarget {
        if self.wheel.deadline(key) == Some(deadline) {
            return WakeTarget::None;
        }
        self.reschedule(key, deadline)
    }

    /// Returns `true` if a timer has a deadline at which it has not fired yet.
    pub(crate) fn is_scheduled(&self, key: Key) -> bool {
        self.wheel.deadline(key).is_some()
    }

    /// Takes a timer's deadline away; it keeps its waker.
    pub(crate) fn unschedule(&mut self, key: Key) {
        self.wheel.unschedule(key);
    }

    /// Takes a timer out. The caller drops the waker outside the lock.
    #[must_use]
    pub(crate) fn remove(&mut self, key: Key) -> Option<Waker> {
        self.wheel.remove(key)
    }

    /// Returns `true` if a timer is to wake this waker when it fires.
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

    /// Returns the thread to wake because of a deadline that has just come in, if it is earlier
    /// than what the sleeper counts on. It is woken once only.
    fn wake_target(&mut self, deadline: u64) -> WakeTarget {
        let (until, target) = match self.sleeper {
            Sleeper::Nobody => return WakeTarget::None,
            Sleeper::Driver { until } => (until, WakeTarget::Driver),
            Sleeper::Fallback { until } => (until, WakeTarget::Fallback),
        };
        // Where timers are dense, a sleep for this one would last as long.
        if self.coalescer.coalesced(deadline) >= until {
            return WakeTarget::None;
        }
        self.sleeper = Sleeper::Nobody;
        target
    }

    /// Takes the wakers of due timers out. Returns `true` if there may be more.
    pub(crate) fn fire(&mut self, now: u64, fired: &mut Vec<Fired>) -> bool {
        let Timers { wheel, coalescer, taken, .. } = self;
        let progress = wheel.fire(now, BUDGET, |key, _, registered| {
            if let Some(stamp) = stamp(registered) {
                // It is out already, and whoever took it looks here when putting it back. That
                // is noted in the entry itself, once, and goes with it.
                *registered = placeholder(stamp | MISSED);
                return;
            }
            *taken = taken.wrapping_add(2);
            let waker = mem::replace(registered, placeholder(*taken));
            fired.push(Fired { key, stamp: *taken, waker });
        });
        coalescer.fired(now, progress.expired);
        progress.more
    }

    /// Puts wakers back that were woken. What is left in `fired` has to be dropped outside the
    /// lock; what moves to `again` fired once more meanwhile and has to be woken again.
    ///
    /// A waker goes back only where its own placeholder still is. If the timer is gone, or the
    /// task has polled again meanwhile and left another waker, nobody wants it any more.
    pub(crate) fn put_back(&mut self, fired: &mut [Fired], again: &mut Vec<Fired>) {
        for Fired { key, stamp: out, waker } in fired.iter_mut() {
            let Some(registered) = self.wheel.get_mut(*key) else { continue };
            match stamp(registered) {
                Some(stamp) if stamp == *out => mem::swap(registered, waker),
                Some(stamp) if stamp == *out | MISSED => {
                    *registered = placeholder(*out);
                    let waker = mem::replace(waker, placeholder(*out));
                    again.push(Fired { key: *key, stamp: *out, waker });
                }
                _ => {}
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
        self.wheel.next_deadline().map_or(NEVER, |next| self.coalescer.coalesced(next))
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

    /// Returns `true` if two wakers wake the same task. `will_wake` may say no where that is so: it
    /// also compares the tables, of which there may be several.
    fn is_same(waker: &Waker, other: &Waker) -> bool {
        waker.data() == other.data()
    }

    /// Returns `true` if a timer is to wake this waker when it fires.
    fn is_registered(timers: &Timers, key: Key, waker: &Waker) -> bool {
        timers.wheel.get(key).is_some_and(|registered| is_same(registered, waker))
    }

    /// Returns timers of which one has fired, so that its waker is out.
    fn one_fired(waker: Waker) -> (Timers, Key, Vec<Fired>) {
        let (mut timers, mut fired) = (Timers::new(), Vec::new());
        let (key, _) = timers.insert(10, waker);
        assert!(!timers.fire(10, &mut fired));
        assert_eq!(fired.len(), 1);
        (timers, key, fired)
    }

    /// Puts wakers back, and returns those that have to be woken again.
    fn put_back(timers: &mut Timers, mut fired: Vec<Fired>) -> Vec<Fired> {
        let mut again = Vec::new();
        timers.put_back(&mut fired, &mut again);
        again
    }

    #[test]
    fn earlier_deadline_wakes_sleeper_once() {
        let mut timers = Timers::new();
        timers.set_sleeper(Sleeper::Driver { until: 100 });
        assert_eq!(timers.insert(100, waker()).1, WakeTarget::None);
        assert_eq!(timers.insert(99, waker()).1, WakeTarget::Driver);
        assert_eq!(timers.insert(98, waker()).1, WakeTarget::None);
        timers.set_sleeper(Sleeper::Fallback { until: NEVER });
        assert_eq!(timers.insert(1_000, waker()).1, WakeTarget::Fallback);
    }

    #[test]
    #[cfg_attr(miri, ignore = "a thousand rounds: minutes")]
    fn coalesced_deadline_does_not_wake_sleeper() {
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
        assert_eq!(timers.insert(next + 1, waker()).1, WakeTarget::None);
        assert_eq!(timers.insert(next - 1, waker()).1, WakeTarget::None);
        assert_eq!(timers.sleep_until(), until);
        // A deadline that has passed by more than timers are delayed.
        assert_eq!(timers.insert(1, waker()).1, WakeTarget::Driver);
    }

    #[test]
    fn fired_timer_keeps_its_waker() {
        let task = waker();
        let (mut timers, key, fired) = one_fired(task.clone());
        assert!(put_back(&mut timers, fired).is_empty());
        assert!(is_registered(&timers, key, &task));
    }

    #[test]
    fn timer_firing_while_waker_is_out_wakes_again() {
        let task = waker();
        let (mut timers, key, fired) = one_fired(task.clone());
        let _ = timers.reschedule(key, 20);
        let _ = timers.fire(20, &mut Vec::new());
        let again = put_back(&mut timers, fired);
        assert_eq!(again.len(), 1);
        assert!(is_same(&again[0].waker, &task));
        assert!(put_back(&mut timers, again).is_empty());
        assert!(is_registered(&timers, key, &task));
    }

    #[test]
    fn waker_set_while_old_is_out_stays() {
        let new = waker();
        let (mut timers, key, fired) = one_fired(waker());
        drop(timers.set_waker(key, new.clone()));
        let _ = put_back(&mut timers, fired);
        assert!(is_registered(&timers, key, &new));
    }

    /// Of two wakers that are out, whichever comes back first.
    #[test]
    fn later_of_two_wakers_out_stays() {
        let (new, mut second) = (waker(), Vec::new());
        let (mut timers, key, first) = one_fired(waker());
        drop(timers.set_waker(key, new.clone()));
        let _ = timers.reschedule(key, 20);
        let _ = timers.fire(20, &mut second);
        assert!(put_back(&mut timers, second).is_empty());
        assert!(put_back(&mut timers, first).is_empty());
        assert!(is_registered(&timers, key, &new));
    }

    #[test]
    fn timer_removed_while_waker_out_is_gone() {
        let (mut timers, key, fired) = one_fired(waker());
        drop(timers.remove(key));
        assert!(put_back(&mut timers, fired).is_empty());
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

    /// However often it fires while its waker is out, there is one wake more, and then none.
    #[test]
    fn firing_twice_while_out_is_noted_once() {
        let (mut timers, key, fired) = one_fired(waker());
        for deadline in [20, 30, 40] {
            let _ = timers.reschedule(key, deadline);
            let mut none = Vec::new();
            let _ = timers.fire(deadline, &mut none);
            assert!(none.is_empty());
        }
        let again = put_back(&mut timers, fired);
        assert_eq!(again.len(), 1);
        assert!(put_back(&mut timers, again).is_empty());
        // Nothing is left of it for the next time.
        let _ = timers.reschedule(key, 50);
        let mut fired = Vec::new();
        let _ = timers.fire(50, &mut fired);
        assert!(put_back(&mut timers, fired).is_empty());
    }

    /// What one timer missed is not told to its successor, nor to a waker that came later.
    #[test]
    fn missed_wake_of_a_replaced_waker_is_forgotten() {
        for is_removed in [false, true] {
            let (mut timers, key, fired) = one_fired(waker());
            let _ = timers.reschedule(key, 20);
            let _ = timers.fire(20, &mut Vec::new());
            let new = waker();
            let key = if is_removed {
                drop(timers.remove(key));
                timers.insert(30, new.clone()).0
            } else {
                drop(timers.set_waker(key, new.clone()));
                key
            };
            assert!(put_back(&mut timers, fired).is_empty());
            assert!(is_registered(&timers, key, &new));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "four hundred thousand timers: minutes")]
    fn memory_is_given_back_to_two_blocks() {
        let mut timers = Timers::new();
        let mut capacities = |count: usize| {
            let keys = (0..count).map(|_| timers.insert(10, Waker::noop().clone()).0);
            let keys: Vec<_> = keys.collect();
            let full = timers.wheel.capacity();
            keys[1..].iter().for_each(|&key| drop(timers.remove(key)));
            let one_left = timers.wheel.capacity();
            drop(timers.remove(keys[0]));
            (full, one_left, timers.wheel.capacity())
        };
        assert_eq!(capacities(4 * BUDGET), (4 * BUDGET, 4 * BUDGET, 4 * BUDGET));
        let (full, one_left, empty) = capacities(400 * BUDGET);
        assert_eq!((full, one_left, empty), (400 * BUDGET, 8 * BUDGET, 4 * BUDGET));
    }
}
