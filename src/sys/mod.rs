//! What differs between systems: how a poller waits, and how a source is registered.
//!
//! Each poller is one of the `polling` crate. On Linux the wait itself is made here, on that
//! poller's own descriptor, because `polling` spends up to five system calls on one (`epoll`);
//! elsewhere it is `polling`'s (`portable`).
//!
//! What a poller promises, and who may call what, says [`Polls`].

#[cfg(async_wheel_epoll)]
mod epoll;
mod fork;
mod identity;
mod kind;
#[cfg(all(async_wheel_epoll, not(async_wheel_heap)))]
mod pages;
mod polls;
#[cfg(not(async_wheel_epoll))]
mod portable;
mod registration;
mod socket;
mod waitable;

use std::time::Duration;

use crate::clock;
/// Other systems' heaps are taken to give back by themselves what large blocks took. And
/// LeakSanitizer looks into no mapping, so that its users set the cfg.
#[cfg(any(not(async_wheel_epoll), async_wheel_heap))]
pub(crate) use crate::wheel::Heap as Pages;

#[cfg(async_wheel_epoll)]
pub(crate) use epoll::{Events, Poller};
pub(crate) use fork::{count_forks, fork_generation};
pub(crate) use identity::Identity;
pub(crate) use kind::Kind;
#[cfg(all(async_wheel_epoll, not(async_wheel_heap)))]
pub(crate) use pages::Pages;
pub(crate) use polls::{Event, Mobility, Polls, Until};
#[cfg(not(async_wheel_epoll))]
pub(crate) use portable::{Events, Poller};
pub(crate) use registration::{Raw, Registration};
pub(crate) use socket::Socket;
pub(crate) use waitable::Waitable;

/// Whether one poller can be polled by another. Where it cannot, there is one shard, and the
/// fallback parks in its poller instead of watching from outside.
pub(crate) const NESTED: bool = cfg!(async_wheel_nested);

/// Whether the system's poller can keep interest registered and report edges.
pub(crate) const EDGE: bool = cfg!(async_wheel_edge);

/// The largest key that a source may have. The keys above it are the pollers' own.
pub(crate) const MAX_KEY: usize = usize::MAX - 8;

impl Until {
    /// The timeout from now on, as `polling` takes it.
    fn timeout(self) -> Option<Duration> {
        match self {
            Until::Now => Some(Duration::ZERO),
            Until::Notified => None,
            Until::At(at) => {
                Some(Duration::from_nanos(at.saturating_sub(clock::system_wheel_now())))
            }
        }
    }
}
