//! The reactor without the fallback thread: the one shard passes between threads in `block_on` and
//! in `drive`, and shows its deadlines to another event loop.

use std::sync::Arc;
// For what the models count; loom need not know.
use std::sync::atomic::AtomicUsize;
use std::task::{Wake, Waker};

use super::handoff;
use crate::clock::NEVER;
use crate::reactor::{Reactor, Shard, Slack};
use crate::stage::{Flag, Stage, Task, block_on, drive, spawn_insert};
use crate::sync::{AtomicU8, Ordering, Ref};
use crate::world::{Thread, now, rest, spawn};

/// Starts a thread whose `block_on` call waits for the flag, and then computes until it is let go.
#[track_caller]
fn spawn_busy(name: &'static str, shard: &Ref<Shard>, flag: &Flag, let_go: &Task) -> Thread {
    let (shard, flag, let_go) = (shard.clone(), flag.clone(), let_go.clone());
    spawn(name, move || {
        block_on(&shard, async {
            flag.wait().await;
            let_go.wait();
        });
    })
}

/// A call whose future begins to compute at any moment, while it drives or is about to, leaves an
/// event to the call that follows.
pub(super) fn busy_driver_promotes_a_follower() {
    let (stage, shard, io) = Stage::self_driven().with_source(true);
    let (flag, let_go) = (Flag::default(), Task::new());
    let busy = spawn_busy("busy", &shard, &flag, &let_go);
    let follower = io.spawn_call("follower", &shard);
    flag.set();
    io.pipe.arrive();
    follower.join();
    let_go.waker().wake();
    busy.join();
    assert_eq!(now(), 0);
    stage.end_with([io]);
}

/// The same for a timer, which is on time.
pub(super) fn busy_driver_leaves_a_timer() {
    let stage = Stage::self_driven();
    let shard = stage.shard();
    let (flag, let_go, rings) = (Flag::default(), Task::new(), Flag::default());
    let busy = spawn_busy("busy", &shard, &flag, &let_go);
    let follower = rings.spawn_call("follower", &shard);
    flag.set();
    shard.insert_timer(50, Slack::UNSET, rings.setter());
    follower.join();
    assert_eq!(now(), 50);
    let_go.waker().wake();
    busy.join();
    stage.end();
}

/// A call that was promoted, and whose future begins to compute at the same time, leaves an event
/// to the next.
pub(super) fn busy_follower_promotes_the_next() {
    let (stage, shard, io) = Stage::self_driven().with_source(true);
    let (flags, let_go) = ([Flag::default(), Flag::default()], [Task::new(), Task::new()]);
    let busy = [("first", 0), ("second", 1)]
        .map(|(name, n)| spawn_busy(name, &shard, &flags[n], &let_go[n]));
    let last = io.spawn_call("last", &shard);
    flags.iter().for_each(Flag::set);
    io.pipe.arrive();
    last.join();
    let_go.iter().for_each(|task| task.waker().wake());
    busy.into_iter().for_each(Thread::join);
    assert_eq!(now(), 0);
    stage.end_with([io]);
}

/// A call that ends leaves an event to the call that follows.
pub(super) fn follower_is_promoted() {
    handoff::first_call_ends(Stage::self_driven(), |_| None);
}

/// The same with a call in between that ends as well.
pub(super) fn promoted_call_promotes_the_next() {
    handoff::two_calls_end(Stage::self_driven());
}

/// Work for an executor whose thread sleeps in `drive`. The notification has to make it visible.
#[derive(Clone)]
struct Work(Arc<Executor>);

struct Executor {
    has_work: AtomicU8,
    reactor: Ref<Reactor>,
}

impl Work {
    fn new(stage: &Stage) -> Work {
        Work(Arc::new(Executor { has_work: AtomicU8::new(0), reactor: stage.reactor.clone() }))
    }

    fn submit(&self) {
        self.0.has_work.store(1, Ordering::Relaxed);
        self.0.reactor.notify();
    }

    /// Returns the waker of a task of the executor's.
    fn waker(&self) -> Waker {
        Waker::from(self.0.clone())
    }

    fn is_there(&self) -> bool {
        self.0.has_work.load(Ordering::Relaxed) == 1
    }

    fn drive_until_there(&self) {
        let mut heard = 0;
        while !self.is_there() {
            drive(&self.0.reactor, NEVER, &mut heard);
        }
    }

    /// Starts the executor's thread.
    #[track_caller]
    fn spawn_executor(&self) -> Thread {
        let work = self.clone();
        spawn("executor", move || work.drive_until_there())
    }

    /// Starts a thread that submits the work.
    #[track_caller]
    fn spawn_submit(&self) -> Thread {
        let work = self.clone();
        spawn("notifier", move || work.submit())
    }
}

impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        Work(self).submit();
    }
}

/// A `block_on` call that begins to compute at any moment leaves an event to a `drive` that
/// follows.
pub(super) fn busy_driver_promotes_a_drive() {
    let (stage, shard, io) = Stage::self_driven().with_source(true);
    let work = Work::new(&stage);
    assert!(io.poll_readable(&work.waker()).is_pending());
    let (flag, let_go) = (Flag::default(), Task::new());
    let busy = spawn_busy("busy", &shard, &flag, &let_go);
    let executor = work.spawn_executor();
    flag.set();
    io.pipe.arrive();
    executor.join();
    let_go.waker().wake();
    busy.join();
    assert_eq!(now(), 0);
    stage.end_with([io]);
}

/// A `drive` that returns at any moment, with or without having slept, leaves an event to the call
/// that follows.
pub(super) fn drive_promotes_a_follower() {
    drive_returns(Stage::self_driven(), NEVER);
}

/// The same for one that does not sleep.
pub(super) fn drive_without_sleep_promotes_a_follower() {
    drive_returns(Stage::self_driven(), 0);
}

/// The same where there is a fallback, which is inside somebody's waker.
pub(super) fn drive_promotes_a_follower_of_the_fallbacks() {
    drive_returns(Stage::without_fallback(), NEVER);
}

fn drive_returns(stage: Stage, limit: u64) {
    let (stage, shard, io) = stage.with_source(true);
    let other = spawn("drives", {
        let reactor = stage.reactor.clone();
        move || {
            drive(&reactor, limit, &mut 0);
        }
    });
    let follower = io.spawn_call("follower", &shard);
    stage.reactor.notify();
    other.join();
    io.pipe.arrive();
    follower.join();
    assert_eq!(now(), 0);
    stage.end_with([io]);
}

/// A `drive` with a limit returns when that is over, though a `block_on` call drives; and if it is
/// promoted at that moment, it leaves an event to the next.
pub(super) fn drive_follows_until_its_limit() {
    let (stage, shard, io) = Stage::self_driven().with_source(true);
    let (flag, let_go) = (Flag::default(), Task::new());
    shard.insert_timer(30, Slack::UNSET, flag.setter());
    let busy = spawn_busy("busy", &shard, &flag, &let_go);
    let limited = spawn("limited", {
        let reactor = stage.reactor.clone();
        move || {
            drive(&reactor, 30, &mut 0);
            assert!(now() <= 30);
        }
    });
    let follower = io.spawn_call("follower", &shard);
    limited.join();
    io.pipe.arrive();
    follower.join();
    assert!(now() <= 30);
    // Its timer fires in any case.
    while now() < 30 {
        drive(&stage.reactor, 30, &mut 0);
    }
    drive(&stage.reactor, 0, &mut 0);
    let_go.waker().wake();
    busy.join();
    stage.end_with([io]);
}

/// A notification at any moment ends a `drive` that is about to sleep, or sleeps in the poller.
pub(super) fn notification_meets_drive() {
    notification_meets(Stage::self_driven());
}

/// The same where there is a fallback.
pub(super) fn notification_meets_drive_beside_the_fallback() {
    notification_meets(Stage::new());
}

fn notification_meets(stage: Stage) {
    let work = Work::new(&stage);
    let notifier = work.spawn_submit();
    work.drive_until_there();
    assert_eq!(now(), 0);
    notifier.join();
    stage.end();
}

/// The same while a `block_on` call drives, begins to, or stops: then `drive` follows, or does not.
pub(super) fn notification_meets_drive_beside_a_call() {
    notification_beside_a_call(Stage::self_driven());
}

/// The same where there is a fallback, so that nobody is promoted while calls go on.
pub(super) fn notification_meets_a_drive_that_follows() {
    notification_beside_a_call(Stage::without_fallback());
}

fn notification_beside_a_call(stage: Stage) {
    let (flag, work) = (Flag::default(), Work::new(&stage));
    let call = flag.spawn_call("call", &stage.shard());
    let executor = work.spawn_executor();
    work.submit();
    executor.join();
    assert_eq!(now(), 0);
    flag.set();
    call.join();
    stage.end();
}

/// What another event loop does: it waits until the descriptor is readable, and drives then.
fn one_loop(reactor: &Reactor) {
    reactor.overview().unwrap().watch();
    drive(reactor, 0, &mut 0);
    // What it was readable for may be another driver's, which has to run then.
    loom::thread::yield_now();
}

/// Asks for the descriptor, as `driver::process` does.
fn ask_for_descriptor(reactor: &Reactor) {
    reactor.overview().unwrap();
    reactor.first().show_deadlines();
}

