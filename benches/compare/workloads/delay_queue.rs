//! One task's queue of entries that expire: this crate's, and tokio-util's.
//!
//! Each operation has a queue of its own, and is done on all entries of it, in several rounds. The
//! figure is the median of the rounds. A first round is not measured, so that memory comes from
//! entries that are gone. Before what is measured, the queue is polled, so that a task waits for
//! it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use futures_lite::{Stream, StreamExt, future};
use statrs::statistics::{Data, Median};

use super::memory::resident;
use super::{Figures, Peer, Scale, far, random_between};
use crate::runtimes::{AsyncWheel, Runtime, Tokio};
use crate::usage::processor_time;

/// How many entries there are.
const SIZES: [usize; 4] = [10, 1_000, 100_000, 1_000_000];

/// How much later entries are reset to.
const LATER: Duration = Duration::from_secs(120);

/// The time within which entries expire that nobody looks at before: of few, and of many.
const SPANS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The time within which entries expire for a task that waits for each.
const LIVE_SPAN: Duration = Duration::from_secs(1);

/// What the queues have in common.
trait Queue: Stream + Unpin {
    type Key: Copy;

    fn new() -> Self;
    fn insert(&mut self, value: u64, timeout: Duration) -> Self::Key;
    fn insert_at(&mut self, value: u64, deadline: Instant) -> Self::Key;
    fn reset(&mut self, key: Self::Key, timeout: Duration);
    fn remove(&mut self, key: Self::Key) -> u64;
    fn clear(&mut self);
}

impl Queue for async_wheel::time::DelayQueue<u64> {
    type Key = async_wheel::time::delay_queue::Key;

    fn new() -> Self {
        Self::new()
    }

    fn insert(&mut self, value: u64, timeout: Duration) -> Self::Key {
        self.insert(value, timeout)
    }

    fn insert_at(&mut self, value: u64, deadline: Instant) -> Self::Key {
        self.insert_at(value, deadline)
    }

    fn reset(&mut self, key: Self::Key, timeout: Duration) {
        self.reset(key, timeout).expect("it has not expired");
    }

    fn remove(&mut self, key: Self::Key) -> u64 {
        self.remove(key).expect("it has not expired")
    }

    fn clear(&mut self) {
        self.clear();
    }
}

impl Queue for tokio_util::time::DelayQueue<u64> {
    type Key = tokio_util::time::delay_queue::Key;

    fn new() -> Self {
        Self::new()
    }

    fn insert(&mut self, value: u64, timeout: Duration) -> Self::Key {
        self.insert(value, timeout)
    }

    fn insert_at(&mut self, value: u64, deadline: Instant) -> Self::Key {
        self.insert_at(value, deadline.into())
    }

    fn reset(&mut self, key: Self::Key, timeout: Duration) {
        self.reset(&key, timeout);
    }

    fn remove(&mut self, key: Self::Key) -> u64 {
        self.remove(&key).into_inner()
    }

    fn clear(&mut self) {
        self.clear();
    }
}

/// Which entry comes next.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// In the order of insertion.
    InTurn,
    Random,
}

pub fn run(peer: Peer, scale: Scale) -> Result<Figures> {
    match peer {
        Peer::AsyncWheel => measure::<AsyncWheel, async_wheel::time::DelayQueue<u64>>(scale),
        Peer::Tokio => measure::<Tokio, tokio_util::time::DelayQueue<u64>>(scale),
        _ => bail!("it has no delay queue"),
    }
}

fn measure<R: Runtime, Q: Queue>(scale: Scale) -> Result<Figures> {
    R::block_on(async {
        // First, while no memory is left over from others.
        let bytes = memory::<Q>(scale.count(1_000_000)).await;
        let mut figures = vec![("bytes", bytes), ("key_bytes", size_of::<Q::Key>() as f64)];
        for size in SIZES {
            let work = Work::new(size.min(scale.count(size)));
            let mut add = |operation: &str, ns: f64| {
                // Needed until the process ends.
                let name: &'static str = format!("{operation}_{size}").leak();
                figures.push((name, ns));
            };
            add("insert", work.insert::<Q>().await?);
            add("insert_same", work.insert_same::<Q>().await?);
            add("reset_later", work.reset::<Q>(Order::InTurn, later).await?);
            add("reset_later_random", work.reset::<Q>(Order::Random, later).await?);
            add("reset_random", work.reset::<Q>(Order::Random, anywhere).await?);
            add("remove", work.remove::<Q>(Order::InTurn).await?);
            add("remove_random", work.remove::<Q>(Order::Random).await?);
            add("expire", work.expire::<R, Q>().await?);
        }
        figures.push(("live_100000", live::<R, Q>(scale.count(100_000)).await?));
        figures.push(("live_1000000", live::<R, Q>(scale.count(1_000_000)).await?));
        Ok(figures)
    })
}

