//! The fallback thread: it sees to it that every shard has somebody who notices its next event
//! or deadline, and otherwise stays out of the way.
//!
//! At each look it does, for each shard, one of these:
//!
//! - *Vacant, and nobody will come to drive* (no resident is awake, or one was awake all the
//!   time since the last look without driving): the shard is the fallback's. It does a round,
//!   arms the shard's poller in its own, and leaves the seat vacant and watched.
//! - *Vacant, and somebody will come*: it leaves the shard alone and looks again after a
//!   back-off.
//! - *Taken*: if it has no reason to look again, it marks the seat watched and counts on being
//!   told; otherwise it leaves the seat alone, so that leaving it stays free.
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
const BACKOFF_MIN: u64 = 500_000;
/// The longest. A thread that computes without driving delays its shard by two of them.
const BACKOFF_MAX: u64 = 4_000_000;
/// A sleep this long makes the back-off start anew.
const LONG_SLEEP: u64 = 50_000_000;

#[derive(Debug)]
pub(crate) struct Fallback {
    reactor: Ref<Reactor>,
    shards: Vec<Ref<Shard>>,
    /// For each shard, the rounds that its residents had driven at the last look.
    turns: Vec<usize>,
    /// For each shard, whether its poller went off in the root poller and was not armed again
    /// since. The fallback must not count on it until then.
    went_off: Vec<bool>,
    events: Events,
    round: Round,
    backoff: u64,
}

/// What a look at all shards came to.
#[derive(Debug, Default)]
struct Look {
    /// Somebody will come to drive a shard: look again after the back-off.
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
            went_off: Vec::new(),
            events: Events::new(),
            round: Round::new(),
            backoff: BACKOFF_MIN,
        }
    }

    /// One look and one sleep. To be repeated for ever.
    pub(crate) fn step(&mut self) {
        self.reactor.list(&mut self.shards);
        self.turns.resize(self.shards.len(), 0);
        self.went_off.resize(self.shards.len(), false);
        let look = self.look();
        if !look.again {
            self.adapt(&look);
            self.sleep(&look);
        }
    }

    fn look(&mut self) -> Look {
        let mut look = Look { deadline: clock::NEVER, ..Look::default() };
        let mut taken = Vec::new();
        for index in 0..self.shards.len() {
            let shard = self.shards[index].clone();
            let turns = std::mem::replace(&mut self.turns[index], shard.turns());
            if let Some(until) = shard.watched_until() {
                if !self.went_off[index] && until > clock::wheel_now() {
                    look.deadline = look.deadline.min(until);
                    continue;
                }
            }
            if shard.awake() > 0 && self.turns[index] != turns {
                // Somebody drove since the last look, is up, and will be back.
                look.expected = true;
                continue;
            }
            if shard.seat().try_take_lent() {
                self.attend(&shard, &mut look);
            } else {
                taken.push(shard);
            }
        }
        if !look.expected && !look.again {
            look.again = taken.iter().any(|shard| !shard.seat().watch());
        }
        look
    }

    /// Does a round in a seat that nobody else came to take, and leaves it.
    fn attend(&mut self, shard: &Ref<Shard>, look: &mut Look) {
        if !NESTED {
            look.expected |= shard.sit(&mut self.round);
            look.again |= !look.expected;
            self.round.wake(shard);
            return;
        }
        shard.turn(&mut self.round);
        look.neglected |= shard.awake() > 0 && !self.round.is_idle();
        look.again |= self.round.has_more();
        match shard.leave_watched(self.reactor.root()) {
            Ok(until) => {
                self.went_off[shard.index()] = false;
                look.deadline = look.deadline.min(until);
            }
            // The root poller does not take it: the back-off has to do.
            Err(_) => {
                shard.leave();
                look.expected = true;
            }
        }
        self.round.wake(shard);
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
        let parker = &self.reactor.fallback().parker;
        if !NESTED {
            if look.expected {
                parker.park_for(Duration::from_nanos(self.backoff));
            } else {
                parker.park();
            }
            return;
        }
        if !parker.enter_poller() {
            return;
        }
        let before = clock::wheel_now();
        let mut until = look.deadline;
        if look.expected {
            until = until.min(before + self.backoff);
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
        if clock::wheel_now() - before > LONG_SLEEP {
            self.backoff = BACKOFF_MIN;
        }
    }
}
