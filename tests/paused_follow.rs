//! All that waits for time follows the manual clock: timeouts, idle timeouts, delay queues,
//! streams.

mod common;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_wheel::time::{
    self, DelayQueue, IdleTimeout, IoTimeoutExt, MissedTicks, Paused, PendingIo, StreamTimeExt,
    TimeoutExt, timeout, timeout_at,
};
use async_wheel::{Timer, block_on};
use common::{HOUR, MS, NANOSECOND, watchdog};
use futures_lite::{StreamExt, future, stream};

const DAY: Duration = Duration::from_secs(86_400);

/// Runs a test in paused time that moves by itself.
fn with_auto_advance(test: impl AsyncFnOnce(&Paused)) {
    let _watchdog = watchdog();
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    block_on(test(&paused));
}

/// Items that come with so many pauses before them.
fn items(pauses: &[Duration]) -> impl futures_lite::Stream<Item = usize> + Unpin + use<> {
    let pauses = pauses.to_vec();
    Box::pin(stream::unfold(0, move |index| {
        let pause = pauses.get(index).copied();
        async move {
            Timer::after(pause?).await;
            Some((index, index + 1))
        }
    }))
}

#[test]
fn timeouts_follow() {
    with_auto_advance(async |paused| {
        assert!(timeout(HOUR, future::pending::<()>()).await.is_err());
        assert_eq!(paused.elapsed(), HOUR);
        assert!(timeout_at(time::now() + DAY, future::pending::<()>()).await.is_err());
        assert_eq!(paused.elapsed(), DAY + HOUR);
        assert!(timeout(HOUR, Timer::after(HOUR - NANOSECOND)).await.is_ok());
        let late = async { Timer::after(HOUR + NANOSECOND).await };
        assert!(late.timeout(HOUR).await.is_err());
        let read = future::pending::<io::Result<()>>().io_timeout(DAY).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(paused.elapsed(), 2 * DAY + 3 * HOUR - NANOSECOND);
    });
}

#[test]
fn idle_timeout_follows() {
    with_auto_advance(async |paused| {
        let mut idle = IdleTimeout::new(DAY);
        for _ in 0..100 {
            let touched = future::or(
                async {
                    Timer::after(DAY - NANOSECOND).await;
                    true
                },
                async {
                    (&mut idle).await;
                    false
                },
            );
            assert!(touched.await, "elapsed early");
            idle.touch();
        }
        assert_eq!(paused.elapsed(), 100 * (DAY - NANOSECOND));
        idle.await;
        assert_eq!(paused.elapsed(), 100 * (DAY - NANOSECOND) + DAY);
    });
}

#[test]
fn delay_queue_follows() {
    with_auto_advance(async |paused| {
        let mut queue = DelayQueue::new();
        for hours in [30, 1, 7, 7] {
            queue.insert(hours, hours * HOUR);
        }
        let moved = queue.insert(99, HOUR / 2);
        queue.reset(moved, 20 * HOUR).unwrap();
        for hours in [1, 7, 7, 20, 30] {
            let expired = queue.next().await.unwrap();
            assert_eq!(expired.deadline(), time::now());
            assert_eq!(paused.elapsed(), hours * HOUR);
        }
    });
}

/// Entries so dense that they would share wake-ups in real time.
#[test]
fn dense_delay_queue_is_not_coalesced() {
    with_auto_advance(async |paused| {
        let (mut queue, apart) = (DelayQueue::new(), Duration::from_micros(5));
        for step in 1..=20_000_u32 {
            queue.insert((), step * apart);
        }
        for step in 1..=20_000_u32 {
            queue.next().await.unwrap();
            assert_eq!(paused.elapsed(), step * apart);
        }
    });
}

/// A value from a thread whose clock is the system's expires when this one's has come to its
/// deadline.
#[test]
fn delay_queue_handle_goes_by_its_thread() {
    let _watchdog = watchdog();
    let mut queue = DelayQueue::new();
    let handle = queue.handle();
    let paused = time::pause();
    thread::spawn(move || handle.insert("late", HOUR)).join().unwrap().unwrap();
    block_on(async {
        let mut next = Box::pin(queue.next());
        assert!(future::poll_once(&mut next).await.is_none());
        paused.advance(HOUR - Duration::from_secs(60)).await;
        assert!(future::poll_once(&mut next).await.is_none());
        // It was inserted a moment after this clock had begun to stand.
        paused.advance(Duration::from_secs(120)).await;
        assert_eq!(next.await.unwrap().into_inner(), "late");
    });
}

