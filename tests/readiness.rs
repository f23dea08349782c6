//! Readiness: `readable`, `writable` and their poll methods behave level-triggered, and wake each
//! waiter, and none for nothing.

#![cfg(unix)]

mod common;

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use async_wheel::{Async, Timer, block_on};
use common::{
    MS, Wakes, both_ways, in_time, poll_with,
    sockets::{fill, unix_pair},
    watchdog,
};
use futures_io::AsyncRead;
use futures_lite::future::{self, FutureExt};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

/// Reads all that is there.
fn drain(mut stream: &UnixStream) -> usize {
    let (mut buffer, mut sum) = ([0; 4096], 0);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return sum,
            Ok(length) => sum += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sum,
            Err(error) => panic!("{error}"),
        }
    }
}

type Method = fn(&Async<UnixStream>, &mut Context<'_>) -> Poll<io::Result<()>>;

const METHODS: [(&str, Method); 2] =
    [("poll_readable", Async::poll_readable), ("poll_writable", Async::poll_writable)];

/// Gives the reactor time for an event that must not come.
async fn a_while() {
    Timer::after(20 * MS).await;
}

/// No edge comes for data that was there before the interest was registered.
#[test]
fn data_before_the_first_wait_is_seen() {
    both_ways(|| async {
        let (ours, mut peer) = unix_pair();
        peer.write_all(b"early").unwrap();
        a_while().await;
        in_time("readable", ours.readable()).await.unwrap();
        let ours = Arc::new(ours);
        in_time("readable_owned", ours.clone().readable_owned()).await.unwrap();
        in_time("writable", ours.writable()).await.unwrap();
        in_time("writable_owned", ours.clone().writable_owned()).await.unwrap();
    });
}

/// No edge comes for data that a read has left.
#[test]
fn partly_read_data_keeps_the_source_readable() {
    both_ways(|| async {
        let (mut ours, mut peer) = unix_pair();
        peer.write_all(&[7; 100]).unwrap();
        for _ in 0..50 {
            in_time("readable with data left", ours.readable()).await.unwrap();
            // By the user's own call, then by ours.
            assert_eq!(ours.get_ref().read(&mut [0]).unwrap(), 1);
            in_time("readable with data left", ours.readable()).await.unwrap();
            assert_eq!(ours.read(&mut [0]).await.unwrap(), 1);
        }
        assert!(future::poll_once(ours.readable()).await.is_none());
    });
}

#[test]
fn unread_data_keeps_the_source_readable() {
    both_ways(|| async {
        let (ours, mut peer) = unix_pair();
        peer.write_all(b"left alone").unwrap();
        for _ in 0..50 {
            in_time("readable", ours.readable()).await.unwrap();
            in_time("a readable event", poll_fn(|cx| ours.poll_readable(cx))).await.unwrap();
        }
    });
}

/// Readiness of before, read away by this crate or past it, must not make a wait ready.
#[test]
fn drained_source_is_not_readable() {
    both_ways(|| async {
        let (ours, mut peer) = unix_pair();
        for round in 0..20 {
            peer.write_all(b"some").unwrap();
            in_time("readable", ours.readable()).await.unwrap();
            if round % 2 == 0 {
                drain(ours.get_ref());
            } else {
                ours.read_with(|mut stream| stream.read(&mut [0; 64])).await.unwrap();
            }
            let mut readable = ours.readable();
            assert!(future::poll_once(&mut readable).await.is_none(), "nothing is there");
            let (waited, ()) = future::zip(in_time("more", readable), async {
                a_while().await;
                peer.write_all(b"more").unwrap();
            })
            .await;
            waited.unwrap();
            drain(ours.get_ref());
        }
    });
}

/// The poll methods wait for an event, also when there is data or room already: the first poll is
/// pending, and the task is woken.
#[test]
fn first_poll_is_pending_and_then_woken() {
    let _watchdog = watchdog();
    let (ours, mut peer) = unix_pair();
    peer.write_all(b"early").unwrap();
    for (what, method) in METHODS {
        let wakes = Wakes::new();
        let waker = wakes.waker();
        let cx = &mut Context::from_waker(&waker);
        for round in 1..=10 {
            // Being ready uses the event up, so that each round is like the first.
            assert!(method(&ours, cx).is_pending(), "{what}, round {round}");
            wakes.wait_for(round);
            assert!(matches!(method(&ours, cx), Poll::Ready(Ok(()))), "{what}, round {round}");
        }
    }
}

/// A poll method that stayed ready after its event would make the task spin.
#[test]
fn ready_poll_consumes_the_event() {
    let _watchdog = watchdog();
    let (ours, mut peer) = unix_pair();
    let wakes = Wakes::new();
    let waker = wakes.waker();
    let cx = &mut Context::from_waker(&waker);
    assert!(ours.poll_readable(cx).is_pending());
    peer.write_all(b"once").unwrap();
    wakes.wait_for(1);
    assert!(ours.poll_readable(cx).is_ready());
    drain(ours.get_ref());
    // ShortRead: a `Ready` that stuck would make the task spin.
    assert!(ours.poll_readable(cx).is_pending());
    thread::sleep(20 * MS);
    assert!(ours.poll_readable(cx).is_pending());
    assert_eq!(wakes.count(), 1);
}

/// A poll method has one waker a direction: a task that is replaced there by another is woken, so
/// that it does not wait for ever.
#[test]
fn replaced_task_is_woken() {
    let _watchdog = watchdog();
    let (ours, mut peer) = unix_pair();
    fill(ours.get_ref());
    let (former, latter) = (Wakes::new(), Wakes::new());
    for (round, (_, method)) in METHODS.into_iter().enumerate() {
        assert!(method(&ours, &mut Context::from_waker(&former.waker())).is_pending());
        assert!(method(&ours, &mut Context::from_waker(&former.waker())).is_pending());
        assert_eq!(former.count(), round, "the same task does not replace itself");
        assert!(method(&ours, &mut Context::from_waker(&latter.waker())).is_pending());
        assert_eq!(former.count(), round + 1, "the task that waited there was not woken");
    }
    assert_eq!(latter.count(), 0);
    peer.write_all(b"for the latter").unwrap();
    latter.wait_for(1);
    peer.set_nonblocking(true).unwrap();
    drain(&peer);
    latter.wait_for(2);
    assert_eq!(former.count(), 2);
}

/// Two hundred waiters, borrowed and owned, and a task of the poll method. Those that were dropped
/// before are not woken.
#[test]
fn all_waiters_of_a_direction_are_woken() {
    let _watchdog = watchdog();
    let (ours, mut peer) = unix_pair();
    let ours = Arc::new(ours);
    let wakes: Vec<_> = (0..201).map(|_| Wakes::new()).collect();
    let mut borrowed: Vec<_> = (0..100).map(|_| ours.readable()).collect();
    let mut owned: Vec<_> = (0..100).map(|_| ours.clone().readable_owned()).collect();
    for (future, wakes) in borrowed.iter_mut().zip(&wakes) {
        assert!(poll_with(&wakes.waker(), future).is_pending());
    }
    for (future, wakes) in owned.iter_mut().zip(&wakes[100..]) {
        assert!(poll_with(&wakes.waker(), future).is_pending());
    }
    assert!(ours.poll_readable(&mut Context::from_waker(&wakes[200].waker())).is_pending());
    // Some give up; that is nobody else's loss.
    drop(borrowed.drain(..50));
    drop(owned.drain(50..));
    peer.write_all(b"for all").unwrap();
    for wakes in wakes[50..150].iter().chain(&wakes[200..]) {
        wakes.wait_for(1);
    }
    for (future, wakes) in borrowed.iter_mut().zip(&wakes[50..]) {
        assert!(poll_with(&wakes.waker(), future).is_ready());
    }
    let given_up = wakes[..50].iter().chain(&wakes[150..200]);
    assert!(given_up.into_iter().all(|wakes| wakes.count() == 0 && Arc::strong_count(wakes) == 1));
}

/// Events of one direction must leave the interest in the other armed.
#[test]
fn reader_and_writer_do_not_disarm_each_other() {
    let _watchdog = watchdog();
    let (ours, mut peer) = unix_pair();
    let ours = Arc::new(ours);
    fill(ours.get_ref());
    let (reader, writer) = (Wakes::new(), Wakes::new());
    let (read, write) = (reader.waker(), writer.waker());
    let (read, write) = (&mut Context::from_waker(&read), &mut Context::from_waker(&write));
    assert!(ours.poll_readable(read).is_pending());
    assert!(ours.poll_writable(write).is_pending());
    for round in 1..=20 {
        peer.write_all(b"to be read").unwrap();
        reader.wait_for(round);
        assert!(ours.poll_readable(read).is_ready());
        drain(ours.get_ref());
        assert!(ours.poll_readable(read).is_pending());
    }
    assert_eq!(writer.count(), 0, "woken for writing while there is no room");
    // After all those events of the one direction, the other is still armed.
    peer.set_nonblocking(true).unwrap();
    drain(&peer);
    writer.wait_for(1);
    assert!(ours.poll_writable(write).is_ready());
}

#[test]
fn stream_carries_both_directions_at_once() {
    both_ways(|| async {
        const LENGTH: usize = 1 << 21;
        let (left, right) = Async::<UnixStream>::pair().unwrap();
        let (left, right) = (Arc::new(left), Arc::new(right));
        let send = |stream: Arc<Async<UnixStream>>| async move {
            (&*stream).write_all(&vec![3; LENGTH]).await.unwrap();
        };
        let receive = |stream: Arc<Async<UnixStream>>| async move {
            let mut bytes = vec![0; LENGTH];
            (&*stream).read_exact(&mut bytes).await.unwrap();
            assert!(bytes.iter().all(|byte| *byte == 3));
        };
        let one_way = future::zip(send(left.clone()), receive(right.clone()));
        let other_way = future::zip(send(right), receive(left));
        in_time("two megabytes each way", future::zip(one_way, other_way)).await;
    });
}

#[test]
fn a_hang_up_wakes_both_directions() {
    let _watchdog = watchdog();
    let (ours, peer) = unix_pair();
    fill(ours.get_ref());
    let (polls, futures) = (Wakes::new(), Wakes::new());
    let cx = &polls.waker();
    assert!(ours.poll_readable(&mut Context::from_waker(cx)).is_pending());
    assert!(ours.poll_writable(&mut Context::from_waker(cx)).is_pending());
    let (mut readable, mut writable) = (ours.readable(), ours.writable());
    assert!(poll_with(&futures.waker(), &mut readable).is_pending());
    assert!(poll_with(&futures.waker(), &mut writable).is_pending());
    drop(peer);
    polls.wait_for(2);
    futures.wait_for(2);
    assert!(matches!(poll_with(&futures.waker(), &mut readable), Poll::Ready(Ok(()))));
    assert!(matches!(poll_with(&futures.waker(), &mut writable), Poll::Ready(Ok(()))));
    // Waits that begin later are ready, too.
    let both = future::zip(ours.readable(), ours.writable());
    let (read, write) = block_on(in_time("a hang-up of before", both));
    assert!(read.is_ok() && write.is_ok());
}

#[test]
fn end_of_stream_stays_readable() {
    both_ways(|| async {
        let (mut ours, peer) = unix_pair();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        for _ in 0..20 {
            in_time("the end", ours.readable()).await.unwrap();
            assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 0);
        }
    });
}

