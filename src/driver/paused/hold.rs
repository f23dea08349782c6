//! What keeps time from moving by itself.

use super::Pause;
use crate::sync::Ref;
use crate::sys::Polls;

/// As long as this exists, the clock of its pause does not move by itself.
#[derive(Debug)]
pub(crate) struct Hold {
    pause: Ref<Pause>,
    /// Which of the pauses that this was for.
    of_use: u64,
}

impl Hold {
    pub(super) fn begin(pause: &Ref<Pause>) -> Hold {
        let mut state = pause.state.lock();
        state.holds += 1;
        Hold { pause: pause.clone(), of_use: state.uses }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.pause.is_from_parent() {
            return;
        }
        let mut state = self.pause.state.lock();
        if state.uses != self.of_use {
            return;
        }
        state.holds -= 1;
        state.note_activity();
        drop(state);
        // If all sleep, the driver may let time move now.
        self.pause.shard.poller().notify();
    }
}
