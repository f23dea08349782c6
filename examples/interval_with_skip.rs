//! An interval whose work at times takes longer than its period: `Skip` leaves out the ticks that
//! were missed meanwhile, and the others stay where they were to be.
//!
//! `docs/time.md` has a table of what the other two do.

use std::time::Duration;

use async_wheel::time::MissedTicks;
use async_wheel::{Timer, block_on};
use futures_lite::StreamExt;

const PERIOD: Duration = Duration::from_millis(200);

fn main() {
    block_on(async {
        let mut ticks = Timer::interval(PERIOD).with_missed_ticks(MissedTicks::Skip);
        let Some(start) = ticks.next().await else { return };
        println!("the first tick");
        for round in 1..=6 {
            // When the tick was due, whenever it is taken.
            let Some(due) = ticks.next().await else { return };
            let work = if round == 2 { PERIOD * 5 / 2 } else { PERIOD / 10 };
            println!("a tick that was due after {:?}; it is work for {work:?}", due - start);
            Timer::after(work).await;
        }
    });
}
