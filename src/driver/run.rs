//! The loop of a `block_on` call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::handoff::{Busy, Unparker};
use crate::reactor::{Batch, Shard};

/// Polls the future whenever `me` is unparked, and drives the shard in between, or parks while
/// somebody else drives it. The waker has to unpark `me`.
pub(crate) fn run<F: Future>(
    shard: &Shard,
    me: &Unparker,
    waker: &Waker,
    batch: &mut Batch,
    mut future: Pin<&mut F>,
) -> F::Output {
    let cx = &mut Context::from_waker(waker);
    let mut end = End { shard, has_waited: false };
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return output;
        }
        shard.assert_not_from_parent();
        end.has_waited = true;
        if me.parker.take() {
            // The future has more to do. I/O and timers get a round in between, so that one
            // that always has more to do starves nobody.
            shard.run_round_if_vacant(batch);
        } else {
            wait(shard, me, waker, batch);
        }
    }
}

/// The end of a call, by a panic too.
struct End<'a> {
    shard: &'a Shard,
    /// Whether it had to wait: then others may follow it, or it was promoted.
    has_waited: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if self.has_waited && !self.shard.is_from_parent() {
            self.shard.succession().promote();
        }
    }
}

/// Returns when `me` was unparked, driving the shard until then or parked.
fn wait(shard: &Shard, me: &Unparker, waker: &Waker, batch: &mut Batch) {
    let succession = shard.succession();
    loop {
        match shard.try_acquire() {
            Ok(driving) => {
                let notified = driving.park(&me.parker, batch);
                batch.wake(shard);
                shard.assert_not_from_parent();
                if notified || me.parker.take() {
                    return;
                }
            }
            Err(Busy::Preemptible) => {
                if succession.request(waker) {
                    return park(shard, me);
                }
            }
            Err(Busy::Held) => {
                // The driver, or the fallback after it, notices what this call waits for; or
                // this call is promoted.
                let key = succession.enqueue(waker);
                let is_driven = succession.is_driven();
                if is_driven {
                    park(shard, me);
                }
                succession.dequeue(key);
                if is_driven {
                    // Perhaps it was promoted, and its future begins to compute.
                    shard.pass_on();
                    return;
                }
            }
        }
    }
}

/// Parks until `me` is unparked, while somebody else drives.
fn park(shard: &Shard, me: &Unparker) {
    shard.succession().note_parked();
    me.parker.park();
    shard.succession().note_awake();
}
