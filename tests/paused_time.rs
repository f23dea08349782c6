//! Time that tests move: what fires when, and that all of the crate's timers follow.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::time::{self, Paused, PendingIo};
use async_wheel::{Timer, block_on};
use futures_lite::{FutureExt, StreamExt, future};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What happened when, since time was paused.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<(Duration, String)>>>);

impl Trace {
    fn note(&self, paused: Duration, what: impl Into<String>) {
        self.0.borrow_mut().push((paused, what.into()));
    }

    fn taken(&self) -> Vec<(Duration, String)> {
        self.0.take()
    }
}

/// Returns an instant by how long it is after a start.
fn at(start: Instant) -> Duration {
    time::now() - start
}

#[test]
fn clock_stands_until_it_is_moved() {
    let paused = time::pause();
    let start = time::now();
    block_on(async {
        thread::sleep(Duration::from_millis(2));
        assert_eq!(time::now(), start);
        paused.advance(3 * SECOND).await;
        assert_eq!(time::now(), start + 3 * SECOND);
        paused.advance(Duration::ZERO).await;
        paused.advance(Duration::from_nanos(1)).await;
    });
    assert_eq!(paused.elapsed(), 3 * SECOND + Duration::from_nanos(1));
}

/// Each task sees its own deadline, and those that are armed on the way fire too.
#[test]
fn advance_fires_each_timer_at_its_own_time() {
    let paused = time::pause();
    let start = time::now();
    let (trace, tasks) = (Trace::default(), LocalExecutor::new());
    for (name, after) in [("late", 50), ("early", 10), ("middle", 30), ("beyond", 61)] {
        let trace = trace.clone();
        tasks
            .spawn(async move {
                let due = start + after * SECOND;
                assert_eq!(Timer::at(due).await, due);
                trace.note(at(start), name);
                if name == "early" {
                    // 15 and 25: one after another, before the next.
                    for _ in 0..2 {
                        let end = time::now() + 5 * SECOND;
                        Timer::after(5 * SECOND).await;
                        assert_eq!(time::now(), end);
                        trace.note(at(start), "on the way");
                        Timer::after(5 * SECOND).await;
                    }
                }
            })
            .detach();
    }
    block_on(tasks.run(async {
        paused.advance(60 * SECOND).await;
        trace.note(at(start), "end");
    }));
    let expected =
        [(10, "early"), (15, "on the way"), (25, "on the way"), (30, "middle"), (50, "late")];
    let mut expected: Vec<_> =
        expected.iter().map(|(after, name)| (*after * SECOND, (*name).to_owned())).collect();
    expected.push((60 * SECOND, "end".to_owned()));
    assert_eq!(trace.taken(), expected);
}

/// Across all levels of the wheel: a deadline is never passed, nor met too early.
#[test]
fn deadlines_of_all_distances_are_exact() {
    let paused = time::pause();
    let start = time::now();
    let after: Vec<_> = (0..55).map(|shift| Duration::from_nanos((1 << shift) + shift)).collect();
    let tasks = LocalExecutor::new();
    let fired = Rc::new(Cell::new(0));
    for after in after.iter().rev().copied() {
        let fired = fired.clone();
        tasks
            .spawn(async move {
                Timer::at(start + after).await;
                assert_eq!(at(start), after);
                fired.set(fired.get() + 1);
            })
            .detach();
    }
    block_on(tasks.run(async {
        for (index, after) in after.iter().enumerate() {
            paused.advance(*after - paused.elapsed() - Duration::from_nanos(1)).await;
            assert_eq!(fired.get(), index);
            paused.advance(Duration::from_nanos(1)).await;
            assert_eq!(fired.get(), index + 1);
        }
    }));
}

