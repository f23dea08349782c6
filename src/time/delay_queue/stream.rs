//! Waiting for what expires.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::remote::Task;
use super::{DelayQueue, Expired};
use crate::clock;
use crate::timer::{self, Timer};

/// What the task that polled last waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// Nothing: it got something, or was woken since.
    No,
    /// This deadline, and whatever is earlier.
    Until(Instant),
    /// Anything.
    ForAnything,
}

impl Waits {
    /// Returns `true` if a task that waits like this has to be woken for a deadline.
    #[inline]
    pub(super) fn misses(self, deadline: Instant) -> bool {
        match self {
            Waits::No => false,
            Waits::Until(at) => deadline < at,
            Waits::ForAnything => true,
        }
    }
}

impl<T> DelayQueue<T> {
    /// Returns the next entry that has expired, or lets the task be woken when there is one.
    ///
    /// `None` says that the queue is empty and has no handles. That need not be the end: what is
    /// inserted later comes out of later polls.
    ///
    /// Costs a constant for each entry; the clock is read once for all that are due by then. Only
    /// the task that polled last is woken.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::future::poll_fn;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// queue.insert("a", Duration::from_millis(1));
    /// let expired = poll_fn(|cx| queue.poll_expired(cx)).await;
    /// assert_eq!(expired.unwrap().into_inner(), "a");
    /// assert!(poll_fn(|cx| queue.poll_expired(cx)).await.is_none());
    /// # });
    /// ```
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Option<Expired<T>>> {
        self.waits = Waits::No;
        #[cfg(feature = "test-util")]
        if clock::manual::was_used() {
            // The last look may have been by another clock, which is ahead of this one.
            self.now = clock::now();
        }
        self.receive();
        if let Some(expired) = self.expire_next() {
            return Poll::Ready(Some(expired));
        }
        // Before the last look into the inbox, so that what comes after it wakes the task.
        self.register(cx.waker());
        self.receive();
        loop {
            let Some(next) = self.entries.wheel.next_deadline() else {
                if self.is_over() {
                    return Poll::Ready(None);
                }
                if self.entries.wheel.next_deadline().is_some() {
                    continue;
                }
                self.waits = Waits::ForAnything;
                return Poll::Pending;
            };
            if self.now < next {
                self.now = clock::now();
            }
            if let Some(expired) = self.expire_next() {
                return Poll::Ready(Some(expired));
            }
            let now = clock::wheel_time(self.now);
            self.coalescer.set_bound(timer::coalescing_bound());
            self.coalescer.fired(now, mem::take(&mut self.yielded), false);
            // Other than before if what seemed to be due was removed or reset.
            let next = self.entries.wheel.next_deadline();
            if let Some(next) = next.filter(|next| *next > self.now) {
                if self.poll_timer(self.sleep_until(next), cx).is_pending() {
                    self.waits = Waits::Until(next);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Returns `true` if nothing is left to wait for. Nothing that is left has a deadline, unless
    /// it has come in here.
    #[cold]
    fn is_over(&mut self) -> bool {
        // Gives the timer's entry in the reactor back.
        if self.timer.will_fire() {
            self.timer = Timer::never();
        }
        if !self.entries.wheel.is_empty() || self.shared.has_handles() {
            return false;
        }
        // The last handle may have written before it went. Nothing comes after this look.
        self.receive();
        let is_over = self.entries.wheel.is_empty();
        if is_over {
            self.unregister();
        }
        is_over
    }

    /// Lets handles and earlier deadlines wake a task from now on.
    fn register(&mut self, waker: &Waker) {
        let known = self.task.as_ref().filter(|task| task.is(waker));
        if let Some(task) = known {
            return self.shared.register(task);
        }
        let task = Task::new(waker);
        self.shared.register(&task);
        // Last, since it is the code of the task that waited before.
        drop(self.task.replace(task));
    }

    /// Forgets the task that waited.
    pub(super) fn unregister(&mut self) {
        self.shared.unregister();
        drop(self.task.take());
    }

    /// Returns until when the task may sleep although an entry is due at `next`: longer where
    /// entries are dense, as with timers, and as there not if a slack says how long.
    pub(super) fn sleep_until(&self, next: Instant) -> Instant {
        if timer::default_slack().is_some() {
            return next;
        }
        let due = clock::wheel_time(next);
        let late = self.coalescer.coalesced(due) - due;
        next.checked_add(Duration::from_nanos(late)).unwrap_or(next)
    }

    /// Waits for the time when the queue has to be looked at next.
    fn poll_timer(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.deadline() != Some(at) {
            self.timer.set_at(at);
        }
        ready!(Pin::new(&mut self.timer).poll(cx));
        Poll::Ready(())
    }

    /// Takes out an entry that was due at the last look at the clock.
    #[inline]
    fn expire_next(&mut self) -> Option<Expired<T>> {
        let (key, deadline, value) = self.entries.expire_next(self.now)?;
        self.yielded += 1;
        Some(Expired::new(key, deadline, value))
    }

    /// Wakes the task that waits, if there is one, so that it polls again.
    #[cold]
    pub(super) fn wake(&mut self) {
        if mem::replace(&mut self.waits, Waits::No) != Waits::No {
            self.shared.wake();
        }
    }
}

/// Yields the entries as they expire. Ends, for now, when the queue is empty and has no handles.
impl<T> Stream for DelayQueue<T> {
    type Item = Expired<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Expired<T>>> {
        self.poll_expired(cx)
    }
}
