//! Tests of the layer between instants and the wheel.

use super::*;

const NANOSECOND: Duration = Duration::from_nanos(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Instants that there are on this system around one.
fn around(now: Instant) -> Vec<Instant> {
    let distances = [Duration::ZERO, NANOSECOND, Duration::from_secs(1), YEAR, 291 * YEAR];
    let before = distances.iter().filter_map(|&distance| now.checked_sub(distance));
    before.chain(distances.iter().filter_map(|&distance| now.checked_add(distance))).collect()
}

#[test]
fn deadlines_are_kept_to_the_nanosecond() {
    let now = Instant::now();
    let mut wheel = InstantWheel::new(now);
    for at in around(now) {
        let key = wheel.insert(at, at);
        assert_eq!(wheel.deadline(key), Some(at));
        assert_eq!(wheel.peek(), Some((key, at)));
        if let Some(before) = at.checked_sub(NANOSECOND) {
            assert_eq!(wheel.expire_next(before), None, "early");
        }
        assert_eq!(wheel.expire_next(at), Some((key, at, at)));
    }
}

#[test]
fn deadlines_come_in_their_order() {
    let now = Instant::now();
    let mut wheel = InstantWheel::new(now);
    let millisecond = Duration::from_millis(1);
    let sorted: Vec<Instant> = (1..=50).map(|number| now + number * millisecond).collect();
    for &at in sorted.iter().rev() {
        wheel.insert(at, ());
    }
    let drained: Vec<Instant> = wheel.drain_expired(now + YEAR).map(|(_, at, ())| at).collect();
    assert_eq!(drained, sorted);
}

/// What no wheel time stands for: idle if it is ahead, the earliest time if it is past.
#[test]
fn deadline_out_of_range_is_idle() {
    let now = Instant::now();
    let mut wheel = InstantWheel::new(now);
    let far = wheel.insert_after(now, Duration::MAX, "never");
    assert_eq!(wheel.deadline(far), None);
    if let Some(at) = now.checked_add(293 * YEAR) {
        let key = wheel.insert(at, "in 293 years");
        assert_eq!(wheel.deadline(key), None);
        assert_eq!(wheel.expire_next(at), None);
    }
    assert_eq!(wheel.next_deadline(), None);
    if let Some(at) = now.checked_sub(400 * YEAR) {
        let key = wheel.insert(at, "long ago");
        assert!(wheel.deadline(key) > Some(at));
        assert_eq!(wheel.expire_next(at + 300 * YEAR).map(|(key, ..)| key), Some(key));
    }
    assert!(wheel.reschedule_after(far, now, Duration::ZERO));
    assert_eq!(wheel.deadline(far), Some(now));
    assert!(wheel.reschedule_after(far, now, Duration::MAX));
    assert_eq!(wheel.next_deadline(), None);
    assert_eq!(wheel.get(far), Some(&"never"));
}

#[test]
fn stale_keys_change_nothing() {
    let now = Instant::now();
    let mut wheel = InstantWheel::with_capacity(now, 2);
    let stale = wheel.insert(now, 1);
    assert_eq!(wheel.remove(stale), Some(1));
    let key = wheel.insert(now, 2);
    assert!(!wheel.reschedule(stale, now + YEAR));
    assert!(!wheel.reschedule_after(stale, now, Duration::MAX));
    assert!(!wheel.unschedule(stale));
    assert!(!wheel.contains(stale));
    assert_eq!(wheel.get(stale), None);
    assert_eq!(wheel.remove(stale), None);
    assert_eq!((wheel.deadline(key), wheel.len()), (Some(now), 1));
}

#[test]
fn walks_see_instants() {
    let now = Instant::now();
    let mut wheel = InstantWheel::new(now);
    let key = wheel.insert(now, 1);
    let idle = wheel.insert_after(now, Duration::MAX, 2);
    assert!(wheel.iter().eq([(key, Some(now), &1), (idle, None, &2)]));
    assert_eq!(wheel.iter().len(), 2);
    for (_, _, value) in wheel.iter_mut() {
        *value *= 10;
    }
    wheel.retain(|_, deadline, value| {
        assert_eq!(deadline.is_none(), *value == 20);
        *value == 20
    });
    let mut fired = 0;
    let progress = wheel.fire(now + YEAR, 9, |_, _, _| fired += 1);
    assert_eq!((progress.expired, fired), (0, 0));
    assert!(wheel.drain().eq([(None, 20)]));
    assert!(wheel.is_empty());
}
