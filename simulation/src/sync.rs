//! The simulation's stand-in for `src/sync.rs`: shuttle's atomics and locks, which note for
//! each thread what it holds, and condition variables in virtual time.

#[path = "../../loom-tests/shared/condvar.rs"]
mod condvar;
#[path = "../../loom-tests/shared/sync.rs"]
mod shared;

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

pub(crate) use shared::{Ref, Tally, is_same_task, share};
pub(crate) use shuttle::sync::atomic::{AtomicUsize, Ordering};

use crate::plan::Fault;
use crate::world::{self, Sleeper};

/// How long [`pause`] takes.
const PAUSE: u64 = 1_000_000;

pub(crate) fn pause() {
    world::delay(PAUSE);
    world::sleep_for(PAUSE);
}

/// What the wakers of the simulation panic with. It does not reach the panic hook, which ends
/// the run.
pub(crate) struct Injected;

pub(crate) fn catch_panic(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        drop::<Box<dyn Any + Send>>(payload);
    }
}

/// A thread-local of a simulated thread.
pub(crate) struct Local<T: 'static>(pub(crate) shuttle::thread::LocalKey<T>);

impl<T: 'static> Local<T> {
    pub(crate) fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.0.with(f)
    }

    pub(crate) fn try_with<R>(
        &'static self,
        f: impl FnOnce(&T) -> R,
    ) -> Result<R, shuttle::thread::AccessError> {
        self.0.try_with(f)
    }
}

impl<T: Copy + 'static> Local<Cell<T>> {
    pub(crate) fn get(&'static self) -> T {
        self.0.with(Cell::get)
    }

    pub(crate) fn set(&'static self, value: T) {
        self.0.with(|cell| cell.set(value));
    }
}

/// A lock of the library's.
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        world::local(|local| local.locks += 1);
        MutexGuard { guard: Some(guard), mutex: &self.0 }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

/// What it guards, as the checks of tables look for it.
impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.try_lock() {
            Ok(guard) => guard.fmt(f),
            Err(_) => f.write_str("locked"),
        }
    }
}

pub(crate) struct MutexGuard<'a, T> {
    /// `None` only while a condition variable has it.
    guard: Option<shuttle::sync::MutexGuard<'a, T>>,
    mutex: &'a shuttle::sync::Mutex<T>,
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.guard.is_some() {
            world::local(|local| local.locks -= 1);
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("the guard is out only during a wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("the guard is out only during a wait")
    }
}

/// A condition variable that one thread at a time waits for. A signal that comes before the wait
/// is lost; and some come that nobody gave.
#[derive(Debug)]
pub(crate) struct Condvar(Sleeper);

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar(Sleeper::new())
    }

    pub(crate) fn notify_one(&self) {
        world::switch();
        self.0.wake();
    }

    fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, mut deadline: u64) {
        if world::inject(Fault::SpuriousSignal) {
            if world::one_in(2) {
                // At once.
                world::local(|local| local.locks -= 1);
                drop(guard.guard.take());
                world::switch();
                guard.guard = Some(guard.mutex.lock().unwrap_or_else(PoisonError::into_inner));
                world::local(|local| local.locks += 1);
                return;
            }
            deadline = deadline.min(world::now() + world::below(1_000_000));
        }
        // A signal that is given without the lock comes too soon here.
        world::switch();
        world::local(|local| local.locks -= 1);
        self.0.sleep_until(deadline, || drop(guard.guard.take()));
        guard.guard = Some(guard.mutex.lock().unwrap_or_else(PoisonError::into_inner));
        world::local(|local| local.locks += 1);
    }
}

/// The words of parkers and seats. Only seats are changed by a weak exchange: one that sets the
/// lowest bit takes the seat, and the holder's next swap leaves it.
#[derive(Debug)]
pub(crate) struct AtomicU8(shuttle::sync::atomic::AtomicU8);

impl AtomicU8 {
    pub(crate) fn new(value: u8) -> AtomicU8 {
        AtomicU8(shuttle::sync::atomic::AtomicU8::new(value))
    }

    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn load(&self, order: Ordering) -> u8 {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: u8, order: Ordering) {
        let id = self.id();
        self.0.store(value, order);
        world::local(|local| local.seats.retain(|seat| *seat != id));
    }

    pub(crate) fn swap(&self, value: u8, order: Ordering) -> u8 {
        let id = self.id();
        let before = self.0.swap(value, order);
        world::local(|local| local.seats.retain(|seat| *seat != id));
        before
    }

    pub(crate) fn fetch_or(&self, value: u8, order: Ordering) -> u8 {
        self.0.fetch_or(value, order)
    }

    pub(crate) fn fetch_and(&self, value: u8, order: Ordering) -> u8 {
        self.0.fetch_and(value, order)
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u8,
        new: u8,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u8, u8> {
        self.0.compare_exchange(current, new, success, failure)
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: u8,
        new: u8,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u8, u8> {
        let result = self.0.compare_exchange_weak(current, new, success, failure);
        if result.is_ok() && current & 1 == 0 && new & 1 == 1 {
            let id = self.id();
            world::local(|local| local.seats.push(id));
        }
        result
    }
}
