//! How a source gets to another place: see [`placement`](super::placement) for when.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use super::{Interest, Place, Source, State, stale};
use crate::reactor::Shard;
use crate::sync::{MutexGuard, Ref, catch_panic};

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

    /// Registers the source with a shard, or has it move there, for a wait that is about to begin.
    /// Returns the state, and what its shards are to forget when that is not locked any more.
    ///
    /// # Errors
    ///
    /// If the source is not registered anywhere, and the poller refuses it; or if it turns out to
    /// be stale.
    #[cold]
    #[inline(never)]
    pub(super) fn move_there(
        self: &Arc<Self>,
        shard: Ref<Shard>,
        interest: Interest,
    ) -> io::Result<(MutexGuard<'_, State>, Option<Reserved>)> {
        // A shard's lock is taken before a source's.
        let mut reserved = Reserved::new(self, shard);
        let mut wakers = Vec::new();
        let mut state = self.state.lock();
        self.begin(interest)?;
        // Unless another thread was quicker.
        if state.placement.belongs_in(&reserved.place.shard) {
            let moved = self.move_to(&mut state, &mut reserved, interest, &mut wakers);
            if let Err(error) = moved {
                drop(state);
                drop(reserved);
                wakers.into_iter().for_each(|waker| catch_panic(|| waker.wake()));
                return Err(error);
            }
        }
        Ok((state, Some(reserved)))
    }

    /// The wakers of a source that turns out to be stale go to `wakers`.
    fn move_to(
        &self,
        state: &mut State,
        reserved: &mut Reserved,
        interest: Interest,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<()> {
        let new = reserved.place.clone();
        let [read, write] = &state.directions;
        let mut armed = [read.armed, write.armed];
        armed[interest as usize] = true;
        if let Err(error) = self.registration.add(new.shard.poller(), new.key, armed) {
            if state.placement.place.is_none() {
                return Err(error);
            }
            // It stays. Whether it can be waited for at all, the old poller says once more.
            state.placement.stay();
            state.directions[interest as usize].edge_guaranteed = false;
            return Ok(());
        }
        if let Some(old) = &state.placement.place {
            if self.registration.delete(old.shard.poller()).is_err() {
                // Its number is another file's, or nobody's.
                let _ = self.registration.delete(new.shard.poller());
                reserved.left = self.become_stale(state, wakers);
                return Err(stale());
            }
        }
        self.expect_reports_of(&new.shard);
        for (direction, armed) in state.directions.iter_mut().zip(armed) {
            direction.armed = armed;
            direction.edge_guaranteed = armed;
        }
        reserved.is_taken = true;
        reserved.left = state.placement.settle(Some(new));
        Ok(())
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
    fn new(source: &Arc<Source>, shard: Ref<Shard>) -> Reserved {
        Reserved { place: Shard::place(&shard, source), is_taken: false, left: None }
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
