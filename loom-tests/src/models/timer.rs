//! `Timer` as users have it, from a task on an executor elsewhere, against whoever drives its
//! shard.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::clock::instant;
use crate::driver::{Placed, place_in};
use crate::stage::{Stage, Task, spawn_round};
use crate::timer::Timer;
use crate::world::{now, rest, set_now};

fn stage() -> (Stage, Placed) {
    let stage = Stage::without_fallback();
    let placed = place_in(stage.shard());
    (stage, placed)
}

fn poll(timer: &mut Timer, task: &Task) -> Option<std::time::Instant> {
    let waker = task.waker();
    match Pin::new(timer).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(due) => Some(due),
        Poll::Pending => None,
    }
}

/// Waits as a task does: asserts that the timer fires, at this time and for this time.
fn fires_at(timer: &mut Timer, task: &Task, due: u64) {
    loop {
        if let Some(at) = poll(timer, task) {
            assert_eq!((at, now()), (instant(due), due));
            return;
        }
        task.wait();
    }
}

/// Asserts that the timer takes its entry with it.
fn end(stage: Stage, timer: Timer) {
    drop(timer);
    assert_eq!(stage.shard().timer_count(), 0);
    stage.end();
}

/// Asserts that the timer wakes its task at this time, though that does not poll in between.
fn wakes_and_ends(stage: Stage, mut timer: Timer, task: &Task, due: u64) {
    while task.wait() < due {}
    assert_eq!(poll(&mut timer, task), Some(instant(due)));
    end(stage, timer);
}

/// A timer that is polled by a task, and a clock at its deadline: it is due, and whoever drives
/// has not seen it.
fn due_at_5(task: &Task) -> Timer {
    let mut timer = Timer::at(instant(5));
    assert_eq!(poll(&mut timer, task), None);
    set_now(5);
    timer
}

/// A timer that is set to a later time while it fires wakes its task then, though that does not
/// poll in between.
pub(super) fn set_later_while_it_fires() {
    let (mut stage, _placed) = stage();
    let task = Task::new();
    let mut timer = due_at_5(&task);
    stage.start_fallback();
    timer.set_at(instant(7));
    wakes_and_ends(stage, timer, &task, 7);
}

/// A timer that is cleared while it fires, and then set again, fires when it was set to.
pub(super) fn cleared_while_it_fires() {
    let (mut stage, _placed) = stage();
    let task = Task::new();
    let mut timer = due_at_5(&task);
    stage.start_fallback();
    timer.clear();
    assert_eq!(poll(&mut timer, &task), None);
    timer.set_at(instant(9));
    wakes_and_ends(stage, timer, &task, 9);
}

/// A timer that another task polls while it fires wakes that one.
pub(super) fn handed_to_another_task_while_it_fires() {
    let (mut stage, _placed) = stage();
    let (first, second) = (Task::new(), Task::new());
    let mut timer = due_at_5(&first);
    stage.start_fallback();
    timer.set_at(instant(7));
    fires_at(&mut timer, &second, 7);
    end(stage, timer);
}

/// A timer that is dropped while it fires takes nothing from the one that comes into its place.
pub(super) fn dropped_while_it_fires() {
    let (mut stage, _placed) = stage();
    let (old, new) = (Task::new(), Task::new());
    let timer = due_at_5(&old);
    let driver = spawn_round(&stage.shard());
    drop(timer);
    let mut timer = Timer::at(instant(9));
    assert_eq!(poll(&mut timer, &new), None);
    driver.join();
    stage.start_fallback();
    fires_at(&mut timer, &new, 9);
    end(stage, timer);
}

/// A tick is taken while the waker of the one before is still out with the driver: the task
/// hears of the next, though it does not poll before.
pub(super) fn ticks_while_it_fires() {
    let (mut stage, _placed) = stage();
    let task = Task::new();
    let mut timer = Timer::interval_at(instant(5), std::time::Duration::from_nanos(5));
    let waker = task.waker();
    let cx = &mut Context::from_waker(&waker);
    assert!(Pin::new(&mut timer).poll_next(cx).is_pending());
    set_now(5);
    stage.start_fallback();
    assert_eq!(Pin::new(&mut timer).poll_next(cx), Poll::Ready(Some(instant(5))));
    while task.wait() < 10 {}
    assert_eq!(Pin::new(&mut timer).poll_next(cx), Poll::Ready(Some(instant(10))));
    end(stage, timer);
}

/// A tick is taken by a thread of another shard while the waker of the one before is still out with
/// the driver: the timer moves there, and the task hears of the next, though it does not poll
/// before.
pub(super) fn ticks_in_another_shard_while_it_fires() {
    let mut stage = Stage::without_fallback();
    let shards = [stage.reactor.assign(), stage.reactor.assign()];
    let placed = place_in(shards[0].clone());
    let task = Task::new();
    let mut timer = Timer::interval_at(instant(5), std::time::Duration::from_nanos(5));
    let waker = task.waker();
    let cx = &mut Context::from_waker(&waker);
    assert!(Pin::new(&mut timer).poll_next(cx).is_pending());
    drop(placed);
    let _placed = place_in(shards[1].clone());
    set_now(5);
    let round = spawn_round(&shards[0]);
    assert_eq!(Pin::new(&mut timer).poll_next(cx), Poll::Ready(Some(instant(5))));
    round.join();
    let entries = || shards.each_ref().map(|shard| shard.timer_count());
    assert_eq!(entries(), [0, 1]);
    stage.start_fallback();
    while task.wait() < 10 {}
    assert_eq!(Pin::new(&mut timer).poll_next(cx), Poll::Ready(Some(instant(10))));
    assert_eq!(entries(), [0, 1]);
    drop(timer);
    assert_eq!(entries(), [0, 0]);
    stage.end();
}

/// A timer is postponed and polled by a thread of another shard while its driver takes it for due:
/// it moves there, and is not early, and not late.
pub(super) fn polled_in_another_shard_while_it_fires() {
    let mut stage = Stage::without_fallback();
    let shards = [stage.reactor.assign(), stage.reactor.assign()];
    let placed = place_in(shards[0].clone());
    let task = Task::new();
    let mut timer = due_at_5(&task);
    drop(placed);
    let _placed = place_in(shards[1].clone());
    let round = spawn_round(&shards[0]);
    timer.set_at(instant(10));
    assert_eq!(poll(&mut timer, &task), None);
    round.join();
    assert_eq!(shards.each_ref().map(|shard| shard.timer_count()), [0, 1]);
    stage.start_fallback();
    fires_at(&mut timer, &task, 10);
    assert_eq!(shards.each_ref().map(|shard| shard.timer_count()), [0, 0]);
    stage.end();
}

/// A timer that is cleared before it is due wakes nobody.
pub(super) fn cleared_before_it_fires() {
    let (mut stage, _placed) = stage();
    let task = Task::new();
    let mut timer = Timer::at(instant(50));
    assert_eq!(poll(&mut timer, &task), None);
    stage.start_fallback();
    timer.clear();
    rest();
    assert!(!task.is_woken());
    end(stage, timer);
}

/// A timer that is made while whoever drives goes to sleep fires on time.
pub(super) fn made_while_the_driver_falls_asleep() {
    let (mut stage, _placed) = stage();
    stage.start_fallback();
    let task = Task::new();
    let mut timer = Timer::at(instant(50));
    fires_at(&mut timer, &task, 50);
    end(stage, timer);
}
