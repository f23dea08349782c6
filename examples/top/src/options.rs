//! The command line.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use crate::command_line;
use crate::load::LoadOptions;

/// The metrics of a running heartbeat server, live in the terminal
#[derive(Parser)]
#[command(name = "top")]
pub struct Options {
    #[command(flatten)]
    pub load: LoadOptions,
    /// How long to run [default: until it is told to end]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// The time between two looks at the metrics
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = every)]
    pub every: Duration,
    /// Panic, to show what becomes of the terminal
    #[arg(long, hide = true)]
    pub panic: Option<Panic>,
}

/// Where to panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Panic {
    /// In a task of the executor.
    Task,
    /// In the thread that draws.
    Main,
}

impl Options {
    /// Returns when to end, if it is known now.
    pub fn end(&self) -> Option<Instant> {
        self.seconds.map(|seconds| Instant::now() + seconds)
    }
}

/// Reads the command line. What is wrong with it is said in one line.
pub fn parse() -> Result<Options, ExitCode> {
    command_line::read(Ok::<Options, String>)
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|seconds| !seconds.is_zero() && *seconds < Duration::from_secs(1_000_000))
        .ok_or_else(|| "must be more than zero and less than a million".to_owned())
}

fn every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text);
    let every = every.map_err(|error| format!("{error}, for instance 250ms"))?;
    if every < Duration::from_millis(100) || every > Duration::from_secs(60) {
        return Err("must be from 100ms to 1m".to_owned());
    }
    Ok(every)
}
