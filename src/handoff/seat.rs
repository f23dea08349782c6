//! The seat of a shard: who drives it, and who must be told when nobody does any more.
//!
//! One word of bits. Whoever sets *taken* alone may wait in the shard's poller, change its
//! timeout and hand out its timers, until it leaves.
//!
//! | bit       | meaning                                                                  |
//! |-----------|--------------------------------------------------------------------------|
//! | *taken*   | somebody sits here                                                       |
//! | *watched* | the fallback sleeps and counts on the seat as it is                      |
//! | *lent*    | with *taken*: it is the fallback that sits, and it gets up when asked    |
//! | *asked*   | with *lent*: a `block_on` thread has asked, and waits to be woken        |
//!
//! | state             | who notices the shard's next event or deadline                      |
//! |-------------------|---------------------------------------------------------------------|
//! | vacant            | the fallback, which is awake or sleeps for a bounded time           |
//! | vacant, watched   | the fallback, asleep: the shard's poller is armed in its own, and   |
//! |                   | its sleep ends at the shard's deadline                              |
//! | taken             | the holder; when it leaves, the fallback as for *vacant*            |
//! | taken, watched    | the holder; when it leaves, it tells the fallback                   |
//! | taken, lent       | the fallback, in a round or (where pollers cannot be nested) asleep |
//! |                   | in the shard's poller                                               |
//!
//! A `block_on` thread that finds its seat lent asks for it before it sleeps. Otherwise it
//! would be asleep because of a round that is over in a moment, and the fallback would have
//! the shard from then on: two threads woken for each event instead of one.
//!
//! Taking a vacant seat keeps *watched*: the fallback sleeps on, and whoever took the seat
//! tells it on leaving. Leaving clears everything. So a leave is free unless *watched*, and
//! whatever the fallback counted on when it went to sleep, it hears of the end of it.

use crate::sync::{AtomicU8, Ordering};

const TAKEN: u8 = 1;
const WATCHED: u8 = 2;
const LENT: u8 = 4;
const ASKED: u8 = 8;

/// How an attempt to take a seat ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Took {
    /// The seat is the caller's.
    Seat,
    /// Somebody else has it.
    Nothing,
    /// The fallback sits in it and would leave if asked.
    AskFallback,
}

/// What the one who left a seat has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Left {
    /// Tell the fallback.
    pub(crate) watched: bool,
    /// Wake those who asked for the seat.
    pub(crate) asked: bool,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Seat(AtomicU8);

impl Seat {
    pub(crate) fn new() -> Seat {
        Seat(AtomicU8::new(0))
    }

    /// Takes the seat if it is vacant. For `block_on` threads.
    pub(crate) fn try_take(&self) -> Took {
        match self.take_as(TAKEN) {
            Ok(()) => Took::Seat,
            Err(state) if state & LENT == 0 => Took::Nothing,
            Err(_) => Took::AskFallback,
        }
    }

    /// Takes the seat if it is vacant, to leave it when asked. For the fallback.
    pub(crate) fn try_take_lent(&self) -> bool {
        self.take_as(TAKEN | LENT).is_ok()
    }

    fn take_as(&self, bits: u8) -> Result<(), u8> {
        // Ordering: Acquire, with the Release in `leave` and `leave_watched`: the last
        // holder's view of the poller is ours. Relaxed before that: the exchange checks it.
        let mut state = self.0.load(Ordering::Relaxed);
        while state & TAKEN == 0 {
            match self.0.compare_exchange_weak(
                state,
                state | bits,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
        Err(state)
    }

    /// Leaves the seat. Holder only.
    pub(crate) fn leave(&self) -> Left {
        // Ordering: Release, with the Acquire in `take_as`: the next holder sees what this one
        // did with the poller. Nothing is read through the bits, so no Acquire: a fallback that
        // set *watched* is told through its parker, and those who asked through their list.
        let state = self.0.swap(0, Ordering::Release);
        Left { watched: state & WATCHED != 0, asked: state & ASKED != 0 }
    }

    /// Leaves the seat vacant and watched: from now on whoever takes it tells the fallback on
    /// leaving. Holder only, and only the fallback. Whether somebody had asked for the seat.
    #[must_use]
    pub(crate) fn leave_watched(&self) -> bool {
        // Ordering: Release, with the Acquire in `take_as`, as in `leave`. A swap, since those
        // who find the seat lent may set *asked* until this.
        self.0.swap(WATCHED, Ordering::Release) & ASKED != 0
    }

    /// Marks a taken seat watched. `false`, and nothing done, if it is vacant. Fallback only.
    pub(crate) fn watch(&self) -> bool {
        // Ordering: Relaxed. That the holder tells rests on this one word's order of changes:
        // its leave comes before this, which then finds the seat vacant, or after, and sees
        // the bit. The fallback reads nothing of the holder's.
        let mut state = self.0.load(Ordering::Relaxed);
        while state & TAKEN != 0 {
            match self.0.compare_exchange_weak(
                state,
                state | WATCHED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Whether the seat is vacant and still as [`leave_watched`](Seat::leave_watched) left it.
    pub(crate) fn is_vacant_and_watched(&self) -> bool {
        // Ordering: Relaxed; the partner is the swap in `leave_watched`, the caller's own. If the
        // seat changed hands since, whoever took it tells the fallback in `leave`.
        self.0.load(Ordering::Relaxed) == WATCHED
    }

    /// Whether somebody has asked for the seat.
    pub(crate) fn is_asked(&self) -> bool {
        // Ordering: Relaxed: advice. Whoever asks after this look is found by the leave.
        self.0.load(Ordering::Relaxed) & ASKED != 0
    }

    /// Asks the fallback for the seat. Whether it is to be told; if not, it has left already,
    /// and [`try_take`](Seat::try_take) is worth another try.
    pub(crate) fn ask(&self) -> bool {
        // Ordering: Relaxed. The asker put itself on the list of those to be woken before,
        // under that list's lock, and the fallback takes the lock after it has left the seat:
        // this one word's order of changes says whether it saw the bit then.
        let mut state = self.0.load(Ordering::Relaxed);
        while state & LENT != 0 {
            match self.0.compare_exchange_weak(
                state,
                state | ASKED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Whether a `block_on` thread sits here. For those who are about to sleep because of it, or
    /// to wake somebody if there is none.
    pub(crate) fn is_driven(&self) -> bool {
        // Ordering: Relaxed. Both put themselves on the list of those who are parked, or look at
        // it, under its lock before or after this, which orders their looks at this one word:
        // see `Shard::line_up` and `Shard::hand_over`.
        self.0.load(Ordering::Relaxed) & (TAKEN | LENT) == TAKEN
    }

    /// Whether the fallback sits here. For the fallback.
    pub(crate) fn is_lent(&self) -> bool {
        // Ordering: Relaxed: nobody else sets or clears it.
        self.0.load(Ordering::Relaxed) & LENT != 0
    }

    /// The bits in words, for reports.
    pub(crate) fn describe(&self) -> (bool, bool) {
        // Ordering: Relaxed: a look from outside, out of date when it is read.
        let state = self.0.load(Ordering::Relaxed);
        (state & TAKEN != 0, state & WATCHED != 0)
    }
}
