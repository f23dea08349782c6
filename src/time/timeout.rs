//! Futures that have a limited time.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::Elapsed;
use super::countdown::Countdown;

/// Gives a future `duration` to become ready.
///
/// Returns a future that yields `Ok` with the output, or `Err(Elapsed)` if there is none when the
/// time is over. [`Timeout`] says when the time counts, and what it costs.
///
/// # Errors
///
/// [`Elapsed`] if the future is still pending when it is polled after the end of its time.
///
/// # Examples
///
/// ```
/// use async_wheel::time::timeout;
/// use std::time::Duration;
///
/// # async_wheel::block_on(async {
/// let limit = Duration::from_millis(1);
/// assert_eq!(timeout(limit, async { "in time" }).await, Ok("in time"));
/// assert!(timeout(limit, std::future::pending::<()>()).await.is_err());
/// # });
/// ```
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), countdown: Countdown::new(duration) }
}

/// Gives a future until `instant` to become ready.
///
/// Like [`timeout`], with an end that is fixed. If it has passed already, the future is polled once.
/// Operations that follow each other can share one end.
///
/// # Errors
///
/// [`Elapsed`] if the future is still pending when it is polled at `instant` or later.
///
/// # Examples
///
/// ```
/// use async_wheel::time::timeout_at;
/// use std::future::pending;
/// use std::time::{Duration, Instant};
///
/// # async_wheel::block_on(async {
/// let end = Instant::now() + Duration::from_millis(2);
/// assert_eq!(timeout_at(end, async { "first" }).await, Ok("first"));
/// assert!(timeout_at(end, pending::<()>()).await.is_err());
/// assert!(Instant::now() >= end);
/// assert!(timeout_at(end, pending::<()>()).await.is_err(), "no time is left");
/// # });
/// ```
pub fn timeout_at<F: IntoFuture>(instant: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), countdown: Countdown::until(instant) }
}

pin_project! {
    /// A future with a limited time: what [`timeout`] and [`timeout_at`] return.
    ///
    /// Each poll polls the future first, and only then looks whether the time is over. A future that
    /// is ready is never refused, however late it is polled. With a duration of zero, or an instant
    /// that has passed, the future is polled once. A duration or an instant that the clock cannot
    /// count to never elapses.
    ///
    /// # When the time counts
    ///
    /// The duration of [`timeout`] counts from the first poll that finds the future pending. It does
    /// not count while nobody polls, or during the future's first poll.
    ///
    /// # Cost
    ///
    /// A future that is ready at its first poll costs neither a look at the clock nor a
    /// [`Timer`](crate::Timer) entry. One that waits costs what a [`Timer`](crate::Timer) does.
    /// Nothing is allocated.
    ///
    /// # After it is ready
    ///
    /// After `Err(Elapsed)` the future is still there. It goes on if it is taken out with
    /// [`into_inner`](Timeout::into_inner). It may also be polled again in here: each poll polls the
    /// future, and yields `Elapsed` again if it is pending.
    ///
    /// After `Ok` it is not to be polled: that would poll a future that is ready, which may panic.
    ///
    /// # Panics
    ///
    /// If the future does. Nothing of the timeout is left then once it is dropped.
    ///
    /// # Cancel safety
    ///
    /// To drop it drops the future, and takes the timer's entry back.
    ///
    /// # Examples
    ///
    /// The future goes on after its time is over:
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::timeout;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut slow = timeout(Duration::from_millis(1), Timer::after(Duration::from_millis(4)));
    /// if (&mut slow).await.is_err() {
    ///     println!("still waiting");
    ///     slow.into_inner().await;
    /// }
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        countdown: Countdown,
    }
}

impl<F> Timeout<F> {
    /// Lets the time end late by up to `slack`, so that it shares a wake-up with others:
    /// [`Timer::with_slack`](crate::Timer::with_slack) says how. The future is never refused before
    /// its time is over.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::TimeoutExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let ms = Duration::from_millis(1);
    /// let limited = std::future::ready(7).timeout(500 * ms).with_slack(50 * ms);
    /// assert_eq!(limited.await, Ok(7));
    /// # });
    /// ```
    pub fn with_slack(mut self, slack: Duration) -> Timeout<F> {
        self.countdown.set_slack(slack);
        self
    }

    /// Returns the future.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::timeout;
    /// use std::time::Duration;
    ///
    /// let limited = timeout(Duration::from_secs(1), Timer::never());
    /// assert!(!limited.get_ref().will_fire());
    /// ```
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// Returns the future, to change it. The time that it has stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::timeout;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut limited = timeout(Duration::from_secs(10), Timer::never());
    /// limited.get_mut().set_after(Duration::from_millis(1));
    /// assert!(limited.await.is_ok());
    /// # });
    /// ```
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// Returns the pinned future, to change it. The time that it has stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::timeout;
    /// use std::pin::pin;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut limited = pin!(timeout(Duration::from_secs(10), Timer::never()));
    /// limited.as_mut().get_pin_mut().set_after(Duration::from_millis(1));
    /// assert!(limited.await.is_ok());
    /// # });
    /// ```
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().future
    }

    /// Returns the future, without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::timeout;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let limited = timeout(Duration::ZERO, std::future::ready(7));
    /// assert_eq!(limited.into_inner().await, 7);
    /// # });
    /// ```
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            this.countdown.release();
            return Poll::Ready(Ok(output));
        }
        this.countdown.poll(cx).map(|()| Err(Elapsed::new()))
    }
}

/// Gives any future a limited time, as a method.
///
/// # Examples
///
/// ```
/// use async_wheel::time::TimeoutExt;
/// use std::time::Duration;
///
/// # async_wheel::block_on(async {
/// let answer = async { 42 }.timeout(Duration::from_secs(1)).await;
/// assert_eq!(answer, Ok(42));
/// # });
/// ```
pub trait TimeoutExt: Future {
    /// Gives the future `duration` to become ready. The same as [`timeout`].
    ///
    /// # Errors
    ///
    /// The returned future yields [`Elapsed`] if this one is still pending when it is polled after
    /// the end of its time.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::TimeoutExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let endless = std::future::pending::<()>();
    /// assert!(endless.timeout(Duration::from_millis(1)).await.is_err());
    /// # });
    /// ```
    fn timeout(self, duration: Duration) -> Timeout<Self>
    where
        Self: Sized,
    {
        timeout(duration, self)
    }

    /// Gives the future until `instant` to become ready. The same as [`timeout_at`].
    ///
    /// # Errors
    ///
    /// The returned future yields [`Elapsed`] if this one is still pending when it is polled at
    /// `instant` or later.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::TimeoutExt;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let end = Instant::now() + Duration::from_millis(1);
    /// assert!(std::future::pending::<()>().timeout_at(end).await.is_err());
    /// assert_eq!(async { "ready" }.timeout_at(end).await, Ok("ready"));
    /// # });
    /// ```
    fn timeout_at(self, instant: Instant) -> Timeout<Self>
    where
        Self: Sized,
    {
        timeout_at(instant, self)
    }
}

impl<F: Future + ?Sized> TimeoutExt for F {}
