//! Expiry: due entries out of the wheel, and others cascaded to finer levels.

use core::ops::Range;

use super::Wheel;
use super::chunks::{CHUNK, Chunk};
use super::counts::count;
use super::key::Key;
use super::memory::{Heap, Memory};
use super::slot::{SLOT_WIDTH_BITS, SlotId};

/// How many entries may be moved or passed for each one that may expire, if that is few.
const MOVES_PER_EXPIRY: usize = 16;

/// As many may be where it is more: it bounds the time that one call takes when a whole population
/// is in one slot.
const MOVES: usize = 1024;

/// And for each one that may expire if those are many: a steady flow needs about as much.
const MOVES_PER_EXPIRY_OF_MANY: usize = 2;

/// Returns how many entries a call may move or pass that may expire so many.
pub(super) const fn most_moves(budget: usize) -> usize {
    if budget <= MOVES / MOVES_PER_EXPIRY {
        budget * MOVES_PER_EXPIRY
    } else if budget <= MOVES / MOVES_PER_EXPIRY_OF_MANY {
        MOVES
    } else {
        budget.saturating_mul(MOVES_PER_EXPIRY_OF_MANY)
    }
}

/// After how many expired entries others are pre-cascaded. A thin population, which has nothing
/// to pre-cascade, hardly pays for being looked at.
const PRE_CASCADE_EVERY: usize = 64;

/// What a call of [`Wheel::expire`] or [`Wheel::fire`] did.
///
/// # Examples
///
/// ```
/// let mut wheel = async_wheel::wheel::Wheel::new();
/// (0..3).for_each(|deadline| drop(wheel.insert(deadline, ())));
/// // With a budget of two, one is left.
/// let progress = wheel.expire(10, 2, |_, _, ()| ());
/// assert_eq!((progress.expired, progress.more), (2, true));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "when `more` is set, entries that are due are still in the wheel"]
pub struct Progress {
    /// How many entries expired.
    pub expired: usize,
    /// Whether it stopped because of the budget, so that there may be more that are due.
    pub more: bool,
}

impl<T, M: Memory> Wheel<T, M> {
    /// Takes out the entries that are due at `now` (deadline at or before it) and passes each
    /// to `f`, with its key, by then stale, and its deadline.
    ///
    /// At most `budget` entries expire. At most 16 times as many are moved to another slot or, in a
    /// slot that is due in part, found not to be due yet, but no more than 1,024 or twice the
    /// budget, whichever is more; and 13 from each slot in addition, since they are moved by the
    /// chunk. If there may be more to do, [`Progress::more`] says so and the next
    /// call goes on where this one has stopped. The order is by deadline, up to the width of a
    /// level-0 slot (65.5 µs): entries come out in the order of `deadline >> 16`, and those that
    /// are equal in that, in no particular order. What was overdue when it was scheduled comes as
    /// if it were due then.
    ///
    /// A `now` before that of an earlier call is no error: what is due by it comes out.
    ///
    /// Costs a look at one slot a level when nothing is due; otherwise a constant for each
    /// entry that expires or is moved. If `f` panics, the entry it was given is lost and the rest
    /// stay in the wheel, which remains good.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// wheel.insert(10, 'a');
    /// wheel.insert(20, 'b');
    /// let mut out = Vec::new();
    /// let done = wheel.expire(15, 100, |_, deadline, value| out.push((deadline, value)));
    /// assert_eq!(out, [(10, 'a')]);
    /// assert_eq!(done.expired, 1);
    /// assert!(!done.more);
    /// ```
    pub fn expire(&mut self, now: u64, budget: usize, mut f: impl FnMut(Key, u64, T)) -> Progress {
        self.expire_each(now, budget, |wheel, index, deadline| {
            if let (key, Some(value)) = wheel.arena.remove(index) {
                f(key, deadline, value);
            }
        })
    }

    /// Like [`expire`](Wheel::expire), but leaves the entries in the wheel, idle, and passes
    /// references to their values to `f`: for periodic work, or when the key is to stay good until
    /// its owner removes it.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 0);
    /// let done = wheel.fire(15, 100, |_, _, fired| *fired += 1);
    /// assert_eq!(done.expired, 1);
    /// assert_eq!(wheel.get(key), Some(&1));
    /// wheel.reschedule(key, 20);
    /// assert_eq!(wheel.next_deadline(), Some(20));
    /// ```
    pub fn fire(
        &mut self,
        now: u64,
        budget: usize,
        mut f: impl FnMut(Key, u64, &mut T),
    ) -> Progress {
        self.expire_each(now, budget, |wheel, index, deadline| {
            if let (key, Some(value)) = wheel.arena.unscheduled(index) {
                f(key, deadline, value);
            }
        })
    }

