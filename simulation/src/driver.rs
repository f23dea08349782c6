//! The drivers, as they ship, but for the process's one reactor: here each schedule has its own.

#[path = "../../src/driver/block_on.rs"]
mod block_on;
#[path = "../../src/driver/context.rs"]
mod context;
#[path = "../../src/driver/fallback/mod.rs"]
mod fallback;
#[path = "../../src/driver/one_round.rs"]
mod one_round;
#[path = "../../src/driver/run.rs"]
mod run;

#[path = "../../src/driver/helper.rs"]
mod helper;
#[path = "../../src/driver/task_poll.rs"]
mod task_poll;

use std::sync::Arc;
use std::task::Waker;

use crate::clock;
use crate::handoff::Unparker;
use crate::reactor::Batch;

pub(crate) use block_on::block_on;
pub(crate) use context::current_shard;
pub(crate) use process::started;
pub(crate) use task_poll::TaskPoll;

/// A call of `drive`, as `src/driver/drive.rs` makes it around the loop, of a thread that has heard
/// of so many notifications: until this wheel time at most, or without sleep. Returns `true` if it
/// did something.
pub(crate) fn drive(limit: Option<u64>, heard: &mut usize) -> bool {
    let reactor = process::started().expect("the caller has made sure of it");
    let shard = reactor.first();
    shard.succession().note_awake();
    let me = Arc::new(Unparker::new(shard.poller_ref()));
    let waker = Waker::from(me.clone());
    let mut batch = Batch::new();
    let until = limit.unwrap_or_else(clock::wheel_now);
    let round = one_round::run(&shard, &me, &waker, &mut batch, until, limit.is_some(), heard);
    if limit.is_none() {
        reactor.take_notification(&mut batch);
    }
    shard.succession().note_parked();
    round != one_round::Round::default()
}

/// Asks for the descriptor. Returns `false` if another thread polls it.
pub(crate) fn begin_to_watch() -> bool {
    let reactor = process::started().expect("the caller has made sure of it");
    let Ok(overview) = reactor.overview() else { return false };
    if !overview.begin_to_watch() {
        return false;
    }
    reactor.first().show_deadlines();
    true
}

/// From now on another thread may poll the descriptor.
pub(crate) fn end_to_watch() {
    let reactor = process::started().expect("the caller has made sure of it");
    reactor.overview().expect("it was asked for").end_to_watch();
}

/// Waits until the descriptor is readable, as another event loop does.
pub(crate) fn watch_descriptor() {
    let reactor = process::started().expect("the caller has made sure of it");
    reactor.overview().expect("a poller is to be had").watch();
}

/// What `src/driver/process.rs` does, for a schedule.
pub(crate) mod process {
    use std::cell::RefCell;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{fallback::Fallback, helper};
    use crate::plan::Fault;
    use crate::reactor::{Pollers, Reactor, Settings};
    use crate::sync::{self, Ref};
    use crate::world::{self, Spawned};

    struct Started {
        reactor: Ref<Reactor>,
        ends: Arc<AtomicBool>,
        fallback: Option<Spawned>,
    }

    std::thread_local! {
        static STARTED: RefCell<Option<Started>> = const { RefCell::new(None) };
    }

    pub(crate) fn started() -> Option<Ref<Reactor>> {
        STARTED.with_borrow(|started| started.as_ref().map(|started| started.reactor.clone()))
    }

    pub(crate) fn reactor() -> io::Result<Ref<Reactor>> {
        if let Some(reactor) = started() {
            return Ok(reactor);
        }
        // Nothing lets another thread run before it is there for all.
        let self_driven = world::with(|world| world.plan.self_driven);
        if !self_driven && world::inject(Fault::SpawnFails) {
            world::delay(1_000_000);
            return Err(io::Error::other("no thread for timers and I/O"));
        }
        let pollers = Pollers::new()?;
        let limit = world::with(|world| world.plan.shards);
        let settings =
            Settings { shards: limit, has_fallback: !self_driven, ..Settings::default() };
        let reactor = sync::share(Reactor::new(pollers, settings));
        let ends = Arc::new(AtomicBool::new(false));
        let started = Started { reactor: reactor.clone(), ends: ends.clone(), fallback: None };
        STARTED.set(Some(started));
        if self_driven {
            return Ok(reactor);
        }
        let fallback = world::spawn("fallback".to_owned(), {
            let reactor = reactor.clone();
            move || {
                helper::begin();
                let mut fallback = Fallback::new(reactor);
                while !ends.load(Ordering::SeqCst) {
                    sync::catch_panic(|| fallback.step());
                }
            }
        });
        STARTED.with_borrow_mut(|started| {
            started.as_mut().expect("it was set just now").fallback = Some(fallback);
        });
        Ok(reactor)
    }

    /// Ends the schedule's reactor, which is at rest.
    pub(crate) fn end() {
        if let Some(Started { reactor, ends, fallback }) = STARTED.take() {
            ends.store(true, Ordering::SeqCst);
            reactor.fallback().unpark();
            if let Some(fallback) = fallback {
                fallback.join();
            }
        }
    }
}
