//! Time that is paused for the whole process: several threads in `block_on` share one clock.

mod common;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::time::{self, PendingIo, timeout};
use async_wheel::{Timer, block_on};
use futures_lite::{AsyncReadExt, StreamExt, future};

use common::process::alone;
use common::sockets::tcp_pair;
use common::{HOUR, MS, PATIENCE, Wakes, poll_with};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Each thread waits at the barrier inside of its call, so that time does not move before all are
/// in.
#[test]
fn time_moves_when_all_threads_sleep() {
    alone(|| {
        let paused = time::pause_process();
        let start = time::now();
        paused.auto_advance(PendingIo::Jump);
        let barrier = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (1..=3)
            .map(|step| {
                let barrier = barrier.clone();
                thread::spawn(move || {
                    block_on(async {
                        barrier.wait();
                        for tick in 1..=100 {
                            Timer::after(step * MINUTE).await;
                            // Nobody is ahead of anybody.
                            assert_eq!(time::now(), start + tick * step * MINUTE);
                        }
                    });
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(paused.elapsed(), 300 * MINUTE);
    });
}

/// Time stands as long as one of them computes, and what it wakes meanwhile comes first.
#[test]
fn time_stands_while_any_thread_is_awake() {
    alone(|| {
        let paused = time::pause_process();
        paused.auto_advance(PendingIo::Jump);
        let barrier = Arc::new(Barrier::new(2));
        let (send, receive) = async_channel::bounded(1);
        let slow = thread::spawn({
            let barrier = barrier.clone();
            move || {
                block_on(async {
                    barrier.wait();
                    thread::sleep(50 * MS);
                    send.send(time::now()).await.unwrap();
                    Timer::after(HOUR).await;
                })
            }
        });
        let start = time::now();
        block_on(async {
            barrier.wait();
            let sent = timeout(Duration::from_nanos(1), receive.recv()).await;
            assert_eq!(sent.expect("in time"), Ok(start));
        });
        slow.join().unwrap();
        assert_eq!(paused.elapsed(), HOUR);
    });
}

#[test]
fn advance_by_hand_moves_all_threads() {
    alone(|| {
        let paused = time::pause_process();
        let start = time::now();
        let barrier = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let barrier = barrier.clone();
                thread::spawn(move || {
                    block_on(async {
                        barrier.wait();
                        let mut ticks = Timer::interval(HOUR).take(24);
                        let mut count = 0;
                        while let Some(tick) = ticks.next().await {
                            count += 1;
                            assert_eq!((tick, time::now()), (start + count * HOUR, tick));
                        }
                        count
                    })
                })
            })
            .collect();
        block_on(async {
            barrier.wait();
            paused.advance(DAY).await;
            assert_eq!(time::now(), start + DAY);
        });
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 24));
    });
}

/// A message that goes round takes no time, however long it takes.
#[test]
fn threads_that_wake_each_other_keep_time() {
    alone(|| {
        let paused = time::pause_process();
        paused.auto_advance(PendingIo::Jump);
        let (to_other, from_us) = async_channel::bounded(1);
        let (to_us, from_other) = async_channel::bounded(1);
        let barrier = Arc::new(Barrier::new(2));
        let other = thread::spawn({
            let barrier = barrier.clone();
            move || {
                block_on(async {
                    barrier.wait();
                    while let Ok(number) = from_us.recv().await {
                        to_us.send(number + 1).await.unwrap();
                    }
                });
            }
        });
        block_on(async {
            barrier.wait();
            for number in 0..2_000 {
                to_other.send(number).await.unwrap();
                let back = timeout(HOUR, from_other.recv()).await;
                assert_eq!(back.expect("in time"), Ok(number + 1));
            }
            drop(to_other);
        });
        other.join().unwrap();
        assert_eq!(paused.elapsed(), Duration::ZERO);
    });
}

