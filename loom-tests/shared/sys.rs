//! What the stand-ins for `src/sys` share: those of the models, the simulation and the fuzz
//! targets.

#[path = "../../src/sys/polls.rs"]
mod polls;

pub(crate) use polls::{Event, Mobility, Polls, Until};

/// Where timers' memory comes from concerns nothing that is checked here.
pub(crate) use crate::wheel::Heap as Pages;

/// Each registration says for itself.
pub(crate) const EDGE: bool = true;

/// Nothing forks here.
pub(crate) fn fork_generation() -> usize {
    0
}

pub(crate) const MAX_KEY: usize = usize::MAX - 8;

/// A list that a wait fills.
#[derive(Debug)]
pub(crate) struct Events(pub(crate) Vec<Event>);

impl Events {
    pub(crate) fn new() -> Events {
        Events(Vec::new())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Only reports ask for it.
    pub(crate) fn has_notification(&self) -> bool {
        false
    }

    /// Each poller says for itself.
    pub(crate) fn took_all(&self) -> bool {
        super::STAYS_ARMED
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().copied()
    }
}
