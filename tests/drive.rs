//! Driving by hand: `drive`, `next_deadline`, `notify`, and a descriptor for other event loops; with
//! the fallback thread and without. Each test is in a process of its own.

mod common;

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::driver::{Round, drive, next_deadline, notify};
use async_wheel::{Async, Builder, Timer, block_on, diagnostics};
use common::process::alone;
use common::{A_WHILE, HOUR, MS, PATIENCE, Wakes, are_parked, armed, in_time, parked, poll_with};

const NOW: Option<Duration> = Some(Duration::ZERO);

fn without_thread() {
    Builder::new().fallback_thread(false).build().unwrap();
}

/// Drives until a task was woken as often as this.
#[track_caller]
fn drive_until(wakes: &Wakes, count: usize) {
    let start = Instant::now();
    while wakes.count() < count {
        assert!(start.elapsed() < PATIENCE, "no wake");
        drive(Some(PATIENCE)).unwrap();
    }
}

/// A connection whose reading end waits for something to read.
fn pending_read() -> (TcpStream, Async<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (peer, Async::new(listener.accept().unwrap().0).unwrap())
}

#[test]
fn drive_fires_timers_and_dispatches_events() {
    alone(|| {
        without_thread();
        let wakes = Wakes::new();
        let mut timer = armed(&wakes.waker(), || Timer::after(HOUR));
        assert_eq!(drive(NOW).unwrap(), Round::default());
        let start = Instant::now();
        timer.set_after(5 * MS);
        let round = drive(Some(PATIENCE)).unwrap();
        assert_eq!((round.timers, round.events, round.more), (1, 0, false));
        assert!(start.elapsed() >= 5 * MS && wakes.count() == 1);

        let (mut peer, source) = pending_read();
        let mut readable = pin!(source.readable());
        assert!(poll_with(&wakes.waker(), &mut readable).is_pending());
        assert_eq!(drive(NOW).unwrap(), Round::default());
        peer.write_all(b"x").unwrap();
        drive_until(&wakes, 2);
        assert!(poll_with(&wakes.waker(), &mut readable).is_ready());
    });
}

/// Drives until this time has passed, each call for what is left of it.
fn drive_for(time: Duration) {
    let start = Instant::now();
    let mut calls = 0;
    while let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        drive(Some(left)).unwrap();
        calls += 1;
    }
    assert!(start.elapsed() < PATIENCE && calls < 50, "{calls} calls");
}

#[test]
fn drive_returns_when_its_time_is_over() {
    alone(|| {
        without_thread();
        drive_for(30 * MS);
    });
}

#[test]
fn drive_beside_fallback_returns_when_time_is_over() {
    alone(|| drive_for(30 * MS));
}

/// Without the thread nobody else fires a timer; with it, somebody does.
#[test]
fn nothing_happens_outside_of_drive_without_thread() {
    alone(|| {
        without_thread();
        let wakes = Wakes::new();
        let _timer = armed(&wakes.waker(), || Timer::after(MS));
        wakes.stays_at(0);
        drive_until(&wakes, 1);
    });
}

#[test]
fn drive_beside_the_fallback_loses_nothing() {
    alone(|| {
        let wakes = Wakes::new();
        for round in 1..=200 {
            let _timer = armed(&wakes.waker(), || Timer::after(MS / 2));
            while wakes.count() < round {
                drive(Some(5 * MS)).unwrap();
            }
        }
    });
}

/// Waits until so many threads are in `block_on` and parked, or the deadline has come. Returns `true`
/// if they were before.
fn parked_before(threads: usize, deadline: Instant) -> bool {
    while !are_parked(threads) && Instant::now() < deadline {
        thread::sleep(MS);
    }
    Instant::now() < deadline
}

/// Makes an attempt whose threads have to be parked before a deadline, and returns when one says
/// that they were: on a busy machine they may not be, and each attempt has twice the time.
#[track_caller]
fn until_prepared(attempt: impl Fn(Instant) -> bool) {
    let prepared = (0..6).any(|number| attempt(Instant::now() + 5 * A_WHILE * (1 << number)));
    assert!(prepared, "the threads were never parked before the deadline");
}

