//! The modelled clock. It stands still while anybody runs and moves to the next deadline when
//! everybody sleeps (see `world`), so that what happens late shows in what it says.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::world;

/// Wheel time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// An instant of the model, which stands for this wheel time.
pub(crate) fn instant(wheel_time: u64) -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now) + Duration::from_nanos(wheel_time)
}

/// The time now.
pub(crate) fn now() -> Instant {
    instant(wheel_now())
}

/// An instant as wheel time.
pub(crate) fn wheel_time(at: Instant) -> u64 {
    saturating_nanos(at.saturating_duration_since(instant(0)))
}

/// Returns the time if an instant has come.
pub(crate) fn time_if_come(at: Instant, _: u64) -> Option<Instant> {
    Some(now()).filter(|now| at <= *now)
}

/// The time now as wheel time.
pub(crate) fn wheel_now() -> u64 {
    world::now()
}

/// A duration in nanoseconds, or [`NEVER`].
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
