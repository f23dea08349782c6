//! The parts of the drivers that have no global state, and a place for timers.

use std::cell::RefCell;
use std::io;

use crate::reactor::{Reactor, Shard};
use crate::sync::Ref;

#[path = "../../src/driver/fallback/mod.rs"]
pub(crate) mod fallback;
#[path = "../../src/driver/one_round.rs"]
pub(crate) mod one_round;
#[path = "../../src/driver/run.rs"]
pub(crate) mod run;

#[path = "../../src/driver/task_poll.rs"]
mod task_poll;

pub(crate) use task_poll::TaskPoll;

thread_local! {
    static PLACE: RefCell<Option<Ref<Shard>>> = const { RefCell::new(None) };
}

/// As long as this exists, the timers of a model are placed in a shard.
pub(crate) struct Placed(());

pub(crate) fn place_in(shard: Ref<Shard>) -> Placed {
    PLACE.set(Some(shard));
    Placed(())
}

impl Drop for Placed {
    fn drop(&mut self) {
        PLACE.take();
    }
}

/// No reactor of a process's, whose settings a timer might ask for.
pub(crate) fn started() -> Option<Ref<Reactor>> {
    None
}

/// In the place of what a thread knows of its home.
pub(crate) fn current_shard() -> io::Result<Ref<Shard>> {
    Ok(PLACE.with_borrow(|place| place.clone()).expect("the model has placed its timers"))
}
