//! Where a source is registered, and when it moves to another shard.
//!
//! A source is best kept in the shard of the thread that its tasks run on: that thread drives the
//! shard, so that no event has to wake another one. Who makes a source does not tell which thread
//! that will be (one task accepts all connections of a server), who waits for it does:
//!
//! - What this crate has made, an accepted connection for instance, is registered by its first
//!   wait, in the shard of the thread that waits, together with its interest.
//! - What was registered before that, by [`Async::new`](crate::Async::new), moves at its first wait,
//!   if that is from another shard.
//! - From then on a source moves after [`MOVES_AFTER`] waits in a row from one other shard. Each poll
//!   that finds it pending counts. Some kinds do not move any more ([`Mobility`]).
//!
//! A move is made under the source's lock: it is added to the new shard's poller, with the interest
//! of all who wait, and then deleted from the old one's. The addition makes the new poller look at
//! the source, so that an event that the old one has reported in vain is reported again; an event
//! under way there finds that the source is not in its place any more, and is dropped. If the new
//! poller refuses it, the source stays where it is.

use crate::reactor::Shard;
use crate::sync::Ref;
use crate::sys::{Identity, Mobility};

/// After so many waits in a row from one other shard, a source moves there.
///
/// A move costs two or three system calls, and each event that another thread has to be woken for
/// about as much, so that a few are enough to pay for it. It has to be many more for the sake of
/// executors whose threads take each other's tasks: there the thread that polls a task is as good
/// as drawn by lot, and of two threads the same one comes up 16 times in a row once in 2^16 waits.
pub(super) const MOVES_AFTER: u8 = 16;

/// In the place of a shard's index: nobody has waited yet.
const NOBODY: usize = usize::MAX;

/// A shard and the key in its poller.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) shard: Ref<Shard>,
    pub(crate) key: usize,
}

impl Place {
    fn is_in(&self, shard: &Shard) -> bool {
        std::ptr::eq(&*self.shard, shard)
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "shard {}, key {}", self.shard.index(), self.key)
    }
}

#[derive(Debug)]
pub(super) struct Placement {
    /// `None` before its first wait, and for good once it is stale.
    pub(super) place: Option<Place>,
    /// What had its number when it was made.
    identity: Identity,
    /// The shard, by its index, that it was waited for from last.
    last: usize,
    /// How many waits in a row came from that one, if that is not its own.
    waits: u8,
}

impl Placement {
    /// Not registered yet. Which file its descriptor is for tells `identity`.
    pub(super) fn new(identity: Identity) -> Placement {
        Placement { place: None, identity, last: NOBODY, waits: 0 }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns `true` if this is where it is.
    pub(super) fn is_at(&self, index: usize, key: usize) -> bool {
        self.place.as_ref().is_some_and(|place| place.key == key && place.shard.index() == index)
    }

    /// Notes a wait from a shard. Returns `true` if the source is to be registered there.
    #[inline]
    pub(super) fn note_wait(&mut self, shard: &Shard, mobility: impl FnOnce() -> Mobility) -> bool {
        if self.place.as_ref().is_some_and(|place| place.is_in(shard)) {
            self.last = shard.index();
            self.waits = 0;
            return false;
        }
        self.note_wait_elsewhere(shard, mobility());
        self.belongs_in(shard)
    }

    #[cold]
    fn note_wait_elsewhere(&mut self, shard: &Shard, mobility: Mobility) {
        self.waits = match self.last {
            _ if self.place.is_none() => 0,
            // There no event ever comes.
            #[cfg(feature = "test-util")]
            _ if self.is_in_closed_shard() => MOVES_AFTER,
            _ if mobility == Mobility::Fixed => 0,
            NOBODY => MOVES_AFTER,
            // To a thread whose time is paused what happens elsewhere happens at no time. And nobody
            // else drives its shard, so that others would wait until it does.
            #[cfg(feature = "test-util")]
            _ if mobility == Mobility::Free
                && (shard.is_for_pauses() || self.is_in_shard_for_pauses()) =>
            {
                MOVES_AFTER
            }
            _ if mobility == Mobility::UntilWait => 0,
            last if last == shard.index() => self.waits.saturating_add(1),
            _ => 1,
        };
        self.last = shard.index();
    }

    /// Returns `true` if the source is to be registered with this shard, and is not yet.
    pub(super) fn belongs_in(&self, shard: &Shard) -> bool {
        match &self.place {
            None => true,
            Some(place) => {
                self.waits >= MOVES_AFTER && self.last == shard.index() && !place.is_in(shard)
            }
        }
    }

    /// It is there from now on, and was not waited for from elsewhere. Returns where it was.
    pub(super) fn settle(&mut self, place: Option<Place>) -> Option<Place> {
        self.waits = 0;
        std::mem::replace(&mut self.place, place)
    }

    /// It is registered nowhere from now on, until its next wait. What has its number says
    /// `identity`.
    #[cfg(feature = "test-util")]
    pub(super) fn leave(&mut self, identity: Identity) {
        *self = Placement::new(identity);
    }

    /// Returns `true` if nobody drives the shard where it is, since that was for a pause.
    #[cfg(feature = "test-util")]
    pub(super) fn is_in_closed_shard(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.shard.is_closed())
    }

