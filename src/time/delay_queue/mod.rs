//! Keyed expiry: one task that holds the deadlines of a million values.

mod entries;
mod expired;
mod key;
mod lookup;
mod memory;
mod remote;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::entries::Entries;
use self::remote::{Operation, Shared, Task};
use self::stream::Waits;
use crate::clock;
use crate::reactor::{Coalescer, LONGEST_DELAY};
use crate::timer::Timer;

pub use self::expired::Expired;
pub use self::key::{Key, UnknownKey};
pub use self::remote::{Closed, Handle};

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
/// The stream yields `None` when the queue is empty and has no [`Handle`]s. It is good for more:
/// what is inserted later comes out of later polls. A task that waits is woken if an insertion or a
/// reset makes an earlier deadline than it waits for, and if the last entry is removed. Only the
/// task that polled last is woken.
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
    entries: Entries<T>,
    shared: Arc<Shared<T>>,
    /// Wakes the task for the earliest deadline.
    timer: Timer,
    waits: Waits,
    /// The task that polled last, unless the queue has ended since.
    task: Option<Arc<Task>>,
    /// The last look at the clock.
    now: Instant,
    /// Lets the task sleep for several entries at a time where they are dense.
    coalescer: Coalescer,
    /// Entries that were yielded since the task waited.
    yielded: usize,
}

/// Nothing is pinned in it.
impl<T> Unpin for DelayQueue<T> {}

impl<T> DelayQueue<T> {
    /// Creates an empty queue. Costs two allocations, of about 12 KiB together, and starts nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    ///
    /// let queue = DelayQueue::<u32>::new();
    /// assert!(queue.is_empty());
    /// ```
    pub fn new() -> DelayQueue<T> {
        let now = clock::now();
        let entries = Entries::new(now);
        let shared = Arc::new(Shared::new(entries.queue()));
        DelayQueue {
            entries,
            shared,
            timer: Timer::never(),
            waits: Waits::No,
            task: None,
            now,
            coalescer: Coalescer::new(LONGEST_DELAY),
            yielded: 0,
        }
    }

    /// Creates an empty queue with room for `capacity` entries.
    ///
    /// # Panics
    ///
    /// If that is more than 2³¹.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    ///
    /// let queue = DelayQueue::<u32>::with_capacity(1_000);
    /// assert!(queue.capacity() >= 1_000);
    /// ```
    pub fn with_capacity(capacity: usize) -> DelayQueue<T> {
        let mut queue = DelayQueue::new();
        queue.reserve(capacity);
        queue
    }

    /// Inserts a value that expires when `timeout` has passed from now. With a timeout of zero it
    /// has expired by then; with one that the clock cannot count to, it never does. Constant cost.
    ///
    /// # Panics
    ///
    /// If the queue holds 2³¹ entries.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::from_secs(60));
    /// assert_eq!(queue.get(key), Some(&"a"));
    /// let never = queue.insert("b", Duration::MAX);
    /// assert_eq!(queue.deadline(never), None);
    /// ```
    pub fn insert(&mut self, value: T, timeout: Duration) -> Key {
        self.insert_until(value, clock::now().checked_add(timeout))
    }

    /// Inserts a value that expires at `deadline`; at once, if that has passed. Constant cost.
    ///
    /// # Panics
    ///
    /// If the queue holds 2³¹ entries.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut queue = DelayQueue::new();
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// let key = queue.insert_at("a", deadline);
    /// assert_eq!(queue.deadline(key), Some(deadline));
    /// ```
    pub fn insert_at(&mut self, value: T, deadline: Instant) -> Key {
        self.insert_until(value, Some(deadline))
    }

    #[inline]
    fn insert_until(&mut self, value: T, deadline: Option<Instant>) -> Key {
        let key = self.entries.insert(value, deadline);
        self.note_deadline(deadline);
        key
    }

    /// Wakes the task that waits if this deadline is earlier than what it waits for.
    #[inline]
    fn note_deadline(&mut self, deadline: Option<Instant>) {
        if deadline.is_some_and(|deadline| self.waits.misses(deadline)) {
            self.wake();
        }
    }

    /// Takes an entry out before it expires. Constant cost.
    ///
    /// # Errors
    ///
    /// [`UnknownKey`] if the entry has expired or was removed, or the key is another queue's.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::from_secs(60));
    /// assert_eq!(queue.remove(key), Ok("a"));
    /// assert!(queue.remove(key).is_err());
    /// ```
    pub fn remove(&mut self, key: Key) -> Result<T, UnknownKey> {
        self.try_remove(key).ok_or(UnknownKey::new())
    }

