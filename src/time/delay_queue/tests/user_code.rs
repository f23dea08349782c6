//! Values and wakers that panic, or use the queue's handles, where the queue runs their code.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::*;

/// A value that panics when it is dropped, and one that counts.
struct Dropped(Rc<Cell<usize>>, bool);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        assert!(!self.1, "on purpose");
    }
}

/// A removed value's panic leaves out nothing of what handles have asked for.
#[test]
fn panic_of_a_removed_value_loses_nothing() {
    at(0);
    let dropped = Rc::new(Cell::new(0));
    let mut queue = DelayQueue::new();
    let handle = queue.handle();
    let panics = handle.insert(Dropped(dropped.clone(), true), ns(10)).unwrap();
    handle.remove(panics).unwrap();
    let key = handle.insert(Dropped(dropped.clone(), false), ns(10)).unwrap();
    let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut queue)));
    assert!(polled.is_err());
    assert_eq!((dropped.get(), queue.len()), (1, 1));
    assert!(queue.get(key).is_some());
    drop(queue);
    assert_eq!(dropped.get(), 2);
}

/// A waker that panics when it is dropped.
struct Reluctant;

impl Wake for Reluctant {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Reluctant {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"));
    }
}

/// A waker that panics when another takes its place must not cost the wakes of all others.
#[test]
fn panicking_replaced_waker_leaves_the_queue_usable() {
    at(0);
    let mut queue = DelayQueue::new();
    let handle = queue.handle();
    assert_eq!(poll_with(&mut queue, &Arc::new(Reluctant).into()), Poll::Pending);
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    assert!(catch_unwind(AssertUnwindSafe(|| poll_with(&mut queue, &waker))).is_err());
    assert_eq!(poll_with(&mut queue, &waker), Poll::Pending);
    handle.insert(1, Duration::ZERO).unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_with(&mut queue, &waker), Poll::Ready(Some(1)));
}

/// A waker that uses a handle when it is dropped.
struct Parting(Handle<u64>);

impl Wake for Parting {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Parting {
    fn drop(&mut self) {
        self.0.insert(1, Duration::ZERO).unwrap();
    }
}

/// No lock is held when another waker takes its place, and what it asks for is found.
#[test]
fn replaced_waker_may_use_the_handle() {
    at(0);
    let mut queue = DelayQueue::new();
    let parting = Arc::new(Parting(queue.handle()));
    assert_eq!(poll_with(&mut queue, &parting.into()), Poll::Pending);
    assert_eq!(poll(&mut queue), Poll::Ready(Some(1)));
}
