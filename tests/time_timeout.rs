//! Timeouts: what they yield and when, what they leave behind, and durations and instants at the
//! ends of the clock.
//!
//! That they are exact to the nanosecond, and how often they read the clock, is tested in the
//! library, on the manual clock.

mod common;

use std::error::Error;
use std::future::{self, Future, IntoFuture, Ready};
use std::io;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_wheel::time::{
    Elapsed, IoTimeout, IoTimeoutExt, Timeout, TimeoutExt, timeout, timeout_at,
};
use async_wheel::{Timer, block_on, diagnostics};
use common::process::alone;
use common::{HOUR, MS, Wakes, both_ways, in_time, poll_with, watchdog};

/// Returns the number of timers that have an entry.
fn timers() -> usize {
    diagnostics::shards().iter().map(|shard| shard.timers).sum()
}

/// A pending future that counts its polls.
#[derive(Default)]
struct Polls(usize);

impl Future for Polls {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0 += 1;
        Poll::Pending
    }
}

/// An instant that has passed.
fn past() -> Instant {
    let now = Instant::now();
    now.checked_sub(HOUR).or_else(|| now.checked_sub(MS)).unwrap_or(now)
}

/// The last instant that there is, or nearly.
fn latest() -> Instant {
    let (mut at, mut distance) = (Instant::now(), Duration::MAX);
    while !distance.is_zero() {
        match at.checked_add(distance) {
            Some(later) => at = later,
            None => distance /= 2,
        }
    }
    at
}

/// Both ways to give a future no time at all.
fn without_time<F: Future>(make: impl Fn() -> F) -> [Timeout<F>; 2] {
    [timeout(Duration::ZERO, make()), timeout_at(past(), make())]
}

/// All ways to give a future more time than there is.
fn without_end<F: Future>(make: impl Fn() -> F) -> [Timeout<F>; 3] {
    [
        timeout(Duration::MAX, make()),
        timeout(Duration::from_secs(u64::MAX), make()),
        timeout_at(latest(), make()),
    ]
}

/// A future that is ready at its first poll has no entry in a wheel at any time.
#[test]
fn ready_future_adds_no_timer() {
    alone(|| {
        assert_eq!(timers(), 0);
        let wakes = Wakes::new();
        for duration in [Duration::ZERO, MS, HOUR, Duration::MAX] {
            let mut ready = timeout(duration, future::ready(1));
            assert_eq!(poll_with(&wakes.waker(), &mut ready), Poll::Ready(Ok(1)));
            assert_eq!(timers(), 0, "{duration:?}");
        }
        for instant in [past(), Instant::now() + HOUR, latest()] {
            let mut ready = timeout_at(instant, future::ready(1));
            assert_eq!(poll_with(&wakes.waker(), &mut ready), Poll::Ready(Ok(1)));
            assert_eq!(timers(), 0, "{instant:?}");
        }
        // Nothing has used the reactor so far.
        assert!(diagnostics::shards().is_empty());
        // So it can be told.
        let mut waits = timeout(HOUR, future::pending::<()>());
        assert!(poll_with(&wakes.waker(), &mut waits).is_pending());
        assert_eq!(timers(), 1);
    });
}

#[test]
fn one_entry_until_ready_or_dropped() {
    alone(|| {
        let waker = Wakes::new().waker();
        let mut source = Timer::never();
        let mut limited = timeout(HOUR, &mut source);
        for _ in 0..3 {
            assert!(poll_with(&waker, &mut limited).is_pending());
            assert_eq!(timers(), 1);
        }
        limited.get_mut().set_at(past());
        assert!(poll_with(&waker, &mut limited).is_ready());
        assert_eq!(timers(), 0, "it is ready");

        let mut limited = timeout_at(Instant::now() + HOUR, future::pending::<()>());
        assert!(poll_with(&waker, &mut limited).is_pending());
        assert_eq!(timers(), 1);
        drop(limited);
        assert_eq!(timers(), 0, "it was dropped");

        let mut limited = timeout(HOUR, future::pending::<()>());
        assert!(poll_with(&waker, &mut limited).is_pending());
        let _inner = limited.into_inner();
        assert_eq!(timers(), 0, "the future was taken out");
    });
}

#[test]
fn slow_future_elapses_and_not_early() {
    both_ways(|| async {
        for duration in [Duration::from_nanos(1), MS, 5 * MS] {
            let start = Instant::now();
            let elapsed = in_time("a timeout", timeout(duration, future::pending::<()>())).await;
            assert!(elapsed.is_err());
            assert!(start.elapsed() >= duration, "{duration:?} elapsed early");

            let end = Instant::now() + duration;
            let elapsed = in_time("a timeout", future::pending::<()>().timeout_at(end)).await;
            assert!(elapsed.is_err());
            assert!(Instant::now() >= end, "{duration:?} elapsed early");
        }
    });
}

#[test]
fn future_that_waits_is_ready_in_time() {
    both_ways(|| async {
        let start = Instant::now();
        let due = start + 2 * MS;
        assert_eq!(in_time("a timer", Timer::at(due).timeout(HOUR)).await, Ok(due));
        let due = start + 4 * MS;
        assert_eq!(in_time("a timer", timeout_at(start + HOUR, Timer::at(due))).await, Ok(due));
    });
}

#[test]
fn no_time_polls_the_future_once() {
    both_ways(|| async {
        for mut limited in without_time(Polls::default) {
            assert!((&mut limited).await.is_err());
            assert_eq!(limited.into_inner().0, 1);
        }
        for limited in without_time(|| future::ready(7)) {
            assert_eq!(limited.await, Ok(7));
        }
    });
}

