//! What registering does to a descriptor, and what it refuses.

#![cfg(unix)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use async_wheel::{Async, block_on};
use common::{both_ways, in_time, watchdog};
use futures_lite::{AsyncReadExt, future};

/// Whether operations on a descriptor return instead of blocking.
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

    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
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
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = Async::new(socket).unwrap();
    block_on(in_time("writable", socket.writable())).unwrap();
}

/// A descriptor that is registered already: the first source goes on, and another may follow when
/// it is gone.
#[test]
fn registering_twice_is_refused() {
    let _watchdog = watchdog();
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
    let _watchdog = watchdog();
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
        let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
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

/// A descriptor is closed behind the library's back and its number is registered anew. Dropping the
/// old source must not deregister the new one.
#[cfg(target_os = "linux")]
#[test]
fn closed_descriptor_leaves_its_successor_alone() {
    let _watchdog = watchdog();
    let duplicate = |of: &UnixStream, least| rustix::io::fcntl_dupfd_cloexec(of, least);
    let (ours, _peer) = UnixStream::pair().unwrap();
    // A number that is out of the way of other tests.
    let high = duplicate(&ours, 500).unwrap();
    let number = high.as_raw_fd();
    // Only borrowed: the source does not keep the descriptor open.
    let stale = Async::new(Borrowed(number)).unwrap();
    drop((high, ours));
    let (next, mut peer) = UnixStream::pair().unwrap();
    let successor = duplicate(&next, number).unwrap();
    assert_eq!(successor.as_raw_fd(), number);
    let successor = Async::new(successor).unwrap();
    drop(stale);
    peer.write_all(b"for the successor").unwrap();
    block_on(in_time("the successor", successor.readable())).unwrap();
    assert_eq!(Async::new(Borrowed(number)).unwrap_err().kind(), ErrorKind::AlreadyExists);
}

/// A source that is stale, with its old file alive elsewhere, and its number's next owner.
#[cfg(target_os = "linux")]
struct Replaced {
    stale: Arc<Async<Borrowed>>,
    /// Keeps the old file alive.
    _elsewhere: UnixStream,
    old_peer: UnixStream,
    next: UnixStream,
    next_peer: UnixStream,
    number: OwnedFd,
}

#[cfg(target_os = "linux")]
impl Replaced {
    /// Registers a number of at least `least`. `replace` then puts another file under it.
    fn new(least: i32) -> Replaced {
        let (elsewhere, old_peer) = UnixStream::pair().unwrap();
        let number = rustix::io::fcntl_dupfd_cloexec(&elsewhere, least).unwrap();
        let stale = Arc::new(Async::new(Borrowed(number.as_raw_fd())).unwrap());
        let (next, next_peer) = UnixStream::pair().unwrap();
        Replaced { stale, _elsewhere: elsewhere, old_peer, next, next_peer, number }
    }

    fn replace(&mut self) -> Async<Borrowed> {
        rustix::io::dup2(&self.next, &mut self.number).unwrap();
        Async::new(Borrowed(self.number.as_raw_fd())).unwrap()
    }
}

/// Events of the old file, which nobody waits for, once made the stale source withdraw the
/// interest of the number: the successor's by then, which never woke again.
#[cfg(target_os = "linux")]
#[test]
fn stale_source_leaves_successor_registered() {
    let _watchdog = watchdog();
    let mut it = Replaced::new(600);
    assert!(future::block_on(future::poll_once(it.stale.readable())).is_none());
    let successor = it.replace();
    let reads = future::block_on(future::poll_once(successor.readable()));
    assert!(reads.is_none());
    for _ in 0..20 {
        it.old_peer.write_all(b"for nobody").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    let waits = std::thread::spawn(move || {
        block_on(in_time("the successor", successor.readable())).unwrap();
        successor
    });
    std::thread::sleep(std::time::Duration::from_millis(20));
    it.next_peer.write_all(b"for the successor").unwrap();
    let successor = waits.join().unwrap();
    // Nor does a wait for the stale source or its end take anything from the successor.
    let error = block_on(in_time("an error", it.stale.readable())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    drop(it.stale);
    assert_eq!(rustix::io::read(&successor, &mut [0; 32]).unwrap(), 17);
    let waits = std::thread::spawn(move || {
        block_on(in_time("the successor again", successor.readable())).unwrap();
    });
    it.next_peer.write_all(b"more").unwrap();
    waits.join().unwrap();
}

/// Who waits for a source when its number is registered anew, or does so later, in whichever
/// way, is told; and nothing is done to the number's next owner.
#[cfg(target_os = "linux")]
#[test]
fn waiters_of_stale_source_get_an_error() {
    let _watchdog = watchdog();
    let mut it = Replaced::new(700);
    let stale = it.stale.clone();
    let would_block = |_: &Borrowed| -> std::io::Result<()> { Err(ErrorKind::WouldBlock.into()) };
    let kinds: Vec<std::thread::JoinHandle<ErrorKind>> = vec![
        std::thread::spawn({
            let stale = stale.clone();
            move || block_on(in_time("a future", stale.readable())).unwrap_err().kind()
        }),
        std::thread::spawn({
            let stale = stale.clone();
            move || {
                let poll = std::future::poll_fn(|cx| stale.poll_readable(cx));
                future::block_on(in_time("a poll method", poll)).unwrap_err().kind()
            }
        }),
        std::thread::spawn({
            let stale = stale.clone();
            move || {
                let read = stale.read_with(would_block);
                block_on(in_time("an operation", read)).unwrap_err().kind()
            }
        }),
    ];
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(kinds.iter().all(|wait| !wait.is_finished()));
    let _successor = it.replace();
    for wait in kinds {
        assert_eq!(wait.join().unwrap(), ErrorKind::NotFound);
    }
    let tried = block_on(stale.read_with(|_| -> std::io::Result<()> { panic!("a stranger's") }));
    assert_eq!(tried.unwrap_err().kind(), ErrorKind::NotFound);
    let written = block_on(in_time("a write", stale.writable()));
    assert_eq!(written.unwrap_err().kind(), ErrorKind::NotFound);
}

/// A descriptor that somebody else owns, or owned.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Borrowed(std::os::fd::RawFd);

#[cfg(target_os = "linux")]
impl AsFd for Borrowed {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        // SAFETY: not kept, which is what the test is about; nothing reads or writes through it.
        unsafe { std::os::fd::BorrowedFd::borrow_raw(self.0) }
    }
}

/// Pollers, notify fds, timerfds and sockets that the library opens must not leak into programs
/// that the process starts.
#[cfg(target_os = "linux")]
#[test]
fn reactors_descriptors_are_closed_on_exec() {
    let _watchdog = watchdog();
    // Several shards, the fallback, and whatever a listener and its connections open.
    let threads: Vec<_> =
        (0..3).map(|_| std::thread::spawn(|| block_on(async_wheel::Timer::never()))).collect();
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let connection = block_on(in_time("a connection", async {
        let both = future::try_zip(listener.accept(), Async::<TcpStream>::connect(address));
        both.await.unwrap()
    }));
    let _ = async_wheel::os::unix::reactor_fd();
    common::eventually("several threads are in block_on", || {
        async_wheel::diagnostics::shards().iter().map(|shard| shard.threads).sum::<usize>() >= 3
    });
    let mut checked = 0;
    for fd in std::fs::read_dir("/proc/self/fd").unwrap() {
        let path = fd.unwrap().path();
        let Ok(target) = std::fs::read_link(&path) else { continue };
        let number: i32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let target = target.to_string_lossy().into_owned();
        let is_ours =
            ["[eventpoll]", "[eventfd]", "[timerfd]"].iter().any(|kind| target.ends_with(kind))
                || [connection.0.0.as_raw_fd(), connection.1.as_raw_fd(), listener.as_raw_fd()]
                    .contains(&number);
        if is_ours {
            // SAFETY: the reactor's descriptors stay open, and the three are ours.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
            let flags = rustix::io::fcntl_getfd(fd).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "{number}: {target}");
            checked += 1;
        }
    }
    assert!(checked >= 6, "{checked} descriptors");
    assert!(threads.iter().all(|thread| !thread.is_finished()));
}

#[cfg(target_os = "linux")]
#[test]
fn reactor_fd_is_readable_for_any_shard() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let _watchdog = watchdog();
    let fd = async_wheel::os::unix::reactor_fd().expect("Linux has one");
    let again = async_wheel::os::unix::reactor_fd().unwrap();
    assert_eq!(fd.as_raw_fd(), again.as_raw_fd());
    let a_while = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    // It is readable while an event waits to be fetched; whoever drives may be quicker.
    let (ours, mut peer) = UnixStream::pair().unwrap();
    let ours = Async::new(ours).unwrap();
    let seen = (0..200).any(|_| {
        let _ = future::block_on(future::poll_once(ours.readable()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                peer.write_all(b"event").unwrap();
            });
            poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&a_while)).unwrap() == 1
        })
    });
    assert!(seen, "never readable");
}
