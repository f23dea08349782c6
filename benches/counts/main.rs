//! Work to be counted by a tool from outside: valgrind, strace. `benches/counts.sh` runs it and
//! `docs/performance.md` has the results.
//!
//! Times mean nothing here. What is to be counted is done in [`measured`], which the tool is
//! told to look for; what comes before builds the population up.

mod expire;
mod queue;
mod simulation;

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_wheel::{Timer, block_on};

/// What there is to be done, and which numbers each takes.
const WORK: [(&str, &str); 16] = [
    ("insert", "POPULATION OPERATIONS, no more of these than of those"),
    ("reuse", "POPULATION OPERATIONS, no more of these than of those"),
    ("cancel", "POPULATION OPERATIONS, no more of these than of those"),
    ("push", "POPULATION OPERATIONS, no more of these than of those"),
    // Each is made, polled and dropped beside those that are pending, of which there may be none.
    ("create", "POPULATION OPERATIONS"),
    // Each with a waker of its own, or in a task of its own.
    ("expire", "TIMERS"),
    ("expire-tasks", "TIMERS"),
    // With a delay queue.
    ("queue-insert", "POPULATION OPERATIONS, no more of these than of those"),
    ("queue-reset", "POPULATION OPERATIONS, no more of these than of those"),
    ("queue-remove", "POPULATION OPERATIONS, no more of these than of those"),
    ("queue-expire", "POPULATION OPERATIONS, no more of these than of those"),
    // Each is made, waits, fires and is dropped.
    ("life", "TIMERS"),
    // Looks at the clock that timers go by.
    ("clock", "LOOKS"),
    // One after another, each waited for.
    ("waits", "TIMERS"),
    ("churn", "THREADS OPERATIONS HOME: in block_on if HOME is 1, outside if it is 0"),
    // Virtual time, deadlines within SECONDS.
    ("wheel", "TIMERS WHEELS SECONDS, none of them 0, the last up to ten billion"),
];

/// Says in one line what is wanted instead.
fn usage(work: &str) -> ! {
    match WORK.iter().find(|(name, _)| *name == work) {
        Some((name, numbers)) => eprintln!("error: wanted is {name} {numbers}"),
        None => eprintln!("error: wanted is one of {}", WORK.map(|(name, _)| name).join(", ")),
    }
    std::process::exit(2)
}

fn main() {
    let mut words = std::env::args().skip(1);
    let work = words.next().unwrap_or_default();
    let numbers: Result<Vec<u64>, _> = words.map(|word| word.parse()).collect();
    let numbers = numbers.unwrap_or_else(|_| usage(&work));
    fastrand::seed(7);
    match (&*work, &*numbers) {
        ("insert" | "reuse" | "cancel" | "push", &[population, operations])
            if operations <= population =>
        {
            block_on(one_kind(&work, population as usize, operations as usize))
        }
        ("create", &[population, operations]) => {
            block_on(one_kind(&work, population as usize, operations as usize))
        }
        (
            "queue-insert" | "queue-reset" | "queue-remove" | "queue-expire",
            &[population, operations],
        ) if operations <= population => {
            queue::run(&work, population as usize, operations as usize);
        }
        ("expire", &[count @ 1..=100_000_000]) => expire::with_wakers(count as usize),
        ("expire-tasks", &[count @ 1..=100_000_000]) => expire::in_tasks(count as usize),
        ("life", &[count]) => block_on(life(count)),
        ("clock", &[count]) => measured(|| {
            (0..count).for_each(|_| _ = black_box(async_wheel::time::now()));
        }),
        ("waits", &[count]) => block_on(waits(count)),
        ("churn", &[threads, operations, home @ (0 | 1)]) => churn(threads, operations, home == 1),
        ("wheel", &[timers, wheels, seconds @ 1..=10_000_000_000]) if timers.min(wheels) > 0 => {
            simulation::run(timers, wheels, seconds)
        }
        _ => usage(&work),
    }
}

/// Written to before and after what is counted, for a tool that sees each store.
static MARK: AtomicU64 = AtomicU64::new(0);

/// What is counted. Its name is what the tool looks for.
#[inline(never)]
pub fn measured(work: impl FnOnce()) {
    // Ordering: Relaxed: one thread, and a tool that sees the order of its instructions.
    black_box(&MARK).store(1, Ordering::Relaxed);
    work();
    black_box(&MARK).store(2, Ordering::Relaxed);
}

/// Far enough away for none to fire while this runs, also under valgrind.
fn far() -> Duration {
    Duration::from_secs(3_600) + Duration::from_nanos(fastrand::u64(..60_000_000_000))
}

/// Polls a timer that is not due.
fn wait_for(timer: &mut Timer, cx: &mut Context<'_>) {
    assert!(Pin::new(timer).poll(cx).is_pending());
}

/// Operations of one kind, each on a timer of a large population, in random order.
async fn one_kind(kind: &str, population: usize, operations: usize) {
    let mut timers: Vec<_> = (0..population).map(|_| Timer::after(far())).collect();
    let after: Vec<_> = (0..operations).map(|_| far()).collect();
    let mut more = Vec::with_capacity(operations);
    poll_fn(|cx| {
        timers.iter_mut().for_each(|timer| wait_for(timer, cx));
        Poll::Ready(())
    })
    .await;
    fastrand::shuffle(&mut timers);
    if kind == "reuse" {
        // Memory that others have left, here and there, instead of new memory.
        timers.truncate(population - operations);
    }
    poll_fn(|cx| {
        match kind {
            "insert" | "reuse" => measured(|| {
                for &after in &after {
                    let mut timer = Timer::after(after);
                    wait_for(&mut timer, cx);
                    more.push(timer);
                }
            }),
            "create" => measured(|| {
                for &after in &after {
                    wait_for(&mut Timer::after(after), cx);
                }
            }),
            "cancel" => {
                let left = timers.len() - operations;
                measured(|| timers.truncate(left));
            }
            _ => measured(|| {
                for (timer, &after) in timers.iter_mut().zip(&after) {
                    timer.set_after(after + Duration::from_secs(60));
                }
            }),
        }
        Poll::Ready(())
    })
    .await;
    // What the process does at its end is nobody's cost.
    std::process::exit(0);
}

/// Timers that are due within a second, all waited for by one task.
async fn life(count: u64) {
    let within = |_| Timer::after(Duration::from_micros(fastrand::u64(..1_000_000)));
    let mut timers: Vec<_> = (0..count).map(within).collect();
    poll_fn(|cx| {
        // Not polled again before the last is due: this is about the timers, not the task.
        for timer in &mut timers {
            let _ = Pin::new(timer).poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    Timer::after(Duration::from_secs(1)).await;
    drop(timers);
}

/// Timers that are waited for one after another.
async fn waits(count: u64) {
    for _ in 0..count {
        Timer::after(Duration::from_millis(2)).await;
    }
}

/// Threads that insert and cancel timers.
fn churn(threads: u64, operations: u64, at_home: bool) {
    let work = move || {
        for _ in 0..operations {
            let mut timer = Timer::after(far());
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            wait_for(&mut timer, cx);
        }
    };
    let threads = (0..threads)
        .map(|_| thread::spawn(move || if at_home { block_on(async { work() }) } else { work() }));
    let threads: Vec<_> = threads.collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}
