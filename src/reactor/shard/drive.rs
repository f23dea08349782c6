//! What the driver of a shard does: the methods of the guard.
//!
//! A round waits in the poller, dispatches its events, and expires due timers; one that may sleep
//! expires them before the wait, too. The wakers are collected into a [`Batch`] and woken when the
//! seat has been released, since waking runs user code, which may do anything: block, or call
//! `block_on`, which would want the seat. A round is bounded, in timers and in events.

use std::io;

use super::Shard;
use crate::clock::{self, NEVER};
use crate::handoff::{Driving, Parker};
use crate::reactor::timers::Sleeper;
use crate::reactor::{Batch, Round};
use crate::sync::{catch_panic, pause};
use crate::sys::{Poller, Polls, Until};

impl Driving<'_, Shard> {
    /// Runs a round without sleeping.
    pub(crate) fn run_round(&self, batch: &mut Batch) {
        batch.more = false;
        self.wait(batch, Until::Now);
        self.dispatch(batch, false);
    }

    /// As [`run_round`](Driving::run_round), but with few timers. For a thread whose tasks have more
    /// to do, or whoever stands in for it.
    pub(crate) fn run_short_round(&self, batch: &mut Batch) {
        batch.more = false;
        self.wait(batch, Until::Now);
        self.dispatch_some(batch, false, true);
    }

    /// Runs a round, parked in the poller until there is something to do, and releases the seat.
    /// Returns `true` if the owner of the parker was notified, which is then consumed. For
    /// `block_on` threads.
    pub(crate) fn park(self, parker: &Parker, batch: &mut Batch) -> bool {
        self.park_until(parker, batch, NEVER)
    }

    /// As [`park`](Driving::park), but until this wheel time at most.
    #[inline(always)]
    pub(crate) fn park_until(self, parker: &Parker, batch: &mut Batch, limit: u64) -> bool {
        batch.more = false;
        let until = self.expire(batch, limit);
        let mut notified = false;
        if until == Until::Now {
            self.wait(batch, until);
            self.dispatch(batch, false);
        } else if parker.enter_poller() {
            self.shard().succession.note_parked();
            self.wait(batch, until);
            self.shard().succession.note_awake();
            notified = parker.leave_poller();
            self.dispatch(batch, true);
        } else {
            batch.events.clear();
            let mut timers = self.shard().timers.lock();
            timers.set_sleeper(Sleeper::Nobody);
            timers.note_end();
            drop(timers);
            self.step_back();
            return true;
        }
        self.leave();
        notified
    }

    /// Releases the seat after a round by a thread that is not the fallback.
    pub(crate) fn leave(self) {
        let shard = self.shard();
        if shard.has_fallback {
            return self.release_after_round();
        }
        self.show_deadline();
        self.release_after_round();
        shard.succession.promote();
    }

    /// Releases the seat without having run a round.
    pub(super) fn step_back(self) {
        let shard = self.shard();
        if !shard.has_fallback {
            self.show_deadline();
            self.release();
            shard.succession.promote();
        }
    }

    /// Lets the poller become ready at the next deadline, if that is wanted, and at each earlier
    /// one that comes in until somebody drives again. For a driver that leaves the shard to nobody.
    #[cold]
    fn show_deadline(&self) {
        let mut timers = self.shard().timers.lock();
        if !timers.shows_deadline() {
            return;
        }
        let until = timers.sleep_until();
        timers.set_sleeper(Sleeper::Driver { until });
        drop(timers);
        // Where the poller cannot, the program has to ask for the next deadline.
        let _ = self.shard().poller.set_deadline(until);
    }

    /// Runs a round, parked in the poller until there is something to do or the seat is requested,
    /// and releases the seat. Returns `true` if it was requested. For the fallback.
    pub(crate) fn park_preemptibly(self, batch: &mut Batch) -> bool {
        batch.more = false;
        let until = self.expire(batch, NEVER);
        let parker = &self.shard().succession.fallback().parker;
        let mut slept = false;
        if until == Until::Now {
            self.wait(batch, until);
        } else if parker.enter_poller() {
            self.wait(batch, until);
            parker.leave_poller();
            slept = true;
        } else {
            // Those of the round before.
            batch.events.clear();
        }
        self.dispatch(batch, slept);
        self.release()
    }

    /// Releases the seat and leaves it watched: arms the shard's poller in the fallback's own unless
    /// it is still armed, and writes down until when the fallback will sleep, which it returns. On an
    /// error the seat is released and not watched.
    pub(crate) fn arm_and_release_watched(self, root: &Poller, is_armed: bool) -> io::Result<u64> {
        let shard = self.shard();
        // Armed after the round, so that what came since then makes it ready at once. If it was
        // armed before, that has done so, since the round left nothing.
        if !is_armed {
            root.arm_poller(&shard.poller, shard.index)?;
        }
        let mut timers = shard.timers.lock();
        let until = timers.sleep_until();
        timers.set_sleeper(Sleeper::Fallback { until });
        timers.note_sleep();
        drop(timers);
        self.release_watched();
        Ok(until)
    }

    /// Expires due timers and returns how long there is until the next, or until the limit.
    ///
    /// If that is not now, the caller is written down as asleep until then.
    #[inline(always)]
    fn expire(&self, batch: &mut Batch, limit: u64) -> Until {
        let mut timers = self.shard().timers.lock();
        let next = timers.next_deadline();
        if next != NEVER {
            let now = clock::wheel_now();
            if next <= now {
                batch.more = timers.fire(now, &mut batch.fired);
                #[cfg(feature = "tracing")]
                (batch.late = timers.take_late());
                if !batch.is_idle() {
                    return Until::Now;
                }
            }
        }
        let until = timers.sleep_until().min(limit);
        timers.note_sleep();
        timers.set_sleeper(Sleeper::Driver { until });
        Until::deadline(until)
    }

    /// Waits in the poller.
    pub(super) fn wait(&self, batch: &mut Batch, until: Until) {
        // It may call a subscriber of `tracing`, whose panic counts as an error of the poller.
        let mut waited = None;
        catch_panic(|| waited = Some(self.shard().poller.wait(&mut batch.events, until)));
        if !matches!(waited, Some(Ok(()))) {
            // Timers go on, looked at each millisecond; and the poller gets another chance.
            batch.events.clear();
            if until != Until::Now {
                pause();
            }
        }
    }

    /// The end of a round that is not short.
    fn dispatch(&self, batch: &mut Batch, slept: bool) {
        self.dispatch_some(batch, slept, false);
    }

    /// Collects the wakers that the events are for, and those of timers that are due after the
    /// wait, of few if the round is short.
    #[inline(always)]
    fn dispatch_some(&self, batch: &mut Batch, slept: bool, is_short: bool) {
        let Batch {
            events: list,
            wakers,
            fired,
            more,
            #[cfg(feature = "tracing")]
            late,
        } = batch;
        let mut events = list.iter().peekable();
        let has_events = events.peek().is_some();
        if has_events {
            let index = self.shard().index;
            let mut sources = self.shard().sources.lock();
            events.for_each(|event| sources.on_event(index, event, wakers));
        }
        let mut timers = self.shard().timers.lock();
        timers.set_sleeper(Sleeper::Nobody);
        if fired.is_empty() && timers.next_deadline() != NEVER {
            let now = clock::wheel_now();
            *more = if is_short { timers.fire_few(now, fired) } else { timers.fire(now, fired) };
        }
        #[cfg(feature = "tracing")]
        (*late = timers.take_late().or(late.take()));
        timers.note_end();
        let has_fired = !fired.is_empty();
        timers.note_round(Round {
            slept,
            has_events,
            has_fired,
            was_notified: slept && !has_events && !has_fired && list.has_notification(),
            wakes: wakers.len() + fired.len(),
        });
    }
}
