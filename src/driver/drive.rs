//! Rounds at the request of the program: for threads that are not in `block_on`.

use std::cell::Cell;
use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::context::Parts;
use super::one_round::{Round, run};
use super::process;
use crate::clock::{self, NEVER};
use crate::reactor::Shard;
use crate::sys::fork_generation;

/// Runs one round of the reactor on this thread: waits for events and timers, for `timeout` at
/// most, and wakes the tasks that wait for them. `None` waits without limit.
///
/// It serves what is used outside [`block_on`](crate::block_on): timers and sources that are polled
/// by threads in `block_on` are theirs, unless the program runs [without the fallback
/// thread](crate::Builder::fallback_thread): then it serves all.
///
/// The call returns when it has done something, when the time is over, or when [`notify`] was
/// called. It may return earlier, with nothing done: call it in a loop. While another thread drives,
/// it waits for its turn. Wakers run inside the call, and holding no lock.
///
/// With a timeout of zero it never sleeps: for other event loops, which call it when
/// [`reactor_fd`](crate::os::unix::reactor_fd) is readable or [`next_deadline`] has come.
///
/// Costs one or two system calls, and no allocation after a thread's first call.
///
/// # Errors
///
/// If the reactor cannot be started: no descriptors or threads are left. If it is called by a waker
/// that is run by `drive` on this thread: then nothing is done. A waker that is run elsewhere, and a
/// future in `block_on`, may call it: a round is run in between. And, with the feature `test-util`,
/// while time is paused on this thread.
///
/// # After a fork
///
/// The child drives a reactor of its own. A call that was under way when the process was forked, by
/// a waker, returns an error in the child.
///
/// # Examples
///
/// A loop without an executor, and with a task that a timer wakes:
///
/// ```
/// use async_wheel::{Timer, driver};
/// use std::future::Future;
/// use std::pin::pin;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::task::{Context, Wake, Waker};
/// use std::time::Duration;
///
/// #[derive(Default)]
/// struct Task(AtomicBool);
///
/// impl Wake for Task {
///     fn wake(self: Arc<Self>) {
///         // Ordering: Release, with the Acquire below: the task sees what came before its wake.
///         self.0.store(true, Ordering::Release);
///     }
/// }
///
/// let task = Arc::new(Task::default());
/// let waker = Waker::from(task.clone());
/// let mut timer = pin!(Timer::after(Duration::from_millis(2)));
/// while timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
///     // Ordering: Acquire, with the Release in `wake`.
///     while !task.0.swap(false, Ordering::Acquire) {
///         driver::drive(Some(Duration::from_secs(1)))?;
///     }
/// }
/// # std::io::Result::Ok(())
/// ```
pub fn drive(timeout: Option<Duration>) -> io::Result<Round> {
    #[cfg(feature = "test-util")]
    if super::paused::is_in_force() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "`drive` was called while time is paused: `block_on` moves it",
        ));
    }
    let _entered = Entered::enter()?;
    #[cfg(feature = "test-util")]
    let _time = clock::manual::OnSystemTime::begin();
    let reactor = process::reactor()?;
    let shard = reactor.first();
    let mut parts = Parts::for_drive(&shard);
    shard.succession().note_awake();
    let waker = Waker::from(parts.me.clone());
    let limit = timeout.map_or(NEVER, |timeout| {
        clock::wheel_now().saturating_add(clock::saturating_nanos(timeout))
    });
    let sleeps = timeout != Some(Duration::ZERO);
    let mut heard = heard(&shard);
    let round = run(&shard, &parts.me, &waker, &mut parts.batch, limit, sleeps, &mut heard);
    if shard.is_from_parent() {
        return Err(io::Error::other("the process was forked inside `drive`"));
    }
    if !sleeps {
        reactor.take_notification(&mut parts.batch);
    }
    let _ = HEARD.try_with(|cell| cell.set((fork_generation(), heard)));
    shard.succession().note_parked();
    drop(waker);
    parts.keep_for_drive();
    Ok(round)
}

/// Ends the [`drive`] calls that sleep, and of each thread that is in none the next one that would,
/// and makes [`reactor_fd`](crate::os::unix::reactor_fd) readable: for the wakers of an executor whose
/// thread sleeps in there. From any thread, at any time. Costs one system call. Does nothing if no
/// reactor runs.
///
/// After such a call has returned, its thread sees what came before the notification.
///
/// # Examples
///
/// ```
/// use async_wheel::driver;
/// use std::thread;
///
/// // Sleeps for ever but for the notification.
/// let sleeper = thread::spawn(|| driver::drive(None));
/// while !sleeper.is_finished() {
///     driver::notify();
///     thread::yield_now();
/// }
/// assert!(sleeper.join().unwrap().is_ok());
/// ```
pub fn notify() {
    if let Some(reactor) = process::started() {
        reactor.notify();
    }
}

/// Returns when [`drive`] has to be called next for timers: the earliest deadline of those that it
/// serves, later by as much as their slack allows, or coalescing where they are dense. `None` if no
/// timer waits.
///
/// A timer that another thread sets for an earlier time makes a later look out of date. Only
/// [`reactor_fd`](crate::os::unix::reactor_fd) tells of that.
///
/// Takes a lock for a moment.
///
/// # Examples
///
/// ```
/// let sleep = async_wheel::driver::next_deadline()
///     .map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
/// assert_eq!(sleep, None, "no timer waits");
/// ```
#[must_use]
pub fn next_deadline() -> Option<Instant> {
    clock::instant(process::started()?.first().idle_until())
}

thread_local! {
    /// Whether this thread is in `drive`.
    static IN_DRIVE: Cell<bool> = const { Cell::new(false) };

    /// How many notifications this thread has heard of, and in which process, by its fork
    /// generation: each counts its own.
    static HEARD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Returns how many notifications this thread has heard of.
fn heard(shard: &Shard) -> usize {
    let notifications = shard.succession().notifications();
    // A thread whose locals are gone already hears of those that are to come.
    HEARD.try_with(Cell::get).map_or(notifications, |(generation, heard)| {
        if generation == fork_generation() { heard } else { 0 }
    })
}

/// Returns `true` if this thread is in `drive`.
#[cfg(feature = "test-util")]
pub(super) fn is_under_way() -> bool {
    IN_DRIVE.try_with(Cell::get).unwrap_or(false)
}

/// Keeps a waker that `drive` runs from driving.
struct Entered;

impl Entered {
    fn enter() -> io::Result<Entered> {
        // A thread whose locals are gone already is taken at its word.
        if IN_DRIVE.try_with(|in_drive| in_drive.replace(true)).unwrap_or(false) {
            return Err(io::Error::new(
                io::ErrorKind::Deadlock,
                "`drive` was called by a waker that `drive` runs",
            ));
        }
        Ok(Entered)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = IN_DRIVE.try_with(|in_drive| in_drive.set(false));
    }
}
