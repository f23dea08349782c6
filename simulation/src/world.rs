//! Who runs, who sleeps, and what time it is.
//!
//! Each simulated thread that goes to sleep says so here, with the deadline of its sleep if it has
//! one. When nobody is left running, time moves to the earliest of the deadlines. If there is none,
//! all is at rest: a thread that waits for that in [`rest`] wakes; and if there is none, something
//! is lost, which fails the run. In some schedules time also goes on while threads run; whose
//! deadline has come then wakes.
//!
//! All simulated threads take turns on one thread of the system, so what is here needs no lock.
//! Nothing lets another thread run while it is borrowed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shuttle::sync::atomic::AtomicUsize;
use shuttle::thread::{JoinHandle, Thread};

use crate::check::{self, Property};
use crate::plan::{Clock, Fault, Plan, Rng};

/// Wheel time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// How often time may move, and how often a poller be waited in, without any progress.
const PATIENCE: usize = 400;

/// What is known of a simulated thread.
#[derive(Debug, Default)]
pub(crate) struct Local {
    pub(crate) name: String,
    /// What it began last.
    pub(crate) doing: &'static str,
    /// Locks of the library's that it holds.
    pub(crate) locks: usize,
    /// Seats that it holds, by their words.
    pub(crate) seats: Vec<usize>,
    /// How deep it is in code of the user's that may not panic: polls and drops of its futures.
    pub(crate) polls: usize,
    /// How deep it is in `block_on` calls of wakers.
    pub(crate) nested: usize,
    /// Waits in pollers so far, but for those of nested calls.
    pub(crate) rounds: usize,
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) plan: Plan,
    now: u64,
    running: usize,
    asleep: Vec<Asleep>,
    locals: HashMap<usize, Local>,
    /// By how much what is due may be late because of faults so far.
    pub(crate) delays: u64,
    /// Moves of time and waits in pollers since the last progress.
    idle: usize,
    pub(crate) injected: [u64; Fault::ALL.len()],
    pub(crate) timer_events: u64,
    pub(crate) source_events: u64,
    /// What is let go of later, by wakers.
    pub(crate) bin: Vec<Box<dyn std::any::Any>>,
    step: Option<Arc<AtomicUsize>>,
}

struct Asleep {
    thread: Thread,
    sleeper: Arc<()>,
    deadline: u64,
    waits_for_rest: bool,
}

std::thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new(0));
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        World {
            plan: if seed == 0 { Plan::none() } else { Plan::new(&mut rng) },
            rng,
            now: 0,
            running: 1,
            asleep: Vec::new(),
            locals: HashMap::new(),
            delays: 0,
            idle: 0,
            injected: [0; Fault::ALL.len()],
            timer_events: 0,
            source_events: 0,
            bin: Vec::new(),
            step: None,
        }
    }
}

impl World {
    pub(crate) fn time(&self) -> u64 {
        self.now
    }
}

pub(crate) fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

/// Begins a schedule, with its first thread running.
pub(crate) fn begin(seed: u64) {
    let mut new = World::new(seed | 1);
    // Not zero, which is before everything.
    new.step = Some(Arc::new(AtomicUsize::new(0)));
    new.now = 1_000_000 + new.rng.below(1_000_000_000);
    drop(WORLD.replace(new));
    name("main");
}

fn me() -> usize {
    usize::from(shuttle::current::me())
}

/// What is known of the thread that runs.
pub(crate) fn local<R>(f: impl FnOnce(&mut Local) -> R) -> R {
    let me = me();
    with(|world| f(world.locals.entry(me).or_default()))
}

/// What is known of a thread.
pub(crate) fn rounds_of(thread: usize) -> usize {
    with(|world| world.locals.get(&thread).map_or(0, |local| local.rounds))
}

pub(crate) fn this_thread() -> usize {
    me()
}

pub(crate) fn name(name: impl Into<String>) {
    local(|local| local.name = name.into());
}

/// Notes what this thread begins, for a report.
pub(crate) fn doing(what: &'static str) {
    local(|local| local.doing = what);
}

/// Lets another thread run.
pub(crate) fn switch() {
    // Any step of an atomic's does.
    let step = with(|world| world.step.clone());
    step.expect("a schedule is under way").load(Ordering::SeqCst);
}

pub(crate) fn below(end: u64) -> u64 {
    with(|world| world.rng.below(end))
}

pub(crate) fn one_in(times: u64) -> bool {
    with(|world| world.rng.one_in(times))
}

/// Whether a fault is to come now.
pub(crate) fn inject(fault: Fault) -> bool {
    with(|world| {
        let comes = world.rng.one_in(world.plan.odds(fault));
        world.injected[fault as usize] += u64::from(comes);
        comes
    })
}

/// Allows everything to be later by as much.
pub(crate) fn delay(by: u64) {
    with(|world| world.delays += by);
}

/// Something came of what happened.
pub(crate) fn progress() {
    with(|world| world.idle = 0);
}

/// Something happened that may come to nothing.
pub(crate) fn effort() {
    let idle = with(|world| {
        world.idle += 1;
        world.idle
    });
    if idle > PATIENCE {
        check::fail(Property::NobodySpins, || {
            format!("{idle} waits and moves of time, and nothing came of them")
        });
    }
}

/// The time now.
pub(crate) fn now() -> u64 {
    with(|world| world.now)
}

