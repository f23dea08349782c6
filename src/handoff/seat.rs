//! The seat: the driver lock of a shard. The [module above](super) has its states and
//! transitions.

use crate::sync::{AtomicU8, Ordering};

/// There is a driver.
const HELD: u8 = 1;
/// The fallback sleeps and counts on the seat as it is: a release unparks it. Set by the fallback
/// only, cleared by a release only.
const WATCHED: u8 = 2;
/// The driver is the fallback, which releases on request. Never without [`HELD`].
const PREEMPTIBLE: u8 = 4;
/// A `block_on` thread waits to be woken on release. Never without [`PREEMPTIBLE`].
const REQUESTED: u8 = 8;

/// Why a seat could not be acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// A `block_on` thread holds it.
    Held,
    /// The fallback holds it and would release it on request.
    Preemptible,
}

/// What is left to do after a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Released {
    /// Unpark the fallback.
    pub(crate) watched: bool,
    /// Wake those who requested the seat.
    pub(crate) requested: bool,
}

/// A seat as a report shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeatState {
    pub(crate) held: bool,
    pub(crate) watched: bool,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Seat(AtomicU8);

impl Seat {
    pub(crate) fn new() -> Seat {
        Seat(AtomicU8::new(0))
    }

    /// Acquires the seat if it is vacant. For `block_on` threads.
    pub(crate) fn try_acquire(&self) -> Result<(), Busy> {
        self.acquire_as(HELD)
            .map_err(|state| if state & PREEMPTIBLE == 0 { Busy::Held } else { Busy::Preemptible })
    }

    /// Acquires the seat if it is vacant, to release it on request. For the fallback.
    pub(crate) fn try_acquire_preemptible(&self) -> bool {
        self.acquire_as(HELD | PREEMPTIBLE).is_ok()
    }

    fn acquire_as(&self, bits: u8) -> Result<(), u8> {
        // Ordering: Acquire, with the Release in `release` and `release_watched`: the last
        // driver's view of the poller is this one's.
        self.set_if(bits, Ordering::Acquire, |state| state & HELD == 0)
    }

    /// Sets bits as long as the state allows it, and returns the state that does not.
    fn set_if(&self, bits: u8, success: Ordering, allows: impl Fn(u8) -> bool) -> Result<(), u8> {
        // Ordering: Relaxed for the look and for a failure: the exchange checks the state again,
        // and a caller that is refused reads nothing of the driver's.
        let mut state = self.0.load(Ordering::Relaxed);
        while allows(state) {
            let exchange =
                self.0.compare_exchange_weak(state, state | bits, success, Ordering::Relaxed);
            match exchange {
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
        Err(state)
    }

    /// Releases the seat. Driver only.
    pub(crate) fn release(&self) -> Released {
        // Ordering: Release, with the Acquire in `acquire_as`: the next driver sees what this one
        // did with the poller. Nothing is read through the bits, so no Acquire: a fallback that
        // set `WATCHED` learns of it by its parker, and those who requested by their list.
        let state = self.0.swap(0, Ordering::Release);
        Released { watched: state & WATCHED != 0, requested: state & REQUESTED != 0 }
    }

    /// Releases the seat and leaves it watched: from now on the release of whoever acquires it
    /// unparks the fallback. Driver only, and only the fallback. Returns `true` if the seat was
    /// requested.
    #[must_use]
    pub(crate) fn release_watched(&self) -> bool {
        // Ordering: Release, with the Acquire in `acquire_as`, as in `release`. A swap, since
        // those who find the seat preemptible may set `REQUESTED` until this.
        self.0.swap(WATCHED, Ordering::Release) & REQUESTED != 0
    }

    /// Marks a held seat watched. Returns `false`, with nothing done, if it is vacant. Fallback
    /// only.
    pub(crate) fn watch(&self) -> bool {
        // Ordering: Relaxed. That the driver unparks the fallback rests on this one word's order of
        // changes: its release comes before this, which then finds the seat vacant, or after, and
        // sees the bit. The fallback reads nothing of the driver's.
        self.set_if(WATCHED, Ordering::Relaxed, |state| state & HELD != 0).is_ok()
    }

    /// Requests the seat of the fallback. Returns `true` if its release will report it; if not, it
    /// was released already, and [`try_acquire`](Seat::try_acquire) is worth another try.
    pub(crate) fn request(&self) -> bool {
        // Ordering: Relaxed. The caller put itself on the list of those to be woken before, under
        // that list's lock, and the fallback takes the lock after it has released the seat: this
        // one word's order of changes says whether it saw the bit then.
        self.set_if(REQUESTED, Ordering::Relaxed, |state| state & PREEMPTIBLE != 0).is_ok()
    }

    /// Returns `true` if the seat is vacant and still as
    /// [`release_watched`](Seat::release_watched) left it.
    pub(crate) fn is_vacant_and_watched(&self) -> bool {
        // Ordering: Relaxed; the partner is the swap in `release_watched`, the caller's own. If the
        // seat changed hands since, whoever acquired it unparks the fallback on `release`.
        self.0.load(Ordering::Relaxed) == WATCHED
    }

    /// Returns `true` if the seat was requested.
    pub(crate) fn is_requested(&self) -> bool {
        // Ordering: Relaxed: advice. A request after this look is found by the release.
        self.0.load(Ordering::Relaxed) & REQUESTED != 0
    }

    /// Returns `true` if a `block_on` thread drives. For those who are about to park because of
    /// it, or to promote a follower if there is none.
    pub(crate) fn is_driven(&self) -> bool {
        // Ordering: Relaxed. Both enter or read the wait queue under its lock before or after this,
        // which orders their looks at this one word: see `Succession::enqueue` and
        // `Succession::promote`.
        self.0.load(Ordering::Relaxed) & (HELD | PREEMPTIBLE) == HELD
    }

    /// Returns the state, for reports.
    pub(crate) fn state(&self) -> SeatState {
        // Ordering: Relaxed: a look from outside, out of date when it is read.
        let state = self.0.load(Ordering::Relaxed);
        SeatState { held: state & HELD != 0, watched: state & WATCHED != 0 }
    }
}
