//! What the succession of a shard does, step by step on one thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::succession::SPARE_FOLLOWERS;
use super::*;
use crate::sync;
use crate::sys::{NESTED, Poller, Polls};

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, here and below: a count, on one thread.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Driven for Succession {
    fn succession(&self) -> &Succession {
        self
    }
}

fn succession() -> Succession {
    let root = sync::share(Poller::new().unwrap());
    Succession::new(sync::share(Unparker::new(root)))
}

/// Who requests after the release, but before the list is read, must not take the others off it.
#[test]
fn late_request_leaves_earlier_ones_listed() {
    let succession = succession();
    let (early, late) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let seat = succession.seat();
    assert!(seat.try_acquire_preemptible());
    assert!(succession.request(&early.clone().into()));
    let unparked = succession.fallback().parker.take();
    assert_eq!(unparked, !NESTED, "unparked only where it may be parked");
    // The fallback has released, and is about to read the list.
    assert!(seat.release().requested);
    assert!(!succession.request(&late.clone().into()));
    succession.wake_requesters();
    assert_eq!((early.count(), late.count()), (1, 0));
}

/// Only one that is queued still, and only if nobody drives.
#[test]
fn one_queued_follower_is_promoted() {
    let succession = succession();
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let key = succession.enqueue(&first.clone().into());
    succession.enqueue(&second.clone().into());
    let woken = || (first.count(), second.count());
    let driving = Driving::try_acquire(&succession).unwrap();
    succession.promote();
    assert_eq!(woken(), (0, 0));
    drop(driving);
    succession.promote();
    assert_eq!(woken(), (1, 0));
    succession.dequeue(key);
    succession.promote();
    assert_eq!(woken(), (1, 1));
}

#[test]
fn wait_queue_shrinks_again() {
    let succession = succession();
    let keys: Vec<_> = (0..10_000).map(|_| succession.enqueue(Waker::noop())).collect();
    keys.into_iter().for_each(|key| succession.dequeue(key));
    assert!(succession.queue_capacity() <= SPARE_FOLLOWERS);
}

/// A driver that panics must not leave its shard without one for good.
#[test]
fn panic_releases_the_seat() {
    let succession = succession();
    let requester = Arc::new(Woken::default());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _driving = Driving::try_acquire_preemptible(&succession).unwrap();
        assert!(succession.request(&requester.clone().into()));
        std::panic::resume_unwind(Box::new("a driver that panics"));
    }));
    assert!(panicked.is_err());
    assert_eq!(requester.count(), 1);
    assert!(Driving::try_acquire(&succession).is_ok());
}

/// A requester's waker that acquires the seat at once, and panics.
struct Seizes(Arc<Succession>);

impl Wake for Seizes {
    fn wake(self: Arc<Self>) {
        self.0.seat().try_acquire().expect("it was released");
        std::panic::resume_unwind(Box::new("a subscriber that panics"));
    }
}

/// A panic on release must not release what somebody else has acquired since.
#[test]
fn panic_on_release_releases_once() {
    for watched in [false, true] {
        let succession = Arc::new(succession());
        let driving = Driving::try_acquire_preemptible(&*succession).unwrap();
        assert!(succession.request(&Arc::new(Seizes(succession.clone())).into()));
        if watched {
            driving.release_watched();
        } else {
            assert!(driving.release());
        }
        assert!(succession.is_driven(), "released twice");
    }
}
