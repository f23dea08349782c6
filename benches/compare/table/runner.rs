//! Runs each workload on each runtime, in processes of their own, by turns.

use std::env;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use compare::command::{Line, Outcome};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use wait_timeout::ChildExt;

use super::samples::Samples;
use super::times::Times;
use super::trace;
use crate::workloads::{Peer, Scale, Workload};

/// No workload takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(300);

/// What to do.
pub struct Plan {
    pub runs: usize,
    pub scale: Scale,
    pub workloads: Vec<Workload>,
    pub peers: Vec<Peer>,
    /// What runs the peers that are not in this program.
    pub further: Option<PathBuf>,
    /// Whether to count system calls; needs strace.
    pub trace: bool,
}

impl Plan {
    /// Runs everything. What fails is reported, and missing in the samples.
    pub fn carry_out(&self) -> (Samples, Times) {
        let (mut samples, mut times) = (Samples::default(), Times::default());
        let steps = self.steps();
        let all: usize = steps.iter().map(|step| self.runs_of(step)).sum();
        let bar = ProgressBar::new(all as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
        bar.set_style(style.expect("a valid template"));
        for run in 0..self.runs {
            if bar.is_hidden() {
                let elapsed = HumanDuration(bar.elapsed());
                eprintln!("run {} of {}, {elapsed} so far", run + 1, self.runs);
            }
            for step in self.in_turns(&steps, run) {
                if run >= self.runs_of(&step) || samples.why_not_run(step.peer).is_some() {
                    continue;
                }
                bar.set_message(format!("run {}: {}", run + 1, step.described()));
                let start = Instant::now();
                if let Err(error) = self.take(step, run, &mut samples) {
                    bar.suspend(|| eprintln!("{error:#}"));
                }
                times.add(&step.work(), start.elapsed());
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        (samples, times)
    }

    /// Prints how often each peer is run, and where it is.
    pub fn describe(&self) {
        let steps = self.steps();
        for &peer in &self.peers {
            let of_peer = steps.iter().filter(|step| step.peer == peer);
            let runs: usize = of_peer.map(|step| self.runs_of(step)).sum();
            let place = if peer.is_further() { ", from benches/peers" } else { "" };
            if runs > 0 {
                println!("{}: {runs} runs{place}", crate::name(&peer));
            }
        }
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
                for &peer in &self.peers {
                    let wanted = wanted && !(traced && peer.is_further());
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

    fn runs_of(&self, step: &Step) -> usize {
        let runs = step.workload.runs(step.peer, self.runs);
        // Calls are counted, not timed.
        if step.traced { runs.min(2) } else { runs }
    }

    /// Takes a step in the run of that number. What hinders the runtime is an error the first time.
    fn take(&self, step: Step, run: usize, samples: &mut Samples) -> Result<()> {
        let outcome = match step.traced {
            true => trace::count_calls(step.workload, step.peer).map(Outcome::Figures),
            false => {
                let program = self.further.as_ref().filter(|_| step.peer.is_further());
                self::run(program, &[], step.workload, step.peer, self.scale)
            }
        };
        match outcome.with_context(|| format!("{} failed", step.described()))? {
            Outcome::Figures(figures) => {
                samples.add(step.workload, step.peer, run, &figures);
            }
            Outcome::NotRun(why) => {
                if samples.not_run(step.peer, &why) {
                    bail!("{} is not run: {why}", crate::name(&step.peer));
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    workload: Workload,
    peer: Peer,
    traced: bool,
}

impl Step {
    fn work(&self) -> String {
        crate::name(&self.workload) + if self.traced { ", with strace" } else { "" }
    }

    fn described(&self) -> String {
        format!("{} on {}", self.work(), crate::name(&self.peer))
    }
}

/// Runs a workload in a process of its own: of `program` or else of this one, under `wrapper` if
/// there is one.
pub fn run(
    program: Option<&PathBuf>,
    wrapper: &[OsString],
    workload: Workload,
    peer: Peer,
    scale: Scale,
) -> Result<Outcome> {
    let mut command = wrapper.to_vec();
    command.push(match program {
        Some(program) => program.into(),
        None => env::current_exe().context("cannot find this program")?.into(),
    });
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
    Ok(line.outcome)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn plan() -> Plan {
        let workloads = Workload::value_variants().to_vec();
        let peers = Peer::ALL.to_vec();
        Plan { runs: 1, scale: Scale(1.0), workloads, peers, further: None, trace: true }
    }

    #[test]
    fn no_runtime_is_always_the_first() {
        let plan = plan();
        let steps = plan.steps();
        let group = steps.chunk_by(|a, b| a.workload == b.workload).next().unwrap();
        let first = |run| plan.in_turns(&steps, run)[0].peer;
        let firsts: Vec<_> = (0..group.len()).map(first).collect();
        assert_eq!(firsts, group.iter().map(|step| step.peer).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_in_this_program_runs_less_often_and_untraced() {
        let plan = Plan { runs: 5, ..plan() };
        let steps = plan.steps();
        let mut further = steps.iter().filter(|step| step.peer.is_further()).peekable();
        assert!(further.peek().is_some());
        assert!(further.all(|step| !step.traced && (1..=2).contains(&plan.runs_of(step))));
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
