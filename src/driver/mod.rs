//! Who drives the shards: threads in [`block_on`], and the one fallback thread.
//!
//! `core` is the loop of a `block_on` call and `fallback` that of the fallback, both without
//! any global state, as the models run them. `local` is what a thread knows of itself;
//! `global` is the process's one reactor.

#![forbid(unsafe_code)]

mod block_on;
mod core;
mod fallback;
mod global;
mod local;

pub use block_on::block_on;
#[cfg(unix)]
pub(crate) use global::reactor_fd;
pub(crate) use global::{reactor, started};
pub(crate) use local::place;

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;
