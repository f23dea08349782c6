//! Wakers of the user's, which do what wakers may: panic, block, call `block_on`, drop timers and
//! sources. Each checks that it is run where the library may run user code.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use crate::check::{self, Property};
use crate::plan::Fault;
use crate::sync::Injected;
use crate::timer::Timer;
use crate::{clock, driver, world};

/// Jobs that were woken, and the waker of whoever polls them.
#[derive(Default)]
pub(crate) struct Hub {
    pub(crate) queue: Mutex<VecDeque<usize>>,
    pub(crate) outer: Mutex<Option<Waker>>,
}

/// What is known of a job's wake-ups.
pub(crate) struct Task {
    hub: Arc<Hub>,
    job: usize,
    /// Whether all its polls have the same waker. The poll methods of sources wake the waker that
    /// a poll replaces, so that a job of theirs that has a new one each time would never rest.
    pub(crate) keeps: bool,
    /// The thread that polls it.
    thread: usize,
    state: Mutex<State>,
    /// Nothing is to wake the job before this.
    not_before: AtomicU64,
    /// Wakers that were made and not dropped yet.
    pub(crate) live: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Since when it is woken, and the rounds of its thread then.
    rung: Option<(u64, usize)>,
}

/// Rounds that a thread may do between a wake and the poll that answers it: the one that it is in,
/// and one that it begins before it looks.
const ROUNDS: usize = 2;

impl Task {
    pub(crate) fn new(hub: Arc<Hub>, job: usize, keeps: bool) -> Arc<Task> {
        let task = Task {
            hub,
            job,
            keeps,
            thread: world::this_thread(),
            state: Mutex::default(),
            not_before: AtomicU64::new(0),
            live: AtomicUsize::new(0),
        };
        Arc::new(task)
    }

    /// From now on nothing but timers that are due at this time or later wakes the job.
    pub(crate) fn not_before(&self, at: u64) {
        self.not_before.store(at, Ordering::Relaxed);
    }

    pub(crate) fn waker(self: &Arc<Task>) -> Waker {
        self.live.fetch_add(1, Ordering::Relaxed);
        Waker::from(Arc::new(TaskWaker(self.clone())))
    }

    /// The job is woken.
    pub(crate) fn wake(&self) {
        let rounds = world::rounds_of(self.thread);
        let was = self.state.lock().unwrap().rung.replace((world::now(), rounds));
        if let Some(was) = was {
            self.state.lock().unwrap().rung = Some(was);
        } else {
            world::progress();
            self.hub.queue.lock().unwrap().push_back(self.job);
        }
        let outer = self.hub.outer.lock().unwrap().clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }

    /// The job is about to be polled because it was woken.
    pub(crate) fn arrive(&self) {
        let Some((at, rounds)) = self.state.lock().unwrap().rung.take() else { return };
        let rounds = world::rounds_of(self.thread) - rounds;
        if rounds > ROUNDS {
            check::fail(Property::AWakeArrives, || {
                format!("{rounds} rounds of its thread's between the wake and the poll")
            });
        }
        let (late, allowed) = world::with(|world| (world.time() - at, world.delays));
        let stands = world::with(|world| world.plan.clock == crate::plan::Clock::Still);
        if stands && late > allowed {
            check::fail(Property::AWakeArrives, || {
                format!("{late} ns went by between the wake and the poll, {allowed} are allowed")
            });
        }
    }
}

/// A waker.
struct TaskWaker(Arc<Task>);

impl Wake for TaskWaker {
    fn wake(self: Arc<TaskWaker>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<TaskWaker>) {
        check::user_code("a waker is woken");
        let polls = world::local(|local| local.polls);
        let not_before = self.0.not_before.load(Ordering::Relaxed);
        if polls == 0 && world::now() < not_before {
            check::fail(Property::NothingIsEarly, || {
                format!("woken at {}, for a timer that is due at {not_before}", world::now())
            });
        }
        self.0.wake();
        if polls == 0 {
            misbehave();
        }
    }
}

impl Drop for TaskWaker {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
        if std::thread::panicking() {
            return;
        }
        check::user_code("a waker is dropped");
        if world::local(|local| local.polls) == 0 && world::inject(Fault::WakerDropPanics) {
            resume_unwind(Box::new(Injected));
        }
    }
}

/// How long a waker blocks, at most.
const LONG: u64 = 20_000_000;

/// Allows for a thread that does nothing else for as long: its shard waits for two backoffs more.
fn away(nanos: u64) {
    world::delay(nanos + 10_000_000);
}

/// What else wakers do.
fn misbehave() {
    if world::inject(Fault::WakerDrops) {
        let item = world::with(|world| world.bin.pop());
        drop(item);
    }
    if world::inject(Fault::WakerBlocks) {
        let nanos = world::below(LONG);
        away(nanos);
        world::sleep_for(nanos);
    }
    if world::local(|local| local.nested) < 2 && world::inject(Fault::WakerNests) {
        let nanos = world::below(LONG);
        away(nanos);
        world::local(|local| local.nested += 1);
        driver::block_on(async {
            if nanos % 2 == 0 {
                futures_lite::future::yield_now().await;
            }
            Timer::at(clock::instant(world::now() + nanos)).await;
        });
        world::local(|local| local.nested -= 1);
    }
    if world::inject(Fault::WakerPanics) {
        resume_unwind(Box::new(Injected));
    }
}

/// A thread computes without driving.
pub(crate) fn compute() {
    if world::inject(Fault::Computes) {
        let nanos = world::below(LONG);
        away(nanos);
        world::sleep_for(nanos);
    }
}
