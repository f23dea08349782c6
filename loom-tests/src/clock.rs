//! The modelled clock. It stands still while anybody runs and moves to the next deadline when
//! everybody sleeps (see `world`), so that what happens late shows in what it says.

use std::time::Duration;

use crate::world;

/// Wheel time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// The time now as wheel time.
pub(crate) fn wheel_now() -> u64 {
    world::now()
}

/// A duration in nanoseconds, or [`NEVER`].
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
