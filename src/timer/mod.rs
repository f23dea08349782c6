//! Timers, as users have them.
//!
//! A `Timer` touches nothing shared until it is first polled and not yet due; then it has an
//! entry in a shard's wheel until it has fired for the last time or is dropped. The wheel only
//! wakes: whether a timer is due is decided here, by the clock, at each poll. So a timer
//! cannot fire early, whatever the wheel does.

mod entry;
mod gave_way;
mod missed;
mod options;
mod period;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;

use self::entry::Entry;
use self::gave_way::Moment;
use self::period::{Period, TickState};
use crate::clock;

pub use self::missed::MissedTicks;
pub(crate) use self::options::{coalescing_bound, default_slack, set_default_slack};

/// A future or stream that tells when its time has come.
///
/// As a [`Future`] it fires once; as a [`Stream`] it fires each period, if it has one. Both
/// yield the instant at which the timer was *due*, which lies at or before the instant at
/// which it is polled: timers are never early, to the nanosecond.
///
/// A timer that is due the moment it is polled costs a look at the clock. One that has to
/// wait gets an entry in a timing wheel: constant cost, whatever the number of timers. With
/// its entry, a waiting timer takes 77 bytes.
///
/// How late a timer is depends on how fast the system wakes a thread. Only where more than 8,000
/// fire in a second on one thread do timers wait for others, each by less than 0.5 ms; that saves
/// most of the processor time. A [slack](Timer::with_slack) lets them wait for longer, or not at all,
/// and [`Builder::coalescing_bound`](crate::Builder::coalescing_bound) says otherwise for all.
///
/// # Missed ticks
///
/// An interval keeps its grid: each tick is one period after the one before. Ticks that were
/// missed, because nobody polled, are made up for one after another without waiting, unless
/// [`with_missed_ticks`](Timer::with_missed_ticks) says otherwise.
///
/// A period of zero is allowed, and one too short to keep up with: there is always a tick to make
/// up for. An interval therefore gives way now and then, so that a task that takes its ticks in a
/// loop leaves others on its thread a turn. When it has yielded 1,024 ticks in a row and two more
/// are overdue, its next poll returns `Pending`. The task is woken with the next timers that are
/// due, and until then the interval stays pending. Then it yields the next 1,024. While a task in
/// [`block_on`](crate::block_on) takes ticks of other such intervals, it stays pending longer:
/// until the poll of that call's future is over. Each interval counts its own ticks. It starts anew
/// when it has caught up, and when it is set: code that takes missed ticks without waiting gets all
/// of them if they are 1,024 or fewer. Ticks of a period of 2.4 hours (2⁴³ ns) or more are not
/// counted. Where missed ticks are left out, an interval gives way after 1,024 ticks in a row with
/// no poll in between that found none.
///
/// Outside `block_on`, a task that takes whichever of several such intervals is ready may find one
/// ready each time, if the fallback thread is quicker than the task.
///
/// # Without a reactor
///
/// The first timer that has to wait starts the reactor. If the system refuses it (no
/// descriptors or threads left), the timer still fires: it asks to be polled again after a
/// millisecond, and tries again then. Until then its poll takes that millisecond.
///
/// # After a fork
///
/// In the child of a `fork` without `exec`, a timer that the parent made fires as well, once it
/// is polled there. A task that was waiting for it at the moment of the fork is woken in the
/// parent only.
///
/// # Examples
///
/// ```
/// use async_wheel::Timer;
/// use futures_lite::FutureExt;
/// use std::time::Duration;
///
/// # async_wheel::block_on(async {
/// let answer = async { "came in time" }.or(async {
///     Timer::after(Duration::from_secs(1)).await;
///     "timed out"
/// });
/// assert_eq!(answer.await, "came in time");
/// # });
/// ```
#[doc(alias = "sleep")]
#[doc(alias = "timeout")]
#[doc(alias = "interval")]
pub struct Timer {
    /// When it is due next. `None`: never.
    when: Option<Instant>,
    /// From one tick to the next, and how many were yielded in a row; missed ticks and slack.
    period: Period,
    /// Where its entry is, from the first poll that had to wait until it has fired for the
    /// last time. The entry keeps the waker, also while the timer has no deadline.
    entry: Option<Entry>,
}

