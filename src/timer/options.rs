//! What can be asked of a timer: its slack, and what becomes of missed ticks.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::{MissedTicks, Timer};
use crate::clock::{self, NEVER};
use crate::driver;
use crate::reactor::{LONGEST_DELAY, Slack};

/// The number of the slack of timers that have none of their own.
static DEFAULT_SLACK: AtomicU8 = AtomicU8::new(0);

/// See [`crate::time::set_default_slack`].
pub(crate) fn set_default_slack(slack: Option<Duration>) {
    let slack = slack.map_or(Slack::UNSET, Slack::of);
    // Ordering: Relaxed, with the load in `default_in_force`: a number, by which nothing else is
    // published. Timers that are polled at the same time have the one or the other.
    DEFAULT_SLACK.store(slack.number(), Ordering::Relaxed);
}

#[inline]
fn default_in_force() -> Slack {
    // Ordering: Relaxed, as in `set_default_slack`.
    Slack::from_number(DEFAULT_SLACK.load(Ordering::Relaxed))
}

/// See [`crate::time::default_slack`].
pub(crate) fn default_slack() -> Option<Duration> {
    duration(default_in_force())
}

/// The longest that what is due waits for others where deadlines are dense, in nanoseconds. Paused
/// time delays nothing.
pub(crate) fn coalescing_bound() -> u64 {
    #[cfg(feature = "test-util")]
    if driver::paused::is_in_force() {
        return 0;
    }
    driver::started().map_or(LONGEST_DELAY, |reactor| reactor.coalescing_bound())
}

fn duration(slack: Slack) -> Option<Duration> {
    (slack != Slack::UNSET).then(|| match slack.nanos() {
        NEVER => Duration::MAX,
        nanos => Duration::from_nanos(nanos),
    })
}

impl Timer {
    /// Lets the timer fire late by up to `slack`, so that it shares a wake-up with others.
    ///
    /// It never fires early, and never later than `slack` after its deadline, besides the time that
    /// the system takes to wake a thread. A thread that sleeps does so until the first slack of
    /// its timers ends, and then all of them fire that are due. A thread that is awake anyway
    /// fires them as soon as they are due; where those with this slack are
    /// [dense](crate::Builder::coalescing_bound), at the next of the moments at which all do. What a
    /// timer yields stays the instant at which it was due, and an interval keeps its grid.
    ///
    /// A slack of zero makes the timer exact, also where timers are so dense that they would
    /// be delayed by up to 0.5 ms otherwise. Without a slack of its own a timer has that of
    /// [`set_default_slack`](crate::time::set_default_slack), if there is one.
    ///
    /// A timer that a task waits for already has its new slack from its next poll on.
    ///
    /// # Costs
    ///
    /// Each shard has a wheel (12 KiB) for each slack that is in use, and looks at all of them before
    /// it sleeps: take a few. A process can have 30 slacks besides zero. Once there are so
    /// many, another one is rounded down to the next of them; none is ever given up. One of 2⁶⁴ - 1 ns
    /// (584 years) or more has no end: it is [`Duration::MAX`]. A timer whose period is, or becomes,
    /// more than 312 days loses its slack.
    ///
    /// # Examples
    ///
    /// Timeouts that need not be exact:
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let ms = Duration::from_millis(1);
    /// let start = Instant::now();
    /// let first = Timer::after(2 * ms).with_slack(5 * ms);
    /// let second = Timer::after(4 * ms).with_slack(5 * ms);
    /// // Both fire with the same wake-up, between 4 and 7 ms from now.
    /// futures_lite::future::zip(first, second).await;
    /// assert!(start.elapsed() >= 4 * ms);
    /// # });
    /// ```
    #[must_use = "the timer is returned with its slack"]
    pub fn with_slack(mut self, slack: Duration) -> Timer {
        self.period.set_slack(Slack::of(slack));
        self
    }

    /// Returns the slack that the timer has of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::Duration;
    ///
    /// let ms = Duration::from_millis(1);
    /// assert_eq!(Timer::after(ms).slack(), None);
    /// assert_eq!(Timer::after(ms).with_slack(20 * ms).slack(), Some(20 * ms));
    /// ```
    #[must_use]
    pub fn slack(&self) -> Option<Duration> {
        duration(self.period.slack())
    }

