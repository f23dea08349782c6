//! The simulation's stand-in for `src/clock/mod.rs`: virtual time.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::world;

pub(crate) use crate::world::NEVER;

/// The instant that is wheel time zero.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// The time now.
pub(crate) fn now() -> Instant {
    instant(wheel_now())
}

/// Wheel time as an instant.
pub(crate) fn instant(at: u64) -> Instant {
    epoch() + Duration::from_nanos(at)
}

/// An instant as wheel time.
pub(crate) fn wheel_time(at: Instant) -> u64 {
    saturating_nanos(at.saturating_duration_since(epoch()))
}

/// The time now as wheel time.
pub(crate) fn wheel_now() -> u64 {
    world::look_at_clock()
}

/// Returns the time if an instant, which is also given as wheel time, has come.
pub(crate) fn time_if_come(at: Instant, wheel_time: u64) -> Option<Instant> {
    debug_assert_eq!(self::wheel_time(at), wheel_time);
    Some(now()).filter(|now| at <= *now)
}

/// A duration in nanoseconds, or [`NEVER`].
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
