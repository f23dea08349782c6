//! Paused time: `block_on` calls whose timers follow a manual clock, in a shard of their own.
//!
//! A [`Pause`] is of one thread or of the whole process. Its `block_on` calls share a shard that is
//! none of the reactor's, so that neither the fallback nor anybody's home has to do with it. The
//! clock stands while any of its threads is awake. When all of them sleep, one of them looks at the
//! poller, and if nothing is ready, decides what happens next ([`step`]): time moves, or the
//! threads wait for I/O, or nothing can happen any more.
//!
//! All that threads tell each other here is under one lock: what is paused is not what has to be
//! fast. No user code runs under it.
//!
//! When the guard of a pause is dropped, the calls that are going on go on by the system's clock,
//! in the same shard. With the last of them the shard is closed: who waits there is woken, and
//! waits elsewhere from then on.

mod advance;
mod call;
mod hold;
mod place;
mod step;

use std::io;
use std::time::Duration;

use crate::clock::{self, manual};
use crate::reactor::{Batch, Order, Shard};
use crate::sync::{self, Mutex, Ref};
use crate::sys::{Polls, count_forks};

use call::CallState;

pub(crate) use advance::{Advance, Goal};
pub(super) use call::Call;
pub(crate) use hold::Hold;
pub(super) use place::current_shard;
pub(crate) use place::is_in_force;

/// How long a pause waits in real time before it says that nothing can happen any more, unless the
/// test says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whose time is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Thread = 0,
    Process = 1,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Pause {
    shard: Ref<Shard>,
    /// Taken alone, or while the state's is held.
    order: Mutex<Order>,
    state: Mutex<State>,
}

// Its lock is never poisoned: what it guards is whole whenever user code runs.
impl std::panic::RefUnwindSafe for Pause {}

#[derive(Debug)]
struct State {
    scope: Scope,
    /// Counts the pauses that this has been for.
    uses: u64,
    /// Whether the guard is gone, or there was none yet: the calls go by the system's clock.
    is_over: bool,
    /// If time moves by itself: how long it waits for I/O first, in real time.
    grace: Option<Duration>,
    /// How many there are who do not let time move by itself.
    holds: usize,
    patience: Duration,
    /// The `block_on` calls that are going on.
    calls: Vec<CallState>,
    /// How many threads in these calls are awake, or were woken.
    awake: usize,
    /// The call that has the poller, or is about to decide what happens next.
    driver: Option<u64>,
    /// The number of the next call, or of the next [`Advance`].
    next: u64,
    /// What is asked of the clock.
    advances: Vec<advance::Request>,
    /// Changes whenever a call begins, ends, sleeps or is woken.
    activity: u64,
}

impl Pause {
    fn new() -> io::Result<Pause> {
        let state = State {
            scope: Scope::Thread,
            uses: 0,
            is_over: true,
            grace: None,
            holds: 0,
            patience: PATIENCE,
            calls: Vec::new(),
            awake: 0,
            driver: None,
            next: 0,
            advances: Vec::new(),
            activity: 0,
        };
        Ok(Pause {
            shard: Shard::for_pauses()?,
            order: Mutex::new(Order::default()),
            state: Mutex::new(state),
        })
    }

    fn is_from_parent(&self) -> bool {
        self.shard.is_from_parent()
    }

    /// Sets the clock of those whose time this is. Called by a thread of theirs.
    fn set_clock(scope: Scope, at: u64) {
        match scope {
            Scope::Thread => manual::set(at),
            Scope::Process => manual::set_process(at),
        }
    }

    /// Begins a pause, whose clock starts at the present time.
    fn begin(&self, scope: Scope) -> u64 {
        let mut state = self.state.lock();
        state.scope = scope;
        state.uses += 1;
        state.is_over = false;
        state.grace = None;
        state.holds = 0;
        state.patience = PATIENCE;
        *self.order.lock() = Order::default();
        manual::begin();
        // Of a thread, too, whose process is paused: what others do with their time is not seen in it.
        Pause::set_clock(scope, clock::system_wheel_now());
        state.uses
    }

