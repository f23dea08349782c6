//! Wakers of one task whose tables are at different addresses, as two copies of one library, or
//! two parts of one program that were compiled apart, give them out. `Waker::will_wake` says that
//! they wake different tasks.

#![cfg(unix)]

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use async_wheel::Async;

#[derive(Default)]
struct Task {
    clones: AtomicUsize,
    wakes: AtomicUsize,
}

static ONE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, discard);
static OTHER: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, discard);

fn waker(task: &Arc<Task>) -> Waker {
    let data = Arc::into_raw(task.clone()).cast();
    // SAFETY: the data is a counted reference of an `Arc` of a type that is `Send` and `Sync`,
    // which the functions below take over, or look at, or add to, as the contract asks.
    unsafe { Waker::from_raw(RawWaker::new(data, &ONE)) }
}

fn clone(data: *const ()) -> RawWaker {
    // SAFETY: a waker's data, which lives as long as the waker that is cloned.
    let task = unsafe { &*data.cast::<Task>() };
    // SAFETY: as above.
    unsafe { Arc::increment_strong_count(data.cast::<Task>()) };
    let odd = task.clones.fetch_add(1, Ordering::Relaxed) % 2 == 1;
    RawWaker::new(data, if odd { &OTHER } else { &ONE })
}

fn wake(data: *const ()) {
    wake_by_ref(data);
    discard(data);
}

fn wake_by_ref(data: *const ()) {
    // SAFETY: a waker's data, which lives as long as the waker.
    let task = unsafe { &*data.cast::<Task>() };
    task.wakes.fetch_add(1, Ordering::Relaxed);
}

fn discard(data: *const ()) {
    // SAFETY: a waker's data, whose reference is given back.
    unsafe { Arc::decrement_strong_count(data.cast::<Task>()) };
}

/// Each poll woke the waker that the one before had left, and so the task itself, which then
/// polled again: it never slept.
#[test]
fn task_does_not_wake_itself_by_polling() {
    let (near, _far) = UnixStream::pair().unwrap();
    let near = Async::new(near).unwrap();
    let task = Arc::new(Task::default());
    let waker = waker(&task);
    let cx = &mut Context::from_waker(&waker);
    for _ in 0..10 {
        assert!(matches!(near.poll_readable(cx), Poll::Pending));
    }
    assert_eq!(task.wakes.load(Ordering::Relaxed), 0);
    let kept = waker.clone();
    assert!(!kept.will_wake(&waker.clone()), "the test wants tables at different addresses");
    drop((near, kept, waker));
    assert_eq!(Arc::strong_count(&task), 1);
}