    /// Takes out the entries that are due at `now`, one for each step of the iterator. What was not
    /// taken when the iterator is dropped stays in the wheel, due.
    ///
    /// The order is that of [`expire`](Wheel::expire), and so is the cost.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// wheel.insert(20, 'b');
    /// assert_eq!(wheel.drain_expired(15).collect::<Vec<_>>(), [(key, 10, 'a')]);
    /// assert_eq!(wheel.len(), 1);
    /// ```
    pub fn drain_expired(&mut self, now: u64) -> DrainExpired<'_, T, M> {
        DrainExpired { wheel: self, now }
    }

    /// Takes out one entry that is due at `now`: its key, by then stale, its deadline and value.
    ///
    /// As [`expire`](Wheel::expire) with a budget of one, but it looks for the earliest slot once
    /// for each entry, not another time to say whether there is more. A slot that has to be
    /// cascaded is so in one go.
    pub(super) fn expire_next(&mut self, now: u64) -> Option<(Key, u64, T)> {
        let (index, deadline) = self.take_next(now)?;
        let (key, value) = self.arena.remove(index);
        self.not_pre_cascaded += 1;
        if self.not_pre_cascaded >= PRE_CASCADE_EVERY {
            self.pre_cascade(most_moves(PRE_CASCADE_EVERY));
        }
        Some((key, deadline, value?))
    }

    /// Takes one entry that is due at `now` out of its slot. Returns its index and its deadline.
    #[inline]
    fn take_next(&mut self, now: u64) -> Option<(u32, u64)> {
        let mut moves = usize::MAX;
        while let Some((slot_id, minimum)) = self.levels.earliest(self.elapsed) {
            if minimum > now {
                break;
            }
            // As in `expire_each`.
            self.elapsed = self.elapsed.max(minimum);
            if let Some(index) = self.levels.take_lone(&self.arena, slot_id, minimum) {
                return Some((index, minimum));
            }
            if slot_id.level() > 0 {
                self.cascade(slot_id, &mut moves);
                continue;
            }
            self.levels.walk(slot_id);
            if let Some(due) = self.next_due(now, 1, &mut moves) {
                return Some(due);
            }
        }
        self.elapsed = self.elapsed.max(now);
        None
    }

    /// Calls `f` with the index of each entry that is due, when it has just been taken out of its
    /// slot; `f` notes that in the entry.
    fn expire_each(
        &mut self,
        now: u64,
        budget: usize,
        mut f: impl FnMut(&mut Wheel<T, M>, u32, u64),
    ) -> Progress {
        let mut left = budget;
        let mut moves = most_moves(budget);
        let mut more = false;
        while let Some((slot_id, minimum)) = self.levels.earliest(self.elapsed) {
            if minimum > now {
                break;
            }
            if left == 0 || moves == 0 {
                more = true;
                break;
            }
            // Nothing is due before this slot's minimum, so that this much may have elapsed:
            // the slot's entries then belong to lower levels, whatever level this is.
            self.elapsed = self.elapsed.max(minimum);
            let lone =
                self.levels.take_lone(&self.arena, slot_id, minimum).map(|index| (index, minimum));
            if lone.is_none() {
                if slot_id.level() > 0 {
                    self.cascade(slot_id, &mut moves);
                    continue;
                }
                if self.is_over(slot_id, now) {
                    self.expire_chunk(slot_id, &mut left, &mut moves, &mut f);
                    continue;
                }
                self.levels.walk(slot_id);
            }
            loop {
                let due = if lone.is_some() { lone } else { self.next_due(now, left, &mut moves) };
                let Some((index, deadline)) = due else { break };
                left -= 1;
                count(&mut self.counts.expired);
                // By now every slot is in order, for this may panic.
                f(self, index, deadline);
                if lone.is_some() {
                    break;
                }
            }
        }
        if !more {
            self.elapsed = self.elapsed.max(now);
        }
        let expired = budget - left;
        self.not_pre_cascaded += expired;
        if self.not_pre_cascaded >= PRE_CASCADE_EVERY {
            self.pre_cascade(moves);
        }
        Progress { expired, more }
    }

    /// Returns `true` if all that belongs into a slot of level 0, that of the elapsed time, is due.
    #[inline]
    fn is_over(&self, slot_id: SlotId, now: u64) -> bool {
        SlotId::of(self.elapsed, self.elapsed) == slot_id && last_of_slot(self.elapsed) <= now
    }

    /// Expires the topmost few entries of a slot of level 0 that is over, of one chunk, and moves
    /// those of them that were postponed to where they belong.
    ///
    /// They are taken off the list together: the walk over a slot of which some is to stay takes
    /// three times as many instructions.
    #[inline(always)]
    fn expire_chunk(
        &mut self,
        slot_id: SlotId,
        left: &mut usize,
        moves: &mut usize,
        f: &mut impl FnMut(&mut Wheel<T, M>, u32, u64),
    ) {
        let last = last_of_slot(self.elapsed);
        let most = (*left).min(*moves);
        let Some((chunk, entries)) = self.levels.take_topmost(slot_id, most) else { return };
        if entries.len() == CHUNK {
            self.arena.touch(chunk.entries(CHUNK));
        }
        let mut taken = TakenOff { wheel: self, chunk, entries };
        while let Some(index) = taken.next() {
            let wheel = &mut *taken.wheel;
            wheel.levels.count_step();
            let deadline = wheel.arena.deadline(index);
            if deadline <= last {
                *left -= 1;
                count(&mut wheel.counts.expired);
                f(wheel, index, deadline);
            } else {
                *moves -= 1;
                count(&mut wheel.counts.moved);
                wheel.levels.link(&mut wheel.arena, index, wheel.elapsed);
            }
        }
    }

    /// Cascades some entries ahead of time, out of the next slot of each level: two for each one
    /// that has expired, so that a slot of a dense population is empty when half of the time until
    /// then has passed. Else all of it would be moved at once, while others are due.
    ///
    /// At most `left` in all: what is then still owed, a later call moves.
    fn pre_cascade(&mut self, mut left: usize) {
        let owed = self.not_pre_cascaded.saturating_mul(2);
        for slot_id in self.levels.dense_ahead(self.elapsed) {
            let may = owed.min(left);
            if may == 0 {
                return;
            }
            let mut moves = may;
            self.cascade(slot_id, &mut moves);
            left -= may - moves;
            self.not_pre_cascaded -= if left == 0 { (may - moves) / 2 } else { 0 };
        }
        if left > 0 {
            self.not_pre_cascaded = 0;
        }
    }

    /// Moves the entries of a slot of a higher level to where they belong now.
    ///
    /// They are taken off a chunk at a time: if `moves` runs out, the slot keeps the rest and
    /// its minimum, and the next call goes on with it.
    fn cascade(&mut self, slot_id: SlotId, moves: &mut usize) {
        let Wheel { arena, levels, elapsed, counts, .. } = self;
        let mut next = levels.take_chunk(slot_id);
        while let Some((chunk, count)) = next {
            *moves = moves.saturating_sub(count);
            counts.moved = counts.moved.wrapping_add(count as u64);
            // In a large population each chunk is a fetch from memory. Taking the next one
            // before these entries are moved lets that go on meanwhile.
            next = if *moves > 0 { levels.take_chunk(slot_id) } else { None };
            let entries = chunk.entries(count);
            if count == CHUNK {
                arena.touch(entries);
            }
            for &index in entries {
                levels.link(arena, index, *elapsed);
            }
        }
    }

    /// Takes the next entry that is due out of the slot of level 0 that is walked over, from the
    /// top down. What is not due stays, unless it was moved later and belongs elsewhere by now.
    ///
    /// What goes is replaced by the topmost entry, and that was looked at already. If `left` or
    /// `moves` runs out, the next walk over the slot goes on from there.
    #[inline(always)]
    fn next_due(&mut self, now: u64, left: usize, moves: &mut usize) -> Option<(u32, u64)> {
        while let Some((slot_id, index, deadline)) = self.levels.walked_to(&self.arena) {
            // Whether it belongs here comes before whether it is due: one that was moved later
            // may be due too, but only after what waits between here and where it belongs.
            let belongs = SlotId::of(deadline, self.elapsed) == slot_id;
            if belongs && deadline <= now {
                if left == 0 {
                    return None;
                }
                self.levels.unlink_walked(&mut self.arena);
                return Some((index, deadline));
            }
            if *moves == 0 {
                return None;
            }
            *moves -= 1;
            if belongs {
                self.levels.pass(deadline);
            } else {
                self.move_walked(index);
            }
        }
        None
    }

    /// Moves the entry that a walk has come to to where it belongs.
    #[inline(never)]
    fn move_walked(&mut self, index: u32) {
        count(&mut self.counts.moved);
        self.levels.unlink_walked(&mut self.arena);
        self.levels.link(&mut self.arena, index, self.elapsed);
    }
}

