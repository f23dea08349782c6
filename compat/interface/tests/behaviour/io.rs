//! Sources: readiness, registration, errors.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, future};

use super::subject::{Async, block_on};
use crate::tools::{A_WHILE, Wakes, connection, new_task, poll};

fn pair() -> (TcpStream, Async<TcpStream>) {
    let (client, server) = connection();
    (client, Async::new(server).unwrap())
}

/// Polls for an event until there is one, again after each wake.
fn event(task: &Wakes, mut poll: impl FnMut() -> Poll<io::Result<()>>) {
    let mut woken = task.count();
    while poll().is_pending() {
        woken += 1;
        task.wait_for(woken);
    }
}

#[test]
fn first_poll_is_pending_despite_data() {
    let (mut client, server) = pair();
    client.write_all(b"x").unwrap();
    let (task, waker) = new_task();
    let cx = &mut Context::from_waker(&waker);
    assert!(server.poll_readable(cx).is_pending());
    task.wait_for(1);
    event(&task, || server.poll_readable(cx));
    // That one used it up.
    assert!(server.poll_readable(cx).is_pending());
    // There is data still, so that the task is woken again.
    task.wait_for(task.count().max(2));
}

#[test]
fn first_poll_is_pending_despite_room() {
    let (_client, server) = pair();
    let (task, waker) = new_task();
    let cx = &mut Context::from_waker(&waker);
    assert!(server.poll_writable(cx).is_pending());
    task.wait_for(1);
    event(&task, || server.poll_writable(cx));
    assert!(server.poll_writable(cx).is_pending());
}

/// Not before there is data, and not for more data without another poll.
#[test]
fn task_is_woken_once_per_poll() {
    let (mut client, server) = pair();
    let (task, waker) = new_task();
    let cx = &mut Context::from_waker(&waker);
    assert!(server.poll_readable(cx).is_pending());
    task.stays_at(0);
    client.write_all(b"x").unwrap();
    task.wait_for(1);
    client.write_all(b"x").unwrap();
    task.stays_at(1);
}

#[test]
fn replaced_task_is_woken() {
    let (mut client, server) = pair();
    let (first, first_waker) = new_task();
    let (second, second_waker) = new_task();
    assert!(server.poll_readable(&mut Context::from_waker(&first_waker)).is_pending());
    assert!(server.poll_readable(&mut Context::from_waker(&second_waker)).is_pending());
    assert_eq!(first.count(), 1);
    client.write_all(b"x").unwrap();
    second.wait_for(1);
    first.stays_at(1);
}

#[test]
fn directions_do_not_replace_each_other() {
    let (_client, server) = pair();
    let (reader, reader_waker) = new_task();
    let (writer, writer_waker) = new_task();
    assert!(server.poll_readable(&mut Context::from_waker(&reader_waker)).is_pending());
    assert!(server.poll_writable(&mut Context::from_waker(&writer_waker)).is_pending());
    writer.wait_for(1);
    reader.stays_at(0);
}

#[test]
fn interest_survives_events_of_other_direction() {
    let (mut client, server) = pair();
    let (reader, reader_waker) = new_task();
    let (writer, writer_waker) = new_task();
    assert!(server.poll_readable(&mut Context::from_waker(&reader_waker)).is_pending());
    for times in 1..4 {
        assert!(server.poll_writable(&mut Context::from_waker(&writer_waker)).is_pending());
        writer.wait_for(times);
        event(&writer, || server.poll_writable(&mut Context::from_waker(&writer_waker)));
    }
    client.write_all(b"x").unwrap();
    reader.wait_for(1);
}

#[test]
fn all_waiting_futures_are_woken() {
    let (mut client, server) = pair();
    let tasks: Vec<_> = (0..10).map(|_| new_task()).collect();
    let server = Arc::new(server);
    let mut waits: Vec<Pin<Box<dyn Future<Output = io::Result<()>>>>> = Vec::new();
    for index in 0..tasks.len() {
        match index % 2 {
            0 => waits.push(Box::pin(server.readable())),
            _ => waits.push(Box::pin(server.clone().readable_owned())),
        }
    }
    for (wait, (_, waker)) in waits.iter_mut().zip(&tasks) {
        assert!(poll(wait, waker).is_pending());
    }
    client.write_all(b"x").unwrap();
    for (task, _) in &tasks {
        task.wait_for(1);
    }
}

#[test]
fn only_waits_that_live_are_woken() {
    let (mut client, server) = pair();
    let (gone, gone_waker) = new_task();
    let (task, waker) = new_task();
    let mut dropped = server.readable();
    assert!(poll(&mut dropped, &gone_waker).is_pending());
    let mut wait = server.readable();
    assert!(poll(&mut wait, &waker).is_pending());
    drop(dropped);
    assert_eq!(Arc::strong_count(&gone), 2);
    client.write_all(b"x").unwrap();
    task.wait_for(1);
    assert_eq!(gone.count(), 0);
}

#[test]
fn readable_is_level_triggered() {
    let (mut client, server) = pair();
    client.write_all(b"xy").unwrap();
    block_on(async {
        for _ in 0..5 {
            server.readable().await.unwrap();
        }
        // A byte read behind the library's back leaves the other one.
        assert_eq!(server.get_ref().read(&mut [0]).unwrap(), 1);
        for _ in 0..5 {
            server.readable().await.unwrap();
        }
        assert_eq!(server.get_ref().read(&mut [0]).unwrap(), 1);
        let silence = async { Some(server.readable().await) }
            .or(async {
                super::subject::Timer::after(A_WHILE).await;
                None
            })
            .await;
        assert!(silence.is_none());
    });
}

