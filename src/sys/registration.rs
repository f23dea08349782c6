//! What can be registered with a poller, and how.

use std::io;
#[cfg(unix)]
use std::os::fd::{AsRawFd, BorrowedFd as Borrowed, RawFd as RawSocket};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, BorrowedSocket as Borrowed, RawSocket};

use polling::Event;
#[cfg(not(async_wheel_epoll))]
use polling::PollMode;

use super::{Identity, Kind, Mobility, Poller, Socket, Waitable};

/// What tells one registered thing from another in the whole process, where the system lets
/// it be registered with several pollers.
pub(crate) type Raw = usize;

/// Something of the system's that can become ready.
///
/// It does not own what it names: whoever makes one ensures that the descriptor, socket or
/// handle stays open until [`delete`](Registration::delete) was called.
#[derive(Clone, Copy)]
pub(crate) enum Registration {
    /// A descriptor, with its kind; on Windows, a socket.
    Socket(RawSocket, Kind),
    /// Anything else.
    #[cfg_attr(
        not(any(windows, async_wheel_kqueue)),
        expect(dead_code, reason = "there is nothing else here")
    )]
    Waitable(Waitable),
}

impl Registration {
    /// Names a descriptor or socket. Its kind is as the caller knows it; [`Kind::Other`] is right
    /// for all.
    ///
    /// # Safety
    ///
    /// It stays open until `delete` was called.
    pub(crate) unsafe fn new(io: Borrowed<'_>, kind: Kind) -> Registration {
        #[cfg(unix)]
        let raw = io.as_raw_fd();
        #[cfg(windows)]
        let raw = io.as_raw_socket();
        Registration::Socket(raw, kind)
    }

    /// See [`Raw`]. `None` if the system's poller is left to find duplicates.
    pub(crate) fn raw(&self) -> Option<Raw> {
        match *self {
            Registration::Socket(socket, _) if cfg!(unix) => Raw::try_from(socket).ok(),
            // There is one poller.
            Registration::Socket(..) => None,
            Registration::Waitable(waitable) => waitable.raw(),
        }
    }

    /// Returns when it can be taken from one poller to another and no event is lost.
    pub(crate) fn mobility(&self) -> Mobility {
        match self {
            // A signal or a process has an event once.
            Registration::Waitable(_) => Mobility::Fixed,
            // There are drivers that report to the first who asks.
            Registration::Socket(_, Kind::Other) if cfg!(async_wheel_epoll) => Mobility::UntilWait,
            Registration::Socket(..) => Mobility::Free,
        }
    }

    /// Returns `true` if the descriptor's number is, or may be, that of the file that had this
    /// identity.
    pub(crate) fn is_still(&self, identity: &Identity) -> bool {
        #[cfg(unix)]
        if let Registration::Socket(socket, _) = *self {
            return identity.is_of(self.borrow(socket));
        }
        *identity == Identity::UNKNOWN
    }

    /// Returns the identity of what has the descriptor's number now.
    #[cfg(feature = "test-util")]
    pub(crate) fn identity(&self) -> Identity {
        #[cfg(unix)]
        if let Registration::Socket(socket, _) = *self {
            return Identity::of(self.borrow(socket));
        }
        Identity::UNKNOWN
    }

    /// Returns `true` if interest stays registered after an event, and events are edges.
    pub(crate) fn keeps_interest(&self) -> bool {
        super::EDGE && matches!(self, Registration::Socket(..))
    }

    /// Returns the kind of descriptor, decided when it was registered.
    pub(crate) fn kind(&self) -> Kind {
        match *self {
            Registration::Socket(_, kind) => kind,
            Registration::Waitable(_) => Kind::Other,
        }
    }

    /// Returns `true` if a read that falls short has emptied it. Other kinds than TCP keep the
    /// bounds of messages or of what came with them.
    pub(crate) fn is_tcp(&self) -> bool {
        self.kind() == Kind::Tcp
    }

    /// Returns `true` if the system's `EAGAIN` to a read proves that an edge is still to come.
    pub(crate) fn trusts_reads(&self) -> bool {
        self.keeps_interest() && self.kind().trusts_reads()
    }

    /// Returns `true` if the system's `EAGAIN` to a write proves that an edge is still to come.
    pub(crate) fn trusts_writes(&self) -> bool {
        self.keeps_interest() && self.kind().trusts_writes()
    }

    /// The socket, where there is a cheaper way to it than the standard library's.
    pub(crate) fn socket(&self) -> Option<Socket<'_>> {
        #[cfg(async_wheel_epoll)]
        if let Registration::Socket(socket, _) = *self {
            return Some(Socket(self.borrow(socket)));
        }
        None
    }

    /// The descriptor or socket that is in here.
    fn borrow(&self, socket: RawSocket) -> Borrowed<'_> {
        // SAFETY: open until `delete` was called, by the contract of `new`. If somebody broke that,
        // the system says that there is nothing, or speaks of another file.
        unsafe { Borrowed::borrow_raw(socket) }
    }

    #[cfg(not(async_wheel_epoll))]
    fn mode(&self) -> PollMode {
        if self.keeps_interest() { PollMode::Edge } else { PollMode::Oneshot }
    }

    /// Registers, armed for reading, for writing, for both or for nothing.
    pub(crate) fn add(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let [readable, writable] = armed;
        let interest = Event::new(key, readable, writable);
        match *self {
            Registration::Socket(socket, _) => {
                #[cfg(async_wheel_epoll)]
                return poller.add(self.borrow(socket), interest, self.keeps_interest());
                #[cfg(not(async_wheel_epoll))]
                // SAFETY: open until `delete` was called, by the contract of `new`.
                return unsafe { poller.inner().add_with_mode(socket, interest, self.mode()) };
            }
            Registration::Waitable(waitable) => waitable.add(poller.inner(), interest),
        }
    }

    /// Arms for reading, for writing or for both, and disarms the rest. The poller looks at the
    /// source anew: if it is ready, it reports so.
    pub(crate) fn modify(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let [readable, writable] = armed;
        let interest = Event::new(key, readable, writable);
        match *self {
            Registration::Socket(socket, _) => {
                let socket = self.borrow(socket);
                #[cfg(async_wheel_epoll)]
                return poller.modify(socket, interest, self.keeps_interest());
                #[cfg(not(async_wheel_epoll))]
                return poller.inner().modify_with_mode(socket, interest, self.mode());
            }
            Registration::Waitable(waitable) => waitable.modify(poller.inner(), interest),
        }
    }

    /// Ends the registration.
    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        match *self {
            Registration::Socket(socket, _) => {
                #[cfg(async_wheel_epoll)]
                return poller.delete(self.borrow(socket));
                #[cfg(not(async_wheel_epoll))]
                return poller.inner().delete(self.borrow(socket));
            }
            Registration::Waitable(waitable) => waitable.delete(poller.inner()),
        }
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Registration::Socket(socket, _) => socket.fmt(f),
            Registration::Waitable(waitable) => waitable.fmt(f),
        }
    }
}
