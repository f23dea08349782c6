//! The keys and their values, in a queue by their ends.
//!
//! Each key is an entry of one `DelayQueue`, also one that never ends. A hash table leads from the
//! name to the entry. Whoever reads a key looks at its deadline, so that none is seen past its end,
//! however late the task that removes them may be.

use std::hash::{BuildHasher, RandomState};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_wheel::time::DelayQueue;
use async_wheel::time::delay_queue::{Handle, Key};
use hashbrown::HashTable;

use super::clock;

/// What a key takes beside the bytes of its name and its value: its places in the queue and in the
/// table, and the allocator's part.
const BYTES_PER_KEY: usize = 104;

/// When a key ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Never,
    /// As before, if the key is there.
    Kept,
    At(Deadline),
}

/// An end in both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// When the key goes; `None` is later than a clock can tell.
    pub due: Option<Instant>,
    /// What is said of it, in milliseconds since 1970.
    pub unix: i64,
}

/// A key with its value.
struct Entry {
    /// The name, and behind it the value.
    bytes: Box<[u8]>,
    name: u32,
    /// When it ends, in milliseconds since 1970, or `NEVER`.
    end: i64,
}

const NEVER: i64 = i64::MIN;

/// The parts of the table. Each grows by itself, so that no insert has to wait for all of it.
const PARTS: usize = 256;

impl Entry {
    fn new(name: &[u8], value: &[u8], end: i64) -> Entry {
        let length = u32::try_from(name.len()).expect("a request is shorter than 4 GiB");
        Entry { bytes: [name, value].concat().into_boxed_slice(), name: length, end }
    }

    fn name(&self) -> &[u8] {
        &self.bytes[..self.name as usize]
    }

    fn value(&self) -> &[u8] {
        &self.bytes[self.name as usize..]
    }
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub expired: u64,
    pub hits: u64,
    pub misses: u64,
}

pub struct Store {
    parts: Vec<HashTable<Key>>,
    queue: DelayQueue<Entry>,
    /// Keeps the queue waiting while it is empty.
    _handle: Handle<Entry>,
    hasher: RandomState,
    /// The bytes of all names and values.
    bytes: usize,
    /// How many keys have an end.
    ending: usize,
    counts: Counts,
}

impl Store {
    pub fn new() -> Store {
        let queue = DelayQueue::new();
        Store {
            parts: new_parts(),
            _handle: queue.handle(),
            queue,
            hasher: RandomState::new(),
            bytes: 0,
            ending: 0,
            counts: Counts::default(),
        }
    }

    /// Returns the number of keys, with those that are over and not yet removed.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns the bytes that the keys take.
    pub fn memory(&self) -> usize {
        self.bytes + BYTES_PER_KEY * self.len()
    }

    /// Returns the number of keys that have an end.
    pub fn ending(&self) -> usize {
        self.ending
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the value of a key, and counts that it was asked for.
    pub fn read(&mut self, name: &[u8]) -> Option<&[u8]> {
        let found = self.find(name);
        *(if found.is_some() { &mut self.counts.hits } else { &mut self.counts.misses }) += 1;
        self.queue.get(found?).map(Entry::value)
    }

    pub fn contains(&mut self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    /// Returns the end of a key: `None` if there is no such key, `Some(None)` if it has no end.
    pub fn end(&mut self, name: &[u8]) -> Option<Option<i64>> {
        let key = self.find(name)?;
        let end = self.queue.get(key)?.end;
        Some((end != NEVER).then_some(end))
    }

    /// Sets a key to a value.
    pub fn set(&mut self, name: &[u8], value: &[u8], end: End) {
        match self.find(name) {
            Some(key) => {
                let Some(entry) = self.queue.get_mut(key) else { return };
                self.bytes = self.bytes - entry.bytes.len() + name.len() + value.len();
                *entry = Entry::new(name, value, entry.end);
                self.change_end(key, end);
            }
            None => self.insert(name, value, end),
        }
    }

    fn insert(&mut self, name: &[u8], value: &[u8], end: End) {
        let (due, unix) = match end {
            End::Never | End::Kept => (None, NEVER),
            End::At(deadline) => (deadline.due, deadline.unix),
        };
        let entry = Entry::new(name, value, unix);
        let key = match due {
            Some(due) => self.queue.insert_at(entry, due),
            None => self.queue.insert(entry, Duration::MAX),
        };
        self.ending += usize::from(unix != NEVER);
        self.bytes += name.len() + value.len();
        let (queue, hasher) = (&self.queue, &self.hasher);
        let hash_of = |key: &Key| queue.get(*key).map_or(0, |entry| hasher.hash_one(entry.name()));
        let hash = hasher.hash_one(name);
        self.parts[part(hash)].insert_unique(hash, key, hash_of);
    }

    /// Gives a key another end. Returns `false` if there is no such key.
    pub fn set_end(&mut self, name: &[u8], end: End) -> bool {
        let found = self.find(name);
        if let Some(key) = found {
            self.change_end(key, end);
        }
        found.is_some()
    }

    fn change_end(&mut self, key: Key, end: End) {
        let Some(entry) = self.queue.get_mut(key) else { return };
        let (due, unix) = match end {
            End::Kept => return,
            End::Never if entry.end == NEVER => return,
            End::Never => (None, NEVER),
            End::At(deadline) => (deadline.due, deadline.unix),
        };
        self.ending += usize::from(unix != NEVER);
        self.ending -= usize::from(entry.end != NEVER);
        entry.end = unix;
        let moved = match due {
            Some(due) => self.queue.reset_at(key, due),
            None => self.queue.reset(key, Duration::MAX),
        };
        debug_assert!(moved.is_ok(), "the entry was there");
    }

    /// Removes a key. Returns `false` if there is no such key.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match self.find(name) {
            Some(key) => {
                self.remove_entry(key);
                true
            }
            None => false,
        }
    }

