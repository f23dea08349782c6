//! Timeouts on the manual clock: to the nanosecond, and how often it is read.

use std::future::{self, Future};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::*;
use crate::clock::{self, manual};
use crate::timer::Timer;

/// Where the clock is when a test begins. To whoever drives, what is due then is due much later: no
/// test is disturbed.
pub(super) const START: u64 = 1_000_000_000_000_000;

pub(super) fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// Returns an instant of the manual clock.
pub(super) fn at(nanos: u64) -> Instant {
    manual::set(START + nanos);
    clock::now()
}

/// Returns how often the clock is read meanwhile.
pub(super) fn looks(work: impl FnOnce()) -> u64 {
    manual::step_back(START, ns(1));
    work();
    START - clock::wheel_time(clock::now())
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Both ways to let the time be over at 10 ns, if it counts from zero.
fn both<F: Future + Clone>(future: F) -> [Timeout<F>; 2] {
    [timeout(ns(10), future.clone()), timeout_at(at(10), future)]
}

#[test]
fn ready_future_reads_no_clock() {
    let later = at(1_000_000_000);
    let read = looks(|| {
        for duration in [Duration::ZERO, ns(1), ns(1_000_000_000), Duration::MAX] {
            assert_eq!(poll(&mut timeout(duration, future::ready(1))), Poll::Ready(Ok(1)));
        }
        assert_eq!(poll(&mut timeout_at(later, future::ready(1))), Poll::Ready(Ok(1)));
    });
    assert_eq!(read, 0);
}

#[test]
fn duration_of_zero_reads_no_clock() {
    let read = looks(|| {
        let mut limited = timeout(Duration::ZERO, future::pending::<()>());
        assert_eq!(poll(&mut limited), Poll::Ready(Err(Elapsed::new())));
    });
    assert_eq!(read, 0);
}

#[test]
fn time_is_over_to_the_nanosecond() {
    for mut limited in both(future::pending::<()>()) {
        for before in [0, 1, 9] {
            at(before);
            assert!(poll(&mut limited).is_pending(), "at {before} ns");
        }
        at(10);
        assert_eq!(poll(&mut limited), Poll::Ready(Err(Elapsed::new())));
    }
}

#[test]
fn time_counts_from_first_pending_poll() {
    at(0);
    let mut limited = timeout(ns(10), future::pending::<()>());
    at(1_000);
    assert!(poll(&mut limited).is_pending());
    at(1_009);
    assert!(poll(&mut limited).is_pending());
    at(1_010);
    assert!(poll(&mut limited).is_ready());
}

/// What a future's first poll takes is not its waiting time.
#[test]
fn first_poll_of_future_does_not_count() {
    at(0);
    let mut limited = timeout(
        ns(10),
        future::poll_fn(|_| {
            at(50);
            Poll::<()>::Pending
        }),
    );
    assert!(poll(&mut limited).is_pending());
}

#[test]
fn ready_future_is_taken_however_late() {
    for mut limited in both(future::ready(7)) {
        at(1_000);
        assert_eq!(poll(&mut limited), Poll::Ready(Ok(7)));
    }
    // One that has waited before.
    at(0);
    let mut limited = timeout(ns(10), Timer::at(at(20)));
    at(0);
    assert!(poll(&mut limited).is_pending());
    at(1_000);
    assert!(matches!(poll(&mut limited), Poll::Ready(Ok(_))));
}

#[test]
fn elapsed_again_until_the_future_is_ready() {
    let end = at(20);
    for mut limited in both(Flag(end)) {
        at(0);
        assert!(poll(&mut limited).is_pending());
        for late in [10, 11, 19] {
            at(late);
            assert_eq!(poll(&mut limited), Poll::Ready(Err(Elapsed::new())), "at {late} ns");
        }
        at(20);
        assert_eq!(poll(&mut limited), Poll::Ready(Ok(())));
    }
}

/// A future that is ready at an instant, by the manual clock, if it is polled then.
#[derive(Clone)]
struct Flag(Instant);

impl Future for Flag {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if clock::now() < self.0 { Poll::Pending } else { Poll::Ready(()) }
    }
}
