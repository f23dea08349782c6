//! One shard: a poller, a wheel, the sources registered here, and the seat of whoever drives.
//!
//! # Rounds
//!
//! Whoever holds the seat does rounds: hand out due timers, wait in the poller, take down what
//! became ready, hand out timers again, leave. Wakers are collected into a [`Round`] and woken
//! when the seat has been left, since waking runs user code, which may do anything: block, or
//! call `block_on`, which would want the seat. A round is bounded, in timers and in events.
//!
//! # Sleeping without being notified at each insert
//!
//! The sleeper writes down, under the `timers` lock, until when it will sleep. An insert under
//! the same lock sees that and rouses the sleeper only if its deadline is earlier. Before the
//! sleeper has written, the insert comes first and is seen by it; after, the notification
//! stays in the poller until the wait finds it.
//!
//! Locks: `sources` may be held while a source's own lock is taken; `timers` is held alone.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use slab::Slab;

use super::batch::Round;
use super::source::Source;
use super::timers::{Alarm, Sleeper, Timers};
use crate::clock::{self, NEVER};
use crate::handoff::{Left, Parker, Rouser, Seat, Took};
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, Ref};
use crate::sys::{NESTED, Poller, Polls, Registration, Until, forks};
use crate::wheel::Key;

mod sources;

use sources::Sources;

/// Room for parked calls that is kept though there are none.
const SPARE_PARKED: usize = 64;

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Shard {
    /// Which shard this is: its key in the fallback's poller.
    index: usize,
    /// The process's forks when this was made.
    forks: usize,
    poller: Ref<Poller>,
    seat: Seat,
    timers: Mutex<Timers>,
    sources: Mutex<Sources>,
    /// The fallback, to be told when it counted on something that no longer holds.
    fallback: Ref<Rouser>,
    /// Rounds driven here by `block_on` threads. Advice for the fallback: a shard whose count
    /// moves is being looked after. Out of date, it makes the fallback attend to a shard that
    /// needs it not, or come back after a back-off; so nothing is paired with it.
    turns: AtomicUsize,
    /// `block_on` threads at home here that are awake. Advice for the fallback, as `turns`: one
    /// of them will come and drive.
    awake: AtomicUsize,
    /// Those who asked for the seat while the fallback sat in it.
    askers: Mutex<Vec<Waker>>,
    /// Those who are parked because one of them sits in it.
    parked: Mutex<Slab<Waker>>,
}

// Its locks are never poisoned: what they guard is whole whenever user code runs.
impl std::panic::RefUnwindSafe for Shard {}

