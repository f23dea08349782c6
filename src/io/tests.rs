//! What the operations tell the reactor, and what waits leave there.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_lite::future;

use super::Async;
use crate::reactor::Interest;

fn stream() -> (Async<UnixStream>, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    (Async::new(ours).unwrap(), peer)
}

/// Polls once.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits until another thread, which drives, has counted an event.
fn wait_for_an_event(stream: &Async<UnixStream>, before: usize) {
    let start = Instant::now();
    while stream.source().begin(Interest::Read).unwrap() == before {
        assert!(start.elapsed() < Duration::from_secs(20), "no event");
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// What came while the operation was done is not ahead any more.
#[test]
fn event_during_an_operation_is_not_waited_for() {
    let (stream, mut peer) = stream();
    // Interest is registered from here on.
    assert!(poll(std::pin::pin!(stream.readable())).is_pending());
    let mut calls = 0;
    let op = |io: &UnixStream| {
        calls += 1;
        if calls > 1 {
            return Ok(());
        }
        let before = stream.source().begin(Interest::Read).unwrap();
        peer.write_all(b"meanwhile").unwrap();
        wait_for_an_event(&stream, before);
        assert!(std::ptr::eq(io, stream.get_ref()));
        Err(io::Error::from(io::ErrorKind::WouldBlock))
    };
    let done = poll(std::pin::pin!(stream.own_op(Interest::Read, op)));
    assert!(matches!(done, Poll::Ready(Ok(()))), "{done:?}");
    assert_eq!(calls, 2);
}

#[test]
fn ended_waits_leave_nothing_behind() {
    let (stream, mut peer) = stream();
    let mut waits: Vec<_> = (0..10_000).map(|_| stream.readable()).collect();
    for wait in &mut waits {
        assert!(poll(Pin::new(wait)).is_pending());
    }
    assert_eq!(stream.source().waiting(Interest::Read).0, 10_000);
    let last = waits.pop().unwrap();
    drop(waits);
    let (len, capacity) = stream.source().waiting(Interest::Read);
    assert!(len <= 32 && capacity <= 128, "{len} of {capacity}");
    let before = stream.source().begin(Interest::Read).unwrap();
    peer.write_all(b"event").unwrap();
    wait_for_an_event(&stream, before);
    let (len, capacity) = stream.source().waiting(Interest::Read);
    assert!(len == 0 && capacity <= 128, "{len} of {capacity}");
    future::block_on(last).unwrap();
    let mut given_up = stream.writable();
    let _ = poll(Pin::new(&mut given_up));
    drop(given_up);
    assert_eq!(stream.source().waiting(Interest::Write).0, 0);
}
