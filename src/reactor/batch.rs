//! What one round at a poller collects, and what becomes of it.

use std::task::Waker;
#[cfg(feature = "tracing")]
use std::time::Duration;

use super::Shard;
use super::prefetch::{AHEAD, prefetch};
use super::timers::Fired;
#[cfg(feature = "tracing")]
use super::timers::{Cause, Late};
use crate::sync::catch_panic;
use crate::sys::Events;

/// The most wakers that a buffer keeps room for. A round may have any number of them.
const KEPT: usize = 1024;

/// The buffers of whoever drives a shard. Filled while the seat is held; emptied, by
/// [`Batch::wake`], after it was released.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(super) events: Events,
    /// Those who waited for I/O.
    pub(super) wakers: Vec<Waker>,
    /// Timers that fired.
    pub(super) fired: Vec<Fired>,
    /// Whether the wheel may have more that are due.
    pub(super) more: bool,
    /// What is to be reported of timers that fired too late.
    #[cfg(feature = "tracing")]
    pub(super) late: Option<Late>,
}

/// What a round was like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// Whether the driver slept in the poller.
    pub(crate) slept: bool,
    pub(crate) has_events: bool,
    pub(crate) has_fired: bool,
    /// Whether the poller was notified.
    pub(crate) was_notified: bool,
    /// Wakers that it has collected.
    pub(crate) wakes: usize,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        Batch {
            events: Events::new(),
            wakers: Vec::new(),
            fired: Vec::new(),
            more: false,
            #[cfg(feature = "tracing")]
            late: None,
        }
    }

    /// Returns `true` if there is nobody to wake and nothing left that is due.
    pub(crate) fn is_idle(&self) -> bool {
        self.wakers.is_empty() && self.fired.is_empty() && !self.more
    }

    /// Returns `true` if the wheel may have more that are due.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    /// Returns `true` if the round left nothing in the poller, which is armed as before then: see
    /// [`Polls::arm_poller`](crate::sys::Polls::arm_poller).
    pub(crate) fn took_all(&self) -> bool {
        self.events.took_all()
    }

    /// Returns what a round has collected: events, and timers that fired.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.events.iter().count(), self.fired.len())
    }

    /// Wakes everybody that was collected. This runs user code, so that the caller holds no
    /// lock and no seat. A waker that panics keeps nobody else from being woken.
    ///
    /// In the child of a waker that forks it ends there: all that is left is the parent's.
    pub(crate) fn wake(&mut self, shard: &Shard) {
        #[cfg(feature = "tracing")]
        catch_panic(|| self.trace(shard));
        for waker in self.wakers.drain(..) {
            catch_panic(|| waker.wake());
            if shard.is_from_parent() {
                return;
            }
        }
        self.wakers.shrink_to(KEPT);
        let mut again = Vec::new();
        while !self.fired.is_empty() {
            for (index, fired) in self.fired.iter().enumerate() {
                if let Some(later) = self.fired.get(index + AHEAD) {
                    prefetch(&later.waker);
                }
                catch_panic(|| fired.waker.wake_by_ref());
                if shard.is_from_parent() {
                    return;
                }
            }
            shard.put_back(&mut self.fired, &mut again);
            for spare in self.fired.drain(..) {
                catch_panic(|| drop(spare));
            }
            std::mem::swap(&mut self.fired, &mut again);
        }
    }

    #[cfg(feature = "tracing")]
    fn trace(&mut self, shard: &Shard) {
        if !self.wakers.is_empty() || !self.fired.is_empty() {
            let (io, timers) = (self.wakers.len(), self.fired.len());
            tracing::trace!(shard = shard.index(), io, timers, "waking tasks");
        }
        if let Some(Late { nanos, cause }) = self.late.take() {
            let late = Duration::from_nanos(nanos);
            let (shard, timers) = (shard.index(), self.fired.len());
            let (delayed_by, time) = match cause {
                Cause::System => ("the system woke the thread late", late),
                Cause::Budget => ("the budget of a round was used up", late),
                Cause::UserCode(nanos) => ("nobody drove", Duration::from_nanos(nanos)),
            };
            tracing::warn!(shard, timers, ?late, delayed_by, ?time, "timers fired late");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::reactor::Settings;
    use std::panic::resume_unwind;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::handoff::Unparker;
    use crate::reactor::timers::{Slack, Timers};
    use crate::sys::{Poller, Polls};

    /// A crowd that waited for one source must not cost memory ever after.
    #[test]
    fn buffer_of_a_crowd_is_given_back() {
        let poller = crate::sync::share(<crate::sys::Poller as crate::sys::Polls>::new().unwrap());
        let unparker = crate::sync::share(crate::handoff::Unparker::new(poller.clone()));
        let shard = Shard::new(0, poller, unparker, &Settings::default());
        let mut batch = Batch::new();
        batch.wakers.extend((0..100_000).map(|_| Waker::noop().clone()));
        batch.wake(&shard);
        assert!(batch.wakers.is_empty() && batch.wakers.capacity() <= 2 * KEPT);
    }

    #[test]
    fn batch_is_idle_only_without_wakers_and_timers() {
        let mut batch = Batch::new();
        assert!(batch.is_idle() && !batch.has_more());
        batch.more = true;
        assert!(!batch.is_idle() && batch.has_more());
        batch.more = false;
        batch.wakers.push(Waker::noop().clone());
        assert!(!batch.is_idle());
        batch.wakers.clear();
        let mut timers = Timers::new(&Settings::default());
        let _ = timers.insert(0, Slack::UNSET, Waker::noop().clone());
        batch.more = timers.fire(1, &mut batch.fired);
        assert!(!batch.is_idle() && !batch.has_more());
    }

    /// A waker that counts and panics when it is woken or dropped.
    struct Panics {
        woken: Arc<AtomicUsize>,
        at_wake: bool,
    }

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            // Ordering: Relaxed: a count, on one thread.
            self.woken.fetch_add(1, Ordering::Relaxed);
            if self.at_wake {
                resume_unwind(Box::new("woken"));
            }
        }
    }

    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                resume_unwind(Box::new("dropped"));
            }
        }
    }

    /// The timers are gone when their wakers come back, so that the batch drops the wakers.
    #[test]
    fn panic_in_dropped_waker_does_not_end_batch() {
        let poller = || crate::sync::share(Poller::new().unwrap());
        let fallback = crate::sync::share(Unparker::new(poller()));
        let shard = Shard::new(0, poller(), fallback, &Settings::default());
        let woken = Arc::new(AtomicUsize::new(0));
        let mut batch = Batch::new();
        let waker = |at_wake| Waker::from(Arc::new(Panics { woken: woken.clone(), at_wake }));
        for at_wake in [false, true, false] {
            let key = shard.insert_timer(0, Slack::UNSET, waker(at_wake));
            let _ = shard.with_timers(|timers| timers.fire(u64::MAX - 1, &mut batch.fired));
            shard.remove_timer(key);
            batch.wakers.push(waker(at_wake));
        }
        batch.wake(&shard);
        // Ordering: Relaxed: a count, on one thread.
        assert_eq!(woken.load(Ordering::Relaxed), 6);
        assert!(batch.is_idle());
    }
}
