//! `DelayQueue` as it ships, with all of its interface and that of its handles, on the shipped
//! timers, shards, wheel and rounds, beside an exact model. The clock is moved by the input.
//! Wakers and values use handles at the worst times, and panic.

#![cfg_attr(not(miri), no_main)]

extern crate alloc;

#[path = "../../src/time/delay_queue/mod.rs"]
mod delay_queue;
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

#[path = "delay_queue/hands.rs"]
mod hands;
#[path = "delay_queue/happening.rs"]
mod happening;
#[path = "delay_queue/model.rs"]
mod model;
#[path = "delay_queue/owner.rs"]
mod owner;
#[path = "delay_queue/value.rs"]
mod value;
#[path = "delay_queue/world.rs"]
mod world;

use arbitrary::Arbitrary;
use clock::NEVER;
use hands::{Action, Deadline};
use happening::Meanwhile;
use span::Span;
use stage::SHARDS;
use stand_in::{clock, driver, span, stage, sync, sys, tasks};
use tasks::Event;
use value::Kind;

/// The longest that dense timers wait for others, in nanoseconds.
pub(crate) const COALESCING_BOUND: u64 = reactor::LONGEST_DELAY;

/// The most operations of a program.
const MOST_OPERATIONS: usize = 96;
/// The most queues of a program.
const MOST_QUEUES: usize = 8;
/// The most entries that are inserted at once.
const MOST_AT_ONCE: u8 = 64;

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Operation {
    Insert {
        queue: bool,
        kind: Kind,
        deadline: Deadline,
    },
    /// Many entries with the same deadline.
    InsertMany {
        queue: bool,
        deadline: Deadline,
        count: u8,
    },
    Reset {
        queue: bool,
        pick: u8,
        deadline: Deadline,
    },
    Remove {
        queue: bool,
        pick: u8,
        strict: bool,
    },
    GetMut {
        queue: bool,
        pick: u8,
    },
    Clear {
        queue: bool,
    },
    Reserve {
        queue: bool,
        additional: u16,
    },
    Shrink {
        queue: bool,
    },
    Poll {
        queue: bool,
        task: u8,
        /// Which make of waker.
        make: bool,
    },
    /// Polls again and again, as long as something comes.
    Drain {
        queue: bool,
        task: u8,
    },
    Handle {
        queue: bool,
        slot: u8,
    },
    Clone {
        queue: bool,
        slot: u8,
    },
    Send {
        queue: bool,
        slot: u8,
        kind: Kind,
        deadline: Deadline,
    },
    Use {
        queue: bool,
        slot: u8,
        action: Action,
    },
    DropHandle {
        queue: bool,
        slot: u8,
    },
    DropQueue {
        queue: bool,
    },
    /// Another queue in place of one that is gone.
    Another,
    Pass(Span),
    /// Rounds without sleeping.
    Round {
        shard: u8,
    },
    /// A round asleep. Meanwhile, another thread does something.
    Sleep {
        shard: u8,
        meanwhile: Option<Meanwhile>,
    },
    /// What a task does the next time that one of its wakers is woken.
    OnWake {
        queue: bool,
        task: u8,
        action: Meanwhile,
    },
    OnClone {
        queue: bool,
        task: u8,
        action: Meanwhile,
    },
    OnDrop {
        queue: bool,
        task: u8,
        action: Meanwhile,
    },
    /// Where new entries of timers go.
    Place {
        shard: u8,
    },
    /// The next entry of a timer is refused.
    Refuse,
    /// The next wait of a poller fails.
    Fail {
        shard: u8,
    },
}

#[derive(Debug, Arbitrary)]
struct Program {
    start: u8,
    /// By how much the cheap clock is behind the exact one.
    behind: u8,
    operations: Vec<Operation>,
}

/// A driver is about to sleep in this shard's poller until a deadline. Something happens meanwhile;
/// after that, either the sleep ends in time for all queues or the driver was notified.
fn falls_asleep(shard: usize, until: u64) {
    if let Some(meanwhile) = world::take_meanwhile() {
        tasks::elsewhere(|| _ = happening::happen(meanwhile, true));
    }
    if stage::shard(shard).poller().is_notified() {
        return;
    }
    for side in 0..world::sides() {
        if !waits(side) || world::model(side, |model| model.shard != Some(shard)) {
            continue;
        }
        if let Some(first) = world::model(side, |model| model.first()) {
            let latest = clock::wheel_time(first.max(clock::now()) + model::DELAY);
            let late = until.saturating_sub(latest);
            assert_eq!(late, 0, "asleep for {late} ns too long");
        }
    }
}

/// Whether a task waits for a queue, and was not woken.
fn waits(side: usize) -> bool {
    let wait = world::model(side, |model| model.wait);
    wait.is_some_and(|wait| !world::is_woken(side, wait.task, wait.since))
}

/// A task that goes on waiting misses nothing that has happened to its queue.
fn check(after_rounds: bool) {
    for side in (0..world::sides()).filter(|&side| waits(side)) {
        world::model(side, |model| {
            assert!(model.inbox.is_empty(), "lost wake: of a handle");
            assert!(!model.is_over(), "lost wake: of the end");
            if after_rounds {
                let late = model.must_wake().is_some_and(|latest| latest <= clock::now());
                assert!(!late, "lost wake: of a deadline");
            }
        });
    }
}

