//! In place of `src/sync.rs`: one thread, and locks that know whether they are held, so that a
//! waker finds out when it is run under one.

#[path = "../../loom-tests/shared/sync.rs"]
mod shared;

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

pub(crate) use shared::{Ref, Tally, is_same_task, share};
pub(crate) use std::sync::atomic::*;

use crate::{clock, stage};

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static CATCHING: Cell<usize> = const { Cell::new(0) };
}

/// Locks of the library's that are held now.
pub(crate) fn held() -> usize {
    HELD.get()
}

#[derive(Debug)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let guard = match self.0.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(error)) => PoisonError::into_inner(error),
            Err(TryLockError::WouldBlock) => panic!("a lock is taken by who holds it"),
        };
        HELD.set(HELD.get() + 1);
        MutexGuard(guard)
    }
}

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T>(std::sync::MutexGuard<'a, T>);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

/// Nobody blocks: there is one thread.
#[derive(Debug)]
pub(crate) struct Condvar;

impl Condvar {
    pub(crate) const fn new() -> Condvar {
        Condvar
    }

    pub(crate) fn notify_one(&self) {}

    pub(crate) fn wait<'a, T>(&self, _: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        unreachable!("the only thread would sleep for ever")
    }

    pub(crate) fn wait_for<'a, T>(&self, _: MutexGuard<'a, T>, _: Duration) -> MutexGuard<'a, T> {
        unreachable!("the only thread would sleep")
    }
}

/// A moment passes.
pub(crate) fn pause() {
    clock::pass(1_000_000);
    stage::time_has_passed();
}

/// Runs code of the user's and keeps a panic of its to itself, as the shipped one does.
pub(crate) fn catch_panic(code: impl FnOnce()) {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    CATCHING.set(CATCHING.get() + 1);
    let _ = catch_unwind(AssertUnwindSafe(code));
    CATCHING.set(CATCHING.get() - 1);
}

/// Whether a panic would be kept from the library's caller.
pub(crate) fn is_contained() -> bool {
    CATCHING.get() > 0
}
