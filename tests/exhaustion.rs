//! No descriptors or threads left: an error from the call that needed one, or something that
//! goes on without; and all is well when there are some again.

#![cfg(target_os = "linux")]

mod common;

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::task::Waker;
use std::thread;
use std::time::Instant;

use async_wheel::{Async, Timer, block_on};
use common::{MS, block_on_until_woken, not_tested, process, sockets::LOOPBACK};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sets how much there may be of something, `None`: as much as ever.
fn limit(resource: Resource, to: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current: to.or(maximum), maximum }).unwrap();
}

/// The number that the next descriptor will get.
fn next_descriptor() -> u64 {
    let file = std::fs::File::open("/dev/null").unwrap();
    file.as_raw_fd() as u64
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn refused(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMFILE)
}

/// Timers fire without a reactor, in our `block_on` and in another, and are not early.
fn timers_fire() {
    for _ in 0..3 {
        let start = Instant::now();
        block_on(Timer::after(10 * MS));
        future::block_on(Timer::after(10 * MS));
        assert!(start.elapsed() >= 20 * MS);
    }
}

/// A thread that wakes whatever waker it is sent.
fn waking_thread() -> mpsc::Sender<Waker> {
    let (wakers, sent) = mpsc::channel::<Waker>();
    thread::spawn(move || sent.into_iter().for_each(Waker::wake));
    wakers
}

/// All of it, when there is enough again.
fn everything_works() {
    timers_fire();
    block_on(async {
        let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let connect = Async::<TcpStream>::connect(address);
        let ((mut server, _), mut client) =
            future::try_zip(listener.accept(), connect).await.unwrap();
        client.write_all(b"here").await.unwrap();
        server.read_exact(&mut [0; 4]).await.unwrap();
    });
}

#[test]
fn no_descriptors_when_the_reactor_starts() {
    process::alone(|| {
        let wakers = waking_thread();
        let (ours, _peer) = UnixStream::pair().unwrap();
        let (next, before) = (next_descriptor(), descriptors());
        let mut started_at = None;
        // None left, then one, two, …: each step of starting fails once.
        for left in 0..16 {
            limit(Resource::Nofile, Some(next + left));
            match Async::new(&ours) {
                Ok(_) => started_at = Some(left),
                Err(error) => assert!(refused(&error), "{left} left: {error:?}"),
            }
            block_on_until_woken(&wakers);
            timers_fire();
            limit(Resource::Nofile, None);
            if started_at.is_some() {
                break;
            }
            assert_eq!(descriptors(), before, "{left} left, and some are lost");
            assert!(async_wheel::diagnostics::shards().is_empty());
        }
        // Two pollers with their descriptors. On Linux each has five, and is not made with fewer:
        // it would have to do without for good.
        let least = match cfg!(any(target_os = "linux", target_os = "android")) {
            true if cfg!(async_wheel_single_shard) => 5,
            true => 10,
            false => 4,
        };
        assert!(started_at.is_some_and(|left| left >= least), "{started_at:?}");
        everything_works();
    });
}

#[test]
fn no_descriptors_later() {
    process::alone(|| {
        let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let mut waiting = TcpStream::connect(address).unwrap();
        let (ours, mut peer) = UnixStream::pair().unwrap();
        limit(Resource::Nofile, Some(next_descriptor()));

        // What needs a descriptor says so.
        assert!(refused(&Async::<UdpSocket>::bind(LOOPBACK).unwrap_err()));
        assert!(refused(&block_on(Async::<TcpStream>::connect(address)).unwrap_err()));
        assert!(refused(&block_on(listener.accept()).unwrap_err()));
        assert!(refused(&block_on(listener.accept()).unwrap_err()));
        // With one shard only, its poller is the overview.
        let overview = async_wheel::os::unix::reactor_fd();
        assert!(cfg!(async_wheel_single_shard) || overview.is_none());
        // What needs none works: timers, more threads than shards, other sources.
        timers_fire();
        thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(timers_fire)));
        });
        let ours = Async::new(ours).unwrap();
        block_on(async {
            let write = async {
                Timer::after(5 * MS).await;
                io::Write::write_all(&mut peer, b"go").unwrap();
            };
            future::zip(write, ours.readable()).await.1.unwrap();
        });

        // And when there are some again, nothing is lost: the connection is still to be had.
        limit(Resource::Nofile, None);
        let (mut server, _) = block_on(listener.accept()).unwrap();
        io::Write::write_all(&mut waiting, b"here").unwrap();
        block_on(server.read_exact(&mut [0; 4])).unwrap();
        assert!(async_wheel::os::unix::reactor_fd().is_some());
        thread::spawn(everything_works).join().unwrap();
    });
}

#[test]
#[cfg_attr(async_wheel_deadlocks, ignore = "there is no thread to look for deadlocks either")]
fn no_thread_for_the_fallback() {
    process::alone(|| {
        let wakers = waking_thread();
        let (ours, _peer) = UnixStream::pair().unwrap();
        // The limit does not bind root.
        // SAFETY: a system call.
        if unsafe { libc::getuid() } == 0 {
            // SAFETY: a system call, which the C library makes for all threads.
            assert_eq!(unsafe { libc::setuid(65534) }, 0);
        }
        limit(Resource::Nproc, Some(0));
        if thread::Builder::new().spawn(|| ()).is_ok() {
            return not_tested("this system starts threads beyond RLIMIT_NPROC");
        }
        let before = (descriptors(), threads());
        for _ in 0..10 {
            let error = Async::new(&ours).unwrap_err();
            // Not what a thread that is refused is to the system: nobody is to wait for it.
            assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "{error:?}");
            assert!(error.to_string().contains("thread"), "{error:?}");
            block_on_until_woken(&wakers);
            timers_fire();
        }
        assert_eq!((descriptors(), threads()), before);
        limit(Resource::Nproc, None);
        drop(Async::new(ours).unwrap());
        everything_works();
    });
}
