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
                self.absence[index] = 0;
                self.unlist(&shard);
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
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::handoff::Took;
    use crate::sync;
    use crate::sys::Poller;

    const SECOND: u64 = 1_000_000_000;

    /// The fallback of a reactor of its own, which knows all shards: one for each resident.
    fn fallback(residents: usize) -> (Fallback, Vec<Ref<Shard>>) {
        let root = NESTED.then(|| Poller::new().unwrap());
        let reactor = Reactor::new(Poller::new().unwrap(), root, residents).unwrap();
        let reactor = sync::share(reactor);
        let shards = (0..residents).map(|_| reactor.move_in()).collect();
        let mut fallback = Fallback::new(reactor);
        fallback.learn();
        (fallback, shards)
    }

    /// A round by a `block_on` thread.
    fn drive(shard: &Shard) {
        shard.turn_if_vacant(&mut Round::new());
    }

    #[test]
    fn a_shard_without_residents_awake_is_watched_until_its_deadline() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        let look = fallback.look();
        assert!(!look.again && !look.neglected);
        assert_eq!((look.expected, look.deadline), (false, clock::NEVER));
        assert!(shards[0].seat().is_vacant_and_watched());
        let deadline = clock::wheel_now() + 100 * SECOND;
        shards[0].insert_timer(deadline, Waker::noop().clone());
        for _ in 0..2 {
            assert_eq!(fallback.look().deadline, deadline);
        }
    }

    #[test]
    fn a_watched_shard_whose_poller_was_not_heard_of_is_left_alone() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        let _ = fallback.look();
        shards[0].poller().notify();
        // A round would take the notification away, and the root poller would not tell of it.
        let _ = fallback.look();
        fallback.sleep(&Look { deadline: clock::wheel_now() + 5 * SECOND, ..Look::default() });
        assert_eq!(fallback.went_off, [true]);
        let _ = fallback.look();
        assert_eq!(fallback.went_off, [false]);
    }

    #[test]
    fn a_shard_is_left_to_who_drives_it_and_for_a_while_to_who_did() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        for _ in 0..2 {
            shards[0].is_up();
            drive(&shards[0]);
            for _ in 0..=PATIENCE / BACKOFF_MIN {
                assert!(fallback.look().expected);
                assert_eq!(shards[0].seat().describe(), (false, false));
            }
            assert!(!fallback.look().expected);
            assert!(shards[0].seat().is_vacant_and_watched());
            // It was driven, but they went to sleep.
            drive(&shards[0]);
            shards[0].falls_asleep();
            assert!(!fallback.look().expected);
            assert!(shards[0].seat().is_vacant_and_watched());
        }
    }

    #[test]
    fn a_shard_whose_resident_is_up_but_blocked_is_armed_however_much_work_there_is() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        shards[0].is_up();
        fallback.absence[0] = PATIENCE;
        shards[0].insert_timer(0, Waker::noop().clone());
        assert!(!fallback.look().expected);
        assert!(shards[0].seat().is_vacant_and_watched());
    }

    #[test]
    fn the_poller_of_a_shard_that_others_drive_is_no_source_of_the_fallbacks() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        let told = |fallback: &mut Fallback| {
            fallback.reactor.root().wait(&mut fallback.events, Until::Now).unwrap();
            fallback.events.iter().count()
        };
        let _ = fallback.look();
        shards[0].is_up();
        drive(&shards[0]);
        assert!(fallback.look().expected);
        shards[0].poller().notify();
        assert_eq!(told(&mut fallback), 0, "it was told of what is none of its business");
        // They fall asleep elsewhere, and it counts on hearing of the shard again.
        shards[0].falls_asleep();
        let _ = fallback.look();
        shards[0].poller().notify();
        assert_eq!(told(&mut fallback), 1);
    }

    #[test]
    fn who_has_a_seat_is_not_made_to_tell_while_the_fallback_comes_back_anyway() {
        let (mut fallback, shards) = fallback(2);
        if !NESTED {
            return;
        }
        assert_eq!(shards[1].seat().try_take(), Took::Seat);
        shards[0].is_up();
        drive(&shards[0]);
        assert!(fallback.look().expected);
        assert_eq!(shards[1].seat().describe(), (true, false));
        shards[0].falls_asleep();
        let look = fallback.look();
        assert!(!look.expected && !look.again);
        assert_eq!(shards[1].seat().describe(), (true, true));
    }

    #[test]
    fn only_work_that_somebody_awake_did_not_do_counts_as_neglected() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        let due = || {
            shards[0].insert_timer(0, Waker::noop().clone());
        };
        due();
        assert!(!fallback.look().neglected, "everybody sleeps");
        shards[0].is_up();
        drive(&shards[0]);
        let _ = fallback.look();
        assert!(!fallback.look().neglected, "there was nothing to do");
        due();
        assert!(fallback.look().neglected);
    }

    #[test]
    fn a_storm_of_timers_makes_it_look_again_until_all_are_out() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        for _ in 0..3_000 {
            shards[0].insert_timer(0, Waker::noop().clone());
        }
        let looks = (0..10).take_while(|_| fallback.look().again).count();
        assert_eq!(looks, 2);
    }

    #[test]
    fn it_does_not_go_to_sleep_over_a_storm() {
        let (mut fallback, shards) = fallback(1);
        if !NESTED {
            return;
        }
        for _ in 0..3_000 {
            shards[0].insert_timer(0, Waker::noop().clone());
        }
        fallback.step();
        assert_eq!(fallback.backoff, BACKOFF_MIN, "it has not even thought of it");
    }

    #[test]
    fn the_back_off_stays_within_its_limits() {
        let (mut fallback, _) = fallback(1);
        let neglected = Look { neglected: true, ..Look::default() };
        let mut seen = Vec::new();
        for look in [&Look::default(), &neglected] {
            for _ in 0..4 {
                fallback.adapt(look);
                seen.push(fallback.backoff / BACKOFF_MIN);
            }
        }
        assert_eq!(seen, [2, 4, 4, 4, 2, 1, 1, 1]);
        assert_eq!(BACKOFF_MAX, 4 * BACKOFF_MIN);
    }

    #[test]
    fn a_sleep_ends_with_the_back_off_or_the_deadline_and_a_long_one_starts_it_anew() {
        let (mut fallback, _) = fallback(1);
        if !NESTED {
            return;
        }
        fallback.backoff = BACKOFF_MAX;
        let start = clock::wheel_now();
        fallback.sleep(&Look { expected: true, deadline: clock::NEVER, ..Look::default() });
        assert!(clock::wheel_now() - start >= BACKOFF_MAX);
        fallback.backoff = BACKOFF_MAX;
        let start = clock::wheel_now();
        fallback.sleep(&Look { expected: true, deadline: 0, ..Look::default() });
        if clock::wheel_now() - start < LONG_SLEEP {
            assert_eq!(fallback.backoff, BACKOFF_MAX);
        }
        let deadline = clock::wheel_now() + LONG_SLEEP + 1;
        fallback.sleep(&Look { deadline, ..Look::default() });
        assert!(clock::wheel_now() > deadline);
        assert_eq!(fallback.backoff, BACKOFF_MIN);
    }
}