/// Computes, and drives nothing, until the other end is dropped.
fn compute(until: &Receiver<()>) {
    until.recv().unwrap_err();
}

/// Threads in `block_on` and in `drive` share the one shard: when the one that drives leaves to
/// compute, another takes over.
#[test]
fn followers_take_over_without_fallback() {
    alone(|| {
        without_thread();
        until_prepared(|due| {
            let (leave, told_to_leave) = async_channel::bounded(1);
            let (stop, until) = mpsc::channel();
            let busy = thread::spawn(move || {
                block_on(async {
                    told_to_leave.recv().await.unwrap();
                    let left = Instant::now();
                    compute(&until);
                    left
                })
            });
            parked(1);
            let (end, ended) = mpsc::channel();
            let sleepers = [0, 1, 2].map(|_| {
                let end = end.clone();
                thread::spawn(move || {
                    block_on(async {
                        // Not due when the other one leaves: nobody is woken for a timer then.
                        Timer::at(due).await;
                        for _ in 0..20 {
                            Timer::after(MS).await;
                        }
                    });
                    end.send(()).unwrap();
                })
            });
            let parked = parked_before(4, due);
            leave.send_blocking(()).unwrap();
            for _ in &sleepers {
                ended.recv_timeout(PATIENCE).expect("it does not wait for a thread that computes");
            }
            drop(stop);
            sleepers.into_iter().for_each(|thread| thread.join().unwrap());
            busy.join().unwrap() < due && parked
        });
    });
}

/// The follower that is promoted has work of its own, and drives nothing: the next one does.
#[test]
fn promoted_thread_that_computes_is_followed() {
    alone(|| {
        without_thread();
        until_prepared(|both| {
            let mut prepared = true;
            // The first one drives, the second one is the first to follow.
            let busy = [1, 2].map(|number| {
                let (stop, until) = mpsc::channel();
                let busy = thread::spawn(move || {
                    block_on(async {
                        Timer::at(both).await;
                        compute(&until);
                    });
                });
                prepared &= parked_before(number, both);
                (stop, busy)
            });
            block_on(in_time("a timer beside threads that compute", async {
                prepared &= Instant::now() < both;
                Timer::at(both + A_WHILE).await;
            }));
            for (stop, busy) in busy {
                drop(stop);
                busy.join().unwrap();
            }
            prepared
        });
    });
}

#[test]
fn notify_ends_a_drive_that_sleeps() {
    alone(|| {
        without_thread();
        notify();
        drive(NOW).unwrap();
        let sleeper = thread::spawn(|| {
            let start = Instant::now();
            drive(None).map(|_| start.elapsed())
        });
        thread::sleep(A_WHILE);
        notify();
        assert!(sleeper.join().unwrap().unwrap() < PATIENCE);
        // What came before ends the next.
        notify();
        drive(None).unwrap();
    });
}

/// While a thread in `block_on` drives, one in `drive` waits for its turn, and hears notifications.
fn notify_a_follower() {
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let driver = thread::spawn(move || block_on(stopped.recv()).unwrap_err());
    parked(1);
    let (end, ended) = mpsc::channel();
    let follower = thread::spawn(move || end.send(drive(None)).unwrap());
    // It waits by then; if it does not yet, what came before ends its call.
    thread::sleep(A_WHILE);
    notify();
    ended.recv_timeout(PATIENCE).expect("it does not wait for the driver").unwrap();
    follower.join().unwrap();
    drop(stop);
    driver.join().unwrap();
}

#[test]
fn notify_reaches_a_drive_that_follows() {
    alone(|| {
        without_thread();
        notify_a_follower();
    });
}

/// The thread that drives does not promote the next when it is woken: there is the fallback.
#[test]
fn notify_reaches_follower_beside_fallback() {
    alone(|| {
        notify_a_follower();
    });
}

