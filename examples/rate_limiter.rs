//! A rate limiter: so many requests a second, and a few more at once after a pause.
//!
//! It is an instant: when the next request would be due if all came evenly. A request may be early
//! by a burst, and waits otherwise. Nothing runs while nobody asks, and nothing is counted.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::{Timer, block_on};

struct RateLimiter {
    period: Duration,
    /// By how much a request may be early.
    burst: Duration,
    next: Cell<Instant>,
}

impl RateLimiter {
    /// One request a period, and `burst` of them at once.
    fn new(period: Duration, burst: u32) -> RateLimiter {
        let burst = period * burst.saturating_sub(1);
        RateLimiter { period, burst, next: Cell::new(Instant::now()) }
    }

    /// Waits for its turn. Those that wait have theirs in the order in which they came. A turn that
    /// is not waited for is lost.
    async fn turn(&self) {
        let now = Instant::now();
        let due = self.next.get().max(now);
        self.next.set(due + self.period);
        if let Some(instant) = due.checked_sub(self.burst).filter(|instant| *instant > now) {
            Timer::at(instant).await;
        }
    }
}

fn main() {
    const PERIOD: Duration = Duration::from_millis(50);
    let limiter = Rc::new(RateLimiter::new(PERIOD, 3));
    let tasks = LocalExecutor::new();
    let start = Instant::now();
    let requests: Vec<_> = (1..=8_u32)
        .map(|request| {
            let limiter = limiter.clone();
            tasks.spawn(async move {
                limiter.turn().await;
                let elapsed = start.elapsed();
                let earliest = PERIOD * request.saturating_sub(3);
                assert!(elapsed >= earliest, "request {request} is early: {elapsed:?}");
                println!(
                    "request {request} at {} ms, not before {earliest:?}",
                    elapsed.as_millis()
                );
            })
        })
        .collect();
    block_on(tasks.run(async {
        for request in requests {
            request.await;
        }
    }));
}
