//! The drivers, as they ship, but for the process's one reactor: here each schedule has its own.

#[path = "../../src/driver/block_on.rs"]
mod block_on;
#[path = "../../src/driver/context.rs"]
mod context;
#[path = "../../src/driver/fallback/mod.rs"]
mod fallback;
#[path = "../../src/driver/run.rs"]
mod run;

#[path = "../../src/driver/helper.rs"]
mod helper;
#[path = "../../src/driver/task_poll.rs"]
mod task_poll;

pub(crate) use block_on::block_on;
pub(crate) use context::current_shard;
pub(crate) use task_poll::TaskPoll;

/// What `src/driver/process.rs` does, for a schedule.
pub(crate) mod process {
    use std::cell::RefCell;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{fallback::Fallback, helper};
    use crate::plan::Fault;
    use crate::reactor::{Reactor, Settings};
    use crate::sync::{self, Ref};
    use crate::sys::{NESTED, Poller, Polls};
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
        if world::inject(Fault::SpawnFails) {
            world::delay(1_000_000);
            return Err(io::Error::other("no thread for timers and I/O"));
        }
        let poller = Poller::new()?;
        let root = if NESTED { Some(Poller::new()?) } else { None };
        let limit = world::with(|world| world.plan.shards);
        let reactor = sync::share(Reactor::new(
            poller,
            root,
            Settings { shards: limit, ..Settings::default() },
        )?);
        let ends = Arc::new(AtomicBool::new(false));
        let started = Started { reactor: reactor.clone(), ends: ends.clone(), fallback: None };
        STARTED.set(Some(started));
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
            fallback.expect("it was started with the reactor").join();
        }
    }
}