    /// Returns `true` if nothing was asked: neither of it, nor of all timers.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.period.is_plain() && default_in_force() == Slack::UNSET
    }

    /// Returns its slack, or that of the process.
    #[inline]
    pub(super) fn slack_in_force(&self) -> Slack {
        let slack = self.period.slack();
        if slack != Slack::UNSET {
            return slack;
        }
        default_in_force()
    }

    /// Says what becomes of ticks that are missed. [`MissedTicks`] has the choices, and an example.
    ///
    /// It has an effect only if the timer has a period, or gets one. A timer whose period is, or
    /// becomes, more than 312 days loses the choice, and makes up for all of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::MissedTicks;
    /// use std::time::Duration;
    ///
    /// let timer = Timer::interval(Duration::from_secs(1)).with_missed_ticks(MissedTicks::Skip);
    /// assert_eq!(timer.missed_ticks(), MissedTicks::Skip);
    /// ```
    #[must_use = "the timer is returned with what was asked"]
    pub fn with_missed_ticks(mut self, missed: MissedTicks) -> Timer {
        self.set_missed_ticks(missed);
        self
    }

    /// As [`with_missed_ticks`](Timer::with_missed_ticks), for a timer in its place. It counts from
    /// the next tick that is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::MissedTicks;
    /// use std::time::Duration;
    ///
    /// let mut timer = Timer::interval(Duration::from_secs(1));
    /// assert_eq!(timer.missed_ticks(), MissedTicks::Burst);
    /// timer.set_missed_ticks(MissedTicks::Delay);
    /// assert_eq!(timer.missed_ticks(), MissedTicks::Delay);
    /// ```
    pub fn set_missed_ticks(&mut self, missed: MissedTicks) {
        self.period.set_missed_ticks(missed);
    }

    /// Returns what becomes of ticks that are missed.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, time::MissedTicks};
    /// use std::time::Duration;
    ///
    /// assert_eq!(Timer::interval(Duration::from_secs(1)).missed_ticks(), MissedTicks::Burst);
    /// ```
    #[must_use]
    pub fn missed_ticks(&self) -> MissedTicks {
        self.period.missed_ticks()
    }

    /// Returns the time between two ticks, or `None` if the timer fires once.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Timer::interval(second).period(), Some(second));
    /// assert_eq!(Timer::after(second).period(), None);
    /// ```
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        self.period.get()
    }

    /// Returns the instant at which the timer fires next, or fires though nobody has polled it since;
    /// `None` if it never does.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// let due = Instant::now() + Duration::from_secs(1);
    /// assert_eq!(Timer::at(due).deadline(), Some(due));
    /// assert_eq!(Timer::never().deadline(), None);
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.when
    }

    /// Lets the next tick of an interval come a period from now, and each one a period after that.
    /// Ticks that are due by now are forgotten.
    ///
    /// Does nothing to a timer without a period. A task that waits is woken at the new time, as with
    /// the other setters.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// let minute = Duration::from_secs(60);
    /// let mut timer = Timer::interval_at(Instant::now(), minute);
    /// let now = Instant::now();
    /// timer.reset();
    /// assert!(timer.deadline().unwrap() >= now + minute);
    /// ```
    pub fn reset(&mut self) {
        let Some(period) = self.period.get() else { return };
        match clock::now().checked_add(period) {
            Some(next) => self.set_at(next),
            None => self.clear(),
        }
    }

    /// Lets the next tick of an interval come at `next`, and each one a period after that. The same as
    /// [`set_at`](Timer::set_at), by the name that intervals have for it elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// let second = Duration::from_secs(1);
    /// let mut timer = Timer::interval(second);
    /// let next = Instant::now() + second / 2;
    /// timer.reset_at(next);
    /// assert_eq!((timer.deadline(), timer.period()), (Some(next), Some(second)));
    /// ```
    pub fn reset_at(&mut self, next: Instant) {
        self.set_at(next);
    }
}
