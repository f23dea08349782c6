//! Who runs, who sleeps, and what time it is.
//!
//! Each thread of a model that goes to sleep says so here, with the deadline of its sleep if
//! it has one. When nobody is left running, time moves to the earliest of the deadlines and
//! those who wait for it get up. If there is none, the model is at rest: whoever waits for
//! that in [`rest`] gets up; and if nobody does, a wake-up was lost, which fails the model.
//!
//! So a time-out never hides a lost wake-up: time passes only when nothing else can happen,
//! and the clock tells afterwards that it did.
//!
//! This knowledge is outside loom's view. That loses no interleaving: it decides something only
//! when nobody runs, and then it is the same however they got there.

use std::cell::RefCell;
use std::sync::Arc;

use crate::clock::NEVER;
use crate::sync::{Condvar, Mutex, Signal};

#[derive(Default)]
struct World {
    now: u64,
    running: usize,
    sleepers: Vec<Sleeper>,
    /// How often time has moved.
    moves: usize,
}

struct Sleeper {
    thread: loom::thread::Thread,
    signal: Arc<Signal>,
    deadline: u64,
    /// Whether it waits for everybody to be asleep.
    waits_for_rest: bool,
}

thread_local! {
    // A model runs on one thread of the system, all its threads taking turns.
    static WORLD: RefCell<World> = RefCell::new(World::default());
}

fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with(|world| f(&mut world.borrow_mut()))
}

/// Begins an execution of a model, with its first thread running.
pub(crate) fn begin() {
    let old = with(|world| std::mem::replace(world, World { running: 1, ..World::default() }));
    drop(old);
}

/// The time now.
pub(crate) fn now() -> u64 {
    with(|world| world.now)
}

/// Sets the clock, while no other thread has read it yet.
pub(crate) fn set_now(now: u64) {
    with(|world| world.now = now);
}

/// How often everybody slept and somebody got up because of the time.
pub(crate) fn moves() -> usize {
    with(|world| world.moves)
}

/// What becomes of a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// The thread is down as asleep.
    Begins,
    /// It was the last one running, and what it waits for is here.
    IsOver,
}

/// Puts the running thread down as asleep, until [`wake`] or until its time has come.
pub(crate) fn fall_asleep(signal: &Arc<Signal>, deadline: u64, waits_for_rest: bool) -> Sleep {
    let thread = loom::thread::current();
    let signal = signal.clone();
    let me = signal.clone();
    with(|world| {
        world.sleepers.push(Sleeper { thread, signal, deadline, waits_for_rest });
        world.running -= 1;
    });
    let mut sleep = Sleep::Begins;
    for other in who_gets_up() {
        if Arc::ptr_eq(&other.signal, &me) {
            sleep = Sleep::IsOver;
        } else {
            other.thread.unpark();
        }
    }
    sleep
}

/// Gets up whoever sleeps on a signal, if anybody does.
pub(crate) fn wake(signal: &Arc<Signal>) {
    let sleeper = with(|world| {
        let is_it = |sleeper: &Sleeper| Arc::ptr_eq(&sleeper.signal, signal);
        let place = world.sleepers.iter().position(is_it)?;
        world.running += 1;
        Some(world.sleepers.swap_remove(place))
    });
    if let Some(sleeper) = sleeper {
        sleeper.thread.unpark();
    }
}

/// A thread ends.
fn end() {
    with(|world| world.running -= 1);
    who_gets_up().into_iter().for_each(|sleeper| sleeper.thread.unpark());
}

/// If nobody runs: moves time, and says whose sleep ends by it.
fn who_gets_up() -> Vec<Sleeper> {
    with(|world| {
        if world.running > 0 {
            return Vec::new();
        }
        let deadline = world.sleepers.iter().map(|sleeper| sleeper.deadline).min();
        let deadline = deadline.unwrap_or(NEVER);
        let at_rest = deadline == NEVER;
        if !at_rest {
            world.now = world.now.max(deadline);
            world.moves += 1;
        }
        let now = world.now;
        let gets_up = |sleeper: &Sleeper| {
            if at_rest { sleeper.waits_for_rest } else { sleeper.deadline <= now }
        };
        let (up, asleep) = std::mem::take(&mut world.sleepers).into_iter().partition(gets_up);
        world.sleepers = asleep;
        let up: Vec<Sleeper> = up;
        assert!(
            !up.is_empty() || world.sleepers.is_empty(),
            "a wake-up is lost: {} threads sleep and nobody is left to wake them",
            world.sleepers.len(),
        );
        world.running += up.len();
        up
    })
}

/// Returns when all other threads sleep and no deadline is left.
pub(crate) fn rest() {
    let lock = Mutex::new(());
    Condvar::new().wait_for_rest(&mut lock.lock());
}

/// A thread of a model.
#[derive(Debug)]
pub(crate) struct Thread(Arc<(Mutex<bool>, Condvar)>);

/// Starts a thread.
pub(crate) fn spawn(f: impl FnOnce() + Send + 'static) -> Thread {
    with(|world| world.running += 1);
    let done = Arc::new((Mutex::new(false), Condvar::new()));
    let thread = Thread(done.clone());
    // The wheel is built on the stack, which loom makes small.
    let builder = loom::thread::Builder::new().stack_size(0x4000);
    let spawned = builder.spawn(move || {
        f();
        *done.0.lock() = true;
        done.1.notify_one();
        end();
    });
    assert!(spawned.is_ok());
    thread
}

impl Thread {
    /// Waits for the thread to end.
    pub(crate) fn join(self) {
        let mut done = self.0.0.lock();
        while !*done {
            self.0.1.wait(&mut done);
        }
    }
}
