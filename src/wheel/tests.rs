//! What only the inside can show. Everything else is in `tests/wheel_*.rs`.

use std::mem::size_of;

use super::arena::Entry;
use super::*;

#[test]
fn an_entry_costs_thirteen_bytes_beside_its_value_and_deadline() {
    // Where it stands, and a generation. The value sits in an `Option`, which is
    // free for a waker and for anything with a niche.
    type Waker = std::task::Waker;
    assert_eq!(size_of::<Entry<Waker>>(), size_of::<Waker>() + 8);
    assert_eq!(size_of::<Entry<u64>>(), 2 * size_of::<u64>() + 8);
    assert_eq!(size_of::<Key>(), 8);
    assert_eq!(size_of::<Option<Key>>(), 8);
    // And the chunks that list it, of 128 bytes for ten entries: 4.8 bytes beside the deadline,
    // with one partly filled chunk a slot.
    assert_eq!(size_of::<super::chunks::Chunk>(), 128);
    let mut wheel = Wheel::new();
    let count = 1_000_000;
    for number in 0..count {
        wheel.insert(number * 60_000, ());
    }
    assert!(wheel.levels.chunks() <= count as usize / 10 + 512);
}

#[test]
fn lists_do_not_grow_under_endless_churn() {
    let mut wheel = Wheel::new();
    let mut now = 0;
    let mut standing = std::collections::VecDeque::new();
    for number in 0..300_000_u64 {
        now += 40_000;
        standing.push_back(wheel.insert(now + number * 7_919 % 60_000_000_000, ()));
        if standing.len() > 1_000 {
            wheel.remove(standing.pop_front().unwrap());
        }
        let _ = wheel.expire(now, 10, |_, _, ()| ());
    }
    assert!(wheel.levels.chunks() <= 1_000 / 10 + 512);
    wheel.shrink_to_fit();
    assert!(wheel.levels.chunks() <= wheel.len() / 10 + 512);
    wheel.clear();
    wheel.shrink_to_fit();
    assert_eq!(wheel.levels.chunks(), 0);
}

#[test]
fn a_place_whose_generations_are_used_up_is_not_used_again() {
    let mut wheel = Wheel::new();
    let young = wheel.insert(1, 'a');
    let old = wheel.arena.age(young);
    assert_eq!(wheel.remove(old), Some('a'));
    let next = wheel.insert(1, 'b');
    assert_ne!(next.index, old.index);
    assert_eq!(wheel.get(old), None);
    wheel.remove(next);
    wheel.shrink_to_fit();
    let next = wheel.insert(1, 'c');
    assert_ne!(next.index, old.index);
}

#[test]
fn places_that_were_given_back_do_not_revive_keys() {
    let mut wheel = Wheel::new();
    let stale = wheel.insert(1, 'a');
    wheel.remove(stale);
    wheel.shrink_to_fit();
    assert_eq!(wheel.capacity(), 0);
    let fresh = wheel.insert(1, 'b');
    assert_eq!(fresh.index, stale.index);
    assert_eq!(wheel.get(stale), None);
}
