//! The lists of the slots: which entries wait in each, in no order.
//!
//! A list is a stack of chunks of a cache line, each with the indices of fourteen entries. That is
//! what makes walking over a slot fast: the entries of a chunk are read at the same time, where a
//! list linked through the entries would wait for memory at each of them. Any entry can be taken
//! out, since the last one moves into its place; so only the topmost chunk of a list is ever partly
//! filled.

use core::ops::Range;

use super::blocks::{Blocks, Element, NONE};
use super::memory::Memory;
use super::slot::SlotId;

/// Entries in a chunk: with the link to the chunk below and the slot id they fill 62 bytes.
pub(super) const CHUNK: usize = 14;

/// Chunks in a block.
const BLOCK: usize = 2048;

/// A list index is a chunk's number, shifted by this, plus the number in the chunk.
const LIST_INDEX_BITS: u32 = 4;

/// How many entries may be in lists at a time, so that list indices fit in 32 bits. That leaves
/// room for a partly filled chunk in every slot.
pub(super) const MOST_ENTRIES: usize = 1 << 31;

/// A few entries of a list.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Chunk {
    /// Where each entry lies in the arena.
    indices: [u32; CHUNK],
    /// The chunk below in the list; of a free chunk, the next free one.
    below: u32,
    /// The slot whose list it belongs to: here it costs an entry a fraction of what it would
    /// in the entry itself.
    slot_id: SlotId,
}

impl Chunk {
    /// The first few entries.
    #[inline]
    pub(super) fn entries(&self, count: usize) -> &[u32] {
        &self.indices[..count]
    }
}

impl Element for Chunk {
    #[inline]
    fn next_free(&self) -> u32 {
        self.below
    }

    #[inline]
    fn set_next_free(&mut self, next: u32) {
        self.below = next;
    }

    /// Nobody asks later whether a chunk is still the same one.
    fn generation(&self) -> u32 {
        1
    }
}

/// The chunks of all lists. A list is known by the list index of its last entry, its top.
pub(super) struct Chunks<M: Memory> {
    blocks: Blocks<Chunk, M, BLOCK>,
}

impl<M: Memory> Chunks<M> {
    pub(super) fn new() -> Chunks<M> {
        Chunks { blocks: Blocks::new(1 << (u32::BITS - LIST_INDEX_BITS)) }
    }

    /// See [`Blocks::giving_back`].
    pub(super) fn giving_back(self) -> Chunks<M> {
        Chunks { blocks: self.blocks.giving_back() }
    }

    /// Empty ones that are kept in the same way.
    pub(super) fn empty_like(&self) -> Chunks<M> {
        let chunks = Chunks::new();
        if self.blocks.gives_back() { chunks.giving_back() } else { chunks }
    }

    /// Frees all chunks.
    pub(super) fn clear(&mut self) {
        if self.blocks.gives_back() {
            *self = self.empty_like();
        } else {
            self.blocks.clear();
        }
    }

    /// Returns the entry at a list index.
    #[inline]
    pub(super) fn entry(&self, list_index: u32) -> u32 {
        self.blocks.at(list_index >> LIST_INDEX_BITS).indices[number(list_index)]
    }

    /// Returns the entries of a full chunk of which this is the last list index.
    #[inline]
    pub(super) fn topped_by(&self, list_index: u32) -> Option<&[u32]> {
        let is_last = number(list_index) == CHUNK - 1;
        is_last.then(|| &self.blocks.at(list_index >> LIST_INDEX_BITS).indices[..])
    }

    /// Returns a list's only entry, `None` if there are more.
    #[inline]
    pub(super) fn lone_entry(&self, top: u32) -> Option<u32> {
        let chunk = self.blocks.at(top >> LIST_INDEX_BITS);
        let is_alone = number(top) == 0 && chunk.below == NONE;
        is_alone.then_some(chunk.indices[0])
    }

