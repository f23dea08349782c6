//! Panics, of whichever thread: an executor catches those of its tasks, and goes on.

use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

static PANICKED: AtomicBool = AtomicBool::new(false);
/// Held while a panic is reported.
static REPORT: Mutex<()> = Mutex::new(());

/// Notes each panic from now on, before it is reported as it would be.
pub fn note() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let _reporting = REPORT.lock();
        // Ordering: relaxed: whoever sees it waits for the lock.
        PANICKED.store(true, Ordering::Relaxed);
        report(info);
    }));
}

/// Returns `true` if there was a panic.
pub fn any() -> bool {
    // Ordering: relaxed: see `note`.
    PANICKED.load(Ordering::Relaxed)
}

/// Waits until the panic that was noted is reported.
pub fn wait_for_report() {
    drop(REPORT.lock());
}
