//! The simulation's stand-in for `src/sys`: pollers and files as epoll and kqueue promise them,
//! and with their faults.

mod kernel;
mod poller;
#[path = "../../../src/sys/polls.rs"]
mod polls;
mod registration;

pub(crate) use kernel::{Happening, close, end, file, happen, open};
pub(crate) use poller::{Events, Poller};
pub(crate) use polls::{Event, Polls, Until};
pub(crate) use registration::{Raw, Registration, reported};

/// Where timers' memory comes from concerns no property here.
pub(crate) use crate::wheel::Heap as Pages;

pub(crate) const NESTED: bool = true;

/// Each registration says for itself.
pub(crate) const EDGE: bool = true;

/// Nothing forks here.
pub(crate) fn fork_generation() -> usize {
    0
}

pub(crate) const MAX_KEY: usize = usize::MAX - 8;
