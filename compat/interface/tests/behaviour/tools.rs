//! Looking at futures from outside.

use std::future::Future;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Counts the times that it was woken.
#[derive(Default)]
pub struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Task {
    pub fn new() -> (Arc<Task>, Waker) {
        let task = Arc::new(Task::default());
        let waker = Waker::from(task.clone());
        (task, waker)
    }

    pub fn woken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits until it was woken so many times.
    #[track_caller]
    pub fn wait_for(&self, times: usize) {
        let start = Instant::now();
        while self.woken() < times {
            assert!(start.elapsed() < PATIENCE, "woken {} times, not {times}", self.woken());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits a while, in which it is not to be woken.
    #[track_caller]
    pub fn stays_at(&self, times: usize) {
        std::thread::sleep(A_WHILE);
        assert_eq!(self.woken(), times);
    }
}

/// How long something is waited for that has to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long something is waited for that must not happen.
pub const A_WHILE: Duration = Duration::from_millis(60);

pub fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Two ends of a connection.
pub fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}
