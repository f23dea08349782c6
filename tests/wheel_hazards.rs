//! One test for each way in which other timing wheels are known to have broken.

use std::time::{Duration, Instant};

use async_wheel::wheel::{Key, Progress, Wheel};

const SLOT: u64 = 1 << 16;
const LEVEL_BITS: u32 = 6;
const MILLISECOND: u64 = 1_000_000;

/// Everything due at `now`, as deadlines in the order in which it came.
fn due<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<u64> {
    let mut out = Vec::new();
    let progress = wheel.expire(now, usize::MAX, |_, deadline, _| out.push(deadline));
    assert!(!progress.more);
    assert!(out.iter().all(|&deadline| deadline <= now), "early at {now}: {out:?}");
    out
}

/// Jumps from one `next_deadline` to the next; fails if a jump brings nothing.
fn run_by_next_deadline<T>(wheel: &mut Wheel<T>) -> Vec<u64> {
    let mut out = Vec::new();
    while let Some(next) = wheel.next_deadline() {
        let came = due(wheel, next);
        assert!(came.contains(&next), "woken at {next} for {came:?}");
        out.extend(came);
    }
    out
}

/// Edges of slots on all levels, with their neighbours.
fn edges() -> Vec<u64> {
    let mut edges = vec![0, 1, u64::MAX - 1, u64::MAX];
    for exponent in 1..64 {
        let edge = 1_u64 << exponent;
        edges.extend([edge - 1, edge, edge + 1, edge.wrapping_mul(63), edge.wrapping_mul(65)]);
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// A wheel whose top level wraps around takes the far timer's slot for one that comes before the
/// near ones. So: elapsed time in the last slots of each level, deadlines beyond.
#[test]
fn far_entry_does_not_hide_near_ones() {
    for level in 0..8 {
        let turn = SLOT << (LEVEL_BITS * level);
        let mut wheel = Wheel::new();
        let start = turn.saturating_mul(63) + turn / 2;
        assert_eq!(due(&mut wheel, start), []);
        let far = start.saturating_add(turn.saturating_mul(62));
        wheel.insert(far, "far");
        for step in 1..=3 {
            let near = start + step * 1_000;
            wheel.insert(near, "near");
            assert_eq!(wheel.next_deadline(), Some(near));
            assert_eq!(due(&mut wheel, near), [near], "level {level}");
        }
        assert_eq!(wheel.next_deadline(), Some(far));
        assert_eq!(due(&mut wheel, far - 1), []);
        assert_eq!(due(&mut wheel, far), [far]);
    }
}

/// 2^36 ms after the start in one wheel; here every power of two, and decades of uptime.
#[test]
fn crossing_a_level_boundary_keeps_indices_valid() {
    let decades = 40 * 365 * 24 * 3600 * 1_000 * MILLISECOND;
    let crossings = edges().into_iter().chain([MILLISECOND << 36, decades]);
    for boundary in crossings {
        let mut wheel = Wheel::new();
        let before = boundary.saturating_sub(2);
        assert_eq!(due(&mut wheel, before), []);
        let mut inserted: Vec<u64> = [0, 1, 2, 3, 4, SLOT, 64 * SLOT, 4_096 * SLOT]
            .iter()
            .map(|&distance| before.saturating_add(distance))
            .collect();
        for &deadline in &inserted {
            wheel.insert(deadline, ());
        }
        for now in before..=boundary.saturating_add(2) {
            let came = due(&mut wheel, now);
            assert!(came.iter().all(|&deadline| deadline == now));
            inserted.retain(|&deadline| deadline > now);
            assert_eq!(wheel.len(), inserted.len());
            assert_eq!(wheel.next_deadline(), inserted.iter().copied().min());
            if now == u64::MAX {
                break;
            }
        }
        inserted.sort_unstable();
        assert_eq!(run_by_next_deadline(&mut wheel), inserted, "boundary {boundary}");
    }
}

/// Deadlines on the edges of slots and levels, and a nanosecond beside them.
#[test]
fn deadlines_around_a_boundary_expire_on_time() {
    let edges = edges();
    // From elapsed times on, before and behind an edge as well.
    for &start in edges.iter().step_by(7) {
        let later: Vec<u64> = edges.iter().copied().filter(|&edge| edge >= start).collect();
        let mut wheel = Wheel::new();
        assert_eq!(due(&mut wheel, start), []);
        for &deadline in later.iter().rev() {
            wheel.insert(deadline, ());
        }
        for &deadline in &later {
            if let Some(before) = deadline.checked_sub(1).filter(|&before| before > start) {
                let came = due(&mut wheel, before);
                assert!(came.is_empty() || came == [before], "{came:?} at {before}");
            }
            let came = due(&mut wheel, deadline);
            assert!(came.is_empty() || came == [deadline]);
            assert!(wheel.next_deadline().is_none_or(|next| next > deadline));
        }
        assert!(wheel.is_empty());
    }
}

/// The budget has ended an expiry in the middle of what is due.
#[test]
fn due_entry_can_be_removed_before_expiring() {
    for deadline in [10, SLOT, 70 * SLOT, 5_000 * SLOT] {
        let mut wheel = Wheel::new();
        let keys: Vec<Key> = (0..10).map(|number| wheel.insert(deadline, number)).collect();
        let mut out = Vec::new();
        let progress = wheel.expire(deadline, 3, |key, _, _| out.push(key));
        assert_eq!(progress, Progress { expired: 3, more: true });
        let mut removed = 0;
        for &key in keys.iter().filter(|&key| !out.contains(key)).take(4) {
            assert!(wheel.remove(key).is_some());
            removed += 1;
        }
        // Those that have expired are gone, and their keys do not reach what took their place.
        let fresh = wheel.insert(deadline + 1, 99);
        for &key in &out {
            assert_eq!(wheel.remove(key), None);
        }
        assert_eq!(due(&mut wheel, deadline).len(), 10 - 3 - removed);
        assert_eq!(wheel.get(fresh), Some(&99));
        assert_eq!(due(&mut wheel, deadline + 1), [deadline + 1]);
    }
}

/// The coarse one was far when it came and is still on a high level; the fine one came late, so
/// that it is on a low one. The low level is not to be believed first.
#[test]
fn fine_entry_does_not_hide_earlier_coarse_one() {
    for exponent in 17..63 {
        let coarse = (1_u64 << exponent) + 5;
        let mut wheel = Wheel::new();
        wheel.insert(coarse, "coarse");
        assert_eq!(due(&mut wheel, coarse - 4), []);
        wheel.insert(coarse + 3, "fine");
        assert_eq!(wheel.next_deadline(), Some(coarse));
        assert_eq!(due(&mut wheel, coarse + 2), [coarse]);
        assert_eq!(wheel.next_deadline(), Some(coarse + 3));
        assert_eq!(due(&mut wheel, coarse + 3), [coarse + 3]);
    }
}

/// Stale minima, overdue entries, entries moved away: after one expiry at a time nothing may be
/// said to be next at or before it.
#[test]
fn next_deadline_is_never_in_the_past() {
    let mut wheel = Wheel::new();
    let now = 1_000 * SLOT + 17;
    assert_eq!(due(&mut wheel, now), []);
    for distance in [1, SLOT, 64 * SLOT, 4_096 * SLOT] {
        let first = wheel.insert(now + distance, ());
        let second = wheel.insert(now + distance + 1, ());
        let third = wheel.insert(now + distance + 2, ());
        wheel.remove(first);
        wheel.reschedule(second, now + 100_000 * SLOT);
        wheel.unschedule(third);
        wheel.insert(now - 5, ());
    }
    let mut at = now;
    for _ in 0..100 {
        let _ = due(&mut wheel, at);
        let Some(next) = wheel.next_deadline() else {
            assert_eq!(wheel.len(), 4, "the idle ones remain");
            return;
        };
        assert!(next > at, "next is {next} at {at}");
        at = next;
    }
    panic!("too many wake-ups for four deadlines");
}

#[test]
fn no_wake_up_is_only_for_cascading() {
    let mut wheel = Wheel::new();
    let mut expected = Vec::new();
    for step in 0..400_u64 {
        let deadline = step * step * step * 977 * SLOT / 64 + step;
        expected.push(deadline);
        wheel.insert(deadline, ());
    }
    // Fails inside if a wake-up brings nothing.
    assert_eq!(run_by_next_deadline(&mut wheel), expected);
}

/// Entries are inserted and expired at one and the same time, again and again.
#[test]
fn clock_standing_still_expires_the_due_once() {
    let mut wheel = Wheel::new();
    for round in 0..1_000_u64 {
        let past = wheel.insert(5, round);
        let present = wheel.insert(7, round);
        wheel.insert(8, round);
        wheel.reschedule(past, 7);
        assert_eq!(due(&mut wheel, 7), [7, 7]);
        assert_eq!(due(&mut wheel, 7), []);
        assert_eq!(wheel.get(present), None);
        assert_eq!(wheel.next_deadline(), Some(8));
    }
    assert_eq!(due(&mut wheel, 8).len(), 1_000);
}

/// Nothing is early by the new time, and nothing that comes due by it is lost.
#[test]
fn clock_stepping_back_loses_nothing() {
    for back in [3, SLOT, 64 * SLOT, 70_000 * SLOT] {
        let mut wheel = Wheel::new();
        let high = 1_000_000 * SLOT + 3;
        wheel.insert(high, "first");
        assert_eq!(due(&mut wheel, high), [high]);
        let low = high - back;
        // Between the stepped-back clock and the elapsed time, at both, and after both.
        let deadlines = [low - 1, low, low + 1, high - 1, high, high + 1, high + SLOT];
        for &deadline in &deadlines {
            wheel.insert(deadline, "second");
        }
        let mut came = due(&mut wheel, low);
        came.sort_unstable();
        assert_eq!(came, [low - 1, low]);
        assert_eq!(wheel.elapsed(), high, "the elapsed time stays");
        for deadline in [low + 1, high - 1, high, high + 1, high + SLOT] {
            assert!(wheel.next_deadline().is_none_or(|next| next <= deadline));
            let _ = due(&mut wheel, deadline);
            assert!(wheel.next_deadline().is_none_or(|next| next > deadline));
        }
        assert!(wheel.is_empty());
    }
}

/// Of a high level, so that all of it must cascade; with equal deadlines, and not.
#[test]
fn dense_slot_expires_within_the_budget() {
    for spread in [0, 1] {
        let base = 200_000 * SLOT;
        let mut wheel = Wheel::new();
        let count = 100_000;
        for number in 0..count {
            wheel.insert(base + number * spread, number);
        }
        assert_eq!(wheel.next_deadline(), Some(base));
        // A small budget bounds the cascade as well: not all for the sake of one.
        let progress = wheel.expire(base + count, 1, |_, _, _| ());
        assert_eq!(progress, Progress { expired: 0, more: true });
        let mut calls = 0;
        let mut left = count as usize;
        loop {
            let progress = wheel.expire(base + count, 100, |_, _, _| ());
            assert!(progress.expired <= 100);
            left -= progress.expired;
            assert_eq!(wheel.len(), left);
            calls += 1;
            if !progress.more {
                break;
            }
        }
        assert_eq!(left, 0);
        // Expiring takes 1,000 calls; cascading a little more.
        assert!(calls < 1_200, "{calls} calls");
    }
}

/// 2.4 ms each at 50,000 timers in one project. Counted in time, with a limit so wide that only a
/// scan can break it: 100,000 polls that look at a million entries take minutes.
#[test]
fn idle_expire_does_not_scan_the_slot() {
    let mut wheel = Wheel::new();
    for number in 0..1_000_000_u64 {
        wheel.insert(SLOT * 3 + 100 + number % 1_000, number);
    }
    let start = Instant::now();
    for _ in 0..100_000 {
        assert_eq!(due(&mut wheel, SLOT * 3 + 99), []);
        assert_eq!(wheel.next_deadline(), Some(SLOT * 3 + 100));
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// Moving later leaves the entry in its slot; it is not to go out with that slot.
#[test]
fn postponed_entry_does_not_overtake() {
    let mut wheel = Wheel::new();
    wheel.insert(SLOT, "stays");
    let moved = wheel.insert(SLOT + 1, "moved");
    wheel.insert(2 * SLOT, "between");
    wheel.reschedule(moved, 3 * SLOT);
    assert_eq!(due(&mut wheel, 10 * SLOT), [SLOT, 2 * SLOT, 3 * SLOT]);
}

#[test]
fn postponing_again_and_again_costs_no_memory() {
    let mut wheel = Wheel::new();
    wheel.insert(1_000 * SLOT, "other");
    let key = wheel.insert(1_000 * SLOT, "heartbeat");
    let capacity = wheel.capacity();
    for beat in 0..100_000 {
        assert!(wheel.reschedule(key, 1_000 * SLOT + beat));
    }
    assert_eq!(wheel.capacity(), capacity);
    assert_eq!(due(&mut wheel, 1_000 * SLOT), [1_000 * SLOT]);
    assert_eq!(wheel.next_deadline(), Some(1_000 * SLOT + 99_999));
    assert_eq!(due(&mut wheel, u64::MAX), [1_000 * SLOT + 99_999]);
}

#[test]
fn panic_while_expiring_loses_one_entry() {
    for (fire, stopped) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut wheel = Wheel::new();
        for number in 0..100_u64 {
            let key = wheel.insert(SLOT + number, number);
            if number % 3 == 0 {
                // It stays in the slot's list until that is expired.
                wheel.reschedule(key, 3 * SLOT);
            }
        }
        // A walk over part of the slot that stops half way.
        let before = if stopped { wheel.expire(SLOT + 50, 2, |_, _, _| ()).expired } else { 0 };
        let mut calls = 0;
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut bomb = || {
                calls += 1;
                assert!(calls < 40, "expected by the test");
            };
            let _ = if fire {
                wheel.fire(2 * SLOT, usize::MAX, |_, _, _| bomb())
            } else {
                wheel.expire(2 * SLOT, usize::MAX, |_, _, _| bomb())
            };
        }));
        assert!(caught.is_err());
        assert_eq!(wheel.len(), if fire { 100 } else { 60 } - before);
        assert_eq!(due(&mut wheel, 2 * SLOT).len(), 66 - 40 - before);
        assert_eq!(wheel.next_deadline(), Some(3 * SLOT));
        assert_eq!(due(&mut wheel, 3 * SLOT), [3 * SLOT; 34]);
        assert_eq!(wheel.next_deadline(), None);
    }
}

