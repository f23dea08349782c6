//! Tables that shrink again.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// What a table may keep in excess of what it needs.
const SPARE: usize = 64;

/// Gives a table's memory back once less than an eighth of it is in use. Half of what is left is
/// in use then at most, so that it takes as many insertions or removals as there are entries to
/// move it again: the cost is amortised.
pub(super) fn give_back<K: Hash + Eq, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if table.capacity() > 8 * table.len() + SPARE {
        table.shrink_to(2 * table.len());
    }
}

/// For keys that this crate counts up, and descriptors' numbers, of which the system gives the lowest
/// that is free: there is little to choose so that they collide.
pub(super) type Numbers = BuildHasherDefault<Multiplied>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Multiplied(u64);

impl Hasher for Multiplied {
    fn finish(&self) -> u64 {
        // The upper bits depend on all bits of the number. They choose the place, and those next
        // to them are compared first.
        self.0.rotate_left(26)
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are usize");
    }

    fn write_usize(&mut self, key: usize) {
        self.0 = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_shrinks_while_some_entries_are_left() {
        let mut table: HashMap<usize, (), Numbers> = HashMap::default();
        table.extend((0..100_000).map(|key| (key, ())));
        let (mut moved, mut before) = (0, table.capacity());
        for key in 0..99_999 {
            table.remove(&key);
            give_back(&mut table);
            if table.capacity() < before {
                moved += table.len();
            }
            before = table.capacity();
            assert!(before <= 8 * table.len() + SPARE);
        }
        assert!(table.contains_key(&99_999));
        assert!(moved <= 100_000, "{moved} entries moved by 100,000 removals");
    }

    /// Those that a peer can have left open, too.
    #[test]
    fn evenly_spaced_numbers_are_spread() {
        for step in (0..20).map(|shift| 1 << shift) {
            let hashes = (0..4096).map(|number: usize| {
                let mut hasher = Multiplied::default();
                hasher.write_usize(number * step);
                hasher.finish()
            });
            let mut places: HashMap<u64, usize> = HashMap::new();
            hashes.for_each(|hash| *places.entry(hash % 4096).or_default() += 1);
            let most = places.values().max().unwrap();
            assert!(*most <= 16, "{most} of 4,096 that are {step} apart in one place");
        }
    }
}
