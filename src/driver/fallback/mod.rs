//! The fallback thread: it ensures that each shard has a driver that notices its next event or
//! deadline, and otherwise stays out of the way.
//!
//! A *scan* is a look at all shards. For each, it does one of these:
//!
//! - *Vacant, and undriven for good* (no assigned thread is awake, or one was awake for long
//!   without driving): the shard is the fallback's. It runs a round, arms the shard's poller in its
//!   own, and leaves the seat vacant and watched.
//! - *Vacant, and driven since the last scan*: it leaves the shard alone and scans again after a
//!   backoff.
//! - *Vacant, undriven since the last scan, and an assigned thread is awake that drove not long
//!   ago*: it runs a round, so that nothing waits for that thread, and scans again after a backoff.
//!   To arm the poller would be to take a busy thread's events from it one by one.
//! - *Held*: if it has no reason to scan again, and nobody drove since the last scan, it marks the
//!   seat watched and counts on being unparked; otherwise it leaves the seat alone, so that the
//!   release stays free, and scans again after a backoff.
//!
//! Then it sleeps: for the backoff if a driver is expected, until the next deadline of the shards
//! that are its own, or without limit. So a shard goes without service for two backoffs at most,
//! and a process in which everybody sleeps makes no wake-ups.
//!
//! The backoff grows each time a scan finds that all shards are driven anyway, shrinks when it
//! finds work that nobody did, and starts anew after a long sleep.

use std::time::Duration;

use crate::clock;
use crate::handoff::Driving;
use crate::reactor::{Batch, Reactor, Shard};
use crate::sync::Ref;
use crate::sys::{Events, NESTED, Poller, Polls, Until};

/// The shortest backoff, in nanoseconds. Much shorter, and a server whose threads run a batch of
/// tasks between two looks at their pollers seems not to drive: the fallback then takes its events
/// from it one by one.
const BACKOFF_MIN: u64 = 1_000_000;
/// The longest. A thread that computes without driving delays its shard by two of them.
const BACKOFF_MAX: u64 = 4_000_000;
/// After as much time in backoffs without a round of theirs, a shard's assigned threads are not
/// waited for any longer.
const PATIENCE: u64 = 8_000_000;
/// A sleep this long makes the backoff start anew.
const LONG_SLEEP: u64 = 50_000_000;

#[derive(Debug)]
pub(crate) struct Fallback {
    reactor: Ref<Reactor>,
    /// The shards, by their index.
    shards: Vec<ShardState>,
    events: Events,
    batch: Batch,
    /// The shard that is being serviced.
    serviced: Option<Ref<Shard>>,
    /// Whether a step is under way, or a panic ended it.
    steps: bool,
    backoff: u64,
}

/// What is known of a shard.
#[derive(Debug)]
struct ShardState {
    shard: Ref<Shard>,
    /// The rounds that `block_on` threads had run at the last scan.
    rounds: usize,
    /// How long its assigned threads have not driven, in backoffs.
    absence: u64,
    /// Whether its poller was ready in the root poller and was not armed again since. The fallback
    /// must not count on it until then.
    was_ready: bool,
    /// Whether its poller is a source of the root poller.
    in_root: bool,
    /// Whether it was armed there, and not removed since. It may have been ready since then: only a
    /// round that took all leaves it armed.
    was_armed: bool,
}

impl ShardState {
    fn new(shard: Ref<Shard>) -> ShardState {
        ShardState {
            shard,
            rounds: 0,
            absence: 0,
            was_ready: false,
            in_root: true,
            was_armed: false,
        }
    }

    /// Returns `true` if `block_on` threads drove since the last call.
    fn was_driven(&mut self) -> bool {
        let rounds = self.shard.succession().rounds();
        std::mem::replace(&mut self.rounds, rounds) != rounds
    }

    /// Takes the poller of a shard that others drive out of the root poller until it is armed
    /// again: each event there would be reported here as well, for nothing.
    fn remove_from_root(&mut self, root: &Poller) {
        self.was_armed = false;
        if NESTED && std::mem::replace(&mut self.in_root, false) {
            root.remove_poller(self.shard.poller());
        }
    }
}

/// What a scan came to.
#[derive(Debug)]
struct Scan {
    /// An assigned thread may come to drive: scan again after the backoff.
    driver_expected: bool,
    /// A shard that nobody drove had work.
    undriven: bool,
    /// Something changed during the scan: scan again at once.
    again: bool,
    /// The earliest deadline of the shards that are the fallback's own.
    deadline: u64,
}

impl Fallback {
    pub(crate) fn new(reactor: Ref<Reactor>) -> Fallback {
        Fallback {
            reactor,
            shards: Vec::new(),
            events: Events::new(),
            batch: Batch::new(),
            serviced: None,
            steps: false,
            backoff: BACKOFF_MIN,
        }
    }

    /// Returns `true` if this is the copy in a child that was forked by a waker. It has nothing to
    /// do: all that it knows is the parent's.
    pub(crate) fn is_from_parent(&self) -> bool {
        self.reactor.first().is_from_parent()
    }

    /// Runs one scan and one sleep. To be repeated as long as it is not the parent's.
    pub(crate) fn step(&mut self) {
        if std::mem::replace(&mut self.steps, true) {
            self.recover();
        }
        self.add_new_shards();
        let scan = self.scan();
        if self.is_from_parent() {
            return;
        }
        let totals = self.reactor.fallback_totals();
        totals.scans.count();
        if scan.undriven {
            totals.undriven.count();
        }
        if !scan.again {
            totals.sleeps.count();
            self.adapt_backoff(&scan);
            self.sleep(&scan);
        }
        self.steps = false;
    }

