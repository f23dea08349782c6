//! The loop of a `block_on` call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::handoff::{Rouser, Took};
use crate::reactor::{Round, Shard};

/// Polls the future whenever `me` is roused, and drives the shard in between, or sleeps while
/// somebody else drives it. The waker has to rouse `me`.
pub(crate) fn run<F: Future>(
    shard: &Shard,
    me: &Rouser,
    waker: &Waker,
    round: &mut Round,
    mut future: Pin<&mut F>,
) -> F::Output {
    let cx = &mut Context::from_waker(waker);
    let mut end = End { shard, has_waited: false };
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return output;
        }
        shard.must_not_be_inherited();
        end.has_waited = true;
        if me.parker.take() {
            // The future has more to do. I/O and timers get a round in between, so that one
            // that always has more to do starves nobody.
            shard.turn_if_vacant(round);
        } else {
            rest(shard, me, waker, round);
        }
    }
}

/// The end of a call, by a panic too.
struct End<'a> {
    shard: &'a Shard,
    /// Whether it had to wait: others may have parked because of it, or it was to take over.
    has_waited: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if self.has_waited && !self.shard.is_inherited() {
            self.shard.hand_over();
        }
    }
}

/// Returns when `me` was roused, driving the shard until then or sleeping.
fn rest(shard: &Shard, me: &Rouser, waker: &Waker, round: &mut Round) {
    loop {
        match shard.seat().try_take() {
            Took::Seat => {
                let notified = shard.drive(&me.parker, round);
                round.wake(shard);
                shard.must_not_be_inherited();
                if notified || me.parker.take() {
                    return;
                }
            }
            Took::AskFallback if !shard.ask(waker) => {}
            Took::AskFallback => return park(shard, me),
            Took::Nothing => {
                // Whoever has the seat, or the fallback after it, notices what this call
                // waits for; or hands the seat over.
                let place = shard.line_up(waker);
                let is_driven = shard.seat().is_driven();
                if is_driven {
                    park(shard, me);
                }
                shard.step_out(place);
                if is_driven {
                    return;
                }
            }
        }
    }
}

/// Sleeps until `me` is roused, while somebody else drives.
fn park(shard: &Shard, me: &Rouser) {
    shard.falls_asleep();
    me.parker.park();
    shard.is_up();
}
