//! A delay queue: operations of one kind on random entries of it.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_wheel::time::DelayQueue;
use async_wheel::{Timer, block_on};

use crate::{far, measured};

/// The time within which entries expire.
const SPAN: Duration = Duration::from_secs(1);

pub fn run(kind: &str, population: usize, operations: usize) {
    let mut queue = DelayQueue::new();
    if kind == "queue-expire" {
        return expire(&mut queue, population, operations);
    }
    let mut keys: Vec<_> = (0..population).map(|_| queue.insert(0_u64, far())).collect();
    let after: Vec<_> = (0..operations).map(|_| far()).collect();
    fastrand::shuffle(&mut keys);
    keys.truncate(operations);
    match kind {
        "queue-insert" => measured(|| {
            for &after in &after {
                queue.insert(0, after);
            }
        }),
        "queue-remove" => measured(|| {
            for &key in &keys {
                queue.try_remove(key);
            }
        }),
        _ => measured(|| {
            for (&key, &after) in keys.iter().zip(&after) {
                let _ = queue.reset(key, after);
            }
        }),
    }
}

/// Takes what is overdue.
fn expire(queue: &mut DelayQueue<u64>, population: usize, operations: usize) {
    // Enough to insert them under valgrind.
    let begin = Instant::now() + Duration::from_millis(500) * (1 + population as u32 / 10_000);
    for _ in 0..population {
        queue.insert_at(0, begin + SPAN.mul_f64(fastrand::f64()));
    }
    block_on(async { Timer::at(begin + SPAN).await });
    let cx = &mut Context::from_waker(Waker::noop());
    measured(|| {
        for _ in 0..operations {
            assert!(matches!(queue.poll_expired(cx), Poll::Ready(Some(_))));
        }
    });
}
