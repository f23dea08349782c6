//! Sources whose numbers have a new owner: see [`source`](super#stale-sources).

use std::io;
use std::task::Waker;

use super::{Interest, Place, STALE, Source, State};
use crate::sync::Ordering;

impl Source {
    /// Makes this source stale if `register` registers its number for a successor, which is done
    /// under this source's lock: so that it either had its say about the number before, or never
    /// has again. `register` is told how to find out whether the number may still be this source's
    /// own. The wakers of all who wait go to `wakers`. `false`, and nothing is done, if it is not in
    /// this place any more.
    pub(in crate::reactor) fn succeed(
        &self,
        place: Option<&Place>,
        wakers: &mut Vec<Waker>,
        register: impl FnOnce(&dyn Fn() -> bool) -> io::Result<()>,
    ) -> io::Result<bool> {
        let mut state = self.state.lock();
        let stays = match place {
            Some(place) => state.placement.is_at(place.shard.index(), place.key),
            None => state.placement.place.is_none(),
        };
        if stays {
            register(&|| self.registration.is_still(state.placement.identity()))?;
            let _ = self.become_stale(&mut state, wakers);
        }
        Ok(stays)
    }

    /// The same, where the system has given the number to somebody else for certain. Returns
    /// where it was registered.
    pub(in crate::reactor) fn end(&self, wakers: &mut Vec<Waker>) -> Option<Place> {
        self.become_stale(&mut self.state.lock(), wakers)
    }

    pub(super) fn become_stale(&self, state: &mut State, wakers: &mut Vec<Waker>) -> Option<Place> {
        for direction in state.directions.iter_mut() {
            direction.claim(wakers);
        }
        for tick in &self.ticks {
            // Ordering: Release, as in `on_event`; who reads it with Acquire before an operation
            // does not do that to the successor, unless it had begun before.
            tick.store(STALE, Ordering::Release);
        }
        state.placement.settle(None)
    }

    /// Returns `true` if the descriptor's number is, or may be, still that of what this source was
    /// made for. For one that is not registered, so that no poller can be asked.
    pub(in crate::reactor) fn has_its_number(&self) -> bool {
        self.tick(Interest::Read) != STALE
            && self.registration.is_still(self.state.lock().placement.identity())
    }
}

#[cold]
pub(super) fn stale() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "the descriptor was closed or replaced while it was registered, and its number has been \
         registered anew",
    )
}
