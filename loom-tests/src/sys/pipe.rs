//! A modelled source: something with data to read and room to write.

use std::io;
use std::panic::Location;
use std::sync::{Arc, Weak};

use super::poller::Inner;
use super::{Event, Mobility, Poller};
use crate::reactor::Interest;
use crate::sync::Mutex;
use crate::trace::{self, Tag};

pub(crate) type Raw = usize;

/// A descriptor's number, which can be given to another pipe while the old one lives on: what
/// `dup2` does behind the library's back. The system's table of descriptors is not what is
/// modelled, so that loom sees no steps in it.
#[derive(Debug)]
pub(crate) struct Number(Raw, std::sync::Mutex<Weak<Pipe>>);

impl Number {
    pub(crate) fn new(raw: Raw) -> Arc<Number> {
        Arc::new(Number(raw, std::sync::Mutex::new(Weak::new())))
    }
}

#[derive(Debug)]
pub(crate) struct Pipe {
    tag: Tag,
    edge: bool,
    /// What it is registered by; if there is none, it is by itself.
    number: Option<Arc<Number>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    data: usize,
    room: usize,
    /// Whether nothing will come after the data.
    ended: bool,
    /// Where it is registered: with one poller, and for the time of a move with two.
    homes: Vec<Home>,
    /// Whether the next registration with another poller is refused.
    refuses: bool,
}

/// A registration.
#[derive(Debug)]
struct Home {
    poller: Arc<Inner>,
    key: usize,
    read: bool,
    write: bool,
    /// Whether it is on the poller's list.
    queued: bool,
}

impl Home {
    fn is_of(&self, poller: &Arc<Inner>) -> bool {
        Arc::ptr_eq(&self.poller, poller)
    }
}

impl Pipe {
    /// An empty and full pipe whose registration reports edges, or else once.
    #[track_caller]
    pub(crate) fn new(edge: bool) -> Arc<Pipe> {
        Pipe::make(edge, None)
    }

    /// The same, with a number of its own that the registry knows it by.
    #[track_caller]
    pub(crate) fn numbered(edge: bool, number: Raw) -> Arc<Pipe> {
        Pipe::make(edge, Some(Number::new(number)))
    }

    /// The same, which takes a number over from whatever had it.
    #[track_caller]
    pub(crate) fn taking_over(edge: bool, number: &Arc<Number>) -> Arc<Pipe> {
        Pipe::make(edge, Some(number.clone()))
    }

    #[track_caller]
    fn make(edge: bool, number: Option<Arc<Number>>) -> Arc<Pipe> {
        let pipe = Arc::new(Pipe {
            tag: Tag::new(Location::caller()),
            edge,
            number,
            state: Mutex::quiet(State { homes: Vec::new(), ..State::default() }),
        });
        if let Some(number) = &pipe.number {
            *number.1.lock().unwrap() = Arc::downgrade(&pipe);
        }
        pipe
    }

    #[track_caller]
    fn note(&self, what: impl FnOnce() -> String) {
        trace::step(Location::caller(), Some(self.tag), what);
    }

    /// Changes the state, notes that, and tells the poller if it has this interest.
    #[track_caller]
    fn change(
        self: &Arc<Pipe>,
        interest: Interest,
        change: impl FnOnce(&mut State),
        note: impl FnOnce(&State) -> String,
    ) {
        let mut state = self.state.lock();
        change(&mut state);
        self.note(|| note(&state));
        let wanted = |home: &Home| match interest {
            Interest::Read => home.read,
            Interest::Write => home.write,
        };
        self.queue(&mut state, wanted);
    }

    /// Data arrives.
    #[track_caller]
    pub(crate) fn arrive(self: &Arc<Pipe>) {
        let note = |state: &State| format!("data arrives, {} pieces", state.data);
        self.change(Interest::Read, |state| state.data += 1, note);
    }

    /// The stream ends after what has arrived.
    #[track_caller]
    pub(crate) fn end(self: &Arc<Pipe>) {
        self.change(Interest::Read, |state| state.ended = true, |_| "the stream ends".to_owned());
    }

    /// Reads all that is there, in a read that falls short: how many pieces, none at the end.
    #[track_caller]
    pub(crate) fn read_all(&self) -> Option<usize> {
        let mut state = self.state.lock();
        let data = std::mem::take(&mut state.data);
        self.note(|| format!("read all, {data} pieces"));
        (data > 0 || state.ended).then_some(data)
    }

    /// There is room to write.
    #[track_caller]
    pub(crate) fn drain(self: &Arc<Pipe>) {
        let note = |state: &State| format!("room to write, {} pieces", state.room);
        self.change(Interest::Write, |state| state.room += 1, note);
    }

    /// Reads a piece. `false`: it would block.
    #[track_caller]
    pub(crate) fn read(&self) -> bool {
        self.take("read", |state| &mut state.data)
    }

    /// Writes a piece. `false`: it would block.
    #[track_caller]
    pub(crate) fn write(&self) -> bool {
        self.take("write", |state| &mut state.room)
    }

