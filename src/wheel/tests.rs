//! What only the inside can show. Everything else is in `tests/wheel_*.rs`.

use std::mem::size_of;

use super::arena::Entry;
use super::chunks::CHUNK;
use super::*;

/// How often, or how many: under Miri, which takes a thousand times as long, fewer.
pub(super) const fn fewer_under_miri(count: u64, under_miri: u64) -> u64 {
    if cfg!(miri) { under_miri } else { count }
}

#[test]
fn entry_costs_twenty_one_bytes_beside_its_value() {
    // When it is due, where it stands, and a generation. The value is in an `Option`, which is
    // free for a waker and for anything with a niche.
    type Waker = std::task::Waker;
    assert_eq!(size_of::<Entry<Waker>>(), size_of::<Waker>() + 16);
    assert_eq!(size_of::<Entry<u64>>(), 2 * size_of::<u64>() + 16);
    assert_eq!(size_of::<Key>(), 8);
    assert_eq!(size_of::<Option<Key>>(), 8);
    // And the chunks that list it, of 64 bytes for fourteen entries: 4.6 bytes, with one partly
    // filled chunk a slot.
    assert_eq!(size_of::<super::chunks::Chunk>(), 64);
    let mut wheel = Wheel::new();
    let count = fewer_under_miri(1_000_000, 500);
    for number in 0..count {
        wheel.insert(number * 60_000, ());
    }
    assert!(wheel.levels.chunks() <= count as usize / CHUNK + 512);
}

#[test]
fn lists_do_not_grow_under_endless_churn() {
    let mut wheel = Wheel::new();
    let mut now = 0;
    let mut standing = std::collections::VecDeque::new();
    for number in 0..fewer_under_miri(300_000, 300) {
        now += 40_000;
        standing.push_back(wheel.insert(now + number * 7_919 % 60_000_000_000, ()));
        if standing.len() > 1_000 {
            wheel.remove(standing.pop_front().unwrap());
        }
        let _ = wheel.expire(now, 10, |_, _, ()| ());
    }
    assert!(wheel.levels.chunks() <= 1_000 / CHUNK + 512);
    wheel.shrink_to_fit();
    assert!(wheel.levels.chunks() <= wheel.len() / CHUNK + 512);
    wheel.clear();
    wheel.shrink_to_fit();
    assert_eq!(wheel.levels.chunks(), 0);
}

