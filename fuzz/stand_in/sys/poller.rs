//! A poller: a list of what may be ready, looked at again before it is reported, a notification
//! that stays until a wait finds it, and faults that the target asks for.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};

use super::descriptor::File;
use super::{Event, Events, Polls, Until};
use crate::{clock, stage};

/// What one wait reports at most.
pub(crate) const CAPACITY: usize = 1024;

#[derive(Default)]
pub(super) struct Inner {
    notified: Cell<bool>,
    ready: RefCell<Vec<Ready>>,
    /// Events that nothing has caused.
    spurious: RefCell<Vec<Event>>,
    fails: Cell<bool>,
    capacity: Cell<usize>,
}

struct Ready {
    file: Weak<File>,
    number: usize,
}

/// See [`Inner`]. One thread has it, whatever the types say that are made for many.
pub(crate) struct Poller(OneThread<Rc<Inner>>);

/// What never leaves the thread of the fuzzer.
struct OneThread<T>(T);

// SAFETY: the targets have one thread.
unsafe impl<T> Send for OneThread<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for OneThread<T> {}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Poller")
    }
}

impl Polls for Poller {
    fn new() -> io::Result<Poller> {
        let inner = Inner { capacity: Cell::new(CAPACITY), ..Inner::default() };
        Ok(Poller(OneThread(Rc::new(inner))))
    }

    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        let result = self.0.0.collect(events, until, || {
            let deadline = match until {
                Until::At(deadline) => deadline,
                Until::Now | Until::Notified => clock::NEVER,
            };
            stage::falls_asleep(self, deadline);
        });
        events.iter().for_each(|event| stage::reported(self, event));
        stage::is_over(self);
        result
    }

    fn notify(&self) {
        self.0.0.notified.set(true);
    }

    fn reports_exceptions(&self) -> bool {
        true
    }

    fn add_poller(&self, _: &Poller, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn arm_poller(&self, _: &Poller, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn remove_poller(&self, _: &Poller) {}

    fn show_poller(&self, _: &Poller, _: usize) -> io::Result<()> {
        unreachable!("no target asks for the overview")
    }
}

impl Poller {
    pub(super) fn inner(&self) -> &Rc<Inner> {
        &self.0.0
    }

    /// Whether the next wait, or the one that goes on, ends at once.
    pub(crate) fn is_notified(&self) -> bool {
        self.0.0.notified.get()
    }

    /// Whether a wait would report something, or look whether it should.
    pub(crate) fn has_events(&self) -> bool {
        !self.0.0.ready.borrow().is_empty() || !self.0.0.spurious.borrow().is_empty()
    }

    /// The next wait fails and reports nothing.
    pub(crate) fn fail(&self) {
        self.0.0.fails.set(true);
    }

    /// The most events that a wait reports from now on; the rest waits for the next.
    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.0.0.capacity.set(capacity.max(1));
    }

    /// The next wait reports this, whatever is so.
    pub(crate) fn pretend(&self, event: Event) {
        self.0.0.spurious.borrow_mut().push(event);
    }
}

impl Inner {
    /// Something registered here under this number may be ready.
    pub(super) fn queue(&self, file: &Rc<File>, number: usize) {
        self.ready.borrow_mut().push(Ready { file: Rc::downgrade(file), number });
    }

    fn collect(
        self: &Rc<Inner>,
        events: &mut Events,
        until: Until,
        falls_asleep: impl FnOnce(),
    ) -> io::Result<()> {
        events.clear();
        if self.fails.replace(false) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.report(events);
        let notified = self.notified.replace(false);
        if until == Until::Now || notified || !events.0.is_empty() {
            return Ok(());
        }
        falls_asleep();
        self.report(events);
        let notified = self.notified.replace(false);
        if let (Until::At(deadline), false, true) = (until, notified, events.0.is_empty()) {
            clock::advance_to(deadline);
        }
        Ok(())
    }

    fn report(self: &Rc<Inner>, events: &mut Events) {
        events.0.append(&mut self.spurious.borrow_mut());
        while events.0.len() < self.capacity.get() && !self.ready.borrow().is_empty() {
            let Ready { file, number } = self.ready.borrow_mut().remove(0);
            events.0.extend(file.upgrade().and_then(|file| file.report(self, number)));
        }
    }
}
