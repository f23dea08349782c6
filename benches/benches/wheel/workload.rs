//! What is done with each structure, and how it is timed.

use std::hint::black_box;
use std::time::Instant;

use crate::peers::Peer;

/// Deadlines are spread over this time, and it takes this long until all have come.
pub const SPAN: u64 = 60_000 * MILLISECOND;

const MILLISECOND: u64 = 1_000_000;

/// Operations that are timed together. Their entries fit into the nearest cache, as those of
/// the connections that a server is busy with do.
const BATCH: usize = 256;

/// What is measured, in the order of the samples.
pub const OPERATIONS: &[&str] = &[
    "insert",
    "remove, a recent one",
    "remove, a random one",
    "insert, after random removals",
    "reschedule later",
    "reschedule earlier",
    "next deadline",
    "expire, nothing due",
    "expire, 1,000 due (or a tenth)",
];

/// How much is done.
#[derive(Clone, Copy)]
pub struct Scale {
    pub population: usize,
    /// How often the structures take turns.
    pub rounds: usize,
    /// Samples of each operation in a turn.
    repeats: usize,
    expiry: bool,
}

impl Scale {
    pub fn full(population: usize) -> Scale {
        Scale { population, rounds: 5, repeats: 20, expiry: true }
    }

    pub fn without_expiry(population: usize) -> Scale {
        Scale { expiry: false, ..Scale::full(population) }
    }

    pub fn quick(population: usize) -> Scale {
        Scale { rounds: 1, repeats: 1, ..Scale::full(population) }
    }
}

/// A structure that takes part, whatever it is.
pub trait Bench {
    /// Takes one turn: adds samples for each operation.
    fn round(&mut self, samples: &mut [Vec<f64>]);
}

/// Numbers without a pattern: SplitMix64 with a fixed start, the same for all structures.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}

/// One structure with its population.
pub struct Runner<P: Peer> {
    scale: Scale,
    peer: P,
    random: Random,
    /// The entries that stand, by what the structure takes for a key.
    handles: Vec<P::Handle>,
    now: u64,
}

impl<P: Peer> Runner<P> {
    pub fn new(scale: Scale) -> Runner<P> {
        let mut runner = Runner {
            scale,
            peer: P::new(),
            random: Random(scale.population as u64),
            handles: Vec::with_capacity(scale.population + BATCH),
            now: 0,
        };
        for tag in 0..scale.population {
            let deadline = runner.deadline();
            let handle = runner.peer.insert(deadline, tag);
            runner.handles.push(handle);
        }
        runner
    }

    /// Within the span from now on, but not so near that it comes due by itself.
    fn deadline(&mut self) -> u64 {
        self.now + 1_000 * MILLISECOND + self.random.below(SPAN)
    }

    fn deadlines(&mut self) -> Vec<u64> {
        (0..BATCH).map(|_| self.deadline()).collect()
    }

    /// Takes one turn at the operations that leave the population as it was.
    fn touch(&mut self, samples: &mut [Vec<f64>]) {
        let deadlines = self.deadlines();
        let mut recent = Vec::with_capacity(BATCH);
        let tag = self.scale.population;
        samples[0].push(timed(BATCH, || {
            for &deadline in &deadlines {
                recent.push(self.peer.insert(deadline, tag));
            }
        }));
        let later: Vec<u64> = deadlines.iter().map(|d| d + 700 * MILLISECOND).collect();
        samples[4].push(timed(BATCH, || {
            for (handle, &deadline) in recent.iter_mut().zip(&later) {
                self.peer.reschedule(handle, deadline);
            }
        }));
        samples[5].push(timed(BATCH, || {
            for (handle, &deadline) in recent.iter_mut().zip(&deadlines) {
                self.peer.reschedule(handle, deadline);
            }
        }));
        samples[1].push(timed(BATCH, || {
            for handle in recent.drain(..) {
                self.peer.remove(handle);
            }
        }));

        let count = BATCH.min(self.scale.population / 2);
        let mut victims = Vec::with_capacity(count);
        for _ in 0..count {
            let index = self.random.below(self.handles.len() as u64) as usize;
            victims.push(self.handles.swap_remove(index));
        }
        samples[2].push(timed(count, || {
            for handle in victims.drain(..) {
                self.peer.remove(handle);
            }
        }));
        samples[3].push(timed(count, || {
            for &deadline in &deadlines[..count] {
                self.handles.push(self.peer.insert(deadline, tag));
            }
        }));

        if self.peer.next_deadline().is_some() {
            samples[6].push(timed(BATCH, || {
                for _ in 0..BATCH {
                    black_box(black_box(&mut self.peer).next_deadline());
                }
            }));
        }
        if P::EXPIRES_AT_ANY_TIME {
            samples[7].push(timed(BATCH, || {
                for _ in 0..BATCH {
                    let out = black_box(&mut self.peer).expire(self.now, &mut Vec::new());
                    assert_eq!(out, 0);
                }
            }));
        }
    }

    /// Lets the whole population come out once, a step at a time, and puts it back.
    fn expire(&mut self) -> Option<f64> {
        // A population of its own, since the handles of this one would all be stale.
        let population = self.scale.population;
        let mut peer = P::new();
        let mut random = Random(population as u64);
        for tag in 0..population {
            peer.insert(1 + random.below(SPAN), tag);
        }
        let due = 1_000.min(population / 10);
        let step = SPAN / (population / due) as u64;
        let mut nanoseconds = 0.0;
        let mut handed_out = 0;
        let mut out = Vec::with_capacity(2 * due);
        // The first minute only brings it to the state that it keeps.
        for minute in 0..2 {
            for index in 1..=(population / due) as u64 {
                let now = minute * SPAN + index * step;
                let start = Instant::now();
                let count = peer.expire(now, &mut out);
                if minute == 1 {
                    nanoseconds += start.elapsed().as_nanos() as f64;
                    handed_out += count;
                }
                for (deadline, tag) in out.drain(..) {
                    peer.insert(deadline + SPAN, tag);
                }
            }
        }
        (handed_out > 0).then(|| nanoseconds / handed_out as f64)
    }
}

impl<P: Peer> Bench for Runner<P> {
    fn round(&mut self, samples: &mut [Vec<f64>]) {
        for _ in 0..self.scale.repeats {
            self.touch(samples);
        }
        if self.scale.expiry {
            samples[8].extend(self.expire());
        }
    }
}

/// Nanoseconds that each of the `operations` in `f` takes.
fn timed(operations: usize, f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_nanos() as f64 / operations as f64
}
