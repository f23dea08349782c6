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

/// For keys that are counted up by this crate, which nobody can choose so that they collide.
pub(super) type CountedKeys = BuildHasherDefault<Multiplied>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Multiplied(u64);

impl Hasher for Multiplied {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are usize");
    }

    fn write_usize(&mut self, key: usize) {
        // Odd, so that neighbours differ in the low bits, which choose the place; and of many
        // ones, so that they differ in the high bits as well, which are compared first.
        self.0 = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_shrinks_while_some_entries_are_left() {
        let mut table: HashMap<usize, (), CountedKeys> = HashMap::default();
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
}