/// The time now, for what ships: looking at it may let it go on.
pub(crate) fn look_at_clock() -> u64 {
    let up = with(|world| {
        let step = match world.plan.clock {
            Clock::Still => return Vec::new(),
            Clock::Creeps | Clock::Jumps => world.rng.below(2_000),
        };
        world.now += step;
        if world.plan.clock == Clock::Jumps && world.rng.one_in(world.plan.odds(Fault::ClockJumps))
        {
            world.injected[Fault::ClockJumps as usize] += 1;
            let most = [100_000, 10_000_000, 3_000_000_000][world.rng.below(3) as usize];
            world.now += world.rng.below(most);
        }
        let now = world.now;
        take(world, |asleep| asleep.deadline <= now)
    });
    up.into_iter().for_each(|asleep| asleep.thread.unpark());
    now()
}

/// Takes those out that wake.
fn take(world: &mut World, gets_up: impl Fn(&Asleep) -> bool) -> Vec<Asleep> {
    let mut up = Vec::new();
    let mut index = 0;
    while index < world.asleep.len() {
        if gets_up(&world.asleep[index]) {
            up.push(world.asleep.remove(index));
        } else {
            index += 1;
        }
    }
    world.running += up.len();
    up
}

/// What one thread at a time sleeps on.
#[derive(Clone, Debug)]
pub(crate) struct Sleeper(Arc<()>);

impl Sleeper {
    pub(crate) fn new() -> Sleeper {
        Sleeper(Arc::new(()))
    }

    /// Sleeps until [`unpark`](Sleeper::wake) or until it is as late as `deadline`. Does `before`
    /// when it is down as asleep; nobody runs between the caller's last look and that.
    pub(crate) fn sleep_until(&self, deadline: u64, before: impl FnOnce()) {
        self.fall_asleep(deadline, false, before);
    }

    fn fall_asleep(&self, deadline: u64, waits_for_rest: bool, before: impl FnOnce()) {
        let thread = shuttle::thread::current();
        let sleeper = self.0.clone();
        with(|world| {
            world.asleep.push(Asleep { thread, sleeper, deadline, waits_for_rest });
            world.running -= 1;
        });
        before();
        time_goes_on();
        while self.is_asleep() {
            shuttle::thread::park();
        }
    }

    fn is_asleep(&self) -> bool {
        with(|world| world.asleep.iter().any(|asleep| Arc::ptr_eq(&asleep.sleeper, &self.0)))
    }

    /// Wakes the thread that sleeps on this, if there is one.
    pub(crate) fn wake(&self) {
        let up = with(|world| take(world, |asleep| Arc::ptr_eq(&asleep.sleeper, &self.0)));
        up.into_iter().for_each(|asleep| asleep.thread.unpark());
    }
}

/// If nobody runs: moves time, and wakes the threads whose sleep ends by it.
fn time_goes_on() {
    let (up, moved) = with(|world| {
        if world.running > 0 || world.asleep.is_empty() {
            return (Vec::new(), false);
        }
        let deadline = world.asleep.iter().map(|asleep| asleep.deadline).min().unwrap_or(NEVER);
        if deadline == NEVER {
            return (take(world, |asleep| asleep.waits_for_rest), false);
        }
        world.now = world.now.max(deadline);
        let now = world.now;
        (take(world, |asleep| asleep.deadline <= now), true)
    });
    if moved {
        effort();
    } else if up.is_empty() && with(|world| world.running == 0 && !world.asleep.is_empty()) {
        check::fail(Property::NothingIsLost, || {
            "everybody sleeps, nothing is due any more, and somebody still waits".to_owned()
        });
    }
    up.into_iter().for_each(|asleep| asleep.thread.unpark());
}

/// Returns when all other threads sleep and no deadline is left.
pub(crate) fn rest() {
    Sleeper::new().fall_asleep(NEVER, true, || {});
}

/// Lets time go by on this thread.
pub(crate) fn sleep_for(nanos: u64) {
    let until = now() + nanos;
    while now() < until {
        Sleeper::new().sleep_until(until, || {});
    }
}

/// A simulated thread.
pub(crate) struct Spawned {
    handle: JoinHandle<()>,
    done: Arc<AtomicBool>,
    joiner: Sleeper,
}

/// Starts a thread.
pub(crate) fn spawn(name: String, f: impl FnOnce() + Send + 'static) -> Spawned {
    with(|world| world.running += 1);
    let (done, joiner) = (Arc::new(AtomicBool::new(false)), Sleeper::new());
    let handle = shuttle::thread::spawn({
        let (done, joiner) = (done.clone(), joiner.clone());
        move || {
            self::name(name);
            if catch_unwind(AssertUnwindSafe(f)).is_err() {
                check::fail(Property::NoPanic, || "a waker's panic came through".to_owned());
            }
            done.store(true, Ordering::SeqCst);
            joiner.wake();
            with(|world| world.running -= 1);
            time_goes_on();
        }
    });
    Spawned { handle, done, joiner }
}

impl Spawned {
    /// Waits for the thread to end.
    pub(crate) fn join(self) {
        while !self.done.load(Ordering::SeqCst) {
            self.joiner.sleep_until(NEVER, || {});
        }
        let ended = self.handle.join();
        assert!(ended.is_ok(), "the thread ended by itself");
    }
}

/// Who is where, for a report.
pub(crate) fn describe() -> String {
    with(|world| {
        let mut text = format!("time {} ns, {} running\n", world.now, world.running);
        let mut ids: Vec<_> = world.locals.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let asleep = world.asleep.iter().find(|asleep| usize::from(asleep.thread.id()) == id);
            let state = match asleep.map(|asleep| asleep.deadline) {
                None => "runs or has ended".to_owned(),
                Some(NEVER) => "sleeps until woken".to_owned(),
                Some(deadline) => format!("sleeps until {deadline}"),
            };
            let Local { name, doing, .. } = &world.locals[&id];
            text += &format!("  {name} {state}; began last: {doing}\n");
        }
        text
    })
}
