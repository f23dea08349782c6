//! Room for entries: how much there is, more of it, and what is given back.

use super::Wheel;
use super::memory::Memory;

impl<T, M: Memory> Wheel<T, M> {
    /// The number of entries that there is room for, those that are there included. The lists of the
    /// slots are allocated as entries are scheduled: 4.6 bytes an entry. Looks at each block of
    /// 4,096.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(async_wheel::wheel::Wheel::<char>::new().capacity(), 0);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.arena.capacity()
    }

    /// Makes room for `additional` entries beyond those that are there.
    ///
    /// # Panics
    ///
    /// When that would make more than 2^31.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::<char>::new();
    /// wheel.reserve(1_000);
    /// assert!(wheel.capacity() >= 1_000);
    /// ```
    pub fn reserve(&mut self, additional: usize) {
        self.arena.reserve(additional);
    }

    /// Gives back the blocks of memory that hold no entry. Keys stay valid. Costs a walk over
    /// the blocks and over all that is scheduled.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::<u32>::new();
    /// let keys: Vec<_> = (0..10_000).map(|i| wheel.insert(i.into(), i)).collect();
    /// keys.into_iter().for_each(|key| drop(wheel.remove(key)));
    /// wheel.shrink_to_fit();
    /// assert_eq!(wheel.capacity(), 0);
    /// ```
    pub fn shrink_to_fit(&mut self) {
        self.arena.shrink_to_fit();
        self.levels.shrink_to_fit(&mut self.arena);
    }
}
