//! The table of a shard's sources.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use crate::reactor::Source;
use crate::reactor::table::{Numbers, give_back};
use crate::sys::{Event, MAX_KEY};

/// The sources by their keys in the poller. No key is given twice, so that an event of a source
/// that is gone reaches nobody. (Where addresses have 32 bits they are used again after four
/// billion registrations.)
#[derive(Debug, Default)]
pub(super) struct Sources {
    table: HashMap<usize, Arc<Source>, Numbers>,
    next: usize,
    pub(super) totals: SourceTotals,
}

/// What has happened to sources so far. Each number wraps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SourceTotals {
    /// Events that were dispatched.
    pub(crate) events: u64,
    /// Sources that were registered here, those that moved here included.
    pub(crate) registrations: u64,
    /// Sources that have moved here from another shard.
    pub(crate) migrations: u64,
}

impl Sources {
    /// Gives a source a key.
    pub(super) fn insert(&mut self, source: &Arc<Source>) -> usize {
        let key = self.vacant_key();
        self.totals.registrations = self.totals.registrations.wrapping_add(1);
        self.table.insert(key, source.clone());
        key
    }

    fn vacant_key(&mut self) -> usize {
        loop {
            let key = self.next;
            self.next = if key == MAX_KEY { 0 } else { key + 1 };
            if !self.table.contains_key(&key) {
                return key;
            }
        }
    }

    /// Takes a source out of the table. The caller drops it outside the lock: with it may go
    /// a waker.
    #[must_use]
    pub(super) fn remove(&mut self, key: usize) -> Option<Arc<Source>> {
        let removed = self.table.remove(&key);
        give_back(&mut self.table);
        removed
    }

    /// Dispatches an event of the poller of this shard, told by its index.
    pub(super) fn on_event(&mut self, shard: usize, event: Event, wakers: &mut Vec<Waker>) {
        self.totals.events = self.totals.events.wrapping_add(1);
        if let Some(source) = self.table.get(&event.key) {
            source.on_event(shard, event, wakers);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The sources, with their keys.
    #[cfg(feature = "test-util")]
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Arc<Source>)> + '_ {
        self.table.iter().map(|(key, source)| (*key, source.clone()))
    }

    /// For how many there is memory.
    #[cfg(all(test, unix))]
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// Has the next key be this one, if it is vacant.
    #[cfg(all(test, unix))]
    pub(super) fn set_next_key(&mut self, key: usize) {
        self.next = key;
    }
}
