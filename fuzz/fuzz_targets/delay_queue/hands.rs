//! The program's handles, and what is done with them.

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;

use crate::delay_queue::{Handle, Key};
use crate::model::{Asked, Entry};
use crate::span::Span;
use crate::value::{Kind, Value, call};
use crate::world;

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Deadline {
    After(Span),
    At { distance: Span, past: bool },
}

/// What a handle is used for.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Action {
    /// Inserts a value that does nothing more.
    Insert(Deadline),
    Reset {
        pick: u8,
        deadline: Deadline,
    },
    Remove {
        pick: u8,
    },
}

impl Deadline {
    /// `None` if the clock cannot count to it.
    pub(crate) fn instant(self) -> Option<Instant> {
        match self {
            Deadline::After(span) => span.away(false),
            Deadline::At { distance, past } => distance.away(past),
        }
    }
}

impl Action {
    /// Does it with a handle of the queue of this side.
    pub(crate) fn perform(self, side: usize, handle: &Handle<Value>) {
        match self {
            Action::Insert(deadline) => insert(side, handle, Kind::PLAIN, deadline),
            Action::Reset { pick, deadline } => {
                if let Some((id, owner, key)) = world::pick(pick) {
                    reset(side, handle, (id, owner, key), deadline);
                }
            }
            Action::Remove { pick } => {
                let Some((id, owner, key)) = world::pick(pick) else { return };
                let asked = if owner == side { Asked::Remove(id) } else { Asked::Nothing };
                let is_closed = ask(side, asked);
                let result = call(false, || handle.remove(key).is_err());
                assert_eq!(result.unwrap_or(is_closed), is_closed);
            }
        }
    }
}

/// Writes down what a handle is about to ask for, before it wakes somebody. Returns `true` if it
/// will be refused.
fn ask(side: usize, asked: Asked) -> bool {
    world::model(side, |model| {
        if !model.is_gone {
            model.ask(asked);
        }
        model.is_gone
    })
}

pub(crate) fn insert(side: usize, handle: &Handle<Value>, kind: Kind, deadline: Deadline) {
    let id = world::number(side);
    let value = Value::new(kind, side, id);
    let at = deadline.instant();
    let is_closed = ask(side, Asked::Insert(id, Entry::new(at, kind)));
    let result = call(false, || match (deadline, at) {
        (Deadline::After(span), _) => handle.insert(value, span.duration()),
        (_, Some(at)) => handle.insert_at(value, at),
        (_, None) => handle.insert(value, Duration::MAX),
    });
    // The key is lost if the waker has panicked.
    let Some(result) = result else { return };
    assert_eq!(result.is_err(), is_closed);
    match result {
        Ok(key) => world::learn(id, key),
        Err(error) => {
            let value = error.into_inner();
            assert_eq!(value.id(), id, "another value is returned");
            value.retire();
        }
    }
    assert_eq!(handle.is_closed(), world::model(side, |model| model.is_gone));
}

fn reset(
    side: usize,
    handle: &Handle<Value>,
    (id, owner, key): (usize, usize, Key),
    deadline: Deadline,
) {
    let at = deadline.instant();
    let asked = if owner == side { Asked::Reset(id, at) } else { Asked::Nothing };
    let is_closed = ask(side, asked);
    let result = call(false, || match (deadline, at) {
        (Deadline::After(span), _) => handle.reset(key, span.duration()).is_err(),
        (_, Some(at)) => handle.reset_at(key, at).is_err(),
        (_, None) => handle.reset(key, Duration::MAX).is_err(),
    });
    assert_eq!(result.unwrap_or(is_closed), is_closed);
}

/// Does something with a handle of the program's, if it is there.
pub(crate) fn with(side: usize, slot: u8, code: impl FnOnce(&Handle<Value>)) {
    if let Some(handle) = world::take_handle(side, slot) {
        code(&handle);
        put(side, slot, handle);
    }
}

/// Keeps a handle in place of another.
pub(crate) fn put(side: usize, slot: u8, handle: Handle<Value>) {
    if let Some(former) = world::put_handle(side, slot, handle) {
        dispose(side, former);
    }
}

/// A clone of a handle of the program's.
pub(crate) fn another(side: usize) -> Option<Handle<Value>> {
    let mut clone = None;
    with(side, 0, |handle| clone = Some(handle.clone()));
    if clone.is_some() {
        world::model(side, |model| model.handles += 1);
    }
    clone
}

/// Drops a handle.
pub(crate) fn dispose(side: usize, handle: Handle<Value>) {
    world::model(side, |model| {
        model.handles -= 1;
        model.touched += 1;
    });
    let _ = call(false, || drop(handle));
}
