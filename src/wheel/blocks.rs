//! A vector in blocks of equal size.
//!
//! Growing moves one block at most, where a vector that doubles would copy hundreds of
//! megabytes under a lock when ten million timers stand, and the unused end can be given back.
//! The blocks are large, so that the table of them stays in the nearest cache: every access
//! goes through it. Only the first grows by doubling, for those who have few elements.

/// A vector in blocks of `BLOCK` elements, a power of two.
#[derive(Debug)]
pub(super) struct Blocks<E, const BLOCK: usize> {
    /// Those up to the length are full, but for the last of them; those after it are empty.
    blocks: Vec<Vec<E>>,
    len: usize,
}

impl<E, const BLOCK: usize> Blocks<E, BLOCK> {
    /// Room that the first block has at first.
    const FIRST: usize = BLOCK / 64;

    pub(super) fn new() -> Self {
        Blocks { blocks: Vec::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn capacity(&self) -> usize {
        match self.blocks.split_first() {
            Some((first, others)) => first.capacity().min(BLOCK) + others.len() * BLOCK,
            None => 0,
        }
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
        let index = self.len;
        if index / BLOCK == self.blocks.len() {
            let room = if index == 0 { Self::FIRST } else { BLOCK };
            self.blocks.push(Vec::with_capacity(room));
        }
        self.blocks[index / BLOCK].push(element);
        self.len += 1;
        index as u32
    }

    /// Makes room for as many elements in all.
    pub(super) fn reserve(&mut self, total: usize) {
        if self.capacity() >= total {
            return;
        }
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let first = &mut self.blocks[0];
        first.reserve_exact(total.min(BLOCK) - first.len());
        while self.blocks.len() * BLOCK < total {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_across_blocks_and_growth() {
        let mut blocks = Blocks::<u32, 64>::new();
        for number in 0..1_000 {
            assert_eq!(blocks.get(number), None);
            assert_eq!(blocks.push(number), number);
            assert!(blocks.capacity() >= blocks.len());
            assert!(blocks.capacity() < 2 * blocks.len() + 64);
        }
        assert!((0..1_000).all(|number| *blocks.at(number) == number));
    }

    #[test]
    fn few_elements_are_not_moved_at_each_growth() {
        let mut blocks = Blocks::<u8, 4096>::new();
        blocks.push(0);
        let capacity = blocks.capacity();
        assert!((64..128).contains(&capacity), "{capacity}");
    }

    #[test]
    fn room_is_used_before_more_is_made_and_can_be_given_back() {
        for total in [1, 40, 64, 65, 128, 200] {
            let mut blocks = Blocks::<usize, 64>::new();
            blocks.push(0);
            blocks.reserve(total);
            let capacity = blocks.capacity();
            assert!(capacity >= total);
            assert!(capacity < total + 64, "no more than the rest of a block");
            for number in 1..total {
                blocks.push(number);
            }
            assert_eq!(blocks.capacity(), capacity);
            while blocks.last_block().is_some() {
                blocks.pop_block();
            }
            assert_eq!((blocks.len(), blocks.capacity()), (0, 0));
            assert_eq!(blocks.push(7), 0);
        }
    }
}