/// Returns the last moment of the level-0 slot that a time lies in.
#[inline(always)]
fn last_of_slot(time: u64) -> u64 {
    time | ((1 << SLOT_WIDTH_BITS) - 1)
}

/// Entries that were taken off a list and have not been looked at. Should a caller's function panic,
/// they go back.
struct TakenOff<'a, T, M: Memory> {
    wheel: &'a mut Wheel<T, M>,
    chunk: Chunk,
    entries: Range<usize>,
}

impl<T, M: Memory> TakenOff<'_, T, M> {
    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        self.entries.next().map(|number| self.chunk.entries(CHUNK)[number])
    }
}

impl<T, M: Memory> Drop for TakenOff<'_, T, M> {
    fn drop(&mut self) {
        while let Some(index) = self.next() {
            self.wheel.levels.link(&mut self.wheel.arena, index, self.wheel.elapsed);
        }
    }
}

/// Takes out what is due, one entry a step. Made by [`Wheel::drain_expired`].
#[derive(Debug)]
#[must_use = "entries are taken out by the steps of the iterator"]
pub struct DrainExpired<'a, T, M: Memory = Heap> {
    wheel: &'a mut Wheel<T, M>,
    now: u64,
}

impl<T, M: Memory> Iterator for DrainExpired<'_, T, M> {
    type Item = (Key, u64, T);

    fn next(&mut self) -> Option<Self::Item> {
        self.wheel.expire_next(self.now)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.wheel.len()))
    }
}

/// Nothing becomes due while it lives.
impl<T, M: Memory> core::iter::FusedIterator for DrainExpired<'_, T, M> {}
