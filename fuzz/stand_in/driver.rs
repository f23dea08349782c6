//! In place of `src/driver`: where timers and sources are placed is what the target says.

use std::io;

use crate::reactor::{Reactor, Shard};
use crate::stage;
use crate::sync::Ref;

#[path = "../../src/driver/task_poll.rs"]
mod task_poll;

pub(crate) use task_poll::TaskPoll;

pub(crate) fn current_shard() -> io::Result<Ref<Shard>> {
    stage::place()
}

pub(crate) fn reactor() -> io::Result<Ref<Reactor>> {
    Ok(stage::reactor())
}

pub(crate) fn started() -> Option<Ref<Reactor>> {
    Some(stage::reactor())
}
