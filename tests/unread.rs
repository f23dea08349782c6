//! A source that nobody reads any more must not cost a wake-up for each packet. A binary of its
//! own, so that nothing else wakes its threads; Linux tells how often they went to sleep.

#![cfg(target_os = "linux")]

mod common;

use std::net::UdpSocket;
use std::sync::mpsc;
use std::thread;

use async_wheel::{Async, Timer, block_on};
use common::{MS, in_time, sockets::LOOPBACK, threads::sleeps_of_others, watchdog};
use futures_lite::future;

fn sleeps() -> u64 {
    sleeps_of_others().values().sum()
}

/// Sends packets one by one; returns how often threads have gone to sleep after one.
fn sleeps_for_packets(source: &UdpSocket) -> u64 {
    const PACKETS: usize = 150;
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    let address = source.local_addr().unwrap();
    let before = sleeps();
    for _ in 0..PACKETS {
        sender.send_to(b"unwanted", address).unwrap();
        thread::sleep(MS);
    }
    sleeps() - before
}

/// A task waited once and has lost interest; packets come on. On the fallback thread's shard, and
/// on that of a thread in `block_on`.
#[test]
fn unread_source_does_not_wake_per_packet() {
    let _watchdog = watchdog();
    // A task waited once, and has lost interest. On the fallback's shard:
    let source = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
    let _ = future::block_on(future::poll_once(source.recv(&mut [0])));
    let sleeps = sleeps_for_packets(source.get_ref());
    assert!(sleeps < 50, "{sleeps} wake-ups of the fallback");

    // And on that of a thread that sleeps in `block_on`.
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        block_on(async {
            let source = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
            let _ = future::poll_once(source.recv(&mut [0])).await;
            send.send(source).unwrap();
            Timer::never().await;
        });
    });
    let source = receive.recv().unwrap();
    let sleeps = sleeps_for_packets(source.get_ref());
    assert!(sleeps < 50, "{sleeps} wake-ups of a thread in block_on");

    // A wait that begins now finds what is there.
    block_on(in_time("a packet", source.readable())).unwrap();
    assert_eq!(source.get_ref().recv(&mut [0; 16]).unwrap(), 8);
}
