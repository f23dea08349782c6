//! Both clocks: the one that deadlines are on, and the one that clients know.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_wheel::time;

use super::store::Deadline;

/// Returns the time by the clock of the timers.
pub fn now() -> Instant {
    time::now()
}

/// Returns the time since 1970.
#[cfg(not(test))]
pub fn unix() -> Duration {
    system()
}

/// Returns the time since 1970: that of this thread's first look, and what the other clock has told
/// since then. So it stands still with that one while a test has paused time.
#[cfg(test)]
pub fn unix() -> Duration {
    thread_local! {
        static FIRST: (Instant, Duration) = (now(), system());
    }
    let (first, unix) = FIRST.with(|first| *first);
    let now = now();
    unix + now.saturating_duration_since(first) - first.saturating_duration_since(now)
}

fn system() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub fn unix_millis() -> i64 {
    i64::try_from(unix().as_millis()).unwrap_or(i64::MAX)
}

/// Returns the deadline so many milliseconds from now. `base` is now, as [`unix_millis`] has it.
pub fn after(millis: u64, base: i64) -> Deadline {
    let due = now().checked_add(Duration::from_millis(millis));
    Deadline { due, unix: base.saturating_add_unsigned(millis) }
}

/// Returns the deadline at a time since 1970, or `None` if that is over.
pub fn at(millis: i64) -> Option<Deadline> {
    let left = Duration::from_millis(u64::try_from(millis).ok()?).checked_sub(unix())?;
    // The other clock afterwards: what passes in between makes the deadline later, not earlier.
    (!left.is_zero()).then(|| Deadline { due: now().checked_add(left), unix: millis })
}
