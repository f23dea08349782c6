use super::*;
use crate::reactor::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Default)]
struct Count(AtomicUsize);

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed: a count, looked at by nobody else.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn waker() -> Waker {
    Waker::from(Arc::new(Count::default()))
}

/// Returns `true` if two wakers wake the same task. `will_wake` may say no where that is so: it
/// also compares the tables, of which there may be several.
fn is_same(waker: &Waker, other: &Waker) -> bool {
    waker.data() == other.data()
}

/// Returns `true` if a timer is to wake this waker when it fires.
fn is_registered(timers: &Timers, key: TimerKey, waker: &Waker) -> bool {
    timers
        .wheel
        .get(key.without_slack().unwrap())
        .is_some_and(|registered| is_same(registered, waker))
}

/// Returns timers of which one has fired, so that its waker is out.
fn one_fired(waker: Waker) -> (Timers, TimerKey, Vec<Fired>) {
    let (mut timers, mut fired) = (Timers::new(&Settings::default()), Vec::new());
    let (key, _) = timers.insert(10, Slack::UNSET, waker);
    assert!(!timers.fire(10, &mut fired));
    assert_eq!(fired.len(), 1);
    (timers, key, fired)
}

/// Puts wakers back, and returns those that have to be woken again.
fn put_back(timers: &mut Timers, mut fired: Vec<Fired>) -> Vec<Fired> {
    let mut again = Vec::new();
    timers.put_back(&mut fired, &mut again);
    again
}

#[test]
fn earlier_deadline_wakes_sleeper_once() {
    let mut timers = Timers::new(&Settings::default());
    timers.set_sleeper(Sleeper::Driver { until: 100 });
    assert_eq!(timers.insert(100, Slack::UNSET, waker()).1, WakeTarget::None);
    assert_eq!(timers.insert(99, Slack::UNSET, waker()).1, WakeTarget::Driver);
    assert_eq!(timers.insert(98, Slack::UNSET, waker()).1, WakeTarget::None);
    timers.set_sleeper(Sleeper::Fallback { until: NEVER });
    assert_eq!(timers.insert(1_000, Slack::UNSET, waker()).1, WakeTarget::Fallback);
}

/// Lets a timer of this slack fire each 20 µs, so that they are dense, until 40 ms.
fn make_dense(timers: &mut Timers, slack: Slack) {
    let keys = (10_000_000..40_000_001).step_by(20_000).map(|now| {
        let (key, _) = timers.insert(now, slack, Waker::noop().clone());
        let _ = timers.fire(now, &mut Vec::new());
        key
    });
    let keys: Vec<_> = keys.collect();
    assert!(keys.iter().all(|key| !timers.is_scheduled(*key)));
    keys.into_iter().for_each(|key| drop(timers.remove(key)));
}

#[test]
#[cfg_attr(miri, ignore = "thousands of rounds: minutes")]
fn coalesced_deadline_does_not_wake_sleeper() {
    let mut timers = Timers::new(&Settings::default());
    make_dense(&mut timers, Slack::UNSET);
    let next = 40_100_000;
    let _ = timers.insert(next, Slack::UNSET, waker());
    let until = timers.sleep_until();
    assert_eq!(until, 40_500_000);
    timers.set_sleeper(Sleeper::Driver { until });
    assert_eq!(timers.insert(next + 1, Slack::UNSET, waker()).1, WakeTarget::None);
    assert_eq!(timers.insert(next - 1, Slack::UNSET, waker()).1, WakeTarget::None);
    assert_eq!(timers.sleep_until(), until);
    // A deadline that has passed by more than timers are delayed.
    assert_eq!(timers.insert(1, Slack::UNSET, waker()).1, WakeTarget::Driver);
}

