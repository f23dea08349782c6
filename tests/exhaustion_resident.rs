//! What a burst of timers took goes back to the system, and not only to the allocator. A binary
//! of its own, since it looks at the memory of the process.

#![cfg(target_os = "linux")]

mod common;

use std::task::Waker;
use std::time::Duration;

use async_wheel::Timer;
use common::{HOUR, Wakes, poll_with, watchdog};

const BURST: usize = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };

/// How many KiB may be left of this peak: one part in a hundred; of a small burst some more, since the
/// memory of timers comes in blocks of up to 256 KiB.
fn limit(peak: isize) -> isize {
    (peak / 100).max(512)
}

/// The resident memory of the process in KiB, without that of files: code comes into memory when it is
/// first run. Counted by the system for this: what it keeps a running count of, in `statm`, is some
/// hundred KiB behind.
fn resident() -> isize {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let anonymous = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    anonymous.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Arms a timer in each place.
fn arm(timers: &mut [Option<Timer>], waker: &Waker) {
    for (number, slot) in timers.iter_mut().enumerate() {
        let timer = slot.insert(Timer::after(HOUR + Duration::from_micros(number as u64)));
        assert!(poll_with(waker, timer).is_pending());
    }
}

// One test, since what another takes meanwhile would be counted.
#[test]
fn burst_of_timers_leaves_no_resident_memory() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let waker = wakes.waker();
    let mut timers: Vec<Option<Timer>> = (0..BURST).map(|_| None).collect();
    // The reactor starts, and tables of a few timers are there.
    arm(&mut timers[..10_000], &waker);
    timers[..10_000].fill_with(|| None);
    let base = resident();

    for kept in [BURST / 2, BURST - 1] {
        arm(&mut timers, &waker);
        let peak = resident() - base;
        assert!(peak > BURST as isize / 32, "{peak} KiB for all");
        let one = timers[kept].take();
        timers.fill_with(|| None);
        let one_left = resident() - base;
        drop(one);
        let none_left = resident() - base;
        eprintln!("KiB above {base}: peak {peak}, one left ({kept}) {one_left}, none {none_left}");
        assert!(one_left <= limit(peak), "{one_left} KiB of {peak} with one left");
        assert!(none_left <= limit(peak), "{none_left} KiB of {peak} with none left");
    }

    // Those that fire give back their places among the deadlines first.
    arm(&mut timers, &waker);
    let peak = resident() - base;
    timers.iter_mut().flatten().for_each(|timer| timer.set_after(Duration::from_millis(1)));
    wakes.wait_for(BURST);
    timers.fill_with(|| None);
    let none_left = resident() - base;
    eprintln!("KiB above {base}: peak {peak}, none after all fired {none_left}");
    assert!(none_left <= limit(peak), "{none_left} KiB of {peak} after all fired");
}
