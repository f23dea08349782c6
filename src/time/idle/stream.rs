//! A stream whose silence is an error.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::{Elapsed, IdleTimeout};

pin_project! {
    /// A stream with an idle timeout, from [`IdleTimeout::wrap_stream`].
    ///
    /// Yields each item of the stream inside as `Ok`, and `Err(Elapsed)` when the limit has passed
    /// without an item. Each item is a touch, at the moment at which it is yielded: the time that
    /// is spent with an item counts. If an item is there when it is polled, that comes first,
    /// however late.
    ///
    /// There is one error for a silence, however long it lasts. The stream may be polled on: it
    /// yields the next item whenever that comes, and the timeout is live again from then on. For
    /// more than one error in a silence, [`touch`](Self::touch) at each. The stream ends
    /// when the one inside does, and not with the error.
    ///
    /// # Cancel safety
    ///
    /// No item is lost if a future that waits for the next one is dropped. Nor is one lost when
    /// this is dropped, other than what the stream inside loses: this keeps none.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let falls_silent = stream::iter(["one", "two"]).chain(stream::pending());
    /// let mut heard = IdleTimeout::new(Duration::from_millis(4)).wrap_stream(falls_silent);
    /// assert_eq!(heard.next().await, Some(Ok("one")));
    /// assert_eq!(heard.next().await, Some(Ok("two")));
    /// assert!(heard.next().await.is_some_and(|item| item.is_err()));
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless they are polled"]
    pub struct IdleStream<S> {
        #[pin]
        stream: S,
        idle: IdleTimeout,
        // The last touch before the silence that an error was yielded for.
        missed: Option<Instant>,
    }
}

impl IdleTimeout {
    /// Watches a stream: each item is a touch.
    ///
    /// The result is a stream of `Result<Item, Elapsed>`: see [`IdleStream`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// assert_eq!(heard.next().await, Some(Ok(1)));
    /// # });
    /// ```
    pub fn wrap_stream<S: Stream>(self, stream: S) -> IdleStream<S> {
        IdleStream { stream, idle: self, missed: None }
    }
}

impl<S> IdleStream<S> {
    /// Postpones the deadline to one limit from now, as an item does.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::stream;
    /// use std::pin::Pin;
    /// use std::time::Duration;
    ///
    /// let mut heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// Pin::new(&mut heard).touch();
    /// ```
    pub fn touch(self: Pin<&mut Self>) {
        self.project().idle.touch();
    }

    /// Returns the last touch: the last item, or a later call of [`touch`](Self::touch).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::stream;
    /// use std::time::Duration;
    ///
    /// let heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// println!("nothing heard for {:?}", heard.last_touch().elapsed());
    /// ```
    #[must_use]
    pub fn last_touch(&self) -> Instant {
        self.idle.last_touch()
    }

    /// Returns the limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::stream;
    /// use std::time::Duration;
    ///
    /// let heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// assert_eq!(heard.limit(), Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.idle.limit()
    }

    /// Sets another limit, from the last touch on: see [`IdleTimeout::set_limit`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::stream;
    /// use std::pin::Pin;
    /// use std::time::Duration;
    ///
    /// let mut heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// Pin::new(&mut heard).set_limit(Duration::from_secs(60));
    /// ```
    pub fn set_limit(self: Pin<&mut Self>, limit: Duration) {
        self.project().idle.set_limit(limit);
    }

    /// Returns the stream inside.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::{Stream, stream};
    /// use std::time::Duration;
    ///
    /// let heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// assert_eq!(heard.get_ref().size_hint(), (2, Some(2)));
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream inside, mutably. An item that is taken from it is no touch.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::stream;
    /// use std::time::Duration;
    ///
    /// let mut heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// *heard.get_mut() = stream::iter([3, 4]);
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Takes the stream out, with all items that are still to come.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::{StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let heard = IdleTimeout::new(Duration::from_secs(30)).wrap_stream(stream::iter([1, 2]));
    /// assert_eq!(heard.into_inner().collect::<Vec<_>>().await, [1, 2]);
    /// # });
    /// ```
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Stream> Stream for IdleStream<S> {
    type Item = Result<S::Item, Elapsed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if let Poll::Ready(item) = this.stream.poll_next(cx) {
            if item.is_some() {
                this.idle.touch();
            }
            return Poll::Ready(item.map(Ok));
        }
        let last_touch = Some(this.idle.last_touch());
        if *this.missed == last_touch {
            return Poll::Pending;
        }
        let elapsed = ready!(Pin::new(this.idle).poll(cx));
        *this.missed = last_touch;
        Poll::Ready(Some(Err(elapsed)))
    }

    /// There may be any number of errors among the items.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.stream.size_hint().0, None)
    }
}
