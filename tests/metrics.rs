//! Each number of the metrics: a known number of things is made to happen, in a process of its own.

mod common;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::diagnostics::{Metrics, ShardMetrics, metrics};
use async_wheel::driver::{drive, notify};
use async_wheel::{Async, Builder, Timer, block_on};
use common::process::alone;
use common::{A_WHILE, HOUR, MS, PATIENCE, Wakes, armed, eventually, parked, poll_with};
use futures_lite::StreamExt;

const NOW: Option<Duration> = Some(Duration::ZERO);

fn total() -> ShardMetrics {
    metrics().total()
}

/// Nothing runs but this thread.
fn without_thread() {
    Builder::new().fallback_thread(false).build().unwrap();
}

/// A timer that waits.
fn waiting(make: impl Fn() -> Timer) -> Timer {
    armed(&Wakes::new().waker(), make)
}

/// So many timers that wait for one deadline, soon, and that deadline.
fn waiting_for_one(count: usize) -> (Vec<Timer>, Instant) {
    let mut timers: Vec<_> = (0..count).map(|_| waiting(|| Timer::after(HOUR))).collect();
    let due = Instant::now() + MS;
    timers.iter_mut().for_each(|timer| timer.set_at(due));
    (timers, due)
}

/// Sleeps until so much has passed since an instant.
fn sleep_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

/// A thread in `block_on`, until the sender is dropped.
fn in_block_on() -> (async_channel::Sender<()>, thread::JoinHandle<()>) {
    let (stop, stopped) = async_channel::bounded::<()>(1);
    (stop, thread::spawn(move || _ = block_on(stopped.recv())))
}

#[test]
fn nothing_is_counted_before_first_use() {
    alone(|| {
        assert_eq!(metrics(), Metrics::default());
        drop(Timer::after(MS));
        assert_eq!(metrics(), Metrics::default());
    });
}

#[test]
fn timers_are_counted_by_what_becomes_of_them() {
    alone(|| {
        without_thread();
        let due = Instant::now() + MS;
        let mut timers: Vec<_> = (0..10).map(|_| waiting(|| Timer::after(HOUR))).collect();
        let fire: Vec<_> = (0..7)
            .map(|_| {
                let mut timer = Timer::at(due);
                let _ = poll_with(&Wakes::new().waker(), &mut timer);
                timer
            })
            .collect();
        let at_once = 17 - total().timers.armed;
        assert!(at_once <= 7, "due before they were polled");
        timers[0].set_after(2 * HOUR);
        timers[1].set_after(HOUR / 2);
        timers[2].clear();
        timers[3].clear();
        timers[3].set_after(HOUR);
        timers.truncate(5);
        thread::sleep(2 * MS);
        drive(NOW).unwrap();
        let counted = total().timers;
        assert_eq!(counted.armed, 18 - at_once, "one of them again");
        assert_eq!(counted.fired, 7 - at_once);
        assert_eq!(counted.postponed, 2);
        assert_eq!(counted.cancelled, 2 + 5);
        assert_eq!(counted.pending, 4);
        drop((timers, fire));
        assert_eq!((total().timers.pending, total().timers.cancelled), (0, 7 + 4));
    });
}

/// With slack, and as intervals, too.
#[test]
fn intervals_and_slack_count_as_others() {
    alone(|| {
        without_thread();
        let slack = waiting(|| Timer::after(MS).with_slack(HOUR));
        thread::sleep(2 * MS);
        drive(NOW).unwrap();
        let counted = total().timers;
        assert_eq!((counted.armed, counted.fired, counted.pending), (1, 1, 0));
        // A tick arms the next, which is cancelled.
        let mut ticks = Timer::interval_at(Instant::now(), HOUR);
        block_on(ticks.next());
        assert_eq!((total().timers.armed, total().timers.pending), (2, 1));
        drop(ticks);
        assert_eq!((total().timers.cancelled, total().timers.pending), (1, 0));
        // Not one that has come by then.
        block_on(Timer::interval(MS).take(3).count());
        let counted = total().timers;
        assert_eq!((counted.armed, counted.pending), (counted.fired + counted.cancelled, 0));
        drop(slack);
    });
}

#[test]
fn cascades_are_counted() {
    alone(|| {
        without_thread();
        let start = Instant::now();
        let _timers: Vec<_> = (0..2_000)
            .map(|number| {
                let mut timer = waiting(|| Timer::after(HOUR));
                timer.set_at(start + 30 * MS + number * MS / 20);
                timer
            })
            .collect();
        while total().timers.fired < 2_000 {
            drive(Some(PATIENCE)).unwrap();
        }
        assert!(total().timers.cascaded > 0);
    });
}

/// Two timers that fire 20 ms late, which is in one bucket, and one that fires 70 ms late.
#[test]
fn lateness_is_counted_in_its_bucket() {
    alone(|| {
        without_thread();
        let (_timers, due) = waiting_for_one(2);
        sleep_until(due + 20 * MS);
        drive(NOW).unwrap();
        let first = total().lateness;
        assert_eq!(first.count(), 2);
        let least = Duration::from_nanos(1 << 24);
        assert_eq!(
            first.bounds().filter(|&(bound, _)| bound > least).map(|it| it.1).sum::<u64>(),
            2
        );
        assert!(first.max() >= 19 * MS, "{:?}", first.max());

        let _timer = waiting(|| Timer::after(MS));
        thread::sleep(70 * MS);
        drive(NOW).unwrap();
        let second = total().lateness;
        assert_eq!(second.count(), 3);
        assert!(second.max() >= 69 * MS && second.quantile(1.0) == Some(second.max()));
    });
}