    pub fn clear(&mut self) {
        self.queue.clear();
        self.queue.shrink_to_fit();
        self.parts = new_parts();
        (self.bytes, self.ending) = (0, 0);
    }

    /// Removes the next key whose end has come, or waits for it.
    pub fn poll_expire(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.queue.poll_expired(cx) {
            Poll::Ready(Some(expired)) => {
                let key = expired.key();
                self.forget(key, &expired.into_inner());
                self.counts.expired += 1;
                Poll::Ready(())
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Returns the entry of a key, unless its end has come.
    fn find(&mut self, name: &[u8]) -> Option<Key> {
        let hash = self.hasher.hash_one(name);
        let queue = &self.queue;
        let is_it = |key: &Key| queue.get(*key).is_some_and(|entry| entry.name() == name);
        let key = *self.parts[part(hash)].find(hash, is_it)?;
        if self.queue.deadline(key).is_some_and(|due| due <= clock::now()) {
            self.remove_entry(key);
            self.counts.expired += 1;
            return None;
        }
        Some(key)
    }

    fn remove_entry(&mut self, key: Key) {
        if let Some(removed) = self.queue.try_remove(key) {
            self.forget(key, &removed);
        }
    }

    /// Takes an entry that has left the queue out of the table.
    fn forget(&mut self, key: Key, entry: &Entry) {
        self.bytes -= entry.bytes.len();
        self.ending -= usize::from(entry.end != NEVER);
        let hash = self.hasher.hash_one(entry.name());
        let part = &mut self.parts[part(hash)];
        if let Ok(place) = part.find_entry(hash, |other| *other == key) {
            place.remove();
        }
        // Most of it is empty: the memory goes back.
        if part.capacity() > 64.max(8 * part.len()) {
            let (queue, hasher) = (&self.queue, &self.hasher);
            let hash_of =
                |key: &Key| queue.get(*key).map_or(0, |entry| hasher.hash_one(entry.name()));
            part.shrink_to(2 * part.len(), hash_of);
        }
    }
}

fn new_parts() -> Vec<HashTable<Key>> {
    std::iter::repeat_with(HashTable::new).take(PARTS).collect()
}

/// Returns the part of the table for a hash, by bits that the part itself does not use.
fn part(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::thread;
    use std::time::Duration;

    use super::super::clock;
    use super::{End, Store};

    fn after(millis: u64) -> End {
        End::At(clock::after(millis, clock::unix_millis()))
    }

    /// Hazard: a key is seen past its end, since the task that removes keys is late.
    #[test]
    fn ended_key_is_not_read() {
        let mut store = Store::new();
        for name in [b"a", b"b", b"c", b"d"] {
            store.set(name, b"value", after(1));
        }
        assert_eq!(store.len(), 4);
        thread::sleep(Duration::from_millis(5));
        // Nobody polls.
        assert_eq!(store.len(), 4);
        assert_eq!(store.read(b"a"), None);
        assert_eq!(store.end(b"b"), None);
        assert!(!store.contains(b"c") && !store.remove(b"d"));
        assert_eq!((store.len(), store.memory(), store.ending()), (0, 0, 0));
        assert_eq!(store.counts().expired, 4);
    }

    /// Hazard: keys are lost or mixed up, or memory is counted wrongly, as the table grows and
    /// shrinks.
    #[test]
    fn store_is_like_a_map() {
        let (mut store, mut map) = (Store::new(), HashMap::new());
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..30_000 {
            let name = rng.u32(..5_000).to_string().into_bytes();
            let value = vec![b'x'; rng.usize(..20)];
            if rng.u32(..5) < 3 {
                let ends = rng.bool();
                store.set(&name, &value, if ends { after(3_600_000) } else { End::Never });
                map.insert(name, (value, ends));
            } else {
                assert_eq!(store.remove(&name), map.remove(&name).is_some());
            }
        }
        assert_eq!(store.len(), map.len());
        assert_eq!(store.ending(), map.values().filter(|(_, ends)| *ends).count());
        let bytes: usize = map.iter().map(|(name, (value, _))| name.len() + value.len()).sum();
        assert_eq!(store.memory(), bytes + super::BYTES_PER_KEY * map.len());
        for (name, (value, ends)) in &map {
            assert_eq!(store.read(name), Some(value.as_slice()));
            assert_eq!(store.end(name).map(|end| end.is_some()), Some(*ends));
        }
        for name in map.keys() {
            assert!(store.remove(name));
        }
        assert_eq!((store.len(), store.memory(), store.ending()), (0, 0, 0));
    }
}
