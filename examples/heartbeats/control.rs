//! What the machine does, whatever the runtime: how late it wakes a thread, and how busy it is.

use std::fs;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::stats::Durations;
use super::stop::Stop;

/// A thread that does nothing but sleep for 5 ms, over and over.
pub struct Control {
    late: Arc<Durations>,
    done: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Starts the thread. Without it, nothing is measured.
    pub fn start() -> Control {
        let (late, done) = (Arc::new(Durations::new()), Stop::default());
        let body = {
            let (late, done) = (late.clone(), done.clone());
            move || {
                let nap = Duration::from_millis(5);
                while !done.is_set() {
                    let start = Instant::now();
                    thread::sleep(nap);
                    late.record(start.elapsed().saturating_sub(nap));
                }
            }
        };
        let thread = thread::Builder::new().name("heartbeats-control".to_owned()).spawn(body).ok();
        Control { late, done, thread }
    }

    /// Ends the thread, and returns how late it was.
    pub fn finish(mut self) -> Arc<Durations> {
        self.done.set();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.late.clone()
    }
}

/// The time of the machine's processors up to some moment, in the system's ticks.
#[derive(Clone, Copy)]
pub struct Processors {
    busy: u64,
    all: u64,
}

impl Processors {
    /// Returns `None` where the system does not say it: outside Linux.
    pub fn now() -> Option<Processors> {
        Processors::read(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn read(stat: &str) -> Option<Processors> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        // The guests' time, after the first eight, is in that of the users, too.
        let fields = line.split_whitespace().take(8).map(str::parse);
        let ticks: Vec<u64> = fields.collect::<Result<_, _>>().ok()?;
        let &[_, _, _, idle, waiting, ..] = &ticks[..] else { return None };
        let all = ticks.iter().sum();
        Some(Processors { busy: all - idle - waiting, all })
    }

    /// Returns the share of the time since then that was not idle.
    pub fn busy_since(self) -> Option<f64> {
        Processors::now()?.busy_after(self)
    }

    fn busy_after(self, before: Processors) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        // The system corrects what was idle at times, and it goes back.
        Some(self.busy.saturating_sub(before.busy).min(all) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_disk_is_idle() {
        let before = Processors::read("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1 2 3 4\n").unwrap();
        let after = Processors::read("cpu  40 0 20 110 20 5 3 2 9 0\n").unwrap();
        assert_eq!((before.busy, before.all), (20, 100));
        assert_eq!(after.busy_after(before), Some(0.5));
        assert_eq!(before.busy_after(before), None);
    }

    #[test]
    fn other_text_has_no_times() {
        for text in ["", "cpu0 1 2 3 4 5", "cpu  1 2 3 4", "cpu  1 2 x 4 5"] {
            assert!(Processors::read(text).is_none(), "{text}");
        }
    }
}
