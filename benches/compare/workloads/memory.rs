//! What a pending timer takes: its handle, and what the runtime keeps for it.

use fastrand::Rng;

use super::{Figures, Scale, far};
use crate::allocator;
use crate::population::Population;
use crate::runtimes::Runtime;

pub fn run<R: Runtime>(scale: Scale) -> Figures {
    let pending = scale.count(1_000_000);
    allocator::count();
    R::block_on(async {
        let mut random = Rng::with_seed(4);
        let before = allocator::bytes_in_use();
        let mut timers = Population::new((0..pending).map(|_| R::after(far(&mut random))));
        timers.arm().await;
        let bytes = allocator::bytes_in_use().wrapping_sub(before);
        vec![
            ("bytes", bytes as f64 / pending as f64),
            ("handle_bytes", size_of::<R::Timer>() as f64),
        ]
    })
}