#[test]
fn a_stale_key_never_reaches_another_entry() {
    let mut wheel = Wheel::new();
    let mut stale = Vec::new();
    for round in 0..1_000_u64 {
        let key = wheel.insert(round, round);
        match round % 3 {
            0 => drop(wheel.remove(key)),
            1 => drop(due(&mut wheel, round)),
            _ => wheel.clear(),
        }
        stale.push(key);
        if round % 100 == 99 {
            wheel.shrink_to_fit();
        }
    }
    let standing = wheel.insert(u64::MAX, 7);
    for key in stale {
        assert_ne!(key, standing);
        assert!(!wheel.contains(key));
        assert!(!wheel.reschedule(key, 0));
        assert!(!wheel.unschedule(key));
        assert_eq!(wheel.deadline(key), None);
        assert_eq!(wheel.get_mut(key), None);
        assert_eq!(wheel.remove(key), None);
    }
    assert_eq!(wheel.next_deadline(), Some(u64::MAX));
}

/// A place that is free, or was never used, may have the generation of another wheel's key.
#[test]
fn keys_of_another_wheel_reach_nothing_free() {
    for generation in 0..3 {
        let (mut other, mut wheel) = (Wheel::new(), Wheel::new());
        for number in 0..generation {
            let gone: Vec<_> = (0..5_000).map(|_| other.insert(1, number)).collect();
            gone.into_iter().for_each(|key| _ = other.remove(key));
            let gone: Vec<_> = (0..3).map(|_| wheel.insert(1, number)).collect();
            gone.into_iter().for_each(|key| _ = wheel.remove(key));
        }
        let mut foreign: Vec<_> = (0..5_000).map(|_| other.insert(1, 0)).collect();
        let own = wheel.insert(100, 1);
        foreign.retain(|&key| key != own);
        for &key in &foreign {
            assert!(!wheel.contains(key));
            assert_eq!((wheel.get(key), wheel.deadline(key)), (None, None));
            assert_eq!(wheel.get_mut(key), None);
            assert!(!wheel.reschedule(key, 5));
            assert_eq!(wheel.remove(key), None);
        }
        assert_eq!((wheel.len(), wheel.next_deadline()), (1, Some(100)));
        (0..20).for_each(|number| _ = wheel.insert(101 + number, 2));
        assert_eq!(due(&mut wheel, SLOT).len(), 21);
        assert!(wheel.is_empty());
    }
}

#[test]
fn wheel_is_send_if_its_values_are() {
    fn send<T: Send>(_: &T) {}
    send(&Wheel::<std::task::Waker>::new());
}
