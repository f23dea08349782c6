//! Rounds at the request of the program: for threads that are not in `block_on`.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::context::Parts;
use super::process;
use crate::clock::{self, NEVER};
use crate::handoff::{Busy, Unparker};
use crate::reactor::{Batch, Shard};

/// What a call of [`drive`] did.
///
/// # Examples
///
/// ```
/// use async_wheel::driver;
/// use std::time::Duration;
///
/// let round = driver::drive(Some(Duration::ZERO))?;
/// println!("{} events, {} timers", round.events, round.timers);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// Events of I/O sources that were dispatched.
    pub events: usize,
    /// Timers that fired.
    pub timers: usize,
    /// Whether more timers may be due: the budget of a round was used up.
    pub more: bool,
}

impl Round {
    fn of(batch: &Batch) -> Round {
        let (events, timers) = batch.counts();
        Round { events, timers, more: batch.has_more() }
    }
}

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
/// If the reactor cannot be started: no descriptors or threads are left. And if it is called by a
/// waker that is run by `drive` on this thread: then nothing is done. A waker that is run elsewhere,
/// and a future in `block_on`, may call it: a round is run in between.
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
///         self.0.store(true, Ordering::Release);
///     }
/// }
///
/// let task = Arc::new(Task::default());
/// let waker = Waker::from(task.clone());
/// let mut timer = pin!(Timer::after(Duration::from_millis(2)));
/// while timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
///     while !task.0.swap(false, Ordering::Acquire) {
///         driver::drive(Some(Duration::from_secs(1)))?;
///     }
/// }
/// # std::io::Result::Ok(())
/// ```
pub fn drive(timeout: Option<Duration>) -> io::Result<Round> {
    let _entered = Entered::enter()?;
    let shard = process::reactor()?.first();
    let mut parts = Parts::for_drive(&shard);
    shard.succession().note_awake();
    let waker = Waker::from(parts.me.clone());
    let limit = timeout.map_or(NEVER, |timeout| {
        clock::wheel_now().saturating_add(clock::saturating_nanos(timeout))
    });
    let sleeps = timeout != Some(Duration::ZERO);
    let round = run(&shard, &parts.me, &waker, &mut parts.batch, limit, sleeps);
    if shard.is_from_parent() {
        return Err(io::Error::other("the process was forked inside `drive`"));
    }
    shard.succession().note_parked();
    drop(waker);
    parts.keep_for_drive();
    Ok(round)
}

fn run(
    shard: &Shard,
    me: &Arc<Unparker>,
    waker: &Waker,
    batch: &mut Batch,
    limit: u64,
    mut sleeps: bool,
) -> Round {
    loop {
        let busy = match shard.try_acquire() {
            Ok(driving) => {
                if sleeps {
                    driving.park_until(&me.parker, batch, limit);
                } else {
                    driving.run_round(batch);
                    driving.leave();
                }
                let round = Round::of(batch);
                batch.wake(shard);
                return round;
            }
            Err(busy) => busy,
        };
        if !sleeps {
            return Round::default();
        }
        match busy {
            Busy::Preemptible => {
                if shard.succession().request(waker) {
                    sleeps = park(shard, me, limit);
                }
            }
            Busy::Held => {
                let key = shard.succession().enqueue(waker);
                if shard.succession().is_driven() {
                    // This thread's turn, or a notification: one more look, and no more sleep.
                    park(shard, me, limit);
                    sleeps = false;
                }
                shard.succession().dequeue(key);
            }
        }
    }
}

/// Parks until this thread is unparked, which gives `true`, or the limit has come.
fn park(shard: &Shard, me: &Unparker, limit: u64) -> bool {
    shard.succession().note_parked();
    let unparked = if limit == NEVER {
        me.parker.park();
        true
    } else {
        me.parker.park_for(Duration::from_nanos(limit.saturating_sub(clock::wheel_now())))
    };
    shard.succession().note_awake();
    unparked
}

/// Ends the [`drive`] call that sleeps, or else the next one that would, and makes
/// [`reactor_fd`](crate::os::unix::reactor_fd) readable: for the wakers of an executor whose thread
/// sleeps in there. From any thread, at any time. Costs one system call. Does nothing if no reactor
/// runs.
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
        reactor.first().notify();
    }
}

/// Returns when [`drive`] has to be called next for timers: the earliest deadline of those that it
/// serves, later by as much as their slack allows. It has passed already if timers are due. `None`
/// if no timer waits.
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
