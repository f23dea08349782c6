//! What there is in a program: queues, handles, tasks, and what is known of them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::delay_queue::{DelayQueue, Handle, Key};
use crate::hands;
use crate::happening::{self, Meanwhile};
use crate::model::{Keys, Model};
use crate::tasks::{Event, Task};
use crate::value::{self, Value};

/// Queues that a program uses at a time.
pub(crate) const QUEUES: usize = 2;
/// Tasks that poll each.
pub(crate) const TASKS: usize = 2;
/// Handles of each.
const HANDLES: usize = 2;

#[derive(Default)]
struct World {
    /// All queues that were made, in that order.
    sides: Vec<Side>,
    keys: Keys,
    /// A key that leads nowhere.
    no_key: Option<Key>,
    meanwhile: Option<Meanwhile>,
}

/// A queue and what belongs to it.
struct Side {
    /// `None` while something is done with it, and when it is gone.
    queue: Option<Box<DelayQueue<Value>>>,
    handles: [Option<Handle<Value>>; HANDLES],
    tasks: Vec<Arc<Task>>,
    /// What each task does when one of its wakers is woken, cloned or dropped.
    actions: [[Option<Meanwhile>; 3]; TASKS],
    model: Model,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::default());
    /// How deep in wakers the program is.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Whether a queue was polled, or a shard driven, while wakers were out: then one may be woken
    /// that another has replaced.
    static CROSSED: Cell<bool> = const { Cell::new(false) };
}

fn with<R>(code: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(code)
}

fn with_side<R>(side: usize, code: impl FnOnce(&mut Side) -> R) -> R {
    with(|world| code(&mut world.sides[side]))
}

/// Begins a program.
pub(crate) fn begin() {
    CROSSED.set(false);
    let no_key = Some(DelayQueue::new().insert((), Duration::MAX));
    WORLD.set(World { no_key, ..World::default() });
    for _ in 0..QUEUES {
        add();
    }
}

/// Adds a queue, in place of the one that was added [`QUEUES`] before it.
pub(crate) fn add() {
    let side = with(|world| world.sides.len());
    let tasks =
        (0..TASKS).map(|task| Task::observing(move |event| observe(side, task, event))).collect();
    let model = Model::new();
    let queue = Some(Box::new(DelayQueue::new()));
    let (handles, actions) = Default::default();
    with(|world| world.sides.push(Side { queue, handles, tasks, actions, model }));
}

/// How many queues were made.
pub(crate) fn sides() -> usize {
    with(|world| world.sides.len())
}

/// The number of one of the queues in use.
pub(crate) fn side(queue: bool) -> usize {
    let last = sides() - 1;
    if last % QUEUES == usize::from(queue) { last } else { last - 1 }
}

pub(crate) fn model<R>(side: usize, code: impl FnOnce(&mut Model) -> R) -> R {
    with_side(side, |side| code(&mut side.model))
}

/// See [`Keys`].
pub(crate) fn number(side: usize) -> usize {
    with(|world| world.keys.number(side))
}

pub(crate) fn learn(id: usize, key: Key) {
    with(|world| world.keys.learn(id, key));
}

pub(crate) fn pick(pick: u8) -> Option<(usize, usize, Key)> {
    with(|world| world.keys.pick(pick))
}

pub(crate) fn key(id: usize) -> Option<Key> {
    with(|world| world.keys.of(id))
}

pub(crate) fn no_key() -> Key {
    with(|world| world.no_key.expect("a program has begun"))
}

/// Takes a handle, of this slot if it has one.
pub(crate) fn take_handle(side: usize, slot: u8) -> Option<Handle<Value>> {
    with_side(side, |side| {
        let (before, from) = side.handles.split_at_mut(usize::from(slot) % HANDLES);
        from.iter_mut().chain(before).find_map(Option::take)
    })
}

pub(crate) fn put_handle(side: usize, slot: u8, handle: Handle<Value>) -> Option<Handle<Value>> {
    with_side(side, |side| side.handles[usize::from(slot) % HANDLES].replace(handle))
}

/// Does something with a queue, unless it is gone or something is being done with it.
pub(crate) fn at(side: usize, code: impl FnOnce(&mut DelayQueue<Value>)) {
    if let Some(mut queue) = take_queue(side) {
        code(&mut queue);
        with_side(side, |side| side.queue = Some(queue));
    }
}

pub(crate) fn take_queue(side: usize) -> Option<Box<DelayQueue<Value>>> {
    with_side(side, |side| side.queue.take())
}

pub(crate) fn task(side: usize, task: usize) -> Arc<Task> {
    with_side(side, |side| side.tasks[task].clone())
}

/// Whether a task was woken since a step.
pub(crate) fn is_woken(side: usize, task: usize, since: usize) -> bool {
    with_side(side, |side| side.tasks[task].last_wake() > since)
}

/// The tasks of a queue that has ended: nobody has their wakers.
pub(crate) fn check_forgotten(side: usize) {
    if DEPTH.get() > 0 || CROSSED.get() {
        return;
    }
    with_side(side, |side| {
        for task in &side.tasks {
            assert_eq!(Arc::strong_count(task), 1, "a waker is kept for good");
        }
    });
}

pub(crate) fn set_action(side: usize, task: usize, event: Event, action: Meanwhile) {
    with_side(side, |side| side.actions[task % TASKS][event as usize] = Some(action));
}

/// No task does anything more.
pub(crate) fn still() {
    with(|world| {
        world.meanwhile = None;
        world.sides.iter_mut().for_each(|side| side.actions = Default::default());
    });
}

pub(crate) fn set_meanwhile(meanwhile: Option<Meanwhile>) {
    with(|world| world.meanwhile = meanwhile);
}

pub(crate) fn take_meanwhile() -> Option<Meanwhile> {
    with(|world| world.meanwhile.take())
}

/// A queue is polled, or a shard driven.
pub(crate) fn note_crossing() {
    CROSSED.set(CROSSED.get() || DEPTH.get() > 0);
}

/// Something happens to a waker of a task.
fn observe(side: usize, task: usize, event: Event) {
    // Nothing is left to look at once the program has ended; and a panic is under way.
    if sides() <= side || thread::panicking() {
        return;
    }
    if event == Event::Woken {
        let knows = model(side, |model| model.known_tasks & (1 << task) != 0);
        assert!(knows || CROSSED.get(), "a task is woken that was not the last to poll");
    }
    if let Some(action) = with_side(side, |side| side.actions[task][event as usize].take()) {
        DEPTH.set(DEPTH.get() + 1);
        let panic = happening::happen(action, event == Event::Woken);
        DEPTH.set(DEPTH.get() - 1);
        if panic {
            value::panic_as_waker();
        }
    }
}

/// Drops the program's handles of a queue.
pub(crate) fn drop_handles(side: usize) {
    for slot in 0..HANDLES as u8 {
        if let Some(handle) = take_handle(side, slot) {
            hands::dispose(side, handle);
        }
    }
}

/// Ends a program of which all is dropped.
pub(crate) fn end() {
    CROSSED.set(false);
    for side in 0..sides() {
        check_forgotten(side);
        assert_eq!(model(side, |model| model.handles), 0, "handles of the program's");
    }
    WORLD.set(World::default());
}
