//! Timers that are created, polled and dropped as fast as one thread can, and as two can.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_lite::future;

use super::create::create_poll_drop;
use super::{Figures, LIMIT, Scale, far};
use crate::population::{BATCH, Population};
use crate::runtimes::Runtime;

pub fn run<R: Runtime>(scale: Scale) -> Figures {
    let one = per_second::<R>(scale, 1);
    let two = per_second::<R>(scale, 2);
    vec![("one_per_s", one), ("two_per_s", two), ("scaling", two / one)]
}

/// Operations a second of all threads together.
fn per_second<R: Runtime>(scale: Scale, threads: usize) -> f64 {
    let pending = scale.count(100_000) / threads;
    let time = scale.time(Duration::from_secs(1));
    let ready = Arc::new(AtomicUsize::new(0));
    let rates = R::in_parallel(threads, |_| {
        let ready = ready.clone();
        async move {
            let mut random = Rng::with_seed(5);
            let mut others = Population::new((0..pending).map(|_| R::after(far(&mut random))));
            others.arm().await;
            // Ordering: only to begin at about the same time.
            ready.fetch_add(1, Relaxed);
            while ready.load(Relaxed) < threads {
                future::yield_now().await;
            }
            rate::<R>(time).await
        }
    });
    rates.iter().sum()
}

async fn rate<R: Runtime>(time: Duration) -> f64 {
    create_poll_drop::<R>(&[LIMIT; 10 * BATCH]).await;
    let start = Instant::now();
    let mut operations = 0;
    while start.elapsed() < time {
        create_poll_drop::<R>(&[LIMIT; BATCH]).await;
        operations += BATCH;
    }
    operations as f64 / start.elapsed().as_secs_f64()
}
