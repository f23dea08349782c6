//! Timers of the same duration that are armed evenly, as timeouts of a steady flow of requests are:
//! what a timing wheel has to cascade while others are armed. A binary heap under a lock does the
//! same, and the wheel by itself in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::{Figures, Scale};
use crate::population::Population;
use crate::runtimes::Runtime;

/// How many are pending once the first are due.
const PENDING: usize = 1_000_000;
const DURATION: Duration = Duration::from_secs(5);
/// How often those are armed whose turn has come.
const PAUSE: Duration = Duration::from_millis(1);
/// Later than all that is measured.
const NEVER: Duration = Duration::from_secs(60);

/// One of the timers, armed again when it has fired. Ordering: each is a figure by itself, read
/// until it is there.
struct Place {
    base: Instant,
    /// When it is due, in nanoseconds from the base.
    deadline: AtomicU64,
    /// How many nanoseconds it was late, and one more; zero is not yet.
    late: AtomicU64,
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let late = nanos(self.base.elapsed()).checked_sub(self.deadline.load(Relaxed));
        // A runtime that wakes early, or in vain, is polled again by nobody here: it has failed.
        self.late.store(late.map_or(u64::MAX, |late| late + 1), Relaxed);
    }
}

impl Place {
    /// Returns how late it was, once it has fired.
    fn late(&self) -> Result<Option<u64>> {
        let late = self.late.load(Relaxed);
        ensure!(late < u64::MAX, "a timer fired too early");
        Ok(late.checked_sub(1))
    }
}

/// What all of them need, whoever keeps them.
struct Flow {
    base: Instant,
    places: Vec<Arc<Place>>,
    wakers: Vec<Waker>,
    /// From one to the next.
    apart: Duration,
    duration: Duration,
    /// The time that arming one took.
    arm: Histogram<u64>,
    late: Histogram<u64>,
}

impl Flow {
    fn new(scale: Scale) -> Result<Flow> {
        let base = Instant::now();
        let (pending, duration) = (scale.count(PENDING), scale.time(DURATION));
        // A tenth more than are pending, for those that fire late.
        let place = |_| {
            let (deadline, late) = (AtomicU64::new(0), AtomicU64::new(0));
            Arc::new(Place { base, deadline, late })
        };
        let places: Vec<_> = (0..pending + pending / 10).map(place).collect();
        Ok(Flow {
            base: Instant::now(),
            wakers: places.iter().cloned().map(Waker::from).collect(),
            places,
            apart: duration / pending as u32,
            duration,
            arm: Histogram::new(3)?,
            late: Histogram::new(3)?,
        })
    }

    /// How many have had their turn so far, of twice as many as there are.
    fn had_turn(&self) -> usize {
        let turns = self.base.elapsed().as_nanos() / self.apart.as_nanos().max(1);
        (turns as usize).min(2 * self.places.len())
    }

    /// Prepares the timer of a turn. Returns its number, its deadline and its waker.
    fn take_turn(&mut self, turn: usize) -> Result<(usize, Instant, Waker)> {
        let number = turn % self.places.len();
        let place = &self.places[number];
        if turn >= self.places.len() {
            let late = place.late()?;
            ensure!(late.is_some(), "timers are late by more than a tenth of their duration");
            self.late.record(late.unwrap_or_default())?;
        }
        let deadline = Instant::now() + self.duration;
        place.deadline.store(nanos(deadline - place.base), Relaxed);
        place.late.store(0, Relaxed);
        Ok((number, deadline, self.wakers[number].clone()))
    }

    /// Notes how long it took to arm a timer. Those of the first round meet nothing that is due.
    fn armed(&mut self, turn: usize, took: Duration) -> Result<()> {
        if turn >= self.places.len() {
            self.arm.record(nanos(took))?;
        }
        Ok(())
    }

    /// Of the second round's arming, and of the first round's timers, which fire meanwhile.
    fn figures(&self) -> Figures {
        let quantile = |of: &Histogram<u64>, quantile| of.value_at_quantile(quantile) as f64 / 1e3;
        vec![
            ("arm_p50_us", quantile(&self.arm, 0.5)),
            ("arm_p99_us", quantile(&self.arm, 0.99)),
            ("arm_p9999_us", quantile(&self.arm, 0.9999)),
            ("late_p50_us", quantile(&self.late, 0.5)),
            ("late_p99_us", quantile(&self.late, 0.99)),
            ("late_p9999_us", quantile(&self.late, 0.9999)),
        ]
    }
}

/// On two threads of a runtime: one arms, and either may expire meanwhile.
pub fn run<R: Runtime>(scale: Scale) -> Result<Figures> {
    R::run(2, async move {
        let mut flow = Flow::new(scale)?;
        let far = Instant::now() + NEVER;
        let mut timers = Population::new((0..flow.places.len()).map(|_| R::at(far)));
        flow.base = Instant::now();
        let mut turn = 0;
        while turn < 2 * flow.places.len() {
            R::after(PAUSE).await;
            while turn < flow.had_turn() {
                let (number, deadline, waker) = flow.take_turn(turn)?;
                let mut timer: Pin<&mut R::Timer> = timers.get(number);
                timer.set(R::at(deadline));
                let start = Instant::now();
                let poll = timer.poll(&mut Context::from_waker(&waker));
                let took = start.elapsed();
                if poll.is_ready() {
                    waker.wake();
                }
                flow.armed(turn, took)?;
                turn += 1;
            }
        }
        Ok(flow.figures())
    })
}

/// Timers in a binary heap, the earliest on top.
struct Heap {
    /// Each with its waker's number.
    timers: Mutex<BinaryHeap<Reverse<(Instant, usize)>>>,
    /// An earlier one has come.
    earlier: Condvar,
}

/// With a thread that sleeps until the earliest in a binary heap is due and wakes all that
/// are, one at a time.
pub fn with_heap(scale: Scale) -> Result<Figures> {
    let mut flow = Flow::new(scale)?;
    let timers = Mutex::new(BinaryHeap::with_capacity(flow.places.len()));
    let heap = Arc::new(Heap { timers, earlier: Condvar::new() });
    let (expiring, wakers) = (heap.clone(), flow.wakers.clone());
    // It ends with the process.
    thread::spawn(move || expire_heap(&expiring, &wakers));
    flow.base = Instant::now();
    let mut turn = 0;
    while turn < 2 * flow.places.len() {
        thread::sleep(PAUSE);
        while turn < flow.had_turn() {
            let (number, deadline, _) = flow.take_turn(turn)?;
            let start = Instant::now();
            let mut timers = heap.timers.lock().unwrap_or_else(PoisonError::into_inner);
            let is_first = timers.peek().is_none_or(|Reverse((first, _))| deadline < *first);
            timers.push(Reverse((deadline, number)));
            drop(timers);
            if is_first {
                heap.earlier.notify_one();
            }
            flow.armed(turn, start.elapsed())?;
            turn += 1;
        }
    }
    Ok(flow.figures())
}

fn expire_heap(heap: &Heap, wakers: &[Waker]) {
    let mut timers = heap.timers.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = Instant::now();
        timers = match timers.peek() {
            Some(&Reverse((deadline, number))) if deadline <= now => {
                timers.pop();
                drop(timers);
                wakers[number].wake_by_ref();
                heap.timers.lock().unwrap_or_else(PoisonError::into_inner)
            }
            Some(&Reverse((deadline, _))) => {
                let waited = heap.earlier.wait_timeout(timers, deadline - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => heap.earlier.wait(timers).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
