//! When an interval gave way, and whether it may go on.

use std::cell::Cell;

use crate::driver::TaskPoll;

// Overdue ticks that this thread's intervals have yielded, modulo `TICKS`.
thread_local! {
    static TICKED: Cell<u8> = const { Cell::new(0) };
}

/// After as many ticks the count starts anew. What an interval yields in a row is a multiple of it.
const TICKS: u64 = 64;

/// The moment at which an interval gave way: the poll of a `block_on` call, and the ticks of its
/// thread so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    poll: TaskPoll,
    ticks: u8,
}

impl Moment {
    /// How many there are.
    pub(super) const COUNT: u64 = TaskPoll::COUNT * TICKS;

    pub(super) fn from_number(number: u64) -> Moment {
        Moment { poll: TaskPoll::from_number(number / TICKS), ticks: (number % TICKS) as u8 }
    }

    pub(super) fn number(self) -> u64 {
        self.poll.number() * TICKS + u64::from(self.ticks)
    }

    /// Returns the moment that it is on this thread.
    pub(super) fn now() -> Moment {
        let ticks = TICKED.try_with(Cell::get).unwrap_or(0);
        Moment { poll: TaskPoll::current(), ticks }
    }

    /// Returns `true` if an interval whose entry has fired since may go on.
    ///
    /// It may once the poll of the `block_on` call is over. Until then another thread may drive the
    /// entry while the same task takes the ticks of another interval: it would find one of them ready
    /// each time, and come to no end. If nobody has yielded a tick since, it is not that task: then
    /// another executor runs inside of the call, and has polled it again.
    pub(super) fn is_over(self) -> bool {
        let Moment { poll, ticks } = Moment::now();
        self.poll.is_over() || self.poll == poll && self.ticks == ticks
    }
}

/// Notes that an interval of this thread yields an overdue tick.
pub(super) fn note_tick() {
    let next = |ticked: u8| (ticked + 1) % TICKS as u8;
    let _ = TICKED.try_with(|ticked| ticked.set(next(ticked.get())));
}
