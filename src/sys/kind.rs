//! What kind of thing a descriptor is, and what `EAGAIN` means for it.
//!
//! A driver in the system may answer `EAGAIN` although the descriptor is ready, or will be
//! without an edge: a terminal does while another reader is inside `read`; a datagram socket
//! without a peer does when the receiver it was asked to send to is full. A wait that counted
//! on the next edge would then last for ever. So `EAGAIN` is proof of *not ready* only for the
//! kinds listed here, whose drivers were read for it.

#[cfg(unix)]
use std::os::fd::BorrowedFd as Borrowed;

/// The kinds of descriptors that are distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(async_wheel_epoll), allow(dead_code, reason = "nothing is distinguished there"))]
pub(crate) enum Kind {
    /// Anything else, or not asked for: `EAGAIN` proves nothing.
    Other,
    /// TCP, listening sockets included.
    Tcp,
    Udp,
    /// Unix stream sockets, listening ones included.
    UnixStream,
    UnixDatagram,
    /// A pipe or FIFO, either end.
    Pipe,
}

/// Only Linux's drivers were read.
const KNOWN_SYSTEM: bool = cfg!(async_wheel_epoll);

impl Kind {
    /// Returns the kind of an open descriptor. Takes two or three system calls.
    #[cfg(async_wheel_epoll)]
    pub(crate) fn of(io: Borrowed<'_>) -> Kind {
        use rustix::fs::{FileType, fstat};
        use rustix::net::{AddressFamily, SocketType, ipproto, sockopt};

        let Ok(socket_type) = sockopt::socket_type(io) else {
            let is_fifo = |mode| FileType::from_raw_mode(mode) == FileType::Fifo;
            return match fstat(io) {
                Ok(stat) if is_fifo(stat.st_mode) => Kind::Pipe,
                _ => Kind::Other,
            };
        };
        let stream = socket_type == SocketType::STREAM;
        let datagram = socket_type == SocketType::DGRAM;
        match sockopt::socket_protocol(io) {
            Ok(Some(ipproto::TCP)) if stream => Kind::Tcp,
            Ok(Some(ipproto::UDP)) if datagram => Kind::Udp,
            // A protocol of zero: Unix sockets have no other, and some families have that, too.
            Ok(None) if sockopt::socket_domain(io) == Ok(AddressFamily::UNIX) => {
                match socket_type {
                    SocketType::STREAM => Kind::UnixStream,
                    SocketType::DGRAM => Kind::UnixDatagram,
                    _ => Kind::Other,
                }
            }
            _ => Kind::Other,
        }
    }

    /// Returns [`Kind::Other`]: nothing is trusted here, so that there is nothing to ask.
    #[cfg(all(unix, not(async_wheel_epoll)))]
    pub(crate) fn of(_: Borrowed<'_>) -> Kind {
        Kind::Other
    }

    /// Returns the kind of what a listening socket of this kind accepts, if that is known.
    #[cfg(unix)]
    pub(crate) fn of_accepted(self) -> Option<Kind> {
        matches!(self, Kind::Tcp | Kind::UnixStream).then_some(self)
    }

    /// Returns `true` if a read that ends in `EAGAIN` proves that there is nothing to read, so
    /// that an edge comes with the next data.
    pub(crate) fn trusts_reads(self) -> bool {
        KNOWN_SYSTEM && self != Kind::Other
    }

    /// Returns `true` if a write that ends in `EAGAIN` proves that there is no room, so that an
    /// edge comes with the next. Datagram sockets say it for what is no state of their own, too:
    /// a receiver that is full, a port or a key for encryption that is still to be had.
    pub(crate) fn trusts_writes(self) -> bool {
        KNOWN_SYSTEM && matches!(self, Kind::Tcp | Kind::UnixStream | Kind::Pipe)
    }
}

#[cfg(all(test, async_wheel_epoll))]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use rustix::event::{EventfdFlags, eventfd};
    use rustix::net::{AddressFamily, SocketType, socket};

    use super::*;

    fn kind(fd: impl Into<OwnedFd>) -> Kind {
        Kind::of(fd.into().as_fd())
    }

    #[test]
    fn kinds_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(kind(listener.accept().unwrap().0), Kind::Tcp);
        assert_eq!(kind(stream), Kind::Tcp);
        assert_eq!(kind(listener), Kind::Tcp);
        assert_eq!(kind(UdpSocket::bind("127.0.0.1:0").unwrap()), Kind::Udp);
        assert_eq!(kind(UnixStream::pair().unwrap().0), Kind::UnixStream);
        assert_eq!(kind(UnixDatagram::pair().unwrap().0), Kind::UnixDatagram);
        let path = std::env::temp_dir().join(format!("async-wheel-kind-{}", std::process::id()));
        assert_eq!(kind(UnixListener::bind(&path).unwrap()), Kind::UnixStream);
        std::fs::remove_file(path).unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        assert_eq!(kind(read), Kind::Pipe);
        assert_eq!(kind(write), Kind::Pipe);
    }

    /// Their drivers say `EAGAIN` for reasons that nobody here has looked into.
    #[test]
    fn unknown_kinds_are_not_trusted() {
        let terminal = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
        let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None);
        let packets = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        let event = eventfd(0, EventfdFlags::empty()).unwrap();
        let others = [terminal, event, netlink.unwrap(), packets].map(kind);
        for kind in others {
            assert_eq!(kind, Kind::Other);
            assert!(!kind.trusts_reads() && !kind.trusts_writes());
        }
        for kind in [Kind::Udp, Kind::UnixDatagram] {
            assert!(kind.trusts_reads() && !kind.trusts_writes());
        }
    }
}
