//! How late single short sleeps are, when nothing else is to be done.

use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use hdrhistogram::Histogram;

use super::{Figures, Scale, random_between};
use crate::runtimes::Timers;

pub fn run<R: Timers>(scale: Scale) -> Result<Figures> {
    let mut histogram = Histogram::<u64>::new(3)?;
    let mut random = Rng::with_seed(7);
    R::block_on(async {
        for _ in 0..scale.count(1_000) {
            let time =
                random_between(&mut random, Duration::from_millis(1), Duration::from_millis(4));
            let deadline = Instant::now() + time;
            R::at(deadline).await;
            let late = Instant::now().checked_duration_since(deadline);
            histogram.record(late.expect("not before its time").as_nanos() as u64)?;
        }
        anyhow::Ok(())
    })?;
    let quantile = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Ok(vec![("p50_us", quantile(0.5)), ("p99_us", quantile(0.99))])
}
