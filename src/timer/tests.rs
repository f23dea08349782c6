//! What only the inside of a timer shows: its count of ticks, and the clock to the nanosecond.

use std::task::Waker;

use super::*;
use crate::clock::manual;
use crate::driver::TaskPoll;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_timer_takes_forty_bytes() {
    assert!(size_of::<Timer>() <= 40, "{}", size_of::<Timer>());
}

#[test]
fn timer_is_due_to_the_nanosecond() {
    manual::set(0);
    let mut timer = Timer::after(Duration::from_nanos(10));
    let mut cx = Context::from_waker(Waker::noop());
    for at in [0, 1, 9] {
        manual::set(at);
        assert!(Pin::new(&mut timer).poll(&mut cx).is_pending(), "at {at} ns");
    }
    manual::set(10);
    assert!(Pin::new(&mut timer).poll(&mut cx).is_ready());
}

/// An interval of a minute whose first tick lies `ticks` minutes back, counting itself: as
/// many are overdue, by a clock that stands. Nobody drives its entry before the test is over:
/// to the fallback, whose clock goes on, it is due in days.
fn lagging(ticks: u32) -> Timer {
    manual::set(clock::wheel_now() + 10 * 1440 * 60_000_000_000);
    lagging_now(ticks)
}

/// The same, of less than ten days after the clock was set last.
fn lagging_now(ticks: u32) -> Timer {
    Timer::interval_at(clock::now() - MINUTE * (ticks - 1), MINUTE)
}

/// Takes ticks without waiting, until there is none. Each has to be the next of the grid.
fn drain(timer: &mut Timer) -> u32 {
    let mut cx = Context::from_waker(Waker::noop());
    let mut ticks = 0;
    let mut due = timer.when;
    while let Poll::Ready(tick) = Pin::new(&mut *timer).poll_next(&mut cx) {
        assert_eq!(tick, due, "off the grid");
        due = due.map(|due| due + MINUTE);
        ticks += 1;
    }
    ticks
}

/// A thread's ticks were counted together once, so that of several intervals each of which is
/// a little behind, one ended too early.
#[test]
fn each_interval_yields_all_of_1024_ticks() {
    for ticks in [600, 1023, 1024, 1] {
        assert_eq!(drain(&mut lagging(ticks)), ticks);
    }
    for _ in 0..3000 {
        assert_eq!(drain(&mut lagging(2)), 2);
    }
}

#[test]
fn interval_gives_way_after_1024_ticks() {
    // Another one that is overdue is yielded as well, if it is the last.
    assert_eq!(drain(&mut lagging(1025)), 1025);
    let mut timer = lagging(5000);
    assert_eq!(drain(&mut timer), 1024);
    assert!(timer.is_scheduled(), "its task is not woken");
}

#[test]
fn interval_stays_pending_until_its_entry_fires() {
    let mut timer = lagging(5000);
    drain(&mut timer);
    assert_eq!((drain(&mut timer), drain(&mut timer)), (0, 0));
    fire(&mut timer);
    assert_eq!((drain(&mut timer), drain(&mut timer)), (1024, 0));
}

/// Lets the entry fire, or as good as that: no other test's timer is touched.
fn fire(timer: &mut Timer) {
    if let Some(Entry { shard, key }) = timer.entry() {
        shard.unschedule_timer(*key);
    }
}

/// As long as it exists, polls are part of one poll of a `block_on` call.
fn in_block_on() -> impl Drop {
    TaskPoll::begin()
}