    /// Takes an entry out before it expires; `None` if it has expired or was removed, or the key is
    /// another queue's. Constant cost.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::from_secs(60));
    /// assert_eq!(queue.try_remove(key), Some("a"));
    /// assert_eq!(queue.try_remove(key), None);
    /// ```
    pub fn try_remove(&mut self, key: Key) -> Option<T> {
        self.receive();
        let value = self.entries.remove(key)?;
        self.note_removal();
        Some(value)
    }

    /// Wakes the task that waits if nothing is left to wait for.
    #[inline]
    fn note_removal(&mut self) {
        if self.entries.wheel.is_empty() && self.waits != Waits::No && !self.shared.has_handles() {
            self.wake();
        }
    }

    /// Lets an entry expire when `timeout` has passed from now, instead of when it would have.
    /// With a timeout that the clock cannot count to, it never does.
    ///
    /// Constant cost, and the cheapest of all operations if the deadline is later than the one
    /// before: the entry stays where it is until its old deadline comes.
    ///
    /// # Errors
    ///
    /// [`UnknownKey`] if the entry has expired or was removed, or the key is another queue's.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::from_secs(60));
    /// queue.reset(key, Duration::from_secs(120))?;
    /// assert!(queue.deadline(key) > Some(Instant::now() + Duration::from_secs(60)));
    /// # Ok::<(), async_wheel::time::delay_queue::UnknownKey>(())
    /// ```
    pub fn reset(&mut self, key: Key, timeout: Duration) -> Result<(), UnknownKey> {
        self.reset_until(key, clock::now().checked_add(timeout))
    }

    /// Lets an entry expire at `deadline`, instead of when it would have. As
    /// [`reset`](DelayQueue::reset) otherwise.
    ///
    /// # Errors
    ///
    /// [`UnknownKey`] if the entry has expired or was removed, or the key is another queue's.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::from_secs(60));
    /// let deadline = Instant::now();
    /// queue.reset_at(key, deadline)?;
    /// assert_eq!(queue.deadline(key), Some(deadline));
    /// # Ok::<(), async_wheel::time::delay_queue::UnknownKey>(())
    /// ```
    pub fn reset_at(&mut self, key: Key, deadline: Instant) -> Result<(), UnknownKey> {
        self.reset_until(key, Some(deadline))
    }

    #[inline]
    fn reset_until(&mut self, key: Key, deadline: Option<Instant>) -> Result<(), UnknownKey> {
        self.receive();
        if !self.entries.reset(key, deadline) {
            return Err(UnknownKey::new());
        }
        self.note_deadline(deadline);
        Ok(())
    }

    /// Drops all entries. Their keys lead nowhere from now on; the memory stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::from_secs(60));
    /// queue.clear();
    /// assert_eq!(queue.get(key), None);
    /// ```
    pub fn clear(&mut self) {
        self.receive();
        // First, since the values may panic when they are dropped.
        if self.waits != Waits::No && !self.shared.has_handles() {
            self.wake();
        }
        self.entries.clear();
    }

    /// Makes a handle for other threads. While there is one, the stream does not end.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::{thread, time::Duration};
    ///
    /// let mut queue = DelayQueue::new();
    /// let handle = queue.handle();
    /// thread::spawn(move || handle.insert("a", Duration::from_millis(1)));
    /// let expired = async_wheel::block_on(queue.next()).unwrap();
    /// assert_eq!(expired.into_inner(), "a");
    /// ```
    pub fn handle(&self) -> Handle<T> {
        Handle::new(&self.shared)
    }

    /// Carries out what handles have asked for.
    #[inline]
    fn receive(&mut self) {
        let operations = self.shared.receive();
        if !operations.is_empty() {
            self.carry_out(operations);
        }
    }

    #[cold]
    fn carry_out(&mut self, operations: Vec<Operation<T>>) {
        // They go when all is done, for they may panic in it.
        let mut removed = Vec::new();
        for operation in operations {
            match operation {
                Operation::Insert { number, value, deadline } => {
                    self.entries.insert_remote(number, value, deadline);
                }
                Operation::Remove(key) => removed.extend(self.entries.remove(key)),
                Operation::Reset(key, deadline) => {
                    self.entries.reset(key, deadline);
                }
            }
        }
    }
}

impl<T> Default for DelayQueue<T> {
    fn default() -> DelayQueue<T> {
        DelayQueue::new()
    }
}

impl<T> Drop for DelayQueue<T> {
    fn drop(&mut self) {
        let operations = self.shared.close();
        // Handles may keep what is shared for long.
        self.unregister();
        drop(operations);
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

#[cfg(test)]
mod tests;
