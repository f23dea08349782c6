//! Real I/O while time is paused, and a pause in which nothing can happen any more.
#![cfg(unix)]

mod common;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::time::{self, Paused, PendingIo, timeout};
use async_wheel::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

use common::process;
use common::sockets::{LOOPBACK, tcp_pair, unix_pair};
use common::{HOUR, MS, PATIENCE};

/// Runs what has to panic since nothing can happen any more, and returns what it says.
#[track_caller]
fn gives_up(paused: &Paused, call: impl FnOnce()) -> String {
    paused.set_patience(20 * MS);
    let start = Instant::now();
    let panicked = catch_unwind(AssertUnwindSafe(call)).expect_err("it ended");
    let message = panicked.downcast_ref::<String>().expect("a message").clone();
    assert!(message.contains("nothing can happen any more"), "{message}");
    assert!(start.elapsed() >= 20 * MS);
    message
}

#[test]
fn io_goes_on_while_clock_stands() {
    let paused = time::pause();
    let (mut ours, mut peer) = tcp_pair();
    let echo = thread::spawn(move || {
        let mut buffer = [0; 4];
        for _ in 0..3 {
            peer.read_exact(&mut buffer).unwrap();
            thread::sleep(5 * MS);
            peer.write_all(&buffer).unwrap();
        }
    });
    block_on(async {
        let mut buffer = [0; 4];
        for _ in 0..3 {
            ours.write_all(b"ping").await.unwrap();
            ours.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, b"ping");
        }
    });
    assert_eq!(paused.elapsed(), Duration::ZERO);
    echo.join().unwrap();
}

#[test]
fn connecting_and_accepting_take_no_time() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Wait(PATIENCE));
    let listener = Async::<std::net::TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    block_on(async {
        let connected = Async::<std::net::TcpStream>::connect(address);
        let both = future::zip(listener.accept(), connected);
        let (accepted, connected) = timeout(HOUR, both).await.expect("in time");
        let ((mut accepted, _), mut connected) = (accepted.unwrap(), connected.unwrap());
        connected.write_all(b"!").await.unwrap();
        let mut byte = [0];
        accepted.read_exact(&mut byte).await.unwrap();
    });
    assert_eq!(paused.elapsed(), Duration::ZERO);
}

/// What another task of this thread has written is ready before time jumps.
#[test]
fn ready_source_comes_before_next_deadline() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    let (one, other) = UnixStream::pair().unwrap();
    let (mut one, mut other) = (Async::new(one).unwrap(), Async::new(other).unwrap());
    let tasks = LocalExecutor::new();
    block_on(tasks.run(async {
        let reader = tasks.spawn(async move {
            let mut byte = [0];
            for _ in 0..10 {
                timeout(MS, other.read_exact(&mut byte)).await.expect("in time").unwrap();
                other.write_all(&byte).await.unwrap();
            }
        });
        for _ in 0..10 {
            let mut byte = [1];
            one.write_all(&byte).await.unwrap();
            timeout(MS, one.read_exact(&mut byte)).await.expect("in time").unwrap();
        }
        reader.await;
    }));
    assert_eq!(paused.elapsed(), Duration::ZERO);
}

/// Requests in two parts, which the system would keep back for a while without `set_nodelay`.
#[test]
fn small_writes_without_delay_are_ready() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    let (mut ours, peer) = tcp_pair();
    let mut peer = Async::new(peer).unwrap();
    ours.get_ref().set_nodelay(true).unwrap();
    peer.get_ref().set_nodelay(true).unwrap();
    let server = async {
        let mut request = [0; 8];
        for _ in 0..100 {
            timeout(MS, peer.read_exact(&mut request)).await.expect("in time").unwrap();
            peer.write_all(&request).await.unwrap();
        }
    };
    let client = async {
        for _ in 0..100 {
            ours.write_all(b"head").await.unwrap();
            ours.write_all(b"body").await.unwrap();
            ours.read_exact(&mut [0; 8]).await.unwrap();
        }
    };
    block_on(future::zip(server, client));
    assert_eq!(paused.elapsed(), Duration::ZERO);
}

#[test]
fn jump_does_not_wait_for_peer() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    let (mut ours, _peer) = unix_pair();
    let mut byte = [0];
    let read = block_on(timeout(HOUR, ours.read_exact(&mut byte)));
    assert!(read.is_err());
    assert_eq!(paused.elapsed(), HOUR);
}

#[test]
fn peer_is_waited_for_in_real_time() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Wait(PATIENCE));
    let (mut ours, mut peer) = unix_pair();
    let writer = thread::spawn(move || {
        thread::sleep(30 * MS);
        peer.write_all(b"!").unwrap();
        peer
    });
    let mut byte = [0];
    block_on(timeout(MS, ours.read_exact(&mut byte))).expect("in time").unwrap();
    assert_eq!(paused.elapsed(), Duration::ZERO);
    drop(writer.join());
}

#[test]
fn silent_peer_times_out_after_the_wait() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Wait(30 * MS));
    let (mut ours, _peer) = unix_pair();
    let mut byte = [0];
    let start = Instant::now();
    assert!(block_on(timeout(HOUR, ours.read_exact(&mut byte))).is_err());
    assert!(start.elapsed() >= 30 * MS);
    assert_eq!(paused.elapsed(), HOUR);
    // Nobody waits for I/O any more.
    drop(ours);
    let start = Instant::now();
    paused.auto_advance(PendingIo::Wait(Duration::MAX));
    block_on(Timer::after(HOUR));
    assert!(start.elapsed() < PATIENCE);
}

