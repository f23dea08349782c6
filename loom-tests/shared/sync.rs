//! What the stand-ins for `src/sync.rs` share: those of the models, the simulation and the fuzz
//! targets.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

/// See `src/sync.rs`: here, a counted reference, so that a reactor goes with its execution, schedule
/// or input. Loom's own would add a step to each clone.
#[derive(Debug)]
pub(crate) struct Ref<T: 'static>(Arc<T>);

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Ref<T> {
        Ref(self.0.clone())
    }
}

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Ref<T> {
    /// For `reactor_fd`, which nobody calls here.
    pub(crate) fn get(self) -> &'static T {
        unreachable!("nobody asks for it")
    }
}

/// See `src/sync.rs`: a number that takes part in nothing, so that no step of it is explored.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicUsize);

impl Tally {
    pub(crate) const fn new() -> Tally {
        Tally(AtomicUsize::new(0))
    }

    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed) as u64
    }
}

pub(crate) fn share<T>(value: T) -> Ref<T> {
    Ref(Arc::new(value))
}

/// See `src/sync.rs`.
pub(crate) fn is_same_task(one: &Waker, other: &Waker) -> bool {
    one.will_wake(other) || (one.data() == other.data() && one.vtable() == other.vtable())
}
