//! One shard: a poller, a wheel, the sources registered here, and the succession of drivers.
//!
//! `drive` has what the driver does, `sources` the table of sources.
//!
//! # Sleeping without being notified at each insert
//!
//! The driver writes down, under the `timers` lock, until when it will sleep. An insert under the
//! same lock sees that and unparks the driver only if its deadline is earlier. Before the driver
//! has written, the insert comes first and is seen by it; after, the notification stays in the
//! poller until the wait finds it.
//!
//! Locks: `sources` may be held while a source's own lock is taken; `timers` is held alone. No
//! guard of either leaves the shard.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use super::Settings;
use super::batch::Batch;
use super::source::{Place, Source};
use super::timers::{Fired, Slack, Sleeper, Stats, TimerKey, Timers, WakeTarget};
use crate::handoff::{Busy, Driven, Driving, Succession, Unparker};
use crate::sync::{Mutex, Ref};
use crate::sys::{Identity, Poller, Polls, Registration, fork_generation};
use crate::wheel::Counts;

mod drive;
#[cfg(feature = "test-util")]
mod paused;
mod sources;

pub(crate) use sources::SourceTotals;
use sources::Sources;

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Shard {
    /// Which shard this is: its key in the fallback's poller.
    index: usize,
    /// The fork generation of the process that made this.
    generation: usize,
    poller: Ref<Poller>,
    succession: Succession,
    /// Whether the fallback thread services it when nobody drives.
    has_fallback: bool,
    timers: Mutex<Timers>,
    sources: Mutex<Sources>,
    /// Whether it was for a pause that is over: nobody drives it. Changed under the lock of
    /// `timers`.
    #[cfg(feature = "test-util")]
    closed: std::sync::atomic::AtomicBool,
}

impl Driven for Shard {
    fn succession(&self) -> &Succession {
        &self.succession
    }
}

// Its locks are never poisoned: what they guard is whole whenever user code runs.
impl std::panic::RefUnwindSafe for Shard {}

