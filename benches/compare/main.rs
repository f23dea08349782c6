//! Runs the workloads of a server full of timers on async-wheel, async-io and tokio, and some of
//! them on more peers.
//!
//! `compare run WORKLOAD RUNTIME` runs one workload once and prints its figures as one line of
//! JSON. `compare table` runs all of them on all runtimes, each in a process of its own, by turns
//! and several times, and prints the medians and their ratios.

mod docs;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use compare::command::{Run, failed, name};
use compare::{command_line, workloads};

#[derive(Parser)]
#[command(name = "compare", about = "How async-wheel compares with its peers")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one workload once in this process and prints a line of JSON
    Run(Run),
    /// Runs everything on all runtimes by turns and prints how they compare
    Table(table::Options),
    /// Writes docs/benchmarks.md and its charts from figures that were kept
    Docs(docs::Options),
}

fn main() -> ExitCode {
    let command = match command_line::read(check) {
        Ok(command) => command,
        Err(code) => return code,
    };
    let (result, code) = match command {
        Command::Run(run) => return run.carry_out(workloads::run),
        Command::Table(options) => (table::run(&options), 1),
        // What it is given and where it writes is all that can be wrong.
        Command::Docs(options) => (docs::run(&options), 2),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, code),
    }
}

fn check(arguments: Arguments) -> Result<Command, String> {
    match &arguments.command {
        Command::Run(run) => {
            run.check()?;
            if run.runtime.is_further() {
                return Err(format!("{} is in the package `peers`", name(&run.runtime)));
            }
        }
        Command::Table(options) => options.check()?,
        Command::Docs(_) => {}
    }
    Ok(arguments.command)
}