#[test]
fn endless_time_never_elapses() {
    let wakes = Wakes::new();
    for mut limited in without_end(future::pending::<()>) {
        assert!(poll_with(&wakes.waker(), &mut limited).is_pending());
        wakes.stays_at(0);
        assert!(poll_with(&wakes.waker(), &mut limited).is_pending());
    }
    both_ways(|| async {
        for limited in without_end(|| Timer::after(MS)) {
            assert!(in_time("a timer", limited).await.is_ok());
        }
    });
}

/// A future that panics, at its first poll or while it waits, leaves no timer; the next timeout on
/// the same thread is none the worse.
#[test]
fn panicking_future_leaves_nothing_behind() {
    alone(|| {
        let _watchdog = watchdog();
        for polls_before in 0..3 {
            let mut left = polls_before;
            let panics = future::poll_fn(move |cx| {
                assert!(left > 0, "a panic that a test expects");
                left -= 1;
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            let call = || block_on(timeout(HOUR, panics));
            assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
            assert_eq!(timers(), 0, "after {polls_before} polls");

            block_on(async {
                assert_eq!(timeout(HOUR, future::ready(1)).await, Ok(1));
                assert!(timeout(MS, future::pending::<()>()).await.is_err());
            });
        }
    });
}

#[test]
fn future_goes_on_after_its_time() {
    both_ways(|| async {
        let due = Instant::now() + 10 * MS;
        let mut limited = timeout(MS, Timer::at(due));
        let first = in_time("a timeout", &mut limited).await;
        if first.is_err() {
            // It is as it was: more polls, or none of them in here.
            let _ = poll_with(&Wakes::new().waker(), &mut limited);
            limited.get_mut().set_at(due);
            assert_eq!(in_time("the timer", limited.into_inner()).await, due);
        }
    });
}

#[test]
fn elapsed_is_yielded_again_when_polled_again() {
    let waker = Wakes::new().waker();
    for mut limited in without_time(Polls::default) {
        for polls in 1..5 {
            assert!(matches!(poll_with(&waker, &mut limited), Poll::Ready(Err(_))));
            assert_eq!(limited.get_ref().0, polls);
        }
    }
}

/// What the timeout waits for can also be moved: it is polled where the task is.
#[test]
fn timeout_wakes_the_waker_polled_last() {
    let (first, last) = (Wakes::new(), Wakes::new());
    let mut limited = timeout(20 * MS, future::pending::<()>());
    let is_pending = poll_with(&first.waker(), &mut limited).is_pending();
    if is_pending && poll_with(&last.waker(), &mut limited).is_pending() {
        last.wait_for(1);
        assert_eq!(first.count(), 0);
        assert!(matches!(poll_with(&last.waker(), &mut limited), Poll::Ready(Err(_))));
    }
}

#[test]
fn whatever_becomes_a_future_is_accepted() {
    struct Question;
    impl IntoFuture for Question {
        type Output = u32;
        type IntoFuture = Ready<u32>;
        fn into_future(self) -> Ready<u32> {
            future::ready(42)
        }
    }
    block_on(async {
        assert_eq!(timeout(MS, Question).await, Ok(42));
        assert_eq!(timeout_at(latest(), Question).await, Ok(42));
        let boxed: Pin<Box<dyn Future<Output = u32>>> = Box::pin(async { 7 });
        assert_eq!(boxed.timeout(HOUR).await, Ok(7));
    });
}

#[test]
fn elapsed_becomes_an_io_error() {
    let elapsed = block_on(timeout(Duration::ZERO, future::pending::<()>())).unwrap_err();
    let error = io::Error::from(elapsed);
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "no result before the timeout elapsed");
    let inner = error.into_inner().unwrap().downcast::<Elapsed>().unwrap();
    assert_eq!(*inner, elapsed);
    assert!(inner.source().is_none());
}

#[test]
fn io_timeout_leaves_one_result() {
    fn refused() -> io::Result<u32> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }
    both_ways(|| async {
        let kind = |result: io::Result<u32>| result.map_err(|error| error.kind());
        let (later, gone) = (Instant::now() + HOUR, past());

        assert_eq!(kind(async { Ok(7) }.io_timeout(HOUR).await), Ok(7));
        assert_eq!(kind(async { Ok(7) }.io_timeout_at(gone).await), Ok(7));
        let refused_kind = Err(io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(async { refused() }.io_timeout(HOUR).await), refused_kind);
        assert_eq!(kind(async { refused() }.io_timeout_at(later).await), refused_kind);
        let late = Err(io::ErrorKind::TimedOut);
        assert_eq!(kind(future::pending().io_timeout(MS).await), late);
        assert_eq!(kind(future::pending().io_timeout_at(gone).await), late);
    });
}

#[test]
fn io_timeout_gives_its_operation_back() {
    let mut limited = future::ready(io::Result::Ok(1)).io_timeout(MS);
    *limited.get_mut() = future::ready(Ok(2));
    Pin::new(&mut limited).get_pin_mut().set(future::ready(Ok(3)));
    let _: &Ready<io::Result<i32>> = limited.get_ref();
    assert_eq!(block_on(limited.into_inner()).unwrap(), 3);
}

/// Checked by the compiler: with a future that has them, a timeout has all auto traits. One around a
/// future that must not move must not move either.
#[test]
fn timeout_has_its_futures_auto_traits() {
    fn everything<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    everything::<Elapsed>();
    everything::<Timeout<Ready<Arc<u32>>>>();
    everything::<IoTimeout<Ready<Arc<u32>>>>();
}
