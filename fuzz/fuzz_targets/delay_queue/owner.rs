//! What the owner of a queue does with it, and what has to come of that.

use std::task::{Context, Poll};
use std::time::Duration;

use crate::delay_queue::{DelayQueue, Key};
use crate::hands::{self, Deadline};
use crate::model::{Entry, Model, Wait};
use crate::tasks::step;
use crate::value::{self, Kind, Panics, Value, call};
use crate::world::{self, TASKS};
use crate::{clock, stage};

/// Entries whose deadlines are nearer than this to each other may come in any order.
const UNORDERED: Duration = Duration::from_nanos(1 << 16);

type Queue = DelayQueue<Value>;

pub(crate) fn insert(side: usize, kind: Kind, deadline: Deadline) {
    world::at(side, |queue| {
        let id = world::number(side);
        let value = Value::new(kind, side, id);
        let at = deadline.instant();
        let entry = Entry::new(at, kind);
        world::model(side, |model| model.insert(id, entry));
        let key = call(false, || match (deadline, at) {
            (Deadline::After(span), _) => queue.insert(value, span.duration()),
            (_, Some(at)) => queue.insert_at(value, at),
            (_, None) => queue.insert(value, Duration::MAX),
        });
        // The key is lost if the waker has panicked.
        if let Some(key) = key {
            world::learn(id, key);
        }
    });
}

/// Carries out what handles have asked for, in the model, and what the owner wants, in the queue.
/// `None` if a value that was removed has panicked by that.
fn after_receiving<R>(
    side: usize,
    queue: &mut Queue,
    real: impl FnOnce(&mut Queue) -> R,
    expect: impl FnOnce(&mut Model) -> R,
) -> Option<(R, R)> {
    let panics = world::model(side, Model::receive);
    if panics {
        assert!(call(true, || drop(real(queue))).is_none());
        return None;
    }
    let expected = world::model(side, expect);
    Some((call(false, || real(queue))?, expected))
}

pub(crate) fn reset(side: usize, pick: u8, deadline: Deadline) {
    let Some((id, owner, key)) = world::pick(pick) else { return };
    world::at(side, |queue| {
        let at = deadline.instant();
        let real = |queue: &mut Queue| {
            let result = match (deadline, at) {
                (Deadline::After(span), _) => queue.reset(key, span.duration()),
                (_, Some(at)) => queue.reset_at(key, at),
                (_, None) => queue.reset(key, Duration::MAX),
            };
            result.is_ok()
        };
        let expect = |model: &mut Model| owner == side && model.reset(id, at);
        if let Some((was_there, expected)) = after_receiving(side, queue, real, expect) {
            assert_eq!(was_there, expected, "reset");
        }
    });
}

pub(crate) fn remove(side: usize, pick: u8, strict: bool) {
    let Some((id, owner, key)) = world::pick(pick) else { return };
    world::at(side, |queue| {
        let real = |queue: &mut Queue| {
            let value = if strict { queue.remove(key).ok() } else { queue.try_remove(key) };
            let id = value.as_ref().map(Value::id);
            if let Some(value) = value {
                value.retire();
            }
            id
        };
        let expect = |model: &mut Model| {
            let known = owner == side && model.entries.remove(&id).is_some();
            known.then_some(id)
        };
        if let Some((removed, expected)) = after_receiving(side, queue, real, expect) {
            assert_eq!(removed, expected, "removal");
        }
    });
}

pub(crate) fn clear(side: usize) {
    world::at(side, |queue| {
        if world::model(side, Model::receive) {
            assert!(call(true, || queue.clear()).is_none());
            return;
        }
        let entries = world::model(side, |model| std::mem::take(&mut model.entries));
        let (before, panics) = (queue.len(), entries.values().any(|entry| entry.panics));
        let panics = if panics { Panics::Perhaps } else { Panics::No };
        let is_done = call(panics, || queue.clear()).is_some();
        // A waker that panics comes first.
        if !is_done && value::waker_panicked() && queue.len() == before {
            world::model(side, |model| model.entries = entries);
        }
    });
}

pub(crate) fn get_mut(side: usize, pick: u8) {
    let Some((id, owner, key)) = world::pick(pick) else { return };
    world::at(side, |queue| {
        let real = |queue: &mut Queue| queue.get_mut(key).map(|value| value.id());
        let expect = |model: &mut Model| {
            let known = owner == side && model.entries.contains_key(&id);
            known.then_some(id)
        };
        if let Some((found, expected)) = after_receiving(side, queue, real, expect) {
            assert_eq!(found, expected, "get_mut");
        }
    });
}

pub(crate) fn reserve(side: usize, additional: u16) {
    world::at(side, |queue| {
        let additional = usize::from(additional % 5_000);
        queue.reserve(additional);
        assert!(queue.capacity() >= queue.len() + additional);
    });
}

pub(crate) fn shrink_to_fit(side: usize) {
    world::at(side, |queue| {
        queue.shrink_to_fit();
        assert!(queue.capacity() >= queue.len());
    });
}

/// Makes a handle.
pub(crate) fn handle(side: usize, slot: u8) {
    world::at(side, |queue| {
        let handle = queue.handle();
        world::model(side, |model| model.handles += 1);
        hands::put(side, slot, handle);
    });
}

