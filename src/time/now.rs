//! What time it is.

use std::time::Instant;

use crate::clock;

/// Returns the time now, by the clock that the timers of this thread go by.
///
/// That is the system's, and then this is [`Instant::now`]. With the feature `test-util` it is a
/// manual clock while time is paused: code that computes with instants can be tested then if it
/// takes them from here.
///
/// # Examples
///
/// ```
/// use async_wheel::{Timer, block_on, time};
/// use std::time::Duration;
///
/// let start = time::now();
/// block_on(Timer::after(Duration::from_millis(2)));
/// assert!(time::now() >= start + Duration::from_millis(2));
/// ```
#[inline]
#[must_use]
pub fn now() -> Instant {
    clock::now()
}
