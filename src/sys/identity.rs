//! Which file a descriptor's number stood for.
//!
//! A poller tells whether a number still names the file that was registered by it. While something
//! is not registered yet, no poller knows it, and its number may have been closed and used again
//! behind our back. So what was made without being registered has an identity, which is compared if
//! its number is registered by somebody else.

#[cfg(unix)]
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

#[cfg(unix)]
use std::os::fd::BorrowedFd as Borrowed;
#[cfg(windows)]
use std::os::windows::io::BorrowedSocket as Borrowed;

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
    pub(crate) fn of(io: Borrowed<'_>) -> Identity {
        match rustix::fs::fstat(io) {
            Ok(stat) => Identity::File(fingerprint((stat.st_dev, stat.st_ino))),
            Err(_) => Identity::Unknown,
        }
    }

    #[cfg(windows)]
    pub(crate) fn of(_: Borrowed<'_>) -> Identity {
        Identity::Unknown
    }

    /// The identity of a connection to a peer.
    pub(crate) fn of_peer(peer: SocketAddr) -> Identity {
        #[cfg(unix)]
        {
            Identity::Peer(fingerprint(peer))
        }
        #[cfg(windows)]
        {
            let _ = peer;
            Identity::Unknown
        }
    }

    /// Returns `true` if this is, or may be, what a descriptor is open for.
    #[cfg(unix)]
    pub(super) fn is_of(self, io: Borrowed<'_>) -> bool {
        match self {
            Identity::Unknown => true,
            Identity::File(_) => Identity::of(io) == self,
            Identity::Peer(_) => match rustix::net::getpeername(io) {
                Ok(peer) => {
                    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                    peer.is_some_and(|peer| Identity::of_peer(peer) == self)
                }
                Err(rustix::io::Errno::NOTCONN) => may_have_been_connected(io),
                Err(_) => false,
            },
        }
    }
}

/// Returns `true` if a socket without a peer may have had one: a connection that was reset.
#[cfg(unix)]
fn may_have_been_connected(io: Borrowed<'_>) -> bool {
    use rustix::net::{SocketType, sockopt};
    sockopt::socket_type(io) == Ok(SocketType::STREAM) && sockopt::socket_acceptconn(io) != Ok(true)
}

#[cfg(unix)]
fn fingerprint(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
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
        assert!(!identity.is_of(listener.as_fd()));
        assert!(!identity.is_of(UnixStream::pair().unwrap().0.as_fd()));
    }
}
