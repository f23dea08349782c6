//! Runs each workload on each runtime, in processes of their own, by turns.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use wait_timeout::ChildExt;

use super::samples::Samples;
use super::trace;
use crate::workloads::{Peer, Scale, Workload};

/// No workload takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to do.
pub struct Plan {
    pub runs: usize,
    pub scale: Scale,
    pub workloads: Vec<Workload>,
    /// Whether to count system calls; needs strace.
    pub trace: bool,
}

/// What a run of a workload prints.
#[derive(Deserialize)]
struct Line {
    figures: BTreeMap<String, f64>,
}

impl Plan {
    /// Runs everything. What fails is reported, and missing in the samples.
    pub fn carry_out(&self) -> Samples {
        let mut samples = Samples::default();
        let steps = self.steps();
        let bar = ProgressBar::new((steps.len() * self.runs) as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
        bar.set_style(style.expect("a valid template"));
        for run in 0..self.runs {
            if bar.is_hidden() {
                eprintln!("run {} of {}, {:.0?} so far", run + 1, self.runs, bar.elapsed());
            }
            for step in self.in_turns(&steps, run) {
                let (workload, peer) = (crate::name(&step.workload), crate::name(&step.peer));
                bar.set_message(format!("run {}: {workload} on {peer}", run + 1));
                match self.take(step) {
                    Ok(figures) => samples.add(step.workload, step.peer, run, &figures),
                    Err(error) => {
                        bar.suspend(|| eprintln!("{workload} on {peer} failed: {error:#}"));
                    }
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        samples
    }

    /// What one round consists of; runtimes that do the same are next to each other.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for traced in [false, true] {
            for &workload in &self.workloads {
                let wanted = match traced {
                    true => self.trace && trace::counts(workload),
                    false => !workload.only_counts(),
                };
                for &peer in &Peer::ALL {
                    if wanted && workload.suits(peer) {
                        steps.push(Step { workload, peer, traced });
                    }
                }
            }
        }
        steps
    }

    /// Another runtime begins in each run.
    fn in_turns(&self, steps: &[Step], run: usize) -> Vec<Step> {
        let mut turns = Vec::with_capacity(steps.len());
        for group in steps.chunk_by(|a, b| (a.workload, a.traced) == (b.workload, b.traced)) {
            let mut group = group.to_vec();
            let by = run % group.len();
            group.rotate_left(by);
            turns.append(&mut group);
        }
        turns
    }

    fn take(&self, step: Step) -> Result<BTreeMap<String, f64>> {
        match step.traced {
            true => trace::count_calls(step.workload, step.peer),
            false => figures(&[], step.workload, step.peer, self.scale),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    workload: Workload,
    peer: Peer,
    traced: bool,
}

/// Runs a workload in a process of its own, under `wrapper` if there is one.
pub fn figures(
    wrapper: &[OsString],
    workload: Workload,
    peer: Peer,
    scale: Scale,
) -> Result<BTreeMap<String, f64>> {
    let mut command = wrapper.to_vec();
    command.push(env::current_exe().context("cannot find this program")?.into());
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .args(["run", &crate::name(&workload), &crate::name(&peer), "--scale"])
        .arg(scale.0.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", command[0].display()))?;
    // One line fits into the pipe, so that the child never waits for it to be read.
    let Some(status) = child.wait_timeout(PATIENCE)? else {
        child.kill()?;
        child.wait()?;
        bail!("it took longer than {PATIENCE:?}");
    };
    if !status.success() {
        bail!("{status}");
    }
    let mut line = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut line)?;
    let line: Line = serde_json::from_str(&line).with_context(|| format!("printed {line:?}"))?;
    Ok(line.figures)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn plan() -> Plan {
        let workloads = Workload::value_variants().to_vec();
        Plan { runs: 1, scale: Scale(1.0), workloads, trace: true }
    }

    #[test]
    fn no_runtime_is_always_the_first() {
        let plan = plan();
        let steps = plan.steps();
        let first = |run| plan.in_turns(&steps, run)[0].peer;
        assert_eq!([first(0), first(1), first(2)], [Peer::AsyncWheel, Peer::AsyncIo, Peer::Tokio]);
    }

    #[test]
    fn taking_turns_leaves_out_nothing() {
        let plan = plan();
        let steps = plan.steps();
        for run in 0..3 {
            let turns = plan.in_turns(&steps, run);
            assert_eq!(turns.len(), steps.len());
            assert!(steps.iter().all(|step| turns.contains(step)));
        }
    }
}
