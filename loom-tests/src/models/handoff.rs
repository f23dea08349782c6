//! The seat, and how a shard passes between followers and the fallback.

use std::sync::Arc;
// For what the models count; loom need not know.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use loom::cell::UnsafeCell;

use crate::handoff::Busy;
use crate::handoff::seat::Seat;
use crate::reactor::{Batch, Shard};
use crate::stage::{Flag, Stage, TWO_BACKOFFS};
use crate::sync::Ref;
use crate::world::{Thread, now, rest, spawn};

/// The release of a seat that the fallback watched while it was held says so, once; and none does
/// if the fallback found it vacant.
pub(super) fn watch_meets_release() {
    let seat = Arc::new(Seat::new());
    assert_eq!(seat.try_acquire(), Ok(()));
    let unparked = Arc::new(AtomicUsize::new(0));
    let holder = spawn("holder", {
        let (seat, unparked) = (seat.clone(), unparked.clone());
        move || {
            unparked.fetch_add(usize::from(seat.release().watched), Ordering::SeqCst);
            // Comes back, as a call does that was woken.
            assert_eq!(seat.try_acquire(), Ok(()));
            unparked.fetch_add(usize::from(seat.release().watched), Ordering::SeqCst);
        }
    });
    let watched = seat.watch();
    holder.join();
    assert_eq!(usize::from(watched), unparked.load(Ordering::SeqCst));
}

