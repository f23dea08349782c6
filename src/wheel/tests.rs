//! What only the inside can show. Everything else is in `tests/wheel_*.rs`.

use std::mem::size_of;

use super::arena::Entry;
use super::*;

#[test]
fn an_entry_costs_sixteen_bytes_beside_its_value_and_deadline() {
    // The value sits in an `Option`, which is free for a waker and for anything with a niche.
    type Waker = std::task::Waker;
    assert_eq!(size_of::<Entry<Waker>>(), 8 + size_of::<Waker>() + 16);
    assert!(size_of::<Entry<u64>>() <= 8 + size_of::<u64>() + 24);
    assert_eq!(size_of::<Key>(), 8);
    assert_eq!(size_of::<Option<Key>>(), 8);
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
