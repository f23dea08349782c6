//! The slots: which entries wait where. Arithmetic and lists only; nothing here knows of
//! values or of being due.

use alloc::boxed::Box;
use core::ops::Range;

use super::arena::Arena;
use super::blocks::NONE;
use super::chunks::{Chunk, Chunks};
use super::memory::Memory;
use super::slot::{LEVELS, REVOLUTION, SLOTS, SlotId, revolutions};

/// One level of slots.
#[derive(Debug)]
struct Level {
    /// For each of the two revolutions, a bit for each slot that has entries.
    occupied: [u64; 2],
    /// The top of each slot's list, `NONE` if it is empty.
    tops: [u32; SLOTS],
    /// A lower bound of the deadlines in each slot. Meaningless for an empty one.
    minima: [u64; SLOTS],
}

impl Level {
    /// Returns the first slot with entries, if the elapsed time is in an even revolution or else an
    /// odd one: slots of that revolution come before those of the other.
    #[inline]
    fn first(&self, odd: bool) -> usize {
        let revolution = usize::from(odd);
        let (revolution, slots) = match self.occupied[revolution] {
            0 => (1 - revolution, self.occupied[1 - revolution]),
            slots => (revolution, slots),
        };
        revolution * REVOLUTION + slots.trailing_zeros() as usize
    }

    /// Iterates over the slots with entries, in the order of time: if the elapsed time is in an
    /// even revolution or else an odd one.
    fn occupied_slots(&self, odd: bool) -> impl Iterator<Item = usize> {
        let revolution = usize::from(odd);
        [revolution, 1 - revolution].into_iter().flat_map(|revolution| {
            let slots = self.occupied[revolution];
            let is_occupied = move |slot: &usize| slots >> slot & 1 != 0;
            (0..REVOLUTION).filter(is_occupied).map(move |slot| revolution * REVOLUTION + slot)
        })
    }

    #[inline]
    fn is_occupied(&self, slot: usize) -> bool {
        self.occupied[slot / REVOLUTION] >> (slot % REVOLUTION) & 1 != 0
    }

    #[inline]
    fn set_occupied(&mut self, slot: usize) {
        self.occupied[slot / REVOLUTION] |= 1 << (slot % REVOLUTION);
    }

    /// Returns `true` if any slot has entries still.
    #[inline]
    fn set_empty(&mut self, slot: usize) -> bool {
        self.occupied[slot / REVOLUTION] &= !(1 << (slot % REVOLUTION));
        self.occupied != [0; 2]
    }
}

/// A walk over a slot of level 0, which may stop on its way from the top down and go on later.
#[derive(Debug)]
struct Walk {
    /// The slot, `SlotId::NONE` if there is no walk.
    slot_id: SlotId,
    /// Where it goes on; `NONE` if there is no walk. What waits there and below has not been
    /// looked at, or has come here since, in place of something removed.
    list_index: u32,
    /// A lower bound of the deadlines above: of what was passed, and of what came since.
    passed: u64,
}

impl Walk {
    const NONE: Walk = Walk { slot_id: SlotId::NONE, list_index: NONE, passed: u64::MAX };
}

/// All slots.
pub(super) struct Levels<M: Memory> {
    /// A bit for each level that has entries.
    occupied: u8,
    levels: Box<[Level; LEVELS]>,
    /// The lists.
    chunks: Chunks<M>,
    walk: Walk,
    /// Entries that were linked or looked at.
    #[cfg(test)]
    pub(super) steps: core::cell::Cell<usize>,
}

impl<M: Memory> Levels<M> {
    pub(super) fn new() -> Levels<M> {
        let empty = || Level { occupied: [0; 2], tops: [NONE; SLOTS], minima: [u64::MAX; SLOTS] };
        Levels {
            occupied: 0,
            levels: Box::new(core::array::from_fn(|_| empty())),
            chunks: Chunks::new(),
            walk: Walk::NONE,
            #[cfg(test)]
            steps: core::cell::Cell::new(0),
        }
    }

    /// See [`Blocks::giving_back`](super::blocks::Blocks::giving_back).
    pub(super) fn giving_back(self) -> Levels<M> {
        Levels { chunks: self.chunks.giving_back(), ..self }
    }

