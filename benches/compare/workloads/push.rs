//! A pending timer whose deadline is moved to later, as each heartbeat does.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;
use futures_lite::future;

use super::{Figures, Scale, random_between};
use crate::population::{BATCH, Population};
use crate::runtimes::Postpone;

/// Which timer is postponed.
#[derive(Clone, Copy)]
pub enum Which {
    Random,
    /// One after the other, in the order in which they were created.
    InTurn,
    TheSame,
}

const PUSHED_BY: Duration = Duration::from_secs(30);

/// Deadlines before the first push: later than this workload lasts, earlier than after a push.
const FIRST: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(30));

pub fn run<R: Postpone>(scale: Scale, which: Which) -> Result<Figures> {
    let (pending, operations) = (scale.count(1_000_000), scale.count(1_000_000));
    R::block_on(async {
        let mut random = Rng::with_seed(2);
        let begin = Instant::now();
        let timer = |_| R::after(random_between(&mut random, FIRST.0, FIRST.1));
        let mut timers = Population::new((0..pending).map(timer));
        timers.arm().await;
        let indices: Vec<usize> = match which {
            Which::Random => (0..operations).map(|_| random.usize(..pending)).collect(),
            Which::InTurn => (0..operations).map(|index| index % pending).collect(),
            Which::TheSame => vec![random.usize(..pending); operations],
        };
        let start = Instant::now();
        for batch in indices.chunks(BATCH) {
            for &index in batch {
                R::push_out(timers.get(index), PUSHED_BY);
            }
            future::yield_now().await;
        }
        let ns = start.elapsed().as_nanos() as f64 / operations as f64;
        ensure!(begin.elapsed() < FIRST.0, "so slow that timers have fired meanwhile");
        Ok(vec![("ns", ns)])
    })
}
