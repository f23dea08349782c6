//! A modelled source: something with data to read and room to write.

use std::io;
use std::sync::Arc;

use super::poller::Inner;
use super::{Event, Poller};
use crate::sync::Mutex;

pub(crate) type Raw = usize;

#[derive(Debug)]
pub(crate) struct Pipe {
    edge: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    data: usize,
    room: usize,
    /// Whether nothing will come after the data.
    ended: bool,
    home: Option<Home>,
}

/// Where it is registered.
#[derive(Debug)]
struct Home {
    poller: Arc<Inner>,
    key: usize,
    read: bool,
    write: bool,
    /// Whether it is on the poller's list.
    queued: bool,
}

impl Pipe {
    /// An empty and full pipe whose registration reports edges, or else once.
    pub(crate) fn new(edge: bool) -> Arc<Pipe> {
        Arc::new(Pipe {
            edge,
            state: Mutex::new(State { data: 0, room: 0, ended: false, home: None }),
        })
    }

    /// Data arrives.
    pub(crate) fn arrive(self: &Arc<Pipe>) {
        let mut state = self.state.lock();
        state.data += 1;
        if state.home.as_ref().is_some_and(|home| home.read) {
            self.queue(&mut state);
        }
    }

    /// The stream ends after what has arrived.
    pub(crate) fn end(self: &Arc<Pipe>) {
        let mut state = self.state.lock();
        state.ended = true;
        if state.home.as_ref().is_some_and(|home| home.read) {
            self.queue(&mut state);
        }
    }

    /// Reads all that is there, in a read that falls short: how many pieces, none at the end.
    pub(crate) fn read_all(&self) -> Option<usize> {
        let mut state = self.state.lock();
        let data = std::mem::take(&mut state.data);
        (data > 0 || state.ended).then_some(data)
    }

    /// There is room to write.
    pub(crate) fn drain(self: &Arc<Pipe>) {
        let mut state = self.state.lock();
        state.room += 1;
        if state.home.as_ref().is_some_and(|home| home.write) {
            self.queue(&mut state);
        }
    }

    /// Reads a piece. `false`: it would block.
    pub(crate) fn read(&self) -> bool {
        let mut state = self.state.lock();
        let there = state.data > 0;
        state.data -= usize::from(there);
        there
    }

    /// Writes a piece. `false`: it would block.
    pub(crate) fn write(&self) -> bool {
        let mut state = self.state.lock();
        let there = state.room > 0;
        state.room -= usize::from(there);
        there
    }

    fn queue(self: &Arc<Pipe>, state: &mut State) {
        if let Some(home) = &mut state.home {
            if !home.queued {
                home.queued = true;
                home.poller.queue(self, home.key);
            }
        }
    }

    /// For the poller, which has this on its list: what it is ready for.
    pub(super) fn report(&self, key: usize) -> Option<Event> {
        let mut state = self.state.lock();
        let ended = state.ended;
        let (data, room) = (state.data > 0 || ended, state.room > 0);
        let home = state.home.as_mut().filter(|home| home.key == key)?;
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

/// See `src/sys/registration.rs`.
#[derive(Debug)]
pub(crate) struct Registration(pub(crate) Arc<Pipe>);

impl Registration {
    /// Modelled sources are each registered once.
    pub(crate) fn raw(&self) -> Option<Raw> {
        None
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

    pub(crate) fn add(&self, poller: &Poller, key: usize) -> io::Result<()> {
        let poller = poller.inner().clone();
        let home = Home { poller, key, read: false, write: false, queued: false };
        let before = self.0.state.lock().home.replace(home);
        assert!(before.is_none());
        Ok(())
    }

    pub(crate) fn modify(
        &self,
        poller: &Poller,
        key: usize,
        readable: bool,
        writable: bool,
    ) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let ready = (readable && (state.data > 0 || state.ended)) || (writable && state.room > 0);
        let Some(home) = &mut state.home else { return Err(io::ErrorKind::NotFound.into()) };
        assert!(home.key == key && Arc::ptr_eq(&home.poller, poller.inner()));
        (home.read, home.write) = (readable, writable);
        if ready {
            self.0.queue(&mut state);
        }
        Ok(())
    }

    pub(crate) fn delete(&self, _: &Poller) -> io::Result<()> {
        self.0.state.lock().home = None;
        Ok(())
    }
}
