//! What one round at a poller collects, and what becomes of it.

use std::task::Waker;

use super::Shard;
use super::prefetch::{AHEAD, prefetch};
use super::timers::Fired;
use crate::sync::contain;
use crate::sys::Events;

/// The buffers of whoever drives a shard. Filled while the seat is held; emptied, by
/// [`Round::wake`], after it was left.
#[derive(Debug)]
pub(crate) struct Round {
    pub(super) events: Events,
    /// Those who waited for I/O.
    pub(super) wakers: Vec<Waker>,
    /// Timers that went off.
    pub(super) fired: Vec<Fired>,
    /// Whether the wheel may have more that are due.
    pub(super) more: bool,
}

impl Round {
    pub(crate) fn new() -> Round {
        Round { events: Events::new(), wakers: Vec::new(), fired: Vec::new(), more: false }
    }

    /// Whether there is nobody to wake and nothing left that is due.
    pub(crate) fn is_idle(&self) -> bool {
        self.wakers.is_empty() && self.fired.is_empty() && !self.more
    }

    /// Whether the wheel may have more that are due.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    /// Wakes everybody that was collected. This runs user code, so that the caller holds no
    /// lock and no seat. A waker that panics keeps nobody else from being woken.
    ///
    /// In the child of a waker that forks it ends there: all that is left is the parent's.
    pub(crate) fn wake(&mut self, shard: &Shard) {
        #[cfg(feature = "tracing")]
        contain(|| self.trace(shard));
        for waker in self.wakers.drain(..) {
            contain(|| waker.wake());
            if shard.is_inherited() {
                return;
            }
        }
        let mut again = Vec::new();
        while !self.fired.is_empty() {
            for (index, fired) in self.fired.iter().enumerate() {
                if let Some(later) = self.fired.get(index + AHEAD) {
                    prefetch(&later.waker);
                }
                contain(|| fired.waker.wake_by_ref());
                if shard.is_inherited() {
                    return;
                }
            }
            shard.timers().put_back(&mut self.fired, &mut again);
            for spare in self.fired.drain(..) {
                contain(|| drop(spare));
            }
            std::mem::swap(&mut self.fired, &mut again);
        }
    }

    #[cfg(feature = "tracing")]
    fn trace(&self, shard: &Shard) {
        if !self.wakers.is_empty() || !self.fired.is_empty() {
            let (io, timers) = (self.wakers.len(), self.fired.len());
            tracing::trace!(shard = shard.index(), io, timers, "waking tasks");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::timers::Timers;

    #[test]
    fn a_round_is_idle_only_if_nobody_is_to_be_woken_and_nothing_is_due() {
        let mut round = Round::new();
        assert!(round.is_idle() && !round.has_more());
        round.more = true;
        assert!(!round.is_idle() && round.has_more());
        round.more = false;
        round.wakers.push(Waker::noop().clone());
        assert!(!round.is_idle());
        round.wakers.clear();
        let mut timers = Timers::new();
        let _ = timers.insert(0, Waker::noop().clone());
        round.more = timers.fire(1, &mut round.fired);
        assert!(!round.is_idle() && !round.has_more());
    }
}
