//! A timer that is created, polled once and dropped, as each read with a timeout does.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_lite::future;

use super::{Figures, LIMIT, Scale, far};
use crate::population::{BATCH, Population};
use crate::runtimes::Timers;

/// How far ahead the timers are due.
#[derive(Clone, Copy)]
pub enum Due {
    /// All of them in 30 s: one limit for all reads.
    InThirtySeconds,
    /// At random among those that are pending: each has a limit of its own.
    AtRandom,
}

pub fn run<R: Timers>(scale: Scale, pending: usize, due: Due) -> Figures {
    let operations = scale.count(1_000_000);
    R::block_on(async {
        let mut random = Rng::with_seed(1);
        let mut others = Population::new((0..pending).map(|_| R::after(far(&mut random))));
        others.arm().await;
        let durations: Vec<_> = (0..operations)
            .map(|_| match due {
                Due::InThirtySeconds => LIMIT,
                Due::AtRandom => far(&mut random),
            })
            .collect();
        create_poll_drop::<R>(&durations[..operations / 10]).await;
        let start = Instant::now();
        create_poll_drop::<R>(&durations).await;
        vec![("ns", start.elapsed().as_nanos() as f64 / operations as f64)]
    })
}

/// What the runtime postpones until the task lets go is part of it.
pub async fn create_poll_drop<R: Timers>(durations: &[Duration]) {
    for batch in durations.chunks(BATCH) {
        poll_fn(|cx| {
            for &duration in batch {
                let timer = pin!(R::after(duration));
                assert!(timer.poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        future::yield_now().await;
    }
}
