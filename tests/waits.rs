//! What a wait for a source does, and does not, whatever its task does.

#![cfg(unix)]

mod common;

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use async_wheel::{Async, block_on};
use common::{Wakes, poll_with, watchdog};
use futures_io::AsyncRead;
use futures_lite::future;

/// A stream of this crate's and its plain peer.
fn stream() -> (Async<UnixStream>, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    (Async::new(ours).unwrap(), peer)
}

/// `poll_readable` after a `poll_read` that was pending: that counts as its last `Pending`.
#[test]
fn poll_readable_sees_a_pending_reads_event() {
    let _watchdog = watchdog();
    let (ours, mut peer) = stream();
    let wakes = Wakes::new();
    let waker = wakes.waker();
    let cx = &mut Context::from_waker(&waker);
    assert!(Pin::new(&mut &ours).poll_read(cx, &mut [0; 8]).is_pending());
    peer.write_all(b"event").unwrap();
    wakes.wait_for(1);
    assert!(matches!(ours.poll_readable(cx), Poll::Ready(Ok(()))));
}

/// A task may be woken because what the operation depends on has changed elsewhere.
#[test]
fn operation_is_tried_again_whatever_woke_the_task() {
    let _watchdog = watchdog();
    let (mut ours, _peer) = stream();
    let noop = Waker::noop();
    let mut tries = 0;
    {
        let mut op = pin!(ours.read_with(|_| {
            tries += 1;
            if tries < 3 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }));
        assert!(poll_with(noop, &mut op).is_pending());
        assert!(poll_with(noop, &mut op).is_pending());
        assert!(matches!(poll_with(noop, &mut op), Poll::Ready(Ok(()))));
    }
    assert_eq!(tries, 3);
    let mut tries = 0;
    // SAFETY: the operation leaves the stream where it is.
    let mut op = pin!(unsafe {
        ours.read_with_mut(|_| {
            tries += 1;
            if tries < 2 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        })
    });
    assert!(poll_with(noop, &mut op).is_pending());
    assert!(matches!(poll_with(noop, &mut op), Poll::Ready(Ok(()))));
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

/// A waker that uses the source while it is dropped.
struct Uses(Arc<Async<UnixStream>>, Arc<AtomicUsize>);

impl Wake for Uses {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Uses {
    fn drop(&mut self) {
        let mut wait = self.0.readable();
        assert!(poll_with(Waker::noop(), &mut wait).is_pending());
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waiter's waker that uses its source while it is dropped: as it is replaced, and as its wait is
/// dropped.
#[test]
fn waiters_waker_is_dropped_without_a_lock() {
    let _watchdog = watchdog();
    let (ours, _peer) = stream();
    let ours = Arc::new(ours);
    let drops = Arc::new(AtomicUsize::new(0));
    let uses = || Waker::from(Arc::new(Uses(ours.clone(), drops.clone())));
    let mut waits = ours.readable();
    assert!(poll_with(&uses(), &mut waits).is_pending());
    assert_eq!(drops.load(Ordering::SeqCst), 0, "kept");
    assert!(poll_with(&uses(), &mut waits).is_pending());
    assert_eq!(drops.load(Ordering::SeqCst), 1, "replaced");
    drop(waits);
    assert_eq!(drops.load(Ordering::SeqCst), 2, "removed");
    // The task of the poll methods, likewise.
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(ours.poll_readable(&mut Context::from_waker(&uses())).is_pending());
    assert!(ours.poll_readable(cx).is_pending());
    assert_eq!(drops.load(Ordering::SeqCst), 3, "replaced by another task");
    assert!(block_on(future::poll_once(ours.readable())).is_none());
}
