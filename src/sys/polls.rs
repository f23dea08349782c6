//! What the reactor asks of a poller, and may count on.
//!
//! The system's pollers are behind this, and so is the modelled one in `loom-tests/`, which
//! does what is promised here and no more.

use std::io;

use super::Events;

/// A poller.
pub(crate) trait Polls: Sized {
    fn new() -> io::Result<Self>;

    /// Waits until there are events or a notification, or as long as `until` says, and takes
    /// both away. May return early with nothing. One thread at a time: the one that holds the
    /// shard's seat, or the fallback on its own poller. All else may be called by any thread.
    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()>;

    /// Ends the wait that is going on, or else the next one.
    fn notify(&self);

    /// Lets the poller be ready at this wheel time, as if there were an event, until a wait finds
    /// it. For the one who may wait. An error where the poller cannot.
    fn set_deadline(&self, deadline: u64) -> io::Result<()> {
        let _ = deadline;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns `true` if [`Event::exceptional`] is reported.
    fn reports_exceptions(&self) -> bool;

    /// Makes another poller a source of this one, not armed yet. Fails where pollers cannot be
    /// polled by one another.
    fn add_poller(&self, other: &Self, key: usize) -> io::Result<()>;

    /// Reports that the other poller has events or a notification: at once if it has, or when it
    /// does. It is made a source of this one unless it is already.
    ///
    /// It may be reported once only. But if a wait in the other poller says that it took all
    /// (`Events::took_all`), that is armed as before: what comes after the wait is reported.
    fn arm_poller(&self, other: &Self, key: usize) -> io::Result<()>;

    /// Makes another poller no source of this one any more: then its events cost nothing here.
    fn remove_poller(&self, other: &Self);

    /// Makes this poller ready as long as the other one is.
    fn show_poller(&self, other: &Self, key: usize) -> io::Result<()>;
}

/// How long a wait in a poller may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Not at all: report what is there.
    Now,
    /// Until this wheel time, by the system's clock.
    At(u64),
    /// Until there is an event or a notification.
    Notified,
}

impl Until {
    /// Until a deadline that may be [`NEVER`](crate::clock::NEVER).
    pub(crate) fn deadline(deadline: u64) -> Until {
        if deadline == crate::clock::NEVER { Until::Notified } else { Until::At(deadline) }
    }
}

/// When a source can be taken from one poller to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mobility {
    /// Never.
    #[allow(dead_code, reason = "on some systems all that can be registered can be moved")]
    Fixed,
    /// As long as nobody has waited for it.
    UntilWait,
    /// At any time: the new poller finds what the old one has reported in vain.
    Free,
}

/// One source's readiness, as a poller reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) key: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Besides data, or instead of it, there is the end of the stream, an error, or urgent data.
    pub(crate) exceptional: bool,
}
