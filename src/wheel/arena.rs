//! Where entries live: blocks of entries with a list of free places.
//!
//! Blocks rather than one vector, so that growing moves nothing (with ten million timers a
//! doubling vector would copy hundreds of megabytes under a lock) and so that the unused tail
//! can be given back.

use std::num::NonZeroU32;

use super::key::Key;
use super::levels::Place;

/// No entry.
pub(super) const NIL: u32 = u32::MAX;

/// Entries in a block, a power of two.
const BLOCK: usize = 256;

/// One entry, or a free place for one.
#[derive(Debug)]
pub(super) struct Entry<T> {
    /// When it is due; what an idle entry was due at last.
    pub(super) deadline: u64,
    /// `None` marks a free place.
    pub(super) value: Option<T>,
    /// The neighbours in the slot's ring. Of a free place, `next` is the next free place.
    pub(super) next: u32,
    pub(super) previous: u32,
    /// The generation of the entry here, or of the one that comes next.
    generation: NonZeroU32,
    /// The slot that the entry waits in.
    pub(super) place: Place,
}

/// The entries.
#[derive(Debug)]
pub(super) struct Arena<T> {
    /// Each holds at most `BLOCK` entries, and all but the last hold exactly that many.
    blocks: Vec<Vec<Entry<T>>>,
    /// Places in all blocks together.
    places: usize,
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
            blocks: Vec::new(),
            places: 0,
            free: NIL,
            len: 0,
            first_generation: NonZeroU32::MIN,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// The entry at an index that is known to be good.
    pub(super) fn at(&self, index: u32) -> &Entry<T> {
        let index = index as usize;
        &self.blocks[index / BLOCK][index % BLOCK]
    }

    /// The entry at an index that is known to be good.
    pub(super) fn at_mut(&mut self, index: u32) -> &mut Entry<T> {
        let index = index as usize;
        &mut self.blocks[index / BLOCK][index % BLOCK]
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry<T>> {
        let index = key.index as usize;
        let entry = self.blocks.get(index / BLOCK)?.get(index % BLOCK)?;
        (entry.generation == key.generation && entry.value.is_some()).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry<T>> {
        let index = key.index as usize;
        let entry = self.blocks.get_mut(index / BLOCK)?.get_mut(index % BLOCK)?;
        (entry.generation == key.generation && entry.value.is_some()).then_some(entry)
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// The key of an entry that is there.
    pub(super) fn key(&self, index: u32) -> Key {
        Key { index, generation: self.at(index).generation }
    }

    /// The keys of all entries, in no order that means anything.
    pub(super) fn key_at_or_after(&self, start: u32) -> Option<Key> {
        let places = u32::try_from(self.places).expect("an index fits in 32 bits");
        (start..places).find(|&index| self.at(index).value.is_some()).map(|i| self.key(i))
    }

    /// Puts a value into a free place. The entry is in no slot yet.
    pub(super) fn insert(&mut self, deadline: u64, value: T) -> Key {
        let index = if self.free == NIL { self.new_place() } else { self.free };
        let entry = self.at_mut(index);
        let next_free = entry.next;
        entry.deadline = deadline;
        entry.value = Some(value);
        entry.place = Place::IDLE;
        let key = Key { index, generation: entry.generation };
        self.free = next_free;
        self.len += 1;
        key
    }

    /// Makes a place and returns its index; its `next` is the list of free places as it is.
    fn new_place(&mut self) -> u32 {
        assert!(self.places < NIL as usize, "a timing wheel holds at most 2^32 - 1 entries");
        if self.places == self.capacity() {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let index = self.places as u32;
        self.blocks[self.places / BLOCK].push(Entry {
            deadline: 0,
            value: None,
            next: self.free,
            previous: NIL,
            generation: self.first_generation,
            place: Place::IDLE,
        });
        self.places += 1;
        index
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
            entry.next = free;
            self.free = key.index;
        }
        self.len -= 1;
        value
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        let wanted = self.len.saturating_add(additional).div_ceil(BLOCK).min(NIL as usize / BLOCK);
        while self.blocks.len() < wanted {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
    }

    /// Gives back the blocks at the end without entries, and lists the free places anew.
    pub(super) fn shrink_to_fit(&mut self) {
        while let Some(block) = self.blocks.last() {
            let latest = block.iter().map(|entry| entry.generation).max();
            if block.iter().any(|entry| entry.value.is_some()) || latest == Some(NonZeroU32::MAX) {
                break;
            }
            if let Some(latest) = latest {
                self.first_generation = self.first_generation.max(latest);
            }
            self.places -= block.len();
            self.blocks.pop();
        }
        self.blocks.shrink_to_fit();
        self.free = NIL;
        for index in (0..self.places as u32).rev() {
            let free = self.free;
            let entry = self.at_mut(index);
            if entry.value.is_none() && entry.generation != NonZeroU32::MAX {
                entry.next = free;
                self.free = index;
            }
        }
    }

    /// Uses up the generations of a free place, for tests of what happens then.
    #[cfg(test)]
    pub(super) fn age(&mut self, key: Key) -> Key {
        let entry = self.at_mut(key.index);
        entry.generation = NonZeroU32::MAX;
        Key { index: key.index, generation: NonZeroU32::MAX }
    }
}
