//! `Timer` as it ships, with all of its interface, on the shipped shards, wheel and rounds and
//! against what the documentation promises. The clock is moved by the input, which makes every
//! promise exact: nothing early, nothing late, each wake that is owed and no other.

#![cfg_attr(not(miri), no_main)]

extern crate alloc;

#[path = "../../src/handoff/mod.rs"]
mod handoff;
#[path = "../../src/reactor/mod.rs"]
mod reactor;
#[path = "../../src/timer/mod.rs"]
mod timer;
#[path = "../../src/wheel/mod.rs"]
mod wheel;

#[path = "../stand_in/mod.rs"]
mod stand_in;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use clock::NEVER;
use futures_lite::Stream;
use stand_in::span::Span;
use stand_in::stage::SHARDS;
use stand_in::{clock, driver, stage, sync, sys, tasks};
use tasks::{Task, step};
use timer::{MissedTicks, Timer};

/// Timers of a program.
const SLOTS: usize = 6;
/// Tasks that poll them.
const TASKS: usize = 4;
/// The most operations of a program.
const MOST_OPERATIONS: usize = 96;
/// The longest that timers wait for others: each is exact here, so that the model knows when it fires.
pub(crate) const COALESCING_BOUND: u64 = 0;
/// Ticks in a row that a timer takes, as documented, until it leaves others a turn.
const BURST: u32 = 1_024;

/// Ticks of a period as long as this, in nanoseconds, need not be counted: nobody misses so many.
const UNCOUNTED: u128 = 1 << 43;

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
    Set {
        slot: u8,
        deadline: Deadline,
    },
    Poll {
        slot: u8,
        task: u8,
        /// As a future and not as a stream.
        future: bool,
        /// Which make of waker.
        make: bool,
    },
    /// Polls again and again, as long as it is ready.
    Drain {
        slot: u8,
        task: u8,
        most: u16,
    },
    /// Uses an interval as it is meant: polls, sleeps, and again.
    Beat {
        slot: u8,
        task: u8,
        times: u8,
    },
    /// Says what is wanted of a timer.
    Ask {
        slot: u8,
        missed: u8,
        slack: Option<Span>,
    },
    Drop {
        slot: u8,
    },
    Pass(Span),
    /// Rounds without sleeping.
    Round {
        shard: u8,
    },
    /// A round asleep. Meanwhile, another thread does something.
    Sleep {
        shard: u8,
        meanwhile: Meanwhile,
    },
    /// What a task does the next time it is woken.
    OnWake {
        task: u8,
        meanwhile: Meanwhile,
    },
    /// Where new entries go.
    Place {
        shard: u8,
    },
    /// The next entry is refused.
    Refuse,
    /// The next wait of a poller fails.
    Fail {
        shard: u8,
    },
}

/// What happens inside something else.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Meanwhile {
    Nothing,
    Panic,
    Set {
        slot: u8,
        deadline: Deadline,
    },
    Poll {
        slot: u8,
        task: u8,
    },
    Make {
        slot: u8,
        deadline: Deadline,
        task: u8,
    },
    Drop {
        slot: u8,
    },
    /// Another thread drives, while wakers are out.
    Round {
        shard: u8,
    },
    /// More time passes than the driver meant to sleep.
    Pass(Span),
}

#[derive(Debug, Arbitrary)]
struct Program {
    start: u8,
    /// By how much the cheap clock is behind the exact one.
    behind: u8,
    operations: Vec<Operation>,
}

/// A timer and what is known of it.
struct Slot {
    timer: Timer,
    when: Option<Instant>,
    period: Option<Duration>,
    missed: MissedTicks,
    /// In nanoseconds.
    slack: Option<u64>,
    entry: Option<Entry>,
    /// Ticks in a row, since it was set, was polled before it was due, or gave way.
    row: u32,
    /// Of these, ticks in a row with the next one overdue each time.
    lagging: u32,
    /// Whether it has left others a turn and was not woken since.
    gave_way: bool,
}

