//! Files and the numbers that name them, registered as epoll registers: by number *and* file. A
//! registration lives as long as its file is open under any number.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use super::poller::{Inner, Poller};
use super::{Event, Identity, Registration};

pub(crate) type Raw = usize;

thread_local! {
    static NUMBERS: RefCell<BTreeMap<usize, Rc<File>>> = const { RefCell::new(BTreeMap::new()) };
    /// Whether the next change of a registration fails.
    static REFUSES: Cell<bool> = const { Cell::new(false) };
}

/// Something with data to read and room to write.
#[derive(Default)]
pub(crate) struct File {
    data: Cell<usize>,
    room: Cell<usize>,
    /// Whether nothing will come after the data.
    ended: Cell<bool>,
    registrations: RefCell<Vec<Registered>>,
}

struct Registered {
    poller: Rc<Inner>,
    number: usize,
    key: usize,
    edge: bool,
    read: bool,
    write: bool,
    /// Whether it is on the poller's list.
    queued: bool,
}

/// The next registration, or change of one, is refused.
pub(crate) fn refuse() {
    REFUSES.set(true);
}

/// Begins anew, with no number in use.
pub(crate) fn close_all() {
    REFUSES.set(false);
    let all = NUMBERS.take();
    drop(all);
}

/// The file that a number names.
pub(crate) fn file(number: usize) -> Option<Rc<File>> {
    NUMBERS.with_borrow(|numbers| numbers.get(&number).cloned())
}

fn is_open(file: &Rc<File>) -> bool {
    NUMBERS.with_borrow(|numbers| numbers.values().any(|open| Rc::ptr_eq(open, file)))
}

/// Lets a number name a file, whatever it named before (`open`, `dup2`), or nothing (`close`).
pub(crate) fn set(number: usize, file: Option<Rc<File>>) {
    let before = NUMBERS.with_borrow_mut(|numbers| match file {
        Some(file) => numbers.insert(number, file),
        None => numbers.remove(&number),
    });
    if let Some(before) = before {
        if !is_open(&before) {
            before.registrations.take();
        }
    }
}

impl File {
    pub(crate) fn new() -> Rc<File> {
        Rc::new(File::default())
    }

    pub(crate) fn identity(self: &Rc<File>) -> Identity {
        Identity(Rc::as_ptr(self) as usize)
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.data.get() > 0 || self.ended.get()
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.room.get() > 0
    }

    /// Data comes.
    pub(crate) fn arrive(self: &Rc<File>, bytes: usize) {
        self.data.set(self.data.get() + bytes);
        self.changed(true);
    }

    /// There is room.
    pub(crate) fn drain(self: &Rc<File>, bytes: usize) {
        self.room.set(self.room.get() + bytes);
        self.changed(false);
    }

    /// Nothing will come any more.
    pub(crate) fn end(self: &Rc<File>) {
        self.ended.set(true);
        self.changed(true);
    }

    /// Reads as `read` does. `None`: it would block.
    pub(crate) fn read(&self, wanted: usize) -> Option<usize> {
        let read = self.data.get().min(wanted);
        self.data.set(self.data.get() - read);
        (read > 0 || self.ended.get()).then_some(read)
    }

    /// Writes as `write` does. `None`: it would block.
    pub(crate) fn write(&self, wanted: usize) -> Option<usize> {
        let written = self.room.get().min(wanted);
        self.room.set(self.room.get() - written);
        (written > 0).then_some(written)
    }

    /// A change to readable, or to writable: it is reported where there is interest.
    fn changed(self: &Rc<File>, read: bool) {
        for registered in self.registrations.borrow_mut().iter_mut() {
            if if read { registered.read } else { registered.write } {
                registered.queue(self);
            }
        }
    }

