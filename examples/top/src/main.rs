//! Shows a running heartbeat server live in the terminal: what its reactor does, by shard, how late
//! its timers fire, and what wakes its threads.
//!
//! ```text
//! cargo run --release -p top
//! cargo run --release -p top -- --clients 10000 --period 1s --every 250ms
//! ```
//!
//! `q` and Ctrl-C end it, and so do SIGINT, SIGTERM and SIGHUP. Where standard output is no terminal,
//! it prints the metrics as a table instead. The server and its clients run in this process, since
//! metrics are of a process. docs/metrics.md in the repository explains each number.

#[path = "../../heartbeats/command_line.rs"]
mod command_line;
#[path = "../../heartbeats/limits.rs"]
mod limits;
#[path = "../../prometheus/load.rs"]
mod load;
mod options;
mod panics;
#[allow(dead_code, unused_imports)] // A part of it is for the clients of the example.
#[path = "../../heartbeats/runtime.rs"]
mod runtime;
mod samples;
mod screen;
#[allow(dead_code)] // A part of it is for whoever waits for a first and a last client.
#[path = "../../heartbeats/server.rs"]
mod server;
#[allow(dead_code)] // A part of it is for the clients of the other example.
#[path = "../../heartbeats/stats.rs"]
mod stats;
mod view;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Timer, diagnostics};

use load::Load;
use options::{Options, Panic};

/// An error that ends the program: one line that says what and why.
type Failure = String;

/// How soon a signal is noticed.
const SLICE: Duration = Duration::from_millis(100);
/// When to panic, if that is asked for.
const PANIC: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(options) => options,
        Err(code) => return code,
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The terminal may be gone.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let end = End { at: options.end(), asked: asked()? };
    let load = Load::start(&options.load, options.load.threads())?;
    if options.panic == Some(Panic::Task) {
        let panic = async {
            Timer::after(PANIC).await;
            panic!("as it was asked to")
        };
        load.executor.spawn::<()>(panic).detach();
    }
    if io::stdout().is_terminal() {
        screen::show(options, &load, &end)?;
    } else {
        panics::note();
        print(options, &end)?;
    }
    if panics::any() {
        panics::wait_for_report();
        return Err("a task of the server panicked".to_owned());
    }
    Ok(())
}

/// When the program ends.
pub struct End {
    at: Option<Instant>,
    asked: Arc<AtomicBool>,
}

impl End {
    /// Returns `true` if the time is over, a signal has come, or a task has panicked.
    pub fn has_come(&self) -> bool {
        // Ordering: relaxed: nothing but the flag itself is read.
        self.at.is_some_and(|end| Instant::now() >= end)
            || self.asked.load(Ordering::Relaxed)
            || panics::any()
    }
}

/// Returns what the signals set that ask a process to end.
fn asked() -> Result<Arc<AtomicBool>, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in
        [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
    {
        signal_hook::flag::register(signal, asked.clone())
            .map_err(|error| format!("cannot wait for signals: {error}"))?;
    }
    Ok(asked)
}

/// Prints the metrics again and again, until the end or until nobody reads them.
fn print(options: &Options, end: &End) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut next = Instant::now() + options.every;
    while !end.has_come() {
        let now = Instant::now();
        if now < next {
            thread::sleep((next - now).min(SLICE));
            continue;
        }
        next = now + options.every;
        match writeln!(out, "{}", diagnostics::metrics()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|error| format!("cannot write the metrics: {error}"))?,
        }
    }
    Ok(())
}