    /// Ends a pause, unless it is over.
    fn end(pause: &Ref<Pause>, of_use: u64) {
        let mut state = pause.state.lock();
        if state.uses != of_use || state.is_over {
            return;
        }
        state.is_over = true;
        let unclaimed = std::mem::take(&mut state.advances);
        match state.scope {
            Scope::Thread => manual::unset(!state.calls.is_empty()),
            Scope::Process => manual::unset_process(),
        }
        let is_last = state.calls.is_empty();
        drop(state);
        drop(unclaimed);
        if is_last {
            Pause::finish(pause);
        } else {
            // Its driver has to know.
            pause.shard.poller().notify();
        }
    }

    /// Closes the shard: the pause is over, and there is no call any more.
    fn finish(pause: &Ref<Pause>) {
        let mut batch = Batch::new();
        pause.shard.close(&mut batch);
        place::leave(pause);
        manual::end();
        batch.wake(&pause.shard);
        // Last: its timers' wakers are back by now.
        let scope = pause.state.lock().scope;
        place::keep(pause, scope);
    }
}

/// The guard of a pause. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    pause: Ref<Pause>,
    /// Which of the pauses that this was for.
    of_use: u64,
    /// The wheel time at which it began.
    began: u64,
}

impl Guard {
    /// Begins a pause of this thread or of the process.
    ///
    /// # Panics
    ///
    /// If it is paused already, if this thread is driving, or if the system has no poller left.
    #[track_caller]
    pub(crate) fn begin(scope: Scope) -> Guard {
        if let Err(why) = place::check(scope) {
            panic!("time cannot be paused: {why}");
        }
        let made = count_forks().and_then(|()| place::occupy(scope));
        match made {
            Ok((pause, of_use)) => Guard { pause, of_use, began: clock::wheel_now() },
            Err(error) => panic!("time cannot be paused: {error}"),
        }
    }

    /// Returns the pause's settings.
    ///
    /// # Panics
    ///
    /// In the child of a fork.
    #[track_caller]
    fn change(&self, change: impl FnOnce(&mut State)) {
        self.assert_not_from_parent();
        change(&mut self.pause.state.lock());
    }

    #[track_caller]
    fn assert_not_from_parent(&self) {
        assert!(
            !self.pause.is_from_parent(),
            "time was paused in the process that this one was forked from: here it goes on",
        );
    }

    /// Lets time move by itself, after it has waited so long for I/O; or only by hand.
    #[track_caller]
    pub(crate) fn set_grace(&self, grace: Option<Duration>) {
        self.change(|state| {
            state.grace = grace;
            state.note_activity();
        });
        // It may be another thread that decides.
        self.pause.shard.poller().notify();
    }

    #[track_caller]
    pub(crate) fn set_patience(&self, patience: Duration) {
        self.change(|state| {
            state.patience = patience;
            state.note_activity();
        });
        self.pause.shard.poller().notify();
    }

    #[track_caller]
    pub(crate) fn hold(&self) -> Hold {
        self.assert_not_from_parent();
        Hold::begin(&self.pause)
    }

    #[track_caller]
    pub(crate) fn set_seed(&self, seed: u64) {
        self.assert_not_from_parent();
        *self.pause.order.lock() = Order::seeded(seed);
    }

    /// Returns the wheel time at which the pause began.
    #[track_caller]
    pub(crate) fn began(&self) -> u64 {
        self.assert_not_from_parent();
        self.began
    }

    /// Asks something of the clock.
    pub(crate) fn advance(&self, goal: Goal) -> Advance<'_> {
        self.assert_not_from_parent();
        Advance::new(&self.pause, goal)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.pause.is_from_parent() {
            place::give_up(&self.pause);
            Pause::end(&self.pause, self.of_use);
        }
    }
}

impl State {
    fn note_activity(&mut self) {
        self.activity = self.activity.wrapping_add(1);
    }

    fn new_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Makes a pause that nobody uses yet.
fn make() -> io::Result<Ref<Pause>> {
    Ok(sync::share(Pause::new()?))
}
