//! What a thread knows of itself: its home shard, how deep it is in `block_on`, and the parts
//! of a `block_on` call that the next one can use again.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::sync::Arc;

use super::global;
use crate::handoff::Rouser;
use crate::reactor::{Reactor, Round, Shard};
use crate::sync::Ref;

thread_local! {
    static LOCAL: Local = const {
        Local { depth: Cell::new(0), home: OnceCell::new(), spare: RefCell::new(None) }
    };
}

struct Local {
    /// `block_on` calls that this thread is in.
    depth: Cell<usize>,
    home: OnceCell<Home>,
    /// What the last outermost call left.
    spare: RefCell<Option<Parts>>,
}

/// A thread's home, until the thread ends.
struct Home {
    reactor: Ref<Reactor>,
    shard: Ref<Shard>,
}

impl Drop for Home {
    fn drop(&mut self) {
        self.reactor.move_out(self.shard.index());
    }
}

/// What a `block_on` call needs.
pub(super) struct Parts {
    pub(super) me: Arc<Rouser>,
    pub(super) round: Round,
}

impl Parts {
    fn new(shard: &Shard) -> Parts {
        Parts { me: Arc::new(Rouser::new(shard.poller_ref())), round: Round::new() }
    }

    /// Whether nobody else holds the waker any more. A call whose waker was kept somewhere
    /// leaves it to whoever kept it: a notification of its must not reach the next call.
    fn are_free(&mut self) -> bool {
        Arc::get_mut(&mut self.me).is_some_and(|me| {
            *me = Rouser::new(me.poller());
            true
        })
    }
}

/// A `block_on` call that is going on. Undone when it is dropped.
pub(super) struct Call {
    pub(super) shard: Ref<Shard>,
    /// Whether it is the thread's outermost, so that its being awake counts.
    outermost: bool,
    /// `None` only while it is being dropped.
    parts: Option<Parts>,
}

impl Call {
    /// Enters `block_on`.
    pub(super) fn enter() -> io::Result<Call> {
        let reactor = global::reactor()?;
        // A thread whose locals are gone already has no home and is as good as outermost.
        let entered = LOCAL.try_with(|local| {
            let home = local
                .home
                .get_or_init(|| Home { shard: reactor.move_in(), reactor: reactor.clone() });
            let depth = local.depth.replace(local.depth.get() + 1);
            (home.shard.clone(), depth == 0, local.spare.take())
        });
        let (shard, outermost, spare) = entered.unwrap_or_else(|_| (reactor.first(), true, None));
        let parts = spare.unwrap_or_else(|| Parts::new(&shard));
        if outermost {
            shard.is_up();
        }
        Ok(Call { shard, outermost, parts: Some(parts) })
    }

    pub(super) fn parts(&mut self) -> &mut Parts {
        self.parts.as_mut().expect("a call has its parts until it ends")
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.outermost {
            self.shard.falls_asleep();
        }
        let parts = self.parts.take().filter(|_| self.outermost);
        let _ = LOCAL.try_with(|local| {
            local.depth.set(local.depth.get() - 1);
            if let Some(mut parts) = parts {
                if parts.are_free() {
                    local.spare.replace(Some(parts));
                }
            }
        });
    }
}

/// The shard for a timer or a source that this thread makes: its home while it is in
/// `block_on`, the first shard otherwise.
pub(crate) fn place() -> io::Result<Ref<Shard>> {
    let home = LOCAL.try_with(|local| {
        let in_block_on = local.depth.get() > 0;
        local.home.get().filter(|_| in_block_on).map(|home| home.shard.clone())
    });
    match home {
        Ok(Some(shard)) => Ok(shard),
        _ => Ok(global::reactor()?.first()),
    }
}