/// An operation says `WouldBlock` although there is data: the wait must not count on an edge.
#[test]
fn would_block_with_data_there_is_retried() {
    both_ways(|| async {
        let (mut ours, mut peer) = unix_pair();
        peer.write_all(b"there").unwrap();
        let tries = AtomicUsize::new(0);
        let stubborn = || match tries.fetch_add(1, Ordering::Relaxed) % 20 {
            19 => Ok(()),
            _ => Err(io::Error::from(ErrorKind::WouldBlock)),
        };
        in_time("a read", ours.read_with(|_| stubborn())).await.unwrap();
        in_time("a write", ours.write_with(|_| stubborn())).await.unwrap();
        // SAFETY: the operation does nothing at all.
        in_time("a read", unsafe { ours.read_with_mut(|_| stubborn()) }).await.unwrap();
        // SAFETY: as above.
        in_time("a write", unsafe { ours.write_with_mut(|_| stubborn()) }).await.unwrap();
        assert_eq!(tries.into_inner(), 80);

        // A stream that was really drained before, by ours.
        assert_eq!(ours.read(&mut [0; 16]).await.unwrap(), 5);
        assert!(future::poll_once(ours.read(&mut [0; 16])).await.is_none());
        peer.write_all(b"more").unwrap();
        let mut first = true;
        let read = ours.read_with(|mut stream| {
            if std::mem::take(&mut first) {
                return Err(ErrorKind::WouldBlock.into());
            }
            stream.read(&mut [0; 16])
        });
        assert_eq!(in_time("a read", read).await.unwrap(), 4);
    });
}