/// Of those who acquire and release a seat that was released watched, exactly one, the first, has
/// to unpark the fallback.
pub(super) fn watched_release_unparks_once() {
    let seat = Arc::new(Seat::new());
    assert_eq!(seat.try_acquire(), Ok(()));
    assert!(!seat.release_watched());
    let visit = |seat: &Seat| seat.try_acquire().is_ok().then(|| seat.release().watched);
    let unparked = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let threads = ["first", "second"].map(|name| {
        let (seat, unparked) = (seat.clone(), unparked.clone());
        spawn(name, move || {
            if let Some(watched) = visit(&seat) {
                unparked[usize::from(watched)].fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join());
    assert_eq!(unparked[1].load(Ordering::SeqCst), 1);
    assert!(!seat.is_vacant_and_watched());
}

/// A request for a preemptible seat is known to the fallback when it releases it, in either way, or
/// finds it left already.
pub(super) fn requested_seat_is_released() {
    request_and_release(false);
}

/// The same for a seat that is released watched.
pub(super) fn requested_seat_is_released_watched() {
    request_and_release(true);
}

fn request_and_release(watched: bool) {
    let seat = Arc::new(Seat::new());
    assert!(seat.try_acquire_preemptible());
    let counts_on_it = Arc::new(AtomicBool::new(false));
    let requester = spawn("requester", {
        let (seat, counts_on_it) = (seat.clone(), counts_on_it.clone());
        move || counts_on_it.store(seat.request(), Ordering::SeqCst)
    });
    let requested = if watched { seat.release_watched() } else { seat.release().requested };
    // A call takes it meanwhile, which nobody asks: it does not leave for others' sake.
    assert_eq!(seat.try_acquire(), Ok(()));
    assert!(!seat.release().requested);
    requester.join();
    assert_eq!(requested, counts_on_it.load(Ordering::SeqCst));
}

/// A seat and what it guards.
struct Guarded {
    seat: Seat,
    value: UnsafeCell<usize>,
}

// SAFETY: this is what the model checks: loom fails it if two threads reach the value at once
// or do not see each other's writes.
unsafe impl Sync for Guarded {}

impl Guarded {
    /// One round with the seat, if it is vacant.
    fn visit(&self, watched: bool) {
        if self.seat.try_acquire().is_ok() {
            // SAFETY: as above.
            self.value.with_mut(|value| unsafe { *value += 1 });
            if watched {
                let _ = self.seat.release_watched();
            } else {
                let _ = self.seat.release();
            }
        }
    }
}

/// One at a time holds the seat, and sees what the one before did with what it guards, however
/// that one left.
pub(super) fn next_driver_sees_the_last() {
    let guarded = Arc::new(Guarded { seat: Seat::new(), value: UnsafeCell::new(0) });
    let threads = [("watcher", true), ("visitor", false)].map(|(name, watched)| {
        let guarded = guarded.clone();
        spawn(name, move || guarded.visit(watched))
    });
    guarded.visit(false);
    threads.into_iter().for_each(|thread| thread.join());
}

/// Two `block_on` calls on one shard: when the one that drives is done, what the other waits
/// for is noticed by itself or the fallback, within two backoffs.
pub(super) fn followers() {
    let (mut stage, shard, io) = Stage::without_fallback().with_source(true);
    let flag = Flag::default();
    stage.start_fallback();
    let first = flag.spawn_call("first", &shard);
    let second = io.spawn_call("second", &shard);
    flag.set();
    io.pipe.arrive();
    first.join();
    second.join();
    assert!(now() <= TWO_BACKOFFS);
    stage.end_with([io]);
}

/// Two `block_on` calls on one shard, and no fallback: it is inside somebody's waker. When the
/// one that drives is done, the other takes over.
pub(super) fn follower_is_promoted() {
    first_call_ends(Stage::without_fallback(), |_| None);
}

/// The same when the call ends during a round of the fallback's, which after that is inside
/// somebody's waker.
pub(super) fn follower_is_promoted_after_a_round() {
    first_call_ends(Stage::without_fallback(), |shard| {
        let shard = shard.clone();
        let round = move || {
            if let Some(driving) = shard.try_acquire_preemptible() {
                let mut batch = Batch::new();
                driving.run_round(&mut batch);
                drop(driving);
                batch.wake(&shard);
            }
        };
        Some(spawn("fallback", round))
    });
}

/// Of two calls the one that drives is done, while another thread may run as well; then what the
/// other call reads arrives.
pub(super) fn first_call_ends(stage: Stage, another: impl FnOnce(&Ref<Shard>) -> Option<Thread>) {
    let (stage, shard, io) = stage.with_source(true);
    let flag = Flag::default();
    let first = flag.spawn_call("first", &shard);
    let second = io.spawn_call("second", &shard);
    let another = another(&shard);
    flag.set();
    first.join();
    another.into_iter().for_each(Thread::join);
    io.pipe.arrive();
    second.join();
    assert_eq!(now(), 0);
    stage.end_with([io]);
}

/// The same with a third in between, which may be the one that the first promotes, just
/// when its call ends.
pub(super) fn promoted_call_promotes_the_next() {
    two_calls_end(Stage::without_fallback());
}

pub(super) fn two_calls_end(stage: Stage) {
    let (stage, shard, io) = stage.with_source(true);
    let flags = [Flag::default(), Flag::default()];
    let calls = [("first", &flags[0]), ("second", &flags[1])]
        .map(|(name, flag)| flag.spawn_call(name, &shard));
    let last = io.spawn_call("last", &shard);
    flags.iter().for_each(Flag::set);
    calls.into_iter().for_each(|call| call.join());
    io.pipe.arrive();
    last.join();
    assert_eq!(now(), 0);
    stage.end_with([io]);
}

/// The last `block_on` call returns while the fallback goes to sleep: an event after that is
/// noticed by the fallback, within two backoffs.
pub(super) fn last_call_returns() {
    event_after_the_last_call(true);
}

pub(super) fn event_after_the_last_call(edge: bool) {
    let (stage, shard, io) = Stage::new().with_source(edge);
    let task = io.pending_task();
    let flag = Flag::default();
    let last = flag.spawn_call("last", &shard);
    flag.set();
    last.join();
    io.pipe.arrive();
    assert!(task.wait() <= TWO_BACKOFFS);
    stage.end_with([io]);
}

/// A call that finds the fallback in its seat gets the seat when the round is over, and what it
/// waits for is noticed without any time passing.
pub(super) fn requester_gets_the_seat() {
    call_gets_the_seat(Stage::new());
}

pub(super) fn call_gets_the_seat(stage: Stage) {
    let shard = stage.shard();
    let flag = Flag::default();
    let call = flag.spawn_call("call", &shard);
    rest();
    assert_eq!(shard.try_acquire().err(), Some(Busy::Held));
    flag.set();
    call.join();
    stage.end();
}

/// An event at any moment while the seat passes between the fallback and a call is noticed at
/// once by one of them.
pub(super) fn event_meets_the_change_of_drivers() {
    event_meets_drivers(true);
}

pub(super) fn event_meets_drivers(edge: bool) {
    let (mut stage, shard, io) = Stage::without_fallback().with_source(edge);
    stage.start_fallback();
    let reader = io.spawn_call("reader", &shard);
    io.pipe.arrive();
    reader.join();
    assert_eq!(now(), 0);
    stage.end_with([io]);
}
