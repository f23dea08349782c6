//! What happens inside something else: in a waker, or on another thread while a driver sleeps.

use arbitrary::Arbitrary;

use crate::hands::{self, Action, Deadline};
use crate::span::Span;
use crate::stage::{self, SHARDS};
use crate::value::Kind;
use crate::{owner, world};

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Meanwhile {
    Panic,
    /// A handle is used, and then dropped if it is its last use.
    Use {
        queue: bool,
        slot: u8,
        action: Action,
        last: bool,
    },
    /// A value with a behaviour of its own is inserted by a handle.
    Send {
        queue: bool,
        slot: u8,
        kind: Kind,
        deadline: Deadline,
    },
    DropHandle {
        queue: bool,
        slot: u8,
    },
    Insert {
        queue: bool,
        deadline: Deadline,
    },
    Poll {
        queue: bool,
        task: u8,
    },
    DropQueue {
        queue: bool,
    },
    /// Another thread drives, while wakers are out.
    Round {
        shard: u8,
    },
    /// More time passes than the driver meant to sleep.
    Pass(Span),
}

impl Meanwhile {
    /// A panic on another thread, or a driver there, which would want the seat of who sleeps.
    pub(crate) fn needs_own_thread(self) -> bool {
        matches!(self, Meanwhile::Panic | Meanwhile::Round { .. })
    }
}

/// Lets it happen. Returns `true` if the caller is to panic then. What needs a queue or a shard
/// is left out unless `freely`.
pub(crate) fn happen(meanwhile: Meanwhile, freely: bool) -> bool {
    match meanwhile {
        Meanwhile::Panic => return true,
        Meanwhile::Use { queue, slot, action, last } => {
            let side = world::side(queue);
            if let Some(handle) = world::take_handle(side, slot) {
                action.perform(side, &handle);
                if last {
                    hands::dispose(side, handle);
                } else {
                    hands::put(side, slot, handle);
                }
            }
        }
        Meanwhile::Send { queue, slot, kind, deadline } => {
            let side = world::side(queue);
            hands::with(side, slot, |handle| hands::insert(side, handle, kind, deadline));
        }
        Meanwhile::DropHandle { queue, slot } => {
            let side = world::side(queue);
            if let Some(handle) = world::take_handle(side, slot) {
                hands::dispose(side, handle);
            }
        }
        Meanwhile::Pass(span) => span.pass(),
        _ if !freely => {}
        Meanwhile::Insert { queue, deadline } => {
            owner::insert(world::side(queue), Kind::PLAIN, deadline);
        }
        Meanwhile::Poll { queue, task } => _ = owner::poll(world::side(queue), task, true),
        Meanwhile::DropQueue { queue } => owner::drop_queue(world::side(queue)),
        Meanwhile::Round { shard } => {
            world::note_crossing();
            stage::rounds(usize::from(shard) % SHARDS);
        }
    }
    false
}
