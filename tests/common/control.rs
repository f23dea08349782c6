//! A control for tests that measure time: says how busy the machine is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::time::MS;

/// Measures how late a thread is woken at most that does nothing but sleep, while this lives.
pub struct Control(Arc<AtomicBool>, thread::JoinHandle<Duration>);

impl Control {
    pub fn start() -> Control {
        let done = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let done = done.clone();
            move || {
                let mut latest = Duration::ZERO;
                while !done.load(Ordering::SeqCst) {
                    let start = Instant::now();
                    thread::sleep(MS);
                    latest = latest.max(start.elapsed() - MS);
                }
                latest
            }
        });
        Control(done, thread)
    }

    pub fn latest(self) -> Duration {
        self.0.store(true, Ordering::SeqCst);
        self.1.join().unwrap()
    }
}
