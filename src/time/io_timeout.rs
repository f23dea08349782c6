//! Operations that have a limited time, and one `io::Result` for both.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::timeout::{Timeout, timeout, timeout_at};

pin_project! {
    /// An operation with a limited time: what the methods of [`IoTimeoutExt`] return.
    ///
    /// It is a [`Timeout`] whose [`Elapsed`](super::Elapsed) becomes an error of kind
    /// [`TimedOut`](io::ErrorKind::TimedOut). When the time counts, what it costs, what happens
    /// when it is polled again or dropped: all that is as said there.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use async_wheel::time::IoTimeoutExt;
    /// use std::io;
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// // Nobody connects.
    /// let error = listener.accept().io_timeout(Duration::from_millis(1)).await.unwrap_err();
    /// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    /// # io::Result::Ok(()) }).unwrap();
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct IoTimeout<F> {
        #[pin]
        inner: Timeout<F>,
    }
}

impl<F> IoTimeout<F> {
    /// Lets the time end late by up to `slack`: as [`Timeout::with_slack`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IoTimeoutExt;
    /// use std::future::ready;
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let ms = Duration::from_millis(1);
    /// let limited = ready(io::Result::Ok(7)).io_timeout(500 * ms).with_slack(50 * ms);
    /// assert_eq!(limited.await.unwrap(), 7);
    /// # });
    /// ```
    pub fn with_slack(mut self, slack: Duration) -> IoTimeout<F> {
        self.inner = self.inner.with_slack(slack);
        self
    }

    /// Returns the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IoTimeoutExt;
    /// use std::future::{Ready, ready};
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// let limited = ready(io::Result::Ok(7)).io_timeout(Duration::from_secs(1));
    /// let _operation: &Ready<io::Result<i32>> = limited.get_ref();
    /// ```
    pub fn get_ref(&self) -> &F {
        self.inner.get_ref()
    }

    /// Returns the operation, to change it. The time that it has stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IoTimeoutExt;
    /// use std::future::ready;
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut limited = ready(io::Result::Ok(7)).io_timeout(Duration::from_secs(1));
    /// *limited.get_mut() = ready(Ok(8));
    /// assert_eq!(limited.await.unwrap(), 8);
    /// # });
    /// ```
    pub fn get_mut(&mut self) -> &mut F {
        self.inner.get_mut()
    }

    /// Returns the pinned operation, to change it. The time that it has stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IoTimeoutExt;
    /// use std::future::ready;
    /// use std::io;
    /// use std::pin::pin;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut limited = pin!(ready(io::Result::Ok(7)).io_timeout(Duration::from_secs(1)));
    /// limited.as_mut().get_pin_mut().set(ready(Ok(8)));
    /// assert_eq!(limited.await.unwrap(), 8);
    /// # });
    /// ```
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().inner.get_pin_mut()
    }

    /// Returns the operation, without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IoTimeoutExt;
    /// use std::future::ready;
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let limited = ready(io::Result::Ok(7)).io_timeout(Duration::ZERO);
    /// assert_eq!(limited.into_inner().await.unwrap(), 7);
    /// # });
    /// ```
    pub fn into_inner(self) -> F {
        self.inner.into_inner()
    }
}

impl<F, T> Future for IoTimeout<F>
where
    F: Future<Output = io::Result<T>>,
{
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        Poll::Ready(ready!(self.project().inner.poll(cx))?)
    }
}

/// Gives an operation a limited time, and leaves one `io::Result` to look at.
///
/// For futures whose output is an [`io::Result`]: those of [`Async`](crate::Async), and all others.
///
/// # Examples
///
/// ```
/// use async_wheel::Async;
/// use async_wheel::time::IoTimeoutExt;
/// use std::io;
/// use std::net::TcpStream;
/// use std::time::Duration;
///
/// # async_wheel::block_on(async {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// let limit = Duration::from_secs(10);
/// let stream = Async::<TcpStream>::connect(address).io_timeout(limit).await?;
/// # io::Result::Ok(()) }).unwrap();
/// ```
pub trait IoTimeoutExt: Future {
    /// Gives the operation `duration` to end.
    ///
    /// # Errors
    ///
    /// The returned future yields the operation's error, or one of kind
    /// [`TimedOut`](io::ErrorKind::TimedOut) that contains [`Elapsed`](super::Elapsed).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::{Elapsed, IoTimeoutExt};
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let endless = std::future::pending::<io::Result<()>>();
    /// let error = endless.io_timeout(Duration::from_millis(1)).await.unwrap_err();
    /// assert!(error.get_ref().is_some_and(|inner| inner.is::<Elapsed>()));
    /// # });
    /// ```
    fn io_timeout(self, duration: Duration) -> IoTimeout<Self>
    where
        Self: Sized,
    {
        IoTimeout { inner: timeout(duration, self) }
    }

    /// Gives the operation until `instant` to end.
    ///
    /// # Errors
    ///
    /// The returned future yields the operation's error, or one of kind
    /// [`TimedOut`](io::ErrorKind::TimedOut) that contains [`Elapsed`](super::Elapsed).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IoTimeoutExt;
    /// use std::io;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let end = Instant::now() + Duration::from_millis(1);
    /// let error = std::future::pending::<io::Result<()>>().io_timeout_at(end).await.unwrap_err();
    /// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    /// # });
    /// ```
    fn io_timeout_at(self, instant: Instant) -> IoTimeout<Self>
    where
        Self: Sized,
    {
        IoTimeout { inner: timeout_at(instant, self) }
    }
}

impl<F, T> IoTimeoutExt for F where F: Future<Output = io::Result<T>> {}