/// What is to become of a timer that was polled.
#[derive(Clone, Copy, Debug)]
struct Entry {
    shard: usize,
    /// The timer's when it was polled.
    slack: Option<u64>,
    /// When its task is to be woken, unless that is over or was taken back.
    deadline: Option<u64>,
    task: usize,
    /// Since when its task is owed a wake.
    owed: Option<usize>,
}

#[derive(Default)]
struct World {
    slots: [Option<Slot>; SLOTS],
    tasks: Vec<Arc<Task>>,
    /// For each task, the most wakes that can have come.
    allowed: [usize; TASKS],
    on_wake: [Option<Meanwhile>; TASKS],
    meanwhile: Option<Meanwhile>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::default());
    /// Whether somebody drove while wakers of another round were out: then two wakes of a task may
    /// be one.
    static MERGED: Cell<bool> = const { Cell::new(false) };
}

fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

/// A period of more than 146 years means that there is no next tick.
fn period(span: Span) -> Option<Duration> {
    let period = span.duration();
    (period.as_nanos() < (1 << 62) - 1).then_some(period)
}

/// A period of more than 312 days leaves no room for what is asked.
fn leaves_room(period: Option<Duration>) -> bool {
    period.is_none_or(|period| period.as_nanos() < (1 << 56) - 1 - 5_120 * UNCOUNTED)
}

impl Slot {
    fn new(deadline: Deadline) -> Slot {
        let now = clock::now();
        let (timer, when, period) = match deadline {
            Deadline::Never => (Timer::never(), None, None),
            Deadline::After(span) => {
                (Timer::after(span.duration()), now.checked_add(span.duration()), None)
            }
            Deadline::At { distance, past } => match distance.away(past) {
                Some(at) => (Timer::at(at), Some(at), None),
                None => (Timer::never(), None, None),
            },
            Deadline::Interval(span) => {
                let timer = Timer::interval(span.duration());
                (timer, now.checked_add(span.duration()), period(span))
            }
            Deadline::IntervalAt { distance, past, period: span } => match distance.away(past) {
                Some(at) => (Timer::interval_at(at, span.duration()), Some(at), period(span)),
                None => (Timer::never(), None, None),
            },
        };
        // An interval that cannot be counted to is a timer that never fires, without a period.
        let period = when.and(period);
        let slot = Slot {
            timer,
            when,
            period,
            missed: MissedTicks::Burst,
            slack: None,
            entry: None,
            row: 0,
            lagging: 0,
            gave_way: false,
        };
        slot.check();
        slot
    }

    fn set(&mut self, deadline: Deadline) {
        let now = clock::now();
        match deadline {
            Deadline::Never => {
                self.timer.clear();
                self.when = None;
            }
            Deadline::After(span) => {
                self.timer.set_after(span.duration());
                self.when = now.checked_add(span.duration());
            }
            Deadline::At { distance, past } => {
                let Some(at) = distance.away(past) else { return };
                self.timer.set_at(at);
                self.when = Some(at);
            }
            Deadline::Interval(span) => {
                self.timer.set_interval(span.duration());
                self.when = now.checked_add(span.duration());
                if self.when.is_some() {
                    self.period = period(span);
                }
            }
            Deadline::IntervalAt { distance, past, period: span } => {
                let Some(at) = distance.away(past) else { return };
                self.timer.set_interval_at(at, span.duration());
                self.when = Some(at);
                self.period = period(span);
            }
        }
        if !leaves_room(self.period) {
            (self.missed, self.slack) = (MissedTicks::Burst, None);
        }
        (self.row, self.lagging, self.gave_way) = (0, 0, false);
        // Whoever polled last is woken at the new time.
        if let Some(entry) = &mut self.entry {
            entry.deadline = self.when.map(clock::wheel_time);
        }
        self.check();
    }

