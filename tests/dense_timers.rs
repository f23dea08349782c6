//! Where timers are dense, they share wake-ups, also a delay queue's. Counted in short spans, by
//! their median: a machine that is busy holds up some of them. Each test is a process of its own.

mod common;

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::time::DelayQueue;
use async_wheel::{Builder, Timer, block_on, diagnostics};
use common::MS;
use common::process::alone;
use futures_lite::{Stream, StreamExt};
use std::pin::Pin;

const MICROSECOND: Duration = Duration::from_micros(1);

/// How many spans are counted, how long each is, and how long timers have been dense by then.
const SPANS: usize = 11;
const SPAN: Duration = Duration::from_millis(20);
const BEFORE: Duration = Duration::from_millis(60);

/// Counts what grows, in spans; returns the median. A span that took longer counts in proportion.
async fn median_growth(count: impl Fn() -> u64) -> u64 {
    Timer::after(BEFORE).with_slack(Duration::ZERO).await;
    let mut counts = Vec::new();
    for _ in 0..SPANS {
        let (start, before) = (Instant::now(), count());
        Timer::after(SPAN).with_slack(Duration::ZERO).await;
        let spans = start.elapsed().div_duration_f64(SPAN);
        counts.push(((count() - before) as f64 / spans) as u64);
    }
    counts.sort_unstable();
    println!("in {SPAN:?} each: {counts:?}");
    counts[SPANS / 2]
}

/// Sleeps that ended for a timer, while a hundred intervals fire each 2 ms, evenly spread: 1,000 beats
/// a span. Nobody beats early.
fn wake_ups_of_beats(slack: Option<Duration>) -> u64 {
    let executor = LocalExecutor::new();
    let start = Instant::now() + 5 * MS;
    for number in 0..100 {
        let mut due = start + number * 20 * MICROSECOND;
        let mut beats = Timer::interval_at(due, 2 * MS);
        if let Some(slack) = slack {
            beats = beats.with_slack(slack);
        }
        let task = async move {
            while let Some(at) = beats.next().await {
                assert!(at == due && Instant::now() >= due, "early, or another tick");
                due += 2 * MS;
            }
        };
        executor.spawn(task).detach();
    }
    let wakeups = || diagnostics::metrics().total().wakeups.deadline;
    block_on(executor.run(median_growth(wakeups)))
}

#[test]
fn dense_timers_share_wake_ups() {
    alone(|| {
        // Each half a millisecond.
        assert!(wake_ups_of_beats(None) <= 60);
    });
}

#[test]
fn longer_bound_means_fewer_wake_ups() {
    alone(|| {
        Builder::new().coalescing_bound(4 * MS).build().unwrap();
        assert!(wake_ups_of_beats(None) <= 15);
    });
}

#[test]
fn slack_of_dense_timers_means_fewer_wake_ups() {
    alone(|| assert!(wake_ups_of_beats(Some(4 * MS)) <= 15));
}

/// Times that a task polls a delay queue in vain, of which 50,000 entries expire in a second.
fn sleeps_of_queue() -> u64 {
    let executor = LocalExecutor::new();
    let sleeps = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = sleeps.clone();
    let mut queue = DelayQueue::new();
    let start = Instant::now() + 5 * MS;
    (0..25_000).for_each(|number| _ = queue.insert_at(number, start + number * 20 * MICROSECOND));
    let task = async move {
        let next = poll_fn(|cx| {
            let poll = Pin::new(&mut queue).poll_next(cx);
            match &poll {
                Poll::Pending => counted.set(counted.get() + 1),
                Poll::Ready(expired) => {
                    let deadline = expired.as_ref().map(|expired| expired.deadline());
                    assert!(deadline.is_none_or(|deadline| deadline <= Instant::now()), "early");
                }
            }
            poll.map(|expired| expired.is_some())
        });
        let mut next = std::pin::pin!(next);
        while next.as_mut().await {}
    };
    executor.spawn(task).detach();
    block_on(executor.run(median_growth(|| sleeps.get())))
}

#[test]
fn dense_entries_share_sleeps() {
    alone(|| assert!(sleeps_of_queue() <= 60));
}

/// The default is no cap for it.
#[test]
fn bound_holds_for_delay_queues() {
    alone(|| {
        Builder::new().coalescing_bound(4 * MS).build().unwrap();
        assert!(sleeps_of_queue() <= 15);
    });
}
