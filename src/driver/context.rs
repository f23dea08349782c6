//! The context of a thread: its home shard, how deep it is in `block_on`, and the parts of a
//! `block_on` call that the next one can use again.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::sync::Arc;

use super::{helper, process};
use crate::handoff::Unparker;
use crate::reactor::{Batch, Reactor, Shard};
use crate::sync::Ref;
use crate::sys::fork_generation;

thread_local! {
    static CONTEXT: Context = const {
        Context {
            depth: Cell::new(0),
            home: OnceCell::new(),
            spare: RefCell::new(None),
            drives: RefCell::new(None),
        }
    };
}

struct Context {
    /// `block_on` calls that this thread is in.
    depth: Cell<usize>,
    home: OnceCell<Home>,
    /// What the last outermost call left.
    spare: RefCell<Option<Parts>>,
    /// What the last call of `drive` left.
    drives: RefCell<Option<Parts>>,
}

/// A thread's home, until the thread ends.
struct Home {
    reactor: Ref<Reactor>,
    shard: Ref<Shard>,
}

impl Context {
    /// This thread's home, which its first call gets.
    fn home(&self, reactor: &Ref<Reactor>) -> &Home {
        if self.home.get().is_none() {
            // A subscriber of `tracing` may call `block_on` meanwhile: then that call's stays, and
            // this one is given up.
            let home = Home { shard: reactor.assign(), reactor: reactor.clone() };
            let _ = self.home.set(home);
        }
        self.home.get().expect("it was set just now")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.shard.is_from_parent() {
            self.reactor.unassign(self.shard.index());
        }
    }
}

/// What a `block_on` call needs.
pub(super) struct Parts {
    pub(super) me: Arc<Unparker>,
    pub(super) batch: Batch,
    /// The fork generation of the process that made them.
    generation: usize,
}

impl Parts {
    fn new(shard: &Shard) -> Parts {
        Parts {
            me: Arc::new(Unparker::new(shard.poller_ref())),
            batch: Batch::new(),
            generation: fork_generation(),
        }
    }

    /// Returns those for a call of `drive` on this thread.
    pub(super) fn for_drive(shard: &Shard) -> Parts {
        let spare = CONTEXT.try_with(|context| context.drives.take()).ok().flatten();
        spare.filter(Parts::are_ours).unwrap_or_else(|| Parts::new(shard))
    }

    /// Keeps them for this thread's next call of `drive`.
    pub(super) fn keep_for_drive(mut self) {
        if self.are_free() {
            let _ = CONTEXT.try_with(|context| context.drives.replace(Some(self)));
        }
    }

    /// Returns `true` if they were made in this process: the parent's unpark the parent.
    fn are_ours(&self) -> bool {
        self.generation == fork_generation()
    }

    /// Returns `true` if nobody else holds the waker any more. A call whose waker was kept
    /// somewhere leaves it to whoever kept it: a notification of its must not reach the next call.
    fn are_free(&mut self) -> bool {
        Arc::get_mut(&mut self.me).is_some_and(|me| {
            *me = Unparker::new(me.poller());
            true
        })
    }
}

/// A `block_on` call that is going on. Undone when it is dropped.
pub(super) struct Call {
    pub(super) shard: Ref<Shard>,
    /// Whether it is the thread's outermost, so that its being awake counts.
    outermost: bool,
    /// The process may be paused meanwhile: this call goes on by the system's clock.
    #[cfg(feature = "test-util")]
    _time: crate::clock::manual::OnSystemTime,
    /// `None` only while it is being dropped.
    parts: Option<Parts>,
}

impl Call {
    /// Enters `block_on`.
    pub(super) fn enter() -> io::Result<Call> {
        let reactor = process::reactor()?;
        // A thread whose locals are gone already has no home and is as good as outermost.
        let entered = CONTEXT.try_with(|context| {
            if helper::is_current() {
                let depth = context.depth.replace(context.depth.get() + 1);
                return (reactor.first(), depth == 0, context.spare.take().filter(Parts::are_ours));
            }
            let home = context.home(&reactor);
            let depth = context.depth.replace(context.depth.get() + 1);
            if home.shard.is_from_parent() {
                // Forked: the home and the calls that are going on are the parent's.
                return (reactor.first(), true, None);
            }
            (home.shard.clone(), depth == 0, context.spare.take().filter(Parts::are_ours))
        });
        let (shard, outermost, spare) = entered.unwrap_or_else(|_| (reactor.first(), true, None));
        let parts = spare.unwrap_or_else(|| Parts::new(&shard));
        if outermost {
            shard.succession().note_awake();
        }
        Ok(Call {
            shard,
            outermost,
            #[cfg(feature = "test-util")]
            _time: crate::clock::manual::OnSystemTime::begin(),
            parts: Some(parts),
        })
    }