#[test]
fn an_operation_is_tried_before_anybody_waits() {
    both_ways(|| async {
        let (ours, mut peer) = unix_pair();
        peer.write_all(b"there").unwrap();
        let mut buffer = [0; 16];
        let read = future::poll_once(ours.read_with(|mut stream| stream.read(&mut buffer))).await;
        assert_eq!(read.expect("data was there").unwrap(), 5);
        let refused = future::poll_once(ours.read_with(|_| Err::<(), _>(ErrorKind::Other.into())));
        assert_eq!(refused.await.unwrap().unwrap_err().kind(), ErrorKind::Other);
    });
}

/// Waits that are dropped keep no waker, and take no event from those that come after.
#[test]
fn dropped_wait_leaves_nothing_behind() {
    let _watchdog = watchdog();
    block_on(async {
        let (mut ours, mut peer) = unix_pair();
        for _ in 0..100 {
            let given_up = async {
                future::yield_now().await;
                None
            };
            let mut buffer = [0; 8];
            let read = async { Some(ours.read(&mut buffer).await) };
            assert!(read.or(given_up).await.is_none());
        }
        peer.write_all(b"at last").unwrap();
        assert_eq!(in_time("a read", ours.read(&mut [0; 8])).await.unwrap(), 7);
    });
    let (ours, _peer) = unix_pair();
    let wakes = Wakes::new();
    for _ in 0..100 {
        let mut readable = ours.readable();
        assert!(poll_with(&wakes.waker(), &mut readable).is_pending());
    }
    assert_eq!(Arc::strong_count(&wakes), 1);
}