impl Shard {
    pub(crate) fn new(index: usize, poller: Ref<Poller>, fallback: Ref<Rouser>) -> Shard {
        Shard {
            index,
            forks: forks(),
            poller,
            seat: Seat::new(),
            timers: Mutex::new(Timers::new()),
            sources: Mutex::new(Sources::default()),
            fallback,
            turns: AtomicUsize::new(0),
            awake: AtomicUsize::new(0),
            askers: Mutex::new(Vec::new()),
            parked: Mutex::new(Slab::new()),
        }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Whether this is a shard of the process that this one was forked from. Then nothing may
    /// be touched: neither the poller, which is the parent's too, nor a lock, whose holder may
    /// not exist here.
    pub(crate) fn is_inherited(&self) -> bool {
        self.forks != forks()
    }

    /// # Panics
    ///
    /// In the child of a fork, if the shard is the parent's.
    pub(crate) fn must_not_be_inherited(&self) {
        assert!(
            !self.is_inherited(),
            "the process was forked inside block_on: the child cannot go on with that call",
        );
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    pub(crate) fn poller_ref(&self) -> Ref<Poller> {
        self.poller.clone()
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    pub(crate) fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock()
    }

    // Timers.

    /// Adds a timer, and rouses the sleeper if it has to know.
    pub(crate) fn insert_timer(&self, deadline: u64, waker: Waker) -> Key {
        let (key, alarm) = self.timers().insert(deadline, waker);
        self.sound(alarm);
        key
    }

    /// Moves a timer, and rouses the sleeper if it has to know.
    pub(crate) fn reschedule_timer(&self, key: Key, deadline: u64) {
        let alarm = self.timers().reschedule(key, deadline);
        self.sound(alarm);
    }

    /// Sees to it that a timer is armed for a deadline and wakes this waker.
    pub(crate) fn refresh_timer(&self, key: Key, deadline: u64, waker: &Waker) {
        let mut timers = self.timers();
        if timers.will_wake(key, waker) {
            let alarm = timers.ensure(key, deadline);
            drop(timers);
            return self.sound(alarm);
        }
        // Cloned without the lock: that is the task's code.
        drop(timers);
        let waker = waker.clone();
        if self.is_inherited() {
            // It forked: the task is to poll again, and finds that the entry is the parent's.
            return waker.wake();
        }
        let mut timers = self.timers();
        let replaced = timers.set_waker(key, waker);
        let alarm = timers.ensure(key, deadline);
        drop(timers);
        self.sound(alarm);
        drop(replaced);
    }

    /// Takes a timer out.
    pub(crate) fn remove_timer(&self, key: Key) {
        let waker = self.timers().remove(key);
        drop(waker);
    }

    fn sound(&self, alarm: Alarm) {
        match alarm {
            Alarm::None => {}
            Alarm::Driver => self.poller.notify(),
            Alarm::Fallback => self.fallback.rouse(),
        }
    }

    // Sources.

    /// Registers a source, with no interest yet.
    pub(crate) fn register(
        shard: &Ref<Shard>,
        registration: Registration,
    ) -> io::Result<Arc<Source>> {
        let source = shard.sources.lock().insert(shard, registration);
        if let Err(error) = source.registration().add(&shard.poller, source.key()) {
            shard.forget(&source);
            return Err(error);
        }
        Ok(source)
    }

    /// Registers a source whose number another one was registered by, in the same shard. If the
    /// system lets it, the other one is stale, and the wakers of those who wait for it go to
    /// `wakers`.
    pub(super) fn register_successor(
        predecessor: &Source,
        registration: Registration,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<Arc<Source>> {
        let shard = predecessor.shard_ref();
        let source = shard.sources.lock().insert(shard, registration);
        let added =
            predecessor.succeed(wakers, || source.registration().add(&shard.poller, source.key()));
        if let Err(error) = added {
            shard.forget(&source);
            return Err(error);
        }
        shard.forget(predecessor);
        Ok(source)
    }

    /// Ends a source's registration.
    pub(crate) fn deregister(&self, source: &Source) -> io::Result<()> {
        self.forget(source);
        source.registration().delete(&self.poller)
    }

    /// Takes a source out of the table and leaves the poller as it is.
    fn forget(&self, source: &Source) {
        let removed = self.sources.lock().remove(source);
        drop(removed);
    }

    // Driving. All of it needs the seat.

    /// Hands out due timers and says how long there is until the next.
    ///
    /// If it says that there is time, the caller is written down as asleep until then.
    fn plan(&self, round: &mut Round) -> Until {
        let mut timers = self.timers();
        let next = timers.next_deadline();
        if next != NEVER {
            let now = clock::wheel_now();
            if next <= now {
                round.more = timers.fire(now, &mut round.fired);
                if !round.is_idle() {
                    return Until::Now;
                }
            }
        }
        let until = timers.sleep_until();
        timers.set_sleeper(Sleeper::Driver { until });
        Until::deadline(until)
    }

    /// Waits in the poller and takes down who waited for what became ready.
    fn poll(&self, round: &mut Round, until: Until) {
        if self.poller.wait(&mut round.events, until).is_err() {
            // Timers go on, looked at each millisecond; and the poller gets another chance.
            round.events.clear();
            if until != Until::Now {
                crate::sync::pause();
            }
        }
    }

    /// Takes down whom the events concern, and hands out what is due after the wait.
    fn collect(&self, round: &mut Round) {
        let Round { events, wakers, fired, more } = round;
        let mut events = events.iter().peekable();
        if events.peek().is_some() {
            let sources = self.sources.lock();
            events.for_each(|event| sources.on_event(event, wakers));
        }
        let mut timers = self.timers();
        timers.set_sleeper(Sleeper::Nobody);
        if fired.is_empty() && timers.next_deadline() != NEVER {
            *more = timers.fire(clock::wheel_now(), fired);
        }
    }

    /// One round without sleeping.
    pub(crate) fn turn(&self, round: &mut Round) {
        round.more = false;
        self.poll(round, Until::Now);
        self.collect(round);
    }

    /// One round, asleep in the poller until there is something to do. Leaves the seat.
    /// Whether the owner of the parker was notified, which is then consumed.
    pub(crate) fn drive(&self, parker: &Parker, round: &mut Round) -> bool {
        round.more = false;
        let until = self.plan(round);
        let mut notified = false;
        if until == Until::Now {
            self.poll(round, until);
            self.collect(round);
        } else if parker.enter_poller() {
            self.falls_asleep();
            self.poll(round, until);
            self.is_up();
            notified = parker.leave_poller();
            self.collect(round);
        } else {
            self.timers().set_sleeper(Sleeper::Nobody);
            self.leave();
            return true;
        }
        self.leave_driven();
        notified
    }

    /// One round without sleeping, by a `block_on` thread, if the seat is vacant.
    pub(crate) fn turn_if_vacant(&self, round: &mut Round) {
        if self.seat.try_take() == Took::Seat {
            self.turn(round);
            self.leave_driven();
            round.wake(self);
        }
    }

    /// Leaves the seat after a round of a `block_on` thread's.
    fn leave_driven(&self) {
        // Ordering: Relaxed: advice, see the field.
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.leave();
    }

    /// Leaves the seat and tells whoever has to know. Whether somebody had asked for it.
    pub(crate) fn leave(&self) -> bool {
        let Left { watched, asked } = self.seat.leave();
        if watched {
            self.fallback.rouse();
        }
        if asked {
            self.wake_askers();
        }
        asked
    }

    /// Wakes those who asked for the seat, to take it. Their wakers are this crate's own.
    fn wake_askers(&self) {
        let askers = std::mem::take(&mut *self.askers.lock());
        askers.into_iter().for_each(Waker::wake);
    }

    /// Asks the fallback for the seat that it sits in. `false` if it has left already.
    pub(crate) fn ask(&self, waker: &Waker) -> bool {
        self.askers.lock().push(waker.clone());
        if self.seat.ask() {
            // Where pollers can be nested, it never sleeps in a seat.
            if !NESTED {
                self.fallback.rouse();
            }
            return true;
        }
        // By what they point to, of which the list holds a reference: the tables may be copies.
        self.askers.lock().retain(|asker| asker.data() != waker.data());
        false
    }

    /// Puts a `block_on` call that is about to park on the list of those to whom the seat is
    /// handed over. It parks only if the seat is driven after that: whoever had left it for good
    /// before may have found the list empty.
    pub(crate) fn line_up(&self, waker: &Waker) -> usize {
        self.parked.lock().insert(waker.clone())
    }

    /// Takes a `block_on` call off that list.
    pub(crate) fn step_out(&self, place: usize) {
        let mut parked = self.parked.lock();
        let waker = parked.remove(place);
        // They were threads, and a list of threads is short: what many have left goes with the
        // last.
        if parked.is_empty() && parked.capacity() > SPARE_PARKED {
            parked.shrink_to_fit();
        }
        drop(parked);
        drop(waker);
    }

    /// A `block_on` call that has rested here comes to its end: if nobody drives now, one of
    /// those who are parked gets up and does. The fallback would see to them, but it may be
    /// inside somebody's waker for as long as that likes.
    ///
    /// One who gets up and whose call ends comes here in turn.
    pub(crate) fn hand_over(&self) {
        if self.seat.is_driven() {
            return;
        }
        // Their wakers are this crate's own. Woken outside the lock all the same.
        let heir = self.parked.lock().iter().next().map(|(_, waker)| waker.clone());
        if let Some(heir) = heir {
            heir.wake();
        }
    }

    // For the fallback, which holds the seat or looks from outside.

    /// Leaves the seat vacant and watched: arms the shard's poller in the fallback's own, and
    /// writes down until when the fallback will sleep, which it returns. On an error the seat
    /// is still held.
    pub(crate) fn leave_watched(&self, root: &Poller) -> io::Result<u64> {
        // Armed after the round, so that what came since then makes it go off at once.
        root.arm_poller(&self.poller, self.index)?;
        let mut timers = self.timers();
        let until = timers.sleep_until();
        timers.set_sleeper(Sleeper::Fallback { until });
        drop(timers);
        if self.seat.leave_watched() {
            self.wake_askers();
        }
        Ok(until)
    }

    /// Until when the fallback may sleep, if the shard is as [`leave_watched`] left it.
    ///
    /// [`leave_watched`]: Shard::leave_watched
    pub(crate) fn watched_until(&self) -> Option<u64> {
        if !self.seat.is_vacant_and_watched() {
            return None;
        }
        match self.timers().sleeper() {
            Sleeper::Fallback { until } => Some(until),
            _ => None,
        }
    }

    /// One round of the fallback's in a seat that it lends: asleep in the poller until there
    /// is something to do or somebody asks. Leaves the seat. Whether somebody asked.
    pub(crate) fn sit(&self, round: &mut Round) -> bool {
        round.more = false;
        let until = self.plan(round);
        if until == Until::Now {
            self.poll(round, until);
        } else if self.fallback.parker.enter_poller() {
            self.poll(round, until);
            self.fallback.parker.leave_poller();
        }
        self.collect(round);
        self.leave()
    }

    // Who is awake.

    /// A thread that is at home here goes to sleep.
    pub(crate) fn falls_asleep(&self) {
        // Ordering: Relaxed: advice, see the field.
        self.awake.fetch_sub(1, Ordering::Relaxed);
    }

    /// A thread that is at home here is up.
    pub(crate) fn is_up(&self) {
        // Ordering: Relaxed: advice, see the field.
        self.awake.fetch_add(1, Ordering::Relaxed);
    }

    /// How many threads that are at home here are awake, at some moment.
    pub(crate) fn awake(&self) -> usize {
        // Ordering: Relaxed: advice, see the field.
        self.awake.load(Ordering::Relaxed)
    }

    /// Whether a thread that is at home here may come to drive: one is awake, or waits for the
    /// seat that the caller holds. Advice, at some moment.
    pub(crate) fn is_wanted(&self) -> bool {
        self.awake() > 0 || self.seat.is_asked()
    }

    /// Rounds by `block_on` threads so far, at some moment.
    pub(crate) fn turns(&self) -> usize {
        // Ordering: Relaxed: advice, see the field.
        self.turns.load(Ordering::Relaxed)
    }

    /// Sources that are registered.
    pub(crate) fn source_count(&self) -> usize {
        self.sources.lock().len()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod timer_tests;