/// A thread that is on its way out, or in, or nested, is counted right.
#[test]
fn threads_come_and_go() {
    alone(|| {
        let paused = time::pause_process();
        paused.auto_advance(PendingIo::Jump);
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                thread::spawn(move || {
                    for round in 0..200 {
                        block_on(async {
                            Timer::after(MINUTE * (1 + (thread + round) % 3)).await;
                            block_on(Timer::after(MINUTE));
                            if round % 7 == 0 {
                                block_on(async { block_on(async {}) });
                            }
                        });
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(paused.elapsed() >= 200 * 2 * MINUTE);
    });
}

/// A plain thread's timers are driven by those inside of `block_on`.
#[test]
fn threads_outside_share_the_clock() {
    alone(|| {
        let paused = time::pause_process();
        let start = time::now();
        paused.auto_advance(PendingIo::Jump);
        let (send, receive) = async_channel::bounded(1);
        let outside = thread::spawn(move || {
            let due = future::block_on(Timer::after(HOUR));
            assert_eq!(due, start + HOUR);
            assert_eq!(time::now(), due);
            send.send_blocking(due).unwrap();
        });
        let received = block_on(receive.recv());
        outside.join().unwrap();
        assert_eq!(received, Ok(start + HOUR));
    });
}

/// What begins to wait at the moment at which the pause ends is woken as well.
#[test]
fn end_of_pause_loses_no_wake_outside() {
    alone(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let stop = stop.clone();
                thread::spawn(move || {
                    let (mut ours, mut peer) = tcp_pair();
                    // Ordering: SeqCst, here and below: a test.
                    while !stop.load(Ordering::SeqCst) {
                        // By the one clock or the other, or at the end of the pause.
                        let wakes = Wakes::new();
                        let mut timer = Timer::after(Duration::from_micros(100));
                        if poll_with(&wakes.waker(), &mut timer).is_pending() {
                            wakes.wait_for(1);
                        }
                        let wakes = Wakes::new();
                        let mut byte = [0];
                        if poll_with(&wakes.waker(), &mut ours.read(&mut byte)).is_pending() {
                            peer.write_all(b"!").unwrap();
                            wakes.wait_for(1);
                        }
                    }
                })
            })
            .collect();
        for round in 0..300 {
            let paused = time::pause_process();
            block_on(paused.advance(MS));
            if round % 3 == 0 {
                thread::sleep(Duration::from_micros(200));
            }
            drop(paused);
        }
        stop.store(true, Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn call_from_before_keeps_the_systems_clock() {
    alone(|| {
        let (entered, has_entered) = mpsc::channel();
        let (send, receive) = async_channel::bounded::<()>(1);
        let before = thread::spawn(move || {
            block_on(async {
                entered.send(()).unwrap();
                receive.recv().await.unwrap();
                let (start, now) = (Instant::now(), time::now());
                assert!(now - start < HOUR);
                Timer::after(20 * MS).await;
                assert!(start.elapsed() >= 20 * MS);
            });
            // The next call is of the pause.
            block_on(Timer::after(DAY));
        });
        has_entered.recv().unwrap();
        let paused = time::pause_process();
        block_on(paused.advance(DAY));
        send.send_blocking(()).unwrap();
        paused.auto_advance(PendingIo::Jump);
        before.join().unwrap();
        assert_eq!(paused.elapsed(), 2 * DAY);
    });
}

#[test]
fn thread_with_its_own_pause_is_apart() {
    alone(|| {
        let process = time::pause_process();
        let own = thread::spawn(|| {
            let own = time::pause();
            block_on(own.advance(DAY));
            own.elapsed()
        });
        assert_eq!(own.join().unwrap(), DAY);
        assert_eq!(process.elapsed(), Duration::ZERO);
    });
}

/// A test that pauses its own time must not see what another one does with the process's.
#[test]
fn pause_of_a_thread_begins_in_real_time() {
    alone(|| {
        let process = time::pause_process();
        block_on(process.advance(DAY));
        let own = thread::spawn(|| {
            let before = Instant::now();
            let own = time::pause();
            let start = time::now();
            assert!((before..=Instant::now()).contains(&start), "{:?}", start - before);
            own.resume();
            // The process's again.
            assert!(time::now() > start + 20 * HOUR);
        });
        own.join().unwrap();
        assert_eq!(process.elapsed(), DAY);
    });
}

#[test]
fn calls_outlive_the_guard() {
    alone(|| {
        let paused = time::pause_process();
        let (entered, has_entered) = mpsc::channel();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let entered = entered.clone();
                thread::spawn(move || {
                    block_on(async {
                        let mut timer = Timer::after(DAY);
                        assert!(future::poll_once(&mut timer).await.is_none());
                        entered.send(()).unwrap();
                        // Real time, as soon as the guard is gone.
                        timer.set_after(30 * MS);
                        timer.await;
                    });
                    block_on(Timer::after(MS));
                })
            })
            .collect();
        (0..3).for_each(|_| has_entered.recv().unwrap());
        drop(paused);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // And again.
        let paused = time::pause_process();
        block_on(paused.advance(DAY));
    });
}

#[test]
fn second_pause_of_the_process_is_refused() {
    alone(|| {
        let paused = time::pause_process();
        assert!(std::panic::catch_unwind(time::pause_process).is_err());
        thread::spawn(|| {
            assert!(std::panic::catch_unwind(time::pause_process).is_err());
        })
        .join()
        .unwrap();
        block_on(paused.advance(HOUR));
        drop(paused);
        block_on(time::pause_process().advance(HOUR));
    });
}

#[test]
fn stuck_threads_are_reported() {
    alone(|| {
        let paused = time::pause_process();
        paused.auto_advance(PendingIo::Jump);
        paused.set_patience(30 * MS);
        let threads: Vec<_> =
            (0..2).map(|_| thread::spawn(|| block_on(std::future::pending::<()>()))).collect();
        for thread in threads {
            let panicked = thread.join().unwrap_err();
            let message = panicked.downcast_ref::<String>().expect("a message");
            assert!(message.contains("nothing can happen any more"), "{message}");
        }
        block_on(Timer::after(HOUR));
    });
}

/// Beats of clients, and idle timeouts that these keep from ending.
struct Beats {
    beats: u64,
    misses: u64,
}

/// A thousand clients on three threads beat for a while. Each is pushed out its idle timeout.
fn heartbeats(clients: u64, interval: Duration, span: Duration) -> (Beats, Duration) {
    let paused = time::pause_process();
    paused.auto_advance(PendingIo::Jump);
    let start = time::now();
    let threads = 3;
    let barrier = Arc::new(Barrier::new(threads as usize));
    let (beats, misses) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let run = |thread| {
        let (barrier, beats, misses) = (barrier.clone(), beats.clone(), misses.clone());
        thread::spawn(move || {
            let tasks = LocalExecutor::new();
            for client in (thread..clients).step_by(threads as usize) {
                let (beats, misses) = (beats.clone(), misses.clone());
                tasks
                    .spawn(async move {
                        let first = start + interval * client as u32 / clients as u32;
                        let mut ticks = Timer::interval_at(first, interval);
                        while timeout(interval + MINUTE, ticks.next()).await.is_ok() {
                            // Ordering: Relaxed, here and below: counts, read when the threads are
                            // joined.
                            beats.fetch_add(1, Ordering::Relaxed);
                        }
                        misses.fetch_add(1, Ordering::Relaxed);
                    })
                    .detach();
            }
            block_on(tasks.run(async {
                barrier.wait();
                Timer::at(start + span).await;
            }));
        })
    };
    let running: Vec<_> = (0..threads).map(run).collect();
    running.into_iter().for_each(|thread| thread.join().unwrap());
    let counted =
        Beats { beats: beats.load(Ordering::Relaxed), misses: misses.load(Ordering::Relaxed) };
    (counted, paused.elapsed())
}

#[test]
fn week_of_heartbeats_takes_seconds() {
    alone(|| {
        let week = 7 * DAY;
        // A little off, so that no beat is due at the very end, where threads end in any order.
        let span = week + Duration::from_millis(1);
        for run in 1..=2 {
            let real = Instant::now();
            let (Beats { beats, misses }, took) = heartbeats(1_000, HOUR, span);
            println!(
                "run {run}: {beats} beats of 1,000 clients, one an hour each: {took:?} virtual, {:?} real",
                real.elapsed()
            );
            assert_eq!((beats, misses), (168 * 1_000 + 1, 0));
            assert_eq!(took, span);
            assert!(real.elapsed() < 10 * PATIENCE);
        }
    });
}
