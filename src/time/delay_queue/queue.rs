//! What a queue is made of.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::entries::Entries;
use super::remote::{Shared, Task};
use super::stream::Waits;
use crate::reactor::Coalescer;
use crate::timer::Timer;

/// A collection of values with deadlines, and the stream of those that have expired.
///
/// It is for caches, sessions, leases and retransmissions: where one task holds the lives of many
/// values, and each may be prolonged or end early. A million entries take one timer of the reactor
/// and one waker, and no task each. Entries wait in a [timing wheel](crate::wheel): to insert,
/// [`reset`](DelayQueue::reset), [`remove`](DelayQueue::remove) and expire one costs the same for a
/// thousand and for a million.
///
/// # Exactness and order
///
/// An entry is never yielded before its deadline, to the nanosecond, and there is no longest
/// duration: a deadline that the clock cannot count to, or that is more than 292 years ahead of
/// when the queue was made, never comes. One that is more than 292 years before counts as 292 years
/// before.
///
/// What is overdue when the task polls comes in the order of its deadlines, but those that lie
/// within 65.5 µs of each other may come in any order. What was overdue when it was inserted or
/// reset comes as if it were due then.
///
/// # Waiting
///
/// The stream yields `None` when the queue is empty and has no [`Handle`](super::Handle)s. It is
/// good for more: what is inserted later comes out of later polls. A task that waits is woken if an
/// insertion or a reset makes an earlier deadline than it waits for, and if the last entry is
/// removed. Only the task that polled last is woken.
///
/// Deadlines have the slack of all timers that have none of their own, which is none unless
/// [`set_default_slack`](crate::time::set_default_slack) says otherwise. Without one, entries that
/// expire at a rate of more than 8,000 a second share wake-ups, as [timers](crate::Timer) do, each
/// being delayed by less than 0.5 ms, or what
/// [`Builder::coalescing_bound`](crate::Builder::coalescing_bound) says.
///
/// # Other threads
///
/// [`handle`](DelayQueue::handle) makes handles that insert, reset and remove from anywhere. What
/// they asked for is carried out by the next poll of the queue, or by its next `reset`, `remove`,
/// `get_mut` or `clear`: until then, `len`, `get`, `peek` and the like do not see it.
///
/// # Cancel safety
///
/// Entries are in the queue: a `next()` future that is dropped loses none.
///
/// # Memory
///
/// An entry takes an `Option<T>` and 20.6 bytes, and one that came by a handle 40 to 80 more. The
/// queue begins with 12 KiB. Memory of entries that are gone is kept for others, until
/// [`shrink_to_fit`](DelayQueue::shrink_to_fit). What handles have asked for takes memory until it is
/// carried out, each call some 40 bytes and the value, and there may be any number of them.
///
/// # Examples
///
/// A cache whose entries live for a minute after they were last used:
///
/// ```
/// use async_wheel::time::DelayQueue;
/// use async_wheel::time::delay_queue::Key;
/// use futures_lite::{StreamExt, future};
/// use std::collections::HashMap;
/// use std::time::Duration;
///
/// const LIFE: Duration = Duration::from_secs(60);
///
/// #[derive(Default)]
/// struct Cache {
///     values: HashMap<String, (u32, Key)>,
///     lives: DelayQueue<String>,
/// }
///
/// impl Cache {
///     fn insert(&mut self, name: &str, value: u32) {
///         let key = self.lives.insert(name.to_owned(), LIFE);
///         if let Some((_, former)) = self.values.insert(name.to_owned(), (value, key)) {
///             self.lives.try_remove(former);
///         }
///     }
///
///     fn get(&mut self, name: &str) -> Option<u32> {
///         let &(value, key) = self.values.get(name)?;
///         self.lives.reset(key, LIFE).ok()?;
///         Some(value)
///     }
///
///     /// Drops values whose lives end, for as long as there are any.
///     async fn expire(&mut self) {
///         while let Some(expired) = self.lives.next().await {
///             self.values.remove(expired.get_ref());
///         }
///     }
/// }
///
/// # async_wheel::block_on(async {
/// let mut cache = Cache::default();
/// cache.insert("answer", 42);
/// assert!(future::poll_once(cache.expire()).await.is_none(), "it lives");
/// assert_eq!(cache.get("answer"), Some(42));
/// # });
/// ```
#[doc(alias = "DelayQueueMap")]
#[doc(alias = "expiry")]
#[doc(alias = "ttl")]
#[must_use = "a delay queue does nothing unless polled"]
pub struct DelayQueue<T> {
    pub(super) entries: Entries<T>,
    pub(super) shared: Arc<Shared<T>>,
    /// Wakes the task for the earliest deadline.
    pub(super) timer: Timer,
    pub(super) waits: Waits,
    /// The task that polled last, unless the queue has ended since.
    pub(super) task: Option<Arc<Task>>,
    /// The last look at the clock.
    pub(super) now: Instant,
    /// Lets the task sleep for several entries at a time where they are dense.
    pub(super) coalescer: Coalescer,
    /// Entries that were yielded since the task waited.
    pub(super) yielded: usize,
}

/// Nothing is pinned in it.
impl<T> Unpin for DelayQueue<T> {}

impl<T> Default for DelayQueue<T> {
    fn default() -> DelayQueue<T> {
        DelayQueue::new()
    }
}

impl<T> fmt::Debug for DelayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayQueue")
            .field("len", &self.len())
            .field("next_deadline", &self.entries.wheel.next_deadline())
            .finish_non_exhaustive()
    }
}
