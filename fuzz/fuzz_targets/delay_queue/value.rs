//! Values, which act when they are dropped.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use arbitrary::Arbitrary;

use crate::delay_queue::Handle;
use crate::hands::{self, Action};
use crate::tasks;

/// What a value does when it is dropped.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Then {
    Nothing,
    Panic,
    /// Uses a handle: its own if it has one, or that of the program.
    Use(Action),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) struct Kind {
    then: Then,
    /// Whether it has a handle of its queue.
    owns: bool,
}

pub(crate) struct Value {
    id: usize,
    side: usize,
    then: Then,
    handle: Option<Handle<Value>>,
}

thread_local! {
    /// How often each value was dropped.
    static DROPS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    /// Calls of the library's that are under way and may panic.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    /// Whether a waker has panicked in the call that is under way, or was last.
    static WAKER_PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// What values and wakers panic with.
struct OnPurpose;

impl Kind {
    pub(crate) const PLAIN: Kind = Kind { then: Then::Nothing, owns: false };

    pub(crate) fn panics(self) -> bool {
        matches!(self.then, Then::Panic)
    }
}

impl Value {
    /// A value for a queue, with a handle of it if it is to have one.
    pub(crate) fn new(kind: Kind, side: usize, id: usize) -> Value {
        DROPS.with_borrow_mut(|drops| drops.resize(drops.len().max(id + 1), 0));
        let handle = if kind.owns { hands::another(side) } else { None };
        Value { id, side, then: kind.then, handle }
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// It is the program's again, which drops it without a panic.
    pub(crate) fn retire(mut self) {
        if matches!(self.then, Then::Panic) {
            self.then = Then::Nothing;
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        DROPS.with_borrow_mut(|drops| drops[self.id] += 1);
        tasks::check("a value is dropped");
        let handle = self.handle.take();
        // One panic at a time: the second would end the process.
        if let Then::Use(action) = self.then
            && !thread::panicking()
        {
            match &handle {
                Some(handle) => action.perform(self.side, handle),
                None => hands::with(self.side, 0, |handle| action.perform(self.side, handle)),
            }
        }
        if let Some(handle) = handle {
            hands::dispose(self.side, handle);
        }
        if matches!(self.then, Then::Panic) && CALLS.get() > 0 && !thread::panicking() {
            resume_unwind(Box::new(OnPurpose));
        }
    }
}

/// Whether a call panics because a value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panics {
    Yes,
    No,
    Perhaps,
}

impl From<bool> for Panics {
    fn from(panics: bool) -> Panics {
        if panics { Panics::Yes } else { Panics::No }
    }
}

/// Calls the library. Returns `None` if the panic of a value or a waker has ended the call.
pub(crate) fn call<R>(panics: impl Into<Panics>, code: impl FnOnce() -> R) -> Option<R> {
    let panics = panics.into();
    let outer = WAKER_PANICKED.replace(false);
    CALLS.set(CALLS.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(code));
    CALLS.set(CALLS.get() - 1);
    match result {
        Ok(result) => {
            assert_ne!(panics, Panics::Yes, "a value has not been dropped");
            WAKER_PANICKED.set(outer);
            Some(result)
        }
        Err(payload) if payload.is::<OnPurpose>() => {
            let expected = panics != Panics::No || WAKER_PANICKED.get();
            assert!(expected, "a value has been dropped");
            None
        }
        Err(payload) => resume_unwind(payload),
    }
}

/// Whether a waker has panicked in the last call.
pub(crate) fn waker_panicked() -> bool {
    WAKER_PANICKED.get()
}

/// For a waker: panics, if somebody catches it.
pub(crate) fn panic_as_waker() {
    if CALLS.get() > 0 {
        WAKER_PANICKED.set(true);
        resume_unwind(Box::new(OnPurpose));
    }
    tasks::panic_on_purpose();
}

/// Before a program.
pub(crate) fn begin() {
    DROPS.set(Vec::new());
}

/// After a program.
pub(crate) fn end() {
    for (id, drops) in DROPS.take().into_iter().enumerate() {
        assert_eq!(drops, 1, "drops of value {id}");
    }
}
