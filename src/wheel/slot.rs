//! The arithmetic of slots: which slot a deadline belongs to. Integers only.

/// The width of a level-0 slot, as a power of two: 2^16 ns. Within it, entries come out in no
/// particular order, and a slot that is partly due is looked through once for each wake-up in
/// it. `docs/tried.md` has the measurements that chose it.
pub(super) const SLOT_WIDTH_BITS: u32 = 16;

/// How many slots are as wide as one of the next level, as a power of two: a revolution of the
/// level.
const REVOLUTION_BITS: u32 = 6;
pub(super) const REVOLUTION: usize = 1 << REVOLUTION_BITS;

/// The slots of a level: a revolution for the next level's slot of the elapsed time, and one for
/// the slot after that. So what comes after a boundary of the next level can be pre-cascaded before
/// the boundary is reached.
pub(super) const SLOTS: usize = 2 * REVOLUTION;

/// As many as it takes to cover 64 bits of time.
pub(super) const LEVELS: usize = ((u64::BITS - SLOT_WIDTH_BITS) / REVOLUTION_BITS) as usize;

/// The address of a slot: a level and a slot of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotId(u16);

impl SlotId {
    /// No slot.
    pub(super) const NONE: SlotId = SlotId(u16::MAX);

    #[inline(always)]
    pub(super) fn level(self) -> usize {
        usize::from(self.0) / SLOTS
    }

    #[inline(always)]
    pub(super) fn slot(self) -> usize {
        usize::from(self.0) % SLOTS
    }

    #[inline(always)]
    pub(super) fn new(level: usize, slot: usize) -> SlotId {
        SlotId((level * SLOTS + slot) as u16)
    }

    /// Returns the slot that a deadline belongs to: on the lowest level where it lies in the
    /// revolution of the elapsed time or in the next one, the slot that its bits there name. What
    /// is overdue waits in the slot of the elapsed time.
    #[inline(always)]
    pub(super) fn of(deadline: u64, elapsed: u64) -> SlotId {
        let time = deadline.max(elapsed);
        let ahead = (time - elapsed) >> SLOT_WIDTH_BITS;
        // Less than a revolution of this level ahead: within two. On the level below it is more
        // than a revolution ahead, and may still be within two.
        let mut level = ahead.checked_ilog2().unwrap_or(0) / REVOLUTION_BITS;
        if level > 0 && revolutions(time, level - 1) - revolutions(elapsed, level - 1) <= 1 {
            level -= 1;
        }
        let slot = time >> (SLOT_WIDTH_BITS + level * REVOLUTION_BITS);
        SlotId::new(level as usize, slot as usize % SLOTS)
    }

    /// Returns the slot of a level that comes after that of the elapsed time.
    #[inline(always)]
    pub(super) fn next(level: usize, elapsed: u64) -> SlotId {
        let slot = elapsed >> (SLOT_WIDTH_BITS + level as u32 * REVOLUTION_BITS);
        SlotId::new(level, (slot as usize + 1) % SLOTS)
    }
}

/// Returns how many revolutions of a level a time is from zero. All of time is one revolution of
/// the highest.
#[inline(always)]
pub(super) fn revolutions(time: u64, level: u32) -> u64 {
    // In two steps, since all bits at once cannot be shifted out.
    (time >> (SLOT_WIDTH_BITS + REVOLUTION_BITS)) >> (level * REVOLUTION_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_cover_all_of_u64() {
        assert_eq!(SLOT_WIDTH_BITS + LEVELS as u32 * REVOLUTION_BITS, u64::BITS);
        assert_eq!(SlotId::of(u64::MAX, 0), SlotId::new(LEVELS - 1, REVOLUTION - 1));
    }

    #[test]
    fn deadline_waits_on_the_lowest_fitting_level() {
        assert_eq!(SlotId::of(0, 0), SlotId::new(0, 0));
        assert_eq!(SlotId::of(1 << SLOT_WIDTH_BITS, 0), SlotId::new(0, 1));
        assert_eq!(SlotId::of((128 << SLOT_WIDTH_BITS) - 1, 0), SlotId::new(0, 127));
        assert_eq!(SlotId::of(128 << SLOT_WIDTH_BITS, 0), SlotId::new(1, 2));
        assert_eq!(SlotId::of(128 << SLOT_WIDTH_BITS, 63 << SLOT_WIDTH_BITS), SlotId::new(1, 2));
        assert_eq!(SlotId::of(128 << SLOT_WIDTH_BITS, 64 << SLOT_WIDTH_BITS), SlotId::new(0, 0));
        assert_eq!(
            SlotId::of((192 << SLOT_WIDTH_BITS) - 1, 64 << SLOT_WIDTH_BITS),
            SlotId::new(0, 63)
        );
        assert_eq!(SlotId::of(192 << SLOT_WIDTH_BITS, 64 << SLOT_WIDTH_BITS), SlotId::new(1, 3));
    }

    #[test]
    fn overdue_entry_waits_in_the_elapsed_slot() {
        assert_eq!(
            SlotId::of(0, 5 << SLOT_WIDTH_BITS),
            SlotId::of(5 << SLOT_WIDTH_BITS, 5 << SLOT_WIDTH_BITS)
        );
    }

    /// By the definition, on all edges: some level fits, and none below it does.
    #[test]
    fn slot_ids_agree_with_their_definition() {
        let edges = (0..u64::BITS).flat_map(|bit| {
            let edge = 1_u64 << bit;
            [edge - 1, edge, edge + 1, edge + (edge >> 1), u64::MAX - edge]
        });
        let edges: Vec<u64> = edges.collect();
        for &elapsed in &edges {
            for &deadline in edges.iter().filter(|deadline| **deadline >= elapsed) {
                let fits =
                    |level: &u32| revolutions(deadline, *level) - revolutions(elapsed, *level) <= 1;
                let level = (0..LEVELS as u32).find(fits).unwrap();
                let slot =
                    (deadline >> (SLOT_WIDTH_BITS + level * REVOLUTION_BITS)) as usize % SLOTS;
                let expected = SlotId::new(level as usize, slot);
                assert_eq!(SlotId::of(deadline, elapsed), expected, "{deadline} from {elapsed}");
            }
        }
    }
}
