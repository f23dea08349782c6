//! Timers in a program that runs on tokio: this crate's, driven by a task of tokio's, and tokio's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use futures_lite::future;

use super::create::create_poll_drop;
use super::memory::resident;
use super::{Figures, LIMIT, Peer, Scale, far, fire};
use crate::population::Population;
use crate::runtimes::{InsideTokio, Runtime, Tokio};

pub enum Work {
    /// Create, poll and drop timers of 30 s, 10^6 others pending.
    Create,
    /// 10^6 tasks with a timer each, due within a second.
    Fire,
}

pub fn run(scale: Scale, peer: Peer, work: Work, workers: usize) -> Result<Figures> {
    match peer {
        Peer::AsyncWheel => {
            InsideTokio::start()?;
            run_on::<InsideTokio>(scale, work, workers)
        }
        _ => run_on::<Tokio>(scale, work, workers),
    }
}

fn run_on<R: Runtime>(scale: Scale, work: Work, workers: usize) -> Result<Figures> {
    match work {
        Work::Create => R::run(workers, create::<R>(scale, workers)),
        Work::Fire => fire::in_tasks::<R>(scale, workers, fire::DENSE),
    }
}

/// Each worker has a task that does its share. The figures are of all together.
async fn create<R: Runtime>(scale: Scale, workers: usize) -> Result<Figures> {
    let share = scale.count(1_000_000) / workers;
    let before = resident();
    let ready = Arc::new(AtomicUsize::new(0));
    let (send, ends) = async_channel::unbounded();
    for worker in 0..workers {
        let (ready, send) = (ready.clone(), send.clone());
        R::spawn(async move {
            let mut random = Rng::with_seed(worker as u64);
            let mut others = Population::new((0..share).map(|_| R::after(far(&mut random))));
            others.arm().await;
            // Ordering: only to begin at about the same time.
            ready.fetch_add(1, Relaxed);
            while ready.load(Relaxed) < workers {
                future::yield_now().await;
            }
            let bytes = resident().saturating_sub(before);
            create_poll_drop::<R>(&vec![LIMIT; share / 10]).await;
            let durations = vec![LIMIT; share];
            let start = Instant::now();
            create_poll_drop::<R>(&durations).await;
            // The others stay until all have been measured.
            let _ = send.send((start.elapsed(), bytes, others)).await;
        });
    }
    let mut ended = Vec::new();
    for _ in 0..workers {
        ended.push(ends.recv().await?);
    }
    let longest = ended.iter().map(|(time, ..)| *time).max().unwrap_or(Duration::ZERO);
    let bytes = ended.iter().map(|(_, bytes, _)| *bytes).max().unwrap_or(0);
    let all = (share * workers) as f64;
    Ok(vec![("ns", longest.as_nanos() as f64 / all), ("bytes", bytes as f64 / all)])
}
