//! The lists of the slots: which entries wait in each, and until when, in no order.
//!
//! A list is a stack of chunks of two cache lines, each with the deadlines and the indices of
//! ten entries. That is what makes walking over a slot fast: an entry is moved down a level
//! without being read, where a list linked through the entries would wait for memory at each
//! of them. Any entry can be taken out, since the last one moves into its place; so only the
//! topmost chunk of a list is ever partly filled.

use super::blocks::{Blocks, Element};
use super::levels::Place;
use super::memory::Memory;

/// No chunk, and no place in one.
pub(super) const NONE: u32 = u32::MAX;

/// Entries in a chunk: with the link to the chunk below and the place they fill 126 bytes.
const CHUNK: usize = 10;

/// Chunks in a block.
const BLOCK: usize = 1024;

/// A position in a list is a chunk's number, shifted by this, plus the number in the chunk.
const POSITION_BITS: u32 = 4;

/// How many entries may be in lists at a time, so that positions fit in 32 bits. That leaves
/// room for a partly filled chunk in every slot.
pub(super) const MOST_ENTRIES: usize = 1 << 31;

/// A few entries of a list.
#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
pub(super) struct Chunk {
    /// When each entry is due.
    deadlines: [u64; CHUNK],
    /// Where each entry lies in the arena.
    indices: [u32; CHUNK],
    /// The chunk below in the list; of a free chunk, the next free one.
    below: u32,
    /// The slot whose list it belongs to: here it costs an entry a fraction of what it would
    /// in the entry itself.
    place: Place,
}

impl Chunk {
    /// The first few entries, each with its deadline.
    #[inline]
    pub(super) fn entries(&self, count: usize) -> impl Iterator<Item = (u32, u64)> {
        let pairs = self.indices.iter().zip(&self.deadlines).take(count);
        pairs.map(|(&index, &deadline)| (index, deadline))
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

/// The chunks of all lists. A list is known by the position of its last entry, its top.
pub(super) struct Chunks<M: Memory> {
    blocks: Blocks<Chunk, M, BLOCK>,
}

impl<M: Memory> Chunks<M> {
    pub(super) fn new() -> Chunks<M> {
        Chunks { blocks: Blocks::new(1 << (u32::BITS - POSITION_BITS)) }
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

    /// The deadline at a position.
    #[inline]
    pub(super) fn deadline(&self, position: u32) -> u64 {
        self.blocks.at(position >> POSITION_BITS).deadlines[number(position)]
    }

    /// The index and the deadline at a position.
    #[inline]
    pub(super) fn entry(&self, position: u32) -> (u32, u64) {
        let chunk = self.blocks.at(position >> POSITION_BITS);
        (chunk.indices[number(position)], chunk.deadlines[number(position)])
    }

    /// The index and the deadline of a list's only entry, `None` if there are more.
    #[inline]
    pub(super) fn lone_entry(&self, top: u32) -> Option<(u32, u64)> {
        let chunk = self.blocks.at(top >> POSITION_BITS);
        let is_alone = number(top) == 0 && chunk.below == NONE;
        is_alone.then(|| (chunk.indices[0], chunk.deadlines[0]))
    }

    /// Puts another deadline at a position.
    #[inline]
    pub(super) fn set_deadline(&mut self, position: u32, deadline: u64) {
        self.blocks.at_mut(position >> POSITION_BITS).deadlines[number(position)] = deadline;
    }

    /// Puts an index and a deadline at a position.
    #[inline]
    pub(super) fn set(&mut self, position: u32, index: u32, deadline: u64) {
        let chunk = self.blocks.at_mut(position >> POSITION_BITS);
        chunk.indices[number(position)] = index;
        chunk.deadlines[number(position)] = deadline;
    }

    /// The slot of the list that a position is in.
    #[inline]
    pub(super) fn place(&self, position: u32) -> Place {
        self.blocks.at(position >> POSITION_BITS).place
    }

    /// Puts an entry on top of the list of a slot and returns the new top.
    #[inline(never)]
    pub(super) fn push(&mut self, place: Place, top: u32, index: u32, deadline: u64) -> u32 {
        let position = if top != NONE && number(top) < CHUNK - 1 {
            top + 1
        } else {
            let below = if top == NONE { NONE } else { top >> POSITION_BITS };
            self.take_chunk(place, below) << POSITION_BITS
        };
        self.set(position, index, deadline);
        position
    }

    /// Takes the top off the list and returns the new top, `NONE` if the list is empty now.
    #[inline]
    pub(super) fn pop(&mut self, top: u32) -> u32 {
        if number(top) > 0 {
            return top - 1;
        }
        top_of(self.blocks.free(top >> POSITION_BITS, |chunk| (chunk.below, true)))
    }

    /// Takes the topmost chunk off a list that is not empty. Returns it, how many of its entries
    /// are good, and the new top.
    #[inline]
    pub(super) fn pop_chunk(&mut self, top: u32) -> (Chunk, usize, u32) {
        let taken = *self.blocks.at(top >> POSITION_BITS);
        self.blocks.free(top >> POSITION_BITS, |_| ((), true));
        (taken, number(top) + 1, top_of(taken.below))
    }

    /// Whether a list, which is not empty, has more than one chunk.
    #[inline]
    pub(super) fn has_more(&self, top: u32) -> bool {
        self.blocks.at(top >> POSITION_BITS).below != NONE
    }

    /// The position below another one in a list, `NONE` from the bottom.
    #[inline]
    pub(super) fn below(&self, position: u32) -> u32 {
        if number(position) > 0 {
            return position - 1;
        }
        top_of(self.blocks.at(position >> POSITION_BITS).below)
    }

    #[inline]
    fn take_chunk(&mut self, place: Place, below: u32) -> u32 {
        let fresh = |_| Chunk { deadlines: [0; CHUNK], indices: [NONE; CHUNK], below, place };
        self.blocks.take(fresh, |number, chunk| {
            chunk.below = below;
            chunk.place = place;
            number
        })
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

/// The last position of a chunk that has another one above it, and is full therefore.
#[inline]
fn top_of(chunk: u32) -> u32 {
    match chunk {
        NONE => NONE,
        chunk => (chunk << POSITION_BITS) + CHUNK as u32 - 1,
    }
}

/// Which of a chunk's indices a position means.
#[inline]
fn number(position: u32) -> usize {
    position as usize % (1 << POSITION_BITS)
}