pub(crate) fn drop_queue(side: usize) {
    if let Some(queue) = world::take_queue(side) {
        let panics = world::model(side, Model::end);
        let _ = call(panics, || drop(queue));
        world::check_forgotten(side);
    }
}

/// Compares all that can be seen without receiving.
pub(crate) fn look(side: usize, pick: u8) {
    let picked = world::pick(pick);
    world::at(side, |queue| compare(side, queue, picked));
}

fn compare(side: usize, queue: &Queue, picked: Option<(usize, usize, Key)>) {
    let peeked = queue.peek();
    world::model(side, |model| {
        assert_eq!(queue.len(), model.entries.len(), "len");
        assert_eq!(queue.is_empty(), model.entries.is_empty());
        assert_eq!(peeked.map(|(_, deadline)| deadline), model.first(), "peek");
        if let Some((id, owner, key)) = picked {
            let entry = model.entries.get(&id).filter(|_| owner == side);
            assert_eq!(queue.get(key).map(Value::id), entry.map(|_| id), "get");
            assert_eq!(queue.deadline(key), entry.and_then(|entry| entry.deadline), "deadline");
        }
    });
    if let Some((key, _)) = peeked {
        let id = queue.get(key).expect("peek's key leads to its entry").id();
        if let Some(known) = world::key(id) {
            assert_eq!(key, known, "peek's key");
        }
    }
}

/// Polls a queue. Returns `true` if that has yielded something.
pub(crate) fn poll(side: usize, task: u8, make: bool) -> bool {
    let mut yielded = false;
    world::at(side, |queue| yielded = poll_queue(side, queue, usize::from(task) % TASKS, make));
    yielded
}

fn poll_queue(side: usize, queue: &mut Queue, task: usize, make: bool) -> bool {
    world::note_crossing();
    let (before, since, refused) = (clock::now(), step(), stage::refused());
    let waker = world::task(side, task).waker(make);
    let panics = world::model(side, Model::receive);
    let touched = world::model(side, |model| {
        model.wait = None;
        model.known_tasks |= 1 << task;
        model.touched
    });
    // What handles do during the poll, since values and wakers use them, it has found or not.
    let expected = if panics { Panics::Yes } else { Panics::Perhaps };
    let result = call(expected, || queue.poll_expired(&mut Context::from_waker(&waker)));
    let by_waker = result.is_none() && value::waker_panicked();
    let _ = call(false, || drop(waker));
    let crossed = world::model(side, |model| model.touched != touched);
    if result.is_none() && !panics && !by_waker {
        assert!(crossed, "a value has been dropped");
    }
    let yielded = match result {
        // The task has panicked, and waits for nothing.
        None => false,
        Some(Poll::Ready(Some(expired))) => {
            let id = expired.get_ref().id();
            assert!(expired.deadline() <= clock::now(), "early");
            world::learn(id, expired.key());
            world::model(side, |model| {
                model.yielded += 1;
                let entry = model.entries.remove(&id);
                if !crossed {
                    let deadline = entry.expect("it is in the queue").deadline;
                    assert_eq!(Some(expired.deadline()), deadline, "the deadline of what expired");
                    let first = model.first_rank().filter(|first| *first < expired.deadline());
                    let apart = first.map(|first| expired.deadline() - first);
                    assert!(apart.is_none_or(|apart| apart < UNORDERED), "out of order");
                } else if entry.is_none() {
                    // Sent during this poll.
                    model.receive();
                    assert!(model.entries.remove(&id).is_some(), "it is in the queue");
                }
            });
            expired.into_inner().retire();
            true
        }
        Some(Poll::Ready(None)) => {
            // There is no handle that could have asked for anything after the last look.
            world::model(side, |model| {
                model.receive();
                assert!(model.entries.is_empty() && model.handles == 0, "over too early");
                model.known_tasks = 0;
            });
            world::check_forgotten(side);
            false
        }
        Some(Poll::Pending) => {
            world::model(side, |model| {
                if !crossed {
                    assert!(!model.is_due(before), "pending although something is due");
                    assert!(!model.is_over(), "pending although it is over");
                    model.known_tasks = 1 << task;
                }
                model.wait = Some(Wait { task, since });
                if stage::refused() == refused {
                    model.shard = Some(stage::current());
                }
            });
            false
        }
    };
    if crossed {
        catch_up(side, queue, since);
    }
    yielded
}

/// After a poll during which handles have asked for something: a task that waits and was not woken
/// has been served. Other queues receive now what they have not received yet.
fn catch_up(side: usize, queue: &mut Queue, since: usize) {
    let wait = world::model(side, |model| model.wait);
    if wait.is_some_and(|wait| !world::is_woken(side, wait.task, since)) {
        world::model(side, |model| _ = model.receive());
        compare(side, queue, None);
        return;
    }
    while world::model(side, |model| !model.inbox.is_empty()) {
        world::model(side, |model| _ = model.receive());
        let _ = call(Panics::Perhaps, || _ = queue.get_mut(world::no_key()));
    }
    compare(side, queue, None);
}
