//! A shard for those whose time is paused: what its drivers do, and what becomes of it.
//!
//! It has a poller and wheels like any other, and is none of the reactor's: neither the fallback
//! nor a thread at home elsewhere ever drives it. Timers fire at their deadlines by the manual
//! clock; slack and coalescing, which save wake-ups, delay none of them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Shard;
use crate::clock::{self, NEVER};
use crate::handoff::{Driving, Unparker};
use crate::reactor::order::Order;
use crate::reactor::timers::Sleeper;
use crate::reactor::{Batch, Settings};
use crate::sync::{self, Mutex, Ref};
use crate::sys::{Poller, Polls, Until};

/// The index of the first such shard. The reactor's are far below it.
const FIRST: usize = usize::MAX / 2;

impl Shard {
    /// Makes a shard that is none of the reactor's.
    pub(crate) fn for_pauses() -> io::Result<Ref<Shard>> {
        static NEXT: AtomicUsize = AtomicUsize::new(FIRST);
        let poller = sync::share(Poller::new()?);
        // Nobody is parked on it.
        let fallback = sync::share(Unparker::new(poller.clone()));
        // Ordering: Relaxed: each number is given once.
        let index = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(sync::share(Shard::new(index, poller, fallback, &paused_settings())))
    }

    pub(crate) fn is_for_pauses(&self) -> bool {
        self.index >= FIRST
    }

    /// Returns `true` if the pause that it was for is over: what begins to wait here is to be woken
    /// at once, and to look for another shard.
    pub(crate) fn is_closed(&self) -> bool {
        // Ordering: Relaxed. `close` takes the lock of `timers`, those of `sources` and of each
        // source after it has stored this, or with the store. Who asks has had one of them for what
        // it has added: after `close`, so that it sees the store, or before, so that `close` finds
        // what was added.
        self.closed.load(Ordering::Relaxed)
    }

    /// Opens it for another pause: as if it were new. Returns `false`, and it stays closed, as long
    /// as somebody holds a timer or a source that is still here.
    pub(crate) fn open(&self) -> bool {
        let sources = self.source_count();
        let mut timers = self.timers.lock();
        if timers.len() > 0 || sources > 0 {
            return false;
        }
        let new = timers.renewed(&paused_settings());
        let old = std::mem::replace(&mut *timers, new);
        // Ordering: Relaxed, as in `is_closed`.
        self.closed.store(false, Ordering::Relaxed);
        drop(timers);
        drop(old);
        true
    }

    /// Closes it. Everybody who waits here goes to the batch, to be woken; sources are registered
    /// elsewhere by their next wait. The caller is the only one who drives.
    pub(crate) fn close(&self, batch: &mut Batch) {
        let mut timers = self.timers.lock();
        // Ordering: Relaxed, as in `is_closed`.
        self.closed.store(true, Ordering::Relaxed);
        while timers.fire(NEVER - 1, &mut batch.fired) {}
        drop(timers);
        Order::default().arrange(&mut batch.fired, |fired| fired.key());
        let mut sources: Vec<_> = self.sources.lock().iter().collect();
        sources.sort_by_key(|(key, _)| *key);
        for (key, source) in sources {
            // One that is about to be registered here stays in the table: it will see that the
            // shard is closed.
            if source.leave_for_good(self, key, &mut batch.wakers) {
                self.forget(key);
            }
        }
    }

    /// Wakes all who wait for timers here, though it is closed: one was set by its owner, who has
    /// not polled it since, or a thread has seen the pause that was over a moment later.
    #[cold]
    pub(super) fn wake_timers(&self) {
        let mut batch = Batch::new();
        let mut timers = self.timers.lock();
        while timers.fire(NEVER - 1, &mut batch.fired) {}
        drop(timers);
        batch.wake(self);
    }

    /// Returns the sources that somebody waits for, as a report names them.
    pub(crate) fn sources_waited_for(&self) -> Vec<String> {
        let sources = self.sources.lock();
        let mut waited: Vec<_> = sources.iter().filter(|(_, of)| of.is_waited_for()).collect();
        waited.sort_by_key(|(key, _)| *key);
        waited.iter().map(|(_, source)| format!("{:?}", source.registration())).collect()
    }

    /// Returns `true` if somebody waits for a source.
    pub(crate) fn is_io_waited_for(&self) -> bool {
        self.sources.lock().iter().any(|(_, source)| source.is_waited_for())
    }

    /// Returns the earliest deadline, or [`NEVER`]; too early at worst.
    pub(crate) fn next_deadline(&self) -> u64 {
        self.timers.lock().next_deadline()
    }
}

fn paused_settings() -> Settings {
    Settings { has_fallback: false, coalescing_bound: 0, ..Settings::default() }
}

impl Driving<'_, Shard> {
    /// Runs a round: waits in the poller, dispatches its events, and expires what is due by this
    /// thread's clock. Does not wait if something is due before `next`. Returns `true` if there is
    /// somebody to wake.
    pub(crate) fn run_paused_round(
        &self,
        batch: &mut Batch,
        until: Until,
        next: u64,
        order: &Mutex<Order>,
    ) -> bool {
        let shard = self.shard();
        batch.more = false;
        let mut until = until;
        if until != Until::Now {
            let mut timers = shard.timers.lock();
            if timers.next_deadline() < next {
                until = Until::Now;
            } else {
                timers.set_sleeper(Sleeper::Driver { until: next });
            }
        }
        self.wait(batch, until);
        let mut events: Vec<_> = batch.events.iter().collect();
        if !events.is_empty() {
            order.lock().arrange(&mut events, |event| event.key);
            let mut sources = shard.sources.lock();
            for event in events {
                sources.on_event(shard.index, event, &mut batch.wakers);
            }
        }
        let mut timers = shard.timers.lock();
        timers.set_sleeper(Sleeper::Nobody);
        let now = clock::wheel_now();
        if timers.next_deadline() <= now {
            while timers.fire(now, &mut batch.fired) {}
        }
        drop(timers);
        order.lock().arrange(&mut batch.fired, |fired| fired.key());
        !batch.is_idle()
    }

    /// Fires all timers of the earliest deadline, if that is not after `limit`. Returns the
    /// deadline. Nothing else may be due.
    pub(crate) fn fire_next(
        &self,
        limit: u64,
        batch: &mut Batch,
        order: &Mutex<Order>,
    ) -> Option<u64> {
        let mut timers = self.shard().timers.lock();
        let deadline = loop {
            // It may be too early. Then nothing fires, and the next look knows more.
            let next = timers.next_deadline();
            if next > limit || next == NEVER {
                return None;
            }
            while timers.fire(next, &mut batch.fired) {}
            if !batch.fired.is_empty() {
                break next;
            }
        };
        drop(timers);
        order.lock().arrange(&mut batch.fired, |fired| fired.key());
        Some(deadline)
    }
}
