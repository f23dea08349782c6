//! What each operation on a timer costs beside ten others, and beside ten million.
//!
//! Arming is to create timers and to poll them once, in memory of timers that are gone; postponing
//! and cancelling take one at random. They are done on all timers, or on a million of them. The
//! runtime gets its turn after each [`BATCH`] and at the end, and what it does then counts, without
//! what such a turn takes anyway: few timers would otherwise pay for it.
//!
//! Expiry is the processor time of the process from before the first deadline until the last timer
//! has fired, with deadlines 100 ns apart on average: sooner than any runtime can expire them, so
//! that it never waits in between. It contains one wake-up of the thread, which is most of it where
//! few timers share it.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use fastrand::Rng;
use futures_lite::future;
use statrs::statistics::{Data, Median};

use super::{Figures, Scale, random_between};
use crate::population::{BATCH, Population};
use crate::runtimes::Postpone;
use crate::usage::processor_time;

/// The populations of the first workload.
const SIZES: &[usize] = &[10, 100, 1_000, 10_000, 100_000, 1_000_000];
/// The one that takes as long as all others.
const LARGEST: usize = 10_000_000;

/// Deadlines that do not come.
const FAR: (Duration, Duration) = (Duration::from_secs(200), Duration::from_secs(400));
/// Later than all of them.
const POSTPONED_BY: Duration = Duration::from_secs(500);
/// So many operations tell what one of them costs.
const ENOUGH: usize = 1_000_000;

/// Between two deadlines that expire, on average.
const GAP: Duration = Duration::from_nanos(100);
/// From the beginning of the measurement to the first deadline: more than a runtime's granularity.
const LEAD: Duration = Duration::from_millis(5);

pub fn run<R: Postpone>(scale: Scale) -> Result<Figures> {
    R::block_on(async {
        let mut figures = Vec::new();
        // What arming one took last.
        let mut each = Duration::from_micros(1);
        for &size in SIZES {
            figures.extend(figures_of::<R>(scale, size, &mut each).await?);
        }
        Ok(figures)
    })
}

pub fn run_largest<R: Postpone>(scale: Scale) -> Result<Figures> {
    R::block_on(async {
        let mut each = Duration::from_micros(1);
        // How long before the deadlines it has to begin: most of the time would be waiting for them.
        Work::<R>::new(scale.count(LARGEST / 10)).expire_once(&mut each).await?;
        figures_of::<R>(scale, LARGEST, &mut each).await
    })
}

async fn figures_of<R: Postpone>(
    scale: Scale,
    size: usize,
    each: &mut Duration,
) -> Result<Figures> {
    let mut work = Work::<R>::new(scale.count(size).min(size));
    let expire = work.expire(each).await?;
    let [arm, push, cancel] = work.touch().await?;
    let all = [("arm", arm), ("push", push), ("cancel", cancel), ("expire", expire)];
    // The names are needed until the process ends.
    let named = |(operation, ns)| (&*format!("{operation}_{size}").leak(), ns);
    Ok(all.map(named).to_vec())
}

struct Work<R: Postpone> {
    timers: Population<Option<R::Timer>>,
    random: Rng,
}

impl<R: Postpone> Work<R> {
    fn new(size: usize) -> Self {
        Work { timers: Population::new((0..size).map(|_| None)), random: Rng::with_seed(16) }
    }

    /// Nanoseconds to arm one, to postpone one and to cancel one: medians of rounds.
    async fn touch(&mut self) -> Result<[f64; 3]> {
        let Work { timers, random } = self;
        let size = timers.len();
        let turn = turn().await;
        let mut rounds = [const { Vec::new() }; 3];
        for _ in 0..(200_000 / size).clamp(1, 1_000) {
            let durations: Vec<_> =
                (0..size).map(|_| random_between(random, FAR.0, FAR.1)).collect();
            let mut order: Vec<u32> = (0..size as u32).collect();
            random.shuffle(&mut order);
            order.truncate(ENOUGH);
            let mut early = 0;
            rounds[0].push(
                each(size, turn, |cx, index| {
                    timers.get(index).set(Some(R::after(durations[index])));
                    early += usize::from(poll(timers, index, cx).is_ready());
                })
                .await,
            );
            ensure!(early == 0, "{early} timers fired too early");
            rounds[1].push(
                each(order.len(), turn, |_, turn| {
                    let timer = timers.get(order[turn] as usize).as_pin_mut();
                    R::push_out(timer.expect("it is armed"), POSTPONED_BY);
                })
                .await,
            );
            // In another order than that in which they were touched last.
            random.shuffle(&mut order);
            let cancel = |_: &mut Context<'_>, turn| timers.get(order[turn] as usize).set(None);
            rounds[2].push(each(order.len(), turn, cancel).await);
        }
        Ok(rounds.map(|round| Data::new(round).median()))
    }

