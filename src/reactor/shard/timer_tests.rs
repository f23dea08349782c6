//! Wakers of timers are other people's code: none is cloned, woken or dropped under the lock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use super::*;
use crate::reactor::Settings;

/// What the wakers of a test share.
struct Watch {
    shard: &'static Shard,
    /// What ran while the lock was held.
    offences: Mutex<Vec<&'static str>>,
    calls: AtomicUsize,
}

impl Watch {
    fn new() -> Arc<Watch> {
        let root = crate::sync::share(Poller::new().unwrap());
        let poller = crate::sync::share(Poller::new().unwrap());
        let shard = Box::leak(Box::new(Shard::new(
            0,
            poller,
            crate::sync::share(Unparker::new(root)),
            &Settings::default(),
        )));
        Arc::new(Watch { shard, offences: Mutex::default(), calls: AtomicUsize::new(0) })
    }

    /// Takes the lock on another thread, as the waker of the user's might on this one.
    fn takes_the_lock(&self, what: &'static str) {
        // Ordering: Relaxed, here and below: a count.
        self.calls.fetch_add(1, Ordering::Relaxed);
        let shard = self.shard;
        let (taken, wait) = mpsc::channel();
        std::thread::spawn(move || {
            drop(shard.timers.lock());
            let _ = taken.send(());
        });
        if wait.recv_timeout(Duration::from_secs(20)).is_err() {
            self.offences.lock().unwrap().push(what);
        }
    }

    /// A waker that takes the lock in each of its functions. No two wake the same task.
    fn waker(self: &Arc<Self>) -> Waker {
        raw(self.clone())
    }

    /// The calls since the last time, none of which was under the lock.
    #[track_caller]
    fn calls(&self) -> usize {
        assert_eq!(*self.offences.lock().unwrap(), [""; 0], "under the lock");
        self.calls.swap(0, Ordering::Relaxed)
    }
}

fn raw(watch: Arc<Watch>) -> Waker {
    let data = Box::into_raw(Box::new(watch));
    // SAFETY: the table's functions take the pointer for what it is here, a box of each waker's
    // own, which its drop or its wake frees.
    unsafe { Waker::new(data.cast_const().cast(), &TABLE) }
}

fn watch(data: *const ()) -> &'static Arc<Watch> {
    // SAFETY: called by functions of the table only, while the box is alive, and not kept.
    unsafe { &*data.cast::<Arc<Watch>>() }
}

fn free(data: *const ()) {
    // SAFETY: called once for each waker, by the function that ends it.
    drop(unsafe { Box::from_raw(data.cast_mut().cast::<Arc<Watch>>()) });
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        watch(data).takes_the_lock("clone");
        let copy = Box::into_raw(Box::new(watch(data).clone()));
        RawWaker::new(copy.cast_const().cast(), &TABLE)
    },
    |data| {
        watch(data).takes_the_lock("wake");
        free(data);
    },
    |data| watch(data).takes_the_lock("wake by reference"),
    |data| {
        watch(data).takes_the_lock("drop");
        free(data);
    },
);

/// All that is done with a timer: each of its wakers is replaced, woken, put back or dropped.
#[test]
fn timers_wakers_never_run_under_the_lock() {
    let watch = Watch::new();
    let shard = watch.shard;
    let (first, second) = (watch.waker(), watch.waker());

    let key = shard.insert_timer(1, Slack::UNSET, first.clone());
    assert_eq!(watch.calls(), 1, "the test's own clone");
    shard.refresh_timer(key, 2, &second);
    assert_eq!(watch.calls(), 2, "one is cloned, the replaced one is dropped");
    shard.reschedule_timer(key, 1);
    assert_eq!(watch.calls(), 0);

    // It fires, and the waker is put back.
    let mut batch = Batch::new();
    shard.try_acquire().unwrap().run_round(&mut batch);
    assert_eq!((batch.fired.len(), watch.calls()), (1, 0));
    batch.wake(shard);
    assert_eq!(watch.calls(), 1, "it is woken by reference");

    // Replaced while it is out: nobody wants it back.
    shard.reschedule_timer(key, 1);
    shard.try_acquire().unwrap().run_round(&mut batch);
    shard.refresh_timer(key, 1, &first);
    assert_eq!(watch.calls(), 1, "one is cloned");
    // Fires again meanwhile, and both are out.
    let mut other = Batch::new();
    shard.try_acquire().unwrap().run_round(&mut other);
    batch.wake(shard);
    assert_eq!(watch.calls(), 2, "one is woken and dropped");
    // Removed while it is out.
    shard.remove_timer(key);
    assert_eq!(watch.calls(), 0);
    other.wake(shard);
    assert_eq!(watch.calls(), 2, "the other is woken and dropped");

    let key = shard.insert_timer(u64::MAX, Slack::UNSET, first);
    shard.remove_timer(key);
    assert_eq!(watch.calls(), 1, "one is dropped");
    // The timer is gone: nothing to refresh, and the clone goes.
    shard.refresh_timer(key, 2, &second);
    assert_eq!(watch.calls(), 2, "one is cloned and dropped");
    drop(second);
    assert_eq!(watch.calls(), 1);
}
