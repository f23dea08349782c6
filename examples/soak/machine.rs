//! What the process holds of the machine, and how busy the machine is.

use std::alloc::System;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// The system's allocator, which counts.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the process holds at some moment.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    /// Open descriptors; nobody says outside Linux.
    pub descriptors: Option<u64>,
    /// Allocations that were not freed, and their bytes.
    pub blocks: u64,
    pub bytes: u64,
    /// Memory that is resident.
    pub resident: Option<u64>,
}

impl Holds {
    pub fn now() -> Holds {
        let stats = ALLOCATOR.stats();
        Holds {
            descriptors: descriptors(),
            blocks: stats.allocations.saturating_sub(stats.deallocations) as u64,
            bytes: stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as u64,
            resident: resident(),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "descriptors": self.descriptors,
            "heap_blocks": self.blocks,
            "heap_bytes": self.bytes,
            "resident_bytes": self.resident,
        })
    }
}

fn descriptors() -> Option<u64> {
    // One of them is that of the look itself.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64)
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// A thread that does nothing but sleep for 5 ms, over and over, to see how late it is woken:
/// what is later than that is not the machine's doing.
pub struct Control {
    latest: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Control {
    pub fn start() -> Control {
        let (latest, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let control = Control { latest: latest.clone(), done: done.clone() };
        thread::spawn(move || {
            let nap = Duration::from_millis(5);
            // Relaxed: statistics, and an end that may come a nap late.
            while !done.load(Ordering::Relaxed) {
                let start = Instant::now();
                thread::sleep(nap);
                let late = start.elapsed().saturating_sub(nap).as_nanos();
                latest.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        control
    }

    /// How late it was at most.
    pub fn latest(&self) -> Duration {
        Duration::from_nanos(self.latest.load(Ordering::Relaxed))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}