#[test]
fn advance_to_next_goes_from_deadline_to_deadline() {
    let paused = time::pause();
    let start = time::now();
    let tasks = LocalExecutor::new();
    let rang = Rc::new(Cell::new(0));
    for after in [2 * DAY, HOUR, DAY, HOUR] {
        let rang = rang.clone();
        tasks
            .spawn(async move {
                Timer::after(after).await;
                rang.set(rang.get() + 1);
            })
            .detach();
    }
    block_on(tasks.run(async {
        for (after, count) in [(HOUR, 2), (DAY, 3), (2 * DAY, 4)] {
            assert_eq!(paused.advance_to_next().await, Some(start + after));
            assert_eq!((paused.elapsed(), rang.get()), (after, count));
        }
        assert_eq!(paused.advance_to_next().await, None);
        assert_eq!(paused.elapsed(), 2 * DAY);
    }));
}

/// What waited before a call of `block_on` waits for the next one.
#[test]
fn advance_works_across_calls_of_block_on() {
    let paused = time::pause();
    let tasks = LocalExecutor::new();
    let timer = tasks.spawn(Timer::after(HOUR));
    block_on(tasks.run(paused.advance(HOUR / 2)));
    assert!(!timer.is_finished());
    // Nobody runs the task, which is woken.
    block_on(paused.advance(HOUR));
    assert!(!timer.is_finished());
    assert_eq!(paused.elapsed(), HOUR + HOUR / 2);
    block_on(tasks.run(timer));
    assert_eq!(paused.elapsed(), HOUR + HOUR / 2);
}

#[test]
fn dropped_advance_leaves_clock_alone() {
    let paused = time::pause();
    paused.set_patience(Duration::from_secs(60));
    block_on(async {
        let mut advance = Box::pin(paused.advance(DAY));
        assert!(future::poll_once(&mut advance).await.is_none());
        drop(advance);
        let mut timer = Timer::after(HOUR);
        assert!(future::poll_once(&mut timer).await.is_none());
        paused.advance(HOUR / 2).await;
        assert_eq!(paused.elapsed(), HOUR / 2);
    });
}

#[test]
fn two_advances_end_at_their_own_times() {
    let paused = time::pause();
    block_on(async {
        let (one, other) = (paused.advance(HOUR), paused.advance(DAY));
        let ends = future::zip(
            async {
                one.await;
                paused.elapsed()
            },
            async {
                other.await;
                paused.elapsed()
            },
        );
        assert_eq!(ends.await, (HOUR, DAY));
    });
}

#[test]
fn time_moves_by_itself_once_asked() {
    let paused = time::pause();
    let real = Instant::now();
    paused.auto_advance(PendingIo::Jump);
    block_on(async {
        for day in 1..=3_650 {
            Timer::after(DAY).await;
            assert_eq!(paused.elapsed(), day * DAY);
        }
    });
    assert!(real.elapsed() < 60 * SECOND, "{:?}", real.elapsed());
}

#[test]
fn time_stands_still_again_when_asked() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    block_on(async {
        Timer::after(SECOND).await;
        paused.stand_still();
        let mut timer = pin!(Timer::after(SECOND));
        assert!(future::poll_once(&mut timer).await.is_none());
        paused.advance(SECOND / 2).await;
        assert!(future::poll_once(&mut timer).await.is_none());
        assert_eq!(paused.elapsed(), SECOND + SECOND / 2);
    });
}

/// A call inside of a task's poll: the outer one cannot run meanwhile.
#[test]
fn nested_call_moves_time_as_well() {
    let paused = time::pause();
    let start = time::now();
    block_on(async {
        let inner = || block_on(paused.advance(HOUR));
        inner();
        assert_eq!(time::now(), start + HOUR);
        paused.auto_advance(PendingIo::Jump);
        block_on(async { block_on(Timer::after(HOUR)) });
        paused.stand_still();
        paused.advance(HOUR).await;
    });
    assert_eq!(paused.elapsed(), 3 * HOUR);
}

fn with_auto_advance(test: impl AsyncFnOnce(&Paused)) {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    block_on(test(&paused));
}

#[test]
fn interval_ticks_on_its_grid() {
    with_auto_advance(async |paused| {
        let start = time::now();
        let mut ticks = Timer::interval(HOUR);
        for tick in 1..=1_000 {
            assert_eq!(ticks.next().await, Some(start + tick * HOUR));
            assert_eq!(paused.elapsed(), tick * HOUR);
        }
    });
}

