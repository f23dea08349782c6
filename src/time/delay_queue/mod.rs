//! Keyed expiry: one task that holds the deadlines of a million values.

mod entries;
mod expired;
mod key;
mod queue;
mod remote;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::entries::Entries;
use self::remote::{Operation, Shared};
use self::stream::Waits;
use crate::clock;
use crate::reactor::{Coalescer, LONGEST_DELAY};
use crate::timer::Timer;

pub use self::expired::Expired;
pub use self::key::{Key, UnknownKey};
pub use self::queue::DelayQueue;
pub use self::remote::{Closed, Handle};

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

    /// Returns when an entry expires; `None` if it never does, has expired or was removed, or if
    /// the key is another queue's.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Instant;
    ///
    /// let mut queue = DelayQueue::new();
    /// let now = Instant::now();
    /// let key = queue.insert_at("a", now);
    /// assert_eq!(queue.deadline(key), Some(now));
    /// ```
    #[must_use]
    pub fn deadline(&self, key: Key) -> Option<Instant> {
        self.entries.wheel.deadline(self.entries.find(key)?)
    }

    /// Returns the value of an entry; `None` if it has expired or was removed, or if the key is
    /// another queue's.
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
    /// ```
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        self.entries.wheel.get(self.entries.find(key)?)
    }

    /// Returns the value of an entry, to change it; `None` if it has expired or was removed, or if
    /// the key is another queue's.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert(1, Duration::from_secs(60));
    /// *queue.get_mut(key).unwrap() += 1;
    /// assert_eq!(queue.get(key), Some(&2));
    /// ```
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.receive();
        self.entries.wheel.get_mut(self.entries.find(key)?)
    }

    /// Returns the key and the deadline of the entry that expires next; `None` if none does. It may
    /// have expired, and waits to be yielded then.
    ///
    /// Costs a look at each entry with about the same deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Instant;
    ///
    /// let mut queue = DelayQueue::new();
    /// let now = Instant::now();
    /// let key = queue.insert_at("a", now);
    /// assert_eq!(queue.peek(), Some((key, now)));
    /// ```
    #[must_use]
    pub fn peek(&self) -> Option<(Key, Instant)> {
        self.entries.peek()
    }

    /// Returns the number of entries, those that never expire included.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let mut queue = DelayQueue::new();
    /// queue.insert("a", Duration::from_secs(60));
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.wheel.len()
    }

    /// Returns `true` if there are no entries.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(async_wheel::time::DelayQueue::<u32>::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.wheel.is_empty()
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

    /// Returns the number of entries that there is room for, those that are there included. The
    /// lists that they wait in are allocated as they grow: 4.6 bytes an entry.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(async_wheel::time::DelayQueue::<u32>::new().capacity(), 0);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.entries.wheel.capacity()
    }

    /// Makes room for `additional` entries beyond those that are there: see
    /// [`capacity`](DelayQueue::capacity).
    ///
    /// # Panics
    ///
    /// If that would make more than 2³¹.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut queue = async_wheel::time::DelayQueue::<u32>::new();
    /// queue.reserve(1_000);
    /// assert!(queue.capacity() >= 1_000);
    /// ```
    pub fn reserve(&mut self, additional: usize) {
        self.entries.wheel.reserve(additional);
    }

    /// Gives back the memory of entries that are gone, in blocks of 4,096. Keys stay good. Costs a
    /// walk over all entries.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut queue = async_wheel::time::DelayQueue::<u32>::with_capacity(1_000);
    /// queue.shrink_to_fit();
    /// assert_eq!(queue.capacity(), 0);
    /// ```
    pub fn shrink_to_fit(&mut self) {
        self.entries.shrink_to_fit();
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

impl<T> Drop for DelayQueue<T> {
    fn drop(&mut self) {
        let operations = self.shared.close();
        // Handles may keep what is shared for long.
        self.unregister();
        drop(operations);
    }
}

#[cfg(test)]
mod tests;
