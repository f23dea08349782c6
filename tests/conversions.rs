//! What a source or a timer turns into: plain sockets and back, descriptors, text for a log.

mod common;

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use async_wheel::{Async, Timer, block_on};
use common::{HOUR, sockets::LOOPBACK};

/// Reading from a socket that was left in blocking mode would block here for ever.
fn would_block<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn converted_socket_is_nonblocking_and_the_same() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let address = listener.local_addr()?;
    let listener = Async::<TcpListener>::try_from(listener)?;
    assert!(would_block(listener.get_ref().accept()));
    assert_eq!(listener.as_ref().local_addr()?, address);

    let stream = Async::<TcpStream>::try_from(TcpStream::connect(address)?)?;
    assert!(would_block(stream.get_ref().peek(&mut [0])));
    assert_eq!(stream.as_ref().peer_addr()?, address);

    let socket = Async::<UdpSocket>::try_from(UdpSocket::bind(LOOPBACK)?)?;
    assert!(would_block(socket.get_ref().recv(&mut [0])));
    Ok(())
}

#[cfg(unix)]
#[test]
fn converted_unix_socket_is_nonblocking_and_the_same() -> io::Result<()> {
    use std::io::Read;
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    let directory = std::env::temp_dir().join(format!("async-wheel-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let listener = UnixListener::bind(directory.join("socket"));
    std::fs::remove_dir_all(&directory)?;
    let listener = Async::<UnixListener>::try_from(listener?)?;
    assert!(would_block(listener.get_ref().accept()));

    let (datagram, _other) = UnixDatagram::pair()?;
    let datagram = Async::<UnixDatagram>::try_from(datagram)?;
    assert!(would_block(datagram.get_ref().recv(&mut [0])));

    let (stream, _other) = UnixStream::pair()?;
    let number = stream.as_raw_fd();
    let stream = Async::<UnixStream>::try_from(OwnedFd::from(stream))?;
    assert!(would_block(stream.get_ref().read(&mut [0])));
    assert_eq!(stream.as_raw_fd(), number);
    assert_eq!(stream.as_fd().as_raw_fd(), number);
    let plain = OwnedFd::try_from(stream)?;
    assert_eq!(plain.as_raw_fd(), number);
    Ok(())
}

#[test]
fn debug_output_says_what_waits_and_for_what() -> io::Result<()> {
    let mut timer = Timer::interval(HOUR);
    let idle = format!("{timer:?}");
    assert!(idle.contains("period: Some(3600s)") && idle.contains("waits: false"), "{idle}");
    block_on(async {
        let waited = futures_lite::future::poll_once(futures_lite::StreamExt::next(&mut timer));
        assert!(waited.await.is_none());
    });
    assert!(format!("{timer:?}").contains("waits: true"));
    let at = format!("{:?}", Timer::at(Instant::now()));
    assert!(at.contains("when: Some(") && at.contains("period: None"), "{at}");
    assert!(format!("{:?}", Timer::never()).contains("when: None"));

    let socket = Arc::new(Async::<UdpSocket>::bind(LOOPBACK)?);
    assert!(format!("{socket:?}").starts_with("Async {"));
    assert_eq!(format!("{:?}", socket.readable()), "Readable { .. }");
    assert_eq!(format!("{:?}", socket.clone().writable_owned()), "WritableOwned { .. }");
    Ok(())
}