/// Many more ticks than are yielded in a row, each of them in time.
#[test]
fn interval_that_lags_catches_up() {
    let paused = time::pause();
    block_on(async {
        let mut ticks = Timer::interval(SECOND);
        assert!(future::poll_once(ticks.next()).await.is_none());
        paused.advance(5_000 * SECOND).await;
        let mut count = 0;
        paused.auto_advance(PendingIo::Jump);
        while paused.elapsed() == 5_000 * SECOND {
            ticks.next().await;
            count += 1;
        }
        assert_eq!((count, paused.elapsed()), (5_001, 5_001 * SECOND));
    });
}

#[test]
fn slack_delays_nothing() {
    with_auto_advance(async |paused| {
        Timer::after(SECOND).with_slack(HOUR).await;
        assert_eq!(paused.elapsed(), SECOND);
        let late = Timer::after(2 * SECOND).with_slack(Duration::MAX);
        let other = Timer::after(SECOND).with_slack(10 * SECOND);
        let first = async {
            other.await;
            assert_eq!(paused.elapsed(), 2 * SECOND);
        };
        future::zip(late, first).await;
        assert_eq!(paused.elapsed(), 3 * SECOND);
    });
}

/// Timers so dense that they would be coalesced in real time.
#[test]
fn dense_timers_are_not_coalesced() {
    with_auto_advance(async |paused| {
        for step in 1..=20_000 {
            Timer::after(Duration::from_micros(5)).await;
            assert_eq!(paused.elapsed(), step * Duration::from_micros(5));
        }
    });
}

/// More than a round expires in real time.
#[test]
fn crowd_of_one_deadline_fires_at_once() {
    let paused = time::pause();
    let tasks = LocalExecutor::new();
    let fired = Rc::new(Cell::new(0));
    for _ in 0..5_000 {
        let fired = fired.clone();
        let timer = Timer::after(HOUR);
        let count = async move {
            timer.await;
            fired.set(fired.get() + 1);
        };
        tasks.spawn(count).detach();
    }
    block_on(tasks.run(async {
        assert!(paused.advance_to_next().await.is_some());
        assert_eq!((fired.get(), paused.elapsed()), (5_000, HOUR));
    }));
}

#[test]
fn postponed_timer_fires_at_its_new_time() {
    let paused = time::pause();
    let tasks = LocalExecutor::new();
    let timer = Rc::new(RefCell::new(Timer::after(HOUR)));
    let waits = tasks.spawn({
        let timer = timer.clone();
        std::future::poll_fn(move |cx| timer.borrow_mut().poll(cx))
    });
    block_on(tasks.run(async {
        paused.advance(HOUR / 2).await;
        timer.borrow_mut().set_after(HOUR);
        paused.advance(HOUR - Duration::from_nanos(1)).await;
        assert!(!waits.is_finished());
        paused.advance(Duration::from_nanos(1)).await;
        assert!(waits.is_finished());
    }));
}

#[test]
fn overdue_instant_is_ready_at_once() {
    with_auto_advance(async |paused| {
        Timer::at(time::now()).await;
        Timer::after(Duration::ZERO).await;
        Timer::at(Instant::now() - SECOND).await;
        assert_eq!(paused.elapsed(), Duration::ZERO);
    });
}

/// In each of three threads, time is what that thread says.
#[test]
fn threads_pause_for_themselves() {
    let (send, receive) = mpsc::channel();
    let threads: Vec<_> = (1..=3)
        .map(|days| {
            let send = send.clone();
            thread::spawn(move || {
                let paused = time::pause();
                block_on(paused.advance(days * DAY));
                assert_eq!(paused.elapsed(), days * DAY);
                send.send(()).unwrap();
            })
        })
        .collect();
    (0..3).for_each(|_| receive.recv().unwrap());
    // This thread's goes on.
    let (start, virtual_start) = (Instant::now(), time::now());
    block_on(Timer::after(Duration::from_millis(5)));
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert!(time::now() - virtual_start < HOUR);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
