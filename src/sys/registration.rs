//! What can be registered with a poller, and how.

use std::io;

use polling::{Event, PollMode};

use super::Poller;

/// What tells one registered thing from another in the whole process, where the system lets
/// it be registered with several pollers.
pub(crate) type Raw = usize;

/// Something of the system's that can become ready.
///
/// It does not own what it names: whoever makes one sees to it that the descriptor, socket or
/// handle stays open until [`delete`](Registration::delete) was called.
pub(crate) enum Registration {
    #[cfg(unix)]
    Fd(std::os::fd::RawFd),
    #[cfg(windows)]
    Socket(std::os::windows::io::RawSocket),
}

impl Registration {
    /// Names a descriptor.
    ///
    /// # Safety
    ///
    /// The descriptor stays open until `delete` was called.
    #[cfg(unix)]
    pub(crate) unsafe fn new(fd: std::os::fd::BorrowedFd<'_>) -> Registration {
        use std::os::fd::AsRawFd;
        Registration::Fd(fd.as_raw_fd())
    }

    /// Names a socket.
    ///
    /// # Safety
    ///
    /// The socket stays open until `delete` was called.
    #[cfg(windows)]
    pub(crate) unsafe fn new(socket: std::os::windows::io::BorrowedSocket<'_>) -> Registration {
        use std::os::windows::io::AsRawSocket;
        Registration::Socket(socket.as_raw_socket())
    }

    /// See [`Raw`]. `None` if the system's poller is left to find duplicates.
    pub(crate) fn raw(&self) -> Option<Raw> {
        match self {
            #[cfg(unix)]
            Registration::Fd(fd) => Raw::try_from(*fd).ok(),
            #[cfg(windows)]
            Registration::Socket(_) => None,
        }
    }

    /// Whether interest stays registered after an event, and events are edges.
    pub(crate) fn keeps_interest(&self) -> bool {
        super::EDGE
    }

    fn mode(&self) -> PollMode {
        if self.keeps_interest() { PollMode::Edge } else { PollMode::Oneshot }
    }

    /// Registers with no interest.
    pub(crate) fn add(&self, poller: &Poller, key: usize) -> io::Result<()> {
        let interest = Event::none(key);
        match self {
            // SAFETY: open until `delete` was called, by the contract of `new`.
            #[cfg(unix)]
            Registration::Fd(fd) => unsafe {
                poller.inner().add_with_mode(*fd, interest, self.mode())
            },
            // SAFETY: as above.
            #[cfg(windows)]
            Registration::Socket(socket) => unsafe {
                poller.inner().add_with_mode(*socket, interest, self.mode())
            },
        }
    }

    /// Sets the interest. The poller looks at the source anew: if it is ready, it reports so.
    pub(crate) fn modify(
        &self,
        poller: &Poller,
        key: usize,
        readable: bool,
        writable: bool,
    ) -> io::Result<()> {
        let interest = Event::new(key, readable, writable);
        match self {
            #[cfg(unix)]
            Registration::Fd(fd) => {
                // SAFETY: open until `delete` was called, by the contract of `new`.
                let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(*fd) };
                poller.inner().modify_with_mode(fd, interest, self.mode())
            }
            #[cfg(windows)]
            Registration::Socket(socket) => {
                // SAFETY: open until `delete` was called, by the contract of `new`.
                let socket = unsafe { std::os::windows::io::BorrowedSocket::borrow_raw(*socket) };
                poller.inner().modify_with_mode(socket, interest, self.mode())
            }
        }
    }

    /// Ends the registration.
    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Registration::Fd(fd) => {
                // SAFETY: open until now, by the contract of `new`.
                let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(*fd) };
                poller.inner().delete(fd)
            }
            #[cfg(windows)]
            Registration::Socket(socket) => {
                // SAFETY: open until now, by the contract of `new`.
                let socket = unsafe { std::os::windows::io::BorrowedSocket::borrow_raw(*socket) };
                poller.inner().delete(socket)
            }
        }
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            #[cfg(unix)]
            Registration::Fd(fd) => fd.fmt(f),
            #[cfg(windows)]
            Registration::Socket(socket) => socket.fmt(f),
        }
    }
}
