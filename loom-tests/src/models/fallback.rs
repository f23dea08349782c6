//! The fallback: what unparks it, what it arms, and when it may sleep.

use std::sync::atomic::Ordering;

use crate::reactor::{Batch, Slack};
use crate::stage::{Flag, Io, Stage, TWO_BACKOFFS, Task};
use crate::world::{moves, now, rest, spawn};

/// An event at a vacant shard at any moment while the fallback looks, arms the shard's poller
/// or goes to sleep is noticed at once.
pub(super) fn an_event_meets_the_arming() {
    let (stage, _, io) = Stage::new().with_source(true);
    let task = io.pending_task();
    io.pipe.arrive();
    assert_eq!(task.wait(), 0);
    stage.end_with([io]);
}

/// Events at two vacant shards at once, while the fallback sleeps: both are noticed at once.
pub(super) fn two_pollers_get_ready() {
    let mut stage = Stage::without_fallback();
    let shards = [stage.reactor.assign(), stage.reactor.assign()];
    let ios = shards.each_ref().map(|shard| Io::new(&stage, shard, true));
    let tasks = ios.each_ref().map(Io::pending_task);
    stage.start_fallback();
    rest();
    let other = ios[1].spawn_arrival("other");
    ios[0].pipe.arrive();
    tasks.iter().for_each(|task| assert_eq!(task.wait(), 0));
    other.join();
    stage.end_with(ios);
}

/// A thread in `block_on` that drove a moment ago and now computes: an event at its shard is
/// noticed within two backoffs.
pub(super) fn an_event_at_a_busy_threads_shard() {
    let (stage, shard, io) = Stage::new().with_source(true);
    shard.succession().note_awake();
    shard.run_round_if_vacant(&mut Batch::new());
    let task = io.pending_task();
    io.pipe.arrive();
    // Waiters without driving stands for computing.
    assert!(task.wait() <= TWO_BACKOFFS);
    shard.succession().note_parked();
    stage.end_with([io]);
}

/// The same for one that slept after it drove, so that the fallback has armed its shard, and is
/// up again.
pub(super) fn an_event_at_an_awake_again_thread() {
    let (stage, shard, io) = Stage::new().with_source(true);
    let task = io.pending_task();
    shard.succession().note_awake();
    shard.run_round_if_vacant(&mut Batch::new());
    shard.succession().note_parked();
    io.pipe.arrive();
    shard.succession().note_awake();
    assert!(task.wait() <= TWO_BACKOFFS);
    shard.succession().note_parked();
    stage.end_with([io]);
}

/// The same for a timer.
pub(super) fn a_timer_at_a_busy_threads_shard() {
    let stage = Stage::new();
    let shard = stage.shard();
    let task = Task::new();
    shard.succession().note_awake();
    shard.run_round_if_vacant(&mut Batch::new());
    shard.insert_timer(50, Slack::UNSET, task.waker());
    assert!(task.wait() <= 50 + TWO_BACKOFFS);
    shard.succession().note_parked();
    stage.end();
}

/// A shard made while the fallback goes to sleep, or sleeps, is serviced from then on.
pub(super) fn a_shard_is_added() {
    let stage = Stage::new();
    // Somebody is at home in the first shard.
    assert_eq!(stage.reactor.assign().index(), 0);
    let shard = stage.reactor.assign();
    assert_eq!(shard.index(), 1);
    let io = Io::new(&stage, &shard, true);
    let task = io.pending_task();
    io.pipe.arrive();
    assert_eq!(task.wait(), 0);
    let timer = Task::new();
    shard.insert_timer(50, Slack::UNSET, timer.waker());
    assert_eq!(timer.wait(), 50);
    stage.end_with([io]);
}

/// When all `block_on` calls sleep in their pollers, so does the fallback, without a limit; and
/// again after they have returned.
pub(super) fn rest_is_rest() {
    let stage = Stage::new();
    let flag = Flag::default();
    let sleeper = flag.spawn_call("sleeper", &stage.shard());
    rest();
    assert!(moves() <= 2, "time moved {} times", moves());
    let looks = stage.looks.load(Ordering::SeqCst);
    assert!(looks <= 5, "{looks} looks");
    flag.set();
    sleeper.join();
    rest();
    let looks = stage.looks.load(Ordering::SeqCst) - looks;
    assert!(looks <= 4, "{looks} looks more");
    assert!(now() <= 2 * TWO_BACKOFFS);
    stage.end();
}

/// A busy thread that drives a round now and then passes its seat to and from the fallback, and
/// nothing that came to its shard is left lying when it stops.
pub(super) fn a_busy_thread_takes_turns() {
    let stage = Stage::new();
    let shard = stage.shard();
    let task = Task::new();
    let busy = spawn("busy", {
        let shard = shard.clone();
        move || {
            shard.succession().note_awake();
            let mut batch = Batch::new();
            shard.run_round_if_vacant(&mut batch);
            shard.run_round_if_vacant(&mut batch);
            shard.succession().note_parked();
        }
    });
    shard.insert_timer(50, Slack::UNSET, task.waker());
    assert!(task.wait() <= 50 + TWO_BACKOFFS);
    busy.join();
    stage.end();
}
