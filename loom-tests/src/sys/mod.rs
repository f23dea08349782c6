//! The models' stand-in for `src/sys`: pollers and sources as the shipped code may take them
//! to behave, which is what epoll and kqueue promise and no more.

mod pipe;
mod poller;
#[path = "../../shared/sys.rs"]
mod shared;

pub(crate) use pipe::{Identity, Number, Pipe, Raw, Registration};
pub(crate) use poller::Poller;
pub(crate) use shared::*;

pub(crate) use crate::NESTED;

/// As with epoll. The simulation's pollers are armed for one event, as kqueue's.
const STAYS_ARMED: bool = true;
