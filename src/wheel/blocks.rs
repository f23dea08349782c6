//! Slots for elements, in blocks of equal size that are given back one by one.
//!
//! Growing takes one block more and moves nothing, where a vector that doubles would copy
//! hundreds of megabytes under a lock when ten million timers stand. The blocks are large, so that
//! the table of them stays in the nearest cache: every access goes through it. Only a first block
//! grows by doubling, for those who have few elements.
//!
//! Each block has a list of its own free slots, and counts what is in it. So a block that is empty
//! can go back to the system wherever it is, and what remains is a *hole* in the table. An index
//! means the same slot for ever.
//!
//! # Generations
//!
//! A slot counts its elements, so that each of them has an index and a generation that no other
//! one has. A hole remembers one number only, its *floor*: the generation that all its slots start
//! with if it gets memory again, above every one that was given out there. A block in which some
//! slot's generations are used up has no such number. It never becomes a hole but is *retired*
//! when it is given back: its indices are used no more, and what remains of it is its line in the
//! table. A block of which most is used up is retired as soon as it is empty.
//!
//! So each line of the table takes at least 2^32 elements to use up, whatever is done and in
//! whichever order, and what one block has used up costs no other one anything.
//!
//! # Hysteresis
//!
//! Blocks that [give back](Blocks::giving_back) by themselves keep one empty block. New memory is
//! taken only when every block is full, and given back only when two are empty. So there is half
//! a block of insertions or removals between the two at least, and each element pays for a small
//! part of it.

use alloc::vec::Vec;
use core::iter::Enumerate;
use core::slice;

use allocator_api2::vec::Vec as Block;

use super::memory::Memory;

/// No index: of an element, of a chunk, or in a list.
pub(super) const NONE: u32 = u32::MAX;

/// What lies in a slot.
pub(super) trait Element {
    /// The slot that comes next in its block's list of free slots, while this one is free.
    fn next_free(&self) -> u32;

    /// Sets it.
    fn set_next_free(&mut self, next: u32);

    /// The lowest generation that was not given out in this slot, while it is free.
    fn generation(&self) -> u32;
}

/// The generation of a slot, or the floor of a block, whose generations are used up. No element
/// has it.
pub(super) const USED_UP: u32 = 0;

/// How many slots of a block are made at most when none is free: they are taken like those that were
/// used before, and only one in so many pays for new memory.
const FRESH: usize = 8;

/// No free slot in the block.
const NO_SLOT: u16 = u16::MAX;

/// One line of the table. `S` are the slots.
struct Line<S> {
    /// Those that were used so far, and a few that come next. A hole and a retired block have none,
    /// and no memory.
    slots: S,
    /// The first free one among them.
    free: u16,
    /// Elements that are there.
    live: u16,
    /// Slots whose generations are used up.
    used_up: u16,
    /// Whether it is in the list of blocks to take slots from.
    is_listed: bool,
    /// The generation that a slot starts with.
    floor: u32,
    /// Neighbours in the list that it is in: of blocks to take slots from, or of holes, which
    /// have no `previous`.
    next: u32,
    previous: u32,
}

impl<E: Element, M: Memory> Line<Block<E, M>> {
    /// Returns `true` if there is a free slot among those that are there.
    #[inline]
    fn has_free(&self) -> bool {
        usize::from(self.free) < self.slots.len()
    }

    /// Adds a few free slots to a block of `size` that is not full and has none: as many as there is
    /// memory for, and one at least.
    fn prepare(&mut self, size: usize, fresh: impl Fn(u32) -> E) {
        let start = self.slots.len();
        let room = (self.slots.capacity().min(size) - start).clamp(1, FRESH);
        let (last, floor) = (start + room - 1, self.floor);
        self.free = start as u16;
        self.slots.extend((start..=last).map(|slot| {
            let mut element = fresh(floor);
            element.set_next_free(if slot < last { slot as u32 + 1 } else { NO_SLOT.into() });
            element
        }));
    }
}

