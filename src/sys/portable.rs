//! The poller as `polling` has it: kqueue, event ports, IOCP.

use std::io;

use super::{Event, Polls, Until};

#[derive(Debug)]
pub(crate) struct Poller {
    inner: polling::Poller,
}

impl Polls for Poller {
    fn new() -> io::Result<Poller> {
        Ok(Poller { inner: polling::Poller::new()? })
    }

    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        events.list.clear();
        self.inner.wait(&mut events.list, until.timeout()).map(drop)
    }

    fn notify(&self) {
        let notified = self.inner.notify();
        debug_assert!(notified.is_ok(), "a poller takes a notification: {notified:?}");
    }

    fn reports_exceptions(&self) -> bool {
        false
    }

    fn add_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        #[cfg(unix)]
        {
            // SAFETY: pollers that are registered with one another live as long as the
            // process, but for one whose making failed half-way. That is taken out by the
            // system as it is closed.
            unsafe { self.inner.add(&other.inner, polling::Event::none(key)) }
        }
        #[cfg(not(unix))]
        {
            let _ = (other, key);
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn show_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        #[cfg(unix)]
        {
            let interest = polling::Event::readable(key);
            // SAFETY: as in `add_poller`.
            unsafe { self.inner.add_with_mode(&other.inner, interest, polling::PollMode::Level) }
        }
        #[cfg(not(unix))]
        {
            let _ = (other, key);
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn arm_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        #[cfg(unix)]
        {
            let interest = polling::Event::readable(key);
            match self.inner.modify(&other.inner, interest) {
                // SAFETY: as in `add_poller`.
                Err(error) if error.kind() == io::ErrorKind::NotFound => unsafe {
                    self.inner.add(&other.inner, interest)
                },
                result => result,
            }
        }
        #[cfg(not(unix))]
        {
            let _ = (other, key);
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn remove_poller(&self, other: &Poller) {
        #[cfg(unix)]
        // It is there, or was not.
        let _ = self.inner.delete(&other.inner);
        #[cfg(not(unix))]
        let _ = other;
    }
}

impl Poller {
    pub(crate) fn inner(&self) -> &polling::Poller {
        &self.inner
    }
}

#[cfg(all(unix, not(any(target_os = "espidf", target_os = "haiku", target_os = "fuchsia"))))]
impl std::os::fd::AsFd for Poller {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// A list that a wait fills.
#[derive(Debug)]
pub(crate) struct Events {
    list: polling::Events,
}

impl Events {
    pub(crate) fn new() -> Events {
        Events { list: polling::Events::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Returns `true` if the wait found a notification, which these pollers do not tell.
    pub(crate) fn has_notification(&self) -> bool {
        false
    }

    /// Returns `true` if the wait took all that there was, and left the poller armed in another one.
    /// These are armed for one event.
    pub(crate) fn took_all(&self) -> bool {
        false
    }

    /// The sources' events.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.list.iter().filter(|event| event.key <= super::MAX_KEY).map(|event| Event {
            key: event.key,
            readable: event.readable,
            writable: event.writable,
            exceptional: false,
        })
    }
}
