//! Descriptors that are closed or replaced behind the library's back, and whose numbers are
//! registered anew.

#![cfg(target_os = "linux")]

mod common;

use std::io::{self, ErrorKind, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use async_wheel::{Async, Timer, block_on};
use common::{
    MS, Wakes, in_time, poll_with,
    sockets::{Borrowed, fill},
    watchdog,
};
use futures_lite::{AsyncReadExt, future};

/// A source whose number is about to change hands.
struct Stage {
    stale: Arc<Async<Borrowed>>,
    /// Keeps the old file open.
    old: UnixStream,
    old_peer: UnixStream,
    /// What has the number.
    number: OwnedFd,
}

impl Stage {
    /// `least`: a number that is out of the way of other tests.
    fn new(least: RawFd) -> Stage {
        let (old, old_peer) = UnixStream::pair().unwrap();
        let number = rustix::io::fcntl_dupfd_cloexec(&old, least).unwrap();
        let stale = Arc::new(Async::new(Borrowed(number.as_raw_fd())).unwrap());
        Stage { stale, old, old_peer, number }
    }

    /// Gives the number to another stream.
    fn replace(&mut self) -> (Async<Borrowed>, UnixStream) {
        let (new, peer) = UnixStream::pair().unwrap();
        rustix::io::dup2(&new, &mut self.number).unwrap();
        (Async::new(Borrowed(self.number.as_raw_fd())).unwrap(), peer)
    }

    /// More events of the old file than may come without a wait before interest is withdrawn.
    fn unclaimed_events(&self) {
        for _ in 0..12 {
            (&self.old_peer).write_all(b"x").unwrap();
            block_on(async { Timer::after(MS).await });
        }
    }
}

/// A descriptor is closed behind the library's back and its number is registered anew. Dropping the
/// old source must not deregister the new one.
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

/// Interest that nobody claims is withdrawn by number, which is the successor's by then.
#[test]
fn unclaimed_events_leave_the_successor_armed() {
    let _watchdog = watchdog();
    let mut stage = Stage::new(900);
    assert!(block_on(future::poll_once(stage.stale.readable())).is_none());
    let (successor, mut peer) = stage.replace();
    let wakes = Wakes::new();
    let mut waits = successor.readable();
    assert!(poll_with(&wakes.waker(), &mut waits).is_pending());
    stage.unclaimed_events();
    peer.write_all(b"for the successor").unwrap();
    block_on(in_time("the successor", waits)).unwrap();
}

#[test]
fn waits_for_a_stale_source_end_in_errors() {
    let _watchdog = watchdog();
    let mut stage = Stage::new(1000);
    let (polls, awaits) = (Wakes::new(), Wakes::new());
    let waker = polls.waker();
    let cx = &mut Context::from_waker(&waker);
    assert!(stage.stale.poll_readable(cx).is_pending());
    let number = stage.number.as_raw_fd();
    let (new, mut peer) = UnixStream::pair().unwrap();
    let mut waits = stage.stale.readable();
    assert!(poll_with(&awaits.waker(), &mut waits).is_pending());
    rustix::io::dup2(&new, &mut stage.number).unwrap();
    let successor = Async::new(Borrowed(number)).unwrap();
    // Those that waited are woken.
    polls.wait_for(1);
    awaits.wait_for(1);
    let is_error = |polled: Poll<io::Result<()>>| match polled {
        Poll::Ready(Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(error.to_string().contains("registered anew"), "{error}");
        }
        other => panic!("{other:?}"),
    };
    is_error(stage.stale.poll_readable(cx));
    is_error(poll_with(&awaits.waker(), &mut waits));
    // Waits that begin now are errors, too, and take nothing from the successor.
    let wakes = Wakes::new();
    let mut next = successor.readable();
    assert!(poll_with(&wakes.waker(), &mut next).is_pending());
    is_error(stage.stale.poll_writable(cx));
    is_error(poll_with(&awaits.waker(), &mut stage.stale.readable()));
    drop(waits);
    drop(stage.stale);
    peer.write_all(b"for the successor").unwrap();
    block_on(in_time("the successor", next)).unwrap();
    assert_eq!(Async::new(Borrowed(number)).unwrap_err().kind(), ErrorKind::AlreadyExists);
}

/// Events of the old file, which nobody waits for, once made the stale source withdraw the
/// interest of the number: the successor's by then, which never woke again.
#[test]
fn stale_source_leaves_successor_registered() {
    let _watchdog = watchdog();
    let mut it = Stage::new(600);
    assert!(future::block_on(future::poll_once(it.stale.readable())).is_none());
    let (successor, mut next_peer) = it.replace();
    let reads = future::block_on(future::poll_once(successor.readable()));
    assert!(reads.is_none());
    for _ in 0..20 {
        it.old_peer.write_all(b"for nobody").unwrap();
        thread::sleep(3 * MS);
    }
    let waits = thread::spawn(move || {
        block_on(in_time("the successor", successor.readable())).unwrap();
        successor
    });
    thread::sleep(20 * MS);
    next_peer.write_all(b"for the successor").unwrap();
    let successor = waits.join().unwrap();
    // Nor does a wait for the stale source or its end take anything from the successor.
    let error = block_on(in_time("an error", it.stale.readable())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    drop(it.stale);
    assert_eq!(rustix::io::read(&successor, &mut [0; 32]).unwrap(), 17);
    let waits = thread::spawn(move || {
        block_on(in_time("the successor again", successor.readable())).unwrap();
    });
    next_peer.write_all(b"more").unwrap();
    waits.join().unwrap();
}

/// Each wait for a source whose number is registered anew, from before or after that, and in
/// whichever way, is an error; and nothing is done to the number's next owner.
#[test]
fn waiters_of_stale_source_get_an_error() {
    let _watchdog = watchdog();
    let mut it = Stage::new(700);
    let stale = it.stale.clone();
    let would_block = |_: &Borrowed| -> io::Result<()> { Err(ErrorKind::WouldBlock.into()) };
    let kinds: Vec<thread::JoinHandle<ErrorKind>> = vec![
        thread::spawn({
            let stale = stale.clone();
            move || block_on(in_time("a future", stale.readable())).unwrap_err().kind()
        }),
        thread::spawn({
            let stale = stale.clone();
            move || {
                let poll = std::future::poll_fn(|cx| stale.poll_readable(cx));
                future::block_on(in_time("a poll method", poll)).unwrap_err().kind()
            }
        }),
        thread::spawn({
            let stale = stale.clone();
            move || {
                let read = stale.read_with(would_block);
                block_on(in_time("an operation", read)).unwrap_err().kind()
            }
        }),
    ];
    thread::sleep(50 * MS);
    assert!(kinds.iter().all(|wait| !wait.is_finished()));
    let _successor = it.replace();
    for wait in kinds {
        assert_eq!(wait.join().unwrap(), ErrorKind::NotFound);
    }
    let tried = block_on(stale.read_with(|_| -> io::Result<()> { panic!("a stranger's") }));
    assert_eq!(tried.unwrap_err().kind(), ErrorKind::NotFound);
    drop(it.stale);
    let mut alone = Arc::try_unwrap(stale).expect("the threads have ended");
    // SAFETY: the operations leave the value alone: they are not to be done at all.
    let tried = block_on(unsafe { alone.read_with_mut(|_| -> io::Result<()> { panic!("too") }) });
    assert_eq!(tried.unwrap_err().kind(), ErrorKind::NotFound);
    // SAFETY: as above.
    let tried = block_on(unsafe { alone.write_with_mut(|_| -> io::Result<()> { panic!("too") }) });
    assert_eq!(tried.unwrap_err().kind(), ErrorKind::NotFound);
    let stale = alone;
    let written = block_on(in_time("a write", stale.writable()));
    assert_eq!(written.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Threads on two shards: the old source is on one, the new one is registered by the other.
#[test]
fn successor_registered_by_another_shard_goes_on() {
    let _watchdog = watchdog();
    for round in 0..20 {
        let mut stage = block_on(async { Stage::new(1100 + 10 * round) });
        assert!(block_on(future::poll_once(stage.stale.readable())).is_none());
        thread::scope(|scope| {
            scope.spawn(|| {
                block_on(async {
                    let (successor, mut peer) = stage.replace();
                    let waits = successor.readable();
                    peer.write_all(b"for the successor").unwrap();
                    in_time("the successor", waits).await.unwrap();
                    // The number is nobody's after that, and the stale source stays so.
                    drop(successor);
                    let ended = in_time("a wait that is stale", stage.stale.readable()).await;
                    assert!(ended.is_err());
                })
            });
            block_on(async { Timer::after(MS).await });
        });
    }
}

/// The number was given to what is not registered: each wait is an error, not only the first.
#[test]
fn waits_for_replaced_descriptor_are_all_errors() {
    let _watchdog = watchdog();
    let (ours, _peer) = UnixStream::pair().unwrap();
    let _old = ours.try_clone().unwrap();
    let (new, _new_peer) = UnixStream::pair().unwrap();
    new.set_nonblocking(true).unwrap();
    let stream = Async::new(ours).unwrap();
    // SAFETY: the number is open, and is not closed here.
    let mut number = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(stream.as_raw_fd()) });
    rustix::io::dup2(&new, &mut number).unwrap();
    for _ in 0..3 {
        let read = block_on(future::poll_once((&stream).read(&mut [0])));
        assert_eq!(read.expect("an error").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// Withdrawing interest fails; another task waits for the other direction.
#[test]
fn poller_error_on_event_wakes_all_waiters() {
    let _watchdog = watchdog();
    let stage = Stage::new(1400);
    fill(&stage.old);
    assert!(block_on(future::poll_once(stage.stale.readable())).is_none());
    let wakes = Wakes::new();
    let mut waits = stage.stale.writable();
    assert!(poll_with(&wakes.waker(), &mut waits).is_pending());
    // To something that is not registered: then the poller knows no such number.
    let null = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: the number is open, and is not closed here.
    let number = unsafe { OwnedFd::from_raw_fd(stage.number.as_raw_fd()) };
    rustix::io::dup2(null, &mut ManuallyDrop::new(number)).unwrap();
    stage.unclaimed_events();
    wakes.wait_for(1);
    let told = poll_with(&wakes.waker(), &mut waits);
    assert!(matches!(told, Poll::Ready(Err(_))), "{told:?}");
}
