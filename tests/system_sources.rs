//! What the system does to sources and pollers: closed behind our back, hung up, half-closed,
//! reset, registered twice; and pollers that fail.

#![cfg(target_os = "linux")]

mod common;

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on};
use common::{
    MS, Wakes, both_ways, in_time, poll_with, process,
    sockets::{Borrowed, LOOPBACK, fill, tcp_pair},
    watchdog,
};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

/// A descriptor is closed behind the library's back: a wait that begins then is an error, one that
/// had begun can be dropped, and no other timer or source is harmed.
#[test]
fn closed_descriptor_is_an_error() {
    let _watchdog = watchdog();
    // Many times, each with numbers that others get at once.
    for round in 0..50 {
        let (ours, peer) = UnixStream::pair().unwrap();
        let wakes = Wakes::new();
        // A number that is out of the way of other tests.
        let high = rustix::io::fcntl_dupfd_cloexec(&ours, 700).unwrap();
        drop(ours);
        let source = Async::new(Borrowed(high.as_raw_fd())).unwrap();
        let mut before = source.readable();
        assert!(poll_with(&wakes.waker(), &mut before).is_pending());
        drop(high);
        drop(peer);
        // A wait that begins now is an error.
        let mut after = source.writable();
        let polled = poll_with(&wakes.waker(), &mut after);
        assert!(matches!(polled, Poll::Ready(Err(_))), "{polled:?}");
        // One that had begun cannot be, but can be given up, as all of it.
        drop(before);
        drop(after);
        if round % 2 == 0 {
            drop(source);
        } else {
            assert!(source.into_inner().is_err());
        }
    }
    block_on(in_time("a timer after it", Timer::after(MS)));
    let (ours, mut peer) = tcp_pair();
    peer.write_all(b"x").unwrap();
    block_on(in_time("a source after it", ours.readable())).unwrap();
}

#[test]
fn hang_up_or_error_wakes_both_directions() {
    both_ways(|| async {
        // Closed by the peer: the end of the stream for readers, an error for writers.
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let ours = Async::new(ours).unwrap();
        // Nothing more fits.
        while future::poll_once(ours.write_with(|mut s| s.write(&[0; 4096]))).await.is_some() {}
        let waits = future::zip(ours.readable(), ours.writable());
        let close = async {
            Timer::after(5 * MS).await;
            peer.write_all(b"last").unwrap();
            drop(peer);
        };
        let ((read, written), ()) = in_time("a hang-up", future::zip(waits, close)).await;
        read.unwrap();
        written.unwrap();
        // What the peer had not read makes it a reset.
        let error = (&ours).read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = in_time("a broken pipe", (&ours).write(b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);

        // Reset by the peer.
        let (mut ours, peer) = tcp_pair();
        let cx_wait = async {
            let readable = poll_fn(|cx| ours.poll_readable(cx));
            readable.await
        };
        let reset = async {
            Timer::after(5 * MS).await;
            rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
            drop(peer);
        };
        in_time("a reset", future::zip(cx_wait, reset)).await.0.unwrap();
        in_time("writable", ours.writable()).await.unwrap();
        let error = ours.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

/// A pipe, whose ends the system reports as hung up, or as broken, and as nothing else.
fn pipe() -> [OwnedFd; 2] {
    let mut fds = [0; 2];
    // SAFETY: a system call that writes two descriptors to where there is room for them.
    let made = unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) };
    assert_eq!(made, 0, "{}", io::Error::last_os_error());
    // SAFETY: they are new, and nobody else's.
    fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sockets are reported as readable and writable besides; pipes are not.
#[test]
fn lone_hang_up_or_error_wakes_pipe() {
    both_ways(|| async {
        let [reader, writer] = pipe();
        let reader = Async::new_nonblocking(reader).unwrap();
        let close = async {
            Timer::after(5 * MS).await;
            drop(writer);
        };
        let wait = in_time("the writer is gone", reader.readable());
        future::zip(wait, close).await.0.unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0; 1]).unwrap(), 0);

        let [reader, writer] = pipe();
        let writer = Async::new_nonblocking(writer).unwrap();
        fill(&writer);
        let close = async {
            Timer::after(5 * MS).await;
            drop(reader);
        };
        let wait = in_time("the reader is gone", writer.writable());
        future::zip(wait, close).await.0.unwrap();
    });
}

