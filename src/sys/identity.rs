//! Which file a descriptor's number stood for.
//!
//! A poller tells whether a number still names the file that was registered by it. While something
//! is not registered yet, no poller knows it, and its number may have been closed and used again
//! behind our back. So what was made without being registered has an identity, which is compared if
//! its number is registered by somebody else.

#[cfg(unix)]
use std::hash::{DefaultHasher, Hash, Hasher};
#[cfg(unix)]
use std::net::SocketAddr;

#[cfg(unix)]
use std::os::fd::BorrowedFd as Borrowed;

/// What tells a file from others that have its number before or after it. Two that are equal may
/// still be different files, if seldom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(windows, allow(dead_code, reason = "the system's poller finds duplicates there"))]
pub(crate) enum Identity {
    /// Not known: it is taken to be the same.
    Unknown,
    /// Of the device and inode.
    File(u64),
    /// Of the address of the peer, which comes with an accepted connection for nothing.
    Peer(u64),
}

impl Identity {
    pub(crate) const UNKNOWN: Identity = Identity::Unknown;

    /// The identity of an open descriptor. Takes a system call.
    #[cfg(unix)]
    #[allow(clippy::unnecessary_cast, reason = "the numbers have other types on other systems")]
    pub(crate) fn of(io: Borrowed<'_>) -> Identity {
        match rustix::fs::fstat(io) {
            // A device's inodes are numbered from the lowest on.
            Ok(stat) => Identity::File((stat.st_dev as u64).rotate_right(16) ^ stat.st_ino as u64),
            Err(_) => Identity::Unknown,
        }
    }

    /// The identity of a TCP connection to a peer.
    #[cfg(unix)]
    pub(crate) fn of_peer(peer: SocketAddr) -> Identity {
        let mut hasher = DefaultHasher::new();
        peer.hash(&mut hasher);
        Identity::Peer(hasher.finish())
    }

    /// Returns `true` if this is, or may be, what a descriptor is open for.
    #[cfg(unix)]
    pub(super) fn is_of(self, io: Borrowed<'_>) -> bool {
        match self {
            Identity::Unknown => true,
            Identity::File(_) => Identity::of(io) == self,
            Identity::Peer(_) if !is_tcp_socket(io) => false,
            Identity::Peer(_) => match rustix::net::getpeername(io) {
                Ok(peer) => {
                    internet_address(peer).is_none_or(|peer| Identity::of_peer(peer) == self)
                }
                // A connection that was reset, and it has kept its port; or one that is not there
                // yet, which is taken for such.
                Err(_) => {
                    let address = rustix::net::getsockname(io).ok();
                    internet_address(address).is_some_and(|address| address.port() != 0)
                }
            },
        }
    }
}

/// Returns `true` if it can be an accepted TCP connection.
#[cfg(unix)]
fn is_tcp_socket(io: Borrowed<'_>) -> bool {
    use rustix::net::{SocketType, sockopt};
    let address = rustix::net::getsockname(io).ok();
    sockopt::socket_type(io) == Ok(SocketType::STREAM) && internet_address(address).is_some()
}

#[cfg(unix)]
fn internet_address(address: Option<rustix::net::SocketAddrAny>) -> Option<SocketAddr> {
    SocketAddr::try_from(address?).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn files_are_told_apart() {
        let (one, other) = UnixStream::pair().unwrap();
        let identity = Identity::of(one.as_fd());
        assert!(identity.is_of(one.as_fd()));
        assert!(identity.is_of(one.try_clone().unwrap().as_fd()));
        assert!(!identity.is_of(other.as_fd()));
        assert!(Identity::UNKNOWN.is_of(other.as_fd()));
    }

    #[test]
    fn connections_are_told_apart_by_their_peers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _clients = [connect(), connect()];
        let (one, peer) = listener.accept().unwrap();
        let (other, _) = listener.accept().unwrap();
        let identity = Identity::of_peer(peer);
        assert!(identity.is_of(one.as_fd()));
        assert!(!identity.is_of(other.as_fd()));
        // It has no peer either, as one that was reset; but that has been told apart already by
        // being another number.
        assert!(identity.is_of(listener.as_fd()));
        let fresh = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        );
        assert!(!identity.is_of(fresh.unwrap().as_fd()));
        assert!(!identity.is_of(UnixStream::pair().unwrap().0.as_fd()));
    }
}
