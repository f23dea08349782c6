//! What the tests share: wakers that tell, waits that end, and a watchdog.
//!
//! Nothing here is tight: a machine may be busy. A wait that has to end gets [`PATIENCE`]; a
//! test that hangs is ended by its [`Watchdog`], which says which one it was.

#![allow(dead_code)] // Each test binary uses a part of it.

pub mod process;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::Timer;

/// How long something that has to happen may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Ends the process if it lives longer than a minute: a deadlock has no other way to fail.
pub struct Watchdog {
    _ended: mpsc::Sender<()>,
}

/// Sets a watchdog on the test that calls this, until the result is dropped.
#[must_use]
pub fn watchdog() -> Watchdog {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let (ended, wait) = mpsc::channel::<()>();
    thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{test} hangs: it has run for a minute");
            std::process::abort();
        }
    });
    Watchdog { _ended: ended }
}

/// A waker's other end: counts wakes and lets a thread wait for them.
#[derive(Default)]
pub struct Wakes {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Wakes {
    pub fn new() -> Arc<Wakes> {
        Arc::default()
    }

    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    pub fn count(&self) -> usize {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there were this many wakes in all.
    #[track_caller]
    pub fn wait_for(&self, wakes: usize) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(count, PATIENCE, |count| *count < wakes);
        let (count, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{} wakes after {PATIENCE:?}, not {wakes}", *count);
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }
}

/// Polls once with the given waker.
pub fn poll_with<F: Future + Unpin>(waker: &Waker, future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// A timer that was polled with the given waker and waits. One that is due by then, because
/// the machine was busy, is made anew.
pub fn armed(waker: &Waker, make: impl Fn() -> Timer) -> Timer {
    loop {
        let mut timer = make();
        if poll_with(waker, &mut timer).is_pending() {
            return timer;
        }
    }
}

/// Waits until the condition holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Fails if a future is not ready in time. Needs no reactor for that: another thread counts.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let late = Arc::new(Late::default());
    let (ended, wait) = mpsc::channel::<()>();
    thread::spawn({
        let late = late.clone();
        move || {
            if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                late.tell();
            }
        }
    });
    // Lateness is asked for first: a future whose wake was lost would be found ready else, by
    // the very poll that is to say that it is late.
    let told = async {
        late.told().await;
        None
    };
    let result = futures_lite::future::or(told, async { Some(future.await) }).await;
    drop(ended);
    result.unwrap_or_else(|| panic!("not ready after {PATIENCE:?}: {what}"))
}

#[derive(Default)]
struct Late {
    told: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Late {
    fn tell(&self) {
        self.told.store(1, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn told(&self) {
        std::future::poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            if self.told.load(Ordering::SeqCst) == 1 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Runs a future both ways: in this crate's `block_on`, and in somebody else's, so that the
/// fallback thread drives.
pub fn both_ways<F: Future>(future: impl Fn() -> F) {
    async_wheel::block_on(future());
    futures_lite::future::block_on(future());
}
