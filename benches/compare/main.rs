//! Runs the workloads of a server full of timers on async-wheel, async-io and tokio.
//!
//! `compare run WORKLOAD RUNTIME` runs one workload once and prints its figures as one line of
//! JSON. `compare table` runs all of them on all runtimes, each in a process of its own, by turns
//! and several times, and prints the medians and their ratios.

mod allocator;
mod docs;
mod population;
mod runtimes;
mod table;
mod usage;
mod workloads;

use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
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
    let result = match Arguments::parse().command {
        Command::Run { workload, runtime, scale } => run(workload, runtime, scale),
        Command::Table(options) => table::run(&options),
        Command::Docs(options) => docs::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(workload: Workload, peer: Peer, scale: f64) -> Result<()> {
    if !workload.suits(peer) {
        let message = format!("{} has no workload {}", name(&peer), name(&workload));
        Arguments::command().error(ErrorKind::InvalidValue, message).exit();
    }
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
