//! The loop of a `drive` call.

use std::task::Waker;
use std::time::Duration;

use crate::clock::{self, NEVER};
use crate::handoff::{Busy, Unparker};
use crate::reactor::{Batch, Shard};

/// What a call of [`drive`](crate::driver::drive()) did.
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
///
/// `heard` is the number of notifications that this thread has heard of. With more, it does not
/// sleep.
pub(crate) fn run(
    shard: &Shard,
    me: &Unparker,
    waker: &Waker,
    batch: &mut Batch,
    limit: u64,
    mut sleeps: bool,
    heard: &mut usize,
) -> Round {
    let succession = shard.succession();
    let round = loop {
        let busy = match shard.try_acquire() {
            Ok(driving) => {
                if sleeps && succession.notifications() == *heard {
                    driving.park_until(&me.parker, batch, limit);
                } else {
                    driving.run_round(batch);
                    driving.leave();
                }
                // The caller may not come back. The fallback thread would serve the shard, but it may be
                // inside somebody's waker, or follow this thread.
                succession.promote();
                let round = Round::of(batch);
                batch.wake(shard);
                break round;
            }
            Err(busy) => busy,
        };
        if !sleeps {
            break Round::default();
        }
        match busy {
            Busy::Preemptible => {
                if succession.request(waker) {
                    sleeps = park(shard, me, limit);
                }
            }
            Busy::Held => {
                let key = succession.enqueue(waker);
                if succession.notifications() != *heard {
                    sleeps = false;
                } else if succession.is_driven() {
                    // This thread's turn, or a notification: one more look, and no more sleep.
                    park(shard, me, limit);
                    sleeps = false;
                }
                succession.dequeue(key);
            }
        }
    };
    *heard = succession.notifications();
    round
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
