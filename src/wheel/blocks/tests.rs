//! Blocks by themselves: what is given back, kept, and used up.

use super::super::memory::Heap;
use super::super::tests::fewer_under_miri;
use super::*;

/// An element that knows its generation.
struct Counted {
    next: u32,
    generation: u32,
}

impl Element for Counted {
    fn next_free(&self) -> u32 {
        self.next
    }

    fn set_next_free(&mut self, next: u32) {
        self.next = next;
    }

    fn generation(&self) -> u32 {
        self.generation
    }
}

type Table = Blocks<Counted, Heap, 64>;

fn take(blocks: &mut Table) -> (u32, u32) {
    let fresh = |generation| Counted { next: NONE, generation };
    let (index, element) = blocks.take(fresh);
    (index, element.generation)
}

/// Frees a slot, which has `left` generations left then.
fn free_with(blocks: &mut Table, index: u32, left: u32) {
    blocks.free(index, |element| {
        element.generation = left.wrapping_neg();
        ((), left > 0)
    });
}

fn free(blocks: &mut Table, index: u32) {
    blocks.free(index, |element| {
        element.generation += 1;
        ((), true)
    });
}

fn indices(blocks: &mut Table, count: usize) -> Vec<u32> {
    (0..count).map(|_| take(blocks).0).collect()
}

#[test]
fn each_element_has_a_slot_of_its_own() {
    let mut blocks = Table::new(1 << 20);
    let mut taken = indices(&mut blocks, 1_000);
    for index in taken.drain(200..700).collect::<Vec<_>>() {
        free(&mut blocks, index);
    }
    taken.extend(indices(&mut blocks, 800));
    assert!(blocks.capacity() >= taken.len());
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 1_300);
    assert!(taken.iter().all(|&index| blocks.get(index).is_some()));
}

/// Several are made at a time, and none is passed over.
#[test]
fn new_slots_are_taken_in_order() {
    let mut blocks = Table::new(1 << 20);
    assert_eq!(indices(&mut blocks, 150), (0..150).collect::<Vec<_>>());
}

#[test]
fn few_elements_take_a_small_block() {
    let mut blocks = Table::new(1 << 20);
    assert_eq!(blocks.capacity(), 0);
    take(&mut blocks);
    assert!(blocks.capacity() < 8);
}

#[test]
fn reserved_room_is_used_before_more_is_made() {
    for total in [1, 40, 64, 65, 128, 200] {
        let mut blocks = Table::new(1 << 20);
        take(&mut blocks);
        blocks.reserve(total - 1);
        let capacity = blocks.capacity();
        assert!((total..total + 64).contains(&capacity), "{capacity} for {total}");
        let taken = indices(&mut blocks, total - 1);
        assert_eq!(blocks.capacity(), capacity);
        taken.into_iter().for_each(|index| free(&mut blocks, index));
        free(&mut blocks, 0);
        blocks.shrink_to_fit();
        assert_eq!(blocks.capacity(), 0);
    }
}

/// Wherever the one lies that is left.
#[test]
fn empty_blocks_are_given_back_around_one_element() {
    let count = fewer_under_miri(10_000, 320) as usize;
    for kept in [0, 63, count / 2, count - 1] {
        let mut blocks = Table::new(1 << 20).giving_back();
        let taken = indices(&mut blocks, count);
        let kept = taken[kept];
        taken.into_iter().filter(|&index| index != kept).for_each(|index| {
            free(&mut blocks, index);
        });
        assert_eq!(blocks.held(), 2);
        assert!(blocks.get(kept).is_some());
        free(&mut blocks, kept);
        assert_eq!(blocks.held(), 1);
    }
}

/// A population that goes up and down by less than half a block, around each bound.
#[test]
fn swinging_population_takes_no_new_memory() {
    for standing in (1..200).step_by(fewer_under_miri(1, 67) as usize) {
        let mut blocks = Table::new(1 << 20).giving_back();
        let _standing = indices(&mut blocks, standing);
        let mut lines = 0;
        for swing in 0..fewer_under_miri(100, 5) {
            let more = indices(&mut blocks, 31);
            more.into_iter().for_each(|index| free(&mut blocks, index));
            // A block that went and came would be a hole with a new floor.
            let floors = blocks.table.iter().map(|line| u64::from(line.floor)).sum::<u64>();
            assert!(swing == 0 || lines == floors, "around {standing}");
            lines = floors;
        }
    }
}

#[test]
fn indices_that_come_back_have_later_generations() {
    let mut blocks = Table::new(1 << 20).giving_back();
    let mut latest = std::collections::HashMap::new();
    for round in 0..fewer_under_miri(100, 3) {
        let taken: Vec<_> = (0..300).map(|_| take(&mut blocks)).collect();
        for &(index, generation) in &taken {
            let former = latest.insert(index, generation);
            assert!(former < Some(generation), "index {index} in round {round}");
        }
        // From alternating ends, so that now these blocks remain and now those.
        let mut order: Vec<_> = taken.into_iter().map(|(index, _)| index).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        order.into_iter().for_each(|index| free(&mut blocks, index));
    }
}

/// One slot that is used up costs its own block at most, and only when that is given back.
#[test]
fn exhaustion_of_a_slot_stays_in_its_block() {
    let mut blocks = Table::new(1 << 20).giving_back();
    let taken = indices(&mut blocks, 640);
    let worn = taken[100];
    free_with(&mut blocks, worn, 0);
    taken.into_iter().filter(|&index| index != worn).for_each(|index| free(&mut blocks, index));
    let again: Vec<_> = (0..640).map(|_| take(&mut blocks)).collect();
    assert!(again.iter().all(|&(index, _)| index != worn));
    assert!(again.iter().all(|&(_, generation)| generation <= 2));
    assert_eq!(blocks.held(), if again.iter().any(|(index, _)| index / 64 == 1) { 11 } else { 10 });
}

/// One after another, each with few generations left: memory stays with what is alive.
#[test]
fn worn_blocks_are_retired_and_hold_no_memory() {
    let rounds = fewer_under_miri(1_000_000, 640) as usize;
    for gives_back in [false, true] {
        let blocks = Table::new(1 << 30);
        let mut blocks = if gives_back { blocks.giving_back() } else { blocks };
        let mut taken = std::collections::HashSet::new();
        for round in 0..rounds {
            let used = take(&mut blocks);
            if round % 97 == 0 {
                assert!(taken.insert(used), "{used:?} came twice");
            }
            free_with(&mut blocks, used.0, u32::from(used.1 == 1));
            assert!(blocks.held() <= 1);
        }
        assert!(blocks.capacity() <= 64);
        // Half of a block is used up before it goes, and each slot twice.
        assert!(blocks.table.len() <= rounds / 64 + 1, "{} lines", blocks.table.len());
    }
}

#[test]
#[should_panic(expected = "a timing wheel is used up")]
fn more_indices_than_there_are_is_a_panic() {
    indices(&mut Table::new(128), 129);
}