    /// Returns the slot with the lowest minimum, and that minimum.
    ///
    /// On each level the first occupied slot has the level's lowest, since slots of a level
    /// follow one another in time: from that of the elapsed time to the end of its revolution, then
    /// those of the next. Between levels nothing is known, because the slot of the elapsed time on
    /// a higher level may still hold entries: so it takes the lowest of the eight.
    #[inline]
    pub(super) fn earliest(&self, elapsed: u64) -> Option<(SlotId, u64)> {
        let mut left = self.occupied;
        let mut next = || {
            let level = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            let slot = self.levels.get(level)?.first(revolutions(elapsed, level as u32) % 2 != 0);
            Some((SlotId::new(level, slot), self.levels[level].minima[slot]))
        };
        let mut earliest = next()?;
        while let Some((slot_id, minimum)) = next() {
            // On a tie the lower level first: it needs no cascade to expire.
            if minimum < earliest.1 {
                earliest = (slot_id, minimum);
            }
        }
        Some(earliest)
    }

    /// Returns the entry with the lowest deadline, and that deadline.
    ///
    /// Looks through each slot whose minimum is below the lowest deadline seen so far: usually the
    /// first. On a level the minima grow from slot to slot, as the slots follow one another.
    pub(super) fn first_entry<T>(&self, arena: &Arena<T, M>, elapsed: u64) -> Option<(u32, u64)> {
        let (slot_id, _) = self.earliest(elapsed)?;
        let mut first = self.lowest_of(arena, slot_id, (NONE, u64::MAX));
        for (number, level) in self.levels.iter().enumerate() {
            let odd = revolutions(elapsed, number as u32) % 2 != 0;
            for slot in level.occupied_slots(odd) {
                if level.minima[slot] >= first.1 && first.0 != NONE {
                    break;
                }
                first = self.lowest_of(arena, SlotId::new(number, slot), first);
            }
        }
        Some(first)
    }

    /// Returns the entry with the lowest deadline among those of a slot and another one, if there
    /// is one.
    fn lowest_of<T>(&self, arena: &Arena<T, M>, slot_id: SlotId, other: (u32, u64)) -> (u32, u64) {
        let mut lowest = other;
        let mut list_index = self.top(slot_id);
        while list_index != NONE {
            let index = self.chunks.entry(list_index);
            let deadline = arena.deadline(index);
            if deadline < lowest.1 || lowest.0 == NONE {
                lowest = (index, deadline);
            }
            list_index = self.chunks.below(list_index);
        }
        lowest
    }

    /// Returns the list index of a slot's last entry, `NONE` if it has none.
    #[inline]
    fn top(&self, slot_id: SlotId) -> u32 {
        self.levels[slot_id.level()].tops[slot_id.slot()]
    }

    /// Counts a look at an entry that is due in time, or a move, for the tests of how many there are.
    #[inline]
    pub(super) fn count_step(&self) {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
    }

    /// Returns `true` if the entry at a list index is the only one of its slot.
    #[inline]
    pub(super) fn is_alone(&self, list_index: u32) -> bool {
        self.chunks.below(list_index) == NONE
            && self.top(self.chunks.slot_id(list_index)) == list_index
    }

    /// Begins to walk over a slot of level 0 from the top, or goes on where a walk over it has
    /// stopped.
    #[inline]
    pub(super) fn walk(&mut self, slot_id: SlotId) {
        if self.walk.slot_id != slot_id {
            // The minimum of another slot is good still: it is that of before the walk, or less.
            self.walk = Walk { slot_id, list_index: self.top(slot_id), ..Walk::NONE };
        }
    }

    /// The slot that is walked over, the entry that the walk has come to, and its deadline; `None`
    /// at the end.
    #[inline]
    pub(super) fn walked_to<T>(&self, arena: &Arena<T, M>) -> Option<(SlotId, u32, u64)> {
        let Walk { slot_id, list_index, .. } = self.walk;
        if list_index == NONE {
            return None;
        }
        self.count_step();
        if let Some(entries) = self.chunks.topped_by(list_index) {
            arena.touch(entries);
        }
        let index = self.chunks.entry(list_index);
        Some((slot_id, index, arena.deadline(index)))
    }

    /// Goes past an entry, which stays where it is with this deadline.
    #[inline]
    pub(super) fn pass(&mut self, deadline: u64) {
        self.walk.passed = self.walk.passed.min(deadline);
        self.go_on(self.chunks.below(self.walk.list_index));
    }