    /// For the poller, which has this on its list: what it is ready for.
    pub(super) fn report(self: &Rc<File>, poller: &Rc<Inner>, number: usize) -> Option<Event> {
        let mut registrations = self.registrations.borrow_mut();
        let registered = registrations.iter_mut().find(|known| known.is(poller, number))?;
        registered.queued = false;
        let readable = registered.read && self.is_readable();
        let writable = registered.write && self.is_writable();
        if !readable && !writable {
            return None;
        }
        if !registered.edge {
            (registered.read, registered.write) = (false, false);
        }
        let exceptional = self.ended.get();
        Some(Event { key: registered.key, readable, writable, exceptional })
    }
}

impl Registered {
    fn is(&self, poller: &Rc<Inner>, number: usize) -> bool {
        Rc::ptr_eq(&self.poller, poller) && self.number == number
    }

    fn queue(&mut self, file: &Rc<File>) {
        if !std::mem::replace(&mut self.queued, true) {
            self.poller.queue(file, self.number);
        }
    }
}

/// A descriptor, as its owner has it. It is closed with its owner, unless it was taken away.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) number: usize,
    pub(crate) is_taken_away: AtomicBool,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if !*self.is_taken_away.get_mut() {
            set(self.number, None);
        }
    }
}

impl Registration {
    /// # Safety
    ///
    /// None asked for: no target has descriptors of the system's.
    pub(crate) unsafe fn new(_: BorrowedFd<'_>, _: Kind) -> Registration {
        unreachable!("there are no descriptors of the system's")
    }

    pub(crate) fn kind(&self) -> Kind {
        Kind::Other
    }

    pub(crate) fn socket(&self) -> Option<Socket<'_>> {
        None
    }

    pub(crate) fn is_still(&self, identity: &Identity) -> bool {
        let file = file(self.number);
        *identity == Identity::UNKNOWN || file.is_some_and(|file| file.identity() == *identity)
    }

    pub(crate) fn add(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let Registration { number, edge } = *self;
        let [read, write] = armed;
        let file = self.file()?;
        let mut registrations = file.registrations.borrow_mut();
        if registrations.iter().any(|known| known.is(poller.inner(), number)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let poller = poller.inner().clone();
        let mut registered = Registered { poller, number, key, edge, read, write, queued: false };
        if read && file.is_readable() || write && file.is_writable() {
            registered.queue(&file);
        }
        registrations.push(registered);
        Ok(())
    }

    pub(crate) fn modify(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let [readable, writable] = armed;
        let file = self.file()?;
        let mut registrations = file.registrations.borrow_mut();
        let known = registrations.iter_mut().find(|known| known.is(poller.inner(), self.number));
        let registered = known.ok_or(io::ErrorKind::NotFound)?;
        (registered.read, registered.write) = (readable, writable);
        registered.key = key;
        if readable && file.is_readable() || writable && file.is_writable() {
            registered.queue(&file);
        }
        Ok(())
    }

    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        let file = file(self.number).ok_or_else(bad_descriptor)?;
        let mut registrations = file.registrations.borrow_mut();
        let place = registrations.iter().position(|known| known.is(poller.inner(), self.number));
        registrations.swap_remove(place.ok_or(io::ErrorKind::NotFound)?);
        Ok(())
    }

    fn file(&self) -> io::Result<Rc<File>> {
        if REFUSES.replace(false) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        file(self.number).ok_or_else(bad_descriptor)
    }
}

impl Identity {
    pub(crate) fn of(_: BorrowedFd<'_>) -> Identity {
        unreachable!("there are no descriptors of the system's")
    }

    pub(crate) fn of_peer(_: std::net::SocketAddr) -> Identity {
        unreachable!("there are no sockets of the system's")
    }
}

/// See `src/sys/kind.rs`. A registration here says by itself what is trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Other,
}

impl Kind {
    pub(crate) fn of(_: BorrowedFd<'_>) -> Kind {
        Kind::Other
    }

    pub(crate) fn of_accepted(self) -> Option<Kind> {
        None
    }
}

fn bad_descriptor() -> io::Error {
    io::Error::other("no such descriptor")
}

/// No descriptor here is a socket of the system's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket<'a>(std::convert::Infallible, std::marker::PhantomData<&'a ()>);

impl Socket<'_> {
    pub(crate) fn receive(self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn send(self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }
}
