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
    /// Where it is registered: with one poller, and for the time of a move with two.
    pub(super) homes: Vec<Home>,
    pub(super) was_registered: bool,
    /// Events in each direction that were reported.
    pub(super) reported: [usize; 2],
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
    /// Whether others are registered here.
    pub(super) is_root: bool,
    /// When it is ready though nothing happened.
    pub(super) deadline: u64,
    /// What this one is ready with, and the other way round.
    pub(super) shown: Option<usize>,
    pub(super) shown_in: Option<usize>,
    /// Whether a thread polls it as a descriptor.
    pub(super) is_watched: bool,
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
        for Home { poller, key, .. } in file.into_iter().flat_map(|file| file.homes) {
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
        let wanted = |home: &Home| if reads { home.read } else { home.write };
        Some(kernel.queue_where(number, wanted))
    });
    up.into_iter().flatten().for_each(|sleeper| sleeper.wake());
}

impl Kernel {
    pub(super) fn forget(&mut self, poller: usize, key: usize) {
        let poller = &mut self.pollers[poller];
        poller.here.remove(&key);
        poller.gone.push(key);
    }

    /// Puts a file that is ready for something on the lists of the pollers that want to know of
    /// that; whom to wake.
    pub(super) fn queue(&mut self, number: usize) -> Vec<Sleeper> {
        let Some(file) = self.files.get(&number) else { return Vec::new() };
        let (readable, writable) = (file.is_readable(), file.room > 0);
        self.queue_where(number, |home| home.read && readable || home.write && writable)
    }

    fn queue_where(&mut self, number: usize, wanted: impl Fn(&Home) -> bool) -> Vec<Sleeper> {
        let Some(file) = self.files.get_mut(&number) else { return Vec::new() };
        let mut pollers = Vec::new();
        for home in file.homes.iter_mut().filter(|home| !home.queued && wanted(home)) {
            home.queued = true;
            pollers.push(home.poller);
        }
        let tell = |poller: usize| {
            self.pollers[poller].ready.push(Ready::File(number));
            self.tell(poller)
        };
        pollers.into_iter().flat_map(tell).collect()
    }

    /// A poller has something to report; whom to wake.
    pub(super) fn tell(&mut self, index: usize) -> Vec<Sleeper> {
        let poller = &mut self.pollers[index];
        let mut up = vec![poller.sleeper.clone()];
        let shown_in = poller.shown_in;
        if let Some(link) = poller.link.as_mut().filter(|link| link.armed && !link.queued) {
            link.queued = true;
            let parent = link.parent;
            self.pollers[parent].ready.push(Ready::Poller(index));
            up.extend(self.tell(parent));
        }
        up.extend(shown_in.map(|overview| self.pollers[overview].sleeper.clone()));
        up
    }
}