#[test]
fn next_deadline_is_the_earliest_timers() {
    alone(|| {
        assert_eq!(next_deadline(), None, "no reactor runs");
        without_thread();
        assert_eq!(next_deadline(), None);
        let wakes = Wakes::new();
        let far = Instant::now() + HOUR;
        let mut timers = [far + MS, far, far + HOUR].map(Timer::at);
        for timer in &mut timers {
            assert!(poll_with(&wakes.waker(), timer).is_pending());
        }
        assert_eq!(next_deadline(), Some(far));
        timers[1].set_at(far - 2 * MS);
        assert_eq!(next_deadline(), Some(far - 2 * MS));
        drop(timers);
        drive(NOW).unwrap();
        assert!(next_deadline().is_none_or(|at| at >= far - 2 * MS), "at worst too early");
    });
}

/// A waker that drives while it is woken by `drive`: an error, and nothing lost.
#[test]
fn drive_in_a_waker_of_drive_is_refused() {
    alone(|| {
        without_thread();
        let result = Arc::new(Mutex::new(None));
        let wakes = Wakes::calling({
            let result = result.clone();
            move || *result.lock().unwrap() = Some(drive(None).map_err(|error| error.kind()))
        });
        let _timer = armed(&wakes.waker(), || Timer::after(MS));
        let _other = armed(&wakes.waker(), || Timer::after(MS));
        drive_until(&wakes, 2);
        assert_eq!(result.lock().unwrap().take(), Some(Err(ErrorKind::Deadlock)));
        drive(NOW).unwrap();
    });
}

/// In a waker that `block_on` wakes, and in a future of nested calls: a round in between.
fn drive_in_block_on() {
    let wakes = Wakes::calling(|| _ = drive(NOW));
    let _timer = armed(&wakes.waker(), || Timer::after(MS));
    block_on(async {
        let inner = Wakes::new();
        let _timer = armed(&inner.waker(), || Timer::after(MS));
        block_on(async {
            while inner.count() == 0 {
                drive(Some(MS)).unwrap();
            }
        });
        Timer::after(2 * MS).await;
    });
    wakes.wait_for(1);
}

#[test]
fn drive_in_block_on_runs_a_round() {
    alone(|| {
        without_thread();
        drive_in_block_on();
    });
}

#[test]
fn drive_in_block_on_beside_fallback_hangs_nothing() {
    alone(|| {
        drive(NOW).unwrap();
        drive_in_block_on();
    });
}

#[cfg(unix)]
mod descriptor {
    use std::os::fd::{AsFd, BorrowedFd};

