//! Who drives the shards: threads in [`block_on`], and the one fallback thread.
//!
//! `core` is the loop of a `block_on` call and `fallback` that of the fallback, both without
//! any global state, as the models run them. `local` is what a thread knows of itself;
//! `global` is the process's one reactor.

#![forbid(unsafe_code)]

mod block_on;
mod context;
mod fallback;
mod process;
mod run;

pub use block_on::block_on;
pub(crate) use context::place;
#[cfg(unix)]
pub(crate) use process::reactor_fd;
pub(crate) use process::{reactor, started};

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;
