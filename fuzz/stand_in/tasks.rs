//! Tasks whose wakers know where they are run: never under a lock, and never more of them
//! dropped than made.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::{stage, sync};

/// What happens to a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Woken,
    Cloned,
    Dropped,
}

/// What a task does when something happens to a waker of it, besides counting.
type OnEvent = Box<dyn Fn(Event) + Send + Sync>;

pub(crate) struct Task {
    wakes: AtomicUsize,
    /// When it was last woken, by [`step`].
    last: AtomicUsize,
    on_event: OnEvent,
}

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
    /// Whether what runs is on a thread that drives nothing, while another sleeps.
    static ELSEWHERE: Cell<bool> = const { Cell::new(false) };
}

/// Counts what happens; the number of this step.
pub(crate) fn step() -> usize {
    STEPS.set(STEPS.get() + 1);
    STEPS.get()
}

/// Runs what another thread does while a driver sleeps.
pub(crate) fn elsewhere(code: impl FnOnce()) {
    let before = ELSEWHERE.replace(true);
    code();
    ELSEWHERE.set(before);
}

impl Task {
    pub(crate) fn new(on_wake: impl Fn() + Send + Sync + 'static) -> Arc<Task> {
        Task::observing(move |event| {
            if event == Event::Woken {
                on_wake();
            }
        })
    }

    /// One that acts also when its wakers are cloned and dropped.
    pub(crate) fn observing(on_event: impl Fn(Event) + Send + Sync + 'static) -> Arc<Task> {
        let on_event = Box::new(on_event);
        Arc::new(Task { wakes: AtomicUsize::new(0), last: AtomicUsize::new(0), on_event })
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::Relaxed)
    }

    pub(crate) fn last_wake(&self) -> usize {
        self.last.load(Ordering::Relaxed)
    }

    /// Its waker, of one of two makes: what two libraries, or two copies of one, would give the
    /// same task.
    pub(crate) fn waker(self: &Arc<Task>, make: bool) -> Waker {
        let data = Arc::into_raw(self.clone()).cast();
        // SAFETY: the functions of both tables keep the contract of `RawWaker`: the data is a
        // counted reference of an `Arc` of a type that is `Send` and `Sync`, each waker has one
        // of its own, and what consumes a waker gives it back.
        unsafe { Waker::from_raw(RawWaker::new(data, TABLES[usize::from(make)])) }
    }

    fn woken(&self) {
        check("a waker is woken");
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.last.store(step(), Ordering::Relaxed);
        (self.on_event)(Event::Woken);
    }
}

/// Code of the user's is not to be run under a lock, nor by who has the seat.
pub(crate) fn check(what: &str) {
    assert_eq!(sync::held(), 0, "{what} under a lock");
    if !ELSEWHERE.get() {
        for index in 0..stage::SHARDS {
            let driven = stage::is_driven(index);
            assert!(!driven, "{what} with the seat of shard {index} held");
        }
    }
}

static ONE: RawWakerVTable = RawWakerVTable::new(|data| clone(data, 0), wake, wake_by_ref, discard);
static OTHER: RawWakerVTable =
    RawWakerVTable::new(|data| clone(data, 1), wake, wake_by_ref, discard);
static TABLES: [&RawWakerVTable; 2] = [&ONE, &OTHER];

fn clone(data: *const (), make: usize) -> RawWaker {
    check("a waker is cloned");
    // SAFETY: a waker's data, of which the waker that is cloned holds a reference.
    let task = unsafe { &*data.cast::<Task>() };
    (task.on_event)(Event::Cloned);
    // SAFETY: as above.
    unsafe { Arc::increment_strong_count(data.cast::<Task>()) };
    RawWaker::new(data, TABLES[make])
}

fn wake(data: *const ()) {
    // SAFETY: a waker's data; the waker is gone with this, and its reference is taken over.
    let task = unsafe { Arc::from_raw(data.cast::<Task>()) };
    task.woken();
}

fn wake_by_ref(data: *const ()) {
    // SAFETY: a waker's data, which lives as long as the waker.
    let task = unsafe { &*data.cast::<Task>() };
    task.woken();
}

fn discard(data: *const ()) {
    check("a waker is dropped");
    // SAFETY: as in `wake`.
    let task = unsafe { Arc::from_raw(data.cast::<Task>()) };
    (task.on_event)(Event::Dropped);
}

/// A panic that a waker makes on purpose where the library runs it by itself: without the hook,
/// which would end the process.
pub(crate) fn panic_on_purpose() {
    if sync::is_contained() {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}
