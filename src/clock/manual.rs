//! The manual clock: tests move it. It stands still in between.
//!
//! A thread follows its own manual clock if it has one, or else that of the process if there is
//! one, unless it keeps the system's time.

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::NEVER;

/// A look at a clock.
type Look = fn() -> Instant;

/// The look that [`super::now`] takes, a [`Look`]: of the system's clock, as long as there is no
/// manual one. It is called through this pointer since that is two instructions more than a call of
/// the function. To look at a flag first would be four.
static LOOK: AtomicPtr<()> = AtomicPtr::new(if cfg!(test) {
    now as Look as *mut ()
} else {
    Instant::now as Look as *mut ()
});

/// The process's clock; [`NEVER`] if it has none.
static PROCESS: AtomicU64 = AtomicU64::new(NEVER);

/// How many forks lie between the first process with a manual clock and this one. Clocks of threads
/// are of one process.
static FORKS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static HAND: Cell<Hand> = const { Cell::new(Hand::Process) };
}

/// Which clock a thread follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hand {
    /// That of the process, or else the system's.
    Process,
    /// The system's.
    #[cfg(feature = "test-util")]
    System,
    /// Its own.
    Own {
        at: u64,
        /// How far it steps back with each look.
        back: u64,
        forks: usize,
    },
}

impl Hand {
    fn own(at: u64, back: u64) -> Hand {
        Hand::Own { at, back, forks: forks() }
    }

    /// Returns the clock that this thread follows. One of the process that this one was forked from
    /// is none.
    fn of_thread() -> Hand {
        match HAND.try_with(Cell::get) {
            Ok(Hand::Own { forks: of, .. }) if of != forks() => Hand::Process,
            Ok(hand) => hand,
            Err(_) => Hand::Process,
        }
    }

    fn take(self) {
        // A thread without locals follows the process.
        let _ = HAND.try_with(|hand| hand.set(self));
    }
}

fn forks() -> usize {
    // Ordering: Relaxed: it changes in a child before `fork` returns there, on its only thread.
    FORKS.load(Ordering::Relaxed)
}

/// Returns the look at the clock that [`super::now`] takes.
#[inline(always)]
pub(super) fn look_in_use() -> Look {
    // Ordering: Relaxed: a thread that has a clock has stored the pointer itself. That of the
    // process is there for all threads that are started after it, or otherwise hear of it. Nothing
    // is read through the pointer but code.
    let look = LOOK.load(Ordering::Relaxed);
    // SAFETY: all that is ever stored there is a `Look`.
    unsafe { std::mem::transmute::<*mut (), Look>(look) }
}

#[cfg(all(unix, feature = "test-util"))]
pub(crate) use counted::forked;
#[cfg(all(async_wheel_epoll, feature = "test-util"))]
pub(super) use counted::unless_used;
#[cfg(feature = "test-util")]
pub(crate) use counted::{begin, end, is_used, was_used};

/// How many clocks there are, and what depends on whether there is any.
#[cfg(feature = "test-util")]
mod counted {
    use std::sync::atomic::AtomicBool;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::*;

    /// How many manual clocks there are, by the number of forks: a child's lock is none that
    /// another thread can have held when the process was forked.
    static CLOCKS: [Mutex<usize>; MOST_FORKS] = [const { Mutex::new(0) }; MOST_FORKS];

    /// As many as processes with a reactor; those after that share the last.
    const MOST_FORKS: usize = 64;

    /// Whether there is any. Changed under the lock, as [`LOOK`] is.
    static USED: AtomicBool = AtomicBool::new(false);

    /// Whether there ever was any.
    static WAS_USED: AtomicBool = AtomicBool::new(false);

