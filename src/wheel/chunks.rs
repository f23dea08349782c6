//! The lists of the slots: which entries wait in each, in no order.
//!
//! A list is a stack of chunks of a cache line, each with the indices of fourteen entries. That
//! is what makes walking over a slot fast: the indices are there at once, so that the
//! processor fetches several entries at a time, while in a list linked through the entries it
//! learns where the next one lies only when it has the one before. Any entry can be taken out,
//! since the last one moves into its place; so only the topmost chunk of a list is ever
//! partly filled.

use super::blocks::Blocks;
use super::levels::Place;

/// No chunk, and no place in one.
pub(super) const NONE: u32 = u32::MAX;

/// Entries in a chunk: with the link to the chunk below and the place they fill a cache line.
pub(super) const INDICES: u32 = 14;

/// A position in a list is a chunk's number, shifted by this, plus the number in the chunk.
const POSITION_BITS: u32 = 4;

/// How many entries may be in lists at a time, so that positions fit in 32 bits. That leaves
/// room for a partly filled chunk in every slot.
pub(super) const MOST_ENTRIES: usize = 1 << 31;

#[derive(Debug)]
#[repr(align(64))]
struct Chunk {
    indices: [u32; INDICES as usize],
    /// The chunk below in the list; of a free chunk, the next free one.
    below: u32,
    /// The slot whose list it belongs to: here it costs an entry a fraction of what it would
    /// in the entry itself.
    place: Place,
}

/// The chunks of all lists. A list is known by the position of its last entry, its top.
#[derive(Debug)]
pub(super) struct Chunks {
    blocks: Blocks<Chunk>,
    /// The first free chunk.
    free: u32,
}

impl Chunks {
    pub(super) fn new() -> Chunks {
        Chunks {
            blocks: Blocks::new(),
            free: NONE,
        }
    }

    /// The index at a position.
    #[inline]
    pub(super) fn at(&self, position: u32) -> u32 {
        let chunk = self.blocks.at(position >> POSITION_BITS);
        chunk.indices[number(position)]
    }

    /// Puts another index at a position.
    #[inline]
    pub(super) fn set(&mut self, position: u32, index: u32) {
        let chunk = self.blocks.at_mut(position >> POSITION_BITS);
        chunk.indices[number(position)] = index;
    }

    /// The slot of the list that a position is in.
    #[inline]
    pub(super) fn place(&self, position: u32) -> Place {
        self.blocks.at(position >> POSITION_BITS).place
    }

    /// Puts an index on top of the list of a slot and returns the new top.
    #[inline]
    pub(super) fn push(&mut self, place: Place, top: u32, index: u32) -> u32 {
        let position = if top != NONE && number(top) < INDICES as usize - 1 {
            top + 1
        } else {
            let below = if top == NONE {
                NONE
            } else {
                top >> POSITION_BITS
            };
            self.take_chunk(place, below) << POSITION_BITS
        };
        self.set(position, index);
        position
    }

    /// Takes the top off the list and returns the new top, `NONE` if the list is empty now.
    #[inline]
    pub(super) fn pop(&mut self, top: u32) -> u32 {
        let below = self.below(top);
        if number(top) == 0 {
            let chunk = top >> POSITION_BITS;
            self.blocks.at_mut(chunk).below = self.free;
            self.free = chunk;
        }
        below
    }

    /// Takes the topmost chunk off a list that is not empty. Returns its indices, of which the
    /// second number are good, and the new top.
    #[inline]
    pub(super) fn pop_chunk(&mut self, top: u32) -> ([u32; INDICES as usize], usize, u32) {
        let free = self.free;
        let number_of_chunk = top >> POSITION_BITS;
        let chunk = self.blocks.at_mut(number_of_chunk);
        let below = std::mem::replace(&mut chunk.below, free);
        let indices = chunk.indices;
        self.free = number_of_chunk;
        (indices, number(top) + 1, top_of(below))
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
        if self.free == NONE {
            return self.blocks.push(Chunk {
                indices: [NONE; INDICES as usize],
                below,
                place,
            });
        }
        let number = self.free;
        let chunk = self.blocks.at_mut(number);
        self.free = std::mem::replace(&mut chunk.below, below);
        chunk.place = place;
        number
    }

    /// Chunks that there are, free ones included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }
}

/// The last position of a chunk that has another one above it, and is full therefore.
#[inline]
fn top_of(chunk: u32) -> u32 {
    match chunk {
        NONE => NONE,
        chunk => (chunk << POSITION_BITS) + INDICES - 1,
    }
}

/// Which of a chunk's indices a position means.
#[inline]
fn number(position: u32) -> usize {
    position as usize % (1 << POSITION_BITS)
}
