//! Items that pass one by one, with a pause after each.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::ENDED;
use crate::time::countdown::Countdown;

pin_project! {
    /// A stream that lets at most one item through in each duration: what
    /// [`StreamTimeExt::throttle`](super::StreamTimeExt::throttle) returns.
    ///
    /// The duration counts from the moment at which an item is yielded. Until it has passed, the
    /// source is not polled, so that it holds its items back; none is dropped. That the source has
    /// ended is found out after that time, too.
    ///
    /// The clock is read once for each item, to begin its time, and while that is waited for. A
    /// duration of zero lets everything through and reads no clock. One that the clock cannot count
    /// to lets one item through; then the stream stays pending and leaves no waker.
    ///
    /// # Cancel safety
    ///
    /// Holds no items. A `next()` future that is dropped loses none, and the time that counts goes
    /// on. [`into_inner`](Throttle::into_inner) returns the source.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let pause = Duration::from_millis(2);
    /// let mut requests = stream::iter(["a", "b"]).throttle(pause);
    /// let start = Instant::now();
    /// assert_eq!(requests.next().await, Some("a"));
    /// assert_eq!(requests.next().await, Some("b"));
    /// assert!(start.elapsed() >= pause);
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Throttle<S> {
        #[pin]
        source: S,
        // Runs from an item on, until it is over; stopped while the next item may pass.
        countdown: Countdown,
        ended: bool,
    }
}

impl<S> Throttle<S> {
    pub(super) fn new(source: S, duration: Duration) -> Throttle<S> {
        Throttle { source, countdown: Countdown::new(duration), ended: false }
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
    /// let items = stream::iter(0..3).throttle(Duration::from_secs(1));
    /// assert_eq!(items.get_ref().size_hint(), (3, Some(3)));
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Returns the source, to change it. Items that are taken there are not counted.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut items = stream::iter(0..3).throttle(Duration::from_secs(60));
    /// assert_eq!(items.next().await, Some(0));
    /// assert_eq!(items.get_mut().next().await, Some(1), "out of turn");
    /// # });
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// Returns the source, without pauses.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut items = stream::iter(0..3).throttle(Duration::from_secs(60));
    /// assert_eq!(items.next().await, Some(0));
    /// assert_eq!(items.into_inner().collect::<Vec<i32>>().await, [1, 2]);
    /// # });
    /// ```
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S: Stream> Stream for Throttle<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        if !this.countdown.is_stopped() {
            ready!(this.countdown.poll(cx));
            this.countdown.stop();
        }
        let item = ready!(this.source.poll_next(cx));
        if item.is_some() {
            this.countdown.start();
        } else {
            *this.ended = true;
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended { ENDED } else { self.source.size_hint() }
    }
}
