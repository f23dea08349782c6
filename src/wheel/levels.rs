//! The slots: which entries wait where. Arithmetic and lists only; nothing here knows of
//! values or of being due.

use super::arena::Arena;
use super::chunks::{Chunk, Chunks, NONE};
use super::memory::Memory;

/// The width of a level-0 slot, as a power of two: 2^16 ns. Within it, entries come out in no
/// particular order, and a slot that is partly due is looked through once for each wake-up in
/// it. `docs/tried.md` has the measurements that chose it.
pub(super) const GRAIN: u32 = 16;

/// How many slots are as wide as one of the next level, as a power of two: a turn of the level.
const TURN_BITS: u32 = 6;
const TURN: usize = 1 << TURN_BITS;

/// The slots of a level: a turn for the next level's slot in which the position is, and one for
/// the slot after that. So what comes after a boundary of the next level can be moved down
/// before the boundary is reached.
const SLOTS: usize = 2 * TURN;

/// As many as it takes to cover 64 bits of time.
pub(super) const LEVELS: usize = ((u64::BITS - GRAIN) / TURN_BITS) as usize;

/// Where an entry waits: a level and a slot of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u16);

impl Place {
    #[inline]
    pub(super) fn level(self) -> usize {
        usize::from(self.0) / SLOTS
    }

    #[inline]
    fn slot(self) -> usize {
        usize::from(self.0) % SLOTS
    }

    #[inline]
    fn new(level: usize, slot: usize) -> Place {
        Place((level * SLOTS + slot) as u16)
    }

    /// Where a deadline belongs when the wheel's position is `elapsed`: on the lowest level where
    /// it lies in the turn of the position or in the next one, in the slot that its bits there
    /// name. What is overdue waits where the position is.
    #[inline]
    pub(super) fn of(deadline: u64, elapsed: u64) -> Place {
        let time = deadline.max(elapsed);
        let ahead = (time - elapsed) >> GRAIN;
        // Less than a turn of this level ahead: within two. On the level below it is more than a
        // turn ahead, and may still be within two.
        let mut level = ahead.checked_ilog2().unwrap_or(0) / TURN_BITS;
        if level > 0 && turns(time, level - 1) - turns(elapsed, level - 1) <= 1 {
            level -= 1;
        }
        let slot = time >> (GRAIN + level * TURN_BITS);
        Place::new(level as usize, slot as usize % SLOTS)
    }

    /// The slot of a level that comes after the one in which the position is.
    #[inline]
    fn next(level: usize, elapsed: u64) -> Place {
        let slot = elapsed >> (GRAIN + level as u32 * TURN_BITS);
        Place::new(level, (slot as usize + 1) % SLOTS)
    }
}

/// How many turns of a level a time is from zero. All of time is one turn of the highest.
#[inline]
fn turns(time: u64, level: u32) -> u64 {
    // In two steps, since all bits at once cannot be shifted out.
    (time >> (GRAIN + TURN_BITS)) >> (level * TURN_BITS)
}

/// One level of slots.
#[derive(Debug)]
struct Level {
    /// For each of the two turns, a bit for each slot that has entries.
    occupied: [u64; 2],
    /// The top of each slot's list, `NONE` if it is empty.
    tops: [u32; SLOTS],
    /// A lower bound of the deadlines in each slot. Meaningless for an empty one.
    minima: [u64; SLOTS],
}

impl Level {
    /// The first slot with entries, if the position is in an even turn or else an odd one: slots
    /// of that turn come before those of the other.
    #[inline]
    fn first(&self, odd: bool) -> usize {
        let turn = usize::from(odd);
        let (turn, slots) = match self.occupied[turn] {
            0 => (1 - turn, self.occupied[1 - turn]),
            slots => (turn, slots),
        };
        turn * TURN + slots.trailing_zeros() as usize
    }

    #[inline]
    fn is_occupied(&self, slot: usize) -> bool {
        self.occupied[slot / TURN] >> (slot % TURN) & 1 != 0
    }

    #[inline]
    fn set_occupied(&mut self, slot: usize) {
        self.occupied[slot / TURN] |= 1 << (slot % TURN);
    }

    /// Whether any slot has entries still.
    #[inline]
    fn set_empty(&mut self, slot: usize) -> bool {
        self.occupied[slot / TURN] &= !(1 << (slot % TURN));
        self.occupied != [0; 2]
    }
}