    fn ask(&mut self, missed: u8, slack: Option<Span>) {
        let missed =
            [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay][usize::from(missed % 3)];
        self.timer.set_missed_ticks(missed);
        if let Some(slack) = slack {
            let timer = mem::replace(&mut self.timer, Timer::never());
            self.timer = timer.with_slack(slack.duration());
        }
        if leaves_room(self.period) {
            self.missed = missed;
            let given = self.timer.slack();
            if let Some(slack) = slack {
                // One process cannot have as many as it is asked for here. What no number of
                // nanoseconds says has no end.
                let asked = clock::saturating_nanos(slack.duration());
                assert!(given.is_some_and(|given| clock::saturating_nanos(given) <= asked));
            }
            self.slack = given.map(clock::saturating_nanos);
        }
        self.check();
    }

    /// When the next tick is due if the one of `when` is taken at `now`.
    fn next(&self, when: Instant, now: Instant) -> Option<Instant> {
        let period = self.period?;
        let next = when.checked_add(period);
        match self.missed {
            MissedTicks::Skip if next.is_some_and(|next| next <= now) => {
                let late = (now - when).as_nanos();
                let Some(missed) = late.checked_div(period.as_nanos()) else { return Some(now) };
                let nanos = (missed + 1) * period.as_nanos();
                let seconds = (nanos / 1_000_000_000) as u64;
                when.checked_add(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
            }
            MissedTicks::Delay => now.checked_add(period),
            _ => next,
        }
    }

    /// The poll is expected to leave this task's waker behind, for this deadline, where it is. A timer
    /// that gives way is exact. One that is refused a place keeps its entry if that has the slack that
    /// is wanted; else all stays as it was, and the task is woken to poll again.
    fn arm(&mut self, deadline: Instant, task: usize, refused: bool, gives_way: bool) {
        let slack = if gives_way { self.slack.map(|_| 0) } else { self.slack };
        let mut shard = stage::current();
        if refused {
            let anew = gives_way && slack.is_some();
            match &self.entry {
                Some(entry) if entry.slack == slack && !anew => shard = entry.shard,
                _ => return with(|world| world.allowed[task] += 1),
            }
        }
        let deadline = Some(clock::wheel_time(deadline));
        self.entry = Some(Entry { shard, slack, deadline, task, owed: None });
    }

    fn poll(&mut self, task: usize, future: bool, make: bool) -> bool {
        let now = clock::now();
        let refused = stage::refused();
        let waker = with(|world| world.tasks[task].clone()).waker(make);
        let cx = &mut Context::from_waker(&waker);
        let timer = Pin::new(&mut self.timer);
        let result = if future { timer.poll(cx).map(Some) } else { timer.poll_next(cx) };
        let refused = stage::refused() > refused;
        let Some(when) = self.when else {
            assert!(result.is_pending(), "a timer without a deadline has fired");
            return false;
        };
        // By the clock before the poll: one that is refused a place pauses.
        let next = self.next(when, now);
        let makes_up = self.missed == MissedTicks::Burst;
        let lags = next.is_some_and(|next| next <= now || !makes_up);
        match result {
            Poll::Ready(fired) => {
                let fired = fired.expect("the stream of a timer has no end");
                assert!(when <= now, "early by {:?}", when - now);
                assert_eq!(fired, when, "the instant at which it was due");
                self.row += 1;
                self.lagging = if lags { self.lagging + 1 } else { 0 };
                self.gave_way = false;
                self.when = next;
                match next {
                    Some(next) => self.arm(next, task, refused, false),
                    None => self.entry = None,
                }
            }
            Poll::Pending => {
                let gives_way = when <= now;
                if gives_way {
                    let row = self.row;
                    assert!(lags, "pending {:?} after it was due", now - when);
                    assert!(self.gave_way || row >= BURST - 2, "gives way after {row} ticks");
                    self.gave_way = true;
                }
                (self.row, self.lagging) = (0, 0);
                self.arm(when, task, refused, gives_way);
            }
        }
        self.check();
        result.is_ready()
    }

    fn check(&self) {
        assert_eq!(self.timer.will_fire(), self.when.is_some(), "{:?}", self.timer);
    }
}

/// Takes a timer out of the world for as long as something is done with it: that may run tasks,
/// which find it busy.
fn at(slot: u8, f: impl FnOnce(&mut Slot)) {
    let index = usize::from(slot) % SLOTS;
    if let Some(mut slot) = with(|world| world.slots[index].take()) {
        f(&mut slot);
        let replaced = with(|world| world.slots[index].replace(slot));
        drop(replaced);
    }
}

fn put(slot: u8, new: Option<Slot>) {
    let replaced =
        with(|world| std::mem::replace(&mut world.slots[usize::from(slot) % SLOTS], new));
    drop(replaced);
}

fn poll(slot: u8, task: u8, future: bool, make: bool) {
    at(slot, |slot| {
        slot.poll(usize::from(task) % TASKS, future, make);
    });
}

/// A driver is about to sleep in this shard's poller until a deadline. Something happens meanwhile;
/// after that, either the sleep ends in time for all timers or the driver was notified.
fn falls_asleep(shard: usize, until: u64) {
    let meanwhile = with(|world| world.meanwhile.take());
    if let Some(meanwhile) = meanwhile {
        tasks::elsewhere(|| meanwhile.happen());
    }
    if stage::shard(shard).poller().is_notified() {
        return;
    }
    let now = clock::wheel_now();
    with(|world| {
        for entry in world.slots.iter().flatten().filter_map(|slot| slot.entry.as_ref()) {
            let armed = entry.deadline.filter(|&deadline| deadline < NEVER);
            if let Some(deadline) = armed.filter(|_| entry.shard == shard) {
                let latest = match entry.slack {
                    Some(slack) => deadline.saturating_add(slack).max(now),
                    None => deadline.max(now),
                };
                let late = until.saturating_sub(latest);
                assert_eq!(late, 0, "asleep for {late} ns too long");
            }
        }
    });
}

/// A poller's wait is over: timers that are due fire next.
fn wait_is_over(shard: usize) {
    let now = clock::wheel_now();
    let step = step();
    with(|world| {
        for slot in world.slots.iter_mut().flatten() {
            let Some(entry) = &mut slot.entry else { continue };
            let due = entry.deadline.is_some_and(|deadline| deadline <= now && deadline < NEVER);
            if due && entry.shard == shard {
                entry.deadline = None;
                entry.owed = Some(step);
                slot.gave_way = false;
                world.allowed[entry.task] += 1;
            }
        }
    });
}

/// Everybody who was due is woken, and nobody else.
fn check() {
    with(|world| {
        for entry in world.slots.iter_mut().flatten().filter_map(|slot| slot.entry.as_mut()) {
            if let Some(owed) = entry.owed.take() {
                let last = world.tasks[entry.task].last_wake();
                assert!(last > owed, "lost wake of task {}", entry.task);
            }
        }
        for (task, &allowed) in world.tasks.iter().zip(&world.allowed) {
            let wakes = task.wakes();
            assert!(wakes <= allowed, "{wakes} wakes where {allowed} were due");
            assert!(wakes == allowed || MERGED.get(), "{wakes} wakes where {allowed} were due");
        }
    });
}

/// What a task does when it is woken.
fn woken(task: usize) {
    let Some(meanwhile) = with(|world| world.on_wake[task].take()) else { return };
    meanwhile.happen();
}

impl Meanwhile {
    fn happen(self) {
        match self {
            Meanwhile::Nothing => {}
            Meanwhile::Panic => tasks::panic_on_purpose(),
            Meanwhile::Set { slot, deadline } => at(slot, |slot| slot.set(deadline)),
            Meanwhile::Poll { slot, task } => poll(slot, task, false, false),
            Meanwhile::Make { slot, deadline, task } => {
                put(slot, Some(Slot::new(deadline)));
                poll(slot, task, false, true);
            }
            Meanwhile::Drop { slot } => put(slot, None),
            Meanwhile::Round { shard } => {
                MERGED.set(true);
                stage::rounds(usize::from(shard) % SHARDS);
            }
            Meanwhile::Pass(span) => span.pass(),
        }
    }
}

fn perform(operation: Operation) {
    match operation {
        Operation::Make { slot, deadline } => put(slot, Some(Slot::new(deadline))),
        Operation::Set { slot, deadline } => at(slot, |slot| slot.set(deadline)),
        Operation::Poll { slot, task, future, make } => poll(slot, task, future, make),
        Operation::Drain { slot, task, most } => at(slot, |slot| {
            let task = usize::from(task) % TASKS;
            for _ in 0..most % 4_096 {
                if slot.when.is_none_or(|when| when > clock::now()) || !slot.poll(task, false, true)
                {
                    return;
                }
                let taken = slot.lagging;
                let counts = slot.period.is_some_and(|period| period.as_nanos() < UNCOUNTED);
                assert!(taken <= 2 * BURST || !counts, "never gives way, not in {taken} ticks");
            }
        }),
        Operation::Beat { slot, task, times } => {
            for _ in 0..times {
                poll(slot, task, false, false);
                with(|world| world.meanwhile = None);
                sleep(stage::current());
            }
        }
        Operation::Ask { slot, missed, slack } => at(slot, |slot| slot.ask(missed, slack)),
        Operation::Drop { slot } => put(slot, None),
        Operation::Pass(span) => span.pass(),
        Operation::Round { shard } => {
            stage::rounds(usize::from(shard) % SHARDS);
            settle();
        }
        Operation::Sleep { shard, meanwhile } => {
            with(|world| world.meanwhile = Some(meanwhile).filter(|m| !m.panics()));
            sleep(usize::from(shard) % SHARDS);
        }
        Operation::OnWake { task, meanwhile } => {
            with(|world| world.on_wake[usize::from(task) % TASKS] = Some(meanwhile));
        }
        Operation::Place { shard } => stage::set_current(usize::from(shard)),
        Operation::Refuse => stage::refuse(),
        Operation::Fail { shard } => stage::shard(usize::from(shard)).poller().fail(),
    }
}

impl Meanwhile {
    /// A panic on another thread, or a driver there, which would want the seat of who sleeps.
    fn panics(self) -> bool {
        matches!(self, Meanwhile::Panic | Meanwhile::Round { .. })
    }
}

fn sleep(shard: usize) {
    if clock::wheel_now() < NEVER / 2 {
        stage::sleep(shard);
        settle();
    }
}

/// Rounds until nothing is due any more, and then a look at the wakes.
fn settle() {
    for shard in 0..SHARDS {
        stage::rounds(shard);
    }
    check();
}

fn run(program: Program) {
    clock::set(u64::from(program.start) << 12, u64::from(program.behind) << 19);
    MERGED.set(false);
    let tasks: Vec<_> = (0..TASKS).map(|task| Task::new(move || woken(task))).collect();
    WORLD.set(World { tasks: tasks.clone(), ..World::default() });
    stage::begin(stage::Hooks { asleep: falls_asleep, over: wait_is_over, reported: |_, _| {} });
    for operation in program.operations.into_iter().take(MOST_OPERATIONS) {
        perform(operation);
    }
    with(|world| world.on_wake = Default::default());
    // Sleeps until all that comes within half of wheel time has come.
    settle();
    for shard in (0..SHARDS).cycle().take(2 * SHARDS * SLOTS) {
        sleep(shard);
    }
    let left = with(|world| std::mem::take(&mut world.slots));
    drop(left);
    for shard in 0..SHARDS {
        assert_eq!(stage::shard(shard).timer_count(), 0, "entries of timers that are gone");
    }
    stage::end();
    WORLD.set(World::default());
    for task in &tasks {
        assert_eq!(Arc::strong_count(task), 1, "a waker is kept for good");
    }
}

#[cfg(not(miri))]
libfuzzer_sys::fuzz_target!(|program: Program| run(program));

#[cfg(miri)]
fn main() {
    stand_in::replay::files(run);
}