    pub(super) fn parts(&mut self) -> &mut Parts {
        self.parts.as_mut().expect("a call has its parts until it ends")
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.outermost {
            self.shard.succession().note_parked();
        }
        let parts = self.parts.take().filter(|_| self.outermost);
        let _ = CONTEXT.try_with(|context| {
            context.depth.set(context.depth.get() - 1);
            if let Some(mut parts) = parts {
                if parts.are_free() {
                    context.spare.replace(Some(parts));
                }
            }
        });
    }
}

/// Returns how many calls of `block_on` this thread is in.
#[cfg(feature = "test-util")]
pub(super) fn depth() -> usize {
    CONTEXT.try_with(|context| context.depth.get()).unwrap_or(0)
}

/// Notes that this thread enters a call whose time is paused.
#[cfg(feature = "test-util")]
pub(super) fn deepen() {
    let _ = CONTEXT.try_with(|context| context.depth.set(context.depth.get() + 1));
}

/// Notes that such a call has ended.
#[cfg(feature = "test-util")]
pub(super) fn surface() {
    let _ = CONTEXT.try_with(|context| context.depth.set(context.depth.get() - 1));
}

/// Returns the shard for a timer or a source that this thread makes: its home shard while it is in
/// `block_on`, the first shard otherwise.
pub(crate) fn current_shard() -> io::Result<Ref<Shard>> {
    #[cfg(feature = "test-util")]
    if let Some(shard) = super::paused::current_shard() {
        return Ok(shard);
    }
    let home = CONTEXT.try_with(|context| {
        let in_block_on = context.depth.get() > 0;
        let home = context.home.get().filter(|home| in_block_on && !home.shard.is_from_parent());
        home.map(|home| home.shard.clone())
    });
    match home {
        Ok(Some(shard)) => Ok(shard),
        _ => Ok(process::reactor()?.first()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn depth() -> usize {
        CONTEXT.with(|context| context.depth.get())
    }

    /// Runs a test on a thread that has made no call yet.
    fn on_new_thread(test: impl FnOnce() + Send + 'static) {
        thread::spawn(test).join().unwrap();
    }

    #[test]
    fn only_the_outermost_call_counts() {
        on_new_thread(|| {
            let outer = Call::enter().unwrap();
            assert!(outer.outermost);
            let inner = Call::enter().unwrap();
            assert!(!inner.outermost);
            assert_eq!(depth(), 2);
            drop((inner, outer));
            assert_eq!(depth(), 0);
            assert!(Call::enter().unwrap().outermost);
        });
    }

    /// A call that a panic of its future ended must not count any more: otherwise the thread would
    /// be in `block_on` for ever, and its next call not its outermost.
    #[test]
    fn call_that_panics_is_undone() {
        use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
        on_new_thread(|| {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                let _call = Call::enter().unwrap();
                resume_unwind(Box::new("a future that panics"));
            }));
            assert!(ended.is_err());
            assert_eq!(depth(), 0);
            assert!(Call::enter().unwrap().outermost);
        });
    }

    #[test]
    fn parts_are_reused_unless_waker_is_kept() {
        on_new_thread(|| {
            let first = Arc::as_ptr(&Call::enter().unwrap().parts().me);
            let mut second = Call::enter().unwrap();
            assert_eq!(Arc::as_ptr(&second.parts().me), first);
            let kept = second.parts().me.clone();
            drop(second);
            assert!(!Arc::ptr_eq(&Call::enter().unwrap().parts().me, &kept));
        });
    }

    #[test]
    fn current_shard_is_home_only_in_block_on() {
        // Whoever comes while this one is here lives elsewhere, if there is an elsewhere.
        let _here = Call::enter().unwrap();
        on_new_thread(|| {
            let call = Call::enter().unwrap();
            assert_eq!(current_shard().unwrap().index(), call.shard.index());
            drop(call);
            assert_eq!(current_shard().unwrap().index(), 0);
        });
    }
}
