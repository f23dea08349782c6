//! Walking over the entries, whether due or not.

use super::Wheel;
use super::key::Key;

/// Iterates over all entries. Made by [`Wheel::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    wheel: &'a Wheel<T>,
    index: u32,
    left: usize,
}

impl<'a, T> Iterator for Iter<'a, T> {
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

impl<T> ExactSizeIterator for Iter<'_, T> {}

/// Takes all entries out. Made by [`Wheel::drain`]; what it has not come to when it is dropped
/// goes too.
#[derive(Debug)]
pub struct Drain<'a, T> {
    wheel: &'a mut Wheel<T>,
    index: u32,
}

impl<T> Iterator for Drain<'_, T> {
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

impl<T> ExactSizeIterator for Drain<'_, T> {}

impl<T> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl<T> Wheel<T> {
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
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { wheel: self, index: 0, left: self.len() }
    }

    /// Takes all entries out, idle ones included, in no particular order. Their keys become
    /// stale; the position and the memory stay.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// wheel.insert(10, 'a');
    /// assert_eq!(wheel.drain().collect::<Vec<_>>(), [(Some(10), 'a')]);
    /// assert!(wheel.is_empty());
    /// ```
    pub fn drain(&mut self) -> Drain<'_, T> {
        Drain { wheel: self, index: 0 }
    }
}

impl<'a, T> IntoIterator for &'a Wheel<T> {
    type Item = (Key, Option<u64>, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
