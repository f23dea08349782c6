//! What ends a run before its time: a signal, or the end of the process that started this one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::options::Options;
use super::runtime::Runtime;

/// How often it is asked for.
const ASK: Duration = Duration::from_millis(50);

/// Set once the run is to end.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Lets signals set it: Ctrl-C and SIGTERM. A second signal ends the process at once.
    ///
    /// A child is stopped by the end of its standard input, too. A child that is the server is not
    /// stopped by signals, which its parent gets as well: its clients go first.
    pub fn new(options: &Options) -> Result<Stop, String> {
        let stop = Stop::default();
        let server = options.child && options.is_server();
        let by_signals = if server { Stop::default() } else { stop.clone() };
        watch_signals(&by_signals.0, !server)
            .map_err(|error| format!("cannot wait for signals: {error}"))?;
        if options.child {
            let stop = stop.clone();
            thread::spawn(move || {
                // Nothing is ever written there: it ends.
                let _ = io::copy(&mut io::stdin(), &mut io::sink());
                stop.set();
            });
        }
        Ok(stop)
    }

    pub fn set(&self) {
        // Relaxed: a flag that stands for nothing else.
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until it is set.
    pub async fn wait<R: Runtime>(&self) {
        while !self.is_set() {
            R::after(ASK).await;
        }
    }

    /// Waits until it is set, on this thread, or until `done`.
    pub fn wait_unless(&self, done: impl Fn() -> bool) {
        while !self.is_set() && !done() {
            thread::sleep(ASK);
        }
    }
}

#[cfg(unix)]
fn watch_signals(flag: &Arc<AtomicBool>, end_at_second: bool) -> io::Result<()> {
    use rustix::process::Signal;
    use signal_hook::flag;

    for signal in [Signal::INT, Signal::TERM].map(Signal::as_raw) {
        if end_at_second {
            // Before the one that sets it.
            flag::register_conditional_shutdown(signal, 128 + signal, flag.clone())?;
        }
        flag::register(signal, flag.clone())?;
    }
    Ok(())
}

/// Windows ends a process without asking.
#[cfg(not(unix))]
fn watch_signals(_flag: &Arc<AtomicBool>, _end_at_second: bool) -> io::Result<()> {
    Ok(())
}
