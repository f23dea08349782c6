//! `Async` as it ships, with its futures, poll methods and operations, on the shipped shards and
//! sources, over descriptors that are modelled: those report, and refuse, what the input says, and
//! things happen between an operation and the wait that follows it. Whoever waits for something
//! that is so has to be woken.

#![cfg_attr(not(miri), no_main)]

extern crate alloc;

#[path = "../../src/handoff/mod.rs"]
mod handoff;
#[path = "../../src/reactor/mod.rs"]
mod reactor;
#[path = "../../src/wheel/mod.rs"]
mod wheel;

#[path = "../stand_in/io.rs"]
mod io;
#[path = "../stand_in/mod.rs"]
mod stand_in;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arbitrary::Arbitrary;
use futures_io::{AsyncRead, AsyncWrite};
use io::Async;
use reactor::Interest;
use stand_in::stage::SHARDS;
use stand_in::{clock, driver, stage, sync, sys, tasks};
use sys::descriptor;
use sys::{Descriptor, Event, File, Registration};
use tasks::{Task, step};

/// The longest that dense timers wait for others, in nanoseconds.
pub(crate) const COALESCING_BOUND: u64 = reactor::LONGEST_DELAY;

/// Sources of a program.
const SLOTS: usize = 4;
/// Tasks that wait for them.
const TASKS: usize = 5;
/// Futures for each direction of a source.
const FUTURES: usize = 3;
/// The most operations of a program.
const MOST_OPERATIONS: usize = 96;
/// Events in a row that nobody waits for, after which none comes any more: the documented eight,
/// for each direction.
const UNCLAIMED: usize = 16;

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Direction {
    Read,
    Write,
}

/// Who does the operation, and what an operation that would block proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
enum Manner {
    /// The crate's own operation.
    Own,
    /// One of the crate's own that reads a stream, and may leave out what finds nothing.
    Stream,
    /// A user's `Read` and `Write`, which pass on what the system says.
    User,
    /// A user's, which say that it would block when they like: a frame that is not complete, or
    /// a terminal that somebody else reads from.
    Liar,
}

/// What comes between an operation that would block and the wait.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Between {
    Nothing,
    Arrives {
        turn: bool,
    },
    Taken {
        turn: bool,
    },
    Round,
    /// The wait's change of the registration fails.
    Refused,
}

#[expect(clippy::enum_variant_names, reason = "an operation, polled")]
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Operation {
    /// Registers a new file; or fails, if the number is in use.
    Open {
        slot: u8,
        shard: u8,
        edge: bool,
    },
    Close {
        slot: u8,
        /// By `into_inner`.
        keep: bool,
    },
    /// Puts another file in the place of the one that is registered, which stays open elsewhere,
    /// and registers that one.
    Replace {
        slot: u8,
        by: u8,
        edge: bool,
    },
    /// Data comes, or room; or it is taken by somebody else.
    Arrive {
        slot: u8,
        direction: Direction,
        bytes: u8,
    },
    Take {
        slot: u8,
        direction: Direction,
    },
    End {
        slot: u8,
    },
    /// An operation by a poll method.
    PollOperation {
        slot: u8,
        direction: Direction,
        manner: Manner,
        between: Between,
        bytes: u8,
        task: u8,
        make: bool,
    },
    /// `poll_readable` and `poll_writable`.
    PollEvent {
        slot: u8,
        direction: Direction,
        task: u8,
        make: bool,
    },
    /// `readable` and `writable`, or with a manner the futures of operations.
    PollFuture {
        slot: u8,
        direction: Direction,
        manner: Option<Manner>,
        between: Between,
        place: u8,
        task: u8,
    },
    DropFuture {
        slot: u8,
        direction: Direction,
        place: u8,
    },
    /// Data comes and is taken again, many times, with nobody waiting.
    Flood {
        slot: u8,
        direction: Direction,
    },
    Round {
        shard: u8,
    },
    /// An event that nothing has caused, or of a source that is gone.
    Pretend {
        key: u8,
        readable: bool,
        writable: bool,
    },
    /// How many events a wait reports.
    Capacity {
        shard: u8,
        events: u8,
    },
    /// The next wait fails, or the next change of a registration.
    Fail {
        shard: u8,
    },
    Refuse,
    OnWake {
        task: u8,
        does: OnWake,
    },
}

