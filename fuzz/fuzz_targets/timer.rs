//! Timers as users have them, on a reactor that runs, against what the documentation promises.

#![no_main]

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use async_wheel::Timer;
use common::{MOST_OPERATIONS, Task, pass};
use futures_lite::Stream;
use libfuzzer_sys::fuzz_target;

/// Timers of a program.
const SLOTS: usize = 8;
/// Tasks that poll them.
const TASKS: usize = 3;
/// Deadlines that come within this time are waited for at the end.
const HORIZON: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Span {
    Nothing,
    /// Up to 300 microseconds.
    Short(u8),
    /// Milliseconds: of higher levels of the wheel.
    Longer(u8),
    /// Minutes: does not come.
    Far(u8),
    /// About what wheel time can hold.
    Centuries(u8),
    Huge,
    Max,
}

impl Span {
    fn duration(self) -> Duration {
        match self {
            Span::Nothing => Duration::ZERO,
            Span::Short(time) => Duration::from_nanos(u64::from(time) * 1_177),
            Span::Longer(time) => Duration::from_micros(u64::from(time) * 40),
            Span::Far(time) => Duration::from_secs(60 * (1 + u64::from(time))),
            Span::Centuries(less) => {
                Duration::from_nanos(u64::MAX) + Duration::from_nanos(8)
                    - Duration::from_nanos(u64::from(less))
            }
            Span::Huge => Duration::from_secs(1 << 62),
            Span::Max => Duration::MAX,
        }
    }