/// Slots in blocks of `SIZE`, a power of two.
pub(super) struct Blocks<E, M: Memory, const SIZE: usize> {
    table: Vec<Line<Block<E, M>>>,
    /// The first block of the list to take slots from. All that have a free slot are in it. One
    /// that is full is taken out only when it comes first: most often a slot is free there again
    /// by then.
    listed: u32,
    /// The first hole.
    hole: u32,
    /// Blocks that have memory.
    held: u32,
    /// Blocks that there may ever be.
    most: u32,
    /// If empty blocks are given back: one that was empty once. At most one is now, and then it
    /// is this one.
    spare: Option<u32>,
}

impl<E: Element, M: Memory, const SIZE: usize> Blocks<E, M, SIZE> {
    /// Room that the first block has at first.
    const FIRST: usize = SIZE / 64;

    /// Creates an empty table, in which at most `slots` slots are ever named.
    pub(super) fn new(slots: u64) -> Self {
        Blocks {
            table: Vec::new(),
            listed: NONE,
            hole: NONE,
            held: 0,
            most: u32::try_from(slots / SIZE as u64).expect("blocks have names of 32 bits"),
            spare: None,
        }
    }

    /// Makes it give back by itself all empty blocks but one.
    pub(super) fn giving_back(mut self) -> Self {
        self.spare = Some(NONE);
        self
    }

    /// Returns `true` if it gives back by itself.
    pub(super) fn gives_back(&self) -> bool {
        self.spare.is_some()
    }

    /// The number of elements for which there is memory. Looks at each block.
    pub(super) fn capacity(&self) -> usize {
        let room = |block: &Line<Block<E, M>>| block.slots.capacity().min(SIZE);
        let used_up = |block: &Line<Block<E, M>>| usize::from(block.used_up);
        self.table.iter().map(|block| room(block) - used_up(block)).sum()
    }

    /// The element at an index, or `None` if there is no memory for it.
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&E> {
        let index = index as usize;
        self.table.get(index / SIZE)?.slots.get(index % SIZE)
    }

    /// The same for change.
    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut E> {
        let index = index as usize;
        self.table.get_mut(index / SIZE)?.slots.get_mut(index % SIZE)
    }

    /// The element at an index that is known to be good.
    #[inline]
    pub(super) fn at(&self, index: u32) -> &E {
        let index = index as usize;
        &self.table[index / SIZE].slots[index % SIZE]
    }

    /// The element at an index that is known to be good.
    #[inline]
    pub(super) fn at_mut(&mut self, index: u32) -> &mut E {
        let index = index as usize;
        &mut self.table[index / SIZE].slots[index % SIZE]
    }

    /// Takes a free slot and returns its index and what is in it. `fresh` makes what is in a slot at
    /// first, of its block's floor.
    ///
    /// # Panics
    ///
    /// When all indices are in use or used up.
    #[inline]
    pub(super) fn take(&mut self, fresh: impl Fn(u32) -> E) -> (u32, &mut E) {
        let number = self.listed as usize;
        if self.table.get(number).is_some_and(Line::has_free) {
            return self.take_free(number);
        }
        self.take_fresh(fresh)
    }

    /// Takes the first free slot of a block.
    #[inline]
    fn take_free(&mut self, number: usize) -> (u32, &mut E) {
        let block = &mut self.table[number];
        let slot = usize::from(block.free);
        let element = &mut block.slots[slot];
        block.free = element.next_free() as u16;
        block.live += 1;
        ((number * SIZE + slot) as u32, element)
    }

    /// Takes a slot when the block that comes first has none that was used before.
    #[inline(never)]
    fn take_fresh(&mut self, fresh: impl Fn(u32) -> E) -> (u32, &mut E) {
        self.make_room();
        let number = self.listed as usize;
        let block = &mut self.table[number];
        if !block.has_free() {
            block.prepare(SIZE, fresh);
        }
        self.take_free(number)
    }

