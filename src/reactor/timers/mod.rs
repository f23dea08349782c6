//! The timers of one shard, and who sleeps until when.
//!
//! Everything here happens under the shard's `timers` lock; no waker is cloned, woken or
//! dropped in it. A waker that is due is *taken out* of its entry, woken by reference outside
//! the lock, and *put back*: the timer's owner may postpone a deadline that has passed without
//! polling again, and is then woken by the waker that polled last. While a waker is out, the
//! entry holds a placeholder.

use std::mem;
use std::task::Waker;

use super::{Round, Settings};
use crate::clock::NEVER;
use crate::sys::Pages;
use crate::wheel::{Counts, Key, Progress, Wheel};

mod coalesce;
mod deferred;
mod key;
#[cfg(feature = "tracing")]
mod late;
mod placeholder;
mod slack;
mod stats;

pub(crate) use coalesce::{Coalescer, LONGEST as LONGEST_DELAY};
use deferred::Deferred;
use key::MOST_WITH_SLACK;
pub(crate) use key::TimerKey;
#[cfg(feature = "tracing")]
use late::LateWatch;
#[cfg(feature = "tracing")]
pub(crate) use late::{Cause, Late};
use placeholder::{placeholder, stamp};
pub(crate) use slack::Slack;
use slack::SlackTimers;
pub(crate) use stats::{BUCKETS, Stats};

/// The most timers that expire at once, by default, so that a storm of them cannot starve I/O.
pub(crate) const BUDGET: usize = 512;

/// The most that expire at once while the thread's tasks have more to do. An executor runs some 200
/// tasks before it lets the thread look after timers. With fewer than that, what is due waits in the
/// wheel instead of the executor's queue, and a task runs while the processor still has its timer's
/// entry and its waker in a near cache.
pub(crate) const SHORT_BUDGET: usize = 128;

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
    key: TimerKey,
    /// The stamp of the placeholder in the entry.
    stamp: usize,
    pub(crate) waker: Waker,
}

