//! The command line.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::command_line;

const MOST_CONNECTIONS: usize = 1_000_000;
const MOST_THREADS: usize = 1_024;
const MOST_SECONDS: f64 = 1e7;

/// A heartbeat server among peers that vanish, reset, dawdle and fall silent, with an account of
/// every connection
#[derive(Parser)]
#[command(name = "soak")]
struct Arguments {
    /// How long connections come and go
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    seconds: f64,
    /// How many connections there are at a time
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    connections: usize,
    /// The time from one heartbeat to the next, such as 250ms; six of them are the idle limit
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = period)]
    period: Duration,
    /// What the peers' behaviour is chosen by [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads, each in a `block_on` of its own [default: the number of processors]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Require a full run, too: as many connections as were asked for, of each kind of peer
    #[arg(long)]
    check: bool,
    /// Print the figures as one JSON object in the last line, too
    #[arg(long)]
    json: bool,
}

/// What was asked for, checked.
pub struct Options {
    pub seconds: Duration,
    pub connections: usize,
    pub period: Duration,
    pub idle: Duration,
    pub seed: u64,
    pub threads: usize,
    pub check: bool,
    pub json: bool,
}

impl Options {
    /// How many descriptors it takes: two for a connection and as many for those that are just
    /// ending, the pollers, and some to spare.
    pub fn descriptors(&self) -> u64 {
        (3 * self.connections + 8 * self.threads + 64) as u64
    }
}

/// Reads the command line. What is wrong with it is said in one line.
pub fn parse() -> Result<Options, ExitCode> {
    command_line::read(check)
}

fn check(arguments: Arguments) -> Result<Options, String> {
    let Arguments { seconds, connections, period, check, json, .. } = arguments;
    if !(seconds > 0.0 && seconds <= MOST_SECONDS) {
        return Err(format!("--seconds must be more than zero and at most {MOST_SECONDS}"));
    }
    if !(1..=MOST_CONNECTIONS).contains(&connections) {
        return Err(format!("--connections must be between 1 and {MOST_CONNECTIONS}"));
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.unwrap_or(processors);
    if !(1..=MOST_THREADS).contains(&threads) {
        return Err(format!("--threads must be between 1 and {MOST_THREADS}"));
    }
    Ok(Options {
        seconds: Duration::from_secs_f64(seconds),
        connections,
        period,
        idle: period * 6,
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(0..1 << 32)),
        threads,
        check,
        json,
    })
}

fn period(text: &str) -> Result<Duration, String> {
    let period = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_millis(1)..=Duration::from_secs(60)).contains(&period) {
        Ok(period)
    } else {
        Err("must be between 1ms and 60s".to_owned())
    }
}
