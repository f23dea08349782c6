//! How a source gets to another place: see [`placement`](super::placement) for when.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use super::{Interest, Place, Source, State, stale};
use crate::reactor::Shard;
use crate::sync::Ref;

impl Source {
    /// It was registered, and nobody has waited for it yet.
    pub(in crate::reactor) fn settle(&self, place: Place) {
        self.expect_reports_of(&place.shard);
        let _ = self.state.lock().placement.settle(Some(place));
    }

    /// Ends its being registered, as far as this source goes. Returns where it was.
    pub(in crate::reactor) fn leave_place(&self) -> Option<Place> {
        self.state.lock().placement.settle(None)
    }

    /// Returns `true` if it may be registered elsewhere than it is.
    pub(super) fn can_be_moved(&self, state: &State) -> bool {
        state.placement.place.is_none() || self.registration.can_move()
    }

    /// Ensures that an event comes if the source is ready or becomes so, in another place than so far. That goes into `reserved`, to be forgotten
    /// by its shard. The wakers of a source that turns out to be stale go to `wakers`.
    pub(super) fn move_to(
        &self,
        state: &mut State,
        reserved: &mut Reserved,
        interest: Interest,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<()> {
        let new = reserved.place.clone();
        let shard = new.shard.clone();
        let [read, write] = &state.directions;
        let mut armed = [read.armed, write.armed];
        armed[interest as usize] = true;
        let added = self.registration.add(shard.poller(), new.key, armed);
        let deleted = match (&added, &state.placement.place) {
            (Ok(()), Some(old)) => self.registration.delete(old.shard.poller()),
            _ => Ok(()),
        };
        match (added, deleted) {
            (Ok(()), Ok(())) => {
                self.expect_reports_of(&shard);
                reserved.keep(state.placement.settle(Some(new)));
                for (direction, armed) in state.directions.iter_mut().zip(armed) {
                    direction.armed = armed;
                    direction.edge_guaranteed = armed;
                }
                state.directions[interest as usize].unclaimed = 0;
                Ok(())
            }
            // Its number is another file's, or nobody's.
            (Ok(()), Err(_)) => {
                let _ = self.registration.delete(shard.poller());
                reserved.left = self.become_stale(state, wakers);
                Err(stale())
            }
            (Err(error), _) => {
                state.placement.stay();
                if state.placement.place.is_none() { Err(error) } else { self.arm(state, interest) }
            }
        }
    }
}

/// A place that a shard has given a source that is about to move there. If it does not, the shard
/// gives it to nobody; if it does, the shard that it has left does so with the one there.
pub(super) struct Reserved {
    place: Place,
    is_taken: bool,
    /// Where it was before.
    left: Option<Place>,
}

impl Reserved {
    pub(super) fn new(source: &Arc<Source>, shard: Ref<Shard>) -> Reserved {
        Reserved { place: Shard::place(&shard, source), is_taken: false, left: None }
    }

    pub(super) fn shard(&self) -> &Shard {
        &self.place.shard
    }

    /// The source has moved.
    fn keep(&mut self, left: Option<Place>) {
        self.is_taken = true;
        self.left = left;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(left) = &self.left {
            left.shard.forget(left.key);
        }
        if !self.is_taken {
            self.place.shard.forget(self.place.key);
        } else if self.left.is_some() {
            self.place.shard.note_migration();
        }
    }
}
