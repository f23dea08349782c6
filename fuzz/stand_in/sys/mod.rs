//! In place of `src/sys`: pollers and descriptors as epoll has them, and what can go wrong.

pub(crate) mod descriptor;
mod poller;
#[path = "../../../loom-tests/shared/registration.rs"]
mod registration;
#[path = "../../../loom-tests/shared/sys.rs"]
mod shared;

pub(crate) use descriptor::{Descriptor, File, Kind, Raw, Socket};
pub(crate) use poller::Poller;
pub(crate) use registration::{Identity, Registration};
pub(crate) use shared::*;

pub(crate) const NESTED: bool = true;

/// There is no fallback thread.
const STAYS_ARMED: bool = false;
