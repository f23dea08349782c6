//! Streams whose items have to do with time.
//!
//! Each adaptor keeps all its state in itself: nothing is in the future of a `next()`, which may
//! therefore be dropped at any moment. After the source has ended it is not polled again.

mod chunks;
mod debounce;
mod throttle;
mod timeout;

use std::time::Duration;

use futures_core::Stream;

pub use self::chunks::ChunksTimeout;
pub use self::debounce::Debounce;
pub use self::throttle::Throttle;
pub use self::timeout::StreamTimeout;

/// The most items that one poll of an adaptor takes from its source without yielding any. If the
/// source may have more, the poll wakes its task and is pending.
const BUDGET: usize = 64;

/// What a stream that has ended says of its length.
const ENDED: (usize, Option<usize>) = (0, Some(0));

/// Timeouts, pauses and spans of time for the items of a stream.
///
/// # What is never lost
///
/// An adaptor drops no item of its source, but for those that [`debounce`](Self::debounce) is there
/// to drop. A `next()` future may be dropped at any moment: what has come stays in the adaptor. If
/// the adaptor itself is to go, `into_inner` or `into_parts` returns the source and what is held.
///
/// # Fairness
///
/// A poll ends after 64 items at most, also if the source always has another.
///
/// # Cost
///
/// Each adaptor has one [`Timer`](crate::Timer), which has an entry only while it is waited for.
/// Nothing is allocated but the vectors of [`chunks_timeout`](Self::chunks_timeout).
///
/// # Examples
///
/// ```
/// use async_wheel::time::StreamTimeExt;
/// use futures_lite::{StreamExt, stream};
/// use std::time::Duration;
///
/// # async_wheel::block_on(async {
/// let mut chunks = stream::iter(0..5).chunks_timeout(2, Duration::from_secs(1));
/// assert_eq!(chunks.next().await, Some(vec![0, 1]));
/// assert_eq!(chunks.next().await, Some(vec![2, 3]));
/// assert_eq!(chunks.next().await, Some(vec![4]));
/// assert_eq!(chunks.next().await, None);
/// # });
/// ```
pub trait StreamTimeExt: Stream {
    /// Gives each item `duration` to come.
    ///
    /// Yields `Ok` with each item, and `Err(Elapsed)` each time that `duration` passes without one.
    /// The stream goes on after an error. [`StreamTimeout`] says more.
    ///
    /// A type that is a future as well, like [`Timer`](crate::Timer), has two methods of this name
    /// if both traits are in scope. Write `StreamTimeExt::timeout(stream, duration)` then.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let source = stream::once("first").chain(stream::pending());
    /// let mut items = source.timeout(Duration::from_millis(1));
    /// assert_eq!(items.next().await, Some(Ok("first")));
    /// assert!(items.next().await.unwrap().is_err());
    /// assert!(items.next().await.unwrap().is_err());
    /// # });
    /// ```
    fn timeout(self, duration: Duration) -> StreamTimeout<Self>
    where
        Self: Sized,
    {
        StreamTimeout::new(self, duration)
    }

    /// Lets at most one item through in each `duration`.
    ///
    /// Drops none: the source is not polled before the next item may pass. [`Throttle`] says more.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let start = Instant::now();
    /// let mut items = stream::iter([1, 2, 3]).throttle(Duration::from_millis(1));
    /// while items.next().await.is_some() {}
    /// assert!(start.elapsed() >= Duration::from_millis(3));
    /// # });
    /// ```
    fn throttle(self, duration: Duration) -> Throttle<Self>
    where
        Self: Sized,
    {
        Throttle::new(self, duration)
    }

    /// Yields the latest item when none has come for `duration`.
    ///
    /// Drops the items before it, and no others. [`Debounce`] says more.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let keys = stream::iter(["w", "wh", "whe"]).chain(stream::pending());
    /// let mut searches = keys.debounce(Duration::from_millis(1));
    /// assert_eq!(searches.next().await, Some("whe"));
    /// # });
    /// ```
    fn debounce(self, duration: Duration) -> Debounce<Self>
    where
        Self: Sized,
    {
        Debounce::new(self, duration)
    }

    /// Collects up to `size` items, for `duration` at most, and yields them together.
    ///
    /// A chunk is yielded when it is full, when `duration` has passed since its first item, or when
    /// the source ends. None is empty. [`ChunksTimeout`] says more.
    ///
    /// # Panics
    ///
    /// If `size` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let rows = stream::iter([1, 2, 3]).chain(stream::pending());
    /// let mut inserts = rows.chunks_timeout(2, Duration::from_millis(1));
    /// assert_eq!(inserts.next().await, Some(vec![1, 2]), "it is full");
    /// assert_eq!(inserts.next().await, Some(vec![3]), "its time is over");
    /// # });
    /// ```
    #[track_caller]
    fn chunks_timeout(self, size: usize, duration: Duration) -> ChunksTimeout<Self>
    where
        Self: Sized,
    {
        ChunksTimeout::new(self, size, duration)
    }
}

impl<S: Stream + ?Sized> StreamTimeExt for S {}

#[cfg(test)]
mod tests;
