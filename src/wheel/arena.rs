//! Where entries live.

use super::blocks::{self, Blocks, Element, NONE, USED_UP};
use super::chunks::MOST_ENTRIES;
use super::key::Key;
use super::memory::Memory;

/// Entries in a block.
pub(super) const BLOCK: usize = 4096;

/// One entry, or a free slot for one. With a waker it is half a cache line: to postpone it touches
/// nothing else.
pub(super) struct Entry<T> {
    /// When it is due, if it waits in a slot.
    pub(super) deadline: u64,
    /// Where in its slot's list the entry stands, `NONE` if it is idle. Of a free one, the next
    /// that is free.
    pub(super) list_index: u32,
    /// The generation of the entry here, or of the one that comes next. No key of this wheel that is
    /// out has the generation of a free one; a key of another wheel may.
    generation: u32,
    /// `None` in a free one.
    value: Option<T>,
}

impl<T> Element for Entry<T> {
    #[inline]
    fn next_free(&self) -> u32 {
        self.list_index
    }

    #[inline]
    fn set_next_free(&mut self, next: u32) {
        self.list_index = next;
    }

    fn generation(&self) -> u32 {
        self.generation
    }
}

impl<T> Entry<T> {
    /// Returns `true` if the key is that of the entry here.
    #[inline]
    fn has(&self, key: Key) -> bool {
        self.generation == key.generation.get() && self.value.is_some()
    }

    /// Makes the keys of an entry that is gone stale. Returns `true` if there are generations left.
    #[inline]
    fn retire(&mut self) -> bool {
        self.generation = self.generation.wrapping_add(1);
        self.generation != USED_UP
    }
}

/// The entries.
pub(super) struct Arena<T, M: Memory> {
    entries: Blocks<Entry<T>, M, BLOCK>,
    /// Entries that are there.
    len: usize,
}

impl<T, M: Memory> Arena<T, M> {
    pub(super) fn new() -> Arena<T, M> {
        Arena { entries: Blocks::new(MOST_ENTRIES as u64), len: 0 }
    }

    /// See [`Blocks::giving_back`].
    pub(super) fn giving_back(self) -> Arena<T, M> {
        Arena { entries: self.entries.giving_back(), len: self.len }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// The entry at an index that is known to be good.
    #[inline]
    pub(super) fn at(&self, index: u32) -> &Entry<T> {
        self.entries.at(index)
    }

    /// The entry at an index that is known to be good.
    #[inline]
    pub(super) fn at_mut(&mut self, index: u32) -> &mut Entry<T> {
        self.entries.at_mut(index)
    }

    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&Entry<T>> {
        let entry = self.entries.get(key.index)?;
        entry.has(key).then_some(entry)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry<T>> {
        let entry = self.entries.get_mut(key.index)?;
        entry.has(key).then_some(entry)
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

    /// The deadline of an entry that waits in a slot.
    #[inline]
    pub(super) fn deadline(&self, index: u32) -> u64 {
        self.at(index).deadline
    }

    /// Reads entries that are about to be used, so that all come from memory at the same time.
    #[inline(never)]
    pub(super) fn touch(&self, indices: &[u32]) {
        let all = indices.iter().fold(0, |all, &index| all | self.deadline(index));
        core::hint::black_box(all);
    }

    /// Notes that an entry was taken off its slot's list. Returns its key and its value.
    #[inline]
    pub(super) fn unscheduled(&mut self, index: u32) -> (Key, Option<&mut T>) {
        let entry = self.entries.at_mut(index);
        entry.list_index = NONE;
        (Key::new(index, entry.generation), entry.value.as_mut())
    }

    /// Notes that all entries were taken off their slots' lists.
    pub(super) fn unschedule_all(&mut self) {
        for (_, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.value.is_some()) {
            entry.list_index = NONE;
        }
    }

    /// The first entry from an index on, to walk over all of them.
    pub(super) fn key_at_or_after(&self, start: u32) -> Option<Key> {
        self.entries.find(start, |entry| entry.value.is_some()).map(|index| self.key(index))
    }

    /// Iterates over the entries: their keys, deadlines and values.
    pub(super) fn iter_mut(&mut self) -> IterMut<'_, T, M> {
        IterMut(self.entries.iter_mut())
    }

    /// Adds an entry. `link` gets its index and returns its list index, `NONE` if it is in no slot.
    #[inline(always)]
    pub(super) fn insert(&mut self, deadline: u64, value: T, link: impl FnOnce(u32) -> u32) -> Key {
        let fresh = |generation| Entry { deadline: 0, list_index: NONE, generation, value: None };
        // It panics if the wheel is used up.
        let (index, entry) = self.entries.take(fresh);
        self.len += 1;
        entry.value = Some(value);
        entry.deadline = deadline;
        // No list runs out of numbers before the entries do.
        entry.list_index = link(index);
        Key::new(index, entry.generation)
    }

    /// Takes out an entry that is there, and in no slot any more: its key, by then stale, and its
    /// value.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) -> (Key, Option<T>) {
        self.len -= 1;
        self.entries.free(index, |entry| {
            let key = Key::new(index, entry.generation);
            ((key, entry.value.take()), entry.retire())
        })
    }

    /// Takes out the entry of a key: where in its slot's list it still stands, `NONE` if it is idle,
    /// and its value.
    #[inline]
    pub(super) fn take(&mut self, key: Key) -> Option<(u32, Option<T>)> {
        let taken = self.entries.free_if(key.index, |entry| {
            entry.has(key).then(|| ((entry.list_index, entry.value.take()), entry.retire()))
        })?;
        self.len -= 1;
        Some(taken)
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        let wanted = self.len.saturating_add(additional);
        assert!(wanted <= MOST_ENTRIES, "a timing wheel holds at most 2^31 entries");
        self.entries.reserve(additional);
    }

    /// Gives back the blocks without entries.
    pub(super) fn shrink_to_fit(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Uses up the generations of an entry but the last few, for tests of what happens then.
    #[cfg(test)]
    pub(super) fn age(&mut self, key: Key, left: u32) -> Key {
        self.at_mut(key.index).generation = u32::MAX - left;
        self.key(key.index)
    }

    /// Blocks that have memory.
    #[cfg(test)]
    pub(super) fn blocks(&self) -> usize {
        self.entries.held()
    }
}

/// Iterates over the entries. Made by [`Arena::iter_mut`].
pub(super) struct IterMut<'a, T, M: Memory>(blocks::IterMut<'a, Entry<T>, M, BLOCK>);

impl<'a, T, M: Memory> Iterator for IterMut<'a, T, M> {
    type Item = (Key, Option<u64>, &'a mut T);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(|(index, entry)| {
            let value = entry.value.as_mut()?;
            let deadline = (entry.list_index != NONE).then_some(entry.deadline);
            Some((Key::new(index, entry.generation), deadline, value))
        })
    }
}
