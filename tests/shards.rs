//! Several shards in use at once, and things that belong to one while used from another. A
//! binary of its own, whose tests take turns: they count threads and sources.

mod common;

use std::io::Write;
#[cfg(unix)]
use std::net::UdpSocket;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use async_wheel::{Async, Timer, block_on, diagnostics};
use common::{
    HOUR, MS, Wakes, eventually, in_time, poll_with,
    sockets::{LOOPBACK, udp},
    watchdog,
};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

/// Waits for this test's turn, which lasts until the result is dropped.
fn turn() -> MutexGuard<'static, ()> {
    let turn = common::turn();
    // The thread of the last test has its home shard until it has ended.
    eventually("threads of earlier tests are gone", || assigned_threads() == 0);
    turn
}

/// As many shards as there can be.
fn limit() -> usize {
    // Where one poller cannot be polled by another there is one shard.
    let nested = cfg!(all(
        unix,
        not(any(target_os = "solaris", target_os = "illumos", async_wheel_single_shard)),
    ));
    if nested { thread::available_parallelism().map_or(1, usize::from) } else { 1 }
}

/// Runs `run` on as many threads at once, each within `block_on`, with its index.
fn on_threads<T: Send>(threads: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let spawn = |index| {
            let (barrier, run) = (&barrier, &run);
            scope.spawn(move || {
                block_on(async {
                    barrier.wait();
                    let result = run(index);
                    // None leaves before all have been there: the home shards differ.
                    barrier.wait();
                    result
                })
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn assigned_threads() -> usize {
    diagnostics::shards().iter().map(|shard| shard.threads).sum()
}

#[test]
fn threads_spread_over_all_shards() {
    let _watchdog = watchdog();
    let _turn = turn();
    let threads = 2 * limit() + 1;
    let seen = on_threads(threads, |_| diagnostics::shards());
    for shards in seen {
        assert_eq!(shards.len(), limit(), "{shards:?}");
        for shard in &shards {
            assert!(shard.threads >= threads / limit(), "an empty shard: {shards:?}");
        }
    }
}

/// Each thread's timers are on the shard of that thread, and none is left there when they are
/// dropped elsewhere.
#[test]
fn new_timers_go_to_the_home_shard() {
    let _watchdog = watchdog();
    let _turn = turn();
    let before: Vec<_> = diagnostics::shards().iter().map(|shard| shard.timers).collect();
    let sums = on_threads(limit(), |_| {
        let mut timers: Vec<_> = (0..10).map(|_| Timer::after(HOUR)).collect();
        for timer in &mut timers {
            assert!(poll_with(&Wakes::new().waker(), timer).is_pending());
        }
        (timers, udp())
    });
    let shards = diagnostics::shards();
    for (index, shard) in shards.iter().enumerate() {
        let before = before.get(index).copied().unwrap_or(0);
        assert_eq!(shard.timers, before + 10, "{shards:?}");
    }
    drop(sums);
    let left: Vec<_> = diagnostics::shards().iter().map(|shard| shard.timers).collect();
    assert_eq!(left.iter().sum::<usize>(), before.iter().sum::<usize>());
}

/// A thread that ends, by a panic too, is no longer assigned to its shard.
#[test]
fn ended_thread_releases_its_home_shard() {
    let _watchdog = watchdog();
    let _turn = turn();
    for _ in 0..5 {
        let there = on_threads(4, |_| assigned_threads());
        assert!(there.iter().all(|threads| *threads == 4), "{there:?}");
        eventually("all threads are released", || assigned_threads() == 0);
    }
    // A panic is an end like any other.
    let panicked = thread::spawn(|| block_on(async { panic!("inside block_on") })).join();
    assert!(panicked.is_err());
    eventually("the thread that panicked is released", || assigned_threads() == 0);
    assert_eq!(diagnostics::shards().iter().map(|shard| shard.awake).sum::<usize>(), 0);
}

#[test]
fn released_shards_are_used_again() {
    let _watchdog = watchdog();
    let _turn = turn();
    for _ in 0..20 {
        on_threads(limit() + 2, |_| ());
        assert_eq!(diagnostics::shards().len(), limit());
    }
}

/// Threads of several shards register one descriptor at once: each shard has a poller that would
/// accept it.
#[cfg(unix)]
#[test]
fn one_of_many_shards_registers_a_descriptor() {
    use std::io::ErrorKind;
    let _watchdog = watchdog();
    let _turn = turn();
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    for _ in 0..50 {
        let results = on_threads(4, |_| Async::new(&socket));
        let refused = results.iter().filter_map(|result| result.as_ref().err());
        let kinds: Vec<_> = refused.map(std::io::Error::kind).collect();
        assert_eq!(kinds, [ErrorKind::AlreadyExists; 3]);
        drop(results);
    }
    // After all that it can still be had.
    Async::new(socket).unwrap();
}

#[cfg(unix)]
#[test]
fn duplicates_are_sources_on_any_shard() {
    let _watchdog = watchdog();
    let _turn = turn();
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    let sources =
        on_threads(limit(), |_| Async::new(socket.try_clone().unwrap()).expect("a duplicate"));
    let address = socket.local_addr().unwrap();
    let waiting: Vec<_> = sources
        .iter()
        .map(|source| {
            let wakes = Wakes::new();
            let mut readable = source.readable();
            assert!(poll_with(&wakes.waker(), &mut readable).is_pending());
            (wakes, readable)
        })
        .collect();
    socket.send_to(b"to all of them", address).unwrap();
    for (wakes, _) in &waiting {
        wakes.wait_for(1);
    }
}

/// A source is dropped with an event under way, and its number is registered at once on another
/// shard.
#[cfg(unix)]
#[test]
fn reused_number_belongs_to_the_new_source() {
    use std::os::fd::AsRawFd;
    use std::sync::mpsc;

    use futures_lite::future;

    let _watchdog = watchdog();
    let _turn = turn();
    let (to_other, from_here) = mpsc::channel::<()>();
    let (to_here, from_other) = mpsc::channel();
    let other = thread::spawn(move || {
        block_on(async {
            for () in from_here {
                to_here.send(udp()).unwrap();
            }
        });
    });
    block_on(async {
        let mut reused = 0;
        for round in 0..50 {
            let (old, address) = udp();
            let number = old.as_raw_fd();
            // Something is there, and somebody has asked: an event is under way perhaps.
            let wakes = Wakes::new();
            let mut readable = old.readable();
            assert!(poll_with(&wakes.waker(), &mut readable).is_pending());
            UdpSocket::bind(LOOPBACK).unwrap().send_to(b"old", address).unwrap();
            drop(readable);
            if round % 2 == 0 {
                drop(old);
            } else {
                drop(old.into_inner().unwrap());
            }

            to_other.send(()).unwrap();
            let (new, address) = from_other.recv().unwrap();
            reused += usize::from(new.as_raw_fd() == number);
            let mut readable = new.readable();
            assert!(future::poll_once(&mut readable).await.is_none(), "an event of the old one");
            UdpSocket::bind(LOOPBACK).unwrap().send_to(b"new", address).unwrap();
            in_time("the new one is readable", readable).await.unwrap();
            let mut buffer = [0; 8];
            assert_eq!(new.recv(&mut buffer).await.unwrap(), 3);
            assert_eq!(&buffer[..3], b"new");
        }
        assert!(reused > 0, "no number was used twice");
        drop(to_other);
    });
    other.join().unwrap();
}

#[cfg(unix)]
#[test]
fn source_migrates_through_its_inner_value() {
    let _watchdog = watchdog();
    let _turn = turn();
    let mut socket = UdpSocket::bind(LOOPBACK).unwrap();
    let address = socket.local_addr().unwrap();
    for _ in 0..10 {
        socket = thread::spawn(move || {
            block_on(async {
                let source = Async::new(socket).unwrap();
                source.send_to(b"to itself", address).await.unwrap();
                in_time("what it sent", source.recv(&mut [0; 16])).await.unwrap();
                source.into_inner().unwrap()
            })
        })
        .join()
        .unwrap();
        let source = Async::new(socket).unwrap();
        socket = source.into_inner().unwrap();
    }
}

/// Timers that were armed on one shard are set, polled and dropped by threads of another.
#[test]
fn timers_are_used_from_other_shards() {
    let _watchdog = watchdog();
    let _turn = turn();
    let before: usize = diagnostics::shards().iter().map(|shard| shard.timers).sum();
    let wakes = Wakes::new();
    let timers = on_threads(4, |index| {
        let mut timers: Vec<_> =
            (0..100).map(|number| Timer::after(HOUR - number * MS * index as u32)).collect();
        for timer in &mut timers {
            assert!(poll_with(&wakes.waker(), timer).is_pending());
        }
        Mutex::new(timers)
    });
    let done = on_threads(4, |index| {
        // The next thread's.
        let mut timers = timers[(index + 1) % 4].lock().unwrap();
        for timer in timers.drain(..50) {
            drop(timer);
        }
        let wakes = Wakes::new();
        for (number, timer) in timers.iter_mut().enumerate() {
            assert!(poll_with(&wakes.waker(), timer).is_pending());
            timer.set_after(Duration::from_micros(number as u64 * 40));
        }
        wakes.wait_for(timers.len());
        timers.iter_mut().all(|timer| poll_with(&wakes.waker(), timer).is_ready())
    });
    assert_eq!(done, [true; 4], "woken early");
    drop(timers);
    let after: usize = diagnostics::shards().iter().map(|shard| shard.timers).sum();
    assert_eq!(before, after, "entries are left in a wheel");
}

#[test]
fn source_is_used_from_all_shards() {
    let _watchdog = watchdog();
    let _turn = turn();
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = Arc::new(block_on(async { Async::new(listener).unwrap() }));
    let clients = thread::spawn(move || {
        for number in 0..40u8 {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(&[number]).unwrap();
            let mut ended = Vec::new();
            std::io::Read::read_to_end(&mut client, &mut ended).unwrap();
            assert_eq!(ended, [number]);
        }
    });
    let servers: Vec<_> = (0..4)
        .map(|_| {
            let listener = listener.clone();
            thread::spawn(move || {
                block_on(in_time("ten connections", async {
                    for _ in 0..10 {
                        let (mut stream, _) = listener.accept().await.unwrap();
                        let mut number = [0];
                        stream.read_exact(&mut number).await.unwrap();
                        stream.write_all(&number).await.unwrap();
                    }
                }));
            })
        })
        .collect();
    for server in servers {
        server.join().unwrap();
    }
    clients.join().unwrap();
}

#[test]
fn dropped_sources_and_timers_leave_no_entry() {
    let _turn = turn();
    /// What all shards hold.
    #[derive(Debug, PartialEq)]
    struct Held {
        sources: usize,
        timers: usize,
    }
    let held = || {
        let shards = diagnostics::shards();
        let sources = shards.iter().map(|shard| shard.sources).sum();
        let timers = shards.iter().map(|shard| shard.timers).sum();
        Held { sources, timers }
    };
    block_on(async {
        let Held { sources, timers } = held();
        let ((ours, _), (theirs, _)) = (udp(), udp());
        // A socket that this crate has made is registered by its first wait, or at once where there
        // is one shard.
        let at_once = if cfg!(async_wheel_single_shard) { 2 } else { 0 };
        assert_eq!(held(), Held { sources: sources + at_once, timers });
        for socket in [&ours, &theirs] {
            assert!(futures_lite::future::poll_once(socket.readable()).await.is_none());
        }
        let mut timer = Timer::after(HOUR);
        assert!(futures_lite::future::poll_once(&mut timer).await.is_none());
        assert_eq!(held(), Held { sources: sources + 2, timers: timers + 1 });
        drop(ours);
        assert_eq!(held(), Held { sources: sources + 1, timers: timers + 1 });
        let _plain = theirs.into_inner().unwrap();
        drop(timer);
        assert_eq!(held(), Held { sources, timers });
    });
}
