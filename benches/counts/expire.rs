//! Timers that fire, all of them overdue: each with a waker of its own, or in a task of its own.
//!
//! There is no fallback thread, and nobody drives until the last is due: all that it takes to fire
//! them is in what is counted.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, Task};
use async_wheel::{Builder, Timer, block_on};

use crate::{measured, wait_for};

/// The time within which they are due.
const SPAN: Duration = Duration::from_secs(1);

/// How many have not fired. Ordering, here and below: one thread.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// What a timer wakes: something with memory of its own. The last wakes all that there is to wake.
struct Woken {
    woken: AtomicBool,
    after_all: Arc<OnceLock<Waker>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Relaxed);
        let left = LEFT.load(Relaxed) - 1;
        LEFT.store(left, Relaxed);
        if left == 0 {
            self.after_all.get().expect("it is waited for").wake_by_ref();
        }
    }
}

/// Returns when the first may be due: when all have been made, also under valgrind.
fn begin(count: usize) -> Instant {
    Builder::new().fallback_thread(false).build().expect("nothing has used the reactor yet");
    Instant::now() + Duration::from_secs(1) * (1 + count as u32 / 10_000)
}

/// Returns when one is due.
fn within_span(begin: Instant) -> Instant {
    begin + SPAN.mul_f64(fastrand::f64())
}

/// Sleeps until all are due.
fn sleep_through(begin: Instant) {
    assert!(Instant::now() < begin, "they took too long to make");
    thread::sleep((begin + SPAN).saturating_duration_since(Instant::now()));
}

pub fn with_wakers(count: usize) {
    let begin = begin(count);
    let after_all = Arc::new(OnceLock::new());
    let woken = |_| Arc::new(Woken { woken: AtomicBool::new(false), after_all: after_all.clone() });
    let all: Vec<_> = (0..count).map(woken).collect();
    LEFT.store(count, Relaxed);
    let mut timers: Vec<_> = (0..count).map(|_| Timer::at(within_span(begin))).collect();
    block_on(poll_fn(|_| {
        for (timer, woken) in timers.iter_mut().zip(&all) {
            wait_for(timer, &mut Context::from_waker(&Waker::from(woken.clone())));
        }
        Poll::Ready(())
    }));
    sleep_through(begin);
    let wait = |cx: &mut Context<'_>| {
        after_all.get_or_init(|| cx.waker().clone());
        if LEFT.load(Relaxed) == 0 { Poll::Ready(()) } else { Poll::Pending }
    };
    measured(|| block_on(poll_fn(wait)));
    assert!(all.iter().all(|woken| woken.woken.load(Relaxed)));
    // What the process does at its end is nobody's cost.
    std::process::exit(0);
}

pub fn in_tasks(count: usize) {
    let begin = begin(count);
    let executor = LocalExecutor::new();
    let tasks: Vec<Task<()>> = (0..count)
        .map(|_| executor.spawn(async move { _ = Timer::at(within_span(begin)).await }))
        .collect();
    // Each is polled once.
    block_on(poll_fn(|_| {
        while executor.try_tick() {}
        Poll::Ready(())
    }));
    sleep_through(begin);
    measured(|| {
        block_on(executor.run(async {
            for task in tasks {
                task.await;
            }
        }));
    });
    std::process::exit(0);
}
