//! Where pollers cannot be polled by one another: one shard, with the fallback in its seat.

use super::{handoff, timers};
use crate::handoff::Busy;
use crate::stage::{Flag, Stage, TWO_BACKOFFS};
use crate::world::{now, rest};

/// A `block_on` call and the fallback in one seat: an event is noticed at once, whoever drives.
pub(super) fn event_meets_the_change_of_drivers() {
    handoff::event_meets_drivers(false);
}

/// A `block_on` call that finds the fallback asleep in the seat gets it, and the fallback goes
/// to sleep elsewhere.
pub(super) fn requester_gets_the_seat() {
    loom::stop_exploring();
    let stage = Stage::new();
    rest();
    assert_eq!(stage.shard().try_acquire().err(), Some(Busy::Preemptible));
    loom::explore();
    handoff::call_gets_the_seat(stage);
}

/// Two calls ask the fallback for its seat at once: both return.
pub(super) fn two_request_at_once() {
    let stage = Stage::new();
    let shard = stage.shard();
    let flags = [Flag::default(), Flag::default()];
    let calls = [("first", &flags[0]), ("second", &flags[1])]
        .map(|(name, flag)| flag.spawn_call(name, &shard));
    flags.iter().for_each(Flag::set);
    calls.into_iter().for_each(|call| call.join());
    assert!(now() <= TWO_BACKOFFS);
    stage.end();
}

/// The last `block_on` call returns while the fallback goes to sleep: an event after that is
/// noticed by the fallback, within two backoffs.
pub(super) fn last_call_returns() {
    handoff::event_after_the_last_call(false);
}

/// A timer inserted at any moment while the fallback acquires the seat fires on time.
pub(super) fn earlier_insert_wakes_the_driving_fallback() {
    timers::an_earlier_insert_wakes_the_fallback();
}
