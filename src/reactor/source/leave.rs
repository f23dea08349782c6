//! How a source leaves the shard of a pause that is over.

use std::task::Waker;

use super::Source;
use crate::reactor::Shard;

impl Source {
    /// Returns `true` if a task or a future waits for it.
    pub(in crate::reactor) fn is_waited_for(&self) -> bool {
        self.state.lock().directions.iter().any(|direction| direction.is_waited_for())
    }

    /// Ends its registration with this shard: it is as if it had not been waited for yet. The
    /// wakers of all who wait go to `wakers`: their next wait registers it where they are then.
    /// Returns `false`, with nothing done, if it is not in this place.
    pub(in crate::reactor) fn leave_for_good(
        &self,
        shard: &Shard,
        key: usize,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let mut state = self.state.lock();
        if !state.placement.is_at(shard.index(), key) {
            return false;
        }
        if self.registration.delete(shard.poller()).is_err() {
            // Its number is another file's, or nobody's.
            let _ = self.become_stale(&mut state, wakers);
            return true;
        }
        for direction in &mut state.directions {
            direction.claim(wakers);
            direction.armed = false;
            direction.unclaimed = 0;
        }
        state.placement.leave(self.registration.identity());
        true
    }
}
