//! A process in which everybody sleeps makes no wake-ups. A binary of its own, with one test,
//! so that nothing else runs; Linux tells how often each thread went to sleep.

#![cfg(target_os = "linux")]

mod common;

use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use async_wheel::{Async, Timer, block_on};
use common::{
    HOUR, Wakes, armed, poll_with, sockets::LOOPBACK, threads::sleeps_of_others, watchdog,
};
use futures_lite::AsyncReadExt;

/// How many windows are looked at, and how many of them may be restless: on a busy machine a thread
/// that was to run before may run in one of them.
const WINDOWS: usize = 5;
const RESTLESS: usize = 1;

/// Fails if threads ran in more windows of 300 ms than may be restless. What was under way ends in
/// a window before these.
#[track_caller]
fn assert_idle(what: &str) {
    let window = Duration::from_millis(300);
    let sleeps: Vec<_> = (0..=WINDOWS)
        .map(|_| {
            thread::sleep(window);
            sleeps_of_others()
        })
        .collect();
    let restless: Vec<_> = sleeps.windows(2).filter(|pair| pair[0] != pair[1]).collect();
    let count = restless.len();
    assert!(count <= RESTLESS, "{what}: {count} of {WINDOWS} windows were restless: {restless:#?}");
}

#[test]
#[cfg_attr(async_wheel_deadlocks, ignore = "the thread that looks for deadlocks wakes")]
fn an_idle_process_makes_no_wake_ups() {
    let _watchdog = watchdog();

    // Nobody in our `block_on`: the fallback alone, with a far timer and a quiet source.
    let wakes = Wakes::new();
    let timer = armed(&wakes.waker(), || Timer::after(HOUR));
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let mut readable = listener.readable();
    assert!(poll_with(&wakes.waker(), &mut readable).is_pending());
    assert_idle("the fallback alone");

    // Threads in `block_on`, more than there are shards, each with a far timer and a
    // connection on which nothing comes; all were busy just before.
    const THREADS: usize = 5;
    let barrier: &'static Barrier = Box::leak(Box::new(Barrier::new(THREADS + 1)));
    let address = listener.get_ref().local_addr().unwrap();
    for _ in 0..THREADS {
        thread::spawn(move || {
            block_on(async {
                let mut stream = Async::<TcpStream>::connect(address).await.unwrap();
                stream.writable().await.unwrap();
                for _ in 0..20 {
                    Timer::after(Duration::from_micros(500)).await;
                }
                let mut timer = Timer::after(HOUR);
                let _ = futures_lite::future::poll_once(&mut timer).await;
                barrier.wait();
                let _ = stream.read(&mut [0; 16]).await;
            });
        });
    }
    barrier.wait();
    assert_idle("threads in block_on");
    assert_eq!(wakes.count(), 1, "told of the first connection, and then not waiting any more");
    drop(timer);
    assert_idle("a cancelled timer");
}
