//! What one round at a poller collects, and what becomes of it.

use std::task::Waker;

use super::Shard;
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
    pub(crate) fn wake(&mut self, shard: &Shard) {
        #[cfg(feature = "tracing")]
        if !self.wakers.is_empty() || !self.fired.is_empty() {
            let (io, timers) = (self.wakers.len(), self.fired.len());
            tracing::trace!(shard = shard.index(), io, timers, "waking tasks");
        }
        for waker in self.wakers.drain(..) {
            contain(|| waker.wake());
        }
        let mut again = Vec::new();
        while !self.fired.is_empty() {
            for fired in &self.fired {
                contain(|| fired.waker.wake_by_ref());
            }
            shard.timers().put_back(&mut self.fired, &mut again);
            for spare in self.fired.drain(..) {
                contain(|| drop(spare));
            }
            std::mem::swap(&mut self.fired, &mut again);
        }
    }
}
