//! Items that are yielded together.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::{BUDGET, ENDED};
use crate::time::countdown::Countdown;

pin_project! {
    /// A stream of chunks, which are full or whose time is over: what
    /// [`StreamTimeExt::chunks_timeout`](super::StreamTimeExt::chunks_timeout) returns.
    ///
    /// A chunk is a vector of 1 to `size` items, in the order in which they came. It is yielded when
    /// it is full, when the duration has passed since its first item, or when the source ends. No
    /// item is dropped.
    ///
    /// # When the time counts
    ///
    /// The duration counts from the poll that took the chunk's first item from the source, once it
    /// has taken all that are ready: a chunk that one poll fills costs no look at the clock. Items
    /// that are ready go into a chunk also if its time is over by then. A duration of zero yields
    /// what is ready, 64 items at most. With one that the clock cannot count to, chunks are full, but
    /// for the last.
    ///
    /// One poll takes 64 items at most. If the chunk's time is not over then, the poll wakes its
    /// task and is pending, so that others have a turn.
    ///
    /// A vector is made with room for `size` items or 64, whichever is less, and grows.
    ///
    /// # Cancel safety
    ///
    /// The chunk is in the stream until it is yielded: a `next()` future that is dropped loses
    /// nothing, and the time that counts goes on. [`into_parts`](ChunksTimeout::into_parts) returns
    /// the source and the items that are held; [`take_held`](ChunksTimeout::take_held) takes only
    /// the items. If the stream itself is dropped, the items are dropped as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Timer;
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let ticks = Timer::interval(Duration::from_millis(1));
    /// let mut chunks = ticks.chunks_timeout(3, Duration::from_secs(1));
    /// assert_eq!(chunks.next().await.unwrap().len(), 3);
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct ChunksTimeout<S>
    where
        S: Stream,
    {
        #[pin]
        source: S,
        held: Vec<S::Item>,
        size: usize,
        // Runs while a chunk that is not full is held; stopped when it is taken.
        countdown: Countdown,
        ended: bool,
    }
}

impl<S: Stream> ChunksTimeout<S> {
    #[track_caller]
    pub(super) fn new(source: S, size: usize, duration: Duration) -> ChunksTimeout<S> {
        assert!(size > 0, "a chunk must have room for at least one item");
        let countdown = Countdown::new(duration);
        ChunksTimeout { source, held: Vec::new(), size, countdown, ended: false }
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
    /// let chunks = stream::iter(0..3).chunks_timeout(2, Duration::from_secs(1));
    /// assert_eq!(chunks.get_ref().size_hint(), (3, Some(3)));
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Returns the source, to change it. Items that are taken there are in no chunk.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::StreamTimeExt;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut chunks = stream::iter(0..3).chunks_timeout(2, Duration::from_secs(1));
    /// assert_eq!(chunks.get_mut().next().await, Some(0));
    /// assert_eq!(chunks.next().await, Some(vec![1, 2]));
    /// # });
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// Takes the items that are held, before their time. There may be none.
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
    /// let mut chunks = pin!(source.chunks_timeout(100, Duration::from_secs(60)));
    /// assert!(future::poll_once(chunks.next()).await.is_none(), "it is not full");
    /// assert_eq!(chunks.as_mut().take_held(), [1, 2]);
    /// # });
    /// ```
    pub fn take_held(self: Pin<&mut Self>) -> Vec<S::Item> {
        let this = self.project();
        this.countdown.stop();
        mem::take(this.held)
    }

    /// Takes what is left at the end, if anything.
    fn take_last(self: Pin<&mut Self>) -> Option<Vec<S::Item>> {
        Some(self.take_held()).filter(|last| !last.is_empty())
    }

    /// Returns the source and the items that are held, of which there may be none.
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
    /// let mut chunks = source.chunks_timeout(100, Duration::from_secs(60));
    /// assert!(future::poll_once(chunks.next()).await.is_none(), "it is not full");
    /// let (_source, held) = chunks.into_parts();
    /// assert_eq!(held, [1, 2]);
    /// # });
    /// ```
    pub fn into_parts(self) -> (S, Vec<S::Item>) {
        (self.source, self.held)
    }
}

impl<S: Stream> Stream for ChunksTimeout<S> {
    type Item = Vec<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let mut this = self.as_mut().project();
        if *this.ended {
            return Poll::Ready(self.take_last());
        }
        let mut may_have_more = true;
        for _ in 0..BUDGET {
            match this.source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    if this.held.is_empty() {
                        this.held.reserve_exact(BUDGET.min(*this.size));
                    }
                    this.held.push(item);
                    if this.held.len() == *this.size {
                        return Poll::Ready(Some(self.take_held()));
                    }
                }
                Poll::Ready(None) => {
                    *this.ended = true;
                    // A waker goes with it, whose code may panic: the last chunk comes next then.
                    this.countdown.release();
                    return Poll::Ready(self.take_last());
                }
                Poll::Pending => {
                    may_have_more = false;
                    break;
                }
            }
        }
        if !this.held.is_empty() && this.countdown.poll(cx).is_ready() {
            return Poll::Ready(Some(self.take_held()));
        }
        if may_have_more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended {
            return ENDED;
        }
        let held = self.held.len();
        let (least, most) = self.source.size_hint();
        // The fewest chunks are full; the most have one item each, but for the one that is held.
        let begun = usize::from(held > 0);
        let fewest = least.saturating_add(held).div_ceil(self.size);
        (fewest, most.and_then(|most| most.checked_add(begun)))
    }
}
