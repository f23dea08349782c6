//! What changes a queue, from its owner and from handles, and wakes the task that waits.

use std::time::Instant;

use super::remote::Operation;
use super::stream::Waits;
use super::{DelayQueue, Key, UnknownKey};

impl<T> DelayQueue<T> {
    #[inline]
    pub(super) fn insert_until(&mut self, value: T, deadline: Option<Instant>) -> Key {
        let key = self.entries.insert(value, deadline);
        self.note_deadline(deadline);
        key
    }

    /// Wakes the task that waits if this deadline is earlier than what it waits for.
    #[inline]
    pub(super) fn note_deadline(&mut self, deadline: Option<Instant>) {
        if deadline.is_some_and(|deadline| self.waits.misses(deadline)) {
            self.wake();
        }
    }

    /// Wakes the task that waits if nothing is left to wait for.
    #[inline]
    pub(super) fn note_removal(&mut self) {
        if self.entries.wheel.is_empty() && self.waits != Waits::No && !self.shared.has_handles() {
            self.wake();
        }
    }

    #[inline]
    pub(super) fn reset_until(
        &mut self,
        key: Key,
        deadline: Option<Instant>,
    ) -> Result<(), UnknownKey> {
        self.receive();
        if !self.entries.reset(key, deadline) {
            return Err(UnknownKey::new());
        }
        self.note_deadline(deadline);
        Ok(())
    }

    /// Carries out what handles have asked for.
    #[inline]
    pub(super) fn receive(&mut self) {
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
