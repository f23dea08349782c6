//! Where entries live: places for them, and a list of the free ones.

use std::num::NonZeroU32;

use super::blocks::Blocks;
use super::chunks::MOST_ENTRIES;
use super::key::Key;
use super::levels::Place;

/// No place.
const NONE: u32 = u32::MAX;

/// One entry, or a free place for one.
#[derive(Debug)]
pub(super) struct Entry<T> {
    /// When it is due; what an idle entry was due at last.
    pub(super) deadline: u64,
    /// `None` marks a free place.
    pub(super) value: Option<T>,
    /// Where in its slot's list the entry stands. Of a free place, the next free place.
    pub(super) position: u32,
    /// The generation of the entry here, or of the one that comes next.
    generation: NonZeroU32,
    /// The slot that the entry waits in.
    pub(super) place: Place,
}

/// The entries.
#[derive(Debug)]
pub(super) struct Arena<T> {
    places: Blocks<Entry<T>>,
    /// The first free place.
    free: u32,
    /// Entries that are there.
    len: usize,
    /// The generation of a place that is made new. Above all those that were given back.
    first_generation: NonZeroU32,
}

impl<T> Arena<T> {
    pub(super) fn new() -> Arena<T> {
        Arena {
            places: Blocks::new(),
            free: NONE,
            len: 0,
            first_generation: NonZeroU32::MIN,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        self.places.capacity()
    }

    /// The entry at an index that is known to be good.
    pub(super) fn at(&self, index: u32) -> &Entry<T> {
        self.places.at(index)
    }

    /// The entry at an index that is known to be good.
    pub(super) fn at_mut(&mut self, index: u32) -> &mut Entry<T> {
        self.places.at_mut(index)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry<T>> {
        let entry = self.places.get(key.index)?;
        (entry.generation == key.generation && entry.value.is_some()).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry<T>> {
        let entry = self.places.get_mut(key.index)?;
        (entry.generation == key.generation && entry.value.is_some()).then_some(entry)
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// The key of an entry that is there.
    pub(super) fn key(&self, index: u32) -> Key {
        Key {
            index,
            generation: self.at(index).generation,
        }
    }

    /// The first entry from an index on, to walk over all of them.
    pub(super) fn key_at_or_after(&self, start: u32) -> Option<Key> {
        (start..self.places.len() as u32)
            .find(|&index| self.at(index).value.is_some())
            .map(|i| self.key(i))
    }

    /// Puts a value into a free place. The entry is in no slot yet.
    pub(super) fn insert(&mut self, deadline: u64, value: T) -> Key {
        if self.free == NONE {
            return self.insert_new(deadline, value);
        }
        let index = self.free;
        let entry = self.places.at_mut(index);
        entry.deadline = deadline;
        entry.value = Some(value);
        entry.place = Place::IDLE;
        self.free = entry.position;
        self.len += 1;
        Key {
            index,
            generation: entry.generation,
        }
    }

    /// Puts a value into a place that is made for it.
    fn insert_new(&mut self, deadline: u64, value: T) -> Key {
        assert!(
            self.places.len() < MOST_ENTRIES,
            "a timing wheel holds at most 2^31 entries"
        );
        let generation = self.first_generation;
        let index = self.places.push(Entry {
            deadline,
            value: Some(value),
            position: NONE,
            generation,
            place: Place::IDLE,
        });
        self.len += 1;
        Key { index, generation }
    }

    /// Takes an entry out that is in no slot any more.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let free = self.free;
        let entry = self.get_mut(key)?;
        debug_assert!(!entry.place.is_slot(), "removed while in a slot");
        let value = entry.value.take();
        // A place whose generations are used up is left out of the list of free places: that
        // costs one entry of memory in four thousand million uses, and no key is ever reborn.
        if let Some(generation) = entry.generation.checked_add(1) {
            entry.generation = generation;
            entry.position = free;
            self.free = key.index;
        }
        self.len -= 1;
        value
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        let wanted = self.len.saturating_add(additional);
        assert!(
            wanted <= MOST_ENTRIES,
            "a timing wheel holds at most 2^31 entries"
        );
        self.places.reserve(wanted);
    }

    /// Gives back the blocks at the end without entries, and lists the free places anew.
    pub(super) fn shrink_to_fit(&mut self) {
        while let Some(block) = self.places.last_block() {
            let latest = block.iter().map(|entry| entry.generation).max();
            // A place whose generations are used up must stay, so that it is known as such.
            if block.iter().any(|entry| entry.value.is_some()) || latest == Some(NonZeroU32::MAX) {
                break;
            }
            if let Some(latest) = latest {
                self.first_generation = self.first_generation.max(latest);
            }
            self.places.pop_block();
        }
        self.free = NONE;
        for index in (0..self.places.len() as u32).rev() {
            let entry = self.places.at_mut(index);
            if entry.value.is_none() && entry.generation != NonZeroU32::MAX {
                entry.position = self.free;
                self.free = index;
            }
        }
    }

    /// Uses up the generations of a free place, for tests of what happens then.
    #[cfg(test)]
    pub(super) fn age(&mut self, key: Key) -> Key {
        let entry = self.at_mut(key.index);
        entry.generation = NonZeroU32::MAX;
        Key {
            index: key.index,
            generation: NonZeroU32::MAX,
        }
    }
}
