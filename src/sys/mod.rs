//! What differs between systems: how a poller waits, and how a source is registered.
//!
//! Each poller is one of the `polling` crate. On Linux the wait itself is made here, on that
//! poller's own descriptor, because `polling` spends up to five system calls on one (`epoll`);
//! elsewhere it is `polling`'s (`portable`).
//!
//! Who calls what: [`Poller::wait`] only the one that holds the shard's seat (or the fallback,
//! on its own poller); everything else any thread.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod portable;
mod registration;
mod waitable;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use epoll::{Events, Poller};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use portable::{Events, Poller};
pub(crate) use registration::{Raw, Registration};
pub(crate) use waitable::Waitable;

/// Whether one poller can be polled by another. Where it cannot, there is one shard, and the
/// fallback sits in its seat instead of watching from outside.
pub(crate) const NESTED: bool = cfg!(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ),
    not(async_wheel_single_shard),
));

/// Whether the system's poller can keep interest registered and report edges.
pub(crate) const EDGE: bool = cfg!(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ),
    not(async_wheel_oneshot),
));

/// The largest key that a source may have. The keys above it are the pollers' own.
pub(crate) const MAX_KEY: usize = usize::MAX - 8;

/// How long a wait in a poller may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Not at all: report what is there.
    Now,
    /// Until this wheel time.
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

/// One source's readiness, as a poller reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) key: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}