/// Whatever else wakes the driver: else tasks that wake each other's threads fire them few at a
/// time.
#[test]
#[cfg_attr(miri, ignore = "thousands of rounds: minutes")]
fn awake_driver_leaves_dense_timers_to_the_grid() {
    for slack in [Slack::UNSET, Slack::of(std::time::Duration::from_micros(500))] {
        let mut timers = Timers::new(&Settings::default());
        make_dense(&mut timers, slack);
        let deadlines = [40_000_001, 40_200_000, 40_499_999, 40_500_000, 40_500_001];
        for deadline in deadlines {
            let _ = timers.insert(deadline, slack, waker());
        }
        assert_eq!(timers.sleep_until(), 40_500_000);
        let mut fired = Vec::new();
        for now in [40_000_001, 40_300_000, 40_499_999] {
            assert!(!timers.fire(now, &mut fired));
            assert!(fired.is_empty(), "at {now}");
        }
        assert!(!timers.fire(40_500_000, &mut fired));
        assert_eq!(fired.len(), 4);
        assert_eq!(timers.sleep_until(), 41_000_000);
    }
}

/// Two shards that are equally dense wake at the same moments, whatever their deadlines.
#[test]
#[cfg_attr(miri, ignore = "thousands of rounds: minutes")]
fn dense_shards_wake_at_the_same_moments() {
    let untils: Vec<_> = [40_000_001, 40_321_000]
        .map(|deadline| {
            let mut timers = Timers::new(&Settings::default());
            make_dense(&mut timers, Slack::UNSET);
            let _ = timers.insert(deadline, Slack::UNSET, waker());
            timers.sleep_until()
        })
        .into();
    assert_eq!(untils, [40_500_000; 2]);
}

#[test]
#[cfg_attr(miri, ignore = "thousands of rounds: minutes")]
fn slack_of_zero_never_waits_for_the_grid() {
    let mut timers = Timers::new(&Settings::default());
    make_dense(&mut timers, Slack::ZERO);
    make_dense(&mut timers, Slack::UNSET);
    for deadline in [40_000_001, 40_000_002] {
        let _ = timers.insert(deadline, Slack::ZERO, waker());
        let _ = timers.insert(deadline, Slack::UNSET, waker());
        assert_eq!(timers.sleep_until(), deadline);
        let mut fired = Vec::new();
        let _ = timers.fire(deadline, &mut fired);
        assert_eq!(fired.len(), 1);
    }
}

/// The longer a slack is, the fewer wake-ups: it ends on the last point of the grid within it.
#[test]
#[cfg_attr(miri, ignore = "thousands of rounds: minutes")]
fn long_slack_of_dense_timers_ends_on_the_grid() {
    let slack = Slack::of(std::time::Duration::from_micros(1_300));
    let mut timers = Timers::new(&Settings::default());
    make_dense(&mut timers, slack);
    let _ = timers.insert(40_300_000, slack, waker());
    assert_eq!(timers.sleep_until(), 41_500_000);
    let mut fired = Vec::new();
    let _ = timers.fire(40_499_999, &mut fired);
    assert!(fired.is_empty());
    // A driver that is awake at a point of the grid fires what is due.
    let _ = timers.fire(40_500_000, &mut fired);
    assert_eq!(fired.len(), 1);
}

/// What is coalesced is not reported as late.
#[cfg(feature = "tracing")]
#[test]
#[cfg_attr(miri, ignore = "thousands of rounds: minutes")]
fn coalesced_timers_are_not_reported_as_late() {
    let settings = Settings { late_threshold: 100_000, ..Settings::default() };
    let mut timers = Timers::new(&settings);
    make_dense(&mut timers, Slack::UNSET);
    let _ = timers.take_late();
    for (now, nanos) in [(40_500_000, None), (41_200_000, Some(200_000))] {
        let _ = timers.insert(now - 600_000 + 100_001, Slack::UNSET, waker());
        let _ = timers.fire(now, &mut Vec::new());
        assert_eq!(timers.take_late().map(|late| late.nanos), nanos);
    }
}

#[test]
fn fired_timer_keeps_its_waker() {
    let task = waker();
    let (mut timers, key, fired) = one_fired(task.clone());
    assert!(put_back(&mut timers, fired).is_empty());
    assert!(is_registered(&timers, key, &task));
}

#[test]
fn timer_firing_while_waker_is_out_wakes_again() {
    let task = waker();
    let (mut timers, key, fired) = one_fired(task.clone());
    let _ = timers.reschedule(key, 20);
    let _ = timers.fire(20, &mut Vec::new());
    let again = put_back(&mut timers, fired);
    assert_eq!(again.len(), 1);
    assert!(is_same(&again[0].waker, &task));
    assert!(put_back(&mut timers, again).is_empty());
    assert!(is_registered(&timers, key, &task));
}