/// A walk over a slot of level 0, which may stop on its way from the top down and go on later.
#[derive(Debug)]
struct Walk {
    /// The slot, `NOWHERE` if there is no walk.
    place: Place,
    /// Where it goes on; `NONE` if there is no walk. What waits there and below has not been
    /// looked at, or has come here since, into the place of something removed.
    position: u32,
    /// A lower bound of the deadlines above: of what was passed, and of what came since.
    passed: u64,
}

impl Walk {
    const NONE: Walk = Walk { place: NOWHERE, position: NONE, passed: u64::MAX };
}

/// No slot.
const NOWHERE: Place = Place(u16::MAX);

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
    pub(super) steps: std::cell::Cell<usize>,
}

impl<M: Memory> Levels<M> {
    pub(super) fn new() -> Levels<M> {
        let empty = || Level { occupied: [0; 2], tops: [NONE; SLOTS], minima: [u64::MAX; SLOTS] };
        Levels {
            occupied: 0,
            levels: Box::new(std::array::from_fn(|_| empty())),
            chunks: Chunks::new(),
            walk: Walk::NONE,
            #[cfg(test)]
            steps: std::cell::Cell::new(0),
        }
    }

    /// See [`Blocks::giving_back`](super::blocks::Blocks::giving_back).
    pub(super) fn giving_back(self) -> Levels<M> {
        Levels { chunks: self.chunks.giving_back(), ..self }
    }

    /// The slot with the lowest minimum, and that minimum, when the position is `elapsed`.
    ///
    /// On each level the first occupied slot has the level's lowest, since slots of a level
    /// follow one another in time: from the position's to the end of its turn, then those of the
    /// next turn. Between levels nothing is known, because the position's own slot on a higher
    /// level may still hold entries: so it takes the lowest of the eight.
    #[inline]
    pub(super) fn earliest(&self, elapsed: u64) -> Option<(Place, u64)> {
        let mut left = self.occupied;
        let mut next = || {
            let level = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            let slot = self.levels.get(level)?.first(turns(elapsed, level as u32) % 2 != 0);
            Some((Place::new(level, slot), self.levels[level].minima[slot]))
        };
        let mut earliest = next()?;
        while let Some((place, minimum)) = next() {
            // On a tie the lower level first: it needs no move to be handed out.
            if minimum < earliest.1 {
                earliest = (place, minimum);
            }
        }
        Some(earliest)
    }

    /// The position of a slot's last entry, `NONE` if it has none.
    #[inline]
    fn top(&self, place: Place) -> u32 {
        self.levels[place.level()].tops[place.slot()]
    }

    /// When the entry at a position is due.
    #[inline]
    pub(super) fn deadline(&self, position: u32) -> u64 {
        self.count_step();
        self.chunks.deadline(position)
    }

    #[inline]
    fn count_step(&self) {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
    }

    /// Moves the deadline of the entry at a position later, but leaves the entry where it is.
    #[inline]
    pub(super) fn postpone(&mut self, position: u32, deadline: u64) {
        self.chunks.set_deadline(position, deadline);
    }

    /// Whether the entry at a position is the only one of its slot.
    #[inline]
    pub(super) fn is_alone(&self, position: u32) -> bool {
        self.chunks.below(position) == NONE && self.top(self.chunks.place(position)) == position
    }

    /// Begins to walk over a slot of level 0 from the top, or goes on where a walk over it has
    /// stopped.
    #[inline]
    pub(super) fn walk(&mut self, place: Place) {
        if self.walk.place != place {
            // The minimum of another slot is good still: it is that of before the walk, or less.
            self.walk = Walk { place, position: self.top(place), ..Walk::NONE };
        }
    }

    /// The slot that is walked over, the entry that the walk has come to, and its deadline; `None`
    /// at the end.
    #[inline]
    pub(super) fn walked_to(&self) -> Option<(Place, u32, u64)> {
        let Walk { place, position, .. } = self.walk;
        if position == NONE {
            return None;
        }
        self.count_step();
        let (index, deadline) = self.chunks.entry(position);
        Some((place, index, deadline))
    }

    /// Goes past an entry, which stays where it is with this deadline.
    #[inline]
    pub(super) fn pass(&mut self, deadline: u64) {
        self.walk.passed = self.walk.passed.min(deadline);
        self.go_on(self.chunks.below(self.walk.position));
    }

