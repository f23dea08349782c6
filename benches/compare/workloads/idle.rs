//! What a process uses that has many far timers and nothing to do.

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::{Figures, Scale, random_between};
use crate::runtimes::Runtime;
use crate::usage::OfOthers;

const FAR: (Duration, Duration) = (Duration::from_secs(1_000), Duration::from_secs(2_000));

pub fn run<R: Runtime>(scale: Scale) -> Result<Figures> {
    let timers = scale.count(100_000);
    let armed = Arc::new(AtomicUsize::new(0));
    let counter = armed.clone();
    thread::spawn(move || R::run(2, fill::<R>(timers, counter)));
    let begin = Instant::now();
    while armed.load(Relaxed) < timers {
        ensure!(begin.elapsed() < Duration::from_secs(60), "not all timers were armed");
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(scale.time(Duration::from_secs(1)));
    let before = OfOthers::so_far()?;
    thread::sleep(scale.time(Duration::from_secs(3)));
    let after = OfOthers::so_far()?;
    Ok(vec![
        ("processor_us", (after.processor_ns - before.processor_ns) as f64 / 1e3),
        ("switches", (after.switches - before.switches) as f64),
    ])
}

/// Ordering of the counter: it is only waited for.
async fn fill<R: Runtime>(timers: usize, armed: Arc<AtomicUsize>) {
    let mut random = Rng::with_seed(8);
    for _ in 0..timers {
        let time = random_between(&mut random, FAR.0, FAR.1);
        let armed = armed.clone();
        R::spawn(async move {
            let mut timer = std::pin::pin!(R::after(time));
            futures_lite::future::poll_once(timer.as_mut()).await;
            armed.fetch_add(1, Relaxed);
            timer.await;
        });
    }
    future::pending().await
}
