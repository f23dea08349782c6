//! How much is done while the lock is held.

use super::*;
use crate::reactor::Settings;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = SECOND / 1_000;

/// The rest of a chunk of each of the eight levels.
const BEGUN: u64 = 8 * 13;

/// Those without a slack, and twice as many that have one: of one slack they may begin when those of
/// others have moved nearly as many as a step may.
const MOST_MOVES: u64 = 6 * BUDGET as u64 + 3 * BEGUN;

fn insert(timers: &mut Timers, deadline: u64, slack: Slack) {
    let _ = timers.insert(deadline, slack, Waker::noop().clone());
}

/// Fires all that is due, and fails if one step fires or moves more than it may.
fn fire_in_bounded_steps(timers: &mut Timers, now: u64, most_moves: u64) {
    let mut fired = Vec::new();
    let mut more = true;
    while more {
        let before = timers.stats().0.moved;
        fired.clear();
        more = timers.fire(now, &mut fired);
        let moved = timers.stats().0.moved - before;
        assert!(fired.len() <= BUDGET, "{} fired in a step", fired.len());
        assert!(moved <= most_moves, "{moved} moved in a step");
    }
}

/// Far ahead, all at one moment: nothing expires before that could have others pre-cascaded.
#[test]
#[cfg_attr(miri, ignore = "a hundred thousand timers: minutes")]
fn crowded_moment_is_reached_in_bounded_steps() {
    for spread in [1, 10 * MS, SECOND] {
        let mut timers = Timers::new(&Settings::default());
        for number in 0..100_000 {
            insert(&mut timers, 3_600 * SECOND + number * 7_919 % spread, Slack::UNSET);
        }
        for step in 0..20 {
            let now = 3_600 * SECOND + spread * step / 19;
            fire_in_bounded_steps(&mut timers, now, 2 * BUDGET as u64 + BEGUN);
        }
        assert_eq!(timers.next_deadline(), NEVER);
    }
}

/// Of the same duration, armed evenly: the wheel's slots are full when they are reached.
#[test]
#[cfg_attr(miri, ignore = "a hundred thousand timers: minutes")]
fn even_flow_is_fired_in_bounded_steps() {
    let mut timers = Timers::new(&Settings::default());
    for step in 0..10_000 {
        let now = step * MS;
        (0..20).for_each(|number| {
            insert(&mut timers, now + 5 * SECOND + number * 50_000, Slack::UNSET)
        });
        fire_in_bounded_steps(&mut timers, now, 2 * BUDGET as u64 + BEGUN);
    }
    assert_eq!(timers.len(), 200_000, "they stay, idle");
    assert!(timers.stats().0.moved > 100_000, "they were moved");
}

/// Crowds of several slacks do not add up in one step.
#[test]
#[cfg_attr(miri, ignore = "thousands of timers: minutes")]
fn crowds_of_slacks_move_one_after_another() {
    let mut timers = Timers::new(&Settings::default());
    for milliseconds in 1..8 {
        let slack = Slack::of(std::time::Duration::from_millis(milliseconds));
        (0..2_100).for_each(|_| insert(&mut timers, 3_600 * SECOND, slack));
    }
    (0..10_000).for_each(|_| insert(&mut timers, 3_600 * SECOND, Slack::UNSET));
    fire_in_bounded_steps(&mut timers, 3_600 * SECOND, MOST_MOVES);
    assert_eq!(timers.next_deadline(), NEVER);
}

/// Nor do those that were postponed, fewer than a step may move of each slack.
#[test]
#[cfg_attr(miri, ignore = "thousands of timers: minutes")]
fn postponed_crowds_of_slacks_do_not_add_up() {
    let mut timers = Timers::new(&Settings::default());
    for milliseconds in 1..8 {
        let slack = Slack::of(std::time::Duration::from_millis(milliseconds));
        let waker = Waker::noop();
        let keys: Vec<_> =
            (0..900).map(|_| timers.insert(SECOND, slack, waker.clone()).0).collect();
        keys.into_iter().for_each(|key| _ = timers.reschedule(key, 3_600 * SECOND));
    }
    fire_in_bounded_steps(&mut timers, 2 * SECOND, MOST_MOVES);
    assert!(timers.stats().0.moved >= 7 * 899, "all were looked at");
}
