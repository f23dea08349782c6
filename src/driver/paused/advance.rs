//! What a task asks of the clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Pause, State, place};
use crate::clock;
use crate::sync::Ref;

/// Where the clock is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// To this wheel time.
    At(u64),
    /// To the next deadline.
    NextDeadline,
    /// Nowhere: it was moved to the next deadline, which is this one. Reached when all tasks are at
    /// rest.
    Rest(u64),
}

/// A goal, and who waits for it.
#[derive(Debug)]
pub(super) struct Request {
    number: u64,
    goal: Goal,
    /// `None` once it is reached.
    waker: Option<Waker>,
}

impl Request {
    /// Returns `true` if it is not reached yet.
    pub(super) fn is_open(&self) -> bool {
        self.waker.is_some()
    }

    /// Returns the wheel time that it asks for.
    pub(super) fn target(&self) -> Option<u64> {
        match self.goal {
            Goal::At(target) if self.waker.is_some() => Some(target),
            _ => None,
        }
    }

    /// Notes that the clock was moved to a deadline.
    pub(super) fn note_deadline(&mut self) {
        if self.is_open() && self.goal == Goal::NextDeadline {
            self.goal = Goal::Rest(clock::wheel_now());
        }
    }
}

impl State {
    /// Takes the wakers of the requests that are reached at this time.
    pub(super) fn take_reached(&mut self, now: u64) -> Vec<Waker> {
        let reached = self.advances.iter_mut().filter(|request| request.goal.is_reached(now));
        reached.filter_map(|request| request.waker.take()).collect()
    }

    /// Takes the wakers of those that ask for a deadline, since there is none.
    pub(super) fn take_those_without_deadline(&mut self) -> Vec<Waker> {
        let asks = |request: &&mut Request| request.goal == Goal::NextDeadline;
        self.advances.iter_mut().filter(asks).filter_map(|request| request.waker.take()).collect()
    }
}

/// Ready when its goal is reached, and all tasks are at rest: with the wheel time of the deadline,
/// if it asked for the next and there was one.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub(crate) struct Advance<'a> {
    pause: &'a Ref<Pause>,
    goal: Goal,
    /// The number of its request.
    number: Option<u64>,
}

impl<'a> Advance<'a> {
    pub(super) fn new(pause: &'a Ref<Pause>, goal: Goal) -> Advance<'a> {
        Advance { pause, goal, number: None }
    }

    fn is_inside(&self) -> bool {
        place::entered().is_some_and(|entered| std::ptr::eq(&*entered, &**self.pause))
    }
}

impl Future for Advance<'_> {
    type Output = Option<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        assert!(
            self.is_inside(),
            "time moves only inside `async_wheel::block_on`, on a thread whose time is paused",
        );
        // The task's code, without the lock.
        let mut waker = Some(cx.waker().clone());
        let mut state = self.pause.state.lock();
        let number = self.number;
        let request = state.advances.iter_mut().find(|request| Some(request.number) == number);
        let polled = match request {
            Some(Request { waker: None, goal, .. }) => match *goal {
                Goal::Rest(at) => Poll::Ready(Some(at)),
                _ => Poll::Ready(None),
            },
            Some(request) => {
                std::mem::swap(&mut request.waker, &mut waker);
                Poll::Pending
            }
            None => {
                let number = state.new_number();
                state.advances.push(Request { number, goal: self.goal, waker: waker.take() });
                state.note_activity();
                self.number = Some(number);
                Poll::Pending
            }
        };
        drop(state);
        drop(waker);
        polled
    }
}

impl Drop for Advance<'_> {
    fn drop(&mut self) {
        if self.pause.is_from_parent() {
            return;
        }
        let mut state = self.pause.state.lock();
        let number = self.number;
        let index = state.advances.iter().position(|request| Some(request.number) == number);
        let request = index.map(|index| state.advances.swap_remove(index));
        drop(state);
        drop(request);
    }
}
