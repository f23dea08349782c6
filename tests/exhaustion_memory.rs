//! Memory grows with what is alive, not with what has been. A binary of its own, since it
//! counts all allocations of the process.

#![cfg(unix)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on};
use common::{HOUR, MS, Wakes, poll_with, watchdog};
use futures_lite::future;

/// Counts the bytes that are allocated.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: all of it is the system's allocator's; counting touches none of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// Does something a few times, then many times; fails if there is more than `slack` more
/// afterwards.
#[track_caller]
fn no_growth(what: &str, slack: isize, rounds: usize, mut round: impl FnMut(usize)) {
    let start = Instant::now();
    (0..rounds / 20).for_each(&mut round);
    let before = live();
    (0..rounds).for_each(&mut round);
    let grown = live() - before;
    eprintln!("{what}: {rounds} rounds in {:?}", start.elapsed());
    assert!(grown <= slack, "{what}: {grown} bytes more after {rounds} rounds");
}

/// How the timers of a large population end.
#[derive(PartialEq)]
enum End {
    Dropped,
    Fired,
}

// One test, since what another allocates meanwhile would be counted.
#[test]
fn what_is_gone_leaves_no_memory_behind() {
    let _watchdog = watchdog();
    // A population that stays, so that nothing is given back merely because all is gone.
    let mut standing: Vec<_> = (0..1_000).map(|_| Timer::after(HOUR)).collect();
    for timer in &mut standing {
        assert!(poll_with(Waker::noop(), timer).is_pending());
    }
    let wakes = Wakes::new();
    let waker = wakes.waker();

    let cycles = if cfg!(debug_assertions) { 2_000_000 } else { 10_000_000 };
    no_growth("timers armed, postponed and cancelled", 32_768, cycles, |round| {
        let mut timer = Timer::after(Duration::from_millis(10_000 + (round % 100_000) as u64));
        assert!(poll_with(&waker, &mut timer).is_pending());
        if round % 3 == 0 {
            timer.set_after(HOUR);
        }
        standing[round % 1_000].set_after(HOUR);
    });

    no_growth("timers that fire", 32_768, 200, |_| {
        let timers = (0..100).map(|index| Timer::after(Duration::from_micros(index)));
        block_on(async {
            for timer in timers.collect::<Vec<_>>() {
                timer.await;
            }
        });
    });
    no_growth("sources registered, waited for and dropped", 32_768, 20_000, |_| {
        let (ours, _peer) = UnixStream::pair().unwrap();
        let ours = Async::new(ours).unwrap();
        let _ = future::block_on(future::poll_once(ours.readable()));
        assert!(ours.poll_readable(&mut std::task::Context::from_waker(&waker)).is_pending());
    });
    no_growth("block_on calls, nested", 32_768, 10_000, |_| {
        block_on(async { block_on(future::yield_now()) });
    });
    no_growth("threads with a home shard", 65_536, 200, |_| {
        let with_home = || block_on(Timer::after(Duration::from_micros(10)));
        let _ = thread::spawn(with_home).join().unwrap();
    });
    drop(standing);

    // A large population ends.
    for end in [End::Dropped, End::Fired] {
        let before = live();
        let mut timers: Vec<_> = (0..1_000_000).map(|_| Timer::after(HOUR)).collect();
        for timer in &mut timers {
            assert!(poll_with(&waker, timer).is_pending());
            if end == End::Fired {
                timer.set_after(MS);
            }
        }
        let with_all = live() - before;
        // The handles; on Linux the entries are in mappings of their own, which the test
        // `exhaustion_resident` looks at.
        let mapped =
            cfg!(all(any(target_os = "linux", target_os = "android"), not(async_wheel_heap)));
        let counted = if mapped { 40 } else { 60 };
        assert!(with_all >= counted * 999_000, "{with_all} bytes for a million");
        if end == End::Fired {
            wakes.wait_for(1_000_000);
        }
        drop(timers);
        let left = live() - before;
        assert!(left < 1_000_000, "{left} bytes of {with_all} are still there");
    }
}