    /// Takes the entry that the walk has come to out of its slot, and goes on to the next.
    #[inline(always)]
    pub(super) fn unlink_walked<T>(&mut self, arena: &mut Arena<T, M>) {
        let position = self.walk.position;
        self.walk.position = self.chunks.below(position);
        self.unlink_at(arena, position);
        if self.walk.position == NONE {
            self.go_on(NONE);
        }
    }

    /// Moves the walk on. At its end, all that is left in the slot was passed or is new.
    #[inline]
    fn go_on(&mut self, position: u32) {
        self.walk.position = position;
        if position == NONE && self.walk.place != NOWHERE {
            let Walk { place, passed, .. } = std::mem::replace(&mut self.walk, Walk::NONE);
            // Of no use if the slot is empty now, and no harm.
            self.levels[place.level()].minima[place.slot()] = passed;
        }
    }

    /// Puts an entry that is in no slot into the one where it belongs.
    #[inline(always)]
    pub(super) fn link<T>(
        &mut self,
        arena: &mut Arena<T, M>,
        index: u32,
        deadline: u64,
        elapsed: u64,
    ) {
        self.count_step();
        let place = Place::of(deadline, elapsed);
        let level = &mut self.levels[place.level()];
        let minimum = &mut level.minima[place.slot()];
        let top = level.tops[place.slot()];
        if top == NONE {
            *minimum = deadline;
            level.set_occupied(place.slot());
            self.occupied |= 1 << place.level();
        } else {
            *minimum = (*minimum).min(deadline);
        }
        if place == self.walk.place {
            self.walk.passed = self.walk.passed.min(deadline);
        }
        let position = self.chunks.push(place, top, index, deadline);
        level.tops[place.slot()] = position;
        arena.at_mut(index).position = position;
    }

    /// Takes an entry out of its slot; an idle one stays as it is.
    #[inline]
    pub(super) fn unlink<T>(&mut self, arena: &mut Arena<T, M>, index: u32) {
        let position = arena.at(index).position;
        if position != NONE {
            arena.at_mut(index).position = NONE;
            self.unlink_at(arena, position);
        }
    }

    /// Takes the entry at a position out of its slot; the entry itself is not told.
    pub(super) fn unlink_at<T>(&mut self, arena: &mut Arena<T, M>, position: u32) {
        let place = self.chunks.place(position);
        let top = self.top(place);
        if position != top {
            let (last, deadline) = self.chunks.entry(top);
            self.chunks.set(position, last, deadline);
            arena.at_mut(last).position = position;
        }
        self.pop(place, top);
    }

    /// Takes the topmost entry of a slot off its list.
    #[inline]
    fn pop(&mut self, place: Place, top: u32) {
        let below = self.chunks.pop(top);
        self.set_top(place, below);
        if top == self.walk.position {
            self.go_on(below);
        }
    }

    /// Takes the only entry of a slot off its list, if it is due at the slot's minimum, and
    /// returns its index; the entry itself is not told.
    ///
    /// When that minimum is the earliest, so is the entry, and can be handed out from any
    /// level without being moved down first. In a thin population most entries are like that.
    #[inline]
    pub(super) fn take_lone(&mut self, place: Place, minimum: u64) -> Option<u32> {
        let top = self.top(place);
        let (index, deadline) = self.chunks.lone_entry(top)?;
        if deadline != minimum {
            return None;
        }
        self.pop(place, top);
        Some(index)
    }

    /// Takes the last few entries of a slot of a higher level off its list, a whole chunk: returns it, and how
    /// many entries there are in it. The entries themselves are not told: the caller links them
    /// again.
    #[inline]
    pub(super) fn take_chunk(&mut self, place: Place) -> Option<(Chunk, usize)> {
        let top = self.top(place);
        if top == NONE {
            return None;
        }
        let (chunk, count, below) = self.chunks.pop_chunk(top);
        self.set_top(place, below);
        Some((chunk, count))
    }

    /// The slots that the position comes to next on each level above the lowest, if so many wait
    /// there that to move them all at once would take long: more than a chunk.
    #[inline]
    pub(super) fn crowded_ahead(&self, elapsed: u64) -> impl Iterator<Item = Place> + use<M> {
        let mut crowded = [None; LEVELS];
        let mut left = self.occupied & !1;
        while left != 0 {
            let level = left.trailing_zeros() as usize;
            left &= left - 1;
            let place = Place::next(level, elapsed);
            let is_occupied = self.levels[level].is_occupied(place.slot());
            if is_occupied && self.chunks.has_more(self.top(place)) {
                crowded[level] = Some(place);
            }
        }
        crowded.into_iter().flatten()
    }