#[test]
fn half_closed_socket_stays_readable_and_writable() {
    both_ways(|| async {
        let (mut ours, mut peer) = tcp_pair();
        peer.write_all(b"all of it").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        in_time("the end", ours.read_to_end(&mut heard)).await.unwrap();
        assert_eq!(heard, b"all of it");
        // Each wait for the end finds it.
        for _ in 0..3 {
            in_time("readable", ours.readable()).await.unwrap();
            assert_eq!(in_time("the end again", ours.read(&mut [0])).await.unwrap(), 0);
        }
        for _ in 0..3 {
            in_time("writing", ours.write_all(b"answer")).await.unwrap();
            in_time("writable", ours.writable()).await.unwrap();
        }
        let mut answer = [0; 18];
        peer.read_exact(&mut answer).unwrap();
        // And our own half: the peer sees the end, we are hung up on.
        ours.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer.read(&mut answer).unwrap(), 0);
        let error = in_time("a closed half", ours.write(b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

/// A refused datagram leaves an error on the socket, which wakes the receiver and is taken by it.
/// The socket goes on.
#[test]
fn pending_socket_error_is_reported_once() {
    both_ways(|| async {
        let nobody = UdpSocket::bind(LOOPBACK).unwrap().local_addr().unwrap();
        let socket = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
        socket.get_ref().connect(nobody).unwrap();
        let receive = async {
            let error = socket.recv(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        };
        let send = async {
            Timer::after(5 * MS).await;
            socket.send(b"is anybody there?").await.unwrap();
        };
        in_time("the refusal", future::zip(receive, send)).await;
        // A wait after it is for something new.
        assert!(future::poll_once(socket.recv(&mut [0])).await.is_none());
        let peer = UdpSocket::bind(LOOPBACK).unwrap();
        socket.get_ref().connect(peer.local_addr().unwrap()).unwrap();
        peer.send_to(b"here", socket.get_ref().local_addr().unwrap()).unwrap();
        assert_eq!(in_time("a packet", socket.recv(&mut [0; 8])).await.unwrap(), 4);
    });
}

/// Another descriptor of the socket has read the data when the woken task looks.
#[test]
fn stolen_event_is_waited_for_again() {
    both_ways(|| async {
        let (ours, peer) = UnixStream::pair().unwrap();
        let thief = ours.try_clone().unwrap();
        let ours = Async::new(ours).unwrap();
        let mut buffer = [0; 8];
        let read = ours.read_with(|mut stream| {
            // Each event's data are gone when this looks, three times.
            stream.read(&mut buffer)
        });
        let steal = async {
            for _ in 0..3 {
                (&peer).write_all(b"stolen").unwrap();
                while (&thief).read(&mut [0; 8]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock) {
                }
                Timer::after(2 * MS).await;
            }
            (&peer).write_all(b"kept").unwrap();
        };
        let (read, ()) = in_time("a read", future::zip(read, steal)).await;
        assert!([4, 6].contains(&read.unwrap()));
    });
}

/// Where a thread registers a source: on its home shard, or on the first one.
#[derive(Clone, Copy)]
enum Caller {
    InBlockOn,
    Outside,
}

/// Two threads register one descriptor at the same moment, on two shards, whose pollers would both
/// accept it.
#[test]
fn one_of_two_concurrent_registrations_is_refused() {
    let _watchdog = watchdog();
    const ROUNDS: usize = 300;
    // This thread's home shard is the first one, so that the other's is not.
    block_on(async {});
    let barrier = Arc::new(Barrier::new(3));
    let numbers = Arc::new(std::sync::Mutex::new(-1));
    // Each in its own `block_on`, so on its own shard, and one in none.
    let register = |caller: Caller| {
        let (barrier, numbers) = (barrier.clone(), numbers.clone());
        thread::spawn(move || {
            let mut had = Vec::new();
            for _ in 0..ROUNDS {
                barrier.wait();
                let fd = Borrowed(*numbers.lock().unwrap());
                let make = || Async::new_nonblocking(fd);
                let made: io::Result<Async<Borrowed>> = match caller {
                    Caller::InBlockOn => block_on(async { make() }),
                    Caller::Outside => make(),
                };
                barrier.wait();
                had.push(made.as_ref().map_err(io::Error::kind).map(drop));
                if let Ok(source) = &made {
                    // It is registered with one shard, and woken for events there.
                    let wait = source.writable();
                    match caller {
                        Caller::InBlockOn => block_on(wait).unwrap(),
                        Caller::Outside => future::block_on(wait).unwrap(),
                    }
                }
                drop(made);
                barrier.wait();
            }
            had
        })
    };
    let threads = [register(Caller::InBlockOn), register(Caller::Outside)];
    for _ in 0..ROUNDS {
        let (ours, _peer) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        *numbers.lock().unwrap() = ours.as_raw_fd();
        for _ in 0..3 {
            barrier.wait();
        }
    }
    let [inside, outside] = threads.map(|thread| thread.join().unwrap());
    for both in inside.iter().zip(&outside) {
        let refused = Err(ErrorKind::AlreadyExists);
        assert!(both == (&Ok(()), &refused) || both == (&refused, &Ok(())), "{both:?}");
    }
}

/// The pollers' descriptors, by the kind that /proc says.
fn descriptors_of_kind(kind: &str) -> Vec<RawFd> {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let of_kind = all.filter_map(|fd| {
        let path = fd.ok()?.path();
        let is = std::fs::read_link(&path).ok()?.to_str()?.contains(kind);
        is.then(|| path.file_name()?.to_str()?.parse().ok())?
    });
    of_kind.collect()
}

/// All pollers fail for a while: timers go on, registering is an error, and sources go on when the
/// pollers work again.
#[test]
fn failing_poller_stops_no_timers() {
    process::alone(|| {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let mut ours = Async::new(ours).unwrap();
        block_on(Timer::after(MS));
        let wakes = Wakes::new();
        let mut waits = ours.readable();
        assert!(poll_with(&wakes.waker(), &mut waits).is_pending());
        let pollers = descriptors_of_kind("[eventpoll]");
        // A shard's, and where there can be more than one shard, that of the pollers.
        let least = if cfg!(async_wheel_single_shard) { 1 } else { 2 };
        assert!(pollers.len() >= least, "{pollers:?}");
        // Each of the pollers by something that cannot be polled.
        let null = std::fs::File::open("/dev/null").unwrap();
        let replace = |number: RawFd, by: &dyn AsFd| {
            // SAFETY: the number is the library's, and its descriptor is put back.
            let mut theirs = unsafe { OwnedFd::from_raw_fd(number) };
            rustix::io::dup2(by.as_fd(), &mut theirs).unwrap();
            std::mem::forget(theirs);
        };
        let saved: Vec<OwnedFd> = pollers
            .iter()
            .map(|&number| Borrowed(number).as_fd().try_clone_to_owned().unwrap())
            .collect();
        pollers.iter().for_each(|&number| replace(number, &null));
        // A thread that is parked in one stays so until it is unparked.
        let start = Instant::now();
        for _ in 0..5 {
            block_on(Timer::after(5 * MS));
            future::block_on(Timer::after(5 * MS));
        }
        assert!(start.elapsed() >= 50 * MS);
        // What has to register gets an error.
        let (others, _peer) = UnixStream::pair().unwrap();
        assert!(Async::new(others).is_err());
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        assert!(matches!(ours.poll_writable(cx), Poll::Ready(Err(_))));
        pollers.iter().zip(&saved).for_each(|(&number, fd)| replace(number, fd));
        // And all is well again.
        peer.write_all(b"x").unwrap();
        wakes.wait_for(1);
        drop(waits);
        assert_eq!(block_on(ours.read(&mut [0; 8])).unwrap(), 1);
        let (others, _peer) = UnixStream::pair().unwrap();
        block_on(Async::new(others).unwrap().writable()).unwrap();
        future::block_on(Timer::after(MS));
    });
}
