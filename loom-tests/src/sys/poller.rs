//! A modelled poller: a notification that stays until a wait finds it, a list of what may be
//! ready, and a link to the poller of pollers.
//!
//! As with epoll, what is on the list is looked at again before it is reported, so that what
//! was taken meanwhile by somebody else is not.

use std::io;
use std::panic::Location;
use std::sync::{Arc, OnceLock, Weak};

use super::{Event, Events, Pipe, Polls, Until};
use crate::clock::{self, NEVER};
use crate::sync::{Condvar, Mutex};
use crate::trace::{self, Tag};

#[derive(Debug)]
pub(crate) struct Poller(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    tag: Tag,
    state: Mutex<State>,
    changed: Condvar,
    /// For the one who waits until it is ready, as another event loop does.
    watched: Condvar,
    /// What this one is ready with, and the other way round.
    shown: OnceLock<Arc<Inner>>,
    shown_in: OnceLock<Weak<Inner>>,
    /// The poller that this one is a source of, and its key there.
    parent: OnceLock<(Weak<Inner>, usize)>,
}

#[derive(Debug)]
struct State {
    notified: bool,
    ready: Vec<Ready>,
    /// When it is ready though nothing happened, or [`NEVER`].
    deadline: u64,
    /// Whether what is shown here has changed.
    stirred: bool,
    link: Link,
}

#[derive(Debug)]
enum Ready {
    Pipe { pipe: Arc<Pipe>, key: usize },
    Poller { child: Arc<Inner>, key: usize },
}

/// What the parent is to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Link {
    #[default]
    Disarmed,
    Armed,
    /// It is on the parent's list.
    Queued,
}

impl State {
    fn is_ready(&self) -> bool {
        self.notified || !self.ready.is_empty() || self.deadline <= clock::wheel_now()
    }
}

impl Polls for Poller {
    #[track_caller]
    fn new() -> io::Result<Poller> {
        Ok(Poller(Arc::new(Inner {
            tag: Tag::new(Location::caller()),
            state: Mutex::quiet(State {
                notified: false,
                ready: Vec::new(),
                deadline: NEVER,
                stirred: false,
                link: Link::default(),
            }),
            changed: Condvar::signalled_under_lock(),
            watched: Condvar::signalled_under_lock(),
            shown: OnceLock::new(),
            shown_in: OnceLock::new(),
            parent: OnceLock::new(),
        })))
    }

    #[track_caller]
    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        events.clear();
        let at = Location::caller();
        let mut over = until == Until::Now;
        loop {
            let mut state = self.0.state.lock();
            while !state.is_ready() && !over {
                trace::step(at, Some(self.0.tag), || format!("wait: nothing yet, {until:?}"));
                match until {
                    Until::At(deadline) if deadline > clock::wheel_now() => {
                        let until = deadline.min(state.deadline);
                        self.0.changed.wait_until(&mut state, until);
                    }
                    Until::At(_) => over = true,
                    Until::Notified | Until::Now => {
                        let until = state.deadline;
                        self.0.changed.wait_until(&mut state, until);
                    }
                }
            }
            let notified = std::mem::take(&mut state.notified);
            over |= notified;
            if state.deadline <= clock::wheel_now() {
                state.deadline = NEVER;
                over = true;
            }
            let ready = std::mem::take(&mut state.ready);
            drop(state);
            events.0.extend(ready.into_iter().filter_map(|ready| ready.report(&self.0)));
            trace::step(at, Some(self.0.tag), || {
                let told = if notified { "notified, " } else { "" };
                let what = |event: &Event| {
                    let read = if event.readable { " read" } else { "" };
                    let write = if event.writable { " write" } else { "" };
                    format!("{}:{read}{write}", event.key)
                };
                let events: Vec<_> = events.0.iter().map(what).collect();
                format!("wait: {told}events [{}]", events.join(", "))
            });
            if over || !events.0.is_empty() {
                return Ok(());
            }
        }
    }

    #[track_caller]
    fn notify(&self) {
        let at = Location::caller();
        self.0.change(&mut |state| {
            trace::step(at, Some(self.0.tag), || "notify".to_owned());
            state.notified = true;
        });
    }

    #[track_caller]
    fn set_deadline(&self, deadline: u64) -> io::Result<()> {
        let at = Location::caller();
        // One that was set before is forgotten: the trait promises no more.
        self.0.change(&mut |state| {
            trace::step(at, Some(self.0.tag), || format!("ready at {deadline}"));
            state.deadline = deadline;
        });
        Ok(())
    }

    fn reports_exceptions(&self) -> bool {
        true
    }

    fn add_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        let added = other.0.parent.set((Arc::downgrade(&self.0), key));
        added.map_err(|_| io::ErrorKind::AlreadyExists.into())
    }

    fn show_poller(&self, other: &Poller, _: usize) -> io::Result<()> {
        assert!(self.0.shown.set(other.0.clone()).is_ok(), "there is one shard");
        assert!(other.0.shown_in.set(Arc::downgrade(&self.0)).is_ok(), "there is one overview");
        Ok(())
    }

    #[track_caller]
    fn arm_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        let at = Location::caller();
        assert_eq!(other.0.parent.get().map(|parent| parent.1), Some(key));
        other.0.change(&mut |state| {
            trace::step(at, Some(other.0.tag), || format!("arm, {:?} before", state.link));
            if state.link == Link::Disarmed {
                state.link = Link::Armed;
            }
        });
        Ok(())
    }

    #[track_caller]
    fn remove_poller(&self, other: &Poller) {
        // What is on the list already is found to be disarmed.
        let mut state = other.0.state.lock();
        trace::step(Location::caller(), Some(other.0.tag), || "remove from the root".to_owned());
        state.link = Link::Disarmed;
    }
}

