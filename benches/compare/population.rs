//! Many timers that are pending, in one piece of memory.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use futures_lite::future;

/// How many operations are done between two chances for the runtime to do its own work.
pub const BATCH: usize = 1_000;

/// Futures that stay where they are, without an allocation for each.
pub struct Population<T>(Pin<Box<[T]>>);

impl<T> Population<T> {
    pub fn new(timers: impl ExactSizeIterator<Item = T>) -> Population<T> {
        Population(Box::into_pin(timers.collect()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&mut self, index: usize) -> Pin<&mut T> {
        // SAFETY: the slice is pinned for good and its elements are reached through this only,
        // so that none is ever moved.
        unsafe { self.0.as_mut().map_unchecked_mut(|slice| &mut slice[index]) }
    }
}

impl<T: Future> Population<T> {
    /// Polls each once. None may be due.
    pub async fn arm(&mut self) {
        for start in (0..self.len()).step_by(BATCH) {
            let end = self.len().min(start + BATCH);
            poll_fn(|cx| {
                for index in start..end {
                    assert!(self.get(index).poll(cx).is_pending(), "a timer fired too early");
                }
                Poll::Ready(())
            })
            .await;
            future::yield_now().await;
        }
    }
}