impl Timer {
    /// A timer that never fires, until one of the setters gives it a deadline. Polling it before
    /// that leaves no waker: poll again after setting it.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut timer = Timer::never();
    /// assert!(!timer.will_fire());
    /// timer.set_after(Duration::from_millis(1));
    /// timer.await;
    /// # });
    /// ```
    #[must_use]
    pub fn never() -> Timer {
        Timer { when: None, period: Period::NONE, entry: None }
    }

    /// A timer that fires once, when `duration` has passed from now. A duration that the clock
    /// cannot count to means never.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// Timer::after(Duration::from_millis(2)).await;
    /// # });
    /// assert!(!Timer::after(Duration::MAX).will_fire());
    /// ```
    #[must_use]
    pub fn after(duration: Duration) -> Timer {
        clock::now().checked_add(duration).map_or_else(Timer::never, Timer::at)
    }

    /// A timer that fires once, at `instant`; at once if that has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let due = Instant::now() + Duration::from_millis(2);
    /// assert_eq!(Timer::at(due).await, due);
    /// # });
    /// ```
    #[must_use]
    pub fn at(instant: Instant) -> Timer {
        Timer { when: Some(instant), period: Period::NONE, entry: None }
    }

    /// A timer that fires each `period`, the first time one period from now. A period that the
    /// clock cannot count to means never.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let period = Duration::from_millis(1);
    /// let mut ticks = Timer::interval(period);
    /// let first = ticks.next().await.unwrap();
    /// let second = ticks.next().await.unwrap();
    /// assert_eq!(second - first, period);
    /// # });
    /// ```
    #[must_use]
    pub fn interval(period: Duration) -> Timer {
        let start = clock::now().checked_add(period);
        start.map_or_else(Timer::never, |start| Timer::interval_at(start, period))
    }

    /// A timer that fires at `start` and then each `period`.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let start = Instant::now();
    /// let mut ticks = Timer::interval_at(start, Duration::from_millis(1));
    /// assert_eq!(ticks.next().await, Some(start));
    /// assert_eq!(ticks.next().await, Some(start + Duration::from_millis(1)));
    /// # });
    /// ```
    #[must_use]
    pub fn interval_at(start: Instant, period: Duration) -> Timer {
        Timer { when: Some(start), period: Period::new(period), entry: None }
    }

    /// Returns `true` if the timer has a deadline: `false` for one that never fires, or that has
    /// fired and has no period.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::Duration;
    ///
    /// assert!(Timer::after(Duration::from_secs(1)).will_fire());
    /// assert!(!Timer::never().will_fire());
    /// ```
    #[must_use]
    pub fn will_fire(&self) -> bool {
        self.when.is_some()
    }

    /// Lets the timer fire when `duration` has passed from now, instead of when it would have.
    /// A period, if it has one, stays.
    ///
    /// If a task waits for the timer (it has polled while there was a deadline), it will be woken
    /// at the new time and need not poll again before. To push a deadline out like this, again and
    /// again, is what the timing wheel is made for: it costs a lock and a store.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut idle = Timer::after(Duration::from_secs(30));
    /// // Something was heard: start again.
    /// idle.set_after(Duration::from_millis(1));
    /// idle.await;
    /// # });
    /// ```
    pub fn set_after(&mut self, duration: Duration) {
        match clock::now().checked_add(duration) {
            Some(instant) => self.set_at(instant),
            None => self.clear(),
        }
    }

    /// Lets the timer fire at `instant`, instead of when it would have. A period, if it has
    /// one, stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let due = Instant::now() + Duration::from_millis(2);
    /// let mut timer = Timer::never();
    /// timer.set_at(due);
    /// assert_eq!(timer.await, due);
    /// # });
    /// ```
    pub fn set_at(&mut self, instant: Instant) {
        self.when = Some(instant);
        self.period.restart();
        if let Some(Entry { shard, key }) = self.entry() {
            shard.reschedule_timer(*key, clock::wheel_time(instant));
        }
    }

