//! Paused time, as tests have it.

mod seeds;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use self::seeds::SEED;
use crate::clock::{self, NEVER};
use crate::driver::paused::{self, Goal, Guard, Scope};

pub use self::seeds::for_each_seed;

/// What paused time that moves by itself does while somebody waits for I/O: see
/// [`Paused::auto_advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingIo {
    /// Time jumps to the next deadline at once. For tests without I/O, or whose peers are tasks of
    /// the same threads: what these have sent is ready by then. What they write to a TCP stream is
    /// sent at once only with [`set_nodelay(true)`](std::net::TcpStream::set_nodelay): otherwise the
    /// system may keep the second of two small writes back for some 40 ms.
    Jump,
    /// The threads wait for I/O this long, in real time, before each jump. For peers elsewhere.
    ///
    /// A source that was read or written through `AsyncRead` or `AsyncWrite`, or polled, is waited
    /// for until it is ready or dropped, even if the task has given up.
    Wait(Duration),
}

/// Pauses time for this thread, until the guard is dropped.
///
/// The thread's clock stands still at the system's present time, and moves only when
/// [`Paused::advance`] or [`Paused::advance_to_next`] is awaited, or by itself after
/// [`Paused::auto_advance`]. All timers of this crate that the thread polls follow it:
/// [`Timer`](crate::Timer) and intervals, and all of [`time`](crate::time). [`now`](super::now())
/// tells it; `Instant::now` goes on to tell the system's.
///
/// The thread gets a poller and a timing wheel of its own for this. No other thread is affected:
/// tests may pause time in as many threads as they like. I/O is real, and takes no time.
///
/// # What fires when
///
/// Each timer fires at its deadline, to the nanosecond: a task that is woken for `t` sees `now() ==
/// t`. Slack and coalescing delay nothing. Timers of one deadline fire in an order that is the same
/// each time, or that a [seed](Paused::set_seed) decides. Time moves only when all tasks of the
/// thread's [`block_on`](crate::block_on) call are at rest, that is, when it would sleep otherwise.
/// So a task that yields in a loop until something has happened keeps time from moving.
///
/// Time moves inside of [`block_on`](crate::block_on), with any executor in it. What waits for a
/// timer outside of it, also in a function of that name of another crate, waits until this thread
/// calls `block_on` again.
/// [`driver::drive`](crate::driver::drive) returns an error meanwhile.
///
/// # Nothing can happen any more
///
/// If all tasks wait, and neither may time move nor is there I/O or a wake by another thread for
/// five seconds of real time, `block_on` panics with a message that says what waits, instead of
/// hanging. [`Paused::set_patience`] sets another time.
///
/// # When it ends
///
/// An instant means what the clock of the thread says that polls the timer: that is all a timer
/// knows.
///
/// - When the guard is dropped, or [`Paused::resume`] is called, all tasks that wait are woken.
///   They poll their timers and sources anew, which wait in real time from then on: for the
///   instants that they had. A timer for a virtual hour ahead fires when that hour is over, less
///   what time the pause took.
/// - If that happens inside of `block_on`, the call goes on by the system's clock, and they are
///   woken when it returns.
/// - A timer that another thread polls follows the clock of that thread. Moved from one thread to
///   another while a task waits for it, it wakes the task by the clock of the thread that polled
///   last, until it is polled again.
/// - Virtual time may be ahead of real time: then `now()` steps back at the end.
///
/// # A leaked guard, and a fork
///
/// If the guard is leaked ([`mem::forget`](std::mem::forget)), time is paused until the thread
/// ends, or, [for the process](pause_process), for good. In the child of a fork nothing is paused:
/// timers and `block_on` follow the system's clock, as everything does that the parent has made,
/// and the guard's methods panic.
///
/// # Costs
///
/// Three descriptors and some memory for as many pauses as there were at once; they are used again.
/// While anybody's time is paused, each look at the clock, by any thread, takes some nanoseconds
/// more.
///
/// # Panics
///
/// If time is paused already by this thread; inside of [`block_on`](crate::block_on) or
/// [`drive`](crate::driver::drive); and if the system has no descriptors left.
///
/// # Examples
///
/// An hour passes at once:
///
/// ```
/// use async_wheel::{Timer, block_on, time};
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3_600);
/// let paused = time::pause();
/// let start = time::now();
/// block_on(async {
///     let mut timer = Timer::after(hour);
///     assert!(futures_lite::future::poll_once(&mut timer).await.is_none());
///     paused.advance(hour).await;
///     assert_eq!(futures_lite::future::poll_once(&mut timer).await, Some(start + hour));
/// });
/// assert_eq!(time::now(), start + hour);
/// ```
///
/// The guard stays on its thread:
///
/// ```compile_fail,E0277
/// let paused = async_wheel::time::pause();
/// std::thread::spawn(move || drop(paused));
/// ```
#[track_caller]
pub fn pause() -> Paused {
    Paused::begin(Scope::Thread)
}

