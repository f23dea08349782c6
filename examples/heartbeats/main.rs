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
//! ```
//!
//! Each thread is in `async_wheel::block_on` and runs one `async_executor::Executor` there, so
//! each has its shard of the reactor.

mod client;
mod command_line;
mod judge;
mod limits;
mod options;
mod report;
mod server;
mod split;
mod stats;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_wheel::{Async, Timer, block_on};
use indicatif::{ProgressBar, ProgressStyle};

use options::{Options, Role};
use server::Limits;
use split::ServerProcess;
use stats::Stats;

/// How long a connection may take to its first beat: until all clients are there.
const FIRST_BEAT: Duration = Duration::from_secs(60);

/// An error that ends the program: one line that says what and why.
type Failure = String;

fn main() -> ExitCode {
    let mut options = match options::parse() {
        Ok(options) => options,
        Err(code) => return code,
    };
    match run(&mut options) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &mut Options) -> Result<ExitCode, Failure> {
    let server = make_room(options)?;
    let executor = Arc::new(Executor::new());
    let stats = Arc::new(Stats::new());
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let helpers: Vec<_> = (1..options.threads)
        .map(|number| {
            let (executor, stopped) = (executor.clone(), stopped.clone());
            thread::Builder::new()
                .name(format!("heartbeats-{number}"))
                .spawn(move || {
                    // It ends when the channel is closed.
                    let _ = block_on(executor.run(stopped.recv()));
                })
                .map_err(|error| format!("cannot start thread {number}: {error}"))
        })
        .collect::<Result<_, _>>()?;
    let outcome = block_on(executor.run(play(options, &executor, &stats)));
    drop(stop);
    for helper in helpers {
        helper.join().map_err(|_| "a thread panicked".to_owned())?;
    }
    let seconds = outcome?;
    let server = server.map(ServerProcess::figures).transpose()?;
    let report = report::Report::new(options, &stats, seconds, server);
    match write(&report, options.json) {
        // Whoever read along has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(|error| format!("cannot write the figures: {error}"))?,
    }
    let figures = report.figures();
    let wrong = if options.check {
        figures.out_of_bounds().iter().map(|line| format!("wrong: {line}")).collect()
    } else {
        Vec::from_iter(figures.complaint())
    };
    wrong.iter().for_each(|line| eprintln!("{line}"));
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(report: &report::Report<'_>, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    report.write_table(&mut out)?;
    if json {
        writeln!(out, "{}", report.json())?;
    }
    out.flush()
}

/// Ensures that there are enough descriptors. If one process may not have enough for both
/// sides, the server gets a process of its own.
fn make_room(options: &mut Options) -> Result<Option<ServerProcess>, Failure> {
    if !matches!(options.role, Role::Both) {
        return limits::allow_descriptors(options.descriptors(1)).map(|()| None);
    }
    let Err(too_few) = limits::allow_descriptors(options.descriptors(2)) else { return Ok(None) };
    limits::allow_descriptors(options.descriptors(1))?;
    eprintln!("note: {too_few}; until then, the server runs in a process of its own");
    let server = ServerProcess::start(options)?;
    options.role = Role::Clients(server.address);
    Ok(Some(server))
}

/// Runs the server, the clients or both, and returns how many seconds that took.
async fn play(
    options: &Options,
    executor: &Arc<Executor<'static>>,
    stats: &Arc<Stats>,
) -> Result<f64, Failure> {
    let serve = |address| -> Result<_, Failure> {
        let listener = listen(address)?;
        let bound = listener.get_ref().local_addr();
        let bound = bound.map_err(|error| format!("the listener has no address: {error}"))?;
        let limits = Limits { first: options.idle.max(FIRST_BEAT), idle: options.idle };
        let nobody = |_| |_, _| ();
        let serving = server::serve(listener, limits, executor.clone(), stats.clone(), nobody);
        Ok((bound, executor.spawn(serving)))
    };
    let start = Instant::now();
    match options.role {
        Role::Both => {
            let (address, _serving) = serve(([127, 0, 0, 1], 0).into())?;
            clients(options, address, executor, stats).await
        }
        Role::Clients(address) => clients(options, address, executor, stats).await,
        Role::Server(address) => {
            let (address, _serving) = serve(address)?;
            eprintln!("{}{address} until the last client has gone", split::LISTENING);
            // Otherwise a channel that stays open: it waits for its first client for ever.
            let (_open, stays) = async_channel::bounded(1);
            let parent = if options.child { split::parent() } else { stays };
            if server::until_all_are_gone(stats, &parent).await {
                Ok(start.elapsed().as_secs_f64())
            } else {
                Err("the clients' process has ended before a client came".to_owned())
            }
        }
    }
}

fn listen(address: SocketAddr) -> Result<Async<TcpListener>, Failure> {
    let refused = |error: io::Error| format!("cannot listen on {address}: {error}");
    let listener = Async::<TcpListener>::bind(address).map_err(refused)?;
    // All clients come at once. One that finds the queue full is turned away by the system and
    // tries again a second later; so the queue is made as long as the system allows.
    rustix::net::listen(&listener, i32::MAX).map_err(|error| refused(error.into()))?;
    Ok(listener)
}

/// Connects all clients, then lets them beat for the time that was asked for.
async fn clients(
    options: &Options,
    address: SocketAddr,
    executor: &Arc<Executor<'static>>,
    stats: &Arc<Stats>,
) -> Result<f64, Failure> {
    let bar = progress_bar(options);
    let streams = client::connect(address, options.connections, &bar).await?;
    let start = Instant::now() + Duration::from_millis(50);
    let plan = client::Plan::new(options, start);
    let tasks: Vec<_> = streams
        .into_iter()
        .enumerate()
        .map(|(number, stream)| executor.spawn(client::run(number, stream, plan, stats.clone())))
        .collect();
    let watching = executor.spawn(watch(bar.clone(), stats.clone(), start, options.seconds));
    for task in tasks {
        task.await;
    }
    let seconds = start.elapsed().as_secs_f64();
    watching.cancel().await;
    bar.finish_and_clear();
    Ok(seconds)
}

/// A bar on the terminal; none where standard error is something else.
fn progress_bar(options: &Options) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:30} {wide_bar} {percent:>3}% {eta:>4}");
    ProgressBar::new(options.connections as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message("connecting")
}

async fn watch(bar: ProgressBar, stats: Arc<Stats>, start: Instant, seconds: Duration) {
    bar.set_length(seconds.as_millis() as u64);
    loop {
        bar.set_position(start.elapsed().as_millis() as u64);
        bar.set_message(format!("{} beats answered", stats.beats_answered()));
        Timer::after(Duration::from_millis(100)).await;
    }
}