    /// Nanoseconds of the process for each of the timers, which expire close together: the median of
    /// rounds. `each` is how long it takes to arm one, before and after.
    async fn expire(&mut self, each: &mut Duration) -> Result<f64> {
        let size = self.timers.len();
        let mut rounds = Vec::new();
        for _ in 0..(20_000 / size).clamp(1, 20) {
            rounds.push(self.expire_once(each).await?);
        }
        Ok(Data::new(rounds).median())
    }

    async fn expire_once(&mut self, each: &mut Duration) -> Result<f64> {
        let Work { timers, random } = self;
        let size = timers.len();
        let span = GAP * size as u32;
        for _ in 0..4 {
            let begin = Instant::now();
            let base = begin + LEAD * 2 + *each * 2 * size as u32;
            let fired = Arc::new(Fired::new(size));
            let waker = Waker::from(fired.clone());
            let mut cx = Context::from_waker(&waker);
            let mut too_late = false;
            for index in 0..size {
                let deadline = base + random_between(random, Duration::ZERO, span);
                timers.get(index).set(Some(R::at(deadline)));
                too_late |= poll(timers, index, &mut cx).is_ready();
                if index % BATCH == 0 {
                    future::yield_now().await;
                }
            }
            *each = begin.elapsed() / size as u32;
            R::at(base - LEAD).await;
            let before = processor_time();
            // Some runtimes have work of the arming left by then.
            if too_late || Instant::now() >= base || fired.some() {
                *each = (*each * 2).max(Duration::from_micros(1));
                continue;
            }
            fired.all().await;
            let used = processor_time() - before;
            return Ok(used.as_nanos() as f64 / size as f64);
        }
        bail!("so slow that timers have fired before all {size} were armed");
    }
}

fn poll<T: Future>(
    timers: &mut Population<Option<T>>,
    index: usize,
    cx: &mut Context<'_>,
) -> Poll<T::Output> {
    timers.get(index).as_pin_mut().expect("it was just made").poll(cx)
}

/// Does something so many times. Returns the nanoseconds that each takes, without those of the
/// runtime's turns.
async fn each(count: usize, turn: f64, mut operate: impl FnMut(&mut Context<'_>, usize)) -> f64 {
    let start = Instant::now();
    let mut turns = 0;
    for begin in (0..count).step_by(BATCH) {
        let end = count.min(begin + BATCH);
        poll_fn(|cx| {
            (begin..end).for_each(|index| operate(cx, index));
            Poll::Ready(())
        })
        .await;
        future::yield_now().await;
        turns += 1;
    }
    let ns = start.elapsed().as_nanos() as f64 - f64::from(turns) * turn;
    ns.max(0.0) / count as f64
}

/// Nanoseconds of a turn in which the runtime has nothing to do.
async fn turn() -> f64 {
    let mut all = Vec::new();
    for _ in 0..1_000 {
        let start = Instant::now();
        future::yield_now().await;
        all.push(start.elapsed().as_nanos() as f64);
    }
    Data::new(all).median()
}

/// Counts down at each wake, and wakes what waits for the last. Ordering: the lock orders the last
/// count and the waker, whichever comes first.
struct Fired {
    count: usize,
    left: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

impl Fired {
    fn new(count: usize) -> Fired {
        Fired { count, left: AtomicUsize::new(count), waiting: Mutex::new(None) }
    }

    fn some(&self) -> bool {
        self.left.load(Relaxed) < self.count
    }

    async fn all(&self) {
        poll_fn(|cx| {
            *self.waiting.lock().expect("no panic") = Some(cx.waker().clone());
            match self.left.load(Relaxed) {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.left.fetch_sub(1, Relaxed) == 1 {
            let waiting = self.waiting.lock().expect("no panic").take();
            waiting.iter().for_each(Waker::wake_by_ref);
        }
    }
}
