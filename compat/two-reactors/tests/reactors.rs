//! A tree with async-io 1.x besides the shim has two reactors. Both work, each for its own.

#![allow(dead_code, reason = "it uses a part of the fixtures of the library's own tests")]

#[cfg(target_os = "linux")]
#[path = "../../../tests/common/threads.rs"]
mod threads;
#[path = "../../../tests/common/time.rs"]
mod time;

use std::net::UdpSocket;
use std::time::Instant;

use futures_lite::future;
use time::{MS, PATIENCE};

/// Timers and sockets of both, in one task, whichever `block_on` it runs in.
async fn both_work() {
    let start = Instant::now();
    future::zip(async_io::Timer::after(20 * MS), async_io_1::Timer::after(30 * MS)).await;
    assert!(start.elapsed() >= 30 * MS);
    assert!(start.elapsed() < PATIENCE);

    let new = async_io::Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let old = async_io_1::Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let (to_new, to_old) =
        (new.get_ref().local_addr().unwrap(), old.get_ref().local_addr().unwrap());
    let mut buffers = [[0; 8]; 2];
    let [first, second] = &mut buffers;
    let receive = future::zip(new.recv_from(first), old.recv_from(second));
    let send = async {
        async_io_1::Timer::after(10 * MS).await;
        new.send_to(b"old", to_old).await.unwrap();
        old.send_to(b"new", to_new).await.unwrap();
    };
    let ((from_old, from_new), ()) = future::zip(receive, send).await;
    assert_eq!((from_old.unwrap(), from_new.unwrap()), ((3, to_old), (3, to_new)));
    assert_eq!((&buffers[0][..3], &buffers[1][..3]), (&b"new"[..], &b"old"[..]));
}

#[test]
fn both_reactors_work_in_one_task() {
    async_io::block_on(both_work());
    async_io_1::block_on(both_work());
    future::block_on(both_work());
}

/// The sign by which docs/migration.md tells that there are two.
#[test]
#[cfg(target_os = "linux")]
fn each_reactor_has_its_thread() {
    async_io::block_on(both_work());
    let start = Instant::now();
    while threads::named("async-wheel").len() != 1 || threads::named("async-io").len() != 1 {
        assert!(start.elapsed() < PATIENCE, "{:?}", threads::names());
        std::thread::sleep(MS);
    }
}