/// A task takes whichever of some intervals is ready, and another thread drives: the entry of each
/// that is pending fires before it is polled the next time. The task must find all of them pending
/// some time, whichever it asks first.
#[test]
fn task_of_overdue_intervals_is_sometimes_pending() {
    for count in [1, 2, 3, 10] {
        for backwards in [false, true] {
            let mut intervals: Vec<Timer> = (0..count).map(|_| lagging(10_000)).collect();
            let mut cx = Context::from_waker(Waker::noop());
            for pass in 0..5 {
                let _during = in_block_on();
                let mut ready = || {
                    let mut order: Vec<&mut Timer> = intervals.iter_mut().collect();
                    if backwards {
                        order.reverse();
                    }
                    order.into_iter().any(|timer| {
                        let ready = Pin::new(&mut *timer).poll_next(&mut cx).is_ready();
                        if !ready {
                            assert!(timer.is_scheduled(), "its task is not woken");
                            fire(timer);
                        }
                        ready
                    })
                };
                let ticks = (0..count * 1024 + 1).take_while(|_| ready()).count();
                assert_eq!(ticks, count * 1024, "{count} intervals, pass {pass}");
            }
        }
    }
}

/// An interval that another one of its task gives way with, each time, must not starve beside it.
#[test]
fn overdue_intervals_of_a_task_all_go_on() {
    let mut storm = lagging(10_000);
    let mut other = lagging_now(5_000);
    for pass in 0..4 {
        let _during = in_block_on();
        assert_eq!((drain(&mut storm), drain(&mut other)), (1024, 1024), "pass {pass}");
        fire(&mut storm);
        fire(&mut other);
    }
}

/// Nor is an interval that is only a little behind any worse off beside it, or after it.
#[test]
fn overdue_interval_is_not_held_by_another() {
    let mut storm = lagging(10_000);
    let mut others = [lagging_now(900), lagging_now(1_000)];
    let _during = in_block_on();
    drain(&mut storm);
    assert_eq!(drain(&mut others[0]), 900);
    drop(storm);
    assert_eq!(drain(&mut others[1]), 1_000);
}

/// Another executor that runs inside of a `block_on` call polls the task again and again, without
/// an end to that call's poll.
#[test]
fn interval_of_a_nested_executor_goes_on() {
    let mut storm = lagging(10_000);
    let mut other = lagging_now(8_000);
    let _during = in_block_on();
    for pass in 0..4 {
        assert_eq!(drain(&mut storm), 1024, "pass {pass}");
        assert_eq!(drain(&mut other), 1024, "pass {pass}");
        fire(&mut storm);
        fire(&mut other);
    }
}

/// Outside `block_on` nothing tells one poll of a task from the next.
#[test]
fn outside_block_on_a_fired_entry_suffices() {
    let mut storm = lagging(10_000);
    for _ in 0..4 {
        assert_eq!(drain(&mut storm), 1024);
        fire(&mut storm);
    }
}

#[test]
fn count_restarts_when_not_due() {
    let mut timer = lagging(1000);
    for _ in 0..3 {
        assert_eq!(drain(&mut timer), 1000);
        manual::set(clock::wheel_now() + 1000 * 60_000_000_000);
    }
}

/// An interval that falls behind now and then, and catches up each time, must not give way
/// because of all these ticks together, though it was never polled when it was not due.
#[test]
fn count_restarts_when_caught_up() {
    let mut timer = lagging(1000);
    let mut cx = Context::from_waker(Waker::noop());
    for backlog in 0..10 {
        for tick in 0..1000 {
            let poll = Pin::new(&mut timer).poll_next(&mut cx);
            assert!(poll.is_ready(), "tick {tick} of backlog {backlog}");
        }
        manual::set(clock::wheel_now() + 1000 * 60_000_000_000);
    }
}

#[test]
fn count_restarts_when_set() {
    let mut timer = lagging(5000);
    let start = timer.when.unwrap();
    drain(&mut timer);
    let setters: [fn(&mut Timer, Instant); 2] =
        [Timer::set_at, |timer, start| timer.set_interval_at(start, MINUTE)];
    for set in setters {
        // One that has given way, and one that has a part of its ticks.
        for already in [0, 500] {
            set(&mut timer, start + MINUTE * (5000 - 1024));
            assert_eq!(drain(&mut timer), 1024);
            set(&mut timer, start + MINUTE * (5000 - already));
            assert_eq!(drain(&mut timer), already);
        }
    }
}
