//! Timers.

use std::task::Poll;
use std::time::{Duration, Instant};

use futures_lite::{StreamExt, future};

use super::subject::{Timer, block_on};
use crate::tools::{HOUR, MS, new_task, poll};

/// Far enough for a busy machine to come to the next line before.
const SOON: Duration = Duration::from_millis(300);

#[test]
fn past_deadline_is_due_at_first_poll() {
    let (task, waker) = new_task();
    let due = Instant::now();
    assert_eq!(poll(&mut Timer::at(due), &waker), Poll::Ready(due));
    assert_eq!(task.count(), 0);
}

#[test]
fn timer_wakes_once_and_yields_its_deadline() {
    let (task, waker) = new_task();
    let due = Instant::now() + SOON;
    let mut timer = Timer::at(due);
    assert_eq!(poll(&mut timer, &waker), Poll::Pending);
    task.wait_for(1);
    assert!(Instant::now() >= due);
    task.stays_at(1);
    assert_eq!(poll(&mut timer, &waker), Poll::Ready(due));
}

#[test]
fn a_timer_that_fired_is_pending_for_ever() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(Duration::ZERO);
    assert!(timer.will_fire());
    assert!(poll(&mut timer, &waker).is_ready());
    assert!(!timer.will_fire());
    assert!(poll(&mut timer, &waker).is_pending());
    task.stays_at(0);
}

#[test]
fn what_the_clock_cannot_count_to_is_never() {
    for timer in [Timer::never(), Timer::after(Duration::MAX), Timer::interval(Duration::MAX)] {
        assert!(!timer.will_fire());
    }
    let mut timer = Timer::after(HOUR);
    timer.set_after(Duration::MAX);
    assert!(!timer.will_fire());
    timer.set_interval(Duration::MAX);
    assert!(!timer.will_fire());
}

#[test]
fn the_first_tick_comes_after_one_period() {
    let start = Instant::now();
    let first = block_on(Timer::interval(20 * MS).next()).unwrap();
    assert!(first >= start + 20 * MS);
    assert!(first < start + 10_000 * MS);
}

#[test]
fn missed_ticks_burst_on_the_grid() {
    let (task, waker) = new_task();
    let start = Instant::now() - 50 * MS;
    let mut ticks = Timer::interval_at(start, 10 * MS);
    for index in 0..=5 {
        let tick = future::block_on(future::poll_once(ticks.next()));
        assert_eq!(tick, Some(Some(start + index * 10 * MS)));
    }
    assert_eq!(task.count(), 0);
    drop(waker);
}

#[test]
fn next_tick_wakes_without_another_poll() {
    let (task, waker) = new_task();
    let mut ticks = Timer::interval_at(Instant::now(), 20 * MS);
    assert!(poll(&mut ticks, &waker).is_ready());
    assert_eq!(task.count(), 0);
    task.wait_for(1);
    task.stays_at(1);
}

#[test]
fn a_period_of_zero_is_always_ready() {
    let (_, waker) = new_task();
    let start = Instant::now();
    let mut ticks = Timer::interval_at(start, Duration::ZERO);
    for _ in 0..10 {
        assert_eq!(poll(&mut ticks, &waker), Poll::Ready(start));
    }
}

#[test]
fn endless_period_yields_one_tick() {
    let (_, waker) = new_task();
    let mut ticks = Timer::interval_at(Instant::now(), Duration::MAX);
    assert!(poll(&mut ticks, &waker).is_ready());
    assert!(!ticks.will_fire());
}

#[test]
fn setter_without_a_poll_wakes_nobody() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(HOUR);
    timer.set_after(MS);
    task.stays_at(0);
    assert!(poll(&mut timer, &waker).is_ready());
}

#[test]
fn setter_arms_the_waker_that_polled_last() {
    let (first, first_waker) = new_task();
    let (last, last_waker) = new_task();
    let mut timer = Timer::after(HOUR);
    assert!(poll(&mut timer, &first_waker).is_pending());
    assert!(poll(&mut timer, &last_waker).is_pending());
    timer.set_after(5 * MS);
    last.wait_for(1);
    first.stays_at(0);
}

#[test]
fn setters_postpone_or_wake_at_once() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(SOON);
    assert!(poll(&mut timer, &waker).is_pending());
    timer.set_after(HOUR);
    std::thread::sleep(SOON);
    task.stays_at(0);
    timer.set_at(Instant::now());
    task.wait_for(1);
}

/// Although nobody polled since.
#[test]
fn setter_after_the_wake_arms_again() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(SOON);
    assert!(poll(&mut timer, &waker).is_pending());
    task.wait_for(1);
    for times in 2..5 {
        timer.set_after(2 * MS);
        task.wait_for(times);
    }
}

#[test]
fn setter_after_yielding_does_not_wake() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(Duration::ZERO);
    assert!(poll(&mut timer, &waker).is_ready());
    timer.set_after(MS);
    assert!(timer.will_fire());
    task.stays_at(0);
    assert!(poll(&mut timer, &waker).is_ready());
}

#[test]
fn clearing_takes_the_deadline_and_keeps_the_waker() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(SOON);
    assert!(poll(&mut timer, &waker).is_pending());
    timer.clear();
    assert!(!timer.will_fire());
    std::thread::sleep(SOON);
    task.stays_at(0);
    // A poll of a timer without a deadline does not change which task the next one wakes.
    let (other, other_waker) = new_task();
    assert!(poll(&mut timer, &other_waker).is_pending());
    timer.set_after(MS);
    task.wait_for(1);
    other.stays_at(0);
}

#[test]
fn set_at_keeps_the_period() {
    let mut timer = Timer::interval(HOUR);
    let due = Instant::now() - HOUR / 2;
    timer.set_at(due);
    let (_, waker) = new_task();
    assert_eq!(poll(&mut timer, &waker), Poll::Ready(due));
    assert!(timer.will_fire());
}

#[test]
fn a_cleared_interval_keeps_its_period() {
    let mut timer = Timer::interval(HOUR);
    timer.clear();
    timer.set_at(Instant::now());
    let (_, waker) = new_task();
    assert!(poll(&mut timer, &waker).is_ready());
    assert!(timer.will_fire());
}

#[test]
fn set_interval_makes_a_timer_periodic() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(HOUR);
    assert!(poll(&mut timer, &waker).is_pending());
    timer.set_interval(5 * MS);
    task.wait_for(1);
    assert!(poll(&mut timer, &waker).is_ready());
    assert!(timer.will_fire());
    task.wait_for(2);
}

#[test]
fn a_dropped_timer_wakes_nobody() {
    let (task, waker) = new_task();
    let mut timer = Timer::after(SOON);
    assert!(poll(&mut timer, &waker).is_pending());
    drop(timer);
    std::thread::sleep(SOON);
    task.stays_at(0);
    assert_eq!(std::sync::Arc::strong_count(&task), 2, "the waker is not kept");
    drop(waker);
}

#[test]
fn armed_timer_moves_to_another_thread() {
    let (_, waker) = new_task();
    let mut timer = Timer::after(SOON);
    assert!(poll(&mut timer, &waker).is_pending());
    std::thread::spawn(move || block_on(timer)).join().unwrap();
}
