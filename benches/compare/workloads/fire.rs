//! Many timers that become due within a second or two: each in a task of its own on some threads, or
//! without tasks, each with a waker of its own, on one thread.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use fastrand::Rng;
use futures_lite::future;
use hdrhistogram::Histogram;

use super::memory::resident;
use super::{Figures, Scale, random_between};
use crate::population::{BATCH, Population};
use crate::runtimes::{Runtime, Timers};
use crate::usage::processor_time;

/// How long it takes until all are due: a million of them may be more than a runtime can do in time.
pub const DENSE: Duration = Duration::from_secs(1);
/// How long if each should have the time that it needs.
pub const STEADY: Duration = Duration::from_secs(2);
/// How long one may be late before something is taken to be broken.
const TOO_LATE: Duration = Duration::from_secs(60);

/// What each timer's firing tells. Ordering: each is a figure by itself, read until it is there.
struct Fired {
    deadline: Instant,
    /// Nanoseconds that it was late, and one more; zero is not yet.
    late: AtomicU64,
}

impl Fired {
    fn now(&self) {
        let late = Instant::now().checked_duration_since(self.deadline);
        let late = late.expect("not before its time").as_nanos() as u64;
        self.late.store(late + 1, Relaxed);
    }
}

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        self.now();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.now();
    }
}

/// Each in a task on so many threads, all due within `span`.
pub fn in_tasks<R: Runtime>(scale: Scale, threads: usize, span: Duration) -> Result<Figures> {
    let timers = scale.count(1_000_000);
    R::run(
        threads,
        with_room(timers, move |base| async move {
            let all = deadlines(base, timers, span);
            let armed = Arc::new(AtomicUsize::new(0));
            for fired in &all {
                R::spawn(wait::<R>(fired.clone(), armed.clone()));
            }
            // Ordering: it is only waited for.
            while armed.load(Relaxed) < timers {
                R::after(Duration::from_millis(5)).await;
            }
            observe::<R>(base, span, &all).await
        }),
    )
}

/// Notes the moment at which the task runs.
async fn wait<R: Runtime>(fired: Arc<Fired>, armed: Arc<AtomicUsize>) {
    let mut timer = pin!(R::at(fired.deadline));
    let mut polled = false;
    poll_fn(|cx| {
        let poll = timer.as_mut().poll(cx);
        if !polled {
            polled = true;
            armed.fetch_add(1, Relaxed);
        }
        poll
    })
    .await;
    fired.now();
}

/// Notes the moments of the wakes. All are due within `span`.
pub fn with_wakers<R: Timers>(scale: Scale, span: Duration) -> Result<Figures> {
    let timers = scale.count(1_000_000);
    R::block_on(with_room(timers, move |base| async move {
        let all = deadlines(base, timers, span);
        let mut timers = Population::new(all.iter().map(|fired| R::at(fired.deadline)));
        for (index, fired) in all.iter().enumerate() {
            let waker = Waker::from(fired.clone());
            if timers.get(index).poll(&mut Context::from_waker(&waker)).is_ready() {
                return Ok(None);
            }
            if index % BATCH == 0 {
                future::yield_now().await;
            }
        }
        observe::<R>(base, span, &all).await
    }))
}

/// Creates them to be due after a time that was enough to create them.
async fn with_room<F>(timers: usize, attempt: impl Fn(Instant) -> F) -> Result<Figures>
where
    F: Future<Output = Result<Option<Figures>>>,
{
    let mut room = Duration::from_millis(300) + Duration::from_micros(3) * timers as u32;
    for _ in 0..4 {
        if let Some(figures) = attempt(Instant::now() + room).await? {
            return Ok(figures);
        }
        room *= 2;
    }
    bail!("{timers} timers took longer than {room:?} to create");
}

fn deadlines(base: Instant, timers: usize, span: Duration) -> Vec<Arc<Fired>> {
    let mut random = Rng::with_seed(3);
    let fired = |_| {
        let deadline = base + random_between(&mut random, Duration::ZERO, span);
        Arc::new(Fired { deadline, late: AtomicU64::new(0) })
    };
    (0..timers).map(fired).collect()
}

/// What it takes until all have fired. `None` if some had done so before they were watched.
async fn observe<R: Timers>(
    base: Instant,
    span: Duration,
    all: &[Arc<Fired>],
) -> Result<Option<Figures>> {
    if Instant::now() >= base {
        return Ok(None);
    }
    let resident = resident();
    R::at(base).await;
    let before = processor_time();
    R::at(base + span).await;
    while !all.iter().all(|fired| fired.late.load(Relaxed) > 0) {
        ensure!(Instant::now() < base + span + TOO_LATE, "some timers did not fire");
        R::after(Duration::from_millis(20)).await;
    }
    let used = processor_time() - before;
    let mut histogram = Histogram::<u64>::new(3)?;
    let mut last = Duration::ZERO;
    for fired in all {
        let late = fired.late.load(Relaxed) - 1;
        histogram.record(late)?;
        last = last.max(fired.deadline - base + Duration::from_nanos(late));
    }
    Ok(Some(vec![
        ("ns", used.as_nanos() as f64 / all.len() as f64),
        ("span_ms", last.as_secs_f64() * 1e3),
        ("per_s", all.len() as f64 / last.as_secs_f64()),
        ("resident_mib", resident as f64 / f64::from(1 << 20)),
        ("late_p50_us", histogram.value_at_quantile(0.5) as f64 / 1e3),
        ("late_p99_us", histogram.value_at_quantile(0.99) as f64 / 1e3),
    ]))
}