/// What a task does when it is woken.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum OnWake {
    Panic,
    Arrive { slot: u8, direction: Direction },
    Poll { slot: u8, direction: Direction, manner: Manner, task: u8 },
    Close { slot: u8 },
    Round { shard: u8 },
}

/// Somebody who was told `Pending`.
#[derive(Clone, Copy)]
struct Waiters {
    task: usize,
    since: usize,
    /// Events of the direction until then.
    seen: usize,
    /// Whether it waits for an operation of a user's that lies.
    lies: bool,
}

type Wait = Pin<Box<dyn Future<Output = Result<usize>>>>;

#[derive(Default)]
struct Side {
    /// Who waits in the poll methods.
    waiting: Option<Waiters>,
    /// Events when a poll method last said `Pending`, unless `poll_event` was ready since. At least
    /// so many, and at most: a task that was replaced by that poll may have acted in its wake.
    pending: Option<(usize, usize)>,
    futures: [Option<(Wait, Waiters)>; FUTURES],
}

struct Slot {
    io: Arc<Async<Descriptor>>,
    file: Rc<File>,
    /// Where it is registered.
    place: Option<(usize, usize)>,
    /// Events that were reported in other places before.
    elsewhere: [usize; 2],
    sides: [Side; 2],
    /// Whether its number names another file.
    replaced: bool,
    /// Whether its number has another owner: then nobody waits for it any more.
    stale: bool,
}

#[derive(Default)]
struct World {
    slots: [Option<Slot>; SLOTS],
    tasks: Vec<Arc<Task>>,
    on_wake: [Option<OnWake>; TASKS],
    /// Tasks whose place another one took, and since when they had waited there.
    replaced: Vec<(usize, usize)>,
    /// Events that were reported, by shard and key and for each direction.
    seen: BTreeMap<(usize, usize), [usize; 2]>,
    reported: usize,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::default());
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// How often a task has acted in its wake so far.
    static ACTED: Cell<usize> = const { Cell::new(0) };
}

fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

fn seen(place: Option<(usize, usize)>) -> [usize; 2] {
    let seen = |place| with(|world| world.seen.get(&place).copied());
    place.and_then(seen).unwrap_or_default()
}

fn at<R>(slot: u8, f: impl FnOnce(&mut Slot) -> R) -> Option<R> {
    let index = usize::from(slot) % SLOTS;
    let mut slot = with(|world| world.slots[index].take())?;
    let result = f(&mut slot);
    let replaced = with(|world| world.slots[index].replace(slot));
    drop(replaced);
    Some(result)
}

impl Direction {
    fn interest(self) -> Interest {
        match self {
            Direction::Read => Interest::Read,
            Direction::Write => Interest::Write,
        }
    }

    fn is_ready(self, file: &File) -> bool {
        match self {
            Direction::Read => file.is_readable(),
            Direction::Write => file.is_writable(),
        }
    }

    fn arrive(self, file: &Rc<File>, bytes: usize) {
        match self {
            Direction::Read => file.arrive(bytes),
            Direction::Write => file.drain(bytes),
        }
    }

    fn take(self, file: &Rc<File>, bytes: usize) -> Option<usize> {
        match self {
            Direction::Read => file.read(bytes),
            Direction::Write => file.write(bytes),
        }
    }
}

thread_local! {
    /// For the operation that is tried next: what comes after it, and whether it lies.
    static NEXT: Cell<(Between, bool)> = const { Cell::new((Between::Nothing, false)) };
}

impl Descriptor {
    /// The operation, and what comes after it if it would block.
    fn try_once(&self, direction: Direction, bytes: usize) -> Result<usize> {
        let (between, lies) = NEXT.replace((Between::Nothing, false));
        let file = descriptor::file(self.number).ok_or(ErrorKind::NotFound)?;
        if !lies {
            if let Some(done) = direction.take(&file, bytes) {
                return Ok(done);
            }
        }
        between.happen(direction, &file);
        // `EAGAIN`, as the system says it.
        Err(Error::from_raw_os_error(11))
    }
}

impl Read for &Descriptor {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.try_once(Direction::Read, buffer.len())
    }
}

