//! Room for entries.

use super::DelayQueue;

impl<T> DelayQueue<T> {
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
}