    /// Takes the entry that the walk has come to out of its slot, and goes on to the next.
    #[inline(always)]
    pub(super) fn unlink_walked<T>(&mut self, arena: &mut Arena<T, M>) {
        let list_index = self.walk.list_index;
        self.walk.list_index = self.chunks.below(list_index);
        self.unlink_at(arena, list_index);
        if self.walk.list_index == NONE {
            self.go_on(NONE);
        }
    }

    /// Moves the walk on. At its end, all that is left in the slot was passed or is new.
    #[inline]
    fn go_on(&mut self, list_index: u32) {
        self.walk.list_index = list_index;
        if list_index == NONE && self.walk.slot_id != SlotId::NONE {
            let Walk { slot_id, passed, .. } = core::mem::replace(&mut self.walk, Walk::NONE);
            // Of no use if the slot is empty now, and no harm.
            self.levels[slot_id.level()].minima[slot_id.slot()] = passed;
        }
    }

    /// Puts an entry that is in no slot into the one where it belongs with its deadline.
    #[inline(always)]
    pub(super) fn link<T>(&mut self, arena: &mut Arena<T, M>, index: u32, elapsed: u64) {
        let entry = arena.at_mut(index);
        entry.list_index = self.place(index, entry.deadline, elapsed);
    }

    /// Puts an entry with this index on the list of the slot where it belongs with this deadline.
    /// Returns its list index, for the entry to note.
    #[inline(always)]
    pub(super) fn place(&mut self, index: u32, deadline: u64, elapsed: u64) -> u32 {
        self.count_step();
        let slot_id = SlotId::of(deadline, elapsed);
        let level = &mut self.levels[slot_id.level()];
        let minimum = &mut level.minima[slot_id.slot()];
        let top = level.tops[slot_id.slot()];
        if top == NONE {
            *minimum = deadline;
            level.set_occupied(slot_id.slot());
            self.occupied |= 1 << slot_id.level();
        } else {
            *minimum = (*minimum).min(deadline);
        }
        if slot_id == self.walk.slot_id {
            self.walk.passed = self.walk.passed.min(deadline);
        }
        let list_index = self.chunks.push(slot_id, top, index);
        level.tops[slot_id.slot()] = list_index;
        list_index
    }

    /// Takes an entry out of its slot; an idle one stays as it is.
    #[inline]
    pub(super) fn unlink<T>(&mut self, arena: &mut Arena<T, M>, index: u32) {
        let list_index = arena.at(index).list_index;
        if list_index != NONE {
            arena.at_mut(index).list_index = NONE;
            self.unlink_at(arena, list_index);
        }
    }

    /// Takes the entry at a list index out of its slot; the entry itself does not note it.
    pub(super) fn unlink_at<T>(&mut self, arena: &mut Arena<T, M>, list_index: u32) {
        let slot_id = self.chunks.slot_id(list_index);
        let top = self.top(slot_id);
        if list_index != top {
            let last = self.chunks.entry(top);
            self.chunks.set(list_index, last);
            arena.at_mut(last).list_index = list_index;
        }
        self.pop(slot_id, top);
    }

    /// Takes the topmost entry of a slot off its list.
    #[inline(always)]
    fn pop(&mut self, slot_id: SlotId, top: u32) {
        let below = self.chunks.pop(top);
        self.set_top(slot_id, below);
        if top == self.walk.list_index {
            self.go_on(below);
        }
    }

    /// Takes the only entry of a slot off its list, if it is due at the slot's minimum, and
    /// returns its index; the entry itself does not note it.
    ///
    /// When that minimum is the earliest, so is the entry, and can expire from any
    /// level without a cascade. In a thin population most entries are like that.
    #[inline(never)]
    pub(super) fn take_lone<T>(
        &mut self,
        arena: &Arena<T, M>,
        slot_id: SlotId,
        minimum: u64,
    ) -> Option<u32> {
        let top = self.top(slot_id);
        let index = self.chunks.lone_entry(top)?;
        if arena.deadline(index) != minimum {
            return None;
        }
        self.pop(slot_id, top);
        Some(index)
    }

