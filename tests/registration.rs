//! What registering does to a descriptor, and what it refuses.

#![cfg(unix)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_wheel::{Async, block_on};
use common::{both_ways, in_time, sockets::LOOPBACK, watchdog};
use futures_lite::{AsyncReadExt, future};

/// Returns `true` if operations on the descriptor return instead of blocking.
fn is_nonblocking(fd: impl AsFd) -> bool {
    rustix::fs::fcntl_getfl(fd).unwrap().contains(rustix::fs::OFlags::NONBLOCK)
}

/// Sources are non-blocking, and what `into_inner` returns still is.
#[test]
fn new_sets_nonblocking_mode_for_good() {
    let _watchdog = watchdog();
    let (ours, _peer) = UnixStream::pair().unwrap();
    assert!(!is_nonblocking(&ours));
    let ours = Async::new(ours).unwrap();
    assert!(is_nonblocking(&ours));
    let ours = ours.into_inner().unwrap();
    assert!(is_nonblocking(&ours));
    assert_eq!((&ours).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);

    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let (accepted, connected) = block_on(in_time("a connection", async {
        let both = future::try_zip(listener.accept(), Async::<TcpStream>::connect(address));
        both.await.unwrap()
    }));
    assert!(is_nonblocking(&listener) && is_nonblocking(&accepted.0) && is_nonblocking(&connected));
}

#[test]
fn new_nonblocking_does_not_touch_the_mode() {
    let _watchdog = watchdog();
    let (blocking, nonblocking) = UnixStream::pair().unwrap();
    nonblocking.set_nonblocking(true).unwrap();
    let blocking = Async::new_nonblocking(blocking).unwrap();
    let nonblocking = Async::new_nonblocking(nonblocking).unwrap();
    assert!(!is_nonblocking(&blocking));
    assert!(is_nonblocking(&nonblocking));
    assert!(!is_nonblocking(blocking.into_inner().unwrap()));
    assert!(is_nonblocking(nonblocking.into_inner().unwrap()));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_regular_file_is_refused_with_permission_denied() {
    let _watchdog = watchdog();
    for _ in 0..3 {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Async::new(file).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    // The refused registration left nothing: its number is good for the next source.
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    let socket = Async::new(socket).unwrap();
    block_on(in_time("writable", socket.writable())).unwrap();
}

/// A descriptor that is registered already: the first source goes on, and another may follow when
/// it is gone.
#[test]
fn registering_twice_is_refused() {
    both_ways(|| async {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let first = Async::new(&ours).unwrap();
        for _ in 0..3 {
            assert_eq!(Async::new(&ours).unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        peer.write_all(b"to the first").unwrap();
        in_time("the first", first.readable()).await.unwrap();
        drop(first);
        // And when it is gone, there may be another.
        let second = Async::new(&ours).unwrap();
        in_time("the second", second.readable()).await.unwrap();
    });
}

/// Two descriptors of one socket are two sources: dropping the one must not take the other's
/// events.
#[test]
fn duplicate_outlives_the_first_source() {
    both_ways(|| async {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let duplicate = Async::new(ours.try_clone().unwrap()).unwrap();
        let ours = Async::new(ours).unwrap();
        peer.write_all(b"to both").unwrap();
        in_time("the one", ours.readable()).await.unwrap();
        in_time("the other", duplicate.readable()).await.unwrap();
        drop(ours);
        in_time("the other alone", duplicate.readable()).await.unwrap();
        assert_eq!((&duplicate).read(&mut [0; 16]).await.unwrap(), 7);
        assert!(future::poll_once((&duplicate).read(&mut [0; 16])).await.is_none());
        peer.write_all(b"more").unwrap();
        let read = in_time("more", (&duplicate).read(&mut [0; 16])).await;
        assert_eq!(read.unwrap(), 4);
    });
}

#[test]
fn reused_number_can_be_registered_at_once() {
    let _watchdog = watchdog();
    let mut last = None;
    let mut reused = 0;
    for round in 0..200 {
        let socket = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
        reused += usize::from(last.replace(socket.as_raw_fd()) == last);
        let _ = future::block_on(future::poll_once(socket.readable()));
        match round % 3 {
            0 => drop(socket),
            1 => drop(socket.into_inner().unwrap()),
            _ => drop(OwnedFd::try_from(socket).unwrap()),
        }
    }
    assert!(reused > 0, "no number was used twice");
}

/// Looks, while it is dropped, whether its descriptor can be registered.
struct Looks(UnixStream, Arc<AtomicUsize>);

impl AsFd for Looks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        assert!(Async::new(self.0.as_fd()).is_ok(), "the registration has not ended");
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// Once the value is dropped, its descriptor's number is anybody's.
#[test]
fn registration_ends_before_the_value_is_dropped() {
    let _watchdog = watchdog();
    let drops = Arc::new(AtomicUsize::new(0));
    let (ours, _peer) = UnixStream::pair().unwrap();
    drop(Async::new(Looks(ours, drops.clone())).unwrap());
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}
