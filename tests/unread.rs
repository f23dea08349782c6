//! A source that nobody reads any more must not cost a wake-up for each packet. A binary of its
//! own, so that nothing else wakes its threads; Linux tells how often they went to sleep.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::net::UdpSocket;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use async_wheel::{Async, Timer, block_on};
use common::watchdog;
use futures_lite::future;

/// How often all threads but this one and the given one have gone to sleep so far.
fn sleeps_of_others() -> usize {
    let own = fs::read_link("/proc/thread-self").unwrap();
    let own = own.file_name().unwrap().to_owned();
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap());
    let others = tasks.filter(|task| task.file_name() != own);
    let sleeps = others.map(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap();
        line.split_whitespace().last().unwrap().parse::<usize>().unwrap()
    });
    sleeps.sum()
}

/// Sends packets one by one and counts who gets up for them.
fn sleeps_for_packets(source: &UdpSocket) -> usize {
    const PACKETS: usize = 150;
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = source.local_addr().unwrap();
    let before = sleeps_of_others();
    for _ in 0..PACKETS {
        sender.send_to(b"unwanted", address).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    sleeps_of_others() - before
}

/// A task waited once and has lost interest; packets come on. On the fallback thread's shard, and
/// on that of a thread in `block_on`.
#[test]
fn unread_source_does_not_wake_per_packet() {
    let _watchdog = watchdog();
    // A task waited once, and has lost interest. On the fallback's shard:
    let source = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let _ = future::block_on(future::poll_once(source.recv(&mut [0])));
    let sleeps = sleeps_for_packets(source.get_ref());
    assert!(sleeps < 50, "{sleeps} wake-ups of the fallback");

    // And on that of a thread that sleeps in `block_on`.
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        block_on(async {
            let source = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
            let _ = future::poll_once(source.recv(&mut [0])).await;
            send.send(source).unwrap();
            Timer::never().await;
        });
    });
    let source = receive.recv().unwrap();
    let sleeps = sleeps_for_packets(source.get_ref());
    assert!(sleeps < 50, "{sleeps} wake-ups of a thread in block_on");

    // Who takes an interest again is told of what is there.
    block_on(common::in_time("a packet", source.readable())).unwrap();
    assert_eq!(source.get_ref().recv(&mut [0; 16]).unwrap(), 8);
}
