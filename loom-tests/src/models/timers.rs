//! Timers: the sleeper's deadline against inserts, and expiry against changes.

use crate::reactor::{Batch, Shard, Slack, TimerKey};
use crate::stage::{Flag, Stage, Task, block_on, spawn_insert, spawn_round};
use crate::sync::Ref;
use crate::world::{now, set_now, spawn};

/// A timer inserted by another thread at any moment while the driver plans, publishes its
/// deadline or sleeps fires on time, though the driver was to sleep longer.
pub(super) fn an_earlier_insert_wakes_the_driver() {
    let stage = Stage::without_fallback();
    let shard = stage.shard();
    let late = shard.insert_timer(100, Slack::UNSET, Task::new().waker());
    let flag = Flag::default();
    let inserter = spawn_insert("inserter", &shard, 50, flag.setter());
    block_on(&shard, flag.wait());
    assert_eq!(now(), 50);
    inserter.join();
    shard.remove_timer(late);
}

/// A timer with a slack that is inserted at any moment fires before its slack ends, and not early,
/// though the driver was to sleep longer.
pub(super) fn an_earlier_slack_wakes_the_driver() {
    let stage = Stage::without_fallback();
    let shard = stage.shard();
    let late = shard.insert_timer(100, Slack::UNSET, Task::new().waker());
    let flag = Flag::default();
    let inserter = spawn("inserter", {
        let (shard, waker) = (shard.clone(), flag.setter());
        let slack = Slack::of(std::time::Duration::from_nanos(20));
        move || {
            shard.insert_timer(50, slack, waker);
        }
    });
    block_on(&shard, flag.wait());
    assert!((50..=70).contains(&now()), "at {}", now());
    inserter.join();
    shard.remove_timer(late);
}

/// A timer that is moved to an earlier deadline, twice, wakes the driver as well.
pub(super) fn an_earlier_move_wakes_the_driver() {
    let stage = Stage::without_fallback();
    let shard = stage.shard();
    let flag = Flag::default();
    let key = shard.insert_timer(100, Slack::UNSET, flag.setter());
    let mover = spawn("mover", {
        let shard = shard.clone();
        move || {
            shard.reschedule_timer(key, 50);
            shard.reschedule_timer(key, 20);
        }
    });
    block_on(&shard, flag.wait());
    assert!(now() <= 50);
    mover.join();
    shard.remove_timer(key);
}

/// A timer inserted at any moment while the fallback looks, publishes its deadline or sleeps
/// fires on time.
pub(super) fn an_earlier_insert_wakes_the_fallback() {
    let stage = Stage::new();
    let shard = stage.shard();
    let late = shard.insert_timer(100, Slack::UNSET, Task::new().waker());
    let task = Task::new();
    shard.insert_timer(50, Slack::UNSET, task.waker());
    assert_eq!(task.wait(), 50);
    shard.remove_timer(late);
    stage.end();
}

/// A timer inserted at any moment while the seat passes between the fallback and a `block_on`
/// call wakes whichever of them sleeps: it fires on time.
pub(super) fn an_earlier_insert_wakes_whoever_sleeps() {
    let stage = Stage::new();
    let shard = stage.shard();
    let flag = Flag::default();
    let driver = flag.spawn_call("driver", &shard);
    shard.insert_timer(50, Slack::UNSET, flag.setter());
    driver.join();
    assert_eq!(now(), 50);
    stage.end();
}

/// Two threads that insert at once, each timer earlier than what the fallback counts on: both
/// fire on time.
pub(super) fn two_inserts_wake_the_fallback() {
    let stage = Stage::new();
    let shard = stage.shard();
    let (first, second) = (Task::new(), Task::new());
    let other = spawn_insert("other", &shard, 50, first.waker());
    shard.insert_timer(20, Slack::UNSET, second.waker());
    assert_eq!(second.wait(), 20);
    assert_eq!(first.wait(), 50);
    other.join();
    stage.end();
}

/// A timer taken out while another thread expires it leaves its place to the next, which
/// keeps its own waker.
pub(super) fn cancelled_against_expiry() {
    let stage = Stage::without_fallback();
    let shard = stage.shard();
    let (old, new) = (Task::new(), Task::new());
    let key = shard.insert_timer(5, Slack::UNSET, old.waker());
    set_now(5);
    let driver = spawn_round(&shard);
    shard.remove_timer(key);
    let key = shard.insert_timer(9, Slack::UNSET, new.waker());
    driver.join();
    assert!(!new.is_woken());
    set_now(9);
    shard.run_round_if_vacant(&mut Batch::new());
    assert!(new.is_woken());
    shard.remove_timer(key);
}

/// A stage at this time, with a fallback that starts, and a task's timer that is due since 5.
fn due_since_5(now: u64) -> (Stage, Ref<Shard>, Task, TimerKey) {
    let mut stage = Stage::without_fallback();
    let (shard, task) = (stage.shard(), Task::new());
    let key = shard.insert_timer(5, Slack::UNSET, task.waker());
    set_now(now);
    stage.start_fallback();
    (stage, shard, task, key)
}

/// A timer moved to a later deadline while it fires wakes its task at that deadline, though
/// nobody polls it in between.
pub(super) fn moved_against_expiry() {
    let (stage, shard, task, key) = due_since_5(5);
    let driver = spawn_round(&shard);
    shard.reschedule_timer(key, 7);
    while task.wait() < 7 {}
    driver.join();
    shard.remove_timer(key);
    stage.end();
}

/// A timer that is due again while its waker is still out with the thread that expired it
/// wakes its task once more.
pub(super) fn due_again_while_the_waker_is_out() {
    let (stage, shard, task, key) = due_since_5(9);
    let driver = spawn_round(&shard);
    task.wait();
    shard.reschedule_timer(key, 7);
    task.wait();
    driver.join();
    shard.remove_timer(key);
    stage.end();
}

/// A timer that another task polls while it fires wakes that one at its new deadline.
pub(super) fn refreshed_against_expiry() {
    let (stage, shard, _old, key) = due_since_5(5);
    let new = Task::new();
    shard.refresh_timer(key, 7, &new.waker());
    while new.wait() < 7 {}
    shard.remove_timer(key);
    stage.end();
}
