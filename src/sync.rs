//! The facade to atomics, locks and blocking.
//!
//! Everything that takes part in a protocol between threads comes through here, so that the
//! models in `loom-tests/`, which compile the very files of `handoff`, `reactor` and `driver`,
//! put their own module in this one's place.

#[cfg_attr(feature = "parking_lot", path = "sync/parking_lot.rs")]
#[cfg_attr(not(feature = "parking_lot"), path = "sync/standard.rs")]
mod locks;

use std::task::Waker;
use std::time::Duration;

pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

pub(crate) use locks::{Condvar, Mutex, MutexGuard};

/// A number for reports. It only grows, and wraps.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicUsize);

impl Tally {
    pub(crate) const fn new() -> Tally {
        Tally(AtomicUsize::new(0))
    }

    /// Adds one. One thread at a time: the holder of a seat or a lock, or the fallback.
    #[inline]
    pub(crate) fn count(&self) {
        // Ordering: Relaxed: what keeps others from writing orders this one's load after their
        // stores. Not one operation, which would cost as much as a lock.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// The number at some moment.
    pub(crate) fn get(&self) -> u64 {
        // Ordering: Relaxed: a look from outside, out of date when it is read.
        self.0.load(Ordering::Relaxed) as u64
    }
}

/// A shared piece of the reactor. It lives as long as the process, so this is a reference; the
/// models, which make a reactor for each execution, count references instead.
#[derive(Debug)]
pub(crate) struct Ref<T: 'static>(&'static T);

impl<T> Ref<T> {
    /// The piece itself.
    #[cfg(unix)]
    pub(crate) fn get(self) -> &'static T {
        self.0
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Ref<T> {
        Ref(self.0)
    }
}

impl<T> std::ops::Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

/// Puts a piece of the reactor where it can be shared, for good.
pub(crate) fn share<T>(value: T) -> Ref<T> {
    let piece: &'static T = Box::leak(Box::new(value));
    #[cfg(test)]
    keep(std::ptr::from_ref(piece).addr());
    Ref(piece)
}

/// Lets LeakSanitizer find the pieces of reactors that unit tests have made for themselves.
#[cfg(test)]
fn keep(piece: usize) {
    static PIECES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    PIECES.lock().push(piece);
}

/// Returns `true` if two wakers are one task's. Unlike [`Waker::will_wake`], which compares the
/// addresses of their tables of functions, this knows clones whose tables are copies of one
/// another. It may still say no where the functions, too, are there twice.
pub(crate) fn is_same_task(one: &Waker, other: &Waker) -> bool {
    one.will_wake(other) || (one.data() == other.data() && one.vtable() == other.vtable())
}

/// Waits a moment after an error that will hardly go away sooner.
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

/// Runs code of the user's and keeps a panic of its to itself. The models let it through: there
/// it is a finding.
pub(crate) fn catch_panic(code: impl FnOnce()) {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        // What it panicked with is the user's as well and may panic when it is dropped, with
        // something of the same kind: the second is left alone.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;

    struct PanicsInDrop(u8);

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            if self.0 > 0 {
                resume_unwind(Box::new(PanicsInDrop(self.0 - 1)));
            }
        }
    }

    /// What a waker panicked with is the user's too, and may panic when it is dropped.
    #[test]
    fn panic_in_panics_payload_is_caught() {
        let mut after = 0;
        for depth in 0..3 {
            catch_panic(|| resume_unwind(Box::new(PanicsInDrop(depth))));
            after += 1;
        }
        assert_eq!(after, 3);
    }
}