fn perform(operation: Operation) {
    let side = world::side;
    match operation {
        Operation::Insert { queue, kind, deadline } => owner::insert(side(queue), kind, deadline),
        Operation::InsertMany { queue, deadline, count } => {
            for _ in 0..count % MOST_AT_ONCE {
                owner::insert(side(queue), Kind::PLAIN, deadline);
            }
        }
        Operation::Reset { queue, pick, deadline } => owner::reset(side(queue), pick, deadline),
        Operation::Remove { queue, pick, strict } => owner::remove(side(queue), pick, strict),
        Operation::GetMut { queue, pick } => {
            owner::look(side(queue), pick);
            owner::get_mut(side(queue), pick);
        }
        Operation::Clear { queue } => owner::clear(side(queue)),
        Operation::Reserve { queue, additional } => owner::reserve(side(queue), additional),
        Operation::Shrink { queue } => owner::shrink_to_fit(side(queue)),
        Operation::Poll { queue, task, make } => _ = owner::poll(side(queue), task, make),
        Operation::Drain { queue, task } => while owner::poll(side(queue), task, false) {},
        Operation::Handle { queue, slot } => owner::handle(side(queue), slot),
        Operation::Clone { queue, slot } => {
            if let Some(clone) = hands::another(side(queue)) {
                hands::put(side(queue), slot, clone);
            }
        }
        Operation::Send { queue, slot, kind, deadline } => {
            let side = side(queue);
            hands::with(side, slot, |handle| hands::insert(side, handle, kind, deadline));
        }
        Operation::Use { queue, slot, action } => {
            let side = side(queue);
            hands::with(side, slot, |handle| action.perform(side, handle));
        }
        Operation::DropHandle { queue, slot } => {
            if let Some(handle) = world::take_handle(side(queue), slot) {
                hands::dispose(side(queue), handle);
            }
        }
        Operation::DropQueue { queue } => owner::drop_queue(side(queue)),
        Operation::Another => {
            if world::sides() < MOST_QUEUES {
                world::add();
            }
        }
        Operation::Pass(span) => span.pass(),
        Operation::Round { shard } => {
            stage::rounds(usize::from(shard) % SHARDS);
        }
        Operation::Sleep { shard, meanwhile } => {
            world::set_meanwhile(meanwhile.filter(|meanwhile| !meanwhile.needs_own_thread()));
            sleep(usize::from(shard) % SHARDS);
        }
        Operation::OnWake { queue, task, action } => {
            world::set_action(side(queue), task.into(), Event::Woken, action);
        }
        Operation::OnClone { queue, task, action } => {
            world::set_action(side(queue), task.into(), Event::Cloned, action);
        }
        Operation::OnDrop { queue, task, action } => {
            world::set_action(side(queue), task.into(), Event::Dropped, action);
        }
        Operation::Place { shard } => stage::set_current(usize::from(shard)),
        Operation::Refuse => stage::refuse(),
        Operation::Fail { shard } => stage::shard(usize::from(shard)).poller().fail(),
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
    check(true);
}

/// Serves each task that was woken, and comes to each deadline that is next, as often as that
/// finds something to do.
fn come_to_the_end() {
    for _ in 0..MOST_OPERATIONS {
        settle();
        let mut next: Option<u64> = None;
        for side in 0..world::sides() {
            let Some(wait) = world::model(side, |model| model.wait) else { continue };
            if !waits(side) {
                while owner::poll(side, wait.task as u8, true) {}
                owner::look(side, 0);
            }
            let first = world::model(side, |model| model.wait.and(model.must_wake()));
            let first = first.map(clock::wheel_time).filter(|&first| first < NEVER / 2);
            next = next.into_iter().chain(first).min();
        }
        check(false);
        let Some(next) = next else { return };
        clock::advance_to(next);
    }
}

fn run(program: Program) {
    clock::set(u64::from(program.start) << 12, u64::from(program.behind) << 19);
    value::begin();
    stage::begin(stage::Hooks { asleep: falls_asleep, over: |_| {}, reported: |_, _| {} });
    world::begin();
    for operation in program.operations.into_iter().take(MOST_OPERATIONS) {
        perform(operation);
        check(false);
    }
    world::still();
    come_to_the_end();
    for side in 0..world::sides() {
        // In either order.
        if program.start % 2 == 0 {
            world::drop_handles(side);
            check(false);
        }
        owner::drop_queue(side);
    }
    (0..world::sides()).for_each(world::drop_handles);
    for shard in 0..SHARDS {
        assert_eq!(stage::shard(shard).timer_count(), 0, "entries of timers that are gone");
    }
    stage::end();
    world::end();
    value::end();
}

#[cfg(not(miri))]
libfuzzer_sys::fuzz_target!(|program: Program| run(program));

#[cfg(miri)]
fn main() {
    stand_in::replay::files(run);
}
