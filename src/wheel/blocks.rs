//! A vector in blocks of equal size.
//!
//! Growing moves nothing, where a vector that doubles would copy hundreds of megabytes under a
//! lock when ten million timers stand, and the unused end can be given back.

/// Elements in a block, a power of two.
const BLOCK: usize = 256;

/// A vector in blocks.
#[derive(Debug)]
pub(super) struct Blocks<E> {
    /// Those up to the length are full, but for the last of them; those after it are empty.
    blocks: Vec<Vec<E>>,
    len: usize,
}

impl<E> Blocks<E> {
    pub(super) fn new() -> Blocks<E> {
        Blocks {
            blocks: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// An element, or `None` past the end.
    pub(super) fn get(&self, index: u32) -> Option<&E> {
        let index = index as usize;
        self.blocks.get(index / BLOCK)?.get(index % BLOCK)
    }

    /// An element, or `None` past the end.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut E> {
        let index = index as usize;
        self.blocks.get_mut(index / BLOCK)?.get_mut(index % BLOCK)
    }

    /// The element at an index that is known to be good.
    pub(super) fn at(&self, index: u32) -> &E {
        let index = index as usize;
        &self.blocks[index / BLOCK][index % BLOCK]
    }

    /// The element at an index that is known to be good.
    pub(super) fn at_mut(&mut self, index: u32) -> &mut E {
        let index = index as usize;
        &mut self.blocks[index / BLOCK][index % BLOCK]
    }

    /// Adds an element at the end. The caller sees to it that its index fits in 32 bits.
    pub(super) fn push(&mut self, element: E) -> u32 {
        if self.len == self.capacity() {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let index = self.len;
        self.blocks[index / BLOCK].push(element);
        self.len += 1;
        index as u32
    }

    /// Makes room for as many elements in all.
    pub(super) fn reserve(&mut self, total: usize) {
        while self.capacity() < total {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
    }

    /// The last block; empty if it is spare.
    pub(super) fn last_block(&self) -> Option<&[E]> {
        self.blocks.last().map(Vec::as_slice)
    }

    /// Drops the last block and gives its memory back.
    pub(super) fn pop_block(&mut self) {
        if let Some(block) = self.blocks.pop() {
            self.len -= block.len();
        }
        self.blocks.shrink_to_fit();
    }
}