#[test]
fn missed_ticks_follow() {
    for (missed, next) in [(MissedTicks::Burst, 2), (MissedTicks::Skip, 11)] {
        let paused = time::pause();
        let start = time::now();
        block_on(async {
            let mut ticks = Timer::interval(HOUR).with_missed_ticks(missed);
            paused.advance(10 * HOUR + HOUR / 2).await;
            assert_eq!(ticks.next().await, Some(start + HOUR));
            paused.auto_advance(PendingIo::Jump);
            assert_eq!(ticks.next().await, Some(start + next * HOUR), "{missed:?}");
        });
    }
    let paused = time::pause();
    block_on(async {
        let mut ticks = Timer::interval(HOUR).with_missed_ticks(MissedTicks::Delay);
        paused.advance(10 * HOUR + HOUR / 2).await;
        ticks.next().await;
        paused.auto_advance(PendingIo::Jump);
        ticks.next().await;
        assert_eq!(paused.elapsed(), 11 * HOUR + HOUR / 2);
    });
}

#[test]
fn streams_follow() {
    with_auto_advance(async |paused| {
        let mut timed = items(&[HOUR, 3 * HOUR, HOUR]).timeout(2 * HOUR);
        assert_eq!(timed.next().await, Some(Ok(0)));
        assert!(timed.next().await.is_some_and(|item| item.is_err()));
        assert_eq!(paused.elapsed(), 3 * HOUR);
        assert_eq!(timed.next().await, Some(Ok(1)));
        assert_eq!(timed.next().await, Some(Ok(2)));
        assert_eq!(paused.elapsed(), 5 * HOUR);
    });
    with_auto_advance(async |paused| {
        let throttled = stream::iter(0..10).throttle(HOUR);
        assert_eq!(throttled.count().await, 10);
        assert!((9 * HOUR..=10 * HOUR).contains(&paused.elapsed()));
    });
    with_auto_advance(async |paused| {
        let pauses = [HOUR, MS, MS, 5 * HOUR, MS];
        let settled: Vec<_> = items(&pauses).debounce(HOUR).collect().await;
        assert_eq!(settled, [2, 4]);
        assert!(paused.elapsed() >= 6 * HOUR);
    });
    with_auto_advance(async |_| {
        let pauses = [MS, MS, 5 * HOUR, MS];
        let chunks: Vec<_> = items(&pauses).chunks_timeout(10, HOUR).collect().await;
        assert_eq!(chunks, [vec![0, 1], vec![2, 3]]);
    });
}

/// A task that retries with backoff, for days.
#[test]
fn retries_take_days_at_once() {
    with_auto_advance(async |paused| {
        let (mut backoff, mut attempts) = (MS, 0);
        let connect = async |attempt: u32| if attempt < 30 { Err("refused") } else { Ok(()) };
        while connect(attempts).await.is_err() {
            Timer::after(backoff).await;
            attempts += 1;
            backoff = (2 * backoff).min(DAY);
        }
        assert_eq!(attempts, 30);
        assert!(paused.elapsed() > 3 * DAY);
    });
}

/// Tasks of an executor with a timeout and a timer each: whoever is due first.
#[test]
fn thousands_of_tasks_follow() {
    let _watchdog = watchdog();
    let paused = time::pause();
    let tasks = LocalExecutor::new();
    let (done, late) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for task in 0..3_000u32 {
        let (done, late) = (done.clone(), late.clone());
        let work = async move {
            match timeout(HOUR, Timer::after(task * Duration::from_secs(2))).await {
                Ok(_) => done.set(done.get() + 1),
                Err(_) => late.set(late.get() + 1),
            }
        };
        tasks.spawn(work).detach();
    }
    block_on(tasks.run(async {
        paused.advance(HOUR - NANOSECOND).await;
        assert_eq!((done.get(), late.get()), (1_800, 0));
        paused.advance(NANOSECOND).await;
        assert_eq!(done.get() + late.get(), 3_000);
    }));
}
