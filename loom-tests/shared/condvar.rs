//! The waits of a condition variable whose time is not the system's: that of the models, and that
//! of the simulation.

use std::time::Duration;

use super::{Condvar, MutexGuard};
use crate::clock::{self, NEVER};

impl Condvar {
    #[track_caller]
    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_until(&mut guard, NEVER);
        guard
    }

    #[track_caller]
    pub(crate) fn wait_for<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> MutexGuard<'a, T> {
        let limit = clock::saturating_nanos(limit);
        self.wait_until(&mut guard, crate::world::now().saturating_add(limit));
        guard
    }
}
