//! Items that have a limited time to come.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::ENDED;
use crate::time::Elapsed;
use crate::time::countdown::Countdown;

pin_project! {
    /// A stream whose items have a limited time to come: what
    /// [`StreamTimeExt::timeout`](super::StreamTimeExt::timeout) returns.
    ///
    /// Yields `Ok` with each item of the source, and `Err(Elapsed)` each time that the duration
    /// passes without one. It goes on after an error, and ends when the source does. Each poll polls
    /// the source first: an item that is ready is never refused, however late it is polled.
    ///
    /// # When the time counts
    ///
    /// The duration counts from the first poll, after an item or an error, that finds the source
    /// pending. What a program does between two items does not count. Items that are ready cost no
    /// look at the clock.
    ///
    /// A duration of zero is over when a poll finds the source pending. One that the clock cannot
    /// count to is never over. Between two errors without an item between them, the stream is pending
    /// at least once: a task that takes nothing but errors leaves others a turn.
    ///
    /// # Cancel safety
    ///
    /// Holds no items. A `next()` future that is dropped loses none, and the time that counts goes
    /// on. [`into_inner`](StreamTimeout::into_inner) returns the source.
    ///
    /// # Examples
    ///
    /// Gives up after the third silent millisecond in a row:
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let source = stream::iter([1, 2]).chain(stream::pending());
    /// let mut items = source.timeout(Duration::from_millis(1));
    /// let (mut sum, mut silent) = (0, 0);
    /// while let Some(item) = items.next().await {
    ///     match item {
    ///         Ok(item) => (sum, silent) = (sum + item, 0),
    ///         Err(_) if silent == 2 => break,
    ///         Err(_) => silent += 1,
    ///     }
    /// }
    /// assert_eq!((sum, silent), (3, 2));
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct StreamTimeout<S> {
        #[pin]
        source: S,
        // Stopped when an item or an error is yielded.
        countdown: Countdown,
        // Set if the last that was yielded is an error, and no poll has been pending since.
        after_error: bool,
        ended: bool,
    }
}

impl<S> StreamTimeout<S> {
    pub(super) fn new(source: S, duration: Duration) -> StreamTimeout<S> {
        let countdown = Countdown::new(duration);
        StreamTimeout { source, countdown, after_error: false, ended: false }
    }

    /// Returns the source.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{Stream, stream};
    /// use std::time::Duration;
    ///
    /// let items = stream::iter(0..3).timeout(Duration::from_secs(1));
    /// assert_eq!(items.get_ref().size_hint(), (3, Some(3)));
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Returns the source, to change it.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut items = stream::iter(0..3).timeout(Duration::from_secs(1));
    /// assert_eq!(items.get_mut().next().await, Some(0));
    /// assert_eq!(items.next().await, Some(Ok(1)));
    /// # });
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// Returns the source, without timeouts.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut items = stream::iter(0..3).timeout(Duration::from_secs(1));
    /// assert_eq!(items.next().await, Some(Ok(0)));
    /// assert_eq!(items.into_inner().collect::<Vec<i32>>().await, [1, 2]);
    /// # });
    /// ```
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S: Stream> Stream for StreamTimeout<S> {
    type Item = Result<S::Item, Elapsed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        match this.source.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                this.countdown.stop();
                *this.after_error = false;
                return Poll::Ready(Some(Ok(item)));
            }
            Poll::Ready(None) => {
                *this.ended = true;
                this.countdown.release();
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        let after_error = mem::take(this.after_error);
        ready!(this.countdown.poll(cx));
        if after_error {
            // So short a time that it was over within a poll. The next one yields the error.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.countdown.stop();
        *this.after_error = true;
        Poll::Ready(Some(Err(Elapsed::new())))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended {
            return ENDED;
        }
        // There may be any number of errors between the items.
        (self.source.size_hint().0, None)
    }
}