impl Shard {
    pub(crate) fn new(
        index: usize,
        poller: Ref<Poller>,
        fallback: Ref<Unparker>,
        settings: &Settings,
    ) -> Shard {
        Shard {
            index,
            generation: fork_generation(),
            poller,
            succession: Succession::new(fallback),
            has_fallback: settings.has_fallback,
            timers: Mutex::new(Timers::new(settings)),
            sources: Mutex::new(Sources::default()),
            #[cfg(feature = "test-util")]
            closed: std::sync::atomic::AtomicBool::new(false),
        }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Returns `true` if this is a shard of the process that this one was forked from. Then nothing
    /// may be touched: neither the poller, which is the parent's too, nor a lock, whose holder may
    /// not exist here.
    pub(crate) fn is_from_parent(&self) -> bool {
        self.generation != fork_generation()
    }

    /// # Panics
    ///
    /// In the child of a fork, if the shard is the parent's.
    pub(crate) fn assert_not_from_parent(&self) {
        assert!(
            !self.is_from_parent(),
            "the process was forked inside block_on: the child cannot go on with that call",
        );
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    pub(crate) fn poller_ref(&self) -> Ref<Poller> {
        self.poller.clone()
    }

    pub(crate) fn succession(&self) -> &Succession {
        &self.succession
    }

    // Timers.

    /// Adds a timer, and unparks the sleeper if it has to know.
    #[inline]
    pub(crate) fn insert_timer(&self, deadline: u64, slack: Slack, waker: Waker) -> TimerKey {
        if slack != Slack::UNSET {
            return self.insert_timer_with_slack(deadline, slack, waker);
        }
        let (key, target) = self.timers.lock().insert(deadline, Slack::UNSET, waker);
        self.unpark(target);
        key
    }

    #[cold]
    fn insert_timer_with_slack(&self, deadline: u64, slack: Slack, waker: Waker) -> TimerKey {
        let (key, target) = self.timers.lock().insert(deadline, slack, waker);
        self.unpark(target);
        key
    }

    /// Gives a timer another deadline, and unparks the sleeper if it has to know.
    pub(crate) fn reschedule_timer(&self, key: TimerKey, deadline: u64) {
        if key.has_slack() {
            return self.reschedule_timer_with_slack(key, deadline);
        }
        let target = self.timers.lock().reschedule(key, deadline);
        self.unpark(target);
    }

    #[cold]
    fn reschedule_timer_with_slack(&self, key: TimerKey, deadline: u64) {
        let target = self.timers.lock().reschedule(key, deadline);
        self.unpark(target);
    }

    /// Takes a timer's deadline away; it keeps its waker.
    pub(crate) fn unschedule_timer(&self, key: TimerKey) {
        self.timers.lock().unschedule(key);
    }

    /// Returns `true` if a timer has a deadline at which it has not fired yet.
    pub(crate) fn is_timer_scheduled(&self, key: TimerKey) -> bool {
        self.timers.lock().is_scheduled(key)
    }

    /// Schedules a timer for a deadline, unless it is already, with this waker.
    pub(crate) fn refresh_timer(&self, key: TimerKey, deadline: u64, waker: &Waker) {
        let mut timers = self.timers.lock();
        if timers.will_wake(key, waker) {
            let target = timers.ensure(key, deadline);
            drop(timers);
            return self.unpark(target);
        }
        // Cloned without the lock: that is the task's code.
        drop(timers);
        let waker = waker.clone();
        if self.is_from_parent() {
            // It forked: the task is to poll again, and finds that the entry is the parent's.
            return waker.wake();
        }
        let mut timers = self.timers.lock();
        let replaced = timers.set_waker(key, waker);
        let target = timers.ensure(key, deadline);
        drop(timers);
        self.unpark(target);
        drop(replaced);
    }

    /// Takes a timer out.
    pub(crate) fn remove_timer(&self, key: TimerKey) {
        let waker = self.timers.lock().remove(key);
        drop(waker);
    }

    /// Puts wakers back that were woken: see [`Timers::put_back`].
    pub(super) fn put_back(&self, fired: &mut [Fired], again: &mut Vec<Fired>) {
        self.timers.lock().put_back(fired, again);
    }

    /// Returns how many timers have an entry.
    pub(crate) fn timer_count(&self) -> usize {
        self.timers.lock().len()
    }

    /// Returns what was done to the timers, and what else there is to report of them and of rounds.
    pub(crate) fn timer_stats(&self) -> (Counts, Stats) {
        self.timers.lock().stats()
    }

    /// For tests, which look at what only the driver does.
    #[cfg(test)]
    pub(crate) fn with_timers<R>(&self, look: impl FnOnce(&mut Timers) -> R) -> R {
        look(&mut self.timers.lock())
    }

    #[inline]
    fn unpark(&self, target: WakeTarget) {
        #[cfg(feature = "test-util")]
        if self.is_closed() {
            return self.wake_timers();
        }
        match target {
            WakeTarget::None => {}
            WakeTarget::Driver => self.poller.notify(),
            WakeTarget::Fallback => self.succession.fallback().unpark(),
        }
    }

    // Sources.

    /// Registers a source, with no interest yet.
    pub(crate) fn register(
        shard: &Ref<Shard>,
        registration: Registration,
    ) -> io::Result<Arc<Source>> {
        let source = Arc::new(Source::new(registration, Identity::UNKNOWN));
        let place = Shard::place(shard, &source);
        if let Err(error) = source.registration().add(&shard.poller, place.key, [false; 2]) {
            shard.forget(place.key);
            return Err(error);
        }
        source.settle(place);
        Ok(source)
    }

    /// Registers a source whose number another one was registered by: in the same shard, whose
    /// poller judges whether the number has a new owner; or here, if that one is not registered
    /// yet. If it has, the other one is stale, and the wakers of those who wait for it go to
    /// `wakers`. `false`: the other one has moved in the meantime.
    pub(super) fn register_successor(
        here: &Ref<Shard>,
        predecessor: &Source,
        source: &Arc<Source>,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<bool> {
        let old = predecessor.place();
        if old.is_none() && predecessor.has_its_number() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let shard = old.as_ref().map_or(here, |old| &old.shard);
        let new = Shard::place(shard, source);
        let add = || source.registration().add(&shard.poller, new.key, [false; 2]);
        let succeeded = predecessor.succeed(old.as_ref(), wakers, |is_still| match add() {
            // It has registered the number when that was not its own any more.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !is_still() => {
                source.registration().delete(&shard.poller)?;
                add()
            }
            result => result,
        });
        if !matches!(succeeded, Ok(true)) {
            shard.forget(new.key);
            return succeeded;
        }
        source.settle(new);
        if let Some(old) = old {
            old.shard.forget(old.key);
        }
        Ok(true)
    }

    /// Ends a source's registration, here, where it has a key.
    pub(crate) fn deregister(&self, source: &Source, key: usize) -> io::Result<()> {
        self.forget(key);
        source.registration().delete(&self.poller)
    }

    /// Makes a place here for a source that is about to be registered.
    pub(super) fn place(shard: &Ref<Shard>, source: &Arc<Source>) -> Place {
        let key = shard.sources.lock().insert(source);
        Place { shard: shard.clone(), key }
    }

    /// Takes a source out of the table and leaves the poller as it is.
    pub(super) fn forget(&self, key: usize) {
        let removed = self.sources.lock().remove(key);
        drop(removed);
    }

    /// Counts a source that has moved here from another shard.
    pub(super) fn note_migration(&self) {
        let mut sources = self.sources.lock();
        sources.totals.migrations = sources.totals.migrations.wrapping_add(1);
    }

    /// Returns how many sources are registered.
    pub(crate) fn source_count(&self) -> usize {
        self.sources.lock().len()
    }

    /// Returns what has happened to sources so far.
    pub(crate) fn source_totals(&self) -> SourceTotals {
        self.sources.lock().totals
    }

    // Driving.

    /// Acquires the seat. For `block_on` threads.
    pub(crate) fn try_acquire(&self) -> Result<Driving<'_, Shard>, Busy> {
        Driving::try_acquire(self)
    }

    /// Acquires the seat, to release it on request. For the fallback.
    pub(crate) fn try_acquire_preemptible(&self) -> Option<Driving<'_, Shard>> {
        Driving::try_acquire_preemptible(self)
    }

