//! The models' stand-in for `src/sync.rs`: loom's atomics and locks, with the same interface,
//! noting their steps in the trace.

#[path = "../shared/condvar.rs"]
mod condvar;
#[path = "../shared/sync.rs"]
mod shared;

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{Arc, PoisonError, Weak};

pub(crate) use loom::sync::atomic::Ordering;
pub(crate) use shared::{Ref, Tally, is_same_task, share};

use crate::trace::{self, Tag};
use crate::world::Sleeper;

pub(crate) fn pause() {
    unreachable!("the modelled poller does not fail");
}

/// What the shipped code catches are panics of wakers. Here they are loom's findings.
pub(crate) fn catch_panic(f: impl FnOnce()) {
    f();
}

/// Makes an atomic integer out of loom's.
macro_rules! atomic {
    ($name:ident, $value:ty) => {
        pub(crate) struct $name {
            inner: loom::sync::atomic::$name,
            tag: Tag,
            /// The value that was written last, for the trace. Loom need not know.
            newest: std::sync::atomic::$name,
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl $name {
            #[track_caller]
            pub(crate) fn new(value: $value) -> $name {
                $name {
                    inner: loom::sync::atomic::$name::new(value),
                    tag: Tag::new(Location::caller()),
                    newest: std::sync::atomic::$name::new(value),
                }
            }

            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                let value = self.inner.load(ordering);
                self.note("load", value, None);
                value
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.inner.store(value, ordering);
                self.newest.store(value, Ordering::Relaxed);
                trace::step(Location::caller(), Some(self.tag), || format!("store {value}"));
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                let before = self.inner.swap(value, ordering);
                self.note("swap", before, Some(value));
                before
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                let before = self.inner.fetch_add(value, ordering);
                self.note("add", before, Some(before.wrapping_add(value)));
                before
            }

            #[track_caller]
            pub(crate) fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                let before = self.inner.fetch_sub(value, ordering);
                self.note("subtract", before, Some(before.wrapping_sub(value)));
                before
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let result = self.inner.compare_exchange(current, new, success, failure);
                match result {
                    Ok(before) => self.note("exchange", before, Some(new)),
                    Err(found) => self.note("exchange fails:", found, None),
                }
                result
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            /// Notes a step that found a value and perhaps wrote one.
            #[track_caller]
            fn note(&self, what: &str, found: $value, written: Option<$value>) {
                let newest = self.newest.load(Ordering::Relaxed);
                if let Some(written) = written {
                    self.newest.store(written, Ordering::Relaxed);
                }
                trace::step(Location::caller(), Some(self.tag), || match written {
                    Some(written) => format!("{what} {found} → {written}"),
                    None if found != newest => {
                        format!("{what} {found}, an older value: the newest is {newest}")
                    }
                    None => format!("{what} {found}"),
                });
            }
        }
    };
}

atomic!(AtomicU8, u8);
atomic!(AtomicUsize, usize);

pub(crate) struct Mutex<T> {
    inner: loom::sync::Mutex<T>,
    /// `None`: what is done under it is noted by whoever does it.
    tag: Option<Tag>,
}

impl<T> Mutex<T> {
    #[track_caller]
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex { inner: loom::sync::Mutex::new(value), tag: Some(Tag::new(Location::caller())) }
    }

    /// A lock of a stand-in, which notes for itself what it does.
    pub(crate) fn quiet(value: T) -> Mutex<T> {
        Mutex { inner: loom::sync::Mutex::new(value), tag: None }
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let at = Location::caller();
        let step = self.tag.map(|tag| trace::begin(at, tag, "lock"));
        let guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        step.into_iter().for_each(trace::end);
        MutexGuard(Some(guard), &self.inner)
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
pub(crate) struct Condvar(Arc<CondvarInner>);

#[derive(Debug)]
struct CondvarInner {
    sleeper: Sleeper,
    tag: Tag,
    /// Touched by each wait and each signal, so that loom tries both orders of the two. `None`
    /// where all signals are given under the lock of those who wait.
    meets: Option<loom::sync::atomic::AtomicUsize>,
}

thread_local! {
    /// Those that may be signalled without the lock of those who wait.
    static CONDVARS: RefCell<Vec<Weak<CondvarInner>>> = const { RefCell::new(Vec::new()) };
}

/// Signals each condition variable of a parker, as the system may at any time.
#[track_caller]
pub(crate) fn signal_spuriously() {
    let condvars = CONDVARS.take();
    for inner in condvars.iter().filter_map(Weak::upgrade) {
        Condvar(inner).notify_one();
    }
}

impl Condvar {
    #[track_caller]
    pub(crate) fn new() -> Condvar {
        let meets = Some(loom::sync::atomic::AtomicUsize::new(0));
        let tag = Tag::new(Location::caller());
        let inner = Arc::new(CondvarInner { sleeper: Sleeper::new(), tag, meets });
        CONDVARS.with_borrow_mut(|condvars| {
            condvars.retain(|condvar| condvar.strong_count() > 0);
            condvars.push(Arc::downgrade(&inner));
        });
        Condvar(inner)
    }

    /// One that is signalled under the lock only, which saves loom a step.
    #[track_caller]
    pub(crate) fn signalled_under_lock() -> Condvar {
        let tag = Tag::new(Location::caller());
        Condvar(Arc::new(CondvarInner { sleeper: Sleeper::new(), tag, meets: None }))
    }

    fn meet(&self) {
        if let Some(meets) = &self.0.meets {
            meets.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[track_caller]
    pub(crate) fn notify_one(&self) {
        self.meet();
        if self.0.meets.is_some() {
            trace::step(Location::caller(), Some(self.0.tag), || "signal".to_owned());
        }
        self.0.sleeper.wake();
    }

    /// Waits until a signal or until it is as late as `deadline`.
    #[track_caller]
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: u64) {
        self.meet();
        let MutexGuard(inner, mutex) = guard;
        self.0.sleeper.sleep_until(deadline, || drop(inner.take()));
        *inner = Some(mutex.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
