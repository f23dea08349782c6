//! What the modelled system knows: files, their numbers, and pollers.
//!
//! Each system call lets other threads run first and is then done in one step.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;

use crate::world::{self, Sleeper};

/// A file that has data to read and room to write.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// Tells it from others that have had its number.
    pub(crate) id: usize,
    /// Whether nothing comes after the data.
    pub(crate) ended: bool,
    /// Since when there is data, and since when there is room.
    pub(crate) since: [u64; 2],
    pub(crate) data: usize,
    pub(crate) room: usize,
    /// Whether interest stays registered and is reported in edges.
    pub(crate) edge: bool,
    pub(super) home: Option<Home>,
    pub(super) was_registered: bool,
}

impl File {
    pub(super) fn is_readable(&self) -> bool {
        self.data > 0 || self.ended
    }

    /// Reads a piece: since when it was there. At the end there is nothing; `WouldBlock` before.
    pub(crate) fn read(&mut self) -> io::Result<Option<u64>> {
        if self.data > 0 {
            self.data -= 1;
            return Ok(Some(self.since[0]));
        }
        if self.ended { Ok(None) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Writes a piece: since when there was room.
    pub(crate) fn write(&mut self) -> io::Result<Option<u64>> {
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room -= 1;
        Ok(Some(self.since[1]))
    }
}

/// Where a file is registered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    pub(super) poller: usize,
    pub(super) key: usize,
    pub(super) read: bool,
    pub(super) write: bool,
    /// Whether it is on the poller's list.
    pub(super) queued: bool,
}

#[derive(Debug)]
pub(super) struct PollerState {
    pub(super) notified: bool,
    pub(super) ready: Vec<Ready>,
    pub(super) sleeper: Sleeper,
    pub(super) waits: bool,
    pub(super) link: Option<Link>,
    /// Keys that were registered here once.
    pub(super) gone: Vec<usize>,
    /// What is registered here, by key.
    pub(super) here: HashMap<usize, usize>,
    /// For each key, the events in each direction that were reported.
    pub(super) reported: HashMap<usize, [usize; 2]>,
    /// Whether others are registered here.
    pub(super) is_root: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    File(usize),
    Poller(usize),
}

/// The registration with the poller of pollers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) parent: usize,
    pub(super) key: usize,
    pub(super) armed: bool,
    pub(super) queued: bool,
}

#[derive(Debug, Default)]
pub(super) struct Kernel {
    /// Open files, by their numbers.
    pub(super) files: HashMap<usize, File>,
    /// Numbers that are free again.
    free: Vec<usize>,
    next: usize,
    opened: usize,
    pub(super) pollers: Vec<PollerState>,
}

std::thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::new(Kernel::default());
}

pub(super) fn with<R>(f: impl FnOnce(&mut Kernel) -> R) -> R {
    KERNEL.with_borrow_mut(f)
}

/// Forgets everything, at the end of a schedule.
pub(crate) fn end() {
    drop(KERNEL.take());
}

/// Opens a file; its number, the one that became free last, and what tells it from others.
pub(crate) fn open(edge: bool) -> (usize, usize) {
    with(|kernel| {
        let number = kernel.free.pop().unwrap_or_else(|| {
            kernel.next += 1;
            kernel.next
        });
        kernel.opened += 1;
        kernel.files.insert(number, File { id: kernel.opened, edge, ..File::default() });
        (number, kernel.opened)
    })
}

/// Closes a file: its registration ends with it. Nothing happens if it was closed already.
pub(crate) fn close(number: usize, id: usize) {
    with(|kernel| {
        if kernel.files.get(&number).is_none_or(|file| file.id != id) {
            return;
        }
        let file = kernel.files.remove(&number);
        if let Some(Home { poller, key, .. }) = file.and_then(|file| file.home) {
            kernel.forget(poller, key);
        }
        kernel.free.push(number);
    });
}

/// Looks at a file, or changes it as its user does.
pub(crate) fn file<R>(number: usize, f: impl FnOnce(&mut File) -> R) -> R {
    world::switch();
    with(|kernel| f(kernel.files.get_mut(&number).expect("whoever uses it has it open")))
}

/// What happens to a file from the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    Data(usize),
    Room(usize),
    End,
}

/// Something happens to a file, if it is still open: an edge.
pub(crate) fn happen(number: usize, id: usize, happening: Happening) {
    world::switch();
    let now = world::now();
    let up = with(|kernel| {
        let file = kernel.files.get_mut(&number).filter(|file| file.id == id)?;
        match happening {
            Happening::Data(pieces) => {
                file.data += pieces;
                file.since[0] = now;
            }
            Happening::Room(pieces) => {
                file.room += pieces;
                file.since[1] = now;
            }
            Happening::End => file.ended = true,
        }
        let reads = !matches!(happening, Happening::Room(_));
        let wanted = file.home.is_some_and(|home| if reads { home.read } else { home.write });
        wanted.then(|| kernel.queue(number))
    });
    up.into_iter().flatten().for_each(|sleeper| sleeper.wake());
}

impl Kernel {
    pub(super) fn forget(&mut self, poller: usize, key: usize) {
        let poller = &mut self.pollers[poller];
        poller.here.remove(&key);
        poller.gone.push(key);
    }

    /// Puts a file on the list of its poller; whom to wake.
    pub(super) fn queue(&mut self, number: usize) -> Vec<Sleeper> {
        let home = self.files.get_mut(&number).and_then(|file| file.home.as_mut());
        let Some(home) = home.filter(|home| !home.queued) else { return Vec::new() };
        home.queued = true;
        let poller = home.poller;
        self.pollers[poller].ready.push(Ready::File(number));
        self.tell(poller)
    }

    /// A poller has something to report; whom to wake.
    pub(super) fn tell(&mut self, index: usize) -> Vec<Sleeper> {
        let poller = &mut self.pollers[index];
        let mut up = vec![poller.sleeper.clone()];
        if let Some(link) = poller.link.as_mut().filter(|link| link.armed && !link.queued) {
            link.queued = true;
            let parent = link.parent;
            self.pollers[parent].ready.push(Ready::Poller(index));
            up.extend(self.tell(parent));
        }
        up
    }
}
