//! A timeout that is postponed at each sign of life and hardly ever elapses.
//!
//! The deadline that counts is `last_touch + limit`. The timer inside has an entry in the wheel at
//! that deadline or an *earlier* one, from a poll before the last touches. So a touch need not
//! reach the wheel: the entry fires at the old deadline, wakes the task, and the poll that follows
//! arms it for the one that counts. A limit that becomes shorter is the one thing that must reach
//! the wheel at once.

mod activity;
mod future;
mod io;
mod stream;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

pub use self::activity::Activity;
pub use self::future::IdleFuture;
pub use self::io::IdleIo;
pub use self::stream::IdleStream;
use super::Elapsed;
use crate::Timer;
use crate::clock::{self, NEVER};

/// A timeout that elapses when nothing has been heard for a while.
///
/// It elapses when [`limit`](Self::limit) has passed since the last *touch*. A touch says that
/// there was a sign of life: it postpones the deadline to one limit from now. A server touches the
/// idle timeout of a connection at each read, so there are very many touches and hardly ever a
/// timeout.
///
/// As a [`Future`] it yields [`Elapsed`] once it has been idle for the limit: never early, to the
/// nanosecond. It can be awaited by `&mut` as well. It stays elapsed, and yields again at each
/// poll, until it is touched; then it is live again.
///
/// It is used by hand, or wraps what is to be watched: a stream
/// ([`wrap_stream`](Self::wrap_stream)), something to read from and write to
/// ([`wrap_io`](Self::wrap_io), [`wrap_halves`](Self::wrap_halves)), or a future that says itself
/// when there was a sign of life ([`run`](Self::run)).
///
/// # Cost
///
/// A touch stores an instant in this value, and does nothing else: it takes no lock and touches no
/// shared memory. [`touch_at`](Self::touch_at) leaves out the look at the clock, too. What it reads
/// and writes lies in one cache line.
///
/// Before its first poll it has no entry in the timing wheel. Afterwards the entry stays at the
/// deadline of that poll. When this has come, the task is woken, and its poll arms the entry for
/// the deadline that the touches have made of it. So a task that waits is woken once in a limit,
/// however often it touches, and this wake is all that touches cost later.
///
/// An idle timeout takes 32 bytes. Its first wait allocates 40 for a timer, which keeps an entry of
/// 37 while it waits. Where idle timeouts lie beside each other, two share a cache line.
///
/// # Cancel safety
///
/// Dropping it, or the future that polls it by `&mut`, loses nothing. The last touch counts,
/// whatever was polled or dropped in between.
///
/// # Examples
///
/// By hand, beside other work of the task:
///
/// ```
/// use async_wheel::Timer;
/// use async_wheel::time::IdleTimeout;
/// use futures_lite::FutureExt;
/// use std::time::{Duration, Instant};
///
/// # async_wheel::block_on(async {
/// let limit = Duration::from_millis(4);
/// let mut idle = IdleTimeout::new(limit);
/// for _ in 0..3 {
///     let heard = async { Ok(Timer::after(Duration::from_millis(1)).await) };
///     let idle_too_long = async { Err((&mut idle).await) };
///     if heard.or(idle_too_long).await.is_ok() {
///         idle.touch();
///     }
/// }
/// let last = idle.last_touch();
/// idle.await;
/// assert!(last + limit <= Instant::now());
/// # });
/// ```
#[doc(alias = "keep_alive")]
#[doc(alias = "inactivity")]
#[must_use = "it does nothing unless it is polled"]
pub struct IdleTimeout {
    last_touch: LastTouch,
    limit: Limit,
    /// Made by the first poll. Has the deadline that counts, an earlier one, or none: if it has
    /// elapsed, or never will.
    ///
    /// It lies elsewhere, since a touch does not need it: what many touches cost is how many cache
    /// lines they reach.
    timer: Option<Box<Timer>>,
}

/// All that a touch reads and writes. It does not cross the end of a cache line.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct LastTouch(Instant);

/// A limit in nanoseconds, or [`NEVER`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Limit(u64);

impl Limit {
    fn new(limit: Duration) -> Limit {
        Limit(clock::saturating_nanos(limit))
    }

    fn get(self) -> Option<Duration> {
        (self.0 != NEVER).then(|| Duration::from_nanos(self.0))
    }
}

