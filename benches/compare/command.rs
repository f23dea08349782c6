//! What runs one workload, on the command line and as a line of JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use anyhow::{Error, Result};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::workloads::{Figures, Peer, Scale, Workload};

/// One workload on one runtime.
#[derive(Args, Clone, Copy, Debug)]
pub struct Run {
    pub workload: Workload,
    pub runtime: Peer,
    /// How much of everything: populations, operations, time
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 10.0 => Ok(scale),
        _ => Err("a number above 0, up to 10, is wanted".to_owned()),
    }
}

/// What a run prints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Figures(BTreeMap<String, f64>),
    /// The system does not let this runtime run, and why.
    NotRun(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    workload: String,
    runtime: String,
    scale: f64,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What the system does not allow, as the error of a run.
#[derive(Debug)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Run {
    /// Says in one line why there is no such thing.
    pub fn check(&self) -> Result<(), String> {
        match self.workload.suits(self.runtime) {
            true => Ok(()),
            false => {
                Err(format!("{} has no workload {}", name(&self.runtime), name(&self.workload)))
            }
        }
    }

    /// Runs it by `run`, prints what came out or why it failed, and says what to end with. After a
    /// success it ends the process itself.
    pub fn carry_out(
        &self,
        run: impl FnOnce(Workload, Peer, Scale) -> Result<Figures>,
    ) -> ExitCode {
        match self.print(run) {
            // What is still pending need not be taken down piece by piece.
            Ok(()) => std::process::exit(0),
            Err(error) => failed(&error, 1),
        }
    }

    fn print(&self, run: impl FnOnce(Workload, Peer, Scale) -> Result<Figures>) -> Result<()> {
        let outcome = match run(self.workload, self.runtime, Scale(self.scale)) {
            Ok(figures) => {
                let owned = |(name, figure): (&str, f64)| (name.to_owned(), figure);
                Outcome::Figures(figures.into_iter().map(owned).collect())
            }
            Err(error) => Outcome::NotRun(error.downcast::<Refused>()?.0),
        };
        let line = Line {
            workload: name(&self.workload),
            runtime: name(&self.runtime),
            scale: self.scale,
            outcome,
        };
        println!("{}", serde_json::to_string(&line)?);
        Ok(())
    }
}

/// Says what went wrong, and returns what to end with.
pub fn failed(error: &Error, code: u8) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(code)
}

/// As it is spelt on the command line.
pub fn name(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("none is hidden");
    value.get_name().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(outcome: Outcome) -> Outcome {
        let line = Line { workload: "wake".into(), runtime: "tokio".into(), scale: 1.0, outcome };
        let text = serde_json::to_string(&line).unwrap();
        serde_json::from_str::<Line>(&text).unwrap().outcome
    }

    #[test]
    fn figures_and_refusals_are_read_as_they_were_printed() {
        let figures = BTreeMap::from([("us".to_owned(), 1.5)]);
        assert!(
            matches!(back(Outcome::Figures(figures.clone())), Outcome::Figures(f) if f == figures)
        );
        let refused = back(Outcome::NotRun("no io_uring".to_owned()));
        assert!(matches!(refused, Outcome::NotRun(why) if why == "no io_uring"));
    }

    #[test]
    fn peers_take_part_in_what_they_can_do_only() {
        let run = |workload, runtime| Run { workload, runtime, scale: 1.0 }.check();
        assert!(run(Workload::PushRandom, Peer::FuturesTimer).is_ok());
        let wrong = run(Workload::PushRandom, Peer::Compio).unwrap_err();
        assert_eq!(wrong, "compio has no workload push-random");
    }
}
