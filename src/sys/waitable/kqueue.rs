//! The filters of kqueue that are about no descriptor.

use std::io;
use std::num::NonZeroI32;

use polling::os::kqueue::{PollerKqueueExt, Process, ProcessOps, Signal};
use polling::{Event, PollMode, Poller};

use crate::sys::registration::Raw;

/// An event of the system's, by its filter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waitable {
    /// The delivery of a signal to this process.
    Signal(i32),
    /// The end of a process.
    Exit(NonZeroI32),
}

impl Waitable {
    /// A number that no descriptor has, nor another of these: descriptors and process ids are
    /// positive and of 32 bits, so that they take a half of the numbers each, but for the
    /// uppermost few, which are the signals.
    pub(crate) fn raw(self) -> Option<Raw> {
        match self {
            Waitable::Signal(signal) => Raw::try_from(signal).ok().map(|raw| Raw::MAX - raw),
            Waitable::Exit(id) => Raw::try_from(id.get()).ok().map(|raw| 1 << 31 | raw),
        }
    }

    /// Registers, at once with the only interest there is, so that whoever names a process that
    /// is not there gets an error here.
    pub(crate) fn add(self, poller: &Poller, interest: Event) -> io::Result<()> {
        match self {
            Waitable::Signal(signal) => {
                poller.add_filter(Signal(signal), interest.key, PollMode::Oneshot)
            }
            Waitable::Exit(id) => poller.add_filter(process(id), interest.key, PollMode::Oneshot),
        }
    }

    pub(crate) fn modify(self, poller: &Poller, interest: Event) -> io::Result<()> {
        match self {
            Waitable::Signal(signal) => {
                poller.modify_filter(Signal(signal), interest.key, PollMode::Oneshot)
            }
            Waitable::Exit(id) => {
                poller.modify_filter(process(id), interest.key, PollMode::Oneshot)
            }
        }
    }

    pub(crate) fn delete(self, poller: &Poller) -> io::Result<()> {
        match self {
            Waitable::Signal(signal) => poller.delete_filter(Signal(signal)),
            Waitable::Exit(id) => poller.delete_filter(process(id)),
        }
    }
}

fn process(id: NonZeroI32) -> Process<'static> {
    // SAFETY: that `id` is a child's is vouched for by whoever made it: a `Child`, or the
    // caller of `Exit::from_pid`. The system looks the number up and touches no memory by it.
    unsafe { Process::from_pid(id, ProcessOps::Exit) }
}
