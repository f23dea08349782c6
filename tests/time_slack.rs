//! Timers with a slack, and without any.

mod common;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{RawWakerVTable, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::time::{IoTimeoutExt, TimeoutExt};
use async_wheel::{Timer, block_on, diagnostics, time};
use common::{A_WHILE, HOUR, MS, PATIENCE, Wakes, armed, in_time, poll_with, process, watchdog};
use futures_lite::{StreamExt, future};

#[test]
fn slack_never_fires_early() {
    let _watchdog = watchdog();
    block_on(async {
        for slack in [Duration::ZERO, Duration::from_nanos(1), MS, 10 * MS] {
            let start = Instant::now();
            let due = in_time("the timer", Timer::at(start + 3 * MS).with_slack(slack)).await;
            assert_eq!(due, start + 3 * MS);
            assert!(Instant::now() >= due, "early with a slack of {slack:?}");
        }
    });
}

/// The second is due while the first may still be late: the thread sleeps until both are due. In a
/// process of its own, where nothing else wakes it.
#[test]
fn timers_within_slack_are_woken_together() {
    // The machine may wake the thread between the two, to run it for the first time.
    let together = |_| {
        let (first, second) = (Wakes::new(), Wakes::new());
        block_on(async {
            let start = Instant::now();
            let mut early = Timer::at(start + 60 * MS).with_slack(PATIENCE);
            let mut late = Timer::at(start + 100 * MS).with_slack(30 * MS);
            let _ = poll_with(&first.waker(), &mut early);
            let _ = poll_with(&second.waker(), &mut late);
            let last = Timer::at(start + 200 * MS).with_slack(Duration::ZERO);
            in_time("a later timer", last).await;
            first.last() >= Some(start + 100 * MS) && second.last() >= first.last()
        })
    };
    process::alone(|| assert!((0..10).any(together), "woken for the first"));
}

#[test]
fn slack_longer_than_the_period_loses_no_tick() {
    let _watchdog = watchdog();
    block_on(async {
        let start = Instant::now();
        let mut timer = Timer::interval_at(start, MS).with_slack(5 * MS);
        for number in 0..20 {
            let due = in_time("a tick", timer.next()).await.unwrap();
            assert_eq!(due, start + number * MS);
            assert!(Instant::now() >= due);
        }
    });
}

#[test]
fn endless_slack_waits_for_others() {
    let _watchdog = watchdog();
    block_on(async {
        let lazy = Wakes::new();
        let timer = armed(&lazy.waker(), || Timer::after(MS).with_slack(Duration::MAX));
        assert_eq!(timer.slack(), Some(Duration::MAX));
        // What no number of nanoseconds says has no end, either.
        let centuries = Duration::from_nanos(u64::MAX);
        assert_eq!(Timer::never().with_slack(centuries).slack(), Some(Duration::MAX));
        // Whoever is awake for another one fires it too. On a busy machine another may be due before
        // anybody is.
        in_time("another", async {
            while lazy.count() == 0 {
                Timer::after(5 * MS).await;
            }
        })
        .await;
        assert_eq!(lazy.count(), 1);
    });
}

/// Its ticks are overdue: it waits for others to have their turn, and not for its slack.
#[test]
fn interval_that_gave_way_ignores_its_slack() {
    process::alone(|| {
        let wakes = Wakes::new();
        let mut far = Timer::after(HOUR);
        assert!(poll_with(&wakes.waker(), &mut far).is_pending());
        // The fallback thread has gone to sleep by then.
        thread::sleep(A_WHILE);
        let start = Instant::now().checked_sub(1_900 * MS).unwrap();
        let mut timer = Timer::interval_at(start, MS).with_slack(Duration::MAX);
        let mut ticks = 0;
        while ticks < 1_900 {
            let before = wakes.count();
            while poll_with(&wakes.waker(), &mut timer).is_ready() {
                ticks += 1;
            }
            if ticks < 1_900 {
                wakes.wait_for(before + 1);
            }
        }
    });
}

/// The clone of a waker panics while the timer changes its wheel: no entry is left.
#[test]
fn panicking_clone_leaves_no_entry() {
    process::alone(|| {
        let timers = || diagnostics::shards().iter().map(|shard| shard.timers).sum::<usize>();
        let wakes = Wakes::new();
        let mut timer = Timer::after(HOUR);
        assert!(poll_with(&wakes.waker(), &mut timer).is_pending());
        assert_eq!(timers(), 1);
        let mut timer = timer.with_slack(MS);
        let waker = clone_panics();
        let poll = AssertUnwindSafe(|| poll_with(&waker, &mut timer).is_pending());
        assert!(catch_unwind(poll).is_err());
        assert_eq!(timers(), 1);
        drop(timer);
        assert_eq!(timers(), 0);
    });
}

/// A waker that cannot be cloned.
fn clone_panics() -> Waker {
    const TABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("on purpose"), |_| {}, |_| {}, |_| {});
    // SAFETY: its functions touch nothing.
    unsafe { Waker::new(std::ptr::null(), &TABLE) }
}

