//! The models' stand-in for `src/sync.rs`: loom's atomics and locks, with the same interface.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Duration;

pub(crate) use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::clock::{self, NEVER};
use crate::world::Sleeper;

/// See `src/sync.rs`: here, a counted reference. Loom's own would add a step to each clone.
#[derive(Debug)]
pub(crate) struct Ref<T>(Arc<T>);

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
    /// For `reactor_fd`, which is not modelled.
    pub(crate) fn get(self) -> &'static T {
        unreachable!("no model asks for it")
    }
}

pub(crate) fn share<T>(value: T) -> Ref<T> {
    Ref(Arc::new(value))
}

pub(crate) fn pause() {
    unreachable!("the modelled poller does not fail");
}

/// What the shipped code catches are panics of wakers. Here they are loom's findings.
pub(crate) fn contain(f: impl FnOnce()) {
    f();
}

pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)), &self.0)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

/// `None` only while a condition variable has it.
pub(crate) struct MutexGuard<'a, T>(
    Option<loom::sync::MutexGuard<'a, T>>,
    &'a loom::sync::Mutex<T>,
);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("the guard is out only during a wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("the guard is out only during a wait")
    }
}

/// A condition variable that one thread at a time waits for. As with any, a signal that comes
/// before the wait is lost.
///
/// Not loom's: it would not let the world end a sleep at the moment that another begins.
#[derive(Debug)]
pub(crate) struct Condvar {
    sleeper: Sleeper,
    /// Touched by each wait and each signal, so that loom tries both orders of the two. `None`
    /// where all signals are given under the lock of those who wait.
    meets: Option<AtomicUsize>,
}

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar { sleeper: Sleeper::new(), meets: Some(AtomicUsize::new(0)) }
    }

    /// One that is signalled under the lock only, which saves loom a step.
    pub(crate) fn signalled_under_lock() -> Condvar {
        Condvar { sleeper: Sleeper::new(), meets: None }
    }

    fn meet(&self) {
        if let Some(meets) = &self.meets {
            meets.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn notify_one(&self) {
        self.meet();
        self.sleeper.wake();
    }

    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_until(&mut guard, NEVER);
        guard
    }

    pub(crate) fn wait_for<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> MutexGuard<'a, T> {
        let limit = clock::saturating_nanos(limit);
        self.wait_until(&mut guard, clock::wheel_now().saturating_add(limit));
        guard
    }

    /// Waits until a signal or until it is as late as `deadline`.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: u64) {
        self.meet();
        let MutexGuard(inner, mutex) = guard;
        self.sleeper.sleep_until(deadline, || drop(inner.take()));
        *inner = Some(mutex.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// See `src/sync.rs`.
pub(crate) fn is_same_task(one: &Waker, other: &Waker) -> bool {
    one.will_wake(other) || (one.data() == other.data() && one.vtable() == other.vtable())
}
