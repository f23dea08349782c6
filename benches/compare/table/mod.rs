//! Runs everything by turns and says how the figures compare.

mod goal;
mod print;
mod rows;
mod runner;
mod samples;
mod trace;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::docs::{Circumstances, Report};
use crate::workloads::{Peer, Scale, Workload};
pub use goal::Goal;
pub use print::{short, table as render};
pub use rows::{Chart, ROWS, Row};
use runner::Plan;
pub use samples::Samples;

#[derive(Args)]
pub struct Options {
    /// How often everything is run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Once and little of everything: only checks that all runs; the figures mean nothing
    #[arg(long, conflicts_with = "runs")]
    quick: bool,
    /// Only these workloads
    #[arg(long, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Also writes all figures of all runs to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also writes docs/benchmarks.md and its charts
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    write_docs: bool,
}

pub fn run(options: &Options) -> Result<()> {
    let plan = options.plan();
    let mut circumstances = Circumstances::now(plan.runs)?;
    let start = Instant::now();
    let figures = plan.carry_out();
    circumstances.took(start.elapsed());
    let missing = missing(&plan, &figures);
    let report = Report { circumstances, figures };
    // First of all, so that minutes of measuring are not lost to what comes after.
    if let Some(path) = &options.json {
        report.write_json(path)?;
    }
    let (table, tally) = print::table(&report.figures);
    match options.quick {
        true => println!("{table}\n\nThis was the quick form: the figures mean nothing."),
        false => println!("{table}\n\n{} of {} goals met.", tally.met, tally.goals),
    }
    if options.write_docs {
        report.write_page(Path::new("docs"))?;
    }
    if !missing.is_empty() {
        bail!("no figures of: {}", missing.join("; "));
    }
    Ok(())
}

impl Options {
    fn plan(&self) -> Plan {
        let workloads = match self.only.is_empty() {
            true => Workload::value_variants().to_vec(),
            false => self.only.clone(),
        };
        let hindrance = trace::hindrance();
        if let Some(hindrance) = &hindrance {
            eprintln!("system calls are not counted: {hindrance}");
        }
        let (runs, scale) = match self.quick {
            true => (1, Scale(0.01)),
            false => (self.runs.into(), Scale(1.0)),
        };
        Plan { runs, scale, workloads, trace: hindrance.is_none() }
    }
}

/// Figures that should be there and are not: after a failure.
fn missing(plan: &Plan, samples: &Samples) -> Vec<String> {
    let mut missing = Vec::new();
    for row in ROWS {
        let wanted = plan.workloads.contains(&row.workload) && (plan.trace || !row.is_traced());
        for peer in Peer::ALL {
            if wanted && row.is_of(peer) && samples.figure(row, peer).is_none() {
                missing.push(format!("{} on {}", row.work, crate::name(&peer)));
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_row_without_a_figure_is_noticed() {
        let workloads = vec![Workload::Wake, Workload::Quiet];
        let plan = Plan { runs: 1, scale: Scale(1.0), workloads, trace: false };
        let mut samples = Samples::default();
        let figures = BTreeMap::from([("us".to_owned(), 1.0)]);
        for peer in [Peer::AsyncWheel, Peer::Tokio] {
            samples.add(Workload::Wake, peer, 0, &figures);
        }
        let missing = super::missing(&plan, &samples);
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].contains("async-io"), "{missing:?}");
    }
}
