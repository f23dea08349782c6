//! The lock-free words by which threads hand the work on.
//!
//! Two small state machines, each one atomic: the [`Parker`] of whoever may be asleep, and the
//! [`Seat`] of each shard. Both know nothing of pollers, wheels or sources; `reactor` and
//! `driver` are built on them. They stand below `reactor` (and not in `driver`) because a shard
//! has a seat and arrows between modules point down only.

#![forbid(unsafe_code)]

mod parker;
mod seat;
mod unparker;

pub(crate) use parker::{Parker, Roused};
pub(crate) use seat::{Left, Seat, Took};
pub(crate) use unparker::Rouser;
