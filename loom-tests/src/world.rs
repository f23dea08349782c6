//! Who runs, who sleeps, and what time it is.
//!
//! Each thread of a model that goes to sleep says so here, with the deadline of its sleep if
//! it has one. When nobody is left running, time moves to the earliest of the deadlines and
//! those who wait for it wake. If there is none, the model is at rest: a thread that waits for
//! that in [`rest`] wakes; and if there is none, a wake-up was lost, which fails the model.
//!
//! So a time-out never hides a lost wake-up: time passes only when nothing else can happen,
//! and the clock tells afterwards that it did.
//!
//! This knowledge is outside loom's view. That loses no interleaving: it decides something only
//! when nobody runs, and then it is the same however they got there.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::thread::JoinHandle;

use crate::clock::NEVER;
use crate::trace;

#[derive(Default)]
struct World {
    now: u64,
    running: usize,
    asleep: Vec<Asleep>,
    /// How often time has moved.
    moves: usize,
}

struct Asleep {
    thread: loom::thread::Thread,
    sleeper: Sleeper,
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

/// How often all slept and one woke because of the time.
pub(crate) fn moves() -> usize {
    with(|world| world.moves)
}

/// What one thread at a time sleeps on. Between a look that tells it to sleep and the sleep
/// nothing lets another thread run, unless the sleeper does so: see `Condvar`.
#[derive(Clone, Debug)]
pub(crate) struct Sleeper(Arc<()>);

impl Sleeper {
    pub(crate) fn new() -> Sleeper {
        Sleeper(Arc::new(()))
    }

    /// Sleeps until [`unpark`](Sleeper::wake).
    #[track_caller]
    pub(crate) fn sleep(&self) {
        self.sleep_until(NEVER, || {});
    }

    /// Sleeps until woken or until it is as late as `deadline`. Does `before`, which lets
    /// nobody run, when it is down as asleep.
    #[track_caller]
    pub(crate) fn sleep_until(&self, deadline: u64, before: impl FnOnce()) {
        self.fall_asleep(deadline, false, before);
        if deadline <= now() {
            // What others wrote that long ago is seen by now: loom lets no load after a yield
            // return what it returned before, if there is anything newer.
            loom::thread::yield_now();
        }
    }

    #[track_caller]
    fn fall_asleep(&self, deadline: u64, waits_for_rest: bool, before: impl FnOnce()) {
        let at = Location::caller();
        trace::step(at, None, || match deadline {
            NEVER if waits_for_rest => "waits until all sleep".to_owned(),
            NEVER => "sleeps".to_owned(),
            deadline => format!("sleeps until {deadline}"),
        });
        let thread = loom::thread::current();
        let sleeper = self.clone();
        with(|world| {
            world.asleep.push(Asleep { thread, sleeper, deadline, waits_for_rest });
            world.running -= 1;
        });
        before();
        let mut is_over = false;
        for other in who_gets_up() {
            if Arc::ptr_eq(&other.sleeper.0, &self.0) {
                is_over = true;
            } else {
                other.thread.unpark();
            }
        }
        if !is_over {
            loom::thread::park();
        }
        trace::step(at, None, || format!("is up, at {}", now()));
    }

    /// Wakes the thread that sleeps on this, if there is one. It sees what came before.
    #[track_caller]
    pub(crate) fn wake(&self) {
        let asleep = with(|world| {
            let is_it = |asleep: &Asleep| Arc::ptr_eq(&asleep.sleeper.0, &self.0);
            let place = world.asleep.iter().position(is_it)?;
            world.running += 1;
            Some(world.asleep.swap_remove(place))
        });
        if let Some(asleep) = asleep {
            trace::step(Location::caller(), None, || format!("wakes {}", name(&asleep.thread)));
            asleep.thread.unpark();
        }
    }
}

fn name(thread: &loom::thread::Thread) -> &str {
    thread.name().unwrap_or("main")
}

/// If nobody runs: moves time, and says whose sleep ends by it.
fn who_gets_up() -> Vec<Asleep> {
    with(|world| {
        if world.running > 0 {
            return Vec::new();
        }
        let deadline = world.asleep.iter().map(|asleep| asleep.deadline).min();
        let deadline = deadline.unwrap_or(NEVER);
        let at_rest = deadline == NEVER;
        if !at_rest {
            world.now = world.now.max(deadline);
            world.moves += 1;
        }
        let now = world.now;
        let gets_up = |asleep: &Asleep| {
            if at_rest { asleep.waits_for_rest } else { asleep.deadline <= now }
        };
        let (up, asleep) = std::mem::take(&mut world.asleep).into_iter().partition(gets_up);
        world.asleep = asleep;
        let up: Vec<Asleep> = up;
        assert!(
            !up.is_empty() || world.asleep.is_empty(),
            "a wake-up is lost: nobody is left to wake {}",
            world.asleep.iter().map(|asleep| name(&asleep.thread)).collect::<Vec<_>>().join(", "),
        );
        world.running += up.len();
        up
    })
}

/// Returns when all other threads sleep and no deadline is left.
#[track_caller]
pub(crate) fn rest() {
    Sleeper::new().fall_asleep(NEVER, true, || {});
}

/// A thread of a model.
pub(crate) struct Thread {
    name: &'static str,
    handle: JoinHandle<()>,
    done: Arc<AtomicBool>,
    joiner: Sleeper,
}

/// Starts a thread.
#[track_caller]
pub(crate) fn spawn(name: &'static str, f: impl FnOnce() + Send + 'static) -> Thread {
    with(|world| world.running += 1);
    let (done, joiner) = (Arc::new(AtomicBool::new(false)), Sleeper::new());
    // The wheel is built on the stack, which loom makes small.
    let builder = loom::thread::Builder::new().name(name.to_owned()).stack_size(0x4000);
    let at = Location::caller();
    trace::step(at, None, || format!("starts {name}"));
    let spawned = builder.spawn({
        let (done, joiner) = (done.clone(), joiner.clone());
        move || {
            f();
            trace::step(at, None, || "is done".to_owned());
            done.store(true, Ordering::SeqCst);
            joiner.wake();
            with(|world| world.running -= 1);
            who_gets_up().into_iter().for_each(|asleep| asleep.thread.unpark());
        }
    });
    Thread { name, handle: spawned.expect("loom starts a thread"), done, joiner }
}

impl Thread {
    /// Waits for the thread to end.
    #[track_caller]
    pub(crate) fn join(self) {
        if !self.done.load(Ordering::SeqCst) {
            self.joiner.sleep();
        }
        trace::step(Location::caller(), None, || format!("joins {}", self.name));
        // It is at its end, and this makes seen what it did.
        assert!(self.handle.join().is_ok());
    }
}