    /// Takes the last few entries of a slot of a higher level off its list, a whole chunk. Returns
    /// it, and how many entries there are in it. The entries themselves do not note it: the caller
    /// links them again.
    #[inline]
    pub(super) fn take_chunk(&mut self, slot_id: SlotId) -> Option<(Chunk, usize)> {
        let top = self.top(slot_id);
        if top == NONE {
            return None;
        }
        let (chunk, count, below) = self.chunks.pop_chunk(top);
        self.set_top(slot_id, below);
        Some((chunk, count))
    }

    /// Takes the last few entries of a slot of level 0 off its list, of one chunk and at most so many.
    /// Returns the chunk and which of its entries they are, which do not note it. A walk over the slot
    /// ends.
    #[inline]
    pub(super) fn take_topmost(
        &mut self,
        slot_id: SlotId,
        most: usize,
    ) -> Option<(Chunk, Range<usize>)> {
        if self.walk.slot_id == slot_id {
            // As in `walk`, of the minimum.
            self.walk = Walk::NONE;
        }
        let top = self.top(slot_id);
        if top == NONE || most == 0 {
            return None;
        }
        let (chunk, taken, below) = self.chunks.pop_topmost(top, most);
        self.set_top(slot_id, below);
        Some((chunk, taken))
    }

    /// Returns the next slot of each level above the lowest, if it is dense: more than a chunk of
    /// entries, which would take long to cascade at once.
    #[inline]
    pub(super) fn dense_ahead(&self, elapsed: u64) -> impl Iterator<Item = SlotId> + use<M> {
        let mut dense = [None; LEVELS];
        let mut left = self.occupied & !1;
        while left != 0 {
            let level = left.trailing_zeros() as usize;
            left &= left - 1;
            let slot_id = SlotId::next(level, elapsed);
            let is_occupied = self.levels[level].is_occupied(slot_id.slot());
            if is_occupied && self.chunks.has_more(self.top(slot_id)) {
                dense[level] = Some(slot_id);
            }
        }
        dense.into_iter().flatten()
    }

    /// Notes a slot's last entry after one was taken off.
    #[inline]
    fn set_top(&mut self, slot_id: SlotId, top: u32) {
        let level = &mut self.levels[slot_id.level()];
        level.tops[slot_id.slot()] = top;
        if top == NONE && !level.set_empty(slot_id.slot()) {
            self.occupied &= !(1 << slot_id.level());
        }
    }

    /// Empties all slots. The entries do not note it.
    pub(super) fn clear(&mut self) {
        self.occupied = 0;
        for level in self.levels.iter_mut() {
            level.occupied = [0; 2];
            level.tops = [NONE; SLOTS];
        }
        self.walk = Walk::NONE;
        self.chunks.clear();
    }

    /// Moves all lists into as few chunks as they need and gives back the others.
    pub(super) fn shrink_to_fit<T>(&mut self, arena: &mut Arena<T, M>) {
        // It turns the lists round: whatever is walked over next is walked over from the top.
        self.walk = Walk::NONE;
        let empty = self.chunks.empty_like();
        let former = core::mem::replace(&mut self.chunks, empty);
        for (number, level) in self.levels.iter_mut().enumerate() {
            for (slot, top) in level.tops.iter_mut().enumerate() {
                let slot_id = SlotId::new(number, slot);
                let mut list_index = core::mem::replace(top, NONE);
                while list_index != NONE {
                    let index = former.entry(list_index);
                    *top = self.chunks.push(slot_id, *top, index);
                    arena.at_mut(index).list_index = *top;
                    list_index = former.below(list_index);
                }
            }
        }
    }

    /// Chunks for which there is memory.
    #[cfg(test)]
    pub(super) fn chunks(&self) -> usize {
        self.chunks.capacity()
    }

    /// Blocks of chunks that have memory.
    #[cfg(test)]
    pub(super) fn blocks(&self) -> usize {
        self.chunks.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_this_revolution_come_first() {
        let mut level = Level { occupied: [0; 2], tops: [NONE; SLOTS], minima: [0; SLOTS] };
        level.set_occupied(3);
        level.set_occupied(REVOLUTION + 60);
        assert_eq!((level.first(false), level.first(true)), (3, REVOLUTION + 60));
        assert!(level.set_empty(3));
        assert_eq!((level.first(false), level.first(true)), (REVOLUTION + 60, REVOLUTION + 60));
        assert!(!level.set_empty(REVOLUTION + 60));
    }
}
