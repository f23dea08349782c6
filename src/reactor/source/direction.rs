//! What is known of one direction of a source, and who waits for it.

use std::task::Waker;

use super::waiters::Waiters;

/// How many events in a row may come that nobody waits for before a direction's interest is
/// withdrawn. One such event is normal (it comes while the task is still busy with the last);
/// a source that nobody reads must not wake a thread for each packet.
pub(super) const UNCLAIMED: u8 = 8;

/// A direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read = 0,
    Write = 1,
}

/// The waker that another one took the place of: woken or dropped outside the lock.
pub(super) enum Replaced {
    Nothing,
    /// That of another task, which is woken.
    Task(Waker),
    /// An earlier one of the same waiter.
    Waiter(Waker),
}

#[derive(Debug, Default)]
pub(super) struct Direction {
    /// The task of the poll methods.
    pub(super) waker: Option<Waker>,
    /// The tick when that task got `Pending`, until it gets `Ready`.
    pub(super) since: Option<usize>,
    /// The futures that wait.
    pub(super) waiters: Waiters,
    /// Whether interest in this direction is registered.
    pub(super) armed: bool,
    /// See the documentation of [`source`](super).
    pub(super) edge_guaranteed: bool,
    /// Events in a row that nobody waited for.
    pub(super) unclaimed: u8,
}

impl Direction {
    pub(super) fn is_waited_for(&self) -> bool {
        self.waker.is_some() || !self.waiters.is_empty()
    }

    /// An event: moves all wakers to `wakers`.
    #[inline]
    pub(super) fn claim(&mut self, wakers: &mut Vec<Waker>) {
        let before = wakers.len();
        wakers.extend(self.waker.take());
        self.waiters.take_all(wakers);
        self.edge_guaranteed = false;
        self.unclaimed = if wakers.len() > before { 0 } else { self.unclaimed.saturating_add(1) };
    }
}
