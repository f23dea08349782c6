//! In place of `src/sys`: pollers and descriptors as epoll has them, and what can go wrong.

pub(crate) mod descriptor;
mod poller;
#[path = "../../../src/sys/polls.rs"]
mod polls;

pub(crate) use descriptor::{Descriptor, File, Kind, Raw, Registration, Socket};
pub(crate) use poller::{Events, Poller};
pub(crate) use polls::{Event, Polls, Until};

/// Where timers' memory comes from concerns no target.
pub(crate) use crate::wheel::Heap as Pages;

pub(crate) const NESTED: bool = true;

/// Each registration says for itself.
pub(crate) const EDGE: bool = true;

/// No input forks.
pub(crate) fn fork_generation() -> usize {
    0
}

pub(crate) const MAX_KEY: usize = usize::MAX - 8;