    use async_wheel::os::unix::reactor_fd;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    /// Waits until the descriptor is readable, for as long as this at most.
    fn readable(fd: BorrowedFd<'_>, timeout: Duration) -> bool {
        let timeout =
            Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        loop {
            match poll(&mut fds, Some(&timeout)) {
                Ok(ready) => return ready > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Drives as a foreign loop does until the task was woken as often as this.
    #[track_caller]
    fn loop_until(fd: BorrowedFd<'_>, wakes: &Wakes, count: usize) {
        while wakes.count() < count {
            assert!(readable(fd, PATIENCE), "not readable");
            drive(NOW).unwrap();
        }
    }

    /// A report would show a round that nobody ran.
    #[test]
    fn asking_for_the_descriptor_is_no_round() {
        alone(|| {
            without_thread();
            let counts = || -> Vec<_> {
                diagnostics::shards().iter().map(|shard| (shard.rounds, shard.awake)).collect()
            };
            let _fd = reactor_fd().unwrap();
            assert_eq!(counts(), [(0, 0)]);
            drive(NOW).unwrap();
            drive(Some(MS)).unwrap();
            assert_eq!(counts(), [(2, 0)]);
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn descriptor_is_readable_at_a_deadline() {
        alone(|| {
            without_thread();
            let fd = reactor_fd().unwrap();
            drive(NOW).unwrap();
            assert!(!readable(fd, A_WHILE), "nothing is due");
            let wakes = Wakes::new();
            for round in 0..20 {
                let start = Instant::now();
                let _timer = armed(&wakes.waker(), || Timer::after(3 * MS));
                loop_until(fd, &wakes, round + 1);
                assert!(start.elapsed() >= 3 * MS, "early");
            }
            while readable(fd, Duration::ZERO) {
                drive(NOW).unwrap();
            }
            assert!(!readable(fd, A_WHILE), "nothing is left");
        });
    }

    /// What was overdue, and armed, before anybody asked for the descriptor.
    #[cfg(target_os = "linux")]
    #[test]
    fn descriptor_shows_what_is_overdue() {
        alone(|| {
            without_thread();
            let wakes = Wakes::new();
            let _ticks = armed(&wakes.waker(), || Timer::interval(MS));
            thread::sleep(6 * MS);
            let fd = reactor_fd().unwrap();
            assert!(readable(fd, PATIENCE), "five ticks are overdue");
            loop_until(fd, &wakes, 1);
        });
    }

    /// Another thread sets an earlier timer while this one sleeps in its own system call.
    #[cfg(target_os = "linux")]
    #[test]
    fn descriptor_shows_another_threads_earlier_timer() {
        alone(|| {
            without_thread();
            let fd = reactor_fd().unwrap();
            let late = Wakes::new();
            let _late = armed(&late.waker(), || Timer::after(HOUR));
            while readable(fd, Duration::ZERO) {
                drive(NOW).unwrap();
            }
            let wakes = Wakes::new();
            let waker: Waker = wakes.waker();
            let other = thread::spawn(move || {
                thread::sleep(A_WHILE / 2);
                armed(&waker, || Timer::after(MS))
            });
            loop_until(fd, &wakes, 1);
            drop(other.join().unwrap());
        });
    }

    #[test]
    fn descriptor_shows_events() {
        alone(|| {
            without_thread();
            let fd = reactor_fd().unwrap();
            let wakes = Wakes::new();
            let (mut peer, source) = pending_read();
            let mut readable_source = pin!(source.readable());
            assert!(poll_with(&wakes.waker(), &mut readable_source).is_pending());
            drive(NOW).unwrap();
            assert!(!readable(fd, A_WHILE));
            peer.write_all(b"x").unwrap();
            loop_until(fd, &wakes, 1);
        });
    }

    /// A thread that was in `block_on` and left: the descriptor shows what it leaves behind.
    #[cfg(target_os = "linux")]
    #[test]
    fn descriptor_shows_what_block_on_left() {
        alone(|| {
            without_thread();
            let fd = reactor_fd().unwrap();
            let wakes = Wakes::new();
            for round in 0..20 {
                let mut timer = Timer::never();
                block_on(async {
                    timer = armed(&wakes.waker(), || Timer::after(3 * MS));
                    Timer::after(MS).await;
                });
                loop_until(fd, &wakes, round + 1);
            }
        });
    }

    /// With the fallback thread, which may be first: the task is woken by either.
    #[test]
    fn descriptor_beside_the_fallback_loses_nothing() {
        alone(|| {
            let fd = reactor_fd().unwrap();
            let wakes = Wakes::new();
            for round in 1..=100 {
                let _timer = armed(&wakes.waker(), || Timer::after(MS / 2));
                while wakes.count() < round {
                    if readable(fd, MS) {
                        drive(NOW).unwrap();
                    }
                }
            }
        });
    }

    /// A loop that closes the descriptor behind our back: an error where something is registered, and
    /// no hang of others.
    #[cfg(target_os = "linux")]
    #[test]
    fn closed_descriptor_harms_no_block_on() {
        alone(|| {
            without_thread();
            let fd = reactor_fd().unwrap();
            let raw = std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd());
            // SAFETY: it is the mistake that is tested; this process opens nothing in between that
            // could get the number.
            drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(raw) });
            block_on(async { Timer::after(2 * MS).await });
            let wakes = Wakes::new();
            let _timer = armed(&wakes.waker(), || Timer::after(MS));
            drive_until(&wakes, 1);
        });
    }

    /// A loop that never calls `drive`: threads in `block_on` go on.
    #[test]
    fn loop_that_never_drives_stops_nobody() {
        alone(|| {
            without_thread();
            let fd = reactor_fd().unwrap();
            let never = Wakes::new();
            let _timer = armed(&never.waker(), || Timer::after(MS));
            thread::spawn(|| block_on(async { Timer::after(A_WHILE).await })).join().unwrap();
            assert_eq!(never.count(), 1, "the one in `block_on` drives for all");
            let _ = fd;
        });
    }
}
