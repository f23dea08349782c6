//! Sockets of this machine, and descriptors.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use async_wheel::Async;

/// Any port of this machine.
pub const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Returns a socket and its address.
pub fn udp() -> (Async<UdpSocket>, SocketAddr) {
    let socket = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
    let address = socket.get_ref().local_addr().unwrap();
    (socket, address)
}

/// Returns a connection as plain streams: ours, and the peer's.
pub fn plain_tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    for stream in [&ours, &peer] {
        stream.set_nodelay(true).unwrap();
    }
    (ours, peer)
}

/// Returns a connection: our source, and the peer's plain stream.
pub fn tcp_pair() -> (Async<TcpStream>, TcpStream) {
    let (ours, peer) = plain_tcp_pair();
    (Async::new(ours).unwrap(), peer)
}

#[cfg(unix)]
pub use unix::*;

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsFd, BorrowedFd, RawFd};
    use std::os::unix::net::UnixStream;

    use async_wheel::Async;

    /// Returns a connection: our source, and the peer's plain stream.
    pub fn unix_pair() -> (Async<UnixStream>, UnixStream) {
        let (ours, peer) = UnixStream::pair().unwrap();
        (Async::new(ours).unwrap(), peer)
    }

    /// Writes to a non-blocking descriptor until nothing more fits.
    pub fn fill(fd: impl AsFd) {
        let full = loop {
            if let Err(error) = rustix::io::write(&fd, &[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full, rustix::io::Errno::AGAIN);
    }

    /// A descriptor that somebody else owns, or owned.
    #[derive(Clone, Copy, Debug)]
    pub struct Borrowed(pub RawFd);

    impl AsFd for Borrowed {
        fn as_fd(&self) -> BorrowedFd<'_> {
            // SAFETY: not kept, which is what the tests are about; nothing is done to it but what
            // each of them says.
            unsafe { BorrowedFd::borrow_raw(self.0) }
        }
    }
}