    /// Returns `true` if it is in the shard of a pause.
    #[cfg(feature = "test-util")]
    fn is_in_shard_for_pauses(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.shard.is_for_pauses())
    }

    /// It stays where it is.
    pub(super) fn stay(&mut self) {
        self.waits = 0;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::handoff::Unparker;
    #[cfg(feature = "test-util")]
    use crate::reactor::Batch;
    use crate::reactor::Settings;
    use crate::sync;
    use crate::sys::{Poller, Polls};

    fn shard(index: usize) -> Ref<Shard> {
        let poller = sync::share(Poller::new().unwrap());
        let fallback = sync::share(Unparker::new(poller.clone()));
        sync::share(Shard::new(index, poller, fallback, &Settings::default()))
    }

    fn placed(shard: &Ref<Shard>) -> Placement {
        let mut placement = Placement::new(Identity::UNKNOWN);
        let _ = placement.settle(Some(Place { shard: shard.clone(), key: 0 }));
        placement
    }

    fn free() -> Mobility {
        Mobility::Free
    }

    #[test]
    fn first_wait_decides() {
        let (home, other) = (shard(0), shard(1));
        assert!(Placement::new(Identity::UNKNOWN).note_wait(&home, free));
        assert!(placed(&home).note_wait(&other, free));
        let mut placement = placed(&home);
        assert!(!placement.note_wait(&home, free));
        assert!(!placement.note_wait(&other, free));
    }

    #[test]
    fn only_waits_in_a_row_from_one_shard_move_it() {
        let [home, other, third] = [0, 1, 2].map(shard);
        let mut placement = placed(&home);
        let mut row = |shards: &[&Ref<Shard>], times: u8| {
            (0..times).any(|_| shards.iter().any(|shard| placement.note_wait(shard, free)))
        };
        assert!(!row(&[&home], 1));
        assert!(!row(&[&home, &other], 100));
        assert!(!row(&[&third, &other], 100));
        assert!(!row(&[&home], 1));
        assert!(!row(&[&other], MOVES_AFTER - 1));
        assert!(row(&[&other], 1));
        // It could not, and tries again after as many.
        placement.stay();
        let mut row = |times: u8| (0..times).any(|_| placement.note_wait(&other, free));
        assert!(!row(MOVES_AFTER - 1));
        assert!(row(1));
    }

    /// Hazard: a thread waits for a source where no event comes, though it is woken each time.
    #[test]
    #[cfg(feature = "test-util")]
    fn every_kind_leaves_a_closed_shard() {
        let (paused, other) = (Shard::for_pauses().unwrap(), shard(0));
        let kinds = [Mobility::Free, Mobility::UntilWait, Mobility::Fixed];
        let mut placements = kinds.map(|_| placed(&paused));
        for (placement, kind) in placements.iter_mut().zip(kinds) {
            assert!(!placement.note_wait(&paused, || kind));
            assert_eq!(placement.note_wait(&other, || kind), kind == Mobility::Free);
        }
        paused.close(&mut Batch::new());
        for (placement, kind) in placements.iter_mut().zip(kinds) {
            assert!(placement.note_wait(&other, || kind), "{kind:?}");
        }
    }

    #[test]
    fn some_kinds_stay_where_they_are() {
        let (home, other) = (shard(0), shard(1));
        let waits_elsewhere = |placement: &mut Placement, mobility| {
            (0..100).any(|_| placement.note_wait(&other, || mobility))
        };
        assert!(!waits_elsewhere(&mut placed(&home), Mobility::Fixed));
        assert!(waits_elsewhere(&mut placed(&home), Mobility::UntilWait));
        let mut placement = placed(&home);
        assert!(!placement.note_wait(&home, free));
        assert!(!waits_elsewhere(&mut placement, Mobility::UntilWait));
    }
}
