//! The seat, and how a shard passes between siblings and the fallback.

use std::sync::Arc;
// For what the models count; loom need not know.
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::cell::UnsafeCell;

use crate::handoff::{Seat, Took};
use crate::stage::{Flag, Io, Stage, TWO_BACKOFFS, Task, block_on};
use crate::world::{now, spawn};

/// Whoever holds a seat when the fallback watches it says so on leaving, once; and nobody does
/// if the fallback found it vacant.
pub(super) fn watch_meets_leave() {
    let seat = Arc::new(Seat::new());
    assert_eq!(seat.try_take(), Took::Seat);
    let told = Arc::new(AtomicUsize::new(0));
    let holder = spawn({
        let (seat, told) = (seat.clone(), told.clone());
        move || {
            told.fetch_add(usize::from(seat.leave().watched), Ordering::SeqCst);
            // Comes back, as a call does that was woken.
            assert_eq!(seat.try_take(), Took::Seat);
            told.fetch_add(usize::from(seat.leave().watched), Ordering::SeqCst);
        }
    });
    let watched = seat.watch();
    holder.join();
    assert_eq!(usize::from(watched), told.load(Ordering::SeqCst));
}

/// Of those who take and leave a seat that was left watched, exactly one, the first, has to
/// tell the fallback.
pub(super) fn a_watched_seat_is_told_of_once() {
    let seat = Arc::new(Seat::new());
    assert_eq!(seat.try_take(), Took::Seat);
    seat.leave_watched();
    let visit = |seat: &Seat| (seat.try_take() == Took::Seat).then(|| seat.leave().watched);
    let told = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let threads = [(); 2].map(|()| {
        let (seat, told) = (seat.clone(), told.clone());
        spawn(move || {
            if let Some(watched) = visit(&seat) {
                told[usize::from(watched)].fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join());
    assert_eq!(told[1].load(Ordering::SeqCst), 1);
    assert!(!seat.is_vacant_and_watched());
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
    /// One turn in the seat, if it is vacant.
    fn visit(&self, watched: bool) {
        if self.seat.try_take() == Took::Seat {
            // SAFETY: as above.
            self.value.with_mut(|value| unsafe { *value += 1 });
            if watched {
                self.seat.leave_watched();
            } else {
                let _ = self.seat.leave();
            }
        }
    }
}

/// One at a time holds the seat, and sees what the one before did with what it guards, however
/// that one left.
pub(super) fn the_seat_hands_over() {
    let guarded = Arc::new(Guarded { seat: Seat::new(), value: UnsafeCell::new(0) });
    let threads = [true, false].map(|watched| {
        let guarded = guarded.clone();
        spawn(move || guarded.visit(watched))
    });
    guarded.visit(false);
    threads.into_iter().for_each(|thread| thread.join());
}

/// Two `block_on` calls on one shard: when the one that drives is done, what the other waits
/// for is noticed by itself or the fallback, within two back-offs.
pub(super) fn siblings() {
    let mut stage = Stage::without_fallback();
    let shard = stage.shard();
    let io = Io::new(&stage, &shard, true);
    let flag = Flag::default();
    stage.start_fallback();
    let first = spawn({
        let (shard, flag) = (shard.clone(), flag.clone());
        move || block_on(&shard, flag.wait())
    });
    let second = spawn({
        let (shard, io) = (shard.clone(), io.clone());
        move || block_on(&shard, io.read())
    });
    flag.set();
    io.pipe.arrive();
    first.join();
    second.join();
    assert!(now() <= TWO_BACKOFFS);
    io.end(&stage);
    stage.end();
}

/// The last `block_on` call returns while the fallback goes to sleep: an event after that is
/// noticed by the fallback, within two back-offs.
pub(super) fn the_last_leaves() {
    let stage = Stage::new();
    let shard = stage.shard();
    let io = Io::new(&stage, &shard, true);
    let task = Task::new();
    assert!(io.poll_readable(&task.waker()).is_pending());
    let flag = Flag::default();
    let last = spawn({
        let (shard, flag) = (shard.clone(), flag.clone());
        move || block_on(&shard, flag.wait())
    });
    flag.set();
    last.join();
    io.pipe.arrive();
    assert!(task.wait() <= TWO_BACKOFFS);
    io.end(&stage);
    stage.end();
}

/// A call that finds the fallback in the seat parks, and is woken for what it waits for
/// without any time passing.
pub(super) fn a_sibling_parks_while_the_fallback_sits() {
    let mut stage = Stage::without_fallback();
    let shard = stage.shard();
    let io = Io::new(&stage, &shard, true);
    stage.start_fallback();
    let reader = spawn({
        let (shard, io) = (shard.clone(), io.clone());
        move || block_on(&shard, io.read())
    });
    io.pipe.arrive();
    reader.join();
    assert!(now() <= TWO_BACKOFFS);
    io.end(&stage);
    stage.end();
}