    /// Takes a piece, if there is one, and notes it.
    #[track_caller]
    fn take(&self, what: &str, pieces: impl FnOnce(&mut State) -> &mut usize) -> bool {
        let mut state = self.state.lock();
        let pieces = pieces(&mut state);
        let there = *pieces > 0;
        self.note(
            || if there { format!("{what} a piece") } else { format!("{what}: would block") },
        );
        *pieces -= usize::from(there);
        there
    }

    /// Ends the registration past the library, as closing the last descriptor of a file does.
    pub(crate) fn close(&self) {
        self.state.lock().homes.clear();
    }

    /// The next poller that it is to be registered with has no memory left.
    pub(crate) fn refuse(&self) {
        self.state.lock().refuses = true;
    }

    /// Puts it on the lists of those pollers that have it and are not told yet.
    fn queue(self: &Arc<Pipe>, state: &mut State, wanted: impl Fn(&Home) -> bool) {
        for home in state.homes.iter_mut().filter(|home| !home.queued && wanted(home)) {
            home.queued = true;
            home.poller.queue(self, home.key);
        }
    }

    /// The same, if it is ready for what they want to hear of.
    fn queue_if_ready(self: &Arc<Pipe>, state: &mut State) {
        let (data, room) = (state.data > 0 || state.ended, state.room > 0);
        self.queue(state, |home| home.read && data || home.write && room);
    }

    /// For the poller, which has this on its list: what it is ready for.
    pub(super) fn report(&self, poller: &Arc<Inner>, key: usize) -> Option<Event> {
        let mut state = self.state.lock();
        let ended = state.ended;
        let (data, room) = (state.data > 0 || ended, state.room > 0);
        let home = state.homes.iter_mut().find(|home| home.is_of(poller) && home.key == key)?;
        home.queued = false;
        let (readable, writable) = (home.read && data, home.write && room);
        if !readable && !writable {
            return None;
        }
        if !self.edge {
            (home.read, home.write) = (false, false);
        }
        Some(Event { key, readable, writable, exceptional: ended })
    }
}

/// A pipe says itself whether a number is still its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity;

impl Identity {
    pub(crate) const UNKNOWN: Identity = Identity;
}

/// See `src/sys/registration.rs`.
#[derive(Debug)]
pub(crate) struct Registration(pub(crate) Arc<Pipe>);

impl Registration {
    /// `None` for those that are each registered once.
    pub(crate) fn raw(&self) -> Option<Raw> {
        self.0.number.as_ref().map(|number| number.0)
    }

    /// Returns the pipe that a call to the poller concerns: the one that has the number now.
    fn named(&self) -> Arc<Pipe> {
        let by_number = self.0.number.as_ref().map(|number| number.1.lock().unwrap().upgrade());
        by_number.flatten().unwrap_or_else(|| self.0.clone())
    }

    pub(crate) fn keeps_interest(&self) -> bool {
        self.0.edge
    }

    pub(crate) fn is_tcp(&self) -> bool {
        true
    }

    pub(crate) fn trusts_reads(&self) -> bool {
        self.0.edge
    }

    pub(crate) fn trusts_writes(&self) -> bool {
        self.0.edge
    }

    pub(crate) fn mobility(&self) -> Mobility {
        Mobility::Free
    }

    pub(crate) fn is_still(&self, _: &Identity) -> bool {
        Arc::ptr_eq(&self.named(), &self.0)
    }

    /// As with epoll, each poller knows of its own registrations only: that nobody registers
    /// one with a second and leaves it there is what the registry is for.
    #[track_caller]
    pub(crate) fn add(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let [read, write] = armed;
        let pipe = self.named();
        let mut state = pipe.state.lock();
        if std::mem::take(&mut state.refuses) {
            pipe.note(|| "register: refused".to_owned());
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        if state.homes.iter().any(|home| home.is_of(poller.inner())) {
            pipe.note(|| "register: is registered already".to_owned());
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // A source moves with the interest of those who wait; who registers one has none yet.
        let most = usize::from(read || write);
        assert!(state.homes.len() <= most, "a source is registered with too many pollers");
        pipe.note(|| format!("register, key {key}, read {read}, write {write}"));
        let poller = poller.inner().clone();
        state.homes.push(Home { poller, key, read, write, queued: false });
        pipe.queue_if_ready(&mut state);
        Ok(())
    }

    #[track_caller]
    pub(crate) fn modify(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let [readable, writable] = armed;
        let pipe = self.named();
        let mut state = pipe.state.lock();
        assert!(state.homes.len() < 2, "a source stays registered with two pollers");
        let Some(home) = state.homes.first_mut() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        assert!(
            home.key == key && home.is_of(poller.inner()),
            "a source changes the registration of another",
        );
        (home.read, home.write) = (readable, writable);
        pipe.note(|| format!("arm, read {readable}, write {writable}"));
        pipe.queue_if_ready(&mut state);
        Ok(())
    }

    #[track_caller]
    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        let pipe = self.named();
        let mut state = pipe.state.lock();
        pipe.note(|| "deregister".to_owned());
        let place = state.homes.iter().position(|home| home.is_of(poller.inner()));
        let _ = state.homes.remove(place.ok_or(io::ErrorKind::NotFound)?);
        Ok(())
    }
}
