//! Looking at futures from outside, with the fixture of the library's own tests.

#![allow(dead_code, reason = "these tests use a part of the fixture")]

#[path = "../../../../tests/common/threads.rs"]
#[cfg(target_os = "linux")]
pub mod threads;
#[path = "../../../../tests/common/time.rs"]
mod time;
#[path = "../../../../tests/common/wakes.rs"]
mod wakes;

use std::future::Future;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[allow(unused_imports, reason = "not all are used on each system")]
pub use self::time::{A_WHILE, HOUR, MS, PATIENCE};
pub use self::wakes::Wakes;

/// Returns a task's waker and its other end.
pub fn new_task() -> (Arc<Wakes>, Waker) {
    let wakes = Wakes::new();
    let waker = wakes.waker();
    (wakes, waker)
}

pub fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Two ends of a connection.
pub fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}
