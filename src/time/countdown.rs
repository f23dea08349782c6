//! A span of time that begins when it is first needed.
//!
//! All waits of this module are made of it. It decides when the clock is read and when a timer gets
//! its entry: not before something is found pending. There is one [`Timer`] for all the spans that
//! follow each other.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::timer::Timer;

/// A span of time, again and again.
#[derive(Debug)]
pub(super) struct Countdown {
    duration: Duration,
    /// Set while the state is [`State::Running`]. In other states it may be left at a deadline that
    /// means nothing any more: to take it away costs a lock, and to leave it at most one wake.
    timer: Timer,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next poll begins a span.
    Stopped,
    /// A span has begun.
    Running,
    /// It is over, until the countdown is stopped.
    Over,
}

impl Countdown {
    /// Returns one that is stopped. Does not read the clock.
    pub(super) fn new(duration: Duration) -> Countdown {
        Countdown { duration, timer: Timer::never(), state: State::Stopped }
    }

    /// Returns one that runs until `instant`. Does not read the clock.
    pub(super) fn until(instant: Instant) -> Countdown {
        let timer = Timer::at(instant);
        Countdown { duration: Duration::ZERO, timer, state: State::Running }
    }

    /// Begins a span now. A duration that the clock cannot count to gives one that never ends.
    pub(super) fn start(&mut self) {
        if self.duration.is_zero() {
            self.state = State::Over;
        } else {
            self.timer.set_after(self.duration);
            self.state = State::Running;
        }
    }

    /// Lets the next poll begin a span.
    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
    }

    /// Returns `true` if the next poll begins a span.
    pub(super) fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// Waits for the end of the span, and begins one if the countdown is stopped. Once it is over,
    /// it stays ready until it is stopped.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_stopped() {
            self.start();
        }
        if self.state == State::Running {
            ready!(Pin::new(&mut self.timer).poll(cx));
            self.state = State::Over;
        }
        Poll::Ready(())
    }

    /// Gives the timer's entry back, when nobody will wait any more.
    pub(super) fn release(&mut self) {
        self.timer = match self.timer.slack() {
            Some(slack) => Timer::never().with_slack(slack),
            None => Timer::never(),
        };
        self.stop();
    }

    /// Lets spans end late by up to `slack`.
    pub(super) fn set_slack(&mut self, slack: Duration) {
        self.timer = std::mem::replace(&mut self.timer, Timer::never()).with_slack(slack);
    }
}
