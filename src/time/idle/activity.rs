//! An idle timeout that is touched from several places.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::{Elapsed, IdleTimeout};
use crate::clock;

/// Touches the idle timeout of a future, of a stream of bytes, or of two halves of one.
///
/// [`IdleTimeout::run`] and [`IdleIo::activity`](super::IdleIo::activity) make them. All clones
/// touch the same timeout, from any thread. The task that waits is not woken by that: it finds the
/// touch when the former deadline wakes it.
///
/// Of several touches the latest instant counts, in whatever order the threads get there. What has
/// ended or was dropped is not touched any more.
///
/// # Cost
///
/// One relaxed atomic operation on memory that the clones share, and for [`touch`](Self::touch) a
/// look at the clock.
///
/// # Examples
///
/// ```
/// use async_wheel::time::IdleTimeout;
/// use std::thread;
/// use std::time::Duration;
///
/// # async_wheel::block_on(async {
/// let work = IdleTimeout::new(Duration::from_secs(1)).run(|activity| async move {
///     let helper = thread::spawn(move || activity.touch());
///     helper.join().is_ok()
/// });
/// assert_eq!(work.await, Ok(true));
/// # });
/// ```
#[derive(Clone)]
pub struct Activity(Arc<Latest>);

/// The latest touch.
struct Latest {
    since: Instant,
    /// Nanoseconds from `since`, at most.
    nanos: AtomicU64,
}

impl Activity {
    fn new(since: Instant) -> Activity {
        Activity(Arc::new(Latest { since, nanos: AtomicU64::new(0) }))
    }

    /// Postpones the deadline to one limit from now.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let work = IdleTimeout::new(Duration::from_secs(1)).run(|activity| async move {
    ///     let before = activity.last_touch();
    ///     activity.touch();
    ///     before <= activity.last_touch()
    /// });
    /// assert_eq!(work.await, Ok(true));
    /// # });
    /// ```
    pub fn touch(&self) {
        self.touch_at(clock::now());
    }

    /// Postpones the deadline to one limit after `now`, which several touches can share. An instant
    /// before the last touch changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let now = Instant::now() + Duration::from_secs(1);
    /// let work = IdleTimeout::new(Duration::from_secs(1)).run(|activity| async move {
    ///     activity.touch_at(now);
    ///     activity.last_touch()
    /// });
    /// assert_eq!(work.await, Ok(now));
    /// # });
    /// ```
    pub fn touch_at(&self, now: Instant) {
        let Latest { since, nanos } = &*self.0;
        let now = clock::saturating_nanos(now.saturating_duration_since(*since));
        // Ordering: Relaxed: an instant by itself; nothing is read because of it. A plain store
        // would let a thread that was interrupted before it take back what another has written,
        // and the timeout elapse early.
        if nanos.load(Ordering::Relaxed) < now {
            nanos.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// Returns the last touch: the latest of all. Touches more than 584 years after the first
    /// count as that.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// let run = IdleTimeout::new(Duration::from_secs(30)).run(|_| future::ready(7));
    /// println!("nothing heard for {:?}", run.activity().last_touch().elapsed());
    /// ```
    #[must_use]
    pub fn last_touch(&self) -> Instant {
        let Latest { since, nanos } = &*self.0;
        // Ordering: Relaxed: see `touch_at`.
        let nanos = Duration::from_nanos(nanos.load(Ordering::Relaxed));
        // The clock reaches so far, since it was touched then, or nearly.
        since.checked_add(nanos).unwrap_or(*since)
    }
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activity").field("last_touch", &self.last_touch()).finish()
    }
}

/// An idle timeout and the touches that it shares with others.
#[derive(Debug)]
pub(super) struct Shared {
    idle: IdleTimeout,
    activity: Activity,
}

impl Shared {
    pub(super) fn new(idle: IdleTimeout) -> Shared {
        let activity = Activity::new(idle.last_touch());
        Shared { idle, activity }
    }

    /// Returns another one of the same limit, for another task, that shares the touches.
    pub(super) fn sibling(&self) -> Shared {
        let idle = IdleTimeout::unarmed(self.idle.limit, self.idle.last_touch());
        Shared { idle, activity: self.activity.clone() }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(super) fn limit(&self) -> Duration {
        self.idle.limit()
    }

    pub(super) fn set_limit(&mut self, limit: Duration) {
        self.note_touches();
        self.idle.set_limit(limit);
    }

    /// Returns ready when it has been idle for the limit.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Elapsed> {
        self.note_touches();
        Pin::new(&mut self.idle).poll(cx)
    }

    fn note_touches(&mut self) {
        self.idle.touch_at(self.activity.last_touch());
    }
}
