//! The latest item, when no other has come for a while.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::{BUDGET, ENDED};
use crate::time::countdown::Countdown;

pin_project! {
    /// A stream that yields the latest item when none has come for a duration: what
    /// [`StreamTimeExt::debounce`](super::StreamTimeExt::debounce) returns.
    ///
    /// An item that comes is held, and drops the one that was held before. These *superseded* items
    /// are all that is dropped. When the source ends, the item that is held is yielded at once,
    /// before the end.
    ///
    /// # When the time counts
    ///
    /// The duration counts from the poll that took the item from the source. All items that are
    /// ready by then are taken first, so that a burst costs one look at the clock. A duration of
    /// zero yields the latest of the items that are ready. With one that the clock cannot count to,
    /// nothing comes before the end of the source.
    ///
    /// A source that always has another item leaves no time for any to be yielded. One poll takes 64
    /// items at most; then it wakes its task and is pending, so that others have a turn.
    ///
    /// # Cancel safety
    ///
    /// The item that is held is in the stream: a `next()` future that is dropped loses none, and the
    /// time that counts goes on. [`into_parts`](Debounce::into_parts) returns the source and that
    /// item; [`take_held`](Debounce::take_held) takes only the item. If the stream itself is
    /// dropped, the item is dropped as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let (sender, sizes) = async_channel::unbounded();
    /// let mut sizes = Box::pin(sizes.debounce(Duration::from_millis(1)));
    /// for width in [640, 650, 660] {
    ///     sender.send(width).await.unwrap();
    /// }
    /// assert_eq!(sizes.next().await, Some(660), "the others are superseded");
    /// sender.send(800).await.unwrap();
    /// drop(sender);
    /// assert_eq!(sizes.next().await, Some(800), "the source has ended");
    /// assert_eq!(sizes.next().await, None);
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Debounce<S>
    where
        S: Stream,
    {
        #[pin]
        source: S,
        held: Option<S::Item>,
        // Stopped when an item comes; runs while the source is pending after that.
        countdown: Countdown,
        ended: bool,
    }
}

impl<S: Stream> Debounce<S> {
    pub(super) fn new(source: S, duration: Duration) -> Debounce<S> {
        Debounce { source, held: None, countdown: Countdown::new(duration), ended: false }
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
    /// let items = stream::iter(0..3).debounce(Duration::from_secs(1));
    /// assert_eq!(items.get_ref().size_hint(), (3, Some(3)));
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Returns the source, to change it. Items that are taken there supersede none.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut items = stream::iter(0..3).debounce(Duration::from_secs(1));
    /// assert_eq!(items.get_mut().next().await, Some(0));
    /// assert_eq!(items.next().await, Some(2));
    /// # });
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// Takes the item that is held, if there is one, before its time.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, future, stream};
    /// use std::pin::pin;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let source = stream::iter([1, 2]).chain(stream::pending());
    /// let mut items = pin!(source.debounce(Duration::from_secs(60)));
    /// assert!(future::poll_once(items.next()).await.is_none(), "not quiet for a minute");
    /// assert_eq!(items.as_mut().take_held(), Some(2));
    /// # });
    /// ```
    pub fn take_held(self: Pin<&mut Self>) -> Option<S::Item> {
        self.project().held.take()
    }

    /// Returns the source and the item that is held, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, future, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let source = stream::iter([1, 2]).chain(stream::pending());
    /// let mut items = source.debounce(Duration::from_secs(60));
    /// assert!(future::poll_once(items.next()).await.is_none(), "not quiet for a minute");
    /// let (_source, held) = items.into_parts();
    /// assert_eq!(held, Some(2));
    /// # });
    /// ```
    pub fn into_parts(self) -> (S, Option<S::Item>) {
        (self.source, self.held)
    }
}

impl<S: Stream> Stream for Debounce<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(this.held.take());
        }
        for _ in 0..BUDGET {
            match this.source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    this.countdown.stop();
                    *this.held = Some(item);
                }
                Poll::Ready(None) => {
                    *this.ended = true;
                    // A waker goes with it, whose code may panic: the last item comes next then.
                    this.countdown.release();
                    return Poll::Ready(this.held.take());
                }
                Poll::Pending if this.held.is_none() => return Poll::Pending,
                Poll::Pending => {
                    ready!(this.countdown.poll(cx));
                    return Poll::Ready(this.held.take());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended {
            return ENDED;
        }
        let held = usize::from(self.held.is_some());
        let (least, most) = self.source.size_hint();
        // Of what comes, one is left to be yielded.
        (held.max(least.min(1)), most.and_then(|most| most.checked_add(held)))
    }
}
