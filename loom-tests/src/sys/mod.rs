//! The models' stand-in for `src/sys`: pollers and sources as the shipped code may take them
//! to behave, which is what epoll and kqueue promise and no more.

mod pipe;
mod poller;

pub(crate) use pipe::{Pipe, Raw, Registration};
pub(crate) use poller::{Events, Poller};

pub(crate) use crate::NESTED;

/// Each registration says for itself.
pub(crate) const EDGE: bool = true;

pub(crate) const MAX_KEY: usize = usize::MAX - 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Now,
    At(u64),
    Notified,
}

impl Until {
    pub(crate) fn deadline(deadline: u64) -> Until {
        if deadline == crate::clock::NEVER { Until::Notified } else { Until::At(deadline) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) key: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}