/// It was registered with another shard, whose driver would be told of its events.
#[test]
fn source_from_before_moves_at_first_wait() {
    let (mut ours, mut peer) = unix_pair();
    block_on(async { assert!(future::poll_once(ours.readable()).await.is_none()) });
    let paused = time::pause();
    paused.auto_advance(PendingIo::Wait(PATIENCE));
    let writer = thread::spawn(move || {
        thread::sleep(10 * MS);
        peer.write_all(b"!").unwrap();
        peer
    });
    let mut byte = [0];
    block_on(timeout(MS, ours.read_exact(&mut byte))).expect("in time").unwrap();
    drop(writer.join());
}

#[test]
fn wake_by_another_thread_needs_no_time() {
    let paused = time::pause();
    let (send, receive) = async_channel::bounded(1);
    let sender = thread::spawn(move || {
        thread::sleep(20 * MS);
        send.send_blocking(7).unwrap();
    });
    assert_eq!(block_on(receive.recv()), Ok(7));
    assert_eq!(paused.elapsed(), Duration::ZERO);
    sender.join().unwrap();
}

/// A result of another thread, which is no I/O, with a timeout.
#[test]
fn held_time_waits_for_another_thread() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    let (send, receive) = async_channel::bounded(1);
    let sender = thread::spawn({
        let send = send.clone();
        move || {
            thread::sleep(20 * MS);
            send.send_blocking(7).unwrap();
        }
    });
    let received = block_on(timeout(HOUR, async {
        let _first = paused.hold();
        let _second = paused.hold();
        receive.recv().await
    }));
    assert_eq!((received, paused.elapsed()), (Ok(Ok(7)), Duration::ZERO));
    // Time moves again once both are gone.
    assert!(block_on(timeout(HOUR, receive.recv())).is_err());
    assert_eq!(paused.elapsed(), HOUR);
    sender.join().unwrap();
}

/// By any thread, while all others sleep; and by hand, time moves all the same.
#[test]
fn time_moves_when_it_is_let_go() {
    let paused = time::pause();
    paused.set_patience(PATIENCE);
    paused.auto_advance(PendingIo::Jump);
    let held = paused.hold();
    block_on(async {
        paused.advance(HOUR).await;
        let start = Instant::now();
        let letting_go = thread::spawn(move || {
            thread::sleep(20 * MS);
            drop(held);
        });
        Timer::after(HOUR).await;
        assert!(start.elapsed() >= 20 * MS);
        letting_go.join().unwrap();
    });
    assert_eq!(paused.elapsed(), 2 * HOUR);
    // One of a pause that is over holds no other.
    let of_before = paused.hold();
    drop(paused);
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    drop(of_before);
    let held = paused.hold();
    let message = gives_up(&paused, || _ = block_on(Timer::after(HOUR)));
    assert!(message.contains("is held"), "{message}");
    drop(held);
    block_on(Timer::after(HOUR));
}

#[test]
fn clock_that_nobody_moves_is_reported() {
    let paused = time::pause();
    let message = gives_up(&paused, || _ = block_on(Timer::after(HOUR)));
    for part in ["time moves by hand only", "wait: 1,", "due in 3600s", "waited for: none"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // The next call is none the worse.
    block_on(paused.advance(HOUR));
}

#[test]
fn pause_without_deadline_is_reported() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    let message = gives_up(&paused, || block_on(std::future::pending()));
    for part in ["time moves by itself", "wait: 0", "none with a deadline", "that sleep: 1"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let message = gives_up(&paused, || _ = block_on(Timer::never()));
    assert!(message.contains("none with a deadline"), "{message}");
}

#[test]
fn pause_that_waits_for_io_is_reported() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Wait(MS));
    let (ours, _peer) = unix_pair();
    let message = gives_up(&paused, || drop(block_on(ours.readable())));
    let number = ours.as_raw_fd();
    assert!(message.contains(&format!("sources waited for: {number};")), "{message}");
}

/// A test's author looks for the call that hangs, not for a line of the library.
#[test]
fn report_names_the_line_of_the_call() {
    const NAME: &str = "report_names_the_line_of_the_call";
    const CALL: u32 = line!() + 4;
    if process::is(NAME) {
        let paused = time::pause();
        paused.set_patience(MS);
        return block_on(std::future::pending());
    }
    let mut child = process::spawn(NAME);
    let status = process::wait(&mut child, PATIENCE).expect("it ends");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let place = format!("panicked at {}:{CALL}:", file!());
    assert!(!status.success() && said.contains(&place), "{said}");
}

/// Each wake by another thread is something that happens.
#[test]
fn patience_begins_anew_after_each_wake() {
    let paused = time::pause();
    paused.set_patience(Duration::from_secs(2));
    let (send, receive) = async_channel::unbounded();
    let sender = thread::spawn(move || {
        for _ in 0..8 {
            thread::sleep(300 * MS);
            send.send_blocking(()).unwrap();
        }
    });
    block_on(async {
        for _ in 0..8 {
            receive.recv().await.unwrap();
        }
    });
    sender.join().unwrap();
}
