//! A parker with the poller that its owner sleeps in.

use crate::sync::Ref;
use crate::sys::{Poller, Polls, forks};

use super::{Parker, Roused};

/// Gets one thread up, wherever it sleeps: a `block_on` call, or the fallback.
#[derive(Debug)]
pub(crate) struct Rouser {
    pub(crate) parker: Parker,
    /// The poller that the owner goes into. It is fixed, so that a wake that finds the owner
    /// polling knows where without asking.
    poller: Ref<Poller>,
    /// The process's forks when this was made.
    forks: usize,
}

impl Rouser {
    /// The poller that the owner goes into.
    pub(crate) fn poller(&self) -> Ref<Poller> {
        self.poller.clone()
    }

    pub(crate) fn new(poller: Ref<Poller>) -> Rouser {
        Rouser { parker: Parker::new(), poller, forks: forks() }
    }

    /// Wakes the owner. Any thread; a system call only if the owner sleeps.
    ///
    /// In the child of a fork, what was made before it has no owner: its poller is the parent's.
    pub(crate) fn rouse(&self) {
        if self.forks == forks() && self.parker.wake() == Roused::InPoller {
            self.poller.notify();
        }
    }
}

/// The waker of a `block_on` call. This crate's own code, all of it: it never blocks.
impl std::task::Wake for Rouser {
    fn wake(self: std::sync::Arc<Self>) {
        self.rouse();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.rouse();
    }
}