#[test]
fn rounds_seats_and_wakes_are_counted() {
    alone(|| {
        without_thread();
        drive(NOW).unwrap();
        let before = total();
        let (_timers, due) = waiting_for_one(5);
        sleep_until(due);
        for _ in 0..10 {
            drive(NOW).unwrap();
        }
        let after = total();
        assert_eq!(after.rounds - before.rounds, 10);
        assert_eq!(after.seat.acquired - before.seat.acquired, 10);
        assert_eq!(after.wakes - before.wakes, 5);
        assert_eq!(after.wakeups, before.wakeups, "nobody slept");
    });
}

/// Drives until something ends the sleep: the call's own time does not.
#[track_caller]
fn drive_until_ended(by: &str) {
    let start = Instant::now();
    drive(Some(PATIENCE)).unwrap();
    assert!(start.elapsed() < PATIENCE, "{by} has not ended the sleep");
}

/// Has a sleep end in a way, until it was asleep by then: on a busy machine it may come too late for
/// that. Returns how many such ends it took to be counted.
fn until_counted(count: impl Fn() -> u64, mut end_a_sleep: impl FnMut()) -> u64 {
    let before = count();
    for _ in 0..100 {
        end_a_sleep();
        if count() > before {
            break;
        }
    }
    count() - before
}

#[test]
fn wakeups_are_counted_by_cause() {
    alone(|| {
        without_thread();
        // The time of a timer.
        let deadlines = until_counted(
            || total().wakeups.deadline,
            || {
                let _timer = waiting(|| Timer::after(3 * MS));
                let before = total().timers.fired;
                while total().timers.fired == before {
                    drive_until_ended("a deadline");
                }
            },
        );
        assert_eq!(deadlines, 1);
        // A notification, while it sleeps.
        if cfg!(all(target_os = "linux", not(async_wheel_single_shard))) {
            let notifications = until_counted(
                || total().wakeups.notification,
                || {
                    let other = thread::spawn(|| {
                        thread::sleep(A_WHILE);
                        notify();
                    });
                    drive_until_ended("a notification");
                    other.join().unwrap();
                    drive(NOW).unwrap();
                },
            );
            assert_eq!(notifications, 1);
        }
        // The end of its time, with nothing to do.
        let ends = until_counted(|| total().wakeups.spurious, || _ = drive(Some(MS)).unwrap());
        assert_eq!(ends, 1);
        let spurious = total().wakeups;
        // An event.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let source = Async::new(listener.accept().unwrap().0).unwrap();
        let mut readable = std::pin::pin!(source.readable());
        assert!(poll_with(&Wakes::new().waker(), &mut readable).is_pending());
        drive(NOW).unwrap();
        peer.write_all(b"x").unwrap();
        drive(Some(PATIENCE)).unwrap();
        assert_eq!(total().wakeups.event - spurious.event, 1);
        assert!(total().events >= 1);
    });
}

/// A thread sleeps for one timer; one that is later leaves it asleep, one that is earlier does not.
#[test]
fn notifications_are_counted_as_sent_or_saved() {
    alone(|| {
        without_thread();
        let _timer = waiting(|| Timer::after(HOUR));
        let (stop, sleeper) = in_block_on();
        parked(1);
        thread::sleep(A_WHILE);
        let before = total().notifications;
        let _later = waiting(|| Timer::after(2 * HOUR));
        let saved = total().notifications;
        assert_eq!((saved.saved - before.saved, saved.sent - before.sent), (1, 0));
        let _earlier = waiting(|| Timer::after(HOUR / 2));
        assert_eq!(total().notifications.sent - before.sent, 1);
        drop(stop);
        sleeper.join().unwrap();
    });
}

/// The thread that drives ends its call, and the one that follows is promoted.
#[test]
fn promotions_are_counted() {
    alone(|| {
        without_thread();
        let (end_driver, driver) = in_block_on();
        parked(1);
        let (end_follower, follower) = in_block_on();
        parked(2);
        assert_eq!(total().seat.promoted, 0);
        drop(end_driver);
        driver.join().unwrap();
        // When the driver leaves to poll its future, and again if it ends before the other drives.
        assert!((1..=2).contains(&total().seat.promoted), "{:?}", total().seat);
        drop(end_follower);
        follower.join().unwrap();
    });
}

#[test]
fn sources_are_counted() {
    alone(|| {
        without_thread();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sources: Vec<_> = (0..5)
            .map(|_| {
                Async::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap()).unwrap()
            })
            .collect();
        let counted = total().sources;
        assert_eq!((counted.registrations, counted.registered, counted.migrations), (5, 5, 0));
        drop(sources);
        assert_eq!((total().sources.registrations, total().sources.registered), (5, 0));
    });
}

#[test]
fn fallback_counts_its_scans_and_services() {
    alone(|| {
        let wakes = Wakes::new();
        for round in 1..=5 {
            let mut timer = Timer::after(2 * MS);
            if poll_with(&wakes.waker(), &mut timer).is_pending() {
                wakes.wait_for(round);
            } else {
                wakes.waker().wake();
            }
        }
        // What it counts after it has woken the last task.
        eventually("it has counted", || metrics().fallback.services >= 1);
        let fallback = metrics().fallback;
        // Where pollers cannot be nested, it sleeps in the shard's.
        let sleeps = fallback.sleeps >= 1 || cfg!(async_wheel_single_shard);
        assert!(fallback.scans >= 1 && sleeps, "{fallback:?}");
        let table = metrics().to_string();
        assert!(table.contains("fallback scans") && table.contains("lateness max"), "{table}");
    });
}
