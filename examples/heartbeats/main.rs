//! A heartbeat server and its clients, on real TCP: the job that timing wheels are made for.
//!
//! Each client sends a heartbeat each period and waits for the answer, with a timeout that it
//! arms and cancels each time. The server answers each, and keeps an idle timeout on each
//! connection that it postpones with each heartbeat and that drops the connection when it
//! fires. A share of the clients falls silent halfway, so that idle timeouts are seen to fire.
//!
//! ```text
//! cargo run --release --example heartbeats
//! cargo run --release --example heartbeats -- --connections 10000 --period 1s
//! cargo run --release --example heartbeats -- --compare
//! ```
//!
//! The last one runs the same on async-io, too. Ctrl-C ends a run, and what was measured so far is
//! printed.
//!
//! Each thread is in `block_on` and runs one `async_executor::Executor` there, so each has its
//! shard of the reactor.
//!
//! It ends with 0 if all went well, with 1 and a line that says what did not, and with 2 and a line
//! if it could not be done.

mod client;
mod command_line;
mod compare;
mod control;
mod judge;
mod limits;
mod options;
mod report;
mod run;
mod runtime;
mod server;
mod split;
mod stats;
mod stop;
mod table;
#[cfg(all(test, feature = "test-util"))]
mod tests_in_paused_time;
mod text;
mod verdict;

use std::io::{self, Write};
use std::process::ExitCode;

use compare::Comparison;
use options::{On, Options, Role};
use report::Report;
use runtime::AsyncWheel;
use split::ServerProcess;
use stop::Stop;

runtime::runtime! {
    /// The crate whose interface it is.
    AsyncIo, async_io, "async-io", std::time::Instant::now
}

/// An error that ends the program: one line that says what and why.
type Failure = String;

/// Writes a line to standard error, which may be closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn main() -> ExitCode {
    let mut options = match options::parse() {
        Ok(options) => options,
        Err(code) => return code,
    };
    match run(&mut options) {
        Ok(code) => code,
        Err(failure) => {
            say(&format!("error: {failure}"));
            ExitCode::from(2)
        }
    }
}

fn run(options: &mut Options) -> Result<ExitCode, Failure> {
    let stop = Stop::new(options)?;
    let report = measure(options, &stop)?;
    if options.child {
        print(&json(&report)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&table::of(&report))?;
    let mut peer = None;
    if options.compare && !stop.is_set() {
        peer = compare::run_peer(options, &stop)?;
        if peer.is_none() {
            return Ok(ExitCode::from(2));
        }
    }
    let comparison = peer.as_ref().map(|peer| Comparison { async_wheel: &report, async_io: peer });
    if let Some(comparison) = &comparison {
        print(&format!("\n{}", comparison.text()))?;
    }
    if options.json {
        print(&match &comparison {
            Some(comparison) => json(comparison)?,
            None => json(&report)?,
        })?;
    }
    if let Some(complaint) = peer.and_then(|peer| peer.figures().complaint()) {
        say(&format!("on async-io, {complaint}"));
    }
    let figures = report.figures();
    let wrong = if options.check {
        figures.out_of_bounds().iter().map(|line| format!("wrong: {line}")).collect()
    } else {
        Vec::from_iter(figures.complaint())
    };
    wrong.iter().for_each(|line| say(line));
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs it, on the runtime that was asked for.
fn measure(options: &mut Options, stop: &Stop) -> Result<Report, Failure> {
    let server = make_room(options)?;
    let run = match options.runtime {
        On::AsyncWheel => run::run::<AsyncWheel>(options, stop)?,
        On::AsyncIo => run::run::<AsyncIo>(options, stop)?,
    };
    let server = server.map(ServerProcess::report).transpose()?;
    Ok(Report::new(options, &run, server))
}

/// Ensures that there are enough descriptors. If one process may not have enough for both
/// sides, the server gets a process of its own.
fn make_room(options: &mut Options) -> Result<Option<ServerProcess>, Failure> {
    if !matches!(options.role, Role::Both) {
        return limits::allow_descriptors(options.descriptors(1)).map(|()| None);
    }
    let Err(too_few) = limits::allow_descriptors(options.descriptors(2)) else { return Ok(None) };
    limits::allow_descriptors(options.descriptors(1))?;
    if !options.child {
        say(&format!("note: {too_few}; until then, the server runs in a process of its own"));
    }
    let server = ServerProcess::start(options)?;
    options.role = Role::Clients(server.address);
    Ok(Some(server))
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| format!("cannot write the figures: {error}"))
}

/// Writes text and the end of its last line to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever read along has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("cannot write the figures: {error}")),
    }
}