/// A timeout that is longer than the one before.
fn later(_: &mut Rng, before: Duration) -> Duration {
    before + LATER
}

fn anywhere(random: &mut Rng, _: Duration) -> Duration {
    far(random)
}

/// What is done in each round.
struct Work {
    /// Of each entry, when it is inserted.
    timeouts: Vec<Duration>,
    rounds: usize,
}

impl Work {
    fn new(entries: usize) -> Work {
        let mut random = Rng::with_seed(10);
        let timeouts = (0..entries).map(|_| far(&mut random)).collect();
        Work { timeouts, rounds: (300_000 / entries).clamp(1, 500) }
    }

    async fn insert<Q: Queue>(&self) -> Result<f64> {
        let mut keys = Vec::with_capacity(self.timeouts.len());
        rounds(self.rounds, self.timeouts.len(), async |queue: &mut Q, stopwatch| {
            keys.clear();
            stopwatch.start();
            for (value, &timeout) in self.timeouts.iter().enumerate() {
                keys.push(queue.insert(value as u64, timeout));
            }
            stopwatch.stop();
            Ok(())
        })
        .await
    }

    /// All with the same deadline.
    async fn insert_same<Q: Queue>(&self) -> Result<f64> {
        let mut keys = Vec::with_capacity(self.timeouts.len());
        rounds(self.rounds, self.timeouts.len(), async |queue: &mut Q, stopwatch| {
            keys.clear();
            let deadline = Instant::now() + self.timeouts[0];
            stopwatch.start();
            for value in 0..self.timeouts.len() {
                keys.push(queue.insert_at(value as u64, deadline));
            }
            stopwatch.stop();
            Ok(())
        })
        .await
    }

    async fn reset<Q: Queue>(
        &self,
        order: Order,
        timeout: impl Fn(&mut Rng, Duration) -> Duration,
    ) -> Result<f64> {
        let mut random = Rng::with_seed(11);
        let timeouts: Vec<_> =
            self.timeouts.iter().map(|&before| timeout(&mut random, before)).collect();
        rounds(self.rounds, self.timeouts.len(), async |queue: &mut Q, stopwatch| {
            let mut resets: Vec<_> = self.fill(queue).await?.into_iter().zip(&timeouts).collect();
            if order == Order::Random {
                random.shuffle(&mut resets);
            }
            stopwatch.start();
            for (key, &timeout) in resets {
                queue.reset(key, timeout);
            }
            stopwatch.stop();
            Ok(())
        })
        .await
    }

    async fn remove<Q: Queue>(&self, order: Order) -> Result<f64> {
        let mut random = Rng::with_seed(12);
        rounds(self.rounds, self.timeouts.len(), async |queue: &mut Q, stopwatch| {
            let mut keys = self.fill(queue).await?;
            if order == Order::Random {
                random.shuffle(&mut keys);
            }
            stopwatch.start();
            let sum: u64 = keys.into_iter().map(|key| queue.remove(key)).sum();
            stopwatch.stop();
            let count = self.timeouts.len() as u64;
            ensure!(sum == count * (count - 1) / 2, "not the values that went in");
            Ok(())
        })
        .await
    }