/// Pauses time for all threads of the process, until the guard is dropped.
///
/// As [`pause()`], which says what that means, but for programs with several threads in
/// [`block_on`](crate::block_on): they share one clock, which stands still as long as one of them
/// is awake. When all sleep, time may move, to the earliest deadline of all. A thread counts from
/// when it enters `block_on` until it returns: one that is still on its way there is not waited
/// for. If that matters, let the threads meet at a [`Barrier`](std::sync::Barrier) inside.
///
/// Threads outside of `block_on` see the same clock. The timers that they poll are driven by those
/// inside, which do not wait for them.
///
/// These keep the system's clock: a thread that is in `block_on` or [`drive`](crate::driver::drive)
/// when the pause begins, until it returns; one that pauses its own time has its own, which
/// begins at the system's; and the fallback thread, which runs the wakers of what waited before.
///
/// When the guard is dropped, calls that are going on in other threads go on by the system's clock.
///
/// The order in which threads run is the system's, and so is the order in which they take from each
/// other what they share. What a test counts should not depend on it.
///
/// # Panics
///
/// If time is paused already for the process, or calls are going on that began during its last
/// pause; and as [`pause()`].
///
/// # Examples
///
/// Two threads, each of which beats once an hour for a day:
///
/// ```
/// use async_wheel::{Timer, block_on, time};
/// use futures_lite::StreamExt;
/// use std::thread;
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3_600);
/// let paused = time::pause_process();
/// paused.auto_advance(time::PendingIo::Jump);
/// let beats = || thread::spawn(move || block_on(Timer::interval(hour).take(24).count()));
/// let threads = [beats(), beats()];
/// for thread in threads {
///     assert_eq!(thread.join().unwrap(), 24);
/// }
/// assert!(paused.elapsed() >= 24 * hour);
/// ```
#[track_caller]
pub fn pause_process() -> Paused {
    Paused::begin(Scope::Process)
}

/// Time is paused as long as this exists: see [`pause()`] and [`pause_process`].
///
/// It stays on the thread that has made it.
#[must_use = "time is paused only as long as the guard exists"]
pub struct Paused {
    guard: Guard,
    seed: Option<u64>,
    /// The clock and the shard are the thread's.
    _is_not_send: PhantomData<*const ()>,
}

impl Paused {
    #[track_caller]
    fn begin(scope: Scope) -> Paused {
        Paused { guard: Guard::begin(scope), seed: None, _is_not_send: PhantomData }
    }

