//! The fallback thread: it sees to it that every shard has somebody who notices its next event
//! or deadline, and otherwise stays out of the way.
//!
//! At each look it does, for each shard, one of these:
//!
//! - *Vacant, and nobody will come to drive* (no resident is awake, or one was awake for long
//!   without driving): the shard is the fallback's. It does a round, arms the shard's poller in
//!   its own, and leaves the seat vacant and watched.
//! - *Vacant, and somebody drove since the last look*: it leaves the shard alone and looks again
//!   after a back-off.
//! - *Vacant, nobody drove since the last look, and somebody is up who did not long ago*: it does
//!   a round, so that nothing waits for them, and looks again after a back-off. To arm the poller
//!   would be to take a busy thread's events from it one by one.
//! - *Taken*: if it has no reason to look again, and nobody drove since the last look, it marks
//!   the seat watched and counts on being told; otherwise it leaves the seat alone, so that
//!   leaving it stays free, and looks again after a back-off.
//!
//! Then it sleeps: for the back-off if somebody will come to drive, until the next deadline of
//! the shards that are its own, or without limit. So a shard goes unattended for two back-offs
//! at most, and a process in which everybody sleeps makes no wake-ups.
//!
//! The back-off grows each time a look finds that all is looked after anyway, shrinks when it
//! finds work that nobody did, and starts anew after a long sleep.

use std::time::Duration;

use crate::clock;
use crate::reactor::{Reactor, Round, Shard};
use crate::sync::Ref;
use crate::sys::{Events, NESTED, Polls, Until};

/// The shortest back-off, in nanoseconds. Much shorter, and a server whose threads run a batch
/// of tasks between two looks at their pollers seems to neglect them: the fallback then takes
/// its events from it one by one.
const BACKOFF_MIN: u64 = 1_000_000;
/// The longest. A thread that computes without driving delays its shard by two of them.
const BACKOFF_MAX: u64 = 4_000_000;
/// After as much time in back-offs without a round of theirs, a shard's residents are not waited
/// for any longer.
const PATIENCE: u64 = 8_000_000;
/// A sleep this long makes the back-off start anew.
const LONG_SLEEP: u64 = 50_000_000;

#[derive(Debug)]
pub(crate) struct Fallback {
    reactor: Ref<Reactor>,
    shards: Vec<Ref<Shard>>,
    /// For each shard, the rounds that its residents had driven at the last look.
    turns: Vec<usize>,
    /// For each shard, how long its residents have not driven, in back-offs.
    absence: Vec<u64>,
    /// For each shard, whether its poller went off in the root poller and was not armed again
    /// since. The fallback must not count on it until then.
    went_off: Vec<bool>,
    /// For each shard, whether its poller is a source of the root poller.
    listed: Vec<bool>,
    events: Events,
    round: Round,
    /// Whose round is under way.
    attends: Option<Ref<Shard>>,
    /// Whether a step is under way, or a panic ended it.
    steps: bool,
    backoff: u64,
}

/// What a look at all shards came to.
#[derive(Debug, Default)]
struct Look {
    /// Somebody may come to drive a shard: look again after the back-off.
    expected: bool,
    /// Nobody drove a shard that had work.
    neglected: bool,
    /// Something changed during the look: look again at once.
    again: bool,
    /// The earliest deadline of the shards that are the fallback's own.
    deadline: u64,
}

impl Fallback {
    pub(crate) fn new(reactor: Ref<Reactor>) -> Fallback {
        Fallback {
            reactor,
            shards: Vec::new(),
            turns: Vec::new(),
            absence: Vec::new(),
            went_off: Vec::new(),
            listed: Vec::new(),
            events: Events::new(),
            round: Round::new(),
            attends: None,
            steps: false,
            backoff: BACKOFF_MIN,
        }
    }

    /// Whether this is the copy in a child that was forked by a waker. It has nothing to do:
    /// all that it knows is the parent's.
    pub(crate) fn is_inherited(&self) -> bool {
        self.reactor.first().is_inherited()
    }

    /// One look and one sleep. To be repeated as long as it is not inherited.
    pub(crate) fn step(&mut self) {
        if std::mem::replace(&mut self.steps, true) {
            self.recover();
        }
        self.learn();
        let look = self.look();
        if !look.again && !self.is_inherited() {
            self.adapt(&look);
            self.sleep(&look);
        }
        self.steps = false;
    }

    /// Takes note of shards that were added.
    fn learn(&mut self) {
        self.reactor.list(&mut self.shards);
        self.turns.resize(self.shards.len(), 0);
        self.absence.resize(self.shards.len(), 0);
        self.went_off.resize(self.shards.len(), false);
        self.listed.resize(self.shards.len(), true);
    }

