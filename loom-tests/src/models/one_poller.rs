//! Where pollers cannot be polled by one another: one shard, with the fallback in its seat.

use crate::handoff::Busy;
use crate::stage::{Flag, Io, Stage, TWO_BACKOFFS, Task, block_on};
use crate::world::{now, rest, spawn};

/// A `block_on` call and the fallback in one seat: an event is noticed at once, whoever drives.
pub(super) fn event_meets_the_change_of_drivers() {
    let mut stage = Stage::without_fallback();
    let shard = stage.shard();
    let io = Io::new(&stage, &shard, false);
    stage.start_fallback();
    let reader = spawn("reader", {
        let (shard, io) = (shard.clone(), io.clone());
        move || block_on(&shard, io.read())
    });
    io.pipe.arrive();
    reader.join();
    assert_eq!(now(), 0);
    io.end(&stage);
    stage.end();
}

/// A `block_on` call that finds the fallback asleep in the seat gets it, and the fallback goes
/// to sleep elsewhere.
pub(super) fn requester_gets_the_seat() {
    loom::stop_exploring();
    let stage = Stage::new();
    let shard = stage.shard();
    rest();
    assert_eq!(shard.try_acquire().err(), Some(Busy::Preemptible));
    loom::explore();
    let flag = Flag::default();
    let call = spawn("call", {
        let (shard, flag) = (shard.clone(), flag.clone());
        move || block_on(&shard, flag.wait())
    });
    rest();
    assert_eq!(shard.try_acquire().err(), Some(Busy::Held));
    flag.set();
    call.join();
    stage.end();
}

/// Two calls ask the fallback for its seat at once: both return.
pub(super) fn two_request_at_once() {
    let stage = Stage::new();
    let shard = stage.shard();
    let flags = [Flag::default(), Flag::default()];
    let calls = [("first", &flags[0]), ("second", &flags[1])].map(|(name, flag)| {
        let (shard, flag) = (shard.clone(), flag.clone());
        spawn(name, move || block_on(&shard, flag.wait()))
    });
    flags.iter().for_each(Flag::set);
    calls.into_iter().for_each(|call| call.join());
    assert!(now() <= TWO_BACKOFFS);
    stage.end();
}

/// The last `block_on` call returns while the fallback goes to sleep: an event after that is
/// noticed by the fallback, within two backoffs.
pub(super) fn last_call_returns() {
    let stage = Stage::new();
    let shard = stage.shard();
    let io = Io::new(&stage, &shard, false);
    let task = Task::new();
    assert!(io.poll_readable(&task.waker()).is_pending());
    let flag = Flag::default();
    let last = spawn("last", {
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

/// A timer inserted at any moment while the fallback acquires the seat fires on time.
pub(super) fn earlier_insert_wakes_the_driving_fallback() {
    let stage = Stage::new();
    let shard = stage.shard();
    let late = shard.insert_timer(100, Task::new().waker());
    let task = Task::new();
    shard.insert_timer(50, task.waker());
    assert_eq!(task.wait(), 50);
    shard.remove_timer(late);
    stage.end();
}