    /// Lets the timer fire each `period` from now on, the first time one period from now.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut timer = Timer::after(Duration::from_secs(60));
    /// timer.set_interval(Duration::from_millis(1));
    /// timer.next().await;
    /// timer.next().await;
    /// # });
    /// ```
    pub fn set_interval(&mut self, period: Duration) {
        match clock::now().checked_add(period) {
            Some(start) => self.set_interval_at(start, period),
            None => self.clear(),
        }
    }

    /// Lets the timer fire at `start` and then each `period`.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use futures_lite::StreamExt;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let start = Instant::now();
    /// let mut timer = Timer::never();
    /// timer.set_interval_at(start, Duration::from_millis(1));
    /// assert_eq!(timer.next().await, Some(start));
    /// # });
    /// ```
    pub fn set_interval_at(&mut self, start: Instant, period: Duration) {
        self.period = self.period.with_period(period);
        self.set_at(start);
    }

    /// Takes the deadline away: the timer never fires, until a setter gives it another.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use std::time::Duration;
    ///
    /// let mut timer = Timer::after(Duration::from_secs(1));
    /// timer.clear();
    /// assert!(!timer.will_fire());
    /// ```
    pub fn clear(&mut self) {
        self.when = None;
        if let Some(Entry { shard, key }) = self.entry() {
            shard.unschedule_timer(*key);
        }
    }

    /// Returns `true` if a tick that is due has to wait, since many were yielded in a row and the
    /// one after it is overdue as well.
    ///
    /// Once it has given way, it does so until its entry has fired, which is a driver's round, and
    /// the moment at which it gave way [is over](Moment::is_over).
    fn gives_way(&mut self) -> bool {
        match self.period.state() {
            TickState::Yields => return false,
            TickState::GaveWay(at) if !self.is_scheduled() && at.is_over() => {
                self.period.restart();
                return false;
            }
            TickState::MustGiveWay | TickState::GaveWay(_) => self.period.give_way(Moment::now()),
        }
        true
    }

    /// Yields the instant at which the timer was due, if that has come.
    #[inline(always)]
    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(when) = self.when else {
            return Poll::Pending;
        };
        let deadline = clock::wheel_time(when);
        let Some(now) = clock::time_if_come(when, deadline) else {
            self.period.restart();
            self.arm(deadline, cx);
            return Poll::Pending;
        };
        let Some(period) = self.period.get() else {
            // A waker goes with the entry, whose code may panic: what is due is due at the next poll
            // then.
            self.disarm();
            self.when = None;
            return Poll::Ready(when);
        };
        self.tick(period, when, now, cx)
    }

    /// Yields a tick that is due, if an interval may.
    #[inline(never)]
    fn tick(
        &mut self,
        period: Duration,
        when: Instant,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Instant> {
        let missed = self.period.missed_ticks();
        let next = missed.next(period, when, now);
        // The next one of others than `Burst` is never overdue, but a period that is shorter than a
        // poll takes has a tick for each.
        let counts = next.is_some_and(|next| next <= now || missed != MissedTicks::Burst);
        if counts && self.gives_way() {
            // The wheel wakes the task: so the driver does a round as well, and the waker is kept
            // like that of any poll that found nothing.
            self.arm_overdue(clock::wheel_time(when), cx);
            return Poll::Pending;
        }
        match next {
            // Armed at once, so that the task hears of the next tick although it does not
            // poll again after this one.
            Some(next) => self.arm(clock::wheel_time(next), cx),
            None => self.disarm(),
        }
        // Last, as above: this tick is still due if a waker panics.
        self.when = next;
        if counts {
            gave_way::note_tick();
            self.period.count();
        } else if next.is_some() {
            self.period.restart();
        }
        Poll::Ready(when)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl Future for Timer {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.poll_tick(cx)
    }
}

impl Stream for Timer {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("when", &self.when)
            .field("period", &self.period.get())
            .field("waits", &self.entry.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
