//! The parker: how a thread parks and is unparked, exactly once for any number of calls. The
//! [module above](super) has its states and transitions.

use std::time::Duration;

use crate::sync::{AtomicU8, Condvar, Mutex, Ordering};

/// The owner is awake, and there is no notification.
const EMPTY: u8 = 0;
/// There is a notification, which the owner has not consumed yet.
const NOTIFIED: u8 = 1;
/// The owner waits on the condition variable, or holds the lock and is about to.
const PARKED_CONDVAR: u8 = 2;
/// The owner waits in its poller, or is about to.
const PARKED_POLLER: u8 = 3;

/// What the caller of [`Parker::unpark`] has left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum UnparkAction {
    /// Nothing: the owner is awake, was unparked already, or is unparked by the condition variable.
    None,
    /// Notify the poller that the owner is parked in.
    NotifyPoller,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Parker {
    state: AtomicU8,
    /// Held while the state goes to [`PARKED_CONDVAR`] and while it is signalled.
    lock: Mutex<()>,
    signal: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Parker {
        Parker { state: AtomicU8::new(EMPTY), lock: Mutex::new(()), signal: Condvar::new() }
    }

    /// Notifies the owner. For any thread, any number of times.
    pub(crate) fn unpark(&self) -> UnparkAction {
        // Ordering: Release, so that what the caller did before is seen by the owner when it
        // consumes the notification (the Acquire in `consume` and `leave_poller`). A second
        // call over a first continues the first one's release sequence, so the owner sees what
        // came before either. Nothing is read through the old value, so no Acquire.
        match self.state.swap(NOTIFIED, Ordering::Release) {
            PARKED_CONDVAR => {
                // The owner holds the lock from before it sets `PARKED_CONDVAR` until it waits.
                // Once the lock was had, it waits, and the signal cannot come too soon.
                drop(self.lock.lock());
                self.signal.notify_one();
                UnparkAction::None
            }
            PARKED_POLLER => UnparkAction::NotifyPoller,
            _ => UnparkAction::None,
        }
    }

    /// Consumes a notification, if there is one. Owner only, awake.
    pub(crate) fn take(&self) -> bool {
        // Ordering: Relaxed; the swap in `unpark` is acquired by `consume`. This only saves the
        // write; a notification that it misses is found by `enter_poller` or `park` before the
        // owner sleeps.
        self.state.load(Ordering::Relaxed) == NOTIFIED && self.consume()
    }

    /// Notes that the owner parks in its poller, unless there is a notification: that is then
    /// consumed, and `false` returned. Owner only, awake.
    pub(crate) fn enter_poller(&self) -> bool {
        // Ordering: Relaxed on success; the partner is the swap in `unpark`. The owner publishes
        // nothing by it, and an `unpark` that finds `PARKED_POLLER` only notifies the poller, whose
        // notification stays until it is found. That the two meet needs no fence: both change
        // the same word. Relaxed on failure: `consume` acquires.
        self.state
            .compare_exchange(EMPTY, PARKED_POLLER, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
            || !self.consume()
    }

    /// Notes that the owner is out of its poller. Returns `true` if it was notified meanwhile, and
    /// consumes that. Owner only, after [`enter_poller`](Parker::enter_poller) returned `true`.
    pub(crate) fn leave_poller(&self) -> bool {
        // Ordering: Acquire, with the Release in `unpark`.
        self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Parks until there is a notification, and consumes it. Owner only, awake.
    pub(crate) fn park(&self) {
        let mut guard = self.lock.lock();
        if !self.begin_park() {
            return;
        }
        while !self.consume() {
            guard = self.signal.wait(guard);
        }
    }

    /// Parks until there is a notification, for `limit` at most. Returns `true` if there was one,
    /// which is then consumed. Owner only, awake.
    pub(crate) fn park_for(&self, limit: Duration) -> bool {
        let guard = self.lock.lock();
        if !self.begin_park() {
            return true;
        }
        let _guard = self.signal.wait_for(guard, limit);
        // A spurious signal ends the wait early, which its only caller, the fallback, takes
        // for the limit. Ordering: Acquire, with the Release in `unpark`.
        self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Sets [`PARKED_CONDVAR`], or consumes the notification that is there. Needs the lock.
    fn begin_park(&self) -> bool {
        // Ordering: Relaxed, as in `enter_poller`; an `unpark` that finds `PARKED_CONDVAR` takes
        // the lock before it signals, which makes the signal wait.
        self.state
            .compare_exchange(EMPTY, PARKED_CONDVAR, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
            || !self.consume()
    }

    /// [`NOTIFIED`] → [`EMPTY`].
    fn consume(&self) -> bool {
        // Ordering: Acquire, with the Release in `unpark`. Relaxed on failure: there is nothing to
        // see.
        self.state.compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}
