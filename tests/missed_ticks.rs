//! Intervals that say what becomes of missed ticks, and their other setters and getters.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use async_wheel::time::MissedTicks;
use async_wheel::{Timer, block_on};
use common::{HOUR, MS, NANOSECOND, Wakes, armed, in_time, watchdog};
use futures_lite::{StreamExt, future};

const ALL: [MissedTicks; 3] = [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay];

/// An interval whose first tick was due `late` ago.
fn late(late: Duration, period: Duration, missed: MissedTicks) -> (Timer, Instant) {
    let due = Instant::now().checked_sub(late).expect("the machine has run for an hour or so");
    (Timer::interval_at(due, period).with_missed_ticks(missed), due)
}

async fn tick(timer: &mut Timer) -> Instant {
    in_time("a tick", timer.next()).await.unwrap()
}

#[test]
fn burst_makes_up_for_all_ticks() {
    block_on(async {
        let (mut timer, due) = late(100 * MS, MS, MissedTicks::Burst);
        for number in 0..100 {
            assert_eq!(tick(&mut timer).await, due + number * MS);
        }
    });
}

#[test]
fn skip_leaves_out_ticks_and_keeps_phase() {
    block_on(async {
        let before = Instant::now();
        let (mut timer, due) = late(100 * MS, 10 * MS, MissedTicks::Skip);
        assert_eq!(tick(&mut timer).await, due);
        for _ in 0..3 {
            let next = timer.deadline().unwrap();
            assert!(next > before, "{:?} ago", before - next);
            assert_eq!((next - due).as_nanos() % (10 * MS).as_nanos(), 0, "out of phase");
            assert_eq!(tick(&mut timer).await, next);
            assert!(Instant::now() >= next);
        }
    });
}

/// One poll, after which the next tick lies ahead.
#[test]
fn skip_of_a_long_stall_is_one_poll() {
    block_on(async {
        for periods in [1_000, 1_000_000, 100_000_000] {
            let (mut timer, due) = late(periods * 10 * NANOSECOND, HOUR, MissedTicks::Skip);
            timer.set_interval_at(due, 10 * NANOSECOND);
            let polled = Instant::now();
            assert_eq!(tick(&mut timer).await, due);
            assert!(timer.deadline().unwrap() > polled, "after {periods} periods");
        }
    });
}

#[test]
fn delay_lets_a_period_pass_after_each() {
    let _watchdog = watchdog();
    block_on(async {
        let (mut timer, due) = late(35 * MS, 10 * MS, MissedTicks::Delay);
        assert_eq!(tick(&mut timer).await, due);
        for _ in 0..3 {
            let taken = Instant::now();
            let next = timer.deadline().unwrap();
            assert!(next <= taken + 10 * MS);
            assert_eq!(tick(&mut timer).await, next);
            assert!(Instant::now() >= next);
            // Late, but by less than a period.
            thread::sleep(3 * MS);
        }
    });
}

#[test]
fn burst_and_skip_agree_on_ticks_in_time() {
    let _watchdog = watchdog();
    block_on(async {
        for missed in [MissedTicks::Burst, MissedTicks::Skip] {
            let start = Instant::now() + 5 * MS;
            let mut timer = Timer::interval_at(start, HOUR).with_missed_ticks(missed);
            assert_eq!(tick(&mut timer).await, start);
            assert_eq!(timer.deadline(), Some(start + HOUR));
        }
    });
}

#[test]
fn period_of_zero_never_ends() {
    let _watchdog = watchdog();
    block_on(async {
        for missed in ALL {
            let mut timer = Timer::interval(Duration::ZERO).with_missed_ticks(missed);
            let mut last = tick(&mut timer).await;
            for _ in 0..5_000 {
                let next = tick(&mut timer).await;
                assert!(next >= last, "{missed:?} goes back");
                last = next;
            }
        }
    });
}

#[test]
fn endless_period_yields_one_tick() {
    block_on(async {
        for missed in ALL {
            let start = Instant::now();
            let mut timer = Timer::interval_at(start, Duration::MAX).with_missed_ticks(missed);
            assert_eq!(tick(&mut timer).await, start);
            assert_eq!((timer.deadline(), timer.period()), (None, None));
            assert!(future::poll_once(timer.next()).await.is_none());
        }
    });
}

#[test]
fn choice_survives_every_setter() {
    for missed in ALL {
        let mut timer = Timer::never().with_missed_ticks(missed).with_slack(MS);
        let check = |timer: &Timer| {
            assert_eq!((timer.missed_ticks(), timer.slack()), (missed, Some(MS)));
        };
        timer.set_interval(HOUR);
        check(&timer);
        timer.set_after(MS);
        check(&timer);
        timer.set_interval_at(Instant::now(), 2 * HOUR);
        check(&timer);
        timer.clear();
        check(&timer);
        timer.reset();
        check(&timer);
        assert_eq!(timer.period(), Some(2 * HOUR));
    }
}

#[test]
fn reset_starts_a_period_from_now() {
    let mut timer = Timer::interval_at(Instant::now(), HOUR);
    let before = Instant::now();
    timer.reset();
    let next = timer.deadline().unwrap();
    assert!(next >= before + HOUR && next <= Instant::now() + HOUR);
    timer.clear();
    timer.reset();
    assert!(timer.deadline().unwrap() >= before + HOUR, "a cleared one ticks again");
    let mut once = Timer::after(HOUR);
    let due = once.deadline();
    once.reset();
    assert_eq!(once.deadline(), due, "it has no period");
}

#[test]
fn reset_of_a_due_timer_forgets_the_tick() {
    let _watchdog = watchdog();
    block_on(async {
        for missed in ALL {
            let waker = Wakes::new().waker();
            let hourly = || Timer::interval_at(Instant::now() + 5 * MS, HOUR);
            let mut timer = armed(&waker, || hourly().with_missed_ticks(missed));
            thread::sleep(6 * MS);
            let now = Instant::now();
            timer.reset();
            assert!(future::poll_once(timer.next()).await.is_none(), "{missed:?}");
            assert!(timer.deadline().unwrap() >= now + HOUR);
            // As one that has just begun.
            timer.set_interval(MS);
            assert!(tick(&mut timer).await >= now + MS);
        }
    });
}

#[test]
fn reset_at_the_past_is_due_now() {
    block_on(async {
        let mut timer = Timer::interval(HOUR);
        let past = Instant::now().checked_sub(MS).unwrap();
        timer.reset_at(past);
        assert_eq!(tick(&mut timer).await, past);
        assert_eq!(timer.deadline(), Some(past + HOUR));
    });
}
