//! What the process has used so far, as the system counts it.

use std::time::Duration;

use anyhow::Result;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::gettid;
use procfs::process::Process;

/// Processor time of all threads.
pub fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the clock exists").into()
}

/// Context switches of all threads.
pub fn context_switches() -> Result<u64> {
    let mut sum = 0;
    for task in Process::myself()?.tasks()? {
        let status = task?.status()?;
        let switches = [status.voluntary_ctxt_switches, status.nonvoluntary_ctxt_switches];
        sum += switches.into_iter().flatten().sum::<u64>();
    }
    Ok(sum)
}

/// Processor time and context switches of all threads but the calling one.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfOthers {
    pub processor_ns: u64,
    pub switches: u64,
}

impl OfOthers {
    pub fn so_far() -> Result<OfOthers> {
        let mut sum = OfOthers::default();
        for task in Process::myself()?.tasks()? {
            let task = task?;
            if task.tid == gettid().as_raw() {
                continue;
            }
            let status = task.status()?;
            let switches = [status.voluntary_ctxt_switches, status.nonvoluntary_ctxt_switches];
            sum.switches += switches.into_iter().flatten().sum::<u64>();
            sum.processor_ns += task.schedstat()?.sum_exec_runtime;
        }
        Ok(sum)
    }
}
