//! The heartbeat server among peers as the world has them: they vanish at any moment, reset
//! their connections, close one side, send without reading, read without haste, and fall silent
//! without a word. Every connection is accounted for by both sides, and in the end the process
//! has to hold no more than at the start.
//!
//! ```text
//! cargo run --release --example soak
//! cargo run --release --example soak -- --seconds 3600 --json --check
//! ```
//!
//! It ends with 0 if everything was as it should be, with 1 and a line for each thing that was
//! not, and with 2 if it could not be done. With `--check` it also has to have been a full run:
//! as many connections as were asked for, of each kind. `--seed` repeats the peers' choices, not
//! the machine's.
//!
//! The thread that leads it sleeps by the system's clock alone, and watches from outside: what
//! gets stuck in the library is reported, and does not get this program stuck.

#[path = "../heartbeats/command_line.rs"]
mod command_line;
mod judge;
mod ledger;
#[path = "../heartbeats/limits.rs"]
mod limits;
mod lives;
mod machine;
mod options;
mod report;
#[allow(dead_code, unused_imports)] // A part of it is for the clients of the example.
#[path = "../heartbeats/runtime.rs"]
mod runtime;
#[path = "../heartbeats/server.rs"]
mod server;
#[allow(dead_code)] // A part of it is for the clients of the example.
#[path = "../heartbeats/stats.rs"]
mod stats;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_wheel::{Async, block_on, diagnostics};
use fastrand::Rng;
use rustix::net::sockopt;

use ledger::{Ended, Ledger};
use lives::Plan;
use machine::{Control, Holds};
use options::Options;
use report::Report;
use runtime::AsyncWheel;
use server::Limits;
use stats::Stats;

/// How long the rehearsal takes, after which the tables have the size that they need.
const REHEARSAL: Duration = Duration::from_secs(2);
/// How much longer than it can take by its own limits a part may take until it counts as stuck.
const STUCK: Duration = Duration::from_secs(30);
/// How often the progress is printed.
const TELL: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(options) => options,
        Err(code) => return code,
    };
    match run(&options) {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            for complaint in complaints {
                eprintln!("wrong: {complaint}");
            }
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Does it all, and returns what was wrong.
fn run(options: &Options) -> Result<Vec<String>, String> {
    limits::allow_descriptors(options.descriptors())?;
    let soak = Soak::start(options)?;
    let control = Control::start();
    let cold = Holds::now();
    let start_time = Instant::now();
    let rehearsed = soak.play("rehearsal", REHEARSAL, options.seed ^ 1);
    let start = soak.settle(None);
    if rehearsed {
        soak.play("soak", options.seconds, options.seed);
    }
    let end = soak.settle(Some(&start));
    let shards = diagnostics::shards();
    let report = Report {
        options,
        stats: &soak.stats,
        totals: soak.ledger.totals(),
        cold,
        start,
        end,
        timers: shards.iter().map(|shard| shard.timers).sum(),
        sources: shards.iter().map(|shard| shard.sources).sum(),
        most: soak.most.load(Ordering::Relaxed),
        noise: control.latest(),
        seconds: start_time.elapsed().as_secs_f64(),
    };
    let figures = report.figures();
    let mut complaints = figures.complaints();
    if options.check {
        complaints.extend(figures.shortfalls());
    }
    if !report.totals.balance() {
        eprintln!("the reactor: {shards:?}");
    }
    match write(&report, options.json) {
        // Whoever read along has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(|error| format!("cannot write the figures: {error}"))?,
    }
    Ok(complaints)
}

fn write(report: &Report<'_>, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    report.write_table(&mut out)?;
    if json {
        writeln!(out, "{}", report.json())?;
    }
    out.flush()
}

/// A server that runs, and what it takes to play peers.
struct Soak<'a> {
    options: &'a Options,
    executor: Arc<Executor<'static>>,
    address: SocketAddr,
    ledger: Arc<Ledger>,
    stats: Arc<Stats>,
    /// The most connections at a time.
    most: AtomicU64,
}

