//! The parker: how a thread goes to sleep and is woken, exactly once for any number of wakes.
//!
//! One word. Only the owner moves it away from *empty*, and only others, by [`Parker::wake`],
//! move it to *notified*.
//!
//! | state    | the owner                             | `wake` does                        |
//! |----------|---------------------------------------|------------------------------------|
//! | empty    | is awake                              | → notified                         |
//! | notified | is awake, or about to be              | stays                              |
//! | parked   | sleeps on the condition variable      | → notified, signals the variable   |
//! | polling  | is in a poller, or about to be        | → notified, the caller notifies    |
//! |          |                                       | that poller                        |
//!
//! | transition             | by       | when                                         |
//! |------------------------|----------|----------------------------------------------|
//! | empty → parked         | owner    | [`Parker::park`]                             |
//! | empty → polling        | owner    | [`Parker::enter_poller`]                     |
//! | polling → empty        | owner    | [`Parker::leave_poller`], nobody woke it     |
//! | notified → empty       | owner    | consumed: `take`, `park`, `leave_poller`     |
//! | parked → empty         | owner    | a wait with a limit ran out                  |
//! | any → notified         | others   | [`Parker::wake`]                             |
//!
//! What must hold: after a `wake`, the owner's next `take`, `enter_poller`, `leave_poller` or
//! `park` finds the notification, and sees everything that happened before the `wake`.

use std::time::Duration;

use crate::sync::{AtomicU8, Condvar, Mutex, Ordering};

const EMPTY: u8 = 0;
const NOTIFIED: u8 = 1;
const PARKED: u8 = 2;
const POLLING: u8 = 3;

/// What the caller of [`Parker::wake`] has left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Roused {
    /// Nothing: the owner is awake, or another wake or the condition variable gets it up.
    Done,
    /// The owner is in its poller: notify that.
    InPoller,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Parker {
    state: AtomicU8,
    /// Held while the state goes to *parked* and while it is signalled.
    lock: Mutex<()>,
    signal: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Parker {
        Parker { state: AtomicU8::new(EMPTY), lock: Mutex::new(()), signal: Condvar::new() }
    }

    /// Notifies the owner. May be called by any thread, any number of times.
    pub(crate) fn wake(&self) -> Roused {
        // Ordering: Release, so that what the caller did before is seen by the owner when it
        // consumes the notification (the Acquire in `consume` and `leave_poller`). A second
        // wake over a first continues the first one's release sequence, so the owner sees what
        // came before either. Nothing is read through the old value, so no Acquire.
        match self.state.swap(NOTIFIED, Ordering::Release) {
            PARKED => {
                // The owner holds the lock from before it sets *parked* until it waits. Once
                // the lock was had, it waits, and the signal cannot come too soon.
                drop(self.lock.lock());
                self.signal.notify_one();
                Roused::Done
            }
            POLLING => Roused::InPoller,
            _ => Roused::Done,
        }
    }

    /// Consumes a notification, if there is one. Owner only, awake.
    pub(crate) fn take(&self) -> bool {
        // Ordering: Relaxed; the swap in `wake` is acquired by `consume`. This only saves the
        // write; a notification that it misses is found by `enter_poller` or `park` before the
        // owner sleeps.
        self.state.load(Ordering::Relaxed) == NOTIFIED && self.consume()
    }

    /// Says that the owner goes into its poller, unless there is a notification: that is then
    /// consumed, and the answer is `false`. Owner only, awake.
    pub(crate) fn enter_poller(&self) -> bool {
        // Ordering: Relaxed on success; the partner is the swap in `wake`. The owner publishes
        // nothing by it, and a `wake` that finds *polling* only notifies the poller, whose
        // notification stays until it is found. That the two meet needs no fence: both change
        // the same word. Relaxed on failure: `consume` acquires.
        self.state.compare_exchange(EMPTY, POLLING, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            || !self.consume()
    }

    /// Says that the owner is out of its poller; whether it was notified meanwhile. Consumes
    /// the notification. Owner only, after [`enter_poller`](Parker::enter_poller) said `true`.
    pub(crate) fn leave_poller(&self) -> bool {
        // Ordering: Acquire, with the Release in `wake`.
        self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Sleeps until there is a notification and consumes it. Owner only, awake.
    pub(crate) fn park(&self) {
        let mut guard = self.lock.lock();
        if !self.begin_park() {
            return;
        }
        while !self.consume() {
            guard = self.signal.wait(guard);
        }
    }

    /// Sleeps until there is a notification, for `limit` at most. Whether there was one, which
    /// is then consumed. Owner only, awake.
    pub(crate) fn park_for(&self, limit: Duration) -> bool {
        let guard = self.lock.lock();
        if !self.begin_park() {
            return true;
        }
        let _guard = self.signal.wait_for(guard, limit);
        // A spurious signal ends the sleep early, which its only caller, the fallback, takes
        // for the limit. Ordering: Acquire, with the Release in `wake`.
        self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Sets *parked*, or consumes the notification that is there. Needs the lock.
    fn begin_park(&self) -> bool {
        // Ordering: Relaxed, as in `enter_poller`; a `wake` that finds *parked* takes the lock
        // before it signals, which makes the signal wait.
        self.state.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            || !self.consume()
    }

    /// Notified → empty.
    fn consume(&self) -> bool {
        // Ordering: Acquire, with the Release in `wake`. Relaxed on failure: nothing was told.
        self.state.compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}