#[test]
fn new_slack_holds_from_the_next_poll() {
    let _watchdog = watchdog();
    block_on(async {
        let waker = Wakes::new().waker();
        let timer = armed(&waker, || Timer::after(5 * MS).with_slack(HOUR));
        let mut timer = timer.with_slack(Duration::ZERO);
        in_time("the timer", &mut timer).await;
        timer.set_after(5 * MS);
        let timer = timer.with_slack(MS);
        in_time("the timer again", timer).await;
    });
}

#[test]
fn setters_keep_the_slack_of_a_waiting_timer() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    block_on(async {
        let mut timer = Timer::after(HOUR).with_slack(MS);
        assert!(poll_with(&wakes.waker(), &mut timer).is_pending());
        let start = Instant::now();
        timer.set_after(2 * MS);
        in_time("the wake", future::poll_fn(|cx| poll_with(cx.waker(), &mut timer))).await;
        assert!(start.elapsed() >= 2 * MS);
    });
}

#[test]
fn default_slack_is_for_timers_without_one() {
    process::alone(|| {
        assert_eq!(time::default_slack(), None);
        time::set_default_slack(Some(PATIENCE));
        assert_eq!(time::default_slack(), Some(PATIENCE));
        // Nothing but the exact one wakes this thread, unless it has not yet begun to sleep.
        let waits_for_other = |_| {
            block_on(async {
                let lazy = Wakes::new();
                let timer = armed(&lazy.waker(), || Timer::after(50 * MS));
                assert_eq!(timer.slack(), None);
                let start = Instant::now();
                let exact = Timer::after(120 * MS).with_slack(Duration::ZERO);
                in_time("the exact one", exact).await;
                lazy.last().is_none_or(|fired| fired >= start + 110 * MS)
            })
        };
        assert!((0..10).any(waits_for_other), "it has no slack");
        time::set_default_slack(None);
        block_on(in_time("one without", Timer::after(MS)));
    });
}

#[test]
fn more_slacks_than_fit_are_rounded_down() {
    process::alone(|| {
        for number in 1..=30 {
            let timer = Timer::after(MS).with_slack(number * MS);
            assert_eq!(timer.slack(), Some(number * MS));
        }
        let slack = |slack| Timer::after(MS).with_slack(slack).slack().unwrap();
        assert_eq!(slack(MS / 2), Duration::ZERO);
        assert_eq!(slack(5 * MS / 2), 2 * MS);
        assert_eq!(slack(HOUR), 30 * MS);
        assert_eq!(slack(7 * MS), 7 * MS);
    });
}

#[test]
fn interval_of_years_has_no_slack() {
    let year = 366 * 24 * HOUR;
    let timer = Timer::interval(year).with_slack(MS);
    assert_eq!((timer.slack(), timer.period()), (None, Some(year)));
}

#[test]
fn timeout_with_slack_is_not_early() {
    let _watchdog = watchdog();
    block_on(async {
        for slack in [Duration::ZERO, 5 * MS] {
            let start = Instant::now();
            let limited = future::pending::<()>().timeout(3 * MS).with_slack(slack);
            assert!(in_time("the end", limited).await.is_err());
            assert!(start.elapsed() >= 3 * MS, "with a slack of {slack:?}");
            let limited = future::pending::<io::Result<()>>().io_timeout(MS).with_slack(slack);
            let error = in_time("the end", limited).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    });
}
