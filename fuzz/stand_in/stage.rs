//! The reactor that an input runs on, with two shards that nobody drives but the target.

use std::cell::{Cell, RefCell};
use std::io;

use crate::handoff::Parker;
use crate::reactor::{Batch, Pollers, Reactor, Settings, Shard};
use crate::sync::{self, Ref};
use crate::sys::{Event, Poller};

/// Shards of a reactor.
pub(crate) const SHARDS: usize = 2;

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
    /// The shard for what is made.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    /// Whether the next that asks for a shard is refused.
    static REFUSES: Cell<bool> = const { Cell::new(false) };
    static REFUSED: Cell<usize> = const { Cell::new(0) };
    static HOOKS: Cell<Option<Hooks>> = const { Cell::new(None) };
}

struct Stage {
    reactor: Ref<Reactor>,
    shards: Vec<Ref<Shard>>,
}

/// What a target hears of.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    /// A driver of this shard is about to sleep until this wheel time.
    pub(crate) asleep: fn(shard: usize, until: u64),
    /// A wait in this shard's poller is over: what is due now fires next.
    pub(crate) over: fn(shard: usize),
    /// A wait in this shard's poller has brought this.
    pub(crate) reported: fn(shard: usize, event: Event),
}

/// Makes a reactor for an input.
pub(crate) fn begin(hooks: Hooks) {
    let settings = Settings {
        shards: SHARDS,
        coalescing_bound: crate::COALESCING_BOUND,
        ..Settings::default()
    };
    let reactor = sync::share(Reactor::new(Pollers::new().unwrap(), settings));
    let shards = (0..SHARDS).map(|_| reactor.assign()).collect();
    STAGE.set(Some(Stage { reactor, shards }));
    CURRENT.set(0);
    REFUSES.set(false);
    REFUSED.set(0);
    HOOKS.set(Some(hooks));
}

/// Ends it.
pub(crate) fn end() {
    HOOKS.set(None);
    let stage = STAGE.take();
    drop(stage);
}

fn with<R>(f: impl FnOnce(&Stage) -> R) -> R {
    STAGE.with_borrow(|stage| f(stage.as_ref().expect("an input runs on a stage")))
}

pub(crate) fn reactor() -> Ref<Reactor> {
    with(|stage| stage.reactor.clone())
}

pub(crate) fn shard(index: usize) -> Ref<Shard> {
    with(|stage| stage.shards[index % SHARDS].clone())
}

/// The shard that has this poller, unless it is the fallback's.
fn index_of(poller: &Poller) -> Option<usize> {
    with(|stage| stage.shards.iter().position(|shard| std::ptr::eq(shard.poller(), poller)))
}

/// Where what is made from now on is placed.
pub(crate) fn set_current(shard: usize) {
    CURRENT.set(shard % SHARDS);
}

pub(crate) fn current() -> usize {
    CURRENT.get()
}

/// The next that asks for a shard is refused, as by a system that has no descriptors left.
pub(crate) fn refuse() {
    REFUSES.set(true);
}

/// How many were refused so far.
pub(crate) fn refused() -> usize {
    REFUSED.get()
}

pub(crate) fn place() -> io::Result<Ref<Shard>> {
    if REFUSES.replace(false) {
        REFUSED.set(REFUSED.get() + 1);
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    Ok(shard(CURRENT.get()))
}

/// For the poller: a driver is about to sleep.
pub(crate) fn falls_asleep(poller: &Poller, until: u64) {
    if let (Some(hooks), Some(shard)) = (HOOKS.get(), index_of(poller)) {
        (hooks.asleep)(shard, until);
    }
}

/// For the poller: what a wait has brought.
pub(crate) fn reported(poller: &Poller, event: Event) {
    if let (Some(hooks), Some(shard)) = (HOOKS.get(), index_of(poller)) {
        (hooks.reported)(shard, event);
    }
}

/// For the poller: a wait is over.
pub(crate) fn is_over(poller: &Poller) {
    if let (Some(hooks), Some(shard)) = (HOOKS.get(), index_of(poller)) {
        LAST.set(Some(shard));
        (hooks.over)(shard);
    }
}

thread_local! {
    /// The shard whose poller was waited in last.
    static LAST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Time has passed after a wait that failed, before what is due fires.
pub(crate) fn time_has_passed() {
    if let (Some(hooks), Some(shard)) = (HOOKS.get(), LAST.get()) {
        (hooks.over)(shard);
    }
}

/// Rounds of a shard without sleeping, until there is nothing left to do.
pub(crate) fn rounds(index: usize) {
    let shard = shard(index);
    let mut batch = Batch::new();
    for _ in 0..1_000 {
        let rounds = shard.succession().rounds();
        shard.run_round_if_vacant(&mut batch);
        if shard.succession().rounds() == rounds || !batch.has_more() {
            return;
        }
    }
    panic!("a round always says that there is more");
}

/// A round of a shard, asleep until there is something to do.
pub(crate) fn sleep(index: usize) {
    let shard = shard(index);
    if let Ok(driving) = shard.try_acquire() {
        let mut batch = Batch::new();
        shard.succession().note_awake();
        driving.park(&Parker::new(), &mut batch);
        assert!(!shard.succession().is_driven(), "the seat is kept after a round");
        batch.wake(&shard);
        shard.succession().note_parked();
    }
}

/// Whether somebody has the seat of this shard.
pub(crate) fn is_driven(index: usize) -> bool {
    STAGE.with_borrow(|stage| {
        stage.as_ref().is_some_and(|stage| stage.shards[index].succession().is_driven())
    })
}
