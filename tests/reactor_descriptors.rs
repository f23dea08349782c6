//! The descriptors that the reactor has .

#![cfg(target_os = "linux")]

mod common;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread;

use async_wheel::{Async, Timer, block_on, diagnostics};
use common::{
    MS, eventually, in_time,
    sockets::{LOOPBACK, unix_pair},
    watchdog,
};
use futures_lite::future;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Pollers, notify fds, timerfds and sockets that the library opens must not leak into programs
/// that the process starts.
#[test]
fn reactors_descriptors_are_closed_on_exec() {
    let _watchdog = watchdog();
    // Several shards, the fallback, and whatever a listener and its connections open.
    let threads: Vec<_> = (0..3).map(|_| thread::spawn(|| block_on(Timer::never()))).collect();
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let connection = block_on(in_time("a connection", async {
        let both = future::try_zip(listener.accept(), Async::<TcpStream>::connect(address));
        both.await.unwrap()
    }));
    let _ = async_wheel::os::unix::reactor_fd();
    eventually("several threads are in block_on", || {
        diagnostics::shards().iter().map(|shard| shard.threads).sum::<usize>() >= 3
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
            let fd = unsafe { BorrowedFd::borrow_raw(number) };
            let flags = rustix::io::fcntl_getfd(fd).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "{number}: {target}");
            checked += 1;
        }
    }
    assert!(checked >= 6, "{checked} descriptors");
    assert!(threads.iter().all(|thread| !thread.is_finished()));
}

#[test]
fn reactor_fd_is_readable_for_any_shard() {
    let _watchdog = watchdog();
    let fd = async_wheel::os::unix::reactor_fd().expect("Linux has one");
    let again = async_wheel::os::unix::reactor_fd().unwrap();
    assert_eq!(fd.as_raw_fd(), again.as_raw_fd());
    let a_while = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    // It is readable while an event waits to be fetched; the driver may be quicker.
    let (ours, mut peer) = unix_pair();
    let seen = (0..200).any(|_| {
        let _ = future::block_on(future::poll_once(ours.readable()));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(MS);
                peer.write_all(b"event").unwrap();
            });
            poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&a_while)).unwrap() == 1
        })
    });
    assert!(seen, "never readable");
}
