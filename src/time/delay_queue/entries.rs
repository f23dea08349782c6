//! The entries of a queue, by the keys that users have.

use std::collections::HashMap;
use std::time::Instant;

use super::key::{Key, Name, QueueId};
use crate::wheel::{self, InstantWheel};

/// A wheel, and which of its entries came from handles.
pub(super) struct Entries<T> {
    queue: QueueId,
    pub(super) wheel: InstantWheel<T>,
    /// Of entries that handles inserted: the wheel's key by the handle's number.
    keys: HashMap<u64, wheel::Key>,
    /// The other way round.
    numbers: HashMap<wheel::Key, u64>,
}

impl<T> Entries<T> {
    pub(super) fn new(now: Instant) -> Entries<T> {
        Entries {
            queue: QueueId::unused(),
            wheel: InstantWheel::new(now),
            keys: HashMap::new(),
            numbers: HashMap::new(),
        }
    }

    pub(super) fn queue(&self) -> QueueId {
        self.queue
    }

    /// Adds an entry, and returns the key for users. Without a deadline it never expires.
    #[inline]
    pub(super) fn insert(&mut self, value: T, deadline: Option<Instant>) -> Key {
        Key::local(self.queue, self.insert_local(value, deadline))
    }

    /// Adds an entry for which a handle has given out a key with this number.
    pub(super) fn insert_remote(&mut self, number: u64, value: T, deadline: Option<Instant>) {
        let key = self.insert_local(value, deadline);
        self.keys.insert(number, key);
        self.numbers.insert(key, number);
    }

    #[inline]
    fn insert_local(&mut self, value: T, deadline: Option<Instant>) -> wheel::Key {
        match deadline {
            Some(deadline) => self.wheel.insert(deadline, value),
            None => self.wheel.insert_idle(value),
        }
    }

    /// Returns the wheel's key, which may be stale, or `None` if there is none.
    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<wheel::Key> {
        match key.name(self.queue)? {
            // What came from a handle is known by its number only.
            Name::Local(key) => Some(key),
            Name::Remote(number) => self.keys.get(&number).copied(),
        }
    }

    /// Gives an entry another deadline, or none. `false` if there is no such entry.
    #[inline]
    pub(super) fn reset(&mut self, key: Key, deadline: Option<Instant>) -> bool {
        let Some(key) = self.find(key) else { return false };
        match deadline {
            Some(deadline) => self.wheel.reschedule(key, deadline),
            None => self.wheel.unschedule(key),
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let key = self.find(key)?;
        let value = self.wheel.remove(key)?;
        self.forget(key);
        Some(value)
    }

    /// Takes out an entry that is due: its key, by then stale, its deadline and its value.
    #[inline]
    pub(super) fn expire_next(&mut self, now: Instant) -> Option<(Key, Instant, T)> {
        let (key, deadline, value) = self.wheel.expire_next(now)?;
        Some((self.forget(key), deadline, value))
    }

    /// Returns the key and the deadline of what expires next.
    pub(super) fn peek(&self) -> Option<(Key, Instant)> {
        let (key, deadline) = self.wheel.peek()?;
        Some((self.key(key), deadline))
    }

    /// Drops all entries.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.numbers.clear();
        self.wheel.clear();
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.keys.shrink_to_fit();
        self.numbers.shrink_to_fit();
        self.wheel.shrink_to_fit();
    }

    /// Returns the key for users.
    fn key(&self, key: wheel::Key) -> Key {
        match self.numbers.get(&key) {
            Some(&number) => Key::remote(self.queue, number),
            None => Key::local(self.queue, key),
        }
    }

    /// Returns the key for users of an entry that is gone, and forgets it.
    #[inline]
    fn forget(&mut self, key: wheel::Key) -> Key {
        if !self.numbers.is_empty() {
            if let Some(number) = self.numbers.remove(&key) {
                self.keys.remove(&number);
                return Key::remote(self.queue, number);
            }
        }
        Key::local(self.queue, key)
    }

    /// Entries that are known by a handle's number.
    #[cfg(test)]
    pub(super) fn numbered(&self) -> (usize, usize) {
        (self.keys.len(), self.numbers.len())
    }
}