    /// Runs a short round without sleeping, and wakes its tasks, if the seat is vacant. For
    /// `block_on` threads whose future has more to do.
    pub(crate) fn run_round_if_vacant(&self, batch: &mut Batch) {
        if let Ok(driving) = self.try_acquire() {
            driving.run_short_round(batch);
            driving.leave();
            batch.wake(self);
        }
    }

    /// Promotes the next follower if nobody drives and there is no fallback thread. For a follower
    /// that was unparked: it cannot tell whether it was promoted or its own waker was woken, and
    /// polls its future before it drives.
    pub(crate) fn pass_on(&self) {
        if !self.has_fallback {
            self.succession.promote();
        }
    }

    /// Ends the `drive` calls that sleep or follow, and the next one of each other thread.
    pub(crate) fn notify(&self) {
        // First: another driver may take the poller's part.
        self.succession.note_notification();
        self.poller.notify();
        self.succession.wake_followers();
    }

    /// Returns until when nothing is due, or [`NEVER`](crate::clock::NEVER).
    pub(crate) fn idle_until(&self) -> u64 {
        self.timers.lock().sleep_until()
    }

    /// Lets the poller become ready at each next deadline while nobody drives, from now on, if
    /// there is no fallback thread, which would be woken instead.
    #[cfg(unix)]
    pub(crate) fn show_deadlines(&self) {
        if self.has_fallback {
            return;
        }
        self.timers.lock().show_deadlines();
        match self.try_acquire() {
            Ok(driving) => driving.step_back(),
            // Its driver shows the next one when it leaves, unless it is about to have left. Then
            // the notification stays, and whoever hears of it drives.
            Err(_) => self.poller.notify(),
        }
    }

    /// Returns until when the fallback may sleep, if the shard is as
    /// [`arm_and_release_watched`](Driving::arm_and_release_watched) left it.
    pub(crate) fn watched_until(&self) -> Option<u64> {
        if !self.succession.is_vacant_and_watched() {
            return None;
        }
        match self.timers.lock().sleeper() {
            Sleeper::Fallback { until } => Some(until),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod timer_tests;
