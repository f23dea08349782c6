//! What a pending timer takes: its handle, and what the runtime keeps for it.
//!
//! Measured as resident memory, which is the same for all: some take theirs from the allocator,
//! some from the system.

use fastrand::Rng;
use procfs::process::Process;

use super::{Figures, Scale, far};
use crate::population::Population;
use crate::runtimes::Timers;

pub fn run<R: Timers>(scale: Scale) -> Figures {
    let pending = scale.count(1_000_000);
    R::block_on(async {
        let mut random = Rng::with_seed(4);
        let before = resident();
        let mut timers = Population::new((0..pending).map(|_| R::after(far(&mut random))));
        timers.arm().await;
        let bytes = resident().saturating_sub(before);
        vec![
            ("bytes", bytes as f64 / pending as f64),
            ("handle_bytes", size_of::<R::Timer>() as f64),
        ]
    })
}

/// The bytes of this process that are in memory.
pub fn resident() -> u64 {
    let statm = Process::myself().and_then(|process| process.statm());
    statm.map_or(0, |statm| statm.resident * procfs::page_size())
}
