//! Runs workloads of `compare` on the peers that are too heavy for each build: runtimes on io_uring
//! and timers for any runtime.
//!
//! `peers run WORKLOAD RUNTIME` does what `compare run` does. `compare table` starts it with
//! `--further`, and `benches/compare.sh` builds it for that.

mod lent;
mod on_compio;
mod on_glommio;
mod on_monoio;
mod timers;

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use compare::command::{Refused, Run, name};
use compare::runtimes::TokioAlternative;
use compare::workloads::{Figures, Peer, Scale, Workload, run_on, run_postpone, run_timers};
use compare::{command_line, workloads};

use crate::on_compio::Compio;
use crate::on_glommio::Glommio;
use crate::on_monoio::{Epoll, Uring};
use crate::timers::{FuturesTimer, PingoraTimeout};

#[derive(Parser)]
#[command(name = "peers", about = "More peers of async-wheel")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one workload once in this process and prints a line of JSON
    Run(Run),
}

fn main() -> ExitCode {
    match command_line::read(check) {
        Ok(run) => run.carry_out(self::run),
        Err(code) => code,
    }
}

fn check(arguments: Arguments) -> Result<Run, String> {
    let Command::Run(run) = arguments.command;
    run.check()?;
    match run.runtime.is_further() {
        true => Ok(run),
        false => Err(format!("{} is in the package `compare`", name(&run.runtime))),
    }
}

fn run(workload: Workload, peer: Peer, scale: Scale) -> Result<Figures> {
    match peer {
        Peer::TokioAlternative => run_on::<TokioAlternative>(workload, peer, scale),
        Peer::Monoio => lent::run::<Epoll>(workload, scale, run_postpone::<Epoll>),
        Peer::MonoioUring => {
            unless_refused(on_monoio::attempt())?;
            lent::run::<Uring>(workload, scale, run_postpone::<Uring>)
        }
        Peer::Compio => {
            unless_refused(on_compio::attempt())?;
            lent::run::<Compio>(workload, scale, run_timers::<Compio>)
        }
        Peer::Glommio => {
            unless_refused(on_glommio::attempt())?;
            lent::run::<Glommio>(workload, scale, run_postpone::<Glommio>)
        }
        Peer::PingoraTimeout => run_timers::<PingoraTimeout>(workload, scale),
        Peer::FuturesTimer => run_postpone::<FuturesTimer>(workload, scale),
        Peer::AsyncWheel | Peer::AsyncIo | Peer::Tokio => workloads::run(workload, peer, scale),
    }
}

/// What hinders a runtime from being made is no failure of the benchmark.
fn unless_refused<T, E: Display>(made: Result<T, E>) -> Result<(), Refused> {
    made.map(drop).map_err(|error| Refused(format!("io_uring: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_runtime_is_no_failure() {
        let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = anyhow::Error::from(unless_refused::<(), _>(Err(error)).unwrap_err());
        assert_eq!(error.downcast::<Refused>().unwrap().0, "io_uring: permission denied");
    }
}
