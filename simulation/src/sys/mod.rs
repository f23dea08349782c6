//! The simulation's stand-in for `src/sys`: pollers and files as epoll and kqueue promise them,
//! and with their faults.

mod kernel;
mod poller;
mod registration;
#[path = "../../../loom-tests/shared/sys.rs"]
mod shared;

pub(crate) use kernel::{Happening, close, end, file, happen, open};
pub(crate) use poller::Poller;
pub(crate) use registration::{Identity, Raw, Registration, reported};
pub(crate) use shared::*;

pub(crate) const NESTED: bool = true;

/// As with kqueue: a poller is armed for one event, and a wait may leave some. The models' stays armed.
const STAYS_ARMED: bool = false;