impl Write for &Descriptor {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.try_once(Direction::Write, bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Between {
    fn happen(self, direction: Direction, file: &Rc<File>) {
        match self {
            Between::Nothing => {}
            Between::Refused => descriptor::refuse(),
            Between::Round => rounds_everywhere(),
            Between::Arrives { turn } => {
                direction.arrive(file, 3);
                if turn {
                    rounds_everywhere();
                }
            }
            Between::Taken { turn } => {
                direction.arrive(file, 3);
                if turn {
                    rounds_everywhere();
                }
                direction.take(file, usize::MAX);
            }
        }
    }
}

/// Another thread drives.
fn rounds_everywhere() {
    let before = INSIDE.replace(true);
    (0..SHARDS).for_each(stage::rounds);
    INSIDE.set(before);
}

impl Slot {
    fn open(number: usize, shard: u8, edge: bool) -> Option<Slot> {
        if descriptor::file(number).is_some() {
            return None;
        }
        let file = File::new();
        descriptor::set(number, Some(file.clone()));
        Slot::register(number, file, shard, edge)
    }

    fn register(number: usize, file: Rc<File>, shard: u8, edge: bool) -> Option<Slot> {
        stage::set_current(usize::from(shard));
        let before = sources();
        let descriptor = Descriptor { number, is_taken_away: AtomicBool::new(false) };
        let registration = Registration { number, edge };
        // As a type of the user's, or as what the crate makes itself.
        let wrapped = match shard & 2 {
            0 => Async::register(registration, descriptor),
            _ => io::adopt(registration, descriptor),
        };
        match wrapped {
            Ok(io) => {
                let place = io::place(&io);
                Some(Slot {
                    io: Arc::new(io),
                    file,
                    place,
                    elsewhere: [0; 2],
                    sides: Default::default(),
                    replaced: false,
                    stale: false,
                })
            }
            Err(_) => {
                assert_eq!(sources(), before, "a registration that failed stays in the table");
                None
            }
        }
    }

    fn close(self, keep: bool) {
        let Slot { io, sides, .. } = self;
        // With them go the references that the futures own.
        drop(sides);
        if let Some(io) = Arc::into_inner(io) {
            if keep {
                drop(io.into_inner());
            }
        }
    }

    /// The events of a direction that were reported where it was registered at that time.
    fn seen(&mut self, direction: Direction) -> usize {
        let place = io::place(&self.io);
        if place != self.place {
            let before = seen(self.place);
            self.elsewhere = [0, 1].map(|index| self.elsewhere[index] + before[index]);
            self.place = place;
        }
        self.elsewhere[direction as usize] + seen(place)[direction as usize]
    }

    /// Returns how to find out, after a poll that begins now, how many events there had been at
    /// least when it began to wait: all that there are then, unless a task that it replaced has
    /// acted in its wake.
    fn least_seen(&mut self, direction: Direction) -> impl Fn(usize) -> usize + use<> {
        let (seen, acted) = (self.seen(direction), ACTED.get());
        move |after| if ACTED.get() == acted { after } else { seen }
    }

    /// What a poll of the poll methods has said.
    fn polled(
        &mut self,
        direction: Direction,
        task: usize,
        result: Poll<bool>,
        before: usize,
        least: impl Fn(usize) -> usize,
    ) {
        let seen = self.seen(direction);
        let side = &mut self.sides[direction as usize];
        match result {
            Poll::Pending => {
                assert!(!self.stale, "pending although the number has another owner");
                let waiting = Waiters { task, since: before, seen, lies: false };
                side.pending = Some((least(seen), seen));
                if let Some(old) = side.waiting.replace(waiting) {
                    if old.task != task {
                        // At once, or, if it is among those who are being woken, soon.
                        with(|world| world.replaced.push((old.task, old.since)));
                        if !INSIDE.get() {
                            replaced_tasks_were_told();
                        }
                    }
                }
            }
            // Who was told an error knows that it does not wait. If it was the operation's, a wait
            // of before may be left.
            Poll::Ready(false) => {
                side.waiting = None;
                side.pending = side.pending.map(|_| (0, usize::MAX));
            }
            Poll::Ready(true) => {}
        }
    }

    fn poll_operation(
        &mut self,
        direction: Direction,
        manner: Manner,
        between: Between,
        bytes: usize,
        task: usize,
        make: bool,
    ) {
        let waker = with(|world| world.tasks[task].clone()).waker(make);
        let cx = &mut Context::from_waker(&waker);
        let before = step();
        let least = self.least_seen(direction);
        NEXT.set((between, manner == Manner::Liar));
        let io = self.io.clone();
        let operation = |descriptor: &Descriptor| descriptor.try_once(direction, bytes);
        let interest = direction.interest();
        let result = match (manner, direction) {
            (Manner::Own, _) | (Manner::Stream, Direction::Write) => {
                io::poll_own(&io, interest, cx, None, operation)
            }
            (Manner::Stream, Direction::Read) => {
                io::poll_own(&io, interest, cx, Some(bytes), operation)
            }
            (_, Direction::Read) => Pin::new(&mut &*io).poll_read(cx, &mut vec![0; bytes]),
            (_, Direction::Write) => Pin::new(&mut &*io).poll_write(cx, &vec![0; bytes]),
        };
        NEXT.set((Between::Nothing, false));
        self.polled(direction, task, result.map(|result| result.is_ok()), before, least);
    }

    fn poll_event(&mut self, direction: Direction, task: usize, make: bool) {
        let waker = with(|world| world.tasks[task].clone()).waker(make);
        let cx = &mut Context::from_waker(&waker);
        let before = step();
        let now = self.seen(direction);
        let least = self.least_seen(direction);
        let pending = self.sides[direction as usize].pending;
        let result = match direction {
            Direction::Read => self.io.poll_readable(cx),
            Direction::Write => self.io.poll_writable(cx),
        };
        match &result {
            Poll::Ready(Ok(())) => {
                let (since, _) = pending.expect("ready without having been pending");
                assert!(now > since, "ready without an event");
                self.sides[direction as usize].pending = None;
            }
            Poll::Pending if !INSIDE.get() && !self.replaced => {
                assert!(
                    pending.is_none_or(|(least, most)| least <= now && now <= most),
                    "an event is not told of"
                );
            }
            // There is no operation whose error it could be.
            Poll::Ready(Err(_)) => self.sides[direction as usize].pending = None,
            Poll::Pending => {}
        }
        self.polled(direction, task, result.map(|result| result.is_ok()), before, least);
    }

    fn poll_future(
        &mut self,
        direction: Direction,
        manner: Option<Manner>,
        between: Between,
        place: usize,
        task: usize,
    ) {
        let waker = with(|world| world.tasks[task].clone()).waker(task % 2 == 0);
        let cx = &mut Context::from_waker(&waker);
        let io = self.io.clone();
        let (mut wait, before) = match self.sides[direction as usize].futures[place].take() {
            Some((wait, waiting)) => (wait, Some(waiting)),
            None => (future(io, direction, manner), None),
        };
        let since = step();
        let least = self.least_seen(direction);
        // A future that is there already is what it was made for.
        let lies = before.as_ref().map_or(manner == Some(Manner::Liar), |waiting| waiting.lies);
        NEXT.set((between, lies));
        let result = wait.as_mut().poll(cx);
        NEXT.set((Between::Nothing, false));
        let seen = self.seen(direction);
        match result {
            Poll::Pending => {
                assert!(!self.stale, "pending although the number has another owner");
                let waiting = Waiters { task, since, seen: least(seen), lies };
                self.sides[direction as usize].futures[place] = Some((wait, waiting));
            }
            Poll::Ready(Ok(READY)) => {
                let before = before.expect("ready without having been pending");
                assert!(seen > before.seen, "ready without an event");
            }
            Poll::Ready(_) => {}
        }
    }

    /// Whoever waits for what is so was woken.
    fn check(&self, tasks: &[Arc<Task>]) {
        for direction in [Direction::Read, Direction::Write] {
            let side = &self.sides[direction as usize];
            // Who waits for a source that has a successor is to be told so.
            let is_due = self.stale || (!self.replaced && direction.is_ready(&self.file));
            if !is_due {
                continue;
            }
            let futures = side.futures.iter().flatten().map(|(_, waiting)| waiting);
            for waiting in side.waiting.iter().chain(futures) {
                let last = tasks[waiting.task].last_wake();
                assert!(last > waiting.since, "lost wake of task {}: {direction:?}", waiting.task);
            }
        }
    }
}

/// What the futures of readiness give.
const READY: usize = usize::MAX;

fn future(io: Arc<Async<Descriptor>>, direction: Direction, manner: Option<Manner>) -> Wait {
    let operation = move |descriptor: &Descriptor| descriptor.try_once(direction, 2);
    let interest = direction.interest();
    match (manner, direction) {
        (Some(Manner::Own | Manner::Stream), _) => Box::pin(io::own(io, interest, operation)),
        (Some(_), Direction::Read) => Box::pin(async move { io.read_with(operation).await }),
        (Some(_), Direction::Write) => Box::pin(async move { io.write_with(operation).await }),
        (None, Direction::Read) => {
            Box::pin(async move { io.readable_owned().await.map(|()| READY) })
        }
        (None, Direction::Write) => {
            Box::pin(async move { io.writable_owned().await.map(|()| READY) })
        }
    }
}

fn sources() -> usize {
    (0..SHARDS).map(|shard| stage::shard(shard).source_count()).sum()
}

fn put(slot: usize, new: Option<Slot>) {
    let old = with(|world| std::mem::replace(&mut world.slots[slot], new));
    if let Some(old) = old {
        old.close(false);
    }
}

fn reported(shard: usize, event: Event) {
    with(|world| {
        world.reported += 1;
        let [read, write] = world.seen.entry((shard, event.key)).or_default();
        *read += usize::from(event.readable);
        *write += usize::from(event.writable);
    });
}

/// Rounds until nothing happens any more, and then a look at who waits.
fn settle() {
    for _ in 0..3 {
        (0..SHARDS).for_each(stage::rounds);
    }
    while (0..SHARDS).any(|shard| stage::shard(shard).poller().has_events()) {
        (0..SHARDS).for_each(stage::rounds);
    }
    replaced_tasks_were_told();
    with(|world| world.slots.iter().flatten().for_each(|slot| slot.check(&world.tasks)));
}

fn replaced_tasks_were_told() {
    with(|world| {
        for (task, since) in world.replaced.drain(..) {
            let last = world.tasks[task].last_wake();
            assert!(last > since, "a task that was replaced is not told");
        }
    });
}

fn woken(task: usize) {
    let Some(does) = with(|world| world.on_wake[task].take()) else { return };
    ACTED.set(ACTED.get() + 1);
    let before = INSIDE.replace(true);
    does.happen();
    INSIDE.set(before);
}

impl OnWake {
    fn happen(self) {
        match self {
            OnWake::Panic => tasks::panic_on_purpose(),
            OnWake::Arrive { slot, direction } => {
                at(slot, |slot| direction.arrive(&slot.file, 1));
            }
            OnWake::Poll { slot, direction, manner, task } => {
                let task = usize::from(task) % TASKS;
                at(slot, |slot| {
                    slot.poll_operation(direction, manner, Between::Nothing, 2, task, true);
                });
            }
            OnWake::Close { slot } => put(usize::from(slot) % SLOTS, None),
            OnWake::Round { shard } => stage::rounds(usize::from(shard) % SHARDS),
        }
    }
}

fn perform(operation: Operation) {
    match operation {
        Operation::Open { slot, shard, edge } => {
            let slot = usize::from(slot) % SLOTS;
            put(slot, None);
            let new = Slot::open(slot, shard, edge);
            put(slot, new);
        }
        Operation::Close { slot, keep } => {
            let old = with(|world| world.slots[usize::from(slot) % SLOTS].take());
            if let Some(old) = old {
                old.close(keep);
            }
        }
        Operation::Replace { slot, by, edge } => replace(slot, by, edge),
        Operation::Arrive { slot, direction, bytes } => {
            at(slot, |slot| direction.arrive(&slot.file, usize::from(bytes)));
        }
        Operation::Take { slot, direction } => {
            at(slot, |slot| direction.take(&slot.file, usize::MAX));
        }
        Operation::End { slot } => {
            at(slot, |slot| slot.file.end());
        }
        Operation::PollOperation { slot, direction, manner, between, bytes, task, make } => {
            let (bytes, task) = (1 + usize::from(bytes % 8), usize::from(task) % TASKS);
            at(slot, |slot| {
                slot.poll_operation(direction, manner, between, bytes, task, make);
            });
        }
        Operation::PollEvent { slot, direction, task, make } => {
            at(slot, |slot| slot.poll_event(direction, usize::from(task) % TASKS, make));
        }
        Operation::PollFuture { slot, direction, manner, between, place, task } => {
            let (place, task) = (usize::from(place) % FUTURES, usize::from(task) % TASKS);
            at(slot, |slot| slot.poll_future(direction, manner, between, place, task));
        }
        Operation::DropFuture { slot, direction, place } => {
            at(slot, |slot| {
                let place = usize::from(place) % FUTURES;
                drop(slot.sides[direction as usize].futures[place].take());
            });
        }
        Operation::Flood { slot, direction } => flood(slot, direction),
        Operation::Round { shard } => stage::rounds(usize::from(shard) % SHARDS),
        Operation::Pretend { key, readable, writable } => {
            let known = with(|world| world.seen.keys().nth(usize::from(key)).copied());
            let (shard, key) = known.unwrap_or((0, usize::from(key)));
            let event = Event { key, readable, writable, exceptional: false };
            stage::shard(shard).poller().pretend(event);
        }
        Operation::Capacity { shard, events } => {
            stage::shard(shard.into()).poller().set_capacity(events.into());
        }
        Operation::Fail { shard } => stage::shard(shard.into()).poller().fail(),
        Operation::Refuse => descriptor::refuse(),
        Operation::OnWake { task, does } => {
            with(|world| world.on_wake[usize::from(task) % TASKS] = Some(does));
        }
    }
}

/// Somebody closes a descriptor behind the library's back, and its number is used again while the
/// file lives on elsewhere. The new owner must not notice.
fn replace(slot: u8, by: u8, edge: bool) {
    let (slot, by) = (usize::from(slot) % SLOTS, usize::from(by) % SLOTS);
    if slot == by || with(|world| world.slots[slot].is_none()) {
        return;
    }
    put(by, None);
    let number = with(|world| {
        let old = world.slots[slot].as_mut()?;
        old.io.get_ref().is_taken_away.store(true, Ordering::Relaxed);
        (!std::mem::replace(&mut old.replaced, true)).then(|| {
            let number = old.io.get_ref().number;
            descriptor::set(SLOTS + number, Some(old.file.clone()));
            number
        })
    });
    let Some(number) = number else { return };
    let file = File::new();
    descriptor::set(number, Some(file.clone()));
    let new = Slot::register(number, file, u8::from(edge), edge);
    if new.is_some() {
        with(|world| world.slots[slot].as_mut().map(|old| old.stale = true));
    }
    put(by, new);
}

/// Events that nobody waits for end, so that nobody is woken for each.
fn flood(slot: u8, direction: Direction) {
    let waits = at(slot, |slot| {
        let side = &slot.sides[direction as usize];
        slot.replaced || side.waiting.is_some() || side.futures.iter().any(Option::is_some)
    });
    if waits != Some(false) {
        return;
    }
    settle();
    let before = with(|world| world.reported);
    for _ in 0..4 * UNCLAIMED {
        at(slot, |slot| {
            direction.arrive(&slot.file, 1);
            direction.take(&slot.file, usize::MAX);
            direction.arrive(&slot.file, 1);
        });
        settle();
    }
    let events = with(|world| world.reported) - before;
    // The first attempt to withdraw the interest may be refused.
    assert!(events <= 3 * UNCLAIMED, "{events} events that nobody waited for");
}

fn run(operations: Vec<Operation>) {
    clock::set(0, 0);
    descriptor::close_all();
    let tasks: Vec<_> = (0..TASKS).map(|task| Task::new(move || woken(task))).collect();
    WORLD.set(World { tasks: tasks.clone(), ..World::default() });
    stage::begin(stage::Hooks { asleep: |_, _| {}, over: |_| {}, reported });
    for operation in operations.into_iter().take(MOST_OPERATIONS) {
        perform(operation);
        if !matches!(operation, Operation::Arrive { .. } | Operation::Refuse) {
            settle();
        }
    }
    // Everything becomes ready.
    for slot in 0..SLOTS as u8 {
        for direction in [Direction::Read, Direction::Write] {
            at(slot, |slot| direction.arrive(&slot.file, 1));
        }
    }
    settle();
    with(|world| world.on_wake = Default::default());
    (0..SLOTS).for_each(|slot| put(slot, None));
    assert_eq!(sources(), 0, "sources that are gone stay in the table");
    stage::end();
    descriptor::close_all();
    WORLD.set(World::default());
    for task in &tasks {
        assert_eq!(Arc::strong_count(task), 1, "a waker is kept for good");
    }
}

#[cfg(not(miri))]
libfuzzer_sys::fuzz_target!(|operations: Vec<Operation>| run(operations));

#[cfg(miri)]
fn main() {
    stand_in::replay::files(run);
}