    fn clocks() -> MutexGuard<'static, usize> {
        CLOCKS[forks().min(MOST_FORKS - 1)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if there is a manual clock, of whomever.
    #[inline(always)]
    pub(crate) fn is_used() -> bool {
        // Ordering: Relaxed, as in `look_in_use`.
        cfg!(test) || USED.load(Ordering::Relaxed)
    }

    /// Returns `true` if there is or was a manual clock: so that the time may be before that of an
    /// earlier look.
    #[inline(always)]
    pub(crate) fn was_used() -> bool {
        // Ordering: Relaxed, as in `look_in_use`. Who has taken something from a thread with a manual
        // clock sees it by what it got that from.
        WAS_USED.load(Ordering::Relaxed)
    }

    /// Runs this if there is no manual clock, and none begins meanwhile.
    #[cfg(async_wheel_epoll)]
    pub(crate) fn unless_used(run: impl FnOnce()) {
        let clocks = clocks();
        if *clocks == 0 && !cfg!(test) {
            run();
        }
    }

    /// Counts one more clock. To be called before it is set.
    pub(crate) fn begin() {
        fix_what_the_first_look_fixes();
        let mut clocks = clocks();
        *clocks += 1;
        // Ordering: Relaxed, as in `look_in_use`.
        USED.store(true, Ordering::Relaxed);
        WAS_USED.store(true, Ordering::Relaxed);
        LOOK.store(now as Look as *mut (), Ordering::Relaxed);
        #[cfg(async_wheel_epoll)]
        crate::clock::linux::forget_coarse_zero();
    }

    /// Counts one clock less, which was taken away.
    pub(crate) fn end() {
        let mut clocks = clocks();
        *clocks = clocks.saturating_sub(1);
        if *clocks == 0 {
            stop();
        }
    }

    /// Everybody goes by the system's clock.
    fn stop() {
        // Ordering: Relaxed, as in `look_in_use`.
        USED.store(false, Ordering::Relaxed);
        if !cfg!(test) {
            LOOK.store(Instant::now as Look as *mut (), Ordering::Relaxed);
        }
    }

    /// Notes, in the child of a fork, that all manual clocks were the parent's. Only stores: it may
    /// do what a signal handler may.
    #[cfg(unix)]
    pub(crate) fn forked() {
        // Ordering: Relaxed: the only thread.
        FORKS.fetch_add(1, Ordering::Relaxed);
        PROCESS.store(NEVER, Ordering::Relaxed);
        stop();
    }
}

/// Lets this thread's clock stand at wheel time `at`, from now on.
pub(crate) fn set(at: u64) {
    fix_what_the_first_look_fixes();
    Hand::own(at, 0).take();
}

/// Takes this thread's clock away. It follows the process, or keeps the system's time.
#[cfg(feature = "test-util")]
pub(crate) fn unset(keeps_system: bool) {
    if keeps_system { Hand::System } else { Hand::Process }.take();
}

/// Lets the process's clock stand at wheel time `at`, from now on.
#[cfg(feature = "test-util")]
pub(crate) fn set_process(at: u64) {
    // Ordering: Relaxed: a number, by which nothing else is published. Whoever is woken because it
    // has changed sees the change by what woke it.
    PROCESS.store(at.min(NEVER - 1), Ordering::Relaxed);
}

/// Takes the process's clock away.
#[cfg(feature = "test-util")]
pub(crate) fn unset_process() {
    // Ordering: Relaxed, as in `set_process`.
    PROCESS.store(NEVER, Ordering::Relaxed);
}

/// Returns `true` if this thread keeps the system's time.
#[cfg(feature = "test-util")]
pub(crate) fn keeps_system() -> bool {
    Hand::of_thread() == Hand::System
}

/// As long as this exists, its thread keeps the system's time, unless it has a clock of its own.
#[cfg(feature = "test-util")]
#[derive(Debug)]
pub(crate) struct OnSystemTime {
    /// Whether it did not before.
    is_first: bool,
}

#[cfg(feature = "test-util")]
impl OnSystemTime {
    pub(crate) fn begin() -> OnSystemTime {
        let is_first = Hand::of_thread() == Hand::Process;
        if is_first {
            Hand::System.take();
        }
        OnSystemTime { is_first }
    }
}

#[cfg(feature = "test-util")]
impl Drop for OnSystemTime {
    fn drop(&mut self) {
        if self.is_first {
            Hand::Process.take();
        }
    }
}

/// Lets this thread's clock step back with each look, from wheel time `at` on.
#[cfg(test)]
pub(crate) fn step_back(at: u64, back: Duration) {
    fix_what_the_first_look_fixes();
    Hand::own(at, back.as_nanos() as u64).take();
}

/// What is fixed at the first look is fixed by the system's clock.
fn fix_what_the_first_look_fixes() {
    super::epoch();
    #[cfg(async_wheel_epoll)]
    let _ = super::linux::timespec(0);
}

/// The wheel time by the manual clock that this thread follows.
fn time() -> Option<u64> {
    match Hand::of_thread() {
        Hand::Own { at, back: 0, .. } => Some(at),
        Hand::Own { at, back, .. } => {
            Hand::own(at - back, back).take();
            Some(at)
        }
        #[cfg(feature = "test-util")]
        Hand::System => None,
        Hand::Process => {
            // Ordering: Relaxed, as in `set_process`.
            Some(PROCESS.load(Ordering::Relaxed)).filter(|at| *at != NEVER)
        }
    }
}

/// Returns `true` if this thread follows a manual clock.
#[cfg(async_wheel_epoll)]
#[cold]
#[inline(never)]
pub(super) fn is_followed() -> bool {
    match Hand::of_thread() {
        Hand::Own { .. } => true,
        #[cfg(feature = "test-util")]
        Hand::System => false,
        // Ordering: Relaxed, as in `set_process`.
        Hand::Process => PROCESS.load(Ordering::Relaxed) != NEVER,
    }
}

/// The time on this thread.
#[cold]
#[inline(never)]
pub(super) fn now() -> Instant {
    time().map_or_else(Instant::now, |at| super::epoch() + Duration::from_nanos(at))
}