    /// Puts an entry at a list index.
    #[inline]
    pub(super) fn set(&mut self, list_index: u32, index: u32) {
        let chunk = self.blocks.at_mut(list_index >> LIST_INDEX_BITS);
        chunk.indices[number(list_index)] = index;
    }

    /// Returns the slot of the list that a list index is in.
    #[inline]
    pub(super) fn slot_id(&self, list_index: u32) -> SlotId {
        self.blocks.at(list_index >> LIST_INDEX_BITS).slot_id
    }

    /// Puts an entry on top of the list of a slot and returns the new top.
    #[inline]
    pub(super) fn push(&mut self, slot_id: SlotId, top: u32, index: u32) -> u32 {
        if top == NONE || number(top) >= CHUNK - 1 {
            return self.push_chunk(slot_id, top, index);
        }
        self.set(top + 1, index);
        top + 1
    }

    /// The same with another chunk, in which the entry is the first.
    #[inline(never)]
    fn push_chunk(&mut self, slot_id: SlotId, top: u32, index: u32) -> u32 {
        let below = if top == NONE { NONE } else { top >> LIST_INDEX_BITS };
        let fresh = |_| Chunk { indices: [NONE; CHUNK], below: NONE, slot_id };
        let (number, chunk) = self.blocks.take(fresh);
        chunk.indices[0] = index;
        chunk.below = below;
        chunk.slot_id = slot_id;
        number << LIST_INDEX_BITS
    }

    /// Takes the top off the list and returns the new top, `NONE` if the list is empty now.
    #[inline]
    pub(super) fn pop(&mut self, top: u32) -> u32 {
        if number(top) > 0 {
            return top - 1;
        }
        top_of(self.blocks.free(top >> LIST_INDEX_BITS, |chunk| (chunk.below, true)))
    }

    /// Takes the topmost chunk off a list that is not empty. Returns it, how many of its entries
    /// are good, and the new top.
    #[inline]
    pub(super) fn pop_chunk(&mut self, top: u32) -> (Chunk, usize, u32) {
        let taken = *self.blocks.at(top >> LIST_INDEX_BITS);
        self.blocks.free(top >> LIST_INDEX_BITS, |_| ((), true));
        (taken, number(top) + 1, top_of(taken.below))
    }

    /// Takes the topmost entries off a list that is not empty, of one chunk and at most so many.
    /// Returns the chunk, which of its entries were taken, and the new top.
    #[inline]
    pub(super) fn pop_topmost(&mut self, top: u32, most: usize) -> (Chunk, Range<usize>, u32) {
        let count = number(top) + 1;
        if count <= most {
            let (chunk, _, below) = self.pop_chunk(top);
            return (chunk, 0..count, below);
        }
        let chunk = *self.blocks.at(top >> LIST_INDEX_BITS);
        (chunk, count - most..count, top - most as u32)
    }

    /// Returns `true` if a list, which is not empty, has more than one chunk.
    #[inline]
    pub(super) fn has_more(&self, top: u32) -> bool {
        self.blocks.at(top >> LIST_INDEX_BITS).below != NONE
    }

    /// Returns the list index below another one, `NONE` from the bottom.
    #[inline]
    pub(super) fn below(&self, list_index: u32) -> u32 {
        if number(list_index) > 0 {
            return list_index - 1;
        }
        top_of(self.blocks.at(list_index >> LIST_INDEX_BITS).below)
    }

    /// Chunks for which there is memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.blocks.capacity()
    }

    /// Blocks that have memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.blocks.held()
    }
}

/// Returns the last list index of a chunk that has another one above it, and is full therefore.
#[inline]
fn top_of(chunk: u32) -> u32 {
    match chunk {
        NONE => NONE,
        chunk => (chunk << LIST_INDEX_BITS) + CHUNK as u32 - 1,
    }
}

/// Returns which of a chunk's indices a list index means.
#[inline]
fn number(list_index: u32) -> usize {
    list_index as usize % (1 << LIST_INDEX_BITS)
}
