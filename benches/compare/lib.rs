//! The workloads of `compare` and the runtimes that they run on, for that program and for the
//! package `peers`, which has more runtimes.

pub mod command;
#[path = "../../examples/heartbeats/command_line.rs"]
pub mod command_line;
pub mod population;
pub mod runtimes;
pub mod usage;
pub mod workloads;