    /// Frees a slot whose index is known to be good. `clear` takes out what is in it, and says
    /// whether the slot may be used again.
    #[inline]
    pub(super) fn free<R>(&mut self, index: u32, clear: impl FnOnce(&mut E) -> (R, bool)) -> R {
        self.free_if(index, |element| Some(clear(element))).expect("the index is good")
    }

    /// Frees a slot if there is memory for it and `clear` finds what is to go.
    #[inline]
    pub(super) fn free_if<R>(
        &mut self,
        index: u32,
        clear: impl FnOnce(&mut E) -> Option<(R, bool)>,
    ) -> Option<R> {
        let number = index as usize / SIZE;
        let slot = index as usize % SIZE;
        let block = self.table.get_mut(number)?;
        let element = block.slots.get_mut(slot)?;
        let (cleared, usable) = clear(element)?;
        block.live -= 1;
        if usable {
            element.set_next_free(block.free.into());
            block.free = slot as u16;
        } else {
            block.used_up += 1;
        }
        let may_go = block.live == 0
            && (block.used_up > 0 || self.spare.is_some_and(|spare| spare != number as u32));
        if !block.is_listed || may_go {
            self.freed(number as u32, usable);
        }
        Some(cleared)
    }

    /// The first index from one on whose element is wanted, to walk over all of them.
    pub(super) fn find(&self, start: u32, wanted: impl Fn(&E) -> bool) -> Option<u32> {
        let mut start = start as usize;
        while let Some(block) = self.table.get(start / SIZE) {
            let first = start % SIZE;
            if block.live > 0 && first < block.slots.len() {
                if let Some(slot) = block.slots[first..].iter().position(&wanted) {
                    return Some((start + slot) as u32);
                }
            }
            start += SIZE - first;
        }
        None
    }

