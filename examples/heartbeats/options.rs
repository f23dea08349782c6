//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::command_line;

/// More than a machine has descriptors for.
const MOST_CONNECTIONS: usize = 10_000_000;
const MOST_THREADS: usize = 1_024;
/// The shortest idle limit unless one is asked for. Three periods of a millisecond are less than
/// a busy machine may leave a thread waiting for a processor, and every connection that has to
/// wait for that would be dropped.
const SHORTEST_IDLE: Duration = Duration::from_millis(300);
/// What `--seconds` and `--idle` must stay below.
const LONGEST: Duration = Duration::from_secs(1_000_000);

/// A heartbeat server and its clients on async-wheel timers and TCP.
#[derive(Parser)]
#[command(name = "heartbeats")]
struct Arguments {
    /// How many clients connect
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    connections: usize,
    /// The time from one heartbeat to the next, such as 100ms or 1s
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    period: Duration,
    /// The silence after which the server drops a connection [default: 3 periods, at least
    /// 300ms]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    idle: Option<Duration>,
    /// How long the clients beat
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// Threads, each in a `block_on` of its own [default: the number of processors]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// The share of the clients that falls silent halfway, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    silent: f64,
    /// Be only the server, on this address, until the last client has gone
    #[arg(long, value_name = "ADDR", value_parser = address, conflicts_with = "connect")]
    listen: Option<SocketAddr>,
    /// Be only the clients, of a server at this address
    #[arg(long, value_name = "ADDR", value_parser = address)]
    connect: Option<SocketAddr>,
    /// Require a full run, too: beats, idle timeouts that fire, and more than one shard if there
    /// is more than one thread
    #[arg(long, conflicts_with = "listen")]
    check: bool,
    /// Print the figures as one JSON object in the last line, too
    #[arg(long)]
    json: bool,
    /// Be the server that the clients' process has started, and end with it
    #[arg(long, hide = true, requires = "listen")]
    child: bool,
}

/// Which side this process is.
#[derive(Clone, Copy)]
pub enum Role {
    Both,
    Server(SocketAddr),
    Clients(SocketAddr),
}

/// What was asked for, checked.
pub struct Options {
    pub connections: usize,
    pub period: Duration,
    pub idle: Duration,
    pub seconds: Duration,
    pub threads: usize,
    /// How many clients fall silent.
    pub silent: usize,
    pub role: Role,
    pub check: bool,
    pub json: bool,
    /// Whether this is the server that the clients' process has started.
    pub child: bool,
}

impl Options {
    /// How many descriptors a process needs that has so many ends of each connection: a socket
    /// for each, the pollers, and some to spare.
    pub fn descriptors(&self, ends: usize) -> u64 {
        (ends * self.connections + 8 * self.threads + 64) as u64
    }
}

/// Reads the command line. What is wrong with it is said in one line.
pub fn parse() -> Result<Options, ExitCode> {
    command_line::read(check)
}

fn check(arguments: Arguments) -> Result<Options, String> {
    let Arguments { connections, period, seconds, silent, .. } = arguments;
    if connections == 0 {
        return Err("--connections must be at least 1".to_owned());
    }
    if connections > MOST_CONNECTIONS {
        return Err(format!("--connections must be at most {MOST_CONNECTIONS}"));
    }
    if period.is_zero() {
        return Err("--period must be longer than zero".to_owned());
    }
    let idle = match arguments.idle {
        Some(idle) => idle,
        None => period.checked_mul(3).ok_or("--period is too long")?.max(SHORTEST_IDLE),
    };
    if idle <= period {
        return Err("--idle must be longer than --period, or every connection is dropped".into());
    }
    if idle >= LONGEST {
        return Err("--idle must be less than a million seconds".to_owned());
    }
    let seconds = Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|seconds| !seconds.is_zero() && *seconds < LONGEST)
        .ok_or("--seconds must be more than zero and less than a million")?;
    if period > seconds {
        return Err("--period must not be longer than --seconds, or nobody beats".to_owned());
    }
    if !(0.0..=100.0).contains(&silent) {
        return Err("--silent must be between 0 and 100 percent".to_owned());
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.unwrap_or(processors);
    if threads == 0 {
        return Err("--threads must be at least 1".to_owned());
    }
    if threads > MOST_THREADS {
        return Err(format!("--threads must be at most {MOST_THREADS}"));
    }
    let role = match (arguments.listen, arguments.connect) {
        (Some(address), _) => Role::Server(address),
        (None, Some(address)) => Role::Clients(address),
        (None, None) => Role::Both,
    };
    let silent = (connections as f64 * silent / 100.0).ceil() as usize;
    let Arguments { check, json, child, .. } = arguments;
    Ok(Options { connections, period, idle, seconds, threads, silent, role, check, json, child })
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}, for instance 100ms"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| "no address of that name".to_owned())
}