    /// Takes note of shards that were added.
    fn add_new_shards(&mut self) {
        let added = self.reactor.shards_from(self.shards.len());
        self.shards.extend(added.into_iter().map(ShardState::new));
    }

    fn scan(&mut self) -> Scan {
        let mut scan =
            Scan { driver_expected: false, undriven: false, again: false, deadline: clock::NEVER };
        let mut held = Vec::new();
        for index in 0..self.shards.len() {
            let state = &mut self.shards[index];
            let shard = state.shard.clone();
            if shard.is_from_parent() {
                return scan;
            }
            let driven = state.was_driven();
            if let Some(until) = shard.watched_until() {
                if !state.was_ready && until > clock::wheel_now() {
                    scan.deadline = scan.deadline.min(until);
                    continue;
                }
            }
            if driven && shard.succession().awake() > 0 {
                // Its driver is awake, and will be back.
                scan.driver_expected = true;
                state.absence = 0;
                state.remove_from_root(self.reactor.root());
            } else if let Some(driving) = shard.try_acquire_preemptible() {
                self.service(driving, &mut scan);
            } else if driven {
                // Its driver sleeps for a moment, perhaps: to be unparked at each of such moments
                // would cost more than to scan again.
                scan.driver_expected = true;
                state.remove_from_root(self.reactor.root());
            } else {
                held.push(shard);
            }
        }
        if !scan.driver_expected && !scan.again {
            scan.again = held.iter().any(|shard| !shard.succession().watch());
        }
        scan
    }

    /// The step before was ended by a panic, which only a subscriber of `tracing` can do. Whatever
    /// it was, the thread goes on: it wakes the tasks that it had collected, and counts on nothing
    /// that it had armed.
    #[cold]
    fn recover(&mut self) {
        crate::sync::pause();
        let _ = self.reactor.fallback().parker.leave_poller();
        for state in &mut self.shards {
            state.was_ready = true;
            state.was_armed = false;
        }
        if let Some(shard) = self.serviced.clone() {
            self.batch.wake(&shard);
            self.serviced = None;
        }
    }

    /// Runs a round of an undriven shard, releases the seat, and wakes the tasks.
    fn service(&mut self, driving: Driving<'_, Shard>, scan: &mut Scan) {
        let shard = self.shards[driving.shard().index()].shard.clone();
        self.serviced = Some(shard.clone());
        self.reactor.fallback_totals().services.count();
        if NESTED {
            let is_awaited = shard.succession().awake() > 0;
            // A thread that runs tasks is given a backoff for those of this round, before all that is
            // due becomes tasks that wait for it.
            let is_first = self.shards[shard.index()].absence == 0;
            if is_awaited && is_first {
                driving.run_short_round(&mut self.batch);
            } else {
                driving.run_round(&mut self.batch);
                scan.again |= self.batch.has_more();
            }
            scan.undriven |= is_awaited && !self.batch.is_idle();
            self.release(driving, scan);
        } else {
            scan.driver_expected |= driving.park_preemptibly(&mut self.batch);
            scan.again |= !scan.driver_expected;
        }
        self.batch.wake(&shard);
        self.serviced = None;
    }

    /// Releases a seat: to assigned threads that will be back, or watched.
    fn release(&mut self, driving: Driving<'_, Shard>, scan: &mut Scan) {
        let root = self.reactor.root();
        let state = &mut self.shards[driving.shard().index()];
        if driving.shard().succession().is_wanted() && state.absence < PATIENCE {
            state.absence = state.absence.saturating_add(self.backoff);
            if state.was_armed {
                // Else it would take those threads' events from them one by one.
                state.remove_from_root(root);
            }
            driving.release();
        } else if let Ok(until) =
            driving.arm_and_release_watched(root, state.was_armed && self.batch.took_all())
        {
            state.was_ready = false;
            state.in_root = true;
            state.was_armed = true;
            scan.deadline = scan.deadline.min(until);
            return;
        }
        // Or the root poller does not take it, and the backoff has to do.
        scan.driver_expected = true;
    }

    fn adapt_backoff(&mut self, scan: &Scan) {
        self.backoff = if scan.undriven {
            BACKOFF_MIN.max(self.backoff / 2)
        } else {
            BACKOFF_MAX.min(self.backoff * 2)
        };
    }

    /// Sleeps until it is unparked, or until there is something to look at.
    fn sleep(&mut self, scan: &Scan) {
        if !NESTED {
            return self.park(scan);
        }
        let parker = &self.reactor.fallback().parker;
        if !parker.enter_poller() {
            return;
        }
        let before = clock::wheel_now();
        let mut until = scan.deadline;
        if scan.driver_expected {
            until = until.min(before.saturating_add(self.backoff));
        }
        if self.reactor.root().wait(&mut self.events, Until::deadline(until)).is_err() {
            self.events.clear();
            crate::sync::pause();
        }
        let _ = parker.leave_poller();
        for event in self.events.iter() {
            if let Some(state) = self.shards.get_mut(event.key) {
                state.was_ready = true;
            }
        }
        if clock::wheel_now().saturating_sub(before) > LONG_SLEEP {
            self.backoff = BACKOFF_MIN;
        }
    }

    /// As `sleep`, where pollers cannot be nested: there is nothing to hear from a poller that
    /// the driver of the only shard does not.
    fn park(&self, scan: &Scan) {
        let parker = &self.reactor.fallback().parker;
        if scan.driver_expected {
            parker.park_for(Duration::from_nanos(self.backoff));
        } else {
            parker.park();
        }
    }
}

#[cfg(test)]
mod tests;
