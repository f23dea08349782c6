//! The longest steps of the timing wheel by itself, in a steady flow of timers of one duration: as long
//! is its lock held, and as long does another thread wait that meets it.
//!
//! The wheel's time is virtual, so that each flow has the same steps. How long a step takes is the
//! least of several flows: what the system does in between falls into another step each time.

use std::task::Waker;
use std::time::{Duration, Instant};

use async_wheel::wheel::Wheel;

use super::{Figures, Scale};

/// How many are pending once the first are due.
const PENDING: usize = 1_000_000;
const DURATION: Duration = Duration::from_secs(5);
/// How often it expires: as a shard does whose timers are dense.
const APART: Duration = Duration::from_micros(500);
/// The most that expires in a step of a shard.
const BUDGET: usize = 1_024;
const FLOWS: usize = 3;

/// Nanoseconds of each step, in order.
#[derive(Default)]
struct Steps {
    insert: Vec<u64>,
    expire: Vec<u64>,
}

pub fn run(scale: Scale) -> Figures {
    let pending = scale.count(PENDING);
    let mut least = flow(pending);
    for _ in 1..FLOWS {
        let again = flow(pending);
        take_least(&mut least.insert, &again.insert);
        take_least(&mut least.expire, &again.expire);
    }
    let longest = |steps: &[u64]| steps.iter().copied().max().unwrap_or(0) as f64 / 1e3;
    vec![("insert_max_us", longest(&least.insert)), ("expire_max_us", longest(&least.expire))]
}

fn take_least(steps: &mut [u64], again: &[u64]) {
    assert_eq!(steps.len(), again.len(), "the same flow has other steps");
    for (step, again) in steps.iter_mut().zip(again) {
        *step = (*step).min(*again);
    }
}

/// Inserts so many, and as many again while those expire, until the wheel is empty.
fn flow(pending: usize) -> Steps {
    let mut wheel = Wheel::new();
    let mut steps = Steps::default();
    let (duration, between) = (nanos(DURATION), nanos(DURATION) / pending as u64);
    let mut inserted = 0;
    let mut now = 0;
    while inserted == 0 || !wheel.is_empty() {
        now += nanos(APART);
        while inserted < 2 * pending as u64 && inserted * between <= now {
            let deadline = inserted * between + duration;
            let waker = Waker::noop().clone();
            steps.insert.push(timed(|| wheel.insert(deadline, waker)).1);
            inserted += 1;
        }
        loop {
            let (done, took) = timed(|| wheel.expire(now, BUDGET, |_, _, waker| drop(waker)));
            steps.expire.push(took);
            if !done.more {
                break;
            }
        }
    }
    steps
}

fn timed<T>(step: impl FnOnce() -> T) -> (T, u64) {
    let start = Instant::now();
    let result = step();
    (result, nanos(start.elapsed()))
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_flow_has_the_same_steps() {
        let (one, other) = (flow(2_000), flow(2_000));
        assert_eq!(one.insert.len(), 4_000);
        assert_eq!(one.expire.len(), other.expire.len());
        assert!(one.expire.len() > 2 * (nanos(DURATION) / nanos(APART)) as usize);
    }

    #[test]
    fn step_is_the_least_of_the_flows() {
        let mut steps = [5, 100, 7];
        take_least(&mut steps, &[90, 6, 8]);
        assert_eq!(steps, [5, 6, 7]);
    }
}