#[test]
fn exhausted_generations_retire_their_slot() {
    let mut wheel = Wheel::new();
    let young = wheel.insert(1, 'a');
    let old = wheel.arena.age(young, 0);
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
fn given_back_slots_revive_no_keys() {
    let mut wheel = Wheel::new();
    let stale = wheel.insert(1, 'a');
    wheel.remove(stale);
    wheel.shrink_to_fit();
    assert_eq!(wheel.capacity(), 0);
    let fresh = wheel.insert(1, 'b');
    assert_eq!(fresh.index, stale.index);
    assert_eq!(wheel.get(stale), None);
}

#[test]
fn reserved_room_is_there_before_first_entry() {
    let wheel = Wheel::<u64>::with_capacity(10_000);
    assert!(wheel.capacity() >= 10_000);
    assert_eq!(Wheel::<u64>::default().capacity(), 0);
}

#[test]
fn postponed_lone_entry_leaves_no_early_wakeup() {
    let mut wheel = Wheel::new();
    let key = wheel.insert(10, ());
    wheel.reschedule(key, 20);
    assert_eq!(wheel.next_deadline(), Some(20));
}

#[test]
fn postponed_entry_among_many_stays() {
    let mut wheel = Wheel::new();
    let key = wheel.insert(10, ());
    wheel.insert(11, ());
    let list_index = |wheel: &Wheel<()>| wheel.arena.get(key).unwrap().list_index;
    let before = list_index(&wheel);
    wheel.reschedule(key, 1 << 40);
    assert_eq!(list_index(&wheel), before);
    // Its slot does not note it, and is looked through once in vain: that is what makes moving it
    // cost nothing.
    assert_eq!(wheel.next_deadline(), Some(10));
    assert_eq!(wheel.deadline(key), Some(1 << 40));
}

#[test]
fn debug_output_needs_nothing_of_the_values() {
    struct Opaque;
    let mut wheel = Wheel::new();
    wheel.insert(70, Opaque);
    let text = format!("{wheel:?}");
    assert_eq!(text, "Wheel { len: 1, elapsed: 0, next_deadline: Some(70), .. }");
}

/// A call with a small budget must not move a whole population.
#[test]
fn small_budget_moves_few_entries() {
    let mut wheel = Wheel::new();
    let far = 1 << 40;
    let count = fewer_under_miri(10_000, 200);
    for number in 0..count {
        wheel.insert(far + (number << 18), number);
    }
    let done = wheel.expire(far, 1, |_, _, _| ());
    assert_eq!((done.expired, done.more), (0, true));
    let mut calls = 1;
    while wheel.expire(far, 1, |_, _, _| ()).more {
        calls += 1;
    }
    assert_eq!(wheel.len() as u64, count - 1);
    assert!(calls > count / 100, "{calls} calls");
}

#[test]
fn walks_say_how_many_entries_are_left() {
    let mut wheel: Wheel<u64> = Wheel::new();
    for number in 0..5 {
        wheel.insert(number, number);
    }
    let mut iter = wheel.iter();
    for left in (0..5).rev() {
        assert!(iter.next().is_some());
        assert_eq!(iter.len(), left);
    }
    let mut drain = wheel.drain();
    for left in (0..5).rev() {
        assert!(drain.next().is_some());
        assert_eq!(drain.len(), left);
    }
}

/// Of slots with the same minimum: the lowest needs no cascade.
#[test]
fn lowest_level_expires_first_on_a_tie() {
    let mut wheel = Wheel::new();
    let deadline = 129 << slot::SLOT_WIDTH_BITS;
    wheel.insert(deadline, ());
    let _ = wheel.expire(128 << slot::SLOT_WIDTH_BITS, 1, |_, _, ()| ());
    wheel.insert(deadline, ());
    let (slot_id, minimum) = wheel.levels.earliest(wheel.elapsed).unwrap();
    assert_eq!((slot_id.level(), minimum), (0, deadline));
}

#[test]
fn lone_entry_expires_without_cascade() {
    let deadline = 1 << 40;
    let mut wheel = Wheel::new();
    let key = wheel.insert(deadline, ());
    let slot_id = slot::SlotId::of(deadline, 0);
    assert!(slot_id.level() > 0);
    assert_eq!(wheel.levels.take_lone(&wheel.arena, slot_id, deadline - 1), None);
    assert_eq!(wheel.levels.take_lone(&wheel.arena, slot_id, deadline), Some(key.index));
    assert_eq!(wheel.levels.earliest(wheel.elapsed), None);
    let mut wheel = Wheel::new();
    wheel.insert(deadline, ());
    wheel.insert(deadline, ());
    assert_eq!(wheel.levels.take_lone(&wheel.arena, slot_id, deadline), None);
}

#[test]
fn slot_is_dense_beyond_a_chunk() {
    const SLOT: u64 = 64 << slot::SLOT_WIDTH_BITS;
    let mut wheel = Wheel::new();
    for number in 0..=CHUNK as u64 {
        // The elapsed time is in the first slot of level 1 and will be in the second; this is the
        // third.
        assert_eq!(wheel.levels.dense_ahead(SLOT).count(), 0, "{number} entries");
        wheel.insert(2 * SLOT + number, ());
    }
    assert_eq!(wheel.levels.dense_ahead(SLOT).count(), 1);
    assert_eq!(wheel.levels.dense_ahead(0).count(), 0, "it is not the next");
}

#[test]
#[cfg_attr(miri, ignore = "twenty thousand entries, and no fewer would do")]
fn dense_slot_is_empty_before_its_time() {
    const SLOT: u64 = 64 << slot::SLOT_WIDTH_BITS;
    let mut wheel = Wheel::new();
    for number in 0..20_000 {
        wheel.insert(1_000 * number, ());
    }
    let dense = |wheel: &Wheel<()>| wheel.levels.dense_ahead(wheel.elapsed).count();
    let mut flow_until = |end: u64| {
        while wheel.expire(end, 64, |_, _, ()| ()).more {}
        dense(&wheel)
    };
    // The second slot of level 1 lies in the next revolution of level 0 from the start.
    assert_eq!(flow_until(SLOT / 4), 0);
    // From then on the third is next, and emptied in the first half of the time until then.
    assert_eq!(flow_until(SLOT + SLOT / 8), 1);
    assert_eq!(flow_until(SLOT + SLOT / 4 * 3), 0);
    assert_eq!(flow_until(2 * SLOT + SLOT / 8), 1);
    assert_eq!(flow_until(2 * SLOT + SLOT / 4 * 3), 0);
    assert_eq!(flow_until(u64::MAX), 0);
    assert!(wheel.is_empty());
}

/// What the timers of a shard do to their wheel: one after another, for longer than a slot's
/// generations last, and a burst now and then. Exhaustion spread once from the slot that had it
/// to every new one, and all of them stayed.
#[test]
fn exhaustion_does_not_spread_to_new_entries() {
    let mut wheel = Wheel::new();
    let count = fewer_under_miri(10_000, 200);
    let burst: Vec<_> = (0..count).map(|number| wheel.insert(number, ())).collect();
    let old = wheel.arena.age(burst[0], 1);
    burst.iter().skip(1).chain([&old]).for_each(|&key| assert!(wheel.remove(key).is_some()));
    wheel.shrink_to_fit();
    for number in 0..fewer_under_miri(1_000_000, 300) {
        let key = wheel.insert(number, ());
        wheel.remove(key);
    }
    assert!(wheel.capacity() <= arena::BLOCK, "{} entries", wheel.capacity());
    assert!(!wheel.contains(old));
}

/// Each of a million entries finds its slot near exhaustion.
#[test]
fn exhausted_slots_hold_no_memory() {
    let mut wheel = Wheel::<u32>::giving_back();
    let mut stale = Vec::new();
    let apart = fewer_under_miri(10_000, 100) as u32;
    for number in 0..fewer_under_miri(1_000_000, 300) as u32 {
        let key = wheel.insert(number.into(), number);
        let key = wheel.arena.age(key, 1 - (number & 1));
        assert_eq!(wheel.remove(key), Some(number));
        if number % apart == 0 {
            stale.push(key);
        }
        assert!(wheel.arena.blocks() <= 1);
    }
    let standing: Vec<_> = (0..apart).map(|number| wheel.insert(number.into(), number)).collect();
    assert!(stale.iter().all(|&key| !wheel.contains(key) && !standing.contains(&key)));
}

#[test]
#[cfg_attr(miri, ignore = "as many as fill blocks: minutes")]
fn memory_goes_back_while_one_entry_is_left() {
    let count = 100_000;
    for kept in [0, count / 2, count - 1] {
        let mut wheel = Wheel::<u64>::giving_back();
        let keys: Vec<_> = (0..count).map(|number| wheel.insert(number << 10, number)).collect();
        assert!(wheel.arena.blocks() >= 24 && wheel.levels.blocks() >= 4);
        for (number, &key) in keys.iter().enumerate() {
            if number as u64 != kept {
                wheel.remove(key);
            }
        }
        assert_eq!(wheel.get(keys[kept as usize]), Some(&kept));
        assert!(wheel.arena.blocks() <= 2, "{} blocks of entries", wheel.arena.blocks());
        assert!(wheel.levels.blocks() <= 2, "{} blocks of chunks", wheel.levels.blocks());
        let done = wheel.expire(u64::MAX, 10, |_, _, number| assert_eq!(number, kept));
        assert_eq!(done.expired, 1);
        assert_eq!((wheel.arena.blocks(), wheel.levels.blocks()), (1, 1));
    }
}

/// Calls `expire` until all that is due is out, and checks the steps of each call. Returns the
/// steps of all but for one a call, which may be to look again at where the last has stopped.
fn count_steps(wheel: &mut Wheel<()>, now: u64, budget: usize, most: usize) -> usize {
    let mut all = 0;
    loop {
        wheel.levels.steps.set(0);
        let done = wheel.expire(now, budget, |_, _, ()| ());
        assert!(done.expired <= budget);
        let steps = wheel.levels.steps.get();
        assert!(steps <= most, "{steps} steps in a call with {budget}");
        all += steps.saturating_sub(1);
        if !done.more {
            return all;
        }
    }
}

/// What a call may do: what expires, what may be moved for it, and the rest of a chunk. An entry
/// that is linked elsewhere was looked at before.
fn most_steps(budget: usize) -> usize {
    budget + 2 * expire::most_moves(budget) + CHUNK + 2
}

/// All wait in one slot of level 0, and none belongs there any more.
#[test]
fn postponed_entries_move_within_the_budget() {
    let count = fewer_under_miri(100_000, 200);
    // Before the slot is over, when it is walked over, and after.
    for (now, budget) in
        [60_000, 1 << 17].into_iter().flat_map(|now| [(now, 1), (now, 10), (now, 1_000)])
    {
        let mut wheel = Wheel::new();
        let keys: Vec<_> = (0..count).map(|number| wheel.insert(number % 60_000, ())).collect();
        keys.iter().for_each(|&key| assert!(wheel.reschedule(key, 1 << 40)));
        let all = count_steps(&mut wheel, now, budget, most_steps(budget));
        assert!(all <= 2 * count as usize, "{all} steps");
        assert_eq!(wheel.len(), count as usize);
    }
}

/// As many that are not yet due lie on top of those that are, in one slot of level 0.
#[test]
fn partly_due_slot_is_walked_once() {
    let count = fewer_under_miri(100_000, 200);
    for budget in [1, 10, 1_000] {
        let mut wheel = Wheel::new();
        let mut insert = |deadline| {
            wheel.insert(deadline, ());
        };
        (0..count).for_each(|number| insert(number % 1_000));
        (0..count).for_each(|number| insert(20_000 + number % 1_000));
        let all = count_steps(&mut wheel, 10_000, budget, most_steps(budget));
        assert!(all <= 2 * count as usize, "{all} steps");
        assert_eq!(wheel.len(), count as usize);
        assert_eq!(wheel.next_deadline(), Some(20_000));
    }
}

/// What is dense is pre-cascaded out of what the call has left.
#[test]
fn cascades_ahead_stay_within_the_budget() {
    for budget in [1, 10, 1_000] {
        let mut wheel = Wheel::new();
        for number in 0..fewer_under_miri(200_000, 200) {
            wheel.insert(number << (number % 24), ());
        }
        // A chunk that is begun is moved, of each level that is dense.
        let most = most_steps(budget) + CHUNK * slot::LEVELS;
        count_steps(&mut wheel, 1 << 41, budget, most);
        assert!(wheel.is_empty());
    }
}

/// What comes, goes and is moved while a walk has stopped.
#[test]
fn stopped_walk_leaves_no_deadline_too_late() {
    let mut wheel = Wheel::new();
    let due: Vec<_> = (0..40).map(|number| wheel.insert(100 + number, ())).collect();
    let later: Vec<_> = (0..40).map(|number| wheel.insert(10_000 + number, ())).collect();
    // Passes 32 of the later ones.
    let done = wheel.expire(5_000, 2, |_, _, ()| ());
    assert_eq!((done.expired, done.more), (0, true));
    assert_eq!(wheel.next_deadline(), Some(100));
    // Onto the top, and from there in place of one that is not walked over yet.
    let early = wheel.insert(50, ());
    assert_eq!(wheel.next_deadline(), Some(50));
    wheel.remove(due[20]);
    assert_eq!(wheel.deadline(early), Some(50));
    // What was not walked over goes, from the bottom up.
    due.iter().for_each(|&key| {
        wheel.remove(key);
    });
    assert_eq!(wheel.next_deadline(), Some(50));
    let mut out = Vec::new();
    while wheel.expire(5_000, 2, |key, _, ()| out.push(key)).more {}
    assert_eq!(out, [early]);
    assert_eq!(wheel.next_deadline(), Some(10_000));
    assert_eq!(wheel.len(), later.len());
}

/// A wheel of values that live longer is a wheel of values that live shorter, as with a `Vec`. That
/// it compiles is the test.
#[test]
fn wheel_is_covariant_in_its_values() {
    fn wheel<'a>(wheel: Wheel<&'static str>) -> Wheel<&'a str> {
        wheel
    }
    fn iter<'a>(wheel: &'a Wheel<&'static str>) -> Iter<'a, &'a str> {
        wheel.iter()
    }
    let mut values = Wheel::new();
    values.insert(1, "value");
    assert_eq!(iter(&values).count(), 1);
    assert_eq!(wheel(values).len(), 1);
}