    /// Iterates over the slots that were used so far, free ones included, each with its index.
    pub(super) fn iter_mut(&mut self) -> IterMut<'_, E, M, SIZE> {
        let no_slots = [].iter_mut().enumerate();
        IterMut { table: self.table.iter_mut().enumerate(), number: 0, slots: no_slots }
    }

    /// Frees all slots of elements that nobody asks after: their generations begin anew. All blocks
    /// are kept.
    pub(super) fn clear(&mut self) {
        for number in (0..self.table.len()).rev() {
            let block = &mut self.table[number];
            block.slots.clear();
            block.free = NO_SLOT;
            block.live = 0;
            if !block.is_listed && block.slots.capacity() > 0 {
                self.list(number as u32);
            }
        }
    }

    /// Makes room for as many elements more. Looks at each block.
    pub(super) fn reserve(&mut self, additional: usize) {
        let free = |block: &Line<Block<E, M>>| SIZE - usize::from(block.live + block.used_up);
        let has_memory = |block: &&mut Line<Block<E, M>>| block.slots.capacity() > 0;
        let mut wanted = additional;
        for block in self.table.iter_mut().filter(has_memory) {
            // Of a first block, which has not grown to its size.
            let room = SIZE.min(block.slots.len() + wanted) - block.slots.len();
            block.slots.reserve_exact(room);
            wanted = wanted.saturating_sub(free(block));
        }
        while wanted > 0 {
            let room = if self.held == 0 { wanted.min(SIZE) } else { SIZE };
            self.add_block(room);
            wanted = wanted.saturating_sub(SIZE);
        }
    }

    /// Gives back all empty blocks. Looks at each block.
    pub(super) fn shrink_to_fit(&mut self) {
        for number in 0..self.table.len() {
            let block = &self.table[number];
            if block.live == 0 && block.slots.capacity() > 0 {
                self.give_back(number as u32);
            }
        }
    }

    /// Brings a block with a free slot to the head of the list: the next in it, or one more if all
    /// are full.
    #[cold]
    fn make_room(&mut self) {
        while let Some(block) = self.table.get(self.listed as usize) {
            if block.has_free() || block.slots.len() < SIZE {
                return;
            }
            self.unlist(self.listed);
        }
        self.add_block(if self.held == 0 { Self::FIRST } else { SIZE });
    }

    /// Lists a block that was full, and decides what becomes of one that is empty.
    fn freed(&mut self, number: u32, usable: bool) {
        let block = &self.table[number as usize];
        let is_empty = block.live == 0;
        if usable && !block.is_listed {
            self.list(number);
        }
        if is_empty {
            self.emptied(number);
        }
    }

    /// Gives memory to a hole, or to a new line of the table.
    fn add_block(&mut self, room: usize) {
        let number = if self.hole == NONE {
            assert!((self.table.len() as u32) < self.most, "a timing wheel is used up");
            self.table.push(Line {
                slots: Block::new_in(M::default()),
                free: NO_SLOT,
                live: 0,
                used_up: 0,
                is_listed: false,
                floor: 1,
                next: NONE,
                previous: NONE,
            });
            self.table.len() as u32 - 1
        } else {
            let hole = self.hole;
            self.hole = self.table[hole as usize].next;
            hole
        };
        self.table[number as usize].slots = Block::with_capacity_in(room, M::default());
        self.held += 1;
        self.list(number);
    }

    /// Puts a block at the head of the list to take slots from.
    fn list(&mut self, number: u32) {
        let head = core::mem::replace(&mut self.listed, number);
        let block = &mut self.table[number as usize];
        block.is_listed = true;
        block.next = head;
        block.previous = NONE;
        if head != NONE {
            self.table[head as usize].previous = number;
        }
    }

    /// Takes a block out of that list.
    fn unlist(&mut self, number: u32) {
        let block = &mut self.table[number as usize];
        block.is_listed = false;
        let (previous, next) = (block.previous, block.next);
        match previous {
            NONE => self.listed = next,
            previous => self.table[previous as usize].next = next,
        }
        if next != NONE {
            self.table[next as usize].previous = previous;
        }
    }

    /// Decides what becomes of a block whose last element is gone.
    fn emptied(&mut self, number: u32) {
        let is_worn = usize::from(self.table[number as usize].used_up) >= SIZE / 2;
        if is_worn {
            return self.give_back(number);
        }
        let Some(spare) = self.spare.filter(|&spare| spare != number) else { return };
        let is_empty = |block: &Line<Block<E, M>>| block.live == 0 && block.slots.capacity() > 0;
        if self.table.get(spare as usize).is_some_and(is_empty) {
            self.give_back(number);
        } else {
            self.spare = Some(number);
        }
    }

    /// Gives the memory of an empty block back, and makes it a hole or retires it.
    #[cold]
    fn give_back(&mut self, number: u32) {
        if self.table[number as usize].is_listed {
            self.unlist(number);
        }
        let block = &mut self.table[number as usize];
        let slots = core::mem::replace(&mut block.slots, Block::new_in(M::default()));
        if block.used_up > 0 {
            block.floor = USED_UP;
        } else {
            let latest = slots.iter().map(E::generation).max();
            block.floor = block.floor.max(latest.unwrap_or(USED_UP));
            block.next = core::mem::replace(&mut self.hole, number);
        }
        block.free = NO_SLOT;
        block.used_up = 0;
        self.held -= 1;
    }

    /// Blocks that have memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held as usize
    }
}

/// Iterates over slots. Made by [`Blocks::iter_mut`].
pub(super) struct IterMut<'a, E, M: Memory, const SIZE: usize> {
    /// The blocks that come next.
    table: Enumerate<slice::IterMut<'a, Line<Block<E, M>>>>,
    /// Which block the slots are in.
    number: usize,
    /// What is left of that block.
    slots: Enumerate<slice::IterMut<'a, E>>,
}

impl<'a, E, M: Memory, const SIZE: usize> Iterator for IterMut<'a, E, M, SIZE> {
    type Item = (u32, &'a mut E);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((slot, element)) = self.slots.next() {
                return Some(((self.number * SIZE + slot) as u32, element));
            }
            let (number, block) = self.table.find(|(_, block)| block.live > 0)?;
            self.number = number;
            self.slots = block.slots.iter_mut().enumerate();
        }
    }
}

#[cfg(test)]
mod tests;
