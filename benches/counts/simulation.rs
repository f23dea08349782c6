//! Wheels in virtual time: populations and spans that no test could wait for.

use async_wheel::wheel::Wheel;

use crate::measured;

/// The most that expires in a round of a shard; see `src/reactor/timers/mod.rs`.
const BUDGET: usize = 512;
/// The most that is moved in such a round, but for the rest of a chunk.
const MOVES: usize = 2 * BUDGET;
/// How far apart the steps are at least. Those of a shard are up to 0.5 ms apart where its timers are
/// dense.
const COALESCED: u64 = 200_000;

/// What was seen of a wheel.
#[derive(Default)]
struct Seen {
    steps: u64,
    /// The most that expired in a step.
    most: usize,
    /// Steps in which as many expired as may.
    full: u64,
    /// Steps that ended because they had moved all that they may.
    moved_out: u64,
    /// The latest that a timer expired, in virtual time: 0.2 ms of it are the coalescing.
    late: u64,
}

/// Runs wheels, one after another, each with its share of the timers.
pub fn run(timers: u64, wheels: u64, seconds: u64) {
    let mut all = Seen::default();
    for _ in 0..wheels {
        let mut wheel = Wheel::new();
        for _ in 0..timers / wheels {
            wheel.insert(fastrand::u64(..seconds * 1_000_000_000), 0_u8);
        }
        let seen = &mut all;
        measured(|| expire_all(&mut wheel, seen));
    }
    println!("{} timers in {wheels} wheels, due within {seconds} s", timers / wheels * wheels);
    println!("  steps: {}, with {} expired at most", all.steps, all.most);
    println!("  steps that ended at {BUDGET} expired: {}", all.full);
    println!("  steps that ended at {MOVES} moved: {}", all.moved_out);
    println!("  latest, the coalescing included: {} us", all.late / 1_000);
}

/// Expires all timers, in steps as a shard takes them. A step that says that there is more is
/// followed by another at once, which takes no virtual time.
fn expire_all(wheel: &mut Wheel<u8>, seen: &mut Seen) {
    let mut now = 0;
    while let Some(next) = wheel.next_deadline() {
        now = next.max(now + COALESCED);
        loop {
            let late = &mut seen.late;
            let done =
                wheel.expire(now, BUDGET, |_, deadline, _| *late = (*late).max(now - deadline));
            seen.steps += 1;
            seen.most = seen.most.max(done.expired);
            if !done.more {
                break;
            }
            if done.expired == BUDGET {
                seen.full += 1;
            } else {
                seen.moved_out += 1;
            }
        }
    }
}