    /// An instant at this distance, or none if the clock cannot count to it.
    fn away(self, past: bool) -> Option<Instant> {
        let now = Instant::now();
        if past { now.checked_sub(self.duration()) } else { now.checked_add(self.duration()) }
    }
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Deadline {
    Never,
    After(Span),
    At { distance: Span, past: bool },
    Interval(Span),
    IntervalAt { distance: Span, past: bool, period: Span },
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Operation {
    Make {
        slot: u8,
        deadline: Deadline,
    },
    Poll {
        slot: u8,
        task: u8,
    },
    /// On another thread, in a `block_on` of its own or in none.
    PollElsewhere {
        slot: u8,
        task: u8,
        driving: bool,
    },
    Set {
        slot: u8,
        deadline: Deadline,
    },
    Drop {
        slot: u8,
    },
    Pass {
        time: u8,
        driving: bool,
    },
}

#[derive(Debug, Arbitrary)]
struct Program {
    inside: bool,
    /// Whether the program drives at the end, if it can, or blocks its thread.
    driving: bool,
    operations: Vec<Operation>,
}

/// A deadline: the earliest and the latest that it can be, since the constructors that count
/// from now do not tell what they took for it.
type When = (Instant, Instant);

/// A timer and what is known of it.
struct Slot {
    timer: Timer,
    when: Option<When>,
    period: Option<Duration>,
    /// The task that will be woken, and the instant from which on a wake counts for it.
    armed: Option<(usize, Instant)>,
    /// Of this timer only, so that no other timer's wake is taken for its own.
    tasks: [Arc<Task>; TASKS],
}

/// A period that takes longer than wheel time means that there is no next tick.
fn period(span: Span) -> Option<Duration> {
    let period = span.duration();
    (period.as_nanos() < u128::from(u64::MAX)).then_some(period)
}

fn later((earliest, latest): When, duration: Duration) -> Option<When> {
    Some((earliest.checked_add(duration)?, latest.checked_add(duration)?))
}

impl Slot {
    fn new(deadline: Deadline) -> Slot {
        let before = Instant::now();
        let exactly = |instant| Some((instant, instant));
        let (timer, when, period, from_now) = match deadline {
            Deadline::Never => (Timer::never(), None, None, None),
            Deadline::After(span) => {
                (Timer::after(span.duration()), None, None, Some(span.duration()))
            }
            Deadline::At { distance, past } => match distance.away(past) {
                Some(at) => (Timer::at(at), exactly(at), None, None),
                None => (Timer::never(), None, None, None),
            },
            Deadline::Interval(span) => {
                (Timer::interval(span.duration()), None, period(span), Some(span.duration()))
            }
            Deadline::IntervalAt { distance, past, period: span } => match distance.away(past) {
                Some(at) => {
                    let timer = Timer::interval_at(at, span.duration());
                    (timer, exactly(at), period(span), None)
                }
                None => (Timer::never(), None, None, None),
            },
        };
        let now = (before, Instant::now());
        let when = from_now.map_or(when, |duration| later(now, duration));
        // An interval that cannot be counted to is a timer that never fires, without a period.
        let period = when.and(period);
        let slot = Slot { timer, when, period, armed: None, tasks: Default::default() };
        slot.check();
        slot
    }

    fn set(&mut self, deadline: Deadline) {
        let before = Instant::now();
        let mut from_now = None;
        match deadline {
            Deadline::Never => {
                self.timer.clear();
                self.when = None;
            }
            Deadline::After(span) => {
                self.timer.set_after(span.duration());
                from_now = Some(span.duration());
            }
            Deadline::At { distance, past } => {
                let Some(at) = distance.away(past) else { return };
                self.timer.set_at(at);
                self.when = Some((at, at));
            }
            Deadline::Interval(span) => {
                self.timer.set_interval(span.duration());
                from_now = Some(span.duration());
            }
            Deadline::IntervalAt { distance, past, period: span } => {
                let Some(at) = distance.away(past) else { return };
                self.timer.set_interval_at(at, span.duration());
                self.when = Some((at, at));
                self.period = period(span);
            }
        }
        if let Some(duration) = from_now {
            self.when = later((before, Instant::now()), duration);
            if let (Deadline::Interval(span), Some(_)) = (deadline, self.when) {
                self.period = period(span);
            }
        }
        // The task that waits is woken at the new time, whatever happened at the old one.
        if let Some((_, since)) = &mut self.armed {
            *since = before;
        }
        self.check();
    }

    fn poll(&mut self, task: usize, on: impl FnOnce(&mut Timer, Waker) -> Poll<Option<Instant>>) {
        let before = Instant::now();
        let result = on(&mut self.timer, self.tasks[task].waker());
        let after = Instant::now();
        match (result, self.when) {
            (Poll::Ready(None), _) => panic!("the stream of a timer has ended"),
            (Poll::Ready(Some(_)), None) => panic!("a timer without a deadline has fired"),
            (Poll::Ready(Some(fired)), Some((earliest, latest))) => {
                assert!(fired <= after, "early by {:?}", fired - after);
                assert!(
                    earliest <= fired && fired <= latest,
                    "fired for {fired:?}, not for {earliest:?} to {latest:?}",
                );
                self.when = self.period.and_then(|period| later((fired, fired), period));
                self.armed = self.when.map(|_| (task, before));
            }
            (Poll::Pending, Some((_, latest))) => {
                // An interval that lags behind gives way to others now and then. Its task is
                // woken all the same, which `finish` wants to see.
                let gives_way = self.lags(latest, before);
                assert!(
                    before < latest || gives_way,
                    "pending {:?} after it was due",
                    before - latest,
                );
                self.armed = Some((task, before));
            }
            // Without a deadline a poll leaves nothing behind.
            (Poll::Pending, None) => {}
        }
        self.check();
    }

    /// Whether it is an interval whose next tick, too, is overdue.
    fn lags(&self, due: Instant, now: Instant) -> bool {
        self.period.and_then(|period| due.checked_add(period)).is_some_and(|next| next <= now)
    }

    fn check(&self) {
        assert_eq!(self.timer.will_fire(), self.when.is_some(), "{:?}", self.timer);
    }

    async fn finish(self, end: Instant, driving: bool) {
        if let (Some((earliest, latest)), Some((task, since))) = (self.when, self.armed)
            && latest <= end
        {
            let what = format!("task {task} of {:?}", self.timer);
            self.tasks[task].woken_since(earliest.max(since), driving, &what).await;
        }
    }
}

fn poll(timer: &mut Timer, waker: &Waker) -> Poll<Option<Instant>> {
    Pin::new(timer).poll_next(&mut Context::from_waker(waker))
}

async fn run(program: Program) {
    let mut slots: [Option<Slot>; SLOTS] = Default::default();
    for operation in program.operations.into_iter().take(MOST_OPERATIONS) {
        match operation {
            Operation::Make { slot, deadline } => {
                slots[usize::from(slot) % SLOTS] = Some(Slot::new(deadline));
            }
            Operation::Poll { slot, task } => {
                if let Some(slot) = &mut slots[usize::from(slot) % SLOTS] {
                    slot.poll(usize::from(task) % TASKS, |timer, waker| poll(timer, &waker));
                }
            }
            Operation::PollElsewhere { slot, task, driving } => {
                if let Some(slot) = &mut slots[usize::from(slot) % SLOTS] {
                    slot.poll(usize::from(task) % TASKS, |timer, waker| {
                        let mut moved = std::mem::replace(timer, Timer::never());
                        let there = thread::spawn(move || {
                            let result = if driving {
                                async_wheel::block_on(async { poll(&mut moved, &waker) })
                            } else {
                                poll(&mut moved, &waker)
                            };
                            (moved, result)
                        });
                        let (back, result) = there.join().expect("a poll does not panic");
                        *timer = back;
                        result
                    });
                }
            }
            Operation::Set { slot, deadline } => {
                if let Some(slot) = &mut slots[usize::from(slot) % SLOTS] {
                    slot.set(deadline);
                }
            }
            Operation::Drop { slot } => slots[usize::from(slot) % SLOTS] = None,
            Operation::Pass { time, driving } => pass(time, driving).await,
        }
    }
    let end = Instant::now() + HORIZON;
    for slot in slots.into_iter().flatten() {
        slot.finish(end, program.driving).await;
    }
}

fuzz_target!(|program: Program| {
    common::run(program.inside, run(program));
});