impl Poller {
    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Waits until it is notified or what it shows is ready, and takes nothing away: as an event
    /// loop that polls its descriptor. One thread at a time.
    ///
    /// As with the system, what has been ready and was taken by another thread before this one
    /// looks again was nothing.
    #[track_caller]
    pub(crate) fn watch(&self) {
        let at = Location::caller();
        let shown = self.0.shown.get().expect("it shows a shard's poller");
        loop {
            let child = shown.state.lock();
            let (is_ready, deadline) = (child.is_ready(), child.deadline);
            drop(child);
            let mut state = self.0.state.lock();
            if is_ready || state.notified {
                let why = if state.notified { "is notified" } else { "shows a ready poller" };
                trace::step(at, Some(self.0.tag), || why.to_owned());
                return;
            }
            if !std::mem::take(&mut state.stirred) {
                self.0.watched.wait_until(&mut state, deadline);
            }
        }
    }
}

impl Inner {
    /// A source of this poller's may be ready.
    pub(super) fn queue(self: &Arc<Inner>, pipe: &Arc<Pipe>, key: usize) {
        self.change(&mut |state| state.ready.push(Ready::Pipe { pipe: pipe.clone(), key }));
    }

    /// Changes the state, and tells if it is ready after that.
    fn change(self: &Arc<Inner>, change: &mut dyn FnMut(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        self.watched.notify_one();
        // Or not ready, but with an earlier deadline.
        if let Some(overview) = self.shown_in.get().and_then(Weak::upgrade) {
            let mut state = overview.state.lock();
            state.stirred = true;
            overview.watched.notify_one();
        }
        if !state.is_ready() {
            return;
        }
        self.changed.notify_one();
        if state.link != Link::Armed {
            return;
        }
        let Some((parent, key)) = self.parent.get() else { return };
        let Some(parent) = parent.upgrade() else { return };
        state.link = Link::Queued;
        drop(state);
        let ready = || Ready::Poller { child: self.clone(), key: *key };
        parent.change(&mut |state| state.ready.push(ready()));
    }

    /// For the parent, which has this on its list: whether it is still ready, which is then
    /// reported. It stays armed for what comes next.
    fn report(&self) -> bool {
        let mut state = self.state.lock();
        if state.link != Link::Queued {
            return false;
        }
        let ready = state.is_ready();
        state.link = Link::Armed;
        ready
    }
}

impl Ready {
    fn report(self, poller: &Arc<Inner>) -> Option<Event> {
        match self {
            Ready::Pipe { pipe, key } => pipe.report(poller, key),
            Ready::Poller { child, key } => child.report().then_some(Event {
                key,
                readable: true,
                writable: false,
                exceptional: false,
            }),
        }
    }
}
