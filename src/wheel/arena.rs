//! Where entries live: places for them, and a list of the free ones.

use super::blocks::Blocks;
use super::chunks::{MOST_ENTRIES, NONE};
use super::key::Key;

/// Entries in a block.
const BLOCK: usize = 4096;

/// One entry, or a free place for one.
///
/// Its deadline is in the slot's list, so that a walk over a slot need not come here.
#[derive(Debug)]
pub(super) struct Entry<T> {
    /// Where in its slot's list the entry stands, `NONE` if it is idle. Of a free place, the
    /// next free place.
    pub(super) position: u32,
    /// The generation of the entry here, or of the one that comes next. No key that is out has
    /// the generation of a free place, so that it tells whether an entry is there as well.
    generation: u32,
    /// `None` in a free place.
    value: Option<T>,
}

/// The generation of a place whose generations are used up. No key has it.
const USED_UP: u32 = 0;

/// The entries.
#[derive(Debug)]
pub(super) struct Arena<T> {
    entries: Blocks<Entry<T>, BLOCK>,
    /// The first free place.
    free: u32,
    /// Entries that are there.
    len: usize,
    /// The generation of a place that is made new. Above all those that were given back.
    first_generation: u32,
}

impl<T> Arena<T> {
    pub(super) fn new() -> Arena<T> {
        Arena { entries: Blocks::new(), free: NONE, len: 0, first_generation: 1 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// The entry at an index that is known to be good.
    pub(super) fn at(&self, index: u32) -> &Entry<T> {
        self.entries.at(index)
    }

    /// The entry at an index that is known to be good.
    pub(super) fn at_mut(&mut self, index: u32) -> &mut Entry<T> {
        self.entries.at_mut(index)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry<T>> {
        let entry = self.entries.get(key.index)?;
        (entry.generation == key.generation.get()).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry<T>> {
        let entry = self.entries.get_mut(key.index)?;
        (entry.generation == key.generation.get()).then_some(entry)
    }

    pub(super) fn value(&self, key: Key) -> Option<&T> {
        self.get(key)?.value.as_ref()
    }

    pub(super) fn value_mut(&mut self, key: Key) -> Option<&mut T> {
        self.get_mut(key)?.value.as_mut()
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// The key of an entry that is there.
    pub(super) fn key(&self, index: u32) -> Key {
        Key::new(index, self.at(index).generation)
    }

    /// Notes that an entry was taken off its slot's list, and returns its key.
    pub(super) fn unscheduled(&mut self, index: u32) -> Key {
        let entry = self.entries.at_mut(index);
        entry.position = NONE;
        Key::new(index, entry.generation)
    }

    /// The first entry from an index on, to walk over all of them.
    pub(super) fn key_at_or_after(&self, start: u32) -> Option<Key> {
        (start..self.entries.len() as u32)
            .find(|&index| self.at(index).value.is_some())
            .map(|index| self.key(index))
    }

    /// Puts a value into a free place. The entry is in no slot yet.
    pub(super) fn insert(&mut self, value: T) -> Key {
        if self.free == NONE {
            return self.insert_new(value);
        }
        let index = self.free;
        let entry = self.entries.at_mut(index);
        entry.value = Some(value);
        self.free = std::mem::replace(&mut entry.position, NONE);
        self.len += 1;
        Key::new(index, entry.generation)
    }

    /// Puts a value into a place that is made for it.
    fn insert_new(&mut self, value: T) -> Key {
        assert!(self.entries.len() < MOST_ENTRIES, "a timing wheel holds at most 2^31 entries");
        let generation = self.first_generation;
        let index = self.entries.push(Entry { position: NONE, generation, value: Some(value) });
        self.len += 1;
        Key::new(index, generation)
    }

    /// Takes an entry out that is in no slot any more.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let free = self.free;
        let entry = self.get_mut(key)?;
        debug_assert!(entry.position == NONE, "removed while in a slot");
        let value = entry.value.take();
        entry.generation = entry.generation.wrapping_add(1);
        // A place whose generations are used up is left out of the list of free places: that
        // costs one entry of memory in four thousand million uses, and no key is ever reborn.
        if entry.generation != USED_UP {
            entry.position = free;
            self.free = key.index;
        }
        self.len -= 1;
        value
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        let wanted = self.len.saturating_add(additional);
        assert!(wanted <= MOST_ENTRIES, "a timing wheel holds at most 2^31 entries");
        self.entries.reserve(wanted);
    }

    /// Gives back the blocks at the end without entries, and lists the free places anew.
    pub(super) fn shrink_to_fit(&mut self) {
        while let Some(block) = self.entries.last_block() {
            // A place whose generations are used up must stay, so that it is known as such.
            let stays = |entry: &Entry<T>| entry.value.is_some() || entry.generation == USED_UP;
            if block.iter().any(stays) {
                break;
            }
            let latest = block.iter().map(|entry| entry.generation).max();
            self.first_generation = self.first_generation.max(latest.unwrap_or(0));
            self.entries.pop_block();
        }
        self.free = NONE;
        for index in (0..self.entries.len() as u32).rev() {
            let entry = self.entries.at_mut(index);
            if entry.value.is_none() && entry.generation != USED_UP {
                entry.position = self.free;
                self.free = index;
            }
        }
    }

    /// Uses up the generations of an entry but the last, for tests of what happens then.
    #[cfg(test)]
    pub(super) fn age(&mut self, key: Key) -> Key {
        self.at_mut(key.index).generation = u32::MAX;
        self.key(key.index)
    }
}
