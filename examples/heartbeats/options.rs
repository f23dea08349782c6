//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

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

/// What the last line of the output means.
const ABOUT_THE_VERDICT: &str = "\
The last line says how late 99 % of the beats were at most: good is up to 1 ms, \
fair up to 10 ms. What limits it is the first of these that applies: the machine, if its \
processors are busy for 90 % of the time; the period, if the median round trip is as long; how fast the system wakes a thread, if one that only sleeps is at least \
half as late; threads that are busy when timers are due, if the reactor finds them that late; \
tasks that wait for a thread.

Ctrl-C ends the run and prints what was measured so far.";

/// A heartbeat server and its clients on async-wheel timers and TCP.
#[derive(Parser)]
#[command(name = "heartbeats", version, max_term_width = 80, after_help = ABOUT_THE_VERDICT)]
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
    /// How long the clients beat. The run may take up to two seconds more, for the last answers
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// Threads, each in a `block_on` of its own [default: the number of processors]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// The share of the clients that falls silent halfway, in percent [default: 1, or none if
    /// --seconds is too short for --idle]
    #[arg(long, value_name = "PERCENT")]
    silent: Option<f64>,
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
    /// Run the same on async-io, in a second process, and print both
    #[arg(long, conflicts_with_all = ["listen", "connect", "child"])]
    compare: bool,
    /// The runtime
    #[arg(long, hide = true, value_enum, default_value_t = On::AsyncWheel)]
    runtime: On,
    /// Be started by another process of this program: print JSON only, and end with it
    #[arg(long, hide = true)]
    child: bool,
}

/// The runtimes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum On {
    AsyncWheel,
    AsyncIo,
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
    pub compare: bool,
    pub runtime: On,
    /// Whether another process of this program has started this one.
    pub child: bool,
    /// `--silent`, to be passed on.
    silent_percent: f64,
}

impl Options {
    pub fn is_server(&self) -> bool {
        matches!(self.role, Role::Server(_))
    }

    /// Returns the command line of another process of the same run, on this runtime.
    pub fn arguments(&self, runtime: On) -> Vec<String> {
        let runtime = runtime.to_possible_value().expect("none is skipped");
        let nanos = |duration: Duration| format!("{}ns", duration.as_nanos());
        let options = [
            ("runtime", runtime.get_name().to_owned()),
            ("connections", self.connections.to_string()),
            ("period", nanos(self.period)),
            ("idle", nanos(self.idle)),
            ("seconds", self.seconds.as_secs_f64().to_string()),
            ("threads", self.threads.to_string()),
            ("silent", self.silent_percent.to_string()),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]);
        ["--child".to_owned()].into_iter().chain(options).collect()
    }

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

/// Returns the options of a command line that is right.
#[cfg(all(test, feature = "test-util"))]
pub fn of(arguments: &str) -> Options {
    let words = ["heartbeats"].into_iter().chain(arguments.split_whitespace());
    check(Arguments::parse_from(words)).expect("it is right")
}

fn check(arguments: Arguments) -> Result<Options, String> {
    let Arguments { connections, period, seconds, .. } = arguments;
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
    let too_short = seconds < idle.saturating_add(period * 2);
    let silent_percent = arguments.silent.unwrap_or(if too_short { 0.0 } else { 1.0 });
    if !(0.0..=100.0).contains(&silent_percent) {
        return Err("--silent must be between 0 and 100 percent".to_owned());
    }
    let both_or_clients = arguments.listen.is_none();
    if both_or_clients && too_short && (silent_percent > 0.0 || arguments.check) {
        let what = if arguments.check { "--check" } else { "--silent" };
        return Err(format!("{what} needs --seconds for two periods and the idle limit, {idle:?}"));
    }
    if arguments.check && silent_percent == 0.0 {
        return Err("--check needs clients that fall silent: --silent must not be 0".to_owned());
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
    let silent = (connections as f64 * silent_percent / 100.0).ceil() as usize;
    let Arguments { check, json, compare, runtime, child, .. } = arguments;
    Ok(Options {
        connections,
        period,
        idle,
        seconds,
        threads,
        silent,
        role,
        check,
        json,
        compare,
        runtime,
        child,
        silent_percent,
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}, for instance 100ms"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| "no address of that name".to_owned())
}
