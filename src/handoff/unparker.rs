//! A parker with the poller that its owner parks in.

use crate::sync::Ref;
use crate::sys::{Poller, Polls, fork_generation};

use super::{Parker, UnparkAction};

/// Unparks one thread, wherever it is parked: a `block_on` call, or the fallback.
#[derive(Debug)]
pub(crate) struct Unparker {
    pub(crate) parker: Parker,
    /// The poller that the owner parks in. It is fixed, so that an unpark that finds the owner
    /// there knows it without asking.
    poller: Ref<Poller>,
    /// The fork generation of the process that made this.
    generation: usize,
}

impl Unparker {
    /// Returns the poller that the owner parks in.
    pub(crate) fn poller(&self) -> Ref<Poller> {
        self.poller.clone()
    }

    pub(crate) fn new(poller: Ref<Poller>) -> Unparker {
        Unparker { parker: Parker::new(), poller, generation: fork_generation() }
    }

    /// Unparks the owner. For any thread; costs a system call only if the owner is parked.
    ///
    /// In the child of a fork, what was made before it has no owner: its poller is the parent's.
    pub(crate) fn unpark(&self) {
        if self.generation == fork_generation()
            && self.parker.unpark() == UnparkAction::NotifyPoller
        {
            self.poller.notify();
        }
    }
}

/// The waker of a `block_on` call. This crate's own code, all of it: it never blocks.
impl std::task::Wake for Unparker {
    fn wake(self: std::sync::Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.unpark();
    }
}
