//! Counts system calls with strace, between the marks that the workloads set.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use compare::command::Outcome;
use tempfile::NamedTempFile;

use super::runner;
use crate::workloads::{Peer, Scale, Workload};

/// Counts do not depend on how much is done, and under strace everything takes long.
const SCALE: Scale = Scale(0.02);

/// Nothing else calls it.
const MARK: &str = "getppid";
/// What the work itself consists of; everything else is waiting for it.
const WORK: &[&str] = &["recvfrom", "sendto"];
/// The allocator's; memory is measured elsewhere.
const MEMORY: &[&str] = &["brk", "madvise", "mmap", "mprotect", "mremap", "munmap"];

/// Whether there are figures of that workload's calls.
pub fn counts(workload: Workload) -> bool {
    let also_timed = matches!(
        workload,
        Workload::RoundTrip
            | Workload::RoundTripTimeout
            | Workload::Connection
            | Workload::Wake
            | Workload::Fallback
    );
    also_timed || workload.only_counts()
}

/// Why strace cannot be used, if it cannot.
pub fn hindrance() -> Option<String> {
    let run = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .output();
    match run {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr);
            Some(format!("strace: {}", message.lines().next().unwrap_or("it failed")))
        }
        Err(error) => Some(format!("strace: {error}")),
    }
}

/// Runs the workload under strace and counts what one operation takes.
pub fn count_calls(workload: Workload, peer: Peer) -> Result<BTreeMap<String, f64>> {
    let trace = NamedTempFile::new()?;
    let wrapper = ["strace".into(), "-f".into(), "-qq".into(), "-o".into(), trace.path().into()];
    let figures = match runner::run(None, &wrapper, workload, peer, SCALE)? {
        Outcome::Figures(figures) => figures,
        Outcome::NotRun(why) => bail!(why),
    };
    let operations = figures.get("operations").context("it does not say how much it did")?;
    let calls = Calls::between_marks(&fs::read_to_string(trace.path())?);
    ensure!(calls.threads > 0, "no thread was between two marks");
    let each = |count: usize, threads: usize| count as f64 / operations / threads as f64;
    Ok(BTreeMap::from([
        ("calls".to_owned(), each(calls.all, calls.threads)),
        ("waiting_calls".to_owned(), each(calls.waiting, calls.threads)),
        ("calls_of_others".to_owned(), each(calls.of_others, 1)),
    ]))
}

/// How often the system was called.
#[derive(Debug, Default, PartialEq)]
struct Calls {
    /// Threads that set marks.
    threads: usize,
    /// Calls of those threads, each between its own marks.
    all: usize,
    /// Those of them that are not the work itself.
    waiting: usize,
    /// Calls of threads that set no marks, between the first mark and the last of all.
    of_others: usize,
}

impl Calls {
    /// From what `strace -f` writes: a thread's number and a call in each line.
    fn between_marks(trace: &str) -> Calls {
        let lines: Vec<(&str, &str)> = trace.lines().filter_map(call).collect();
        let mut marks = BTreeMap::<&str, usize>::new();
        for (thread, _) in lines.iter().filter(|(_, name)| *name == MARK) {
            *marks.entry(thread).or_default() += 1;
        }
        let mut left: usize = marks.values().sum();
        let mut calls = Calls { threads: marks.len(), ..Calls::default() };
        let mut open = BTreeMap::<&str, bool>::new();
        for (thread, name) in lines {
            if name == MARK {
                let open = open.entry(thread).or_default();
                *open = !*open;
                left -= 1;
            } else if MEMORY.contains(&name) {
            } else if open.get(thread) == Some(&true) {
                calls.all += 1;
                calls.waiting += usize::from(!WORK.contains(&name));
            } else if !marks.contains_key(thread) && !open.is_empty() && left > 0 {
                calls.of_others += 1;
            }
        }
        calls
    }
}

/// The thread and the call's name, if the line is the beginning of a call.
fn call(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !name.is_empty()).then_some((thread, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_marks_counts_and_a_resumed_call_counts_once() {
        let trace = "\
10 epoll_pwait(3, [], 64, 0, NULL, 8) = 0
10 getppid() = 1
10 sendto(5, \"x(y\", 3, 0, NULL, 0) = 3
10 epoll_pwait(3,  <unfinished ...>
11 futex(0x1, FUTEX_WAKE, 1) = 0
12 getppid() = 1
10 <... epoll_pwait resumed>[], 64, 0, NULL, 8) = 0 (Timeout)
12 recvfrom(6, \"\", 3, 0, NULL, NULL) = 3
10 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7f
10 getppid() = 1
10 sendto(5, \"x\", 3, 0, NULL, 0) = 3
--- SIGCHLD {si_signo=SIGCHLD} ---
12 getppid() = 1
11 futex(0x1, FUTEX_WAKE, 1) = 0
10 +++ exited with 0 +++
";
        let expected = Calls { threads: 2, all: 3, waiting: 1, of_others: 1 };
        assert_eq!(Calls::between_marks(trace), expected);
    }
}