/// Reads, and when nothing is there, lets something come before it says so.
struct Late<'a> {
    stream: UnixStream,
    meanwhile: Box<dyn FnMut() + Send + 'a>,
}

impl AsFd for Late<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Read for Late<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer);
        if read.is_err() {
            (self.meanwhile)();
        }
        read
    }
}

// SAFETY: reading leaves the stream where it is.
unsafe impl async_wheel::IoSafe for Late<'_> {}

/// The event comes between an operation that finds nothing and the registration of the wait for it.
#[test]
fn event_during_a_failing_operation_is_kept() {
    let _watchdog = watchdog();
    let (ours, mut peer) = UnixStream::pair().unwrap();
    let wakes = Wakes::new();
    let mut tries = 0;
    let meanwhile = Box::new(|| {
        tries += 1;
        if tries == 2 {
            peer.write_all(b"just now").unwrap();
            wakes.wait_for(1);
        }
    });
    let mut ours = Async::new(Late { stream: ours, meanwhile }).unwrap();
    let mut buffer = [0; 16];
    let waker = wakes.waker();
    for round in 1.. {
        // Never polled without a wake, but for the second time, in which the event comes.
        match poll_with(&waker, &mut ours.read(&mut buffer)) {
            Poll::Ready(read) => return assert_eq!(read.unwrap(), 8),
            Poll::Pending if round == 1 => {}
            Poll::Pending => wakes.wait_for(round),
        }
    }
}

/// `poll_readable` after a `poll_read` that was pending: that counts as its last `Pending`.
#[test]
fn poll_readable_sees_a_pending_reads_event() {
    let _watchdog = watchdog();
    let (ours, mut peer) = unix_pair();
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
    let (mut ours, _peer) = unix_pair();
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