impl Soak<'_> {
    fn start(options: &Options) -> Result<Soak<'_>, String> {
        let executor = Arc::new(Executor::new());
        for number in 0..options.threads {
            let executor = executor.clone();
            // They run until the process ends.
            thread::Builder::new()
                .name(format!("soak-{number}"))
                .spawn(move || block_on(executor.run(std::future::pending::<()>())))
                .map_err(|error| format!("cannot start thread {number}: {error}"))?;
        }
        let listener = listen().map_err(|error| format!("cannot listen: {error}"))?;
        let address = listener.get_ref().local_addr();
        let address = address.map_err(|error| format!("the listener has no address: {error}"))?;
        let (ledger, stats) = (Arc::new(Ledger::new(options.idle)), Arc::new(Stats::new()));
        let limits = Limits { first: options.idle, idle: options.idle };
        let witness = {
            let ledger = ledger.clone();
            move |peer| {
                let (ledger, ticket) = (ledger.clone(), ledger.accepted(peer));
                move |ending, silent| {
                    ledger.ended(ticket, Ended { ending, silent, at: Instant::now() })
                }
            }
        };
        let serving = server::serve::<AsyncWheel, _, _>(
            listener,
            limits,
            executor.clone(),
            stats.clone(),
            witness,
        );
        executor.spawn(serving).detach();
        Ok(Soak { options, executor, address, ledger, stats, most: AtomicU64::new(0) })
    }

    /// Lets peers come and go for some time, and waits until all are gone. `false` if they
    /// are not.
    fn play(&self, what: &str, time: Duration, seed: u64) -> bool {
        let start = Instant::now();
        let end = start + time;
        let plan = Arc::new(Plan {
            address: self.address,
            period: self.options.period,
            idle: self.options.idle,
            end,
            ledger: self.ledger.clone(),
            stats: self.stats.clone(),
        });
        let peers: Vec<_> = (0..self.options.connections)
            .map(|number| {
                let rng = Rng::with_seed(seed.wrapping_add((number as u64) << 32));
                self.executor.spawn(lives::peer(plan.clone(), rng))
            })
            .collect();
        let mut told = start;
        loop {
            thread::sleep(Duration::from_millis(20));
            let now = Instant::now();
            let totals = self.ledger.totals();
            let open = totals.accepted - totals.ended;
            // Relaxed: a statistic of this thread's alone.
            self.most.fetch_max(open, Ordering::Relaxed);
            let gone = peers.iter().all(async_executor::Task::is_finished) && totals.balance();
            if gone || now - told >= TELL {
                told = now;
                eprintln!(
                    "{what}, {:.0} s: {open} connections, {} accounted for, {} complaints",
                    (now - start).as_secs_f64(),
                    totals.matched,
                    totals.complaints,
                );
            }
            if gone {
                return true;
            }
            if now > end + 2 * self.options.idle + STUCK {
                self.ledger.complain(format!("the {what} does not come to its end"));
                // What is stuck stays where it is, to be counted.
                peers.into_iter().for_each(async_executor::Task::detach);
                return false;
            }
        }
    }

    /// What is held when everybody is gone and all have cleaned up after them, or in a while.
    fn settle(&self, start: Option<&Holds>) -> Holds {
        let patience = Instant::now() + Duration::from_secs(5);
        let mut before = Holds::now();
        loop {
            thread::sleep(Duration::from_millis(100));
            let now = Holds::now();
            let still = now.blocks == before.blocks && now.descriptors == before.descriptors;
            let back = start.is_none_or(|start| judge::is_back(start, &now));
            if still && back || Instant::now() > patience {
                return now;
            }
            before = now;
        }
    }
}

fn listen() -> io::Result<Async<TcpListener>> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    // The connections inherit these, so that a peer that does not read is felt.
    sockopt::set_socket_recv_buffer_size(&listener, lives::SMALL_BUFFER)?;
    sockopt::set_socket_send_buffer_size(&listener, lives::SMALL_BUFFER)?;
    // All come at once.
    rustix::net::listen(&listener, i32::MAX)?;
    Ok(listener)
}
