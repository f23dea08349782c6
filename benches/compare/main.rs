//! Runs the workloads of a server full of timers on async-wheel, async-io and tokio,
//! and one of them on monoio.
//!
//! `compare run WORKLOAD RUNTIME` runs one workload once and prints its figures as one line of
//! JSON. `compare table` runs all of them on all runtimes, each in a process of its own, by turns
//! and several times, and prints the medians and their ratios.

#[path = "../../examples/heartbeats/command_line.rs"]
mod command_line;
mod docs;
mod population;
mod runtimes;
mod table;
mod usage;
mod workloads;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::{Map, json};

use workloads::{Peer, Scale, Workload};

#[derive(Parser)]
#[command(name = "compare", about = "How async-wheel compares with its peers")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one workload once in this process and prints a line of JSON
    Run {
        workload: Workload,
        runtime: Peer,
        /// How much of everything: populations, operations, time
        #[arg(long, default_value_t = 1.0, value_parser = scale)]
        scale: f64,
    },
    /// Runs everything on all runtimes by turns and prints how they compare
    Table(table::Options),
    /// Writes docs/benchmarks.md and its charts from figures that were kept
    Docs(docs::Options),
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 10.0 => Ok(scale),
        _ => Err("a number above 0, up to 10, is wanted".to_owned()),
    }
}

fn main() -> ExitCode {
    let command = match command_line::read(check) {
        Ok(command) => command,
        Err(code) => return code,
    };
    let (result, failure) = match command {
        Command::Run { workload, runtime, scale } => (run(workload, runtime, scale), 1),
        Command::Table(options) => (table::run(&options), 1),
        // What it is given and where it writes is all that can be wrong.
        Command::Docs(options) => (docs::run(&options), 2),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(failure)
        }
    }
}

fn check(arguments: Arguments) -> Result<Command, String> {
    match &arguments.command {
        Command::Run { workload, runtime, .. } if !workload.suits(*runtime) => {
            Err(format!("{} has no workload {}", name(runtime), name(workload)))
        }
        _ => Ok(arguments.command),
    }
}

fn run(workload: Workload, peer: Peer, scale: f64) -> Result<()> {
    let figures = workloads::run(workload, peer, Scale(scale))?;
    let figures: Map<_, _> =
        figures.into_iter().map(|(name, figure)| (name.to_owned(), json!(figure))).collect();
    println!(
        "{}",
        json!({
            "workload": name(&workload),
            "runtime": name(&peer),
            "scale": scale,
            "figures": figures,
        })
    );
    // What is still pending need not be taken down piece by piece.
    std::process::exit(0)
}

/// As it is spelt on the command line.
fn name(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("none is hidden");
    value.get_name().to_owned()
}
