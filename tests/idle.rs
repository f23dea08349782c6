//! A process in which everybody sleeps makes no wake-ups. A binary of its own, with one test,
//! so that nothing else runs; Linux tells how often each thread went to sleep.

#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on};
use common::watchdog;
use futures_lite::AsyncReadExt;

const HOUR: Duration = Duration::from_secs(3600);

/// How often each thread but this one has gone to sleep so far.
fn sleeps() -> BTreeMap<String, u64> {
    let own = fs::read_link("/proc/thread-self").unwrap();
    let own = own.file_name().unwrap().to_owned();
    let mut sleeps = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap();
        if task.file_name() == own {
            continue;
        }
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].trim().to_owned()
        };
        let name = format!("{} {}", field("Name:"), task.file_name().to_string_lossy());
        sleeps.insert(name, field("voluntary_ctxt_switches:").parse().unwrap());
    }
    sleeps
}

/// Waits until nobody has been up for 300 ms, then looks for as long again.
#[track_caller]
fn assert_idle(what: &str) {
    let window = Duration::from_millis(300);
    let start = Instant::now();
    let mut before = sleeps();
    loop {
        thread::sleep(window);
        let now = sleeps();
        if now == before {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{what}: {before:?}, then {now:?}");
        before = now;
    }
    thread::sleep(window);
    assert_eq!(before, sleeps(), "{what}: somebody woke up in an idle process");
}

#[test]
fn an_idle_process_makes_no_wake_ups() {
    let _watchdog = watchdog();

    // Nobody in our `block_on`: the fallback alone, with a far timer and a quiet source.
    let wakes = common::Wakes::new();
    let mut timer = Timer::after(HOUR);
    assert!(common::poll_with(&wakes.waker(), &mut timer).is_pending());
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let mut readable = listener.readable();
    assert!(common::poll_with(&wakes.waker(), &mut readable).is_pending());
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