    /// All are due when the queue is looked at.
    async fn expire<R: Runtime, Q: Queue>(&self) -> Result<f64> {
        let mut random = Rng::with_seed(13);
        let span = if self.timeouts.len() < 100_000 { SPANS.0 } else { SPANS.1 };
        let within = |_| random_between(&mut random, Duration::ZERO, span);
        let within: Vec<_> = self.timeouts.iter().map(within).collect();
        rounds(self.rounds.min(10), within.len(), async |queue: &mut Q, stopwatch| {
            // Inserting takes less than this for each.
            let begin = Instant::now() + Duration::from_micros(1) * within.len() as u32;
            for (value, &within) in within.iter().enumerate() {
                queue.insert_at(value as u64, begin + within);
            }
            R::at(begin + span).await;
            // Until the least exact has a new millisecond, and with a warm processor.
            while Instant::now() < begin + span + Duration::from_millis(2) {
                future::yield_now().await;
            }
            stopwatch.start();
            for _ in &within {
                queue.next().await.context("an entry is missing")?;
            }
            stopwatch.stop();
            Ok(())
        })
        .await
    }

    /// Inserts all, and lets a task wait for them.
    async fn fill<Q: Queue>(&self, queue: &mut Q) -> Result<Vec<Q::Key>> {
        let mut insert = |(value, &timeout)| queue.insert(value as u64, timeout);
        let keys = self.timeouts.iter().enumerate().map(&mut insert).collect();
        poll(queue).await?;
        Ok(keys)
    }
}

/// Does something with as many entries in rounds, after one that does not count. Returns the
/// nanoseconds that an entry takes.
async fn rounds<Q: Queue>(
    count: usize,
    entries: usize,
    mut round: impl AsyncFnMut(&mut Q, &mut Stopwatch) -> Result<()>,
) -> Result<f64> {
    let mut queue = Q::new();
    let mut all = Vec::with_capacity(count);
    for number in 0..=count {
        poll(&mut queue).await?;
        let mut stopwatch = Stopwatch::for_work_on(entries);
        round(&mut queue, &mut stopwatch).await?;
        if number > 0 {
            all.push(stopwatch.took.as_nanos() as f64 / entries as f64);
        }
        queue.clear();
    }
    Ok(Data::new(all).median())
}

/// Looks at a queue in which nothing is due.
async fn poll<Q: Queue>(queue: &mut Q) -> Result<()> {
    let found = future::poll_once(queue.next()).await;
    ensure!(!matches!(found, Some(Some(_))), "an entry expired too early");
    Ok(())
}

/// The nanoseconds of the process for each of so many entries, which expire evenly within a second
/// for a task that waits for each.
async fn live<R: Runtime, Q: Queue>(entries: usize) -> Result<f64> {
    let mut random = Rng::with_seed(14);
    let mut queue = Q::new();
    let begin = Instant::now() + Duration::from_micros(2) * entries as u32;
    for value in 0..entries {
        let within = random_between(&mut random, Duration::ZERO, LIVE_SPAN);
        queue.insert_at(value as u64, begin + within);
    }
    ensure!(Instant::now() < begin, "so slow that entries have expired meanwhile");
    R::at(begin).await;
    let before = processor_time();
    for _ in 0..entries {
        queue.next().await.context("an entry is missing")?;
    }
    let used = processor_time() - before;
    Ok(used.as_nanos() as f64 / entries as f64)
}

/// The bytes that an entry takes in the queue.
async fn memory<Q: Queue>(entries: usize) -> f64 {
    let mut random = Rng::with_seed(15);
    let before = resident();
    let mut queue = Q::new();
    for value in 0..entries {
        queue.insert(value as u64, far(&mut random));
    }
    resident().saturating_sub(before) as f64 / entries as f64
}

/// Measures processor time; the time that passes, where to ask for the former would take longer
/// than the work.
struct Stopwatch {
    /// A time since then, of either kind.
    now: fn(Instant) -> Duration,
    origin: Instant,
    started: Duration,
    took: Duration,
}

impl Stopwatch {
    fn for_work_on(entries: usize) -> Stopwatch {
        let now = match entries {
            ..1_000 => |origin: Instant| origin.elapsed(),
            _ => |_| processor_time(),
        };
        let zero = Duration::ZERO;
        Stopwatch { now, origin: Instant::now(), started: zero, took: zero }
    }

    fn start(&mut self) {
        self.started = (self.now)(self.origin);
    }

    fn stop(&mut self) {
        self.took = (self.now)(self.origin) - self.started;
    }
}
