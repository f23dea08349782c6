//! Work to be counted by a tool from outside: valgrind, strace. `benches/counts.sh` runs it and
//! `docs/performance.md` has the results.
//!
//! Times mean nothing here. What is to be counted is done in [`measured`], which the tool is
//! told to look for; what comes before builds the population up.

mod simulation;

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_wheel::{Timer, block_on};

/// The arguments, after the name of the work: numbers.
struct Arguments(Vec<u64>);

impl Arguments {
    fn get(&self, index: usize) -> u64 {
        *self.0.get(index).unwrap_or_else(|| usage())
    }
}

fn usage() -> ! {
    eprintln!("insert|reuse|cancel|push POPULATION OPERATIONS");
    eprintln!("life TIMERS             each is made, waits, goes off and is dropped");
    eprintln!("waits TIMERS            one after another, each waited for");
    eprintln!("churn THREADS OPERATIONS HOME    in block_on if HOME is 1, outside if it is 0");
    eprintln!("wheel TIMERS WHEELS SECONDS      virtual time, deadlines within SECONDS");
    std::process::exit(2)
}

fn main() {
    let mut words = std::env::args().skip(1);
    let work = words.next().unwrap_or_else(|| usage());
    let numbers = words.map(|word| word.parse().unwrap_or_else(|_| usage()));
    let arguments = Arguments(numbers.collect());
    let get = |index| arguments.get(index);
    fastrand::seed(7);
    match &*work {
        "insert" | "reuse" | "cancel" | "push" => {
            block_on(one_kind(&work, get(0) as usize, get(1) as usize))
        }
        "life" => block_on(life(get(0))),
        "waits" => block_on(waits(get(0))),
        "churn" => churn(get(0), get(1), get(2) == 1),
        "wheel" => simulation::run(get(0), get(1), get(2)),
        _ => usage(),
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

/// Far enough away for none to go off while this runs, also under valgrind.
fn far() -> Duration {
    Duration::from_secs(3_600) + Duration::from_nanos(fastrand::u64(..60_000_000_000))
}

/// Polls a timer that is not due.
fn wait_for(timer: &mut Timer, cx: &mut Context<'_>) {
    assert!(Pin::new(timer).poll(cx).is_pending());
}

/// Operations of one kind, each on a timer of a large population, in random order.
async fn one_kind(kind: &str, population: usize, operations: usize) {
    assert!(operations <= population);
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
