//! The task of this thread whose interval gave way last: its other intervals do so as well.
//!
//! An interval that yielded [`BURST`](super::period::BURST) ticks in a row is pending until its
//! entry has fired. That alone does not make its task pending: a task that takes whichever of two
//! intervals is ready would find the second one ready meanwhile, and then, since another thread may
//! drive the entry, the first one again, for ever. So from the moment that one interval of a task
//! gives way, the others do too, until one of those that were polled since has fired.
//!
//! A task is told by the address in its waker. Intervals that one task polls with several wakers
//! count as several tasks'.

use std::cell::Cell;
use std::task::Waker;

/// How many times an interval of this thread gave way of its own, modulo [`Epoch::COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u8);

impl Epoch {
    /// How many epochs there are, before they start anew.
    pub(super) const COUNT: u64 = 64;

    /// Returns the epoch of this number, modulo [`Epoch::COUNT`].
    pub(super) fn new(number: u64) -> Epoch {
        Epoch((number % Self::COUNT) as u8)
    }

    pub(super) fn number(self) -> u64 {
        self.0.into()
    }
}

thread_local! {
    static LATEST: Cell<(Epoch, Option<*const ()>)> = const { Cell::new((Epoch(0), None)) };
}

/// An interval of this task gives way, for its own ticks. Returns the epoch that begins.
pub(super) fn begin(waker: &Waker) -> Epoch {
    let (epoch, _) = LATEST.get();
    let epoch = Epoch::new(epoch.number() + 1);
    LATEST.set((epoch, Some(waker.data())));
    epoch
}

/// Returns the epoch, if the task's intervals have to give way.
pub(super) fn current(waker: &Waker) -> Option<Epoch> {
    let (epoch, task) = LATEST.get();
    (task == Some(waker.data())).then_some(epoch)
}

/// An interval that gave way in this epoch no longer does.
pub(super) fn end(epoch: Epoch) {
    if LATEST.get().0 == epoch {
        LATEST.set((epoch, None));
    }
}
