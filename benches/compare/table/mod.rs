//! Runs everything by turns and says how the figures compare.

mod goal;
mod print;
mod row;
mod rows;
mod runner;
mod samples;
mod times;
mod trace;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::docs::{Circumstances, Report};
use crate::workloads::{Peer, Scale, Workload};
pub use print::{short, table as render, table_of_further};
pub use row::{Chart, Row};
pub use rows::ROWS;
use runner::Plan;
pub use samples::{Samples, Summary};

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
    /// Only these beside async-wheel
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// The program of the package `peers`, without which those peers are left out
    #[arg(long, value_name = "FILE")]
    further: Option<PathBuf>,
    /// Says what would be run, and does not run it
    #[arg(long)]
    plan: bool,
    /// Also writes all figures of all runs to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also writes docs/benchmarks.md and its charts
    #[arg(long, conflicts_with_all = ["quick", "only", "peers"])]
    write_docs: bool,
}

pub fn run(options: &Options) -> Result<()> {
    let plan = options.plan();
    if options.plan {
        plan.describe();
        return Ok(());
    }
    let mut circumstances = Circumstances::now(plan.runs)?;
    let start = Instant::now();
    let (figures, times) = plan.carry_out();
    circumstances.took(start.elapsed());
    let missing = missing(&plan, &figures);
    let report = Report { circumstances, figures };
    // First of all, so that minutes of measuring are not lost to what comes after.
    if let Some(path) = &options.json {
        report.write_json(path)?;
    }
    let (table, tally) = print::table(&report.figures, |_| true);
    let further = print::table_of_further(&report.figures);
    let further = further.map_or(String::new(), |table| format!("\n\n{table}"));
    let table = format!("{table}{further}");
    match options.quick {
        true => println!("{table}\n\nThis was the quick form: the figures mean nothing."),
        false => println!("{table}\n\n{} of {} goals met.", tally.met, tally.goals),
    }
    println!("\nWhere the time went:\n\n{}", times.table());
    if options.write_docs {
        report.write_page(Path::new("docs"))?;
    }
    if !missing.is_empty() {
        bail!("no figures of: {}", missing.join("; "));
    }
    Ok(())
}

impl Options {
    /// Says in one line what cannot be done.
    pub fn check(&self) -> Result<(), String> {
        match &self.further {
            Some(path) if !path.is_file() => Err(format!("{}: no such program", path.display())),
            Some(_) => Ok(()),
            None if self.plan => Ok(()),
            None => match self.peers.iter().find(|peer| peer.is_further()) {
                Some(peer) => Err(format!("{} needs --further", crate::name(peer))),
                None => Ok(()),
            },
        }
    }

    /// The peers that take part, async-wheel first.
    fn chosen(&self) -> Vec<Peer> {
        let wanted = |peer: &Peer| {
            let there = self.further.is_some() || self.plan || !peer.is_further();
            let chosen = self.peers.is_empty() || self.peers.contains(peer);
            *peer == Peer::AsyncWheel || (there && chosen)
        };
        Peer::ALL.into_iter().filter(wanted).collect()
    }

    fn plan(&self) -> Plan {
        let workloads = match self.only.is_empty() {
            true => Workload::value_variants().to_vec(),
            false => self.only.clone(),
        };
        let hindrance = trace::hindrance();
        if let Some(hindrance) = hindrance.as_ref().filter(|_| !self.plan) {
            eprintln!("system calls are not counted: {hindrance}");
        }
        let (runs, scale) = match self.quick {
            true => (1, Scale(0.01)),
            false => (self.runs.into(), Scale(1.0)),
        };
        let (peers, further) = (self.chosen(), self.further.clone());
        Plan { runs, scale, workloads, peers, further, trace: hindrance.is_none() }
    }
}

/// Figures that should be there and are not: after a failure.
fn missing(plan: &Plan, samples: &Samples) -> Vec<String> {
    let mut missing = Vec::new();
    for row in ROWS {
        for &peer in &plan.peers {
            let wanted = plan.workloads.contains(&row.workload_of(peer))
                && (!row.is_traced() || (plan.trace && !peer.is_further()))
                && samples.why_not_run(peer).is_none();
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
        let peers = vec![Peer::AsyncWheel, Peer::AsyncIo, Peer::Tokio];
        let plan =
            Plan { runs: 1, scale: Scale(1.0), workloads, peers, further: None, trace: false };
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
