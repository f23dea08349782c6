//! The models' stand-in for `src/sys`: pollers and sources as the shipped code may take them
//! to behave, which is what epoll and kqueue promise and no more.

mod pipe;
mod poller;
#[path = "../../../src/sys/polls.rs"]
mod polls;

pub(crate) use pipe::{Number, Pipe, Raw, Registration};
pub(crate) use poller::{Events, Poller};
pub(crate) use polls::{Event, Polls, Until};

/// Where timers' memory comes from concerns no model.
pub(crate) use crate::wheel::Heap as Pages;

pub(crate) use crate::NESTED;

/// Each registration says for itself.
pub(crate) const EDGE: bool = true;

/// Models do not fork.
pub(crate) fn fork_generation() -> usize {
    0
}

pub(crate) const MAX_KEY: usize = usize::MAX - 8;