    /// Tells a slot what its last entry is after one was taken off.
    #[inline]
    fn set_top(&mut self, place: Place, top: u32) {
        let level = &mut self.levels[place.level()];
        level.tops[place.slot()] = top;
        if top == NONE && !level.set_empty(place.slot()) {
            self.occupied &= !(1 << place.level());
        }
    }

    /// Moves all lists into as few chunks as they need and gives back the others.
    pub(super) fn shrink_to_fit<T>(&mut self, arena: &mut Arena<T, M>) {
        // It turns the lists round: whatever is walked over next is walked over from the top.
        self.walk = Walk::NONE;
        let empty = self.chunks.empty_like();
        let former = std::mem::replace(&mut self.chunks, empty);
        for (number, level) in self.levels.iter_mut().enumerate() {
            for (slot, top) in level.tops.iter_mut().enumerate() {
                let place = Place::new(number, slot);
                let mut position = std::mem::replace(top, NONE);
                while position != NONE {
                    let (index, deadline) = former.entry(position);
                    *top = self.chunks.push(place, *top, index, deadline);
                    arena.at_mut(index).position = *top;
                    position = former.below(position);
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
    fn levels_cover_all_of_u64() {
        assert_eq!(GRAIN + LEVELS as u32 * TURN_BITS, u64::BITS);
        assert_eq!(Place::of(u64::MAX, 0), Place::new(LEVELS - 1, TURN - 1));
    }

    #[test]
    fn place_is_the_lowest_level_where_it_is_this_turn_or_the_next() {
        assert_eq!(Place::of(0, 0), Place::new(0, 0));
        assert_eq!(Place::of(1 << GRAIN, 0), Place::new(0, 1));
        assert_eq!(Place::of((128 << GRAIN) - 1, 0), Place::new(0, 127));
        assert_eq!(Place::of(128 << GRAIN, 0), Place::new(1, 2));
        assert_eq!(Place::of(128 << GRAIN, 63 << GRAIN), Place::new(1, 2));
        assert_eq!(Place::of(128 << GRAIN, 64 << GRAIN), Place::new(0, 0));
        assert_eq!(Place::of((192 << GRAIN) - 1, 64 << GRAIN), Place::new(0, 63));
        assert_eq!(Place::of(192 << GRAIN, 64 << GRAIN), Place::new(1, 3));
    }

    #[test]
    fn what_is_overdue_waits_at_the_position() {
        assert_eq!(Place::of(0, 5 << GRAIN), Place::of(5 << GRAIN, 5 << GRAIN));
    }

    /// By the definition, on all edges: some level fits, and none below it does.
    #[test]
    fn places_agree_with_their_definition_around_all_powers_of_the_turn() {
        let edges = (0..u64::BITS).flat_map(|bit| {
            let edge = 1_u64 << bit;
            [edge - 1, edge, edge + 1, edge + (edge >> 1), u64::MAX - edge]
        });
        let edges: Vec<u64> = edges.collect();
        for &elapsed in &edges {
            for &deadline in edges.iter().filter(|deadline| **deadline >= elapsed) {
                let fits = |level: &u32| turns(deadline, *level) - turns(elapsed, *level) <= 1;
                let level = (0..LEVELS as u32).find(fits).unwrap();
                let slot = (deadline >> (GRAIN + level * TURN_BITS)) as usize % SLOTS;
                let expected = Place::new(level as usize, slot);
                assert_eq!(Place::of(deadline, elapsed), expected, "{deadline} from {elapsed}");
            }
        }
    }

    #[test]
    fn slots_of_the_positions_turn_come_before_those_of_the_next() {
        let mut level = Level { occupied: [0; 2], tops: [NONE; SLOTS], minima: [0; SLOTS] };
        level.set_occupied(3);
        level.set_occupied(TURN + 60);
        assert_eq!((level.first(false), level.first(true)), (3, TURN + 60));
        assert!(level.set_empty(3));
        assert_eq!((level.first(false), level.first(true)), (TURN + 60, TURN + 60));
        assert!(!level.set_empty(TURN + 60));
    }
}
