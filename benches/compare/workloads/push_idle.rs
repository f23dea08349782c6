//! Idle timeouts that are touched all the time, with what their touches cost later.
//!
//! Each pending timeout has a waker of its own that queues it, as a task is queued by an executor,
//! and what is queued is polled with that waker. The figure is the processor time of the whole
//! process, over several limits, by the number of touches: it contains the looks at the clock (one
//! for each [`BATCH`] of touches), the wheel's or the map's work when former deadlines come, the
//! wakes, and the polls. None should elapse. One that does, because a runtime does not get round in
//! time, is touched and polled again, and that touch counts like any other.

use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use futures_lite::future;

use super::{Figures, Scale};
use crate::population::{BATCH, Population};
use crate::runtimes::Runtime;
use crate::usage::processor_time;

const LIMIT: Duration = Duration::from_secs(3);
/// For how many limits they are touched.
const LIMITS: u32 = 2;

pub fn run<R: Runtime>(scale: Scale) -> Result<Figures> {
    let (count, limit) = (scale.count(1_000_000), scale.time(LIMIT));
    let in_turn: Vec<u32> = (0..count as u32).collect();
    let mut random = Rng::with_seed(9);
    let mut shuffled = || {
        let mut order = in_turn.clone();
        random.shuffle(&mut order);
        order
    };
    // They begin to wait in another order than that in which they are touched.
    let at_random = R::block_on(touch_all::<R>(&shuffled(), &shuffled(), limit));
    let one_by_one = R::block_on(touch_all::<R>(&in_turn, &in_turn, limit));
    Ok(vec![("random_ns", at_random), ("in_turn_ns", one_by_one)])
}

/// Lets timeouts begin to wait in one order, and touches them in another. Returns the nanoseconds
/// that a touch takes.
async fn touch_all<R: Runtime>(arm: &[u32], touch: &[u32], limit: Duration) -> f64 {
    let queue: &'static Queue = Box::leak(Box::default());
    let mut idle = Population::new(arm.iter().map(|_| R::idle(limit)));
    begin::<R>(&mut idle, arm, limit, queue).await;

    let mut touches = 0;
    let before = processor_time();
    let end = Instant::now() + limit * LIMITS;
    for batch in touch.chunks(BATCH).cycle() {
        let now = Instant::now();
        if now >= end {
            break;
        }
        let deadline = now + limit;
        for &index in batch {
            R::touch(idle.get(index as usize), now, deadline);
        }
        touches += batch.len() + poll_woken::<R>(&mut idle, queue, limit);
        future::yield_now().await;
    }
    let used = processor_time() - before;
    used.as_nanos() as f64 / touches as f64
}

/// Polls each once, over half a limit: their deadlines are as far apart.
async fn begin<R: Runtime>(
    idle: &mut Population<R::Idle>,
    order: &[u32],
    limit: Duration,
    queue: &'static Queue,
) {
    let start = Instant::now();
    let time_each = limit / 2 / order.len() as u32;
    for (number, batch) in order.chunks(BATCH).enumerate() {
        R::at(start + time_each * (number * BATCH) as u32).await;
        let now = Instant::now();
        for &index in batch {
            R::touch(idle.get(index as usize), now, now + limit);
            let waker = Waker::from(Arc::new(Waiting { index, queue }));
            let poll = idle.get(index as usize).poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending(), "a timeout elapsed too early");
        }
    }
}

/// Polls what was woken. Touches what has elapsed, and returns how often.
fn poll_woken<R: Runtime>(idle: &mut Population<R::Idle>, queue: &Queue, limit: Duration) -> usize {
    let woken = mem::take(&mut *queue.lock().expect("no panic"));
    let mut touches = 0;
    for waiting in woken {
        let index = waiting.index as usize;
        let waker = Waker::from(waiting);
        let cx = &mut Context::from_waker(&waker);
        while idle.get(index).poll(cx).is_ready() {
            touches += 1;
            let now = Instant::now();
            R::touch(idle.get(index), now, now + limit);
        }
    }
    touches
}

/// What is woken, until it is polled.
type Queue = Mutex<Vec<Arc<Waiting>>>;

/// A task in all but its future.
struct Waiting {
    index: u32,
    queue: &'static Queue,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let queue = self.queue;
        queue.lock().expect("no panic").push(self);
    }
}
