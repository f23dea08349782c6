//! Where a timer waits.

use crate::reactor::{Shard, TimerKey};
use crate::sync::Ref;

/// A timer's entry in a wheel.
pub(super) struct Entry {
    pub(super) shard: Ref<Shard>,
    pub(super) key: TimerKey,
}

impl Entry {
    /// Takes it out, unless it is the parent's, of which nothing is touched.
    pub(super) fn remove(self) {
        let Entry { shard, key } = self;
        if !shard.is_from_parent() {
            shard.remove_timer(key);
        }
    }
}
