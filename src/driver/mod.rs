//! Who drives the shards: threads in [`block_on()`], and the one fallback thread.
//!
//! `run` is the loop of a `block_on` call and `fallback` that of the fallback thread, both without
//! any global state, as the models run them. `context` is what a thread knows of itself; `process`
//! has the process's one reactor.

#![forbid(unsafe_code)]

mod block_on;
mod context;
mod fallback;
mod helper;
mod process;
mod run;
mod task_poll;

pub use block_on::block_on;
pub(crate) use context::current_shard;
#[cfg(unix)]
pub(crate) use process::reactor_fd;
pub(crate) use process::{reactor, started};
pub(crate) use task_poll::TaskPoll;

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;