    fn look(&mut self) -> Look {
        let mut look = Look { deadline: clock::NEVER, ..Look::default() };
        let mut taken = Vec::new();
        for index in 0..self.shards.len() {
            let shard = self.shards[index].clone();
            if shard.is_inherited() {
                return look;
            }
            let turns = shard.turns();
            let driven = std::mem::replace(&mut self.turns[index], turns) != turns;
            if let Some(until) = shard.watched_until() {
                if !self.went_off[index] && until > clock::wheel_now() {
                    look.deadline = look.deadline.min(until);
                    continue;
                }
            }
            if driven && shard.awake() > 0 {
                // Somebody drove since the last look, is up, and will be back.
                look.expected = true;
                self.absence[index] = 0;
                self.unlist(&shard);
            } else if shard.seat().try_take_lent() {
                self.attend(&shard, &mut look);
            } else if driven {
                // Somebody drove since the last look and sleeps for a moment, perhaps: to be told
                // at each of such moments would cost more than to look again.
                look.expected = true;
                self.unlist(&shard);
            } else {
                taken.push(shard);
            }
        }
        if !look.expected && !look.again {
            look.again = taken.iter().any(|shard| !shard.seat().watch());
        }
        look
    }

    /// The step before was ended by a panic. No user code can do that but a subscriber of
    /// `tracing`. Whatever it was, the thread goes on: it gives the seat back, wakes whom it had
    /// collected, and counts on nothing that it had armed.
    #[cold]
    fn recover(&mut self) {
        crate::sync::pause();
        self.went_off.fill(true);
        if let Some(shard) = self.attends.clone() {
            if shard.seat().is_lent() {
                shard.leave();
            }
            self.round.wake(&shard);
            self.attends = None;
        }
    }

    /// Does a round in a seat that nobody else came to take, leaves it, and wakes whom it found.
    fn attend(&mut self, shard: &Ref<Shard>, look: &mut Look) {
        self.attends = Some(shard.clone());
        if NESTED {
            shard.turn(&mut self.round);
            look.neglected |= shard.awake() > 0 && !self.round.is_idle();
            look.again |= self.round.has_more();
            self.leave(shard, look);
        } else {
            self.sit(shard, look);
        }
        self.round.wake(shard);
        self.attends = None;
    }

    /// The round, where pollers cannot be nested: asleep in the seat.
    fn sit(&mut self, shard: &Ref<Shard>, look: &mut Look) {
        look.expected |= shard.sit(&mut self.round);
        look.again |= !look.expected;
    }

    /// Leaves a seat: to residents who will be back, or watched.
    fn leave(&mut self, shard: &Ref<Shard>, look: &mut Look) {
        let absence = &mut self.absence[shard.index()];
        if shard.is_wanted() && *absence < PATIENCE {
            *absence = absence.saturating_add(self.backoff);
        } else if let Ok(until) = shard.leave_watched(self.reactor.root()) {
            self.went_off[shard.index()] = false;
            self.listed[shard.index()] = true;
            look.deadline = look.deadline.min(until);
            return;
        }
        // Or the root poller does not take it, and the back-off has to do.
        shard.leave();
        look.expected = true;
    }

    /// Takes the poller of a shard that others drive out of the root poller until it is armed
    /// again: each event there would be told to this one as well, if only to be left aside.
    fn unlist(&mut self, shard: &Shard) {
        if NESTED && std::mem::replace(&mut self.listed[shard.index()], false) {
            self.reactor.root().remove_poller(shard.poller());
        }
    }

    fn adapt(&mut self, look: &Look) {
        self.backoff = if look.neglected {
            BACKOFF_MIN.max(self.backoff / 2)
        } else {
            BACKOFF_MAX.min(self.backoff * 2)
        };
    }

    /// Sleeps until told, or until there is something to look at.
    fn sleep(&mut self, look: &Look) {
        if !NESTED {
            return self.park(look);
        }
        let parker = &self.reactor.fallback().parker;
        if !parker.enter_poller() {
            return;
        }
        let before = clock::wheel_now();
        let mut until = look.deadline;
        if look.expected {
            until = until.min(before.saturating_add(self.backoff));
        }
        if self.reactor.root().wait(&mut self.events, Until::deadline(until)).is_err() {
            self.events.clear();
            crate::sync::pause();
        }
        let _ = parker.leave_poller();
        for event in self.events.iter() {
            if let Some(went_off) = self.went_off.get_mut(event.key) {
                *went_off = true;
            }
        }
        if clock::wheel_now().saturating_sub(before) > LONG_SLEEP {
            self.backoff = BACKOFF_MIN;
        }
    }

    /// As `sleep`, where pollers cannot be nested: there is nothing to hear from a poller that
    /// whoever sits in the only seat does not.
    fn park(&self, look: &Look) {
        let parker = &self.reactor.fallback().parker;
        if look.expected {
            parker.park_for(Duration::from_nanos(self.backoff));
        } else {
            parker.park();
        }
    }
}

#[cfg(test)]
mod tests;
