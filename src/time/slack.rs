//! The slack of timers that have none of their own.

use std::time::Duration;

use crate::timer;

/// Gives a slack to all timers of the process that have none of their own, or takes it away again.
///
/// [`Timer::with_slack`](crate::Timer::with_slack) says what a slack does. It holds for what is
/// polled from now on: timers, intervals, timeouts. What is to stay exact whatever the process
/// wants takes a slack of zero.
///
/// That is for programs to say, and not for libraries.
///
/// # Examples
///
/// ```
/// use async_wheel::time;
/// use std::time::Duration;
///
/// time::set_default_slack(Some(Duration::from_millis(10)));
/// assert_eq!(time::default_slack(), Some(Duration::from_millis(10)));
/// time::set_default_slack(None);
/// ```
pub fn set_default_slack(slack: Option<Duration>) {
    timer::set_default_slack(slack);
}

/// Returns the slack of timers that have none of their own. See [`set_default_slack`].
///
/// # Examples
///
/// ```
/// assert_eq!(async_wheel::time::default_slack(), None);
/// ```
#[must_use]
pub fn default_slack() -> Option<Duration> {
    timer::default_slack()
}