    /// Moves the clock on by `duration`, from deadline to deadline.
    ///
    /// First all tasks come to rest. Then, one after another in order of their deadlines, the
    /// timers fire that are due by then, each at its own time, and after each of these moments all
    /// tasks come to rest again. What they begin to wait for on the way fires as well, if it is
    /// due. At last the clock stands `duration` after where it stood when this was first polled,
    /// all tasks are at rest, and the call returns. A duration of zero lets them come to rest.
    ///
    /// I/O that is ready is dispatched before each move. What is not is not waited for.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the clock stays where it is.
    ///
    /// # Panics
    ///
    /// If the clock cannot count to the end: it counts to 584 years after the start of the process.
    /// If it is polled outside of [`block_on`](crate::block_on), or by another executor's. And in
    /// the child of a fork.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, block_on, time};
    /// use futures_lite::{StreamExt, future};
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// let paused = time::pause();
    /// let mut ticks = 0;
    /// block_on(future::or(
    ///     Timer::interval(second).for_each(|_| ticks += 1),
    ///     paused.advance(3_600 * second),
    /// ));
    /// assert_eq!(ticks, 3_600);
    /// ```
    pub fn advance(&self, duration: Duration) -> impl Future<Output = ()> + '_ {
        let nanos = clock::saturating_nanos(duration);
        let mut advance = None;
        std::future::poll_fn(move |cx| {
            let advance = advance.get_or_insert_with(|| {
                let target = clock::wheel_now().saturating_add(nanos);
                assert!(target < NEVER, "the clock cannot move on by {duration:?}");
                Box::pin(self.guard.advance(Goal::At(target)))
            });
            advance.as_mut().poll(cx).map(drop)
        })
    }

    /// Moves the clock to the next deadline, and lets the timers fire that are due then.
    ///
    /// First all tasks come to rest, and once more when the timers have fired. Returns the
    /// deadline, or `None`, with the clock where it was, if no timer waits.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the clock stays where it is.
    ///
    /// # Panics
    ///
    /// If it is polled outside of [`block_on`](crate::block_on), or by another executor's. And in
    /// the child of a fork.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, block_on, time};
    /// use futures_lite::future;
    /// use std::time::Duration;
    ///
    /// let day = Duration::from_secs(86_400);
    /// let paused = time::pause();
    /// let start = time::now();
    /// block_on(async {
    ///     let mut timers = Box::pin(future::zip(Timer::after(day), Timer::after(2 * day)));
    ///     assert!(future::poll_once(&mut timers).await.is_none());
    ///     assert_eq!(paused.advance_to_next().await, Some(start + day));
    ///     assert_eq!(paused.advance_to_next().await, Some(start + 2 * day));
    ///     assert_eq!(paused.advance_to_next().await, None);
    /// });
    /// ```
    pub fn advance_to_next(&self) -> impl Future<Output = Option<Instant>> + '_ {
        let mut advance = None;
        std::future::poll_fn(move |cx| {
            let advance =
                advance.get_or_insert_with(|| Box::pin(self.guard.advance(Goal::NextDeadline)));
            advance.as_mut().poll(cx).map(|deadline| deadline.and_then(clock::instant))
        })
    }

    /// Lets time move by itself, from now on: whenever all tasks are at rest and no I/O is ready,
    /// it jumps to the next deadline. `io` says what happens if somebody waits for I/O.
    ///
    /// Other threads are not waited for, unless they are [paused together](pause_process): what
    /// they do takes no time, or, to those who wait for it with a timeout, any. Without a deadline
    /// there is nothing to jump to, and they are waited for [with patience](Paused::set_patience).
    /// [`hold`](Paused::hold) lets time wait for one.
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, block_on, time};
    /// use std::time::Duration;
    ///
    /// let paused = time::pause();
    /// paused.auto_advance(time::PendingIo::Jump);
    /// block_on(Timer::after(Duration::from_secs(86_400)));
    /// ```
    #[track_caller]
    pub fn auto_advance(&self, io: PendingIo) {
        self.guard.set_grace(Some(match io {
            PendingIo::Jump => Duration::ZERO,
            PendingIo::Wait(duration) => duration,
        }));
    }

    /// Keeps time from moving by itself, until what is returned is dropped.
    ///
    /// For work that another thread does, which is no I/O: time would not wait for it. Let the task
    /// hold it that waits for the result, until that is there. Time moves by hand meanwhile, and
    /// patience has its end.
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{block_on, time};
    /// use std::thread;
    /// use std::time::Duration;
    ///
    /// let paused = time::pause();
    /// paused.auto_advance(time::PendingIo::Jump);
    /// let (send, receive) = async_channel::bounded(1);
    /// thread::spawn(move || {
    ///     thread::sleep(Duration::from_millis(5));
    ///     send.send_blocking("done")
    /// });
    /// let result = block_on(time::timeout(Duration::from_secs(60), async {
    ///     let _held = paused.hold();
    ///     receive.recv().await
    /// }));
    /// assert_eq!(result, Ok(Ok("done")));
    /// ```
    #[track_caller]
    pub fn hold(&self) -> Hold {
        Hold { _held: self.guard.hold() }
    }

    /// Lets time move only by hand again, as at the beginning.
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    #[track_caller]
    pub fn stand_still(&self) {
        self.guard.set_grace(None);
    }

    /// Sets how long, in real time, [`block_on`](crate::block_on) waits for I/O and for other
    /// threads, while time cannot move, before it panics since nothing can happen any more. Five
    /// seconds by default; `Duration::MAX` waits for ever.
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    ///
    /// # Examples
    ///
    /// A test that says why it would hang:
    ///
    /// ```should_panic
    /// use async_wheel::{Timer, block_on, time};
    /// use std::time::Duration;
    ///
    /// let paused = time::pause();
    /// paused.set_patience(Duration::from_millis(10));
    /// // Nobody moves the clock.
    /// block_on(Timer::after(Duration::from_secs(1)));
    /// ```
    #[track_caller]
    pub fn set_patience(&self, patience: Duration) {
        self.guard.set_patience(patience);
    }

    /// Lets a seed decide in which order those are woken, from now on, who could be woken at the
    /// same time: those of timers with one deadline, and those of sources that are ready at once.
    /// The same seed gives the same order, if all else is the same. If the guard is dropped by a
    /// panic, it prints the seed.
    ///
    /// What ran on one thread with one seed runs the same way again, with an executor that does the
    /// same each time, as `async_executor::LocalExecutor` does. See [`for_each_seed`].
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    #[track_caller]
    pub fn set_seed(&mut self, seed: u64) {
        self.guard.set_seed(seed);
        self.seed = Some(seed);
    }

    /// Returns how far the clock has moved since the pause began.
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    #[must_use]
    #[track_caller]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(clock::wheel_now().saturating_sub(self.guard.began()))
    }

    /// Ends the pause, as dropping the guard does.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{block_on, time};
    /// use std::time::Duration;
    ///
    /// let paused = time::pause();
    /// let ahead = block_on(async {
    ///     paused.advance(Duration::from_secs(60)).await;
    ///     time::now()
    /// });
    /// paused.resume();
    /// assert!(time::now() < ahead, "the minute was virtual");
    /// ```
    pub fn resume(self) {}
}

/// Time does not move by itself as long as this exists: see [`Paused::hold`].
///
/// Any thread may drop it.
#[derive(Debug)]
#[must_use = "time is held only as long as this exists"]
pub struct Hold {
    _held: paused::Hold,
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(seed) = self.seed.filter(|_| std::thread::panicking()) {
            eprintln!("the seed was {seed}: {SEED}={seed} replays it");
        }
    }
}

impl fmt::Debug for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paused").field("seed", &self.seed).finish_non_exhaustive()
    }
}