fn loop_until_woken(reactor: &Reactor, task: &Task) {
    while !task.is_woken() {
        one_loop(reactor);
    }
}

/// Deadlines that are asked for at any moment while a call drives, and ends, are shown after that.
pub(super) fn deadline_is_shown_when_a_call_ends() {
    let stage = Stage::self_driven();
    let (shard, task, flag) = (stage.shard(), Task::new(), Flag::default());
    shard.insert_timer(50, Slack::UNSET, task.waker());
    let call = flag.spawn_call("call", &shard);
    let setter = spawn("setter", move || flag.set());
    ask_for_descriptor(&stage.reactor);
    loop_until_woken(&stage.reactor, &task);
    assert_eq!(task.wait(), 50);
    call.join();
    setter.join();
    stage.end();
}

/// The same where they were asked for before.
pub(super) fn deadline_is_shown_after_each_call() {
    let stage = Stage::self_driven();
    let (shard, task, flag) = (stage.shard(), Task::new(), Flag::default());
    ask_for_descriptor(&stage.reactor);
    let call = flag.spawn_call("call", &shard);
    shard.insert_timer(50, Slack::UNSET, task.waker());
    flag.set();
    loop_until_woken(&stage.reactor, &task);
    assert_eq!(task.wait(), 50);
    call.join();
    stage.end();
}

/// A timer that another thread inserts at any moment while a deadline is shown is shown as well.
pub(super) fn earlier_timer_is_shown() {
    let stage = Stage::self_driven();
    let (shard, task) = (stage.shard(), Task::new());
    let late = shard.insert_timer(100, Slack::UNSET, Task::new().waker());
    let inserter = spawn_insert("inserter", &shard, 50, task.waker());
    ask_for_descriptor(&stage.reactor);
    loop_until_woken(&stage.reactor, &task);
    assert_eq!(task.wait(), 50);
    inserter.join();
    shard.remove_timer(late);
    stage.end();
}

/// A timer that is earlier than the deadline shown is shown as well, after a call that took the seat
/// and gave it back.
pub(super) fn earlier_timer_is_shown_after_a_call() {
    let stage = Stage::self_driven();
    let (shard, task, flag) = (stage.shard(), Task::new(), Flag::default());
    let late = shard.insert_timer(100, Slack::UNSET, Task::new().waker());
    ask_for_descriptor(&stage.reactor);
    let call = flag.spawn_call("call", &shard);
    flag.set();
    call.join();
    shard.insert_timer(50, Slack::UNSET, task.waker());
    loop_until_woken(&stage.reactor, &task);
    assert_eq!(task.wait(), 50);
    shard.remove_timer(late);
    stage.end();
}

/// When all sleep, a loop that has nothing to wait for does, too; and hears of what others have
/// done for it.
pub(super) fn rest_is_rest() {
    let stage = Stage::self_driven();
    let (shard, flag) = (stage.shard(), Flag::default());
    let work = Work::new(&stage);
    ask_for_descriptor(&stage.reactor);
    let call = flag.spawn_call("call", &shard);
    let rounds = Arc::new(AtomicUsize::new(0));
    let other = spawn("loop", {
        let (work, rounds) = (work.clone(), rounds.clone());
        move || {
            while !work.is_there() {
                rounds.fetch_add(1, Ordering::SeqCst);
                one_loop(&work.0.reactor);
            }
        }
    });
    stage.reactor.notify();
    rest();
    let so_far = rounds.load(Ordering::SeqCst);
    assert!(so_far <= 4, "{so_far} rounds");
    shard.insert_timer(50, Slack::UNSET, work.waker());
    other.join();
    assert_eq!(now(), 50);
    flag.set();
    call.join();
    stage.end();
}

/// A notification at any moment ends the sleep of another event loop, though a call that drives may
/// be woken by it as well.
pub(super) fn notification_meets_another_loop() {
    let stage = Stage::self_driven();
    let (flag, work) = (Flag::default(), Work::new(&stage));
    ask_for_descriptor(&stage.reactor);
    let call = flag.spawn_call("call", &stage.shard());
    let other = spawn("loop", {
        let work = work.clone();
        move || {
            while !work.is_there() {
                one_loop(&work.0.reactor);
            }
        }
    });
    work.submit();
    other.join();
    assert_eq!(now(), 0);
    flag.set();
    call.join();
    stage.end();
}

/// The same where the fallback may take it.
pub(super) fn notification_meets_another_loop_beside_the_fallback() {
    let stage = Stage::new();
    let work = Work::new(&stage);
    ask_for_descriptor(&stage.reactor);
    let notifier = work.spawn_submit();
    while !work.is_there() {
        one_loop(&stage.reactor);
    }
    assert_eq!(now(), 0);
    notifier.join();
    stage.end();
}
