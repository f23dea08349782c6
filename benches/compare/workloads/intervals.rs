//! A server's heartbeats: many intervals, each in a task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::{Figures, Scale, random_between};
use crate::runtimes::Runtime;
use crate::usage::{context_switches, processor_time};

const THREADS: usize = 2;
const PERIOD: Duration = Duration::from_secs(1);

/// What one task tells. Ordering: only that task writes, but for a start from zero, and what counts
/// is the sum or the most of many.
#[derive(Default)]
struct Beats {
    count: AtomicU64,
    late_ns: AtomicU64,
    latest_ns: AtomicU64,
}

/// Async-wheel's have this slack; the peers know none.
pub fn with_slack<R: Runtime>(
    scale: Scale,
    intervals: usize,
    slack: Duration,
    ours: bool,
) -> Result<Figures> {
    if ours {
        async_wheel::time::set_default_slack(Some(slack));
    }
    run::<R>(scale, intervals)
}

pub fn run<R: Runtime>(scale: Scale, intervals: usize) -> Result<Figures> {
    let intervals = scale.count(intervals);
    let window = scale.time(2 * PERIOD).max(PERIOD);
    R::run(THREADS, async move {
        let beats: Arc<[Beats]> = (0..intervals).map(|_| Beats::default()).collect();
        let start = Instant::now() + Duration::from_millis(500);
        let mut random = Rng::with_seed(6);
        for index in 0..intervals {
            let first = start + random_between(&mut random, Duration::ZERO, PERIOD);
            R::spawn(beat::<R>(first, beats.clone(), index));
        }
        // All have begun, and the first rush is over.
        R::at(start + PERIOD + PERIOD / 2).await;
        let (count_before, late_before) = sum(&beats);
        beats.iter().for_each(|beats| beats.latest_ns.store(0, Relaxed));
        let switches_before = context_switches()?;
        let used_before = processor_time();
        R::after(window).await;
        let used = processor_time() - used_before;
        let switches = context_switches()? - switches_before;
        let (count, late) = sum(&beats);
        let latest = beats.iter().map(|beats| beats.latest_ns.load(Relaxed)).max().unwrap_or(0);
        let (count, late) = ((count - count_before) as f64, (late - late_before) as f64);
        let expected = intervals as f64 * window.as_secs_f64() / PERIOD.as_secs_f64();
        ensure!(count > expected * 0.5, "only {count} beats instead of {expected}");
        Ok(vec![
            ("us", used.as_nanos() as f64 / count / 1e3),
            ("late_mean_us", late / count / 1e3),
            ("latest_us", latest as f64 / 1e3),
            ("switches", switches as f64 / count),
        ])
    })
}

fn sum(beats: &[Beats]) -> (u64, u64) {
    let sum = |of: fn(&Beats) -> &AtomicU64| beats.iter().map(|b| of(b).load(Relaxed)).sum();
    (sum(|beats| &beats.count), sum(|beats| &beats.late_ns))
}

async fn beat<R: Runtime>(first: Instant, beats: Arc<[Beats]>, index: usize) {
    let mut interval = R::interval_at(first, PERIOD);
    let mut due = first;
    let mine = &beats[index];
    loop {
        R::tick(&mut interval).await;
        let late = Instant::now().checked_duration_since(due).expect("not before its time");
        mine.count.store(mine.count.load(Relaxed) + 1, Relaxed);
        mine.latest_ns.fetch_max(late.as_nanos() as u64, Relaxed);
        mine.late_ns.store(mine.late_ns.load(Relaxed) + late.as_nanos() as u64, Relaxed);
        due += PERIOD;
    }
}