#[test]
fn the_operation_is_tried_first() {
    let (mut client, server) = pair();
    client.write_all(b"x").unwrap();
    // The kernel may take a moment to hand the byte over.
    while server.get_ref().peek(&mut [0]).is_err() {
        std::thread::yield_now();
    }
    let (task, waker) = new_task();
    let mut read = pin!(server.read_with(|mut stream| stream.read(&mut [0])));
    let read = read.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(matches!(read, Poll::Ready(Ok(1))));
    assert_eq!(task.count(), 0);
}

#[test]
fn operation_is_tried_again_whatever_woke_the_task() {
    let (_client, server) = pair();
    let (_, waker) = new_task();
    let cx = &mut Context::from_waker(&waker);
    let mut tries = 0;
    {
        let mut read = pin!(server.read_with(|_| {
            tries += 1;
            io::Result::<()>::Err(ErrorKind::WouldBlock.into())
        }));
        for _ in 0..3 {
            assert!(read.as_mut().poll(cx).is_pending());
        }
    }
    assert_eq!(tries, 3);
}

#[test]
fn interrupted_is_the_callers_affair() {
    let (_client, server) = pair();
    let result: io::Result<()> = block_on(server.read_with(|_| Err(ErrorKind::Interrupted.into())));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn accept_without_anybody_is_pending() {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    assert!(future::block_on(future::poll_once(listener.accept())).is_none());
    let address = listener.get_ref().local_addr().unwrap();
    let _client = TcpStream::connect(address).unwrap();
    block_on(listener.accept()).unwrap();
}

#[test]
fn the_end_of_the_stream_wakes_both_directions() {
    let (client, server) = pair();
    let (task, waker) = new_task();
    let mut wait = server.readable();
    assert!(poll(&mut wait, &waker).is_pending());
    drop(client);
    task.wait_for(1);
    block_on(server.writable()).unwrap();
}

#[test]
fn close_only_flushes() {
    let (mut client, mut server) = pair();
    block_on(async {
        server.close().await.unwrap();
        server.write_all(b"after").await.unwrap();
    });
    let mut heard = [0; 5];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"after");
    client.write_all(b"x").unwrap();
    block_on(server.read_exact(&mut [0])).unwrap();
}

/// From the same thread, and from another one.
#[test]
fn registering_twice_is_refused() {
    let (_client, server) = pair();
    let again = Async::new(Borrowed(server.get_ref()));
    assert_eq!(again.map(drop).unwrap_err().kind(), ErrorKind::AlreadyExists);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            block_on(async { Async::new(Borrowed(server.get_ref())).map(drop).unwrap_err().kind() })
        });
        assert_eq!(other.join().unwrap(), ErrorKind::AlreadyExists);
    });
    // The first registration is none the worse for it.
    block_on(server.writable()).unwrap();
    // And after its end there can be another.
    let stream = server.into_inner().unwrap();
    let again = Async::new(stream).unwrap();
    block_on(again.writable()).unwrap();
}

/// Another name for a stream that somebody has.
struct Borrowed<'a>(&'a TcpStream);

#[cfg(unix)]
impl std::os::fd::AsFd for Borrowed<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Borrowed<'_> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

#[test]
fn new_sets_nonblocking_mode_for_good() {
    let (_client, server) = pair();
    let stream = server.into_inner().unwrap();
    let error = (&stream).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn dropping_deregisters_before_the_number_is_used_again() {
    for _ in 0..100 {
        let (mut client, server) = pair();
        client.write_all(b"x").unwrap();
        block_on(server.readable()).unwrap();
    }
}

#[test]
fn errors_of_connecting_and_binding_keep_their_kinds() {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let error = Async::<TcpListener>::bind(address).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(listener);
    let error = block_on(Async::<TcpStream>::connect(address)).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
#[cfg_attr(windows, ignore = "Wine, unlike Windows, binds to such an address")]
fn binding_a_foreign_address_is_not_available() {
    let error = Async::<UdpSocket>::bind(([192, 0, 2, 1], 0)).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn a_datagram_without_a_peer_is_not_connected() {
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let error = block_on(socket.send(b"x")).unwrap_err();
    #[cfg(target_os = "linux")]
    assert_eq!(error.raw_os_error(), Some(89), "{error}");
    let _ = error;
}

#[test]
fn two_tasks_read_and_write_one_stream() {
    let (left, right) = connection();
    let (left, right) = (Async::new(left).unwrap(), Async::new(right).unwrap());
    let data: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    let copy = data.clone();
    block_on(async {
        let write = async {
            (&left).write_all(&data).await.unwrap();
            left.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        };
        let echo = async {
            futures_lite::io::copy(&right, &mut &right).await.unwrap();
            right.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        };
        let mut heard = Vec::new();
        let read = async { (&left).read_to_end(&mut heard).await.unwrap() };
        future::zip(future::zip(write, echo), read).await;
        assert!(heard == copy);
    });
}

#[test]
fn block_on_nests_with_wakers_of_its_own() {
    block_on(async {
        let outer = future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let inner = block_on(future::poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        assert!(!outer.will_wake(&inner));
        outer.wake();
        inner.wake();
    });
    let panicked = std::panic::catch_unwind(|| block_on(async { panic!("as planned") }));
    assert!(panicked.is_err());
    assert_eq!(block_on(async { 3 }), 3);
}
