//! The loop of a `drive` call.

use std::task::Waker;
use std::time::Duration;

use crate::clock::{self, NEVER};
use crate::handoff::{Busy, Unparker};
use crate::reactor::{Batch, Shard};

/// What a call of [`drive`](crate::driver::drive) did.
///
/// # Examples
///
/// ```
/// use async_wheel::driver;
/// use std::time::Duration;
///
/// let round = driver::drive(Some(Duration::ZERO))?;
/// println!("{} events, {} timers", round.events, round.timers);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// Events of I/O sources that were dispatched.
    pub events: usize,
    /// Timers that fired.
    pub timers: usize,
    /// Whether more timers may be due: the budget of a round was used up.
    pub more: bool,
}

impl Round {
    fn of(batch: &Batch) -> Round {
        let (events, timers) = batch.counts();
        Round { events, timers, more: batch.has_more() }
    }
}

/// Runs one round, until this wheel time at most if `sleeps`, or follows whoever drives. The waker
/// has to unpark `me`.
pub(crate) fn run(
    shard: &Shard,
    me: &Unparker,
    waker: &Waker,
    batch: &mut Batch,
    limit: u64,
    mut sleeps: bool,
) -> Round {
    loop {
        let busy = match shard.try_acquire() {
            Ok(driving) => {
                if sleeps {
                    driving.park_until(&me.parker, batch, limit);
                } else {
                    driving.run_round(batch);
                    driving.leave();
                }
                let round = Round::of(batch);
                batch.wake(shard);
                return round;
            }
            Err(busy) => busy,
        };
        if !sleeps {
            return Round::default();
        }
        match busy {
            Busy::Preemptible => {
                if shard.succession().request(waker) {
                    sleeps = park(shard, me, limit);
                }
            }
            Busy::Held => {
                let key = shard.succession().enqueue(waker);
                if shard.succession().is_driven() {
                    // This thread's turn, or a notification: one more look, and no more sleep.
                    park(shard, me, limit);
                    sleeps = false;
                }
                shard.succession().dequeue(key);
            }
        }
    }
}

/// Parks until this thread is unparked, which gives `true`, or the limit has come.
fn park(shard: &Shard, me: &Unparker, limit: u64) -> bool {
    shard.succession().note_parked();
    let unparked = if limit == NEVER {
        me.parker.park();
        true
    } else {
        me.parker.park_for(Duration::from_nanos(limit.saturating_sub(clock::wheel_now())))
    };
    shard.succession().note_awake();
    unparked
}
