//! A timer that is created, polled once and dropped, as each read with a timeout does.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_lite::future;

use super::{Figures, Scale, far};
use crate::population::{BATCH, Population};
use crate::runtimes::Runtime;

pub fn run<R: Runtime>(scale: Scale, pending: usize) -> Figures {
    let operations = scale.count(1_000_000);
    R::block_on(async {
        let mut random = Rng::with_seed(1);
        let mut others = Population::new((0..pending).map(|_| R::after(far(&mut random))));
        others.arm().await;
        create_poll_drop::<R>(operations / 10).await;
        let start = Instant::now();
        create_poll_drop::<R>(operations).await;
        vec![("ns", start.elapsed().as_nanos() as f64 / operations as f64)]
    })
}

/// What the runtime puts off until the task lets go is part of it.
pub async fn create_poll_drop<R: Runtime>(operations: usize) {
    let mut left = operations;
    while left > 0 {
        let batch = left.min(BATCH);
        poll_fn(|cx| {
            for _ in 0..batch {
                let timer = pin!(R::after(Duration::from_secs(30)));
                assert!(timer.poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        future::yield_now().await;
        left -= batch;
    }
}
