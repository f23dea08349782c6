//! Walking over the entries, whether due or not.

use core::fmt;

use super::Wheel;
use super::arena;
use super::key::Key;
use super::memory::{Heap, Memory};

/// Iterates over all entries. Made by [`Wheel::iter`].
#[derive(Debug)]
pub struct Iter<'a, T, M: Memory = Heap> {
    wheel: &'a Wheel<T, M>,
    index: u32,
    left: usize,
}

impl<'a, T, M: Memory> Iterator for Iter<'a, T, M> {
    type Item = (Key, Option<u64>, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.wheel.arena.key_at_or_after(self.index)?;
        self.index = key.index + 1;
        self.left -= 1;
        let value = self.wheel.get(key)?;
        Some((key, self.wheel.deadline(key), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T, M: Memory> ExactSizeIterator for Iter<'_, T, M> {}

/// Iterates over all entries, for change of their values. Made by [`Wheel::iter_mut`].
pub struct IterMut<'a, T, M: Memory = Heap> {
    entries: arena::IterMut<'a, T, M>,
    left: usize,
}

impl<'a, T, M: Memory> Iterator for IterMut<'a, T, M> {
    type Item = (Key, Option<u64>, &'a mut T);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        self.left -= 1;
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T, M: Memory> ExactSizeIterator for IterMut<'_, T, M> {}

impl<T, M: Memory> fmt::Debug for IterMut<'_, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterMut").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Takes all entries out. Made by [`Wheel::drain`]; what it has not come to when it is dropped
/// goes too.
#[derive(Debug)]
pub struct Drain<'a, T, M: Memory = Heap> {
    wheel: &'a mut Wheel<T, M>,
    index: u32,
}

impl<T, M: Memory> Iterator for Drain<'_, T, M> {
    type Item = (Option<u64>, T);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.wheel.arena.key_at_or_after(self.index)?;
        // From there on, and not after it: the entry itself is gone by then.
        self.index = key.index;
        let deadline = self.wheel.deadline(key);
        Some((deadline, self.wheel.remove(key)?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.wheel.len(), Some(self.wheel.len()))
    }
}

impl<T, M: Memory> ExactSizeIterator for Drain<'_, T, M> {}

impl<T, M: Memory> Drop for Drain<'_, T, M> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl<T, M: Memory> Wheel<T, M> {
    /// Iterates over all entries, idle ones included, with their deadlines in nanoseconds
    /// (`None` for an idle one), in no particular order. Costs a walk over the capacity.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// assert_eq!(wheel.iter().collect::<Vec<_>>(), [(key, Some(10), &'a')]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T, M> {
        Iter { wheel: self, index: 0, left: self.len() }
    }

    /// Iterates over all entries, idle ones included, with their deadlines in nanoseconds
    /// (`None` for an idle one), in no particular order, so that their values can be changed. Costs
    /// a walk over the capacity.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 1);
    /// wheel.iter_mut().for_each(|(_key, _deadline, value)| *value += 1);
    /// assert_eq!(wheel.get(key), Some(&2));
    /// ```
    pub fn iter_mut(&mut self) -> IterMut<'_, T, M> {
        let left = self.len();
        IterMut { entries: self.arena.iter_mut(), left }
    }

    /// Keeps the entries for which `keep` returns `true`, and drops the others: their keys become
    /// stale. `keep` gets the key, the deadline in nanoseconds (`None` for an idle entry) and the
    /// value, in no particular order. Costs a walk over the capacity.
    ///
    /// If `keep` panics, what it has not seen yet stays.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let a = wheel.insert(10, 'a');
    /// let b = wheel.insert(20, 'b');
    /// wheel.retain(|_key, deadline, _value| deadline > Some(10));
    /// assert!(!wheel.contains(a) && wheel.contains(b));
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(Key, Option<u64>, &mut T) -> bool) {
        let mut index = 0;
        while let Some(key) = self.arena.key_at_or_after(index) {
            index = key.index + 1;
            let deadline = self.deadline(key);
            if let Some(value) = self.arena.value_mut(key) {
                if !keep(key, deadline, value) {
                    self.remove(key);
                }
            }
        }
    }

    /// Takes all entries out, idle ones included, in no particular order. Their keys become
    /// stale; the elapsed time and the memory stay.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// wheel.insert(10, 'a');
    /// assert_eq!(wheel.drain().collect::<Vec<_>>(), [(Some(10), 'a')]);
    /// assert!(wheel.is_empty());
    /// ```
    pub fn drain(&mut self) -> Drain<'_, T, M> {
        Drain { wheel: self, index: 0 }
    }
}

impl<'a, T, M: Memory> IntoIterator for &'a Wheel<T, M> {
    type Item = (Key, Option<u64>, &'a T);
    type IntoIter = Iter<'a, T, M>;

    fn into_iter(self) -> Iter<'a, T, M> {
        self.iter()
    }
}

impl<'a, T, M: Memory> IntoIterator for &'a mut Wheel<T, M> {
    type Item = (Key, Option<u64>, &'a mut T);
    type IntoIter = IterMut<'a, T, M>;

    fn into_iter(self) -> IterMut<'a, T, M> {
        self.iter_mut()
    }
}
