//! Who drives a shard, who is promoted when the driver leaves, and who must be unparked.
//!
//! # Words
//!
//! - The **driver** of a shard is the thread that runs its poller and its wheel right now.
//! - The **seat** is the driver lock of a shard ([`Seat`]): its holder is the driver. The guard is
//!   [`Driving`]; dropping it releases the seat, in a panic too.
//! - The **fallback** is the one helper thread. It drives shards that no `block_on` thread drives,
//!   and holds their seats *preemptibly*: a `block_on` thread may **request** such a seat.
//! - A **follower** is a `block_on` or `drive` call that is parked because another one drives its
//!   shard. It is in the wait queue. To **promote** one is to unpark it, so that it drives.
//! - A thread **parks** on its [`Parker`]: on a condition variable, or in a poller. An
//!   [`Unparker`] wakes it there.
//!
//! # Who is woken when a driver leaves
//!
//! | event                                                      | woken                           |
//! |------------------------------------------------------------|---------------------------------|
//! | a watched seat is released                                 | the fallback                    |
//! | a requested seat is released                               | all who requested it            |
//! | any other seat is released                                 | nobody: its driver comes back,  |
//! |                                                            | or its call ends                |
//! | a `block_on` call ends that has waited, and nobody drives  | one follower, which is promoted |
//! | a `drive` call has run its round, and nobody drives        | one follower, which is promoted |
//! | any seat is released, without a fallback thread            | one follower, which is promoted |
//! | a follower was unparked, without a fallback thread, and    | the next follower, which is     |
//! | nobody drives                                              | promoted                        |
//!
//! [`Succession`] puts them together: one for each shard.
//!
//! # The seat
//!
//! One word of bits.
//!
//! | bit           | meaning                                                                 |
//! |---------------|-------------------------------------------------------------------------|
//! | `HELD`        | there is a driver                                                       |
//! | `WATCHED`     | the fallback sleeps and counts on the seat as it is                     |
//! | `PREEMPTIBLE` | with `HELD`: the driver is the fallback, and releases on request        |
//! | `REQUESTED`   | with `PREEMPTIBLE`: a `block_on` thread waits to be woken on release    |
//!
//! | state                      | who notices the shard's next event or deadline             |
//! |----------------------------|------------------------------------------------------------|
//! | vacant                     | the fallback, which is awake or sleeps for a bounded time  |
//! | vacant, watched            | the fallback, asleep: the shard's poller is armed in its   |
//! |                            | own, and its sleep ends at the shard's deadline            |
//! | held                       | the driver; after its release, the fallback as for *vacant*|
//! | held, watched              | the driver; its release unparks the fallback               |
//! | held, preemptible          | the fallback, in a round or (where pollers cannot be       |
//! |                            | nested) parked in the shard's poller                       |
//! | the same, watched          | the same: it was vacant and watched before                 |
//! | the same, requested        | the same; its release wakes those who requested            |
//!
//! | transition                 | by                 | method                                |
//! |----------------------------|--------------------|---------------------------------------|
//! | vacant → held              | a `block_on` call  | [`Seat::try_acquire`]                 |
//! | vacant → held, preemptible | the fallback       | [`Seat::try_acquire_preemptible`]     |
//! | held → held, watched       | the fallback       | [`Seat::watch`]                       |
//! | preemptible → requested    | a `block_on` call  | [`Seat::request`]                     |
//! | held → vacant              | the driver         | [`Seat::release`]                     |
//! | preemptible → watched      | the fallback       | [`Seat::release_watched`]             |
//!
//! Acquiring a vacant seat keeps `WATCHED`: the fallback sleeps on, and the driver unparks it on
//! release. A release clears all bits, or with [`Seat::release_watched`] all others, and returns
//! them. So one that is neither watched nor requested costs no more, and whatever the fallback
//! counted on when it went to sleep, it hears of the end of it.
//!
//! A `block_on` thread that finds its seat preemptible requests it before it parks. Otherwise it
//! would be asleep because of a round that is over in a moment, and the fallback would have the
//! shard from then on: two threads woken for each event instead of one.
//!
//! # The parker
//!
//! One word. [`Parker::unpark`], which any thread may call, moves it to `NOTIFIED`. All other
//! transitions are the owner's.
//!
//! | state            | the owner                             | `unpark` does                |
//! |------------------|---------------------------------------|------------------------------|
//! | `EMPTY`          | is awake                              | → `NOTIFIED`                 |
//! | `NOTIFIED`       | is awake, or about to be              | stays                        |
//! | `PARKED_CONDVAR` | is parked on the condition variable   | → `NOTIFIED`, signals it     |
//! | `PARKED_POLLER`  | is parked in a poller, or about to be | → `NOTIFIED`; the caller     |
//! |                  |                                       | notifies that poller         |
//!
//! | transition                   | by     | method                                           |
//! |------------------------------|--------|--------------------------------------------------|
//! | `EMPTY` → `PARKED_CONDVAR`   | owner  | [`Parker::park`], [`Parker::park_for`]           |
//! | `EMPTY` → `PARKED_POLLER`    | owner  | [`Parker::enter_poller`]                         |
//! | `PARKED_POLLER` → `EMPTY`    | owner  | [`Parker::leave_poller`], without notification   |
//! | `NOTIFIED` → `EMPTY`         | owner  | consumed, by each of the owner's methods         |
//! | `PARKED_CONDVAR` → `EMPTY`   | owner  | the limit of [`Parker::park_for`]                |
//! | any → `NOTIFIED`             | any    | [`Parker::unpark`]                               |
//!
//! What must hold: after an `unpark`, the owner's next `take`, `enter_poller`, `leave_poller` or
//! `park` finds the notification, and sees everything that happened before the `unpark`.
//!
//! This module stands below `reactor`, since a shard has a seat and arrows between modules point
//! down only. It knows pollers as places to park in, and nothing of wheels or sources.

#![forbid(unsafe_code)]

mod parker;
// The models look at the seat by itself.
pub(crate) mod seat;
mod succession;
mod unparker;

pub(crate) use parker::{Parker, UnparkAction};
pub(crate) use seat::Busy;
#[cfg(doc)]
use seat::Seat;
#[cfg(test)]
pub(crate) use seat::SeatState;
pub(crate) use succession::{Driven, Driving, Succession};
pub(crate) use unparker::Unparker;

#[cfg(test)]
mod tests;