#[cfg(feature = "test-util")]
impl Fired {
    /// What tells it from others, by what was added to the shard and removed before: not by the
    /// time, nor by what other shards have done.
    pub(crate) fn key(&self) -> (u64, u64) {
        match self.key.slack() {
            Slack::UNSET => (0, self.key.to_bits()),
            // Numbers of slacks are given by the process.
            slack => (slack.nanos().saturating_add(1), self.key.with_slack().1.to_bits()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Timers {
    /// Those without a slack. Gives back what a burst of timers took while others are left, and
    /// keeps what few need.
    wheel: Wheel<Waker, Pages>,
    /// Deadlines of theirs that the wheel has not been given yet.
    deferred: Deferred,
    /// Those with one, if there was any.
    with_slack: Option<Box<SlackTimers>>,
    sleeper: Sleeper,
    /// For those without a slack.
    coalescer: Coalescer,
    taken: Taken,
    stats: Stats,
    #[cfg(feature = "tracing")]
    late: LateWatch,
    /// The most timers that expire at once.
    budget: usize,
    /// Whether a descriptor is to become readable at the next deadline while nobody drives.
    shows_deadline: bool,
}

/// The stamp of the waker that was taken out last, an even number.
#[derive(Debug, Default)]
struct Taken(usize);

/// What the stamp of a waker that is out is changed by if its timer fires again meanwhile.
const MISSED: usize = 1;

impl Taken {
    /// Takes a timer's waker out.
    fn take(&mut self, key: TimerKey, registered: &mut Waker, fired: &mut Vec<Fired>) {
        if let Some(stamp) = stamp(registered) {
            // It is out already, and whoever took it looks here when putting it back. That
            // is noted in the entry itself, once, and goes with it.
            *registered = placeholder(stamp | MISSED);
            return;
        }
        self.0 = self.0.wrapping_add(2);
        let waker = mem::replace(registered, placeholder(self.0));
        fired.push(Fired { key, stamp: self.0, waker });
    }
}

impl Timers {
    pub(crate) fn new(settings: &Settings) -> Timers {
        Timers {
            wheel: Wheel::giving_back(),
            deferred: Deferred::NONE,
            with_slack: None,
            sleeper: Sleeper::Nobody,
            coalescer: Coalescer::new(settings.coalescing_bound),
            taken: Taken::default(),
            stats: Stats::default(),
            #[cfg(feature = "tracing")]
            late: LateWatch::new(settings.late_threshold),
            budget: settings.expiry_budget,
            shows_deadline: false,
        }
    }

    /// Returns new timers to replace these. A waker that is still out, of a timer that is gone,
    /// finds no placeholder with its stamp there.
    #[cfg(feature = "test-util")]
    pub(crate) fn renewed(&self, settings: &Settings) -> Timers {
        Timers { taken: Taken(self.taken.0), ..Timers::new(settings) }
    }

    /// Adds a timer.
    #[inline(always)]
    pub(crate) fn insert(
        &mut self,
        deadline: u64,
        slack: Slack,
        waker: Waker,
    ) -> (TimerKey, WakeTarget) {
        if slack != Slack::UNSET {
            return self.insert_with_slack(deadline, slack, waker);
        }
        let key = TimerKey::new(slack, self.wheel.insert(deadline, waker));
        (key, self.wake_target(deadline))
    }

    #[cold]
    fn insert_with_slack(
        &mut self,
        deadline: u64,
        slack: Slack,
        waker: Waker,
    ) -> (TimerKey, WakeTarget) {
        let bound = self.coalescer.bound();
        let (wheel, nanos) = self.with_slack.get_or_insert_default().make_wheel(slack, bound);
        if wheel.len() >= MOST_WITH_SLACK {
            return self.insert(deadline, Slack::UNSET, waker);
        }
        let key = TimerKey::new(slack, wheel.insert(deadline, waker));
        (key, self.wake_target_at_limit(deadline.saturating_add(nanos)))
    }

    /// Gives a timer another deadline; it keeps its waker.
    #[inline]
    pub(crate) fn reschedule(&mut self, key: TimerKey, deadline: u64) -> WakeTarget {
        let Some(plain) = key.without_slack() else {
            return self.reschedule_with_slack(key, deadline);
        };
        let target = self.wake_target(deadline);
        // Whoever is woken will look at the deadlines at once.
        let may_wait = target == WakeTarget::None && self.wheel.len() >= deferred::FROM;
        if !may_wait || !self.deferred.defer(plain, deadline) {
            self.reschedule_at_once(plain, deadline);
        }
        target
    }

    #[inline(never)]
    fn reschedule_at_once(&mut self, key: Key, deadline: u64) {
        self.settled().reschedule(key, deadline);
        if self.wheel.len() >= deferred::FROM {
            self.deferred.make_room();
        }
    }

    #[cold]
    fn reschedule_with_slack(&mut self, key: TimerKey, deadline: u64) -> WakeTarget {
        let (slack, key) = key.with_slack();
        let wheel = self.with_slack.as_mut().and_then(|timers| timers.wheel_mut(slack));
        if wheel.is_some_and(|wheel| wheel.reschedule(key, deadline)) {
            self.wake_target_at_limit(deadline.saturating_add(slack.nanos()))
        } else {
            WakeTarget::None
        }
    }

    /// Schedules a timer for a deadline unless it is.
    #[inline]
    pub(crate) fn ensure(&mut self, key: TimerKey, deadline: u64) -> WakeTarget {
        let scheduled = match key.without_slack() {
            Some(plain) => self.settled().deadline(plain),
            None => self.deadline_with_slack(key),
        };
        if scheduled == Some(deadline) {
            return WakeTarget::None;
        }
        self.reschedule(key, deadline)
    }

    #[cold]
    fn deadline_with_slack(&self, key: TimerKey) -> Option<u64> {
        let (wheel, key) = self.wheel_of(key)?;
        wheel.deadline(key)
    }

    /// Returns `true` if a timer has a deadline at which it has not fired yet.
    pub(crate) fn is_scheduled(&mut self, key: TimerKey) -> bool {
        self.settled();
        self.wheel_of(key).is_some_and(|(wheel, key)| wheel.deadline(key).is_some())
    }

    /// Takes a timer's deadline away; it keeps its waker.
    pub(crate) fn unschedule(&mut self, key: TimerKey) {
        self.settled();
        if let Some((wheel, key)) = self.wheel_of_mut(key) {
            wheel.unschedule(key);
        }
    }

    /// Takes a timer out. The caller drops the waker outside the lock.
    #[inline(always)]
    #[must_use]
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        match key.without_slack() {
            Some(plain) => self.wheel.remove(plain),
            None => self.remove_with_slack(key),
        }
    }

    #[cold]
    fn remove_with_slack(&mut self, key: TimerKey) -> Option<Waker> {
        let (wheel, key) = self.wheel_of_mut(key)?;
        wheel.remove(key)
    }

    /// Returns the wheel of the timers without a slack once it has all their deadlines.
    #[inline]
    fn settled(&mut self) -> &mut Wheel<Waker, Pages> {
        self.deferred.settle(&mut self.wheel);
        &mut self.wheel
    }

    /// Returns the wheel that a timer is in, and its key there.
    #[inline]
    fn wheel_of(&self, key: TimerKey) -> Option<(&Wheel<Waker, Pages>, Key)> {
        if let Some(key) = key.without_slack() {
            return Some((&self.wheel, key));
        }
        let (slack, key) = key.with_slack();
        Some((self.with_slack.as_ref()?.wheel(slack)?, key))
    }

    #[inline]
    fn wheel_of_mut(&mut self, key: TimerKey) -> Option<(&mut Wheel<Waker, Pages>, Key)> {
        if let Some(key) = key.without_slack() {
            return Some((&mut self.wheel, key));
        }
        let (slack, key) = key.with_slack();
        Some((self.with_slack.as_mut()?.wheel_mut(slack)?, key))
    }

    #[inline]
    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        let (wheel, key) = self.wheel_of_mut(key)?;
        wheel.get_mut(key)
    }

    /// Returns `true` if a timer is to wake this waker when it fires.
    #[inline]
    pub(crate) fn will_wake(&self, key: TimerKey, waker: &Waker) -> bool {
        let registered = match key.without_slack() {
            Some(plain) => self.wheel.get(plain),
            None => self.waker_with_slack(key),
        };
        registered.is_some_and(|registered| registered.will_wake(waker))
    }

    #[cold]
    fn waker_with_slack(&self, key: TimerKey) -> Option<&Waker> {
        let (wheel, key) = self.wheel_of(key)?;
        wheel.get(key)
    }

    /// Gives a timer another waker and returns the old one, to be dropped outside the lock.
    #[must_use]
    pub(crate) fn set_waker(&mut self, key: TimerKey, waker: Waker) -> Option<Waker> {
        match self.waker_mut(key) {
            Some(registered) => Some(mem::replace(registered, waker)),
            None => Some(waker),
        }
    }

    /// Returns the thread to wake because of a deadline that has just come in, if it is earlier
    /// than what the sleeper counts on. It is woken once only.
    fn wake_target(&mut self, deadline: u64) -> WakeTarget {
        // Where timers are dense, a sleep for this one would last as long.
        self.wake_target_at_limit(self.coalescer.coalesced(deadline))
    }

    /// The same for the last moment at which a timer may fire.
    fn wake_target_at_limit(&mut self, limit: u64) -> WakeTarget {
        let (until, target) = match self.sleeper {
            Sleeper::Nobody => return WakeTarget::None,
            Sleeper::Driver { until } => (until, WakeTarget::Driver),
            Sleeper::Fallback { until } => (until, WakeTarget::Fallback),
        };
        if limit >= until {
            self.stats.not_notified = self.stats.not_notified.wrapping_add(1);
            return WakeTarget::None;
        }
        self.stats.notified = self.stats.notified.wrapping_add(1);
        self.sleeper = Sleeper::Nobody;
        target
    }

    /// Takes the wakers of due timers out, but not of those that wait to be coalesced. Returns `true`
    /// if there may be more.
    pub(crate) fn fire(&mut self, now: u64, fired: &mut Vec<Fired>) -> bool {
        self.fire_at_most(self.budget, now, fired)
    }

    /// The same for no more than a [short budget](SHORT_BUDGET).
    pub(crate) fn fire_few(&mut self, now: u64, fired: &mut Vec<Fired>) -> bool {
        self.fire_at_most(self.budget.min(SHORT_BUDGET), now, fired)
    }

    #[inline(always)]
    fn fire_at_most(&mut self, budget: usize, now: u64, fired: &mut Vec<Fired>) -> bool {
        self.settled();
        let Timers { wheel, with_slack, coalescer, taken, stats, .. } = self;
        // By when the first of them should have fired.
        #[cfg(feature = "tracing")]
        let mut limit = NEVER;
        // Those with a slack first: among them are the exact ones. They leave half of the budget to
        // the others.
        let (before, more) = with_slack.as_mut().map_or((0, false), |timers| {
            timers.fire(now, budget / 2, |slack, key, deadline, registered| {
                stats.fired(now.saturating_sub(deadline));
                #[cfg(feature = "tracing")]
                (limit = limit.min(deadline.saturating_add(slack.nanos())));
                taken.take(TimerKey::new(slack, key), registered, fired);
            })
        });
        let mut progress = Progress::default();
        if !coalescer.holds(wheel.next_deadline(), now) {
            #[cfg(feature = "tracing")]
            let mut earliest = NEVER;
            progress = wheel.fire(now, budget - before, |key, deadline, registered| {
                stats.fired(now.saturating_sub(deadline));
                #[cfg(feature = "tracing")]
                (earliest = earliest.min(deadline));
                taken.take(TimerKey::new(Slack::UNSET, key), registered, fired);
            });
            #[cfg(feature = "tracing")]
            (limit = limit.min(coalescer.coalesced(earliest)));
            coalescer.fired(now, progress.expired, progress.more);
        }
        #[cfg(feature = "tracing")]
        self.late.fired(now, limit, progress.more || more);
        progress.more || more
    }

    /// Notes that the driver goes to sleep in the poller.
    pub(crate) fn note_sleep(&mut self) {
        #[cfg(feature = "tracing")]
        self.late.sleeps();
    }

    /// Notes that the driver is about to leave the seat.
    pub(crate) fn note_end(&mut self) {
        #[cfg(feature = "tracing")]
        self.late.leaves();
    }

    /// Takes what is to be reported of timers that fired too late.
    #[cfg(feature = "tracing")]
    pub(crate) fn take_late(&mut self) -> Option<Late> {
        self.late.take()
    }

    /// Puts wakers back that were woken. What is left in `fired` has to be dropped outside the
    /// lock; what moves to `again` fired once more meanwhile and has to be woken again.
    ///
    /// A waker goes back only where its own placeholder still is. If the timer is gone, or the
    /// task has polled again meanwhile and left another waker, nobody wants it any more.
    pub(crate) fn put_back(&mut self, fired: &mut [Fired], again: &mut Vec<Fired>) {
        for Fired { key, stamp: out, waker } in fired.iter_mut() {
            let Some(registered) = self.waker_mut(*key) else { continue };
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
    pub(crate) fn next_deadline(&mut self) -> u64 {
        let next = self.settled().next_deadline().unwrap_or(NEVER);
        self.with_slack.as_ref().map_or(next, |timers| next.min(timers.next_deadline()))
    }

    /// Until when a sleep may last, or [`NEVER`]: until the earliest deadline, or where timers
    /// are dense, the next point of their grid; and until the first slack ends.
    pub(crate) fn sleep_until(&mut self) -> u64 {
        let until =
            self.settled().next_deadline().map_or(NEVER, |next| self.coalescer.coalesced(next));
        self.with_slack.as_ref().map_or(until, |timers| until.min(timers.next_limit()))
    }

    pub(crate) fn sleeper(&self) -> Sleeper {
        self.sleeper
    }

    /// Writes down who sleeps until when.
    pub(crate) fn set_sleeper(&mut self, sleeper: Sleeper) {
        self.sleeper = sleeper;
    }

    /// Returns `true` if a descriptor is to become readable at the next deadline.
    pub(crate) fn shows_deadline(&self) -> bool {
        self.shows_deadline
    }

    /// Lets a descriptor become readable at each next deadline while nobody drives, from now on.
    pub(crate) fn show_deadlines(&mut self) {
        self.shows_deadline = true;
    }

    /// Notes a round of the driver.
    pub(crate) fn note_round(&mut self, round: Round) {
        self.stats.round(round);
    }

    /// Returns what was done to the wheels, and what else there is to report.
    pub(crate) fn stats(&mut self) -> (Counts, Stats) {
        let mut counts = self.settled().counts();
        if let Some(timers) = &self.with_slack {
            counts.add(timers.counts());
        }
        (counts, self.stats)
    }

    pub(crate) fn len(&self) -> usize {
        self.wheel.len() + self.with_slack.as_ref().map_or(0, |timers| timers.len())
    }
}

#[cfg(test)]
mod bound_tests;
#[cfg(test)]
mod tests;
