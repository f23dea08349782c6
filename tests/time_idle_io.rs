//! Idle timeouts of streams of bytes, in one task and in two.

mod common;

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_wheel::Timer;
use async_wheel::time::{IdleIo, IdleTimeout};
use common::sockets::tcp_pair;
use common::{HOUR, MS, Wakes, both_ways, in_time, watchdog};
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, future};

/// A stream of bytes that can read, and write, as many as it says, and is pending then. Nothing
/// wakes its tasks.
#[derive(Debug, Default)]
struct Bytes {
    readable: usize,
    writable: usize,
}

fn take(from: &mut usize, most: usize) -> Poll<io::Result<usize>> {
    let taken = most.min(*from);
    if taken == 0 && most > 0 {
        return Poll::Pending;
    }
    *from -= taken;
    Poll::Ready(Ok(taken))
}

impl AsyncRead for Bytes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        take(&mut self.readable, buffer.len())
    }
}

impl AsyncWrite for Bytes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        take(&mut self.writable, buffer.len())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Every operation, with four bytes where it has any.
type Operation = fn(Pin<&mut IdleIo<Bytes>>, &mut Context<'_>) -> Poll<io::Result<usize>>;

const OPERATIONS: [(&str, Operation); 6] = [
    ("read", |io, cx| io.poll_read(cx, &mut [0; 4])),
    ("vectored read", |io, cx| io.poll_read_vectored(cx, &mut [IoSliceMut::new(&mut [0; 4])])),
    ("write", |io, cx| io.poll_write(cx, &[0; 4])),
    ("vectored write", |io, cx| io.poll_write_vectored(cx, &[IoSlice::new(&[0; 4])])),
    ("flush", |io, cx| io.poll_flush(cx).map_ok(|()| 0)),
    ("close", |io, cx| io.poll_close(cx).map_ok(|()| 0)),
];

fn poll(
    io: &mut IdleIo<Bytes>,
    operation: Operation,
    wakes: &Arc<Wakes>,
) -> Poll<io::Result<usize>> {
    operation(Pin::new(io), &mut Context::from_waker(&wakes.waker()))
}

fn timed_out(result: Poll<io::Result<usize>>) -> bool {
    matches!(result, Poll::Ready(Err(error)) if error.kind() == ErrorKind::TimedOut)
}

#[test]
fn pending_operation_fails_at_the_limit() {
    let _watchdog = watchdog();
    for (name, operation) in OPERATIONS {
        let wakes = Wakes::new();
        let start = Instant::now();
        let mut io = IdleTimeout::new(20 * MS).wrap_io(Bytes::default());
        let first = poll(&mut io, operation, &wakes);
        if first.is_pending() {
            wakes.wait_for(1);
            assert!(timed_out(poll(&mut io, operation, &wakes)), "{name} is woken early");
        }
        assert!(start + 20 * MS <= Instant::now(), "{name} fails early");
        // And again, until there was activity.
        assert!(timed_out(poll(&mut io, operation, &wakes)), "{name}");
        io.activity().touch_at(Instant::now() + HOUR);
        assert!(poll(&mut io, operation, &wakes).is_pending(), "{name}");
    }
}

/// Reads and writes, but not of nothing.
#[test]
fn each_byte_is_a_touch() {
    for (name, operation) in &OPERATIONS[..4] {
        let wakes = Wakes::new();
        let bytes = Bytes { readable: 4, writable: 4 };
        let mut io = IdleTimeout::new(HOUR).wrap_io(bytes);
        let before = Instant::now();
        assert!(matches!(poll(&mut io, *operation, &wakes), Poll::Ready(Ok(4))), "{name}");
        let touch = io.activity().last_touch();
        assert!(before <= touch, "{name} is no touch");
        assert!(poll(&mut io, *operation, &wakes).is_pending(), "{name}");
        assert_eq!(io.activity().last_touch(), touch, "{name} of nothing is a touch");
        let empty = Pin::new(&mut io).poll_read(&mut Context::from_waker(&wakes.waker()), &mut []);
        assert!(matches!(empty, Poll::Ready(Ok(0))));
        assert_eq!(io.activity().last_touch(), touch, "an empty read is a touch");
    }
}

/// What can go on does, although it is too late.
#[test]
fn bytes_that_are_there_come_first() {
    let wakes = Wakes::new();
    let bytes = Bytes { readable: 6, writable: 2 };
    let mut io = IdleTimeout::new(Duration::ZERO).wrap_io(bytes);
    let [read, _, write, ..] = OPERATIONS.map(|(_, operation)| operation);
    assert!(matches!(poll(&mut io, read, &wakes), Poll::Ready(Ok(4))));
    assert!(matches!(poll(&mut io, read, &wakes), Poll::Ready(Ok(2))));
    assert!(timed_out(poll(&mut io, read, &wakes)));
    assert!(matches!(poll(&mut io, write, &wakes), Poll::Ready(Ok(2))));
    // The error has lost nothing.
    io.get_mut().readable = 1;
    assert!(matches!(poll(&mut io, read, &wakes), Poll::Ready(Ok(1))));
    io.get_mut().readable = 3;
    assert_eq!(io.into_inner().readable, 3);
}

/// A reader and a writer of different tasks: neither takes the other's waker away.
#[test]
fn both_directions_are_woken() {
    let _watchdog = watchdog();
    let [read, _, write, ..] = OPERATIONS.map(|(_, operation)| operation);
    let wakes = [Wakes::new(), Wakes::new()];
    let mut io = IdleTimeout::new(HOUR).wrap_io(Bytes::default());
    for (operation, wakes) in [read, write].into_iter().zip(&wakes) {
        assert!(poll(&mut io, operation, wakes).is_pending());
    }
    Pin::new(&mut io).set_limit(MS);
    for (operation, wakes) in [read, write].into_iter().zip(&wakes) {
        wakes.wait_for(1);
        assert!(timed_out(poll(&mut io, operation, wakes)), "woken early");
    }
}

#[test]
fn limit_is_set_for_both_directions() {
    let _watchdog = watchdog();
    let [read, _, write, ..] = OPERATIONS.map(|(_, operation)| operation);
    for operation in [read, write] {
        let wakes = Wakes::new();
        let mut io = IdleTimeout::new(HOUR).wrap_io(Bytes::default());
        assert!(poll(&mut io, operation, &wakes).is_pending());
        Pin::new(&mut io).set_limit(MS);
        assert_eq!(io.limit(), MS);
        wakes.wait_for(1);
        assert!(timed_out(poll(&mut io, operation, &wakes)), "woken early");
    }
}

/// A task that waits to read, and one that writes: the reader is not idle meanwhile.
#[test]
fn write_of_one_half_keeps_other_alive() {
    both_ways(|| async {
        let limit = 15 * MS;
        loop {
            let bytes = || Bytes { readable: 0, writable: 100 };
            let (mut reader, mut writer) = IdleTimeout::new(limit).wrap_halves(bytes(), bytes());
            let read = async {
                let error = reader.read(&mut [0; 4]).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                Instant::now()
            };
            let write = async {
                Timer::after(limit / 2).await;
                let written = Instant::now();
                writer.write_all(&[0; 4]).await.unwrap();
                written
            };
            let (failed, written) = in_time("a read", future::zip(read, write)).await;
            // The machine was not too busy for the write to come in time.
            if written < failed {
                assert!(written + limit <= failed, "the reader failed early");
                return;
            }
        }
    });
}

/// A connection that falls silent, and speaks again.
#[test]
fn silent_connection_times_out_and_goes_on() {
    both_ways(|| async {
        let (ours, mut peer) = tcp_pair();
        let mut ours = pin!(IdleTimeout::new(HOUR).wrap_io(ours));
        peer.write_all(b"hello").unwrap();
        let mut buffer = [0; 5];
        in_time("a message", ours.read_exact(&mut buffer)).await.unwrap();
        assert_eq!(&buffer, b"hello");
        let heard = ours.activity().last_touch();
        ours.as_mut().set_limit(5 * MS);
        let error = in_time("an error", ours.read(&mut buffer)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(heard + 5 * MS <= Instant::now(), "early");
        ours.as_mut().set_limit(HOUR);
        peer.write_all(b"again").unwrap();
        in_time("a message", ours.read_exact(&mut buffer)).await.unwrap();
        assert_eq!(&buffer, b"again");
        in_time("a write", ours.write_all(b"there")).await.unwrap();
        in_time("a flush", ours.flush()).await.unwrap();
        peer.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"there");
    });
}