#[test]
fn waker_set_while_old_is_out_stays() {
    let new = waker();
    let (mut timers, key, fired) = one_fired(waker());
    drop(timers.set_waker(key, new.clone()));
    let _ = put_back(&mut timers, fired);
    assert!(is_registered(&timers, key, &new));
}

/// Of two wakers that are out, whichever comes back first.
#[test]
fn later_of_two_wakers_out_stays() {
    let (new, mut second) = (waker(), Vec::new());
    let (mut timers, key, first) = one_fired(waker());
    drop(timers.set_waker(key, new.clone()));
    let _ = timers.reschedule(key, 20);
    let _ = timers.fire(20, &mut second);
    assert!(put_back(&mut timers, second).is_empty());
    assert!(put_back(&mut timers, first).is_empty());
    assert!(is_registered(&timers, key, &new));
}

#[test]
fn timer_removed_while_waker_out_is_gone() {
    let (mut timers, key, fired) = one_fired(waker());
    drop(timers.remove(key));
    assert!(put_back(&mut timers, fired).is_empty());
    assert_eq!(timers.len(), 0);
}

#[test]
#[cfg_attr(miri, ignore = "thousands of timers: minutes")]
fn a_storm_is_handed_out_in_parts() {
    let mut timers = Timers::new(&Settings::default());
    for _ in 0..2 * BUDGET + 1 {
        let _ = timers.insert(10, Slack::UNSET, Waker::noop().clone());
    }
    let mut parts = Vec::new();
    loop {
        let mut fired = Vec::new();
        let more = timers.fire(10, &mut fired);
        parts.push(fired.len());
        if !more {
            break;
        }
    }
    assert_eq!(parts, [BUDGET, BUDGET, 1]);
}

/// However often it fires while its waker is out, there is one wake more, and then none.
#[test]
fn firing_twice_while_out_is_noted_once() {
    let (mut timers, key, fired) = one_fired(waker());
    for deadline in [20, 30, 40] {
        let _ = timers.reschedule(key, deadline);
        let mut none = Vec::new();
        let _ = timers.fire(deadline, &mut none);
        assert!(none.is_empty());
    }
    let again = put_back(&mut timers, fired);
    assert_eq!(again.len(), 1);
    assert!(put_back(&mut timers, again).is_empty());
    // Nothing is left of it for the next time.
    let _ = timers.reschedule(key, 50);
    let mut fired = Vec::new();
    let _ = timers.fire(50, &mut fired);
    assert!(put_back(&mut timers, fired).is_empty());
}

/// What one timer missed is not told to its successor, nor to a waker that came later.
#[test]
fn missed_wake_of_a_replaced_waker_is_forgotten() {
    for is_removed in [false, true] {
        let (mut timers, key, fired) = one_fired(waker());
        let _ = timers.reschedule(key, 20);
        let _ = timers.fire(20, &mut Vec::new());
        let new = waker();
        let key = if is_removed {
            drop(timers.remove(key));
            timers.insert(30, Slack::UNSET, new.clone()).0
        } else {
            drop(timers.set_waker(key, new.clone()));
            key
        };
        assert!(put_back(&mut timers, fired).is_empty());
        assert!(is_registered(&timers, key, &new));
    }
}

#[test]
#[cfg_attr(miri, ignore = "four hundred thousand timers: minutes")]
fn memory_is_given_back_to_two_blocks() {
    const BLOCK: usize = 4096;
    let mut timers = Timers::new(&Settings::default());
    let mut capacities = |count: usize| {
        let keys = (0..count).map(|_| timers.insert(10, Slack::UNSET, Waker::noop().clone()).0);
        let keys: Vec<_> = keys.collect();
        let full = timers.wheel.capacity();
        keys[1..].iter().for_each(|&key| drop(timers.remove(key)));
        let one_left = timers.wheel.capacity();
        drop(timers.remove(keys[0]));
        (full, one_left, timers.wheel.capacity())
    };
    assert_eq!(capacities(BLOCK), (BLOCK, BLOCK, BLOCK));
    let (full, one_left, empty) = capacities(100 * BLOCK);
    assert_eq!((full, one_left, empty), (100 * BLOCK, 2 * BLOCK, BLOCK));
}
