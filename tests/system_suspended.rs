//! A process that is stopped for a while finds deadlines far in the past when it goes on.

#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on};
use common::{MS, Wakes, armed, poll_with, process, watchdog};
use futures_lite::{StreamExt, future};
use rustix::process::{Pid, Signal, kill_process};

/// For how long the process is stopped.
const STOPPED: Duration = Duration::from_millis(300);

const NAME: &str = "resumed_process_fires_overdue_timers_once";

/// A process is stopped twice for 300 ms: each overdue timer fires once, and intervals yield each
/// tick of their grid.
#[test]
fn resumed_process_fires_overdue_timers_once() {
    let _watchdog = watchdog();
    if process::is(NAME) {
        return is_stopped();
    }
    let mut child = process::spawn(NAME);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("waiting")), "it began");
    let pid = Pid::from_child(&child);
    for _ in 0..2 {
        thread::sleep(30 * MS);
        kill_process(pid, Signal::STOP).unwrap();
        thread::sleep(STOPPED);
        kill_process(pid, Signal::CONT).unwrap();
    }
    // Reads on, so that the pipe does not fill.
    let rest: Vec<_> = said.map_while(Result::ok).collect();
    let status = process::wait(&mut child, 30_000 * MS);
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {rest:#?}");
}

/// In a process of its own: waits in all ways, both before and after it was stopped.
fn is_stopped() {
    let wakes = Wakes::new();
    let after = |ms| armed(&wakes.waker(), || Timer::after(ms * MS));
    let (ours, mut peer) = UnixStream::pair().unwrap();
    let ours = Arc::new(Async::new(ours).unwrap());
    // Within block_on, on its shard; outside, on the first.
    let inside = thread::spawn(move || {
        block_on(async {
            let period = 10 * MS;
            let first = Instant::now() + period;
            let mut ticks = Timer::interval_at(first, period);
            let mut stops = 0;
            let mut last = Instant::now();
            // For a second, and on until it was stopped.
            for tick in 0..2_000 {
                // Each tick of the grid, in order and never early, however late.
                let due = ticks.next().await.unwrap();
                assert_eq!(due, first + tick * period);
                let now = Instant::now();
                assert!(now >= due);
                stops += usize::from(now - last > STOPPED / 2);
                last = now;
                if tick >= 100 && stops > 0 {
                    break;
                }
            }
            stops
        })
    });
    let mut timers: Vec<_> = (1..=70).map(|index| after(index * 10)).collect();
    println!("waiting");
    std::io::stdout().flush().unwrap();
    let reading = thread::spawn(move || block_on(ours.readable()).unwrap());
    let stops = inside.join().unwrap();
    // On a busy machine it may stand still more often than it is stopped.
    assert!(stops >= 1, "never stopped");
    peer.write_all(b"x").unwrap();
    reading.join().unwrap();
    wakes.wait_for(timers.len());
    // Once each: nothing more comes while others fire.
    future::block_on(Timer::after(20 * MS));
    assert_eq!(wakes.count(), timers.len());
    assert!(timers.iter_mut().all(|timer| poll_with(&wakes.waker(), timer).is_ready()));
}
