//! What the stand-ins for `src/sync.rs` share: those of the models, the simulation and the fuzz
//! targets.

use std::ops::Deref;
use std::sync::Arc;
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

pub(crate) fn share<T>(value: T) -> Ref<T> {
    Ref(Arc::new(value))
}

/// See `src/sync.rs`.
pub(crate) fn is_same_task(one: &Waker, other: &Waker) -> bool {
    one.will_wake(other) || (one.data() == other.data() && one.vtable() == other.vtable())
}
