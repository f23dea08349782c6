//! A future that is given up when it has been idle for too long.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::activity::Shared;
use super::{Activity, Elapsed, IdleTimeout};

pin_project! {
    /// A future with an idle timeout, from [`IdleTimeout::run`].
    ///
    /// Yields what the future inside does, or [`Elapsed`] when the limit has passed since the last
    /// touch of its [`Activity`]. If both have come when it is polled, the future inside wins.
    ///
    /// A future that is ready at its first poll costs no entry in the timing wheel. One that waits
    /// is polled without need about once in a limit: when the entry has fired.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future inside. When it has yielded `Elapsed`, that one is still there:
    /// after a touch this may be polled again and goes on, or [`into_inner`](Self::into_inner)
    /// takes it out.
    ///
    /// # Panics
    ///
    /// Polling panics if the future inside does. Polling again after an `Ok` polls a future that
    /// has ended, which most answer with a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let idle = IdleTimeout::new(Duration::from_millis(2));
    /// let silent = idle.run(|_| future::pending::<()>());
    /// assert!(silent.await.is_err());
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct IdleFuture<F> {
        #[pin]
        future: F,
        shared: Shared,
    }
}

impl IdleTimeout {
    /// Watches a future that touches by itself, with the [`Activity`] that `make` makes it with.
    ///
    /// The result yields what the future does, or [`Elapsed`] when the limit has passed without a
    /// touch: see [`IdleFuture`].
    ///
    /// # Examples
    ///
    /// A copy may take as long as it likes, if only it gets on:
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::IdleTimeout;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let copy = IdleTimeout::new(Duration::from_secs(1)).run(|activity| async move {
    ///     for _block in 0..4 {
    ///         Timer::after(Duration::from_millis(1)).await;
    ///         activity.touch();
    ///     }
    ///     "copied"
    /// });
    /// assert_eq!(copy.await, Ok("copied"));
    /// # });
    /// ```
    pub fn run<F: Future>(self, make: impl FnOnce(Activity) -> F) -> IdleFuture<F> {
        let shared = Shared::new(self);
        let future = make(shared.activity().clone());
        IdleFuture::new(future, shared)
    }
}

impl<F> IdleFuture<F> {
    pub(super) fn new(future: F, shared: Shared) -> IdleFuture<F> {
        IdleFuture { future, shared }
    }

    /// Returns what touches it.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// let run = IdleTimeout::new(Duration::from_secs(30)).run(|_| future::ready(7));
    /// let activity = run.activity().clone();
    /// activity.touch();
    /// ```
    pub fn activity(&self) -> &Activity {
        self.shared.activity()
    }

    /// Returns the limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// let limit = Duration::from_secs(30);
    /// assert_eq!(IdleTimeout::new(limit).run(|_| future::ready(7)).limit(), limit);
    /// ```
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.shared.limit()
    }

    /// Returns the future inside.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// let run = IdleTimeout::new(Duration::from_secs(30)).run(|_| future::ready(7));
    /// println!("waits for {:?}", run.get_ref());
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// Returns the future inside, mutably.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// let mut run = IdleTimeout::new(Duration::from_secs(30)).run(|_| future::ready(7));
    /// *run.get_mut() = future::ready(8);
    /// ```
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// Takes the future out, which goes on without a timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use std::future;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let run = IdleTimeout::new(Duration::from_secs(30)).run(|_| future::ready(7));
    /// assert_eq!(run.into_inner().await, 7);
    /// # });
    /// ```
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for IdleFuture<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        this.shared.poll(cx).map(Err)
    }
}