impl IdleTimeout {
    /// Creates an idle timeout that is touched now.
    ///
    /// The time counts from here, not from the first poll: create it when the connection is there.
    ///
    /// A limit of zero has elapsed at once. One of 584 years or more never elapses.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// IdleTimeout::new(Duration::from_millis(2)).await;
    /// # });
    /// assert_eq!(IdleTimeout::new(Duration::MAX).deadline(), None);
    /// ```
    pub fn new(limit: Duration) -> IdleTimeout {
        IdleTimeout::unarmed(Limit::new(limit), clock::now())
    }

    fn unarmed(limit: Limit, last_touch: Instant) -> IdleTimeout {
        IdleTimeout { last_touch: LastTouch(last_touch), limit, timer: None }
    }

    /// Postpones the deadline to one limit from now.
    ///
    /// Costs a look at the clock and a store. One that has elapsed is live again, and has to be
    /// polled again.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// let mut idle = IdleTimeout::new(Duration::from_secs(30));
    /// let before = idle.deadline();
    /// idle.touch();
    /// assert!(idle.deadline() >= before);
    /// ```
    #[doc(alias = "reset")]
    #[inline]
    pub fn touch(&mut self) {
        self.touch_at(clock::now());
    }

    /// Postpones the deadline to one limit after `now`, which several touches can share.
    ///
    /// Costs a comparison and a store. An instant before the last touch changes nothing. One in the
    /// future counts as it is: nothing elapses before one limit has passed since then.
    ///
    /// # Examples
    ///
    /// One look at the clock for all connections that have something to read:
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut ready: Vec<_> = (0..8).map(|_| IdleTimeout::new(Duration::from_secs(30))).collect();
    /// let now = Instant::now();
    /// for idle in &mut ready {
    ///     idle.touch_at(now);
    /// }
    /// assert!(ready.iter().all(|idle| idle.last_touch() == now));
    /// ```
    #[inline]
    pub fn touch_at(&mut self, now: Instant) {
        if self.last_touch.0 < now {
            self.last_touch.0 = now;
        }
    }

    /// Returns the last touch: the latest of all.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// let idle = IdleTimeout::new(Duration::from_secs(30));
    /// println!("nothing heard for {:?}", idle.last_touch().elapsed());
    /// ```
    #[must_use]
    #[inline]
    pub fn last_touch(&self) -> Instant {
        self.last_touch.0
    }

    /// Returns when it elapses, or has elapsed, if no touch comes. `None` means never: the limit
    /// has no end, or the clock cannot count that far.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// let idle = IdleTimeout::new(Duration::from_secs(30));
    /// assert_eq!(idle.deadline(), Some(idle.last_touch() + idle.limit()));
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.limit.get().and_then(|limit| self.last_touch().checked_add(limit))
    }

    /// Returns the limit. It is [`Duration::MAX`] if that is 584 years or more.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// let limit = Duration::from_secs(30);
    /// assert_eq!(IdleTimeout::new(limit).limit(), limit);
    /// ```
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit.get().unwrap_or(Duration::MAX)
    }

    /// Sets another limit, from the last touch on.
    ///
    /// A longer limit costs a store. If a task waits, a shorter one costs a lock as well: the task
    /// is woken at the new deadline and need not poll again before. It does need to if there was
    /// no deadline when it polled last.
    ///
    /// # Examples
    ///
    /// A connection may be silent for longer between two requests than in one:
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut idle = IdleTimeout::new(Duration::from_secs(60));
    /// idle.touch();
    /// idle.set_limit(Duration::from_millis(2));
    /// idle.await;
    /// # });
    /// ```
    pub fn set_limit(&mut self, limit: Duration) {
        let former = std::mem::replace(&mut self.limit, Limit::new(limit));
        let is_shorter = self.limit < former;
        if let (true, Some(deadline), Some(timer)) = (is_shorter, self.deadline(), &mut self.timer)
        {
            if timer.will_fire() {
                timer.set_at(deadline);
            }
        }
    }
}

impl Future for IdleTimeout {
    type Output = Elapsed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Elapsed> {
        let deadline = self.deadline();
        let timer = self.timer.get_or_insert_with(|| Box::new(Timer::never()));
        loop {
            if let (Some(deadline), false) = (deadline, timer.will_fire()) {
                timer.set_at(deadline);
            }
            // Timers are never early, so what is due lies in the past.
            let due = ready!(Pin::new(&mut **timer).poll(cx));
            if deadline.is_some_and(|deadline| deadline <= due) {
                return Poll::Ready(Elapsed::new());
            }
        }
    }
}

impl fmt::Debug for IdleTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdleTimeout")
            .field("limit", &self.limit())
            .field("last_touch", &self.last_touch())
            .field("timer", &self.timer)
            .finish()
    }
}

#[cfg(test)]
mod tests;
