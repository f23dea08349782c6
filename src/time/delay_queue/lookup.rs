//! What is in a queue, and when it expires.

use std::time::Instant;

use super::{DelayQueue, Key};

impl<T> DelayQueue<T> {
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
}
