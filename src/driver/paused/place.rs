//! Which pause a thread is in, and pauses that can be used again.

use std::cell::RefCell;
use std::io;

use super::{Pause, Scope, make};
use crate::clock::manual;
use crate::driver::{context, drive, helper};
use crate::reactor::Shard;
use crate::sync::{Mutex, Ref};
use crate::sys::fork_generation;

thread_local! {
    /// The pause of this thread.
    static OWN: RefCell<Option<Own>> = const { RefCell::new(None) };
    /// The pause of the `block_on` calls that this thread is in, if they are of one. It may be
    /// over.
    static ENTERED: RefCell<Option<Ref<Pause>>> = const { RefCell::new(None) };
}

/// The pause of a thread, until the thread ends, should the guard have been leaked.
struct Own {
    pause: Ref<Pause>,
    of_use: u64,
}

impl Drop for Own {
    fn drop(&mut self) {
        if !self.pause.is_from_parent() {
            Pause::end(&self.pause, self.of_use);
        }
    }
}

/// The pauses of one process.
struct Process {
    /// That of the process as a whole, until it is over and all its calls have ended.
    whole: Mutex<Option<Ref<Pause>>>,
    /// Those that are over. A shard is for ever, so that its pause is used again: for the same
    /// scope, since a thread may have seen that of the process a moment before it was over, and
    /// enters the next one then. That must not be another thread's.
    spare: [Mutex<Vec<Ref<Pause>>>; 2],
}

impl Process {
    fn spare(&self, scope: Scope) -> &Mutex<Vec<Ref<Pause>>> {
        &self.spare[scope as usize]
    }
}

/// As in [`process`](crate::driver::process): a child's locks are none that another thread can have
/// held when the process was forked.
static PROCESSES: [Process; MOST_FORKS] =
    [const { Process { whole: Mutex::new(None), spare: [const { Mutex::new(Vec::new()) }; 2] } };
        MOST_FORKS];

const MOST_FORKS: usize = 64;

fn this_process() -> Option<&'static Process> {
    PROCESSES.get(fork_generation())
}

/// Returns why this thread cannot begin a pause.
pub(super) fn check(scope: Scope) -> Result<(), &'static str> {
    if context::depth() > 0 {
        return Err("this thread is inside `block_on`");
    }
    if drive::is_under_way() || helper::is_current() {
        return Err("this thread drives timers and I/O");
    }
    if own().is_some() {
        return Err("it is paused already on this thread");
    }
    if scope == Scope::Process && whole().is_some() {
        return Err("it is paused already for the process, or calls of its last pause go on");
    }
    Ok(())
}

/// Begins a pause that is not in use, and makes it this thread's or the process's.
pub(super) fn occupy(scope: Scope) -> io::Result<(Ref<Pause>, u64)> {
    let Some(process) = this_process() else {
        return Err(io::Error::other("a child of a child, and so on, of too many processes"));
    };
    let is_spare = |pause: &Ref<Pause>| pause.shard.open();
    let mut spare = process.spare(scope).lock();
    let found = spare.iter().position(is_spare).map(|index| spare.swap_remove(index));
    drop(spare);
    let pause = found.map_or_else(make, Ok)?;
    match scope {
        Scope::Thread => {
            let of_use = pause.begin(scope);
            let own = Own { pause: pause.clone(), of_use };
            // One that is there is of the process that this one was forked from.
            OWN.set(Some(own));
            Ok((pause, of_use))
        }
        Scope::Process => {
            let mut whole = process.whole.lock();
            if whole.is_some() {
                drop(whole);
                keep(&pause, scope);
                return Err(io::Error::other("another thread has just paused the process"));
            }
            *whole = Some(pause.clone());
            let of_use = pause.begin(scope);
            Ok((pause, of_use))
        }
    }
}

/// Notes that the guard of a pause is gone.
pub(super) fn give_up(pause: &Ref<Pause>) {
    let own = OWN.try_with(|own| {
        let mut own = own.borrow_mut();
        own.take_if(|own| std::ptr::eq(&*own.pause, &**pause))
    });
    // Ends the pause.
    drop(own);
}

/// Notes that a pause is over and has no calls any more.
pub(super) fn leave(pause: &Pause) {
    let Some(process) = this_process() else { return };
    let _ = process.whole.lock().take_if(|whole| std::ptr::eq(&**whole, pause));
}

/// Keeps a pause that is over for another time.
pub(super) fn keep(pause: &Ref<Pause>, scope: Scope) {
    if let Some(process) = this_process() {
        process.spare(scope).lock().push(pause.clone());
    }
}

/// Enters a pause with a `block_on` call. Returns `true` if it is the outermost of this thread.
pub(super) fn enter(pause: &Ref<Pause>) -> bool {
    let is_outermost = entered().is_none();
    if is_outermost {
        let _ = ENTERED.try_with(|entered| entered.replace(Some(pause.clone())));
    }
    is_outermost
}

/// Undoes [`enter`], of the outermost call.
pub(super) fn exit() {
    let _ = ENTERED.try_with(RefCell::take);
}

fn own() -> Option<Ref<Pause>> {
    let own = OWN.try_with(|own| own.borrow().as_ref().map(|own| own.pause.clone())).ok()??;
    (!own.is_from_parent()).then_some(own)
}

fn whole() -> Option<Ref<Pause>> {
    this_process()?.whole.lock().clone()
}

pub(super) fn entered() -> Option<Ref<Pause>> {
    let entered = ENTERED.try_with(|entered| entered.borrow().clone()).ok()??;
    (!entered.is_from_parent()).then_some(entered)
}

/// Returns the pause that this thread is in.
#[inline]
pub(super) fn in_force() -> Option<Ref<Pause>> {
    if manual::is_used() { look() } else { None }
}

#[cold]
fn look() -> Option<Ref<Pause>> {
    if let Some(pause) = entered() {
        return Some(pause);
    }
    if context::depth() > 0 {
        // In calls that are none of a pause.
        return None;
    }
    let pause = match own() {
        Some(own) => own,
        None if manual::keeps_system() => return None,
        None => whole()?,
    };
    let is_over = pause.state.lock().is_over;
    (!is_over).then_some(pause)
}

/// Returns `true` if this thread's time is paused.
pub(crate) fn is_in_force() -> bool {
    in_force().is_some()
}

/// Returns the shard for what a thread makes whose time is paused.
#[inline]
pub(in crate::driver) fn current_shard() -> Option<Ref<Shard>> {
    in_force().map(|pause| pause.shard.clone())
}
