//! What the tests share: spans of time, a waker that counts, waits that end, a watchdog, sockets.
//!
//! Nothing here is tight: a machine may be busy. A wait that has to end gets [`PATIENCE`]; a
//! test that hangs is ended by its [`Watchdog`], which says which one it was.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod control;
pub mod process;
pub mod sockets;
#[cfg(target_os = "linux")]
pub mod threads;
mod time;
mod wakes;
#[cfg(target_os = "linux")]
pub mod workers;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Timer, diagnostics};

pub use self::{control::Control, time::*, wakes::Wakes};

/// Ends the process if it lives longer than three minutes: a deadlock has no other way to fail.
/// What takes seconds may take a minute where others compute, too.
pub struct Watchdog {
    _ended: mpsc::Sender<()>,
}

/// Sets a watchdog on the test that calls this, until the result is dropped.
#[must_use]
pub fn watchdog() -> Watchdog {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let (ended, wait) = mpsc::channel::<()>();
    thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(180)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{test} hangs: it has run for three minutes");
            std::process::abort();
        }
    });
    Watchdog { _ended: ended }
}

/// Waits for this test's turn among those of its binary that measure or count, which lasts until
/// the result is dropped.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that this machine does not allow a test. In CI, where nobody reads what a test that passes
/// says, that fails it.
#[track_caller]
pub fn not_tested(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "NOT TESTED: {why}");
    println!("NOT TESTED: {why}");
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

/// Waits in `block_on` until a thread has received the call's waker and has woken it.
pub fn block_on_until_woken(wakers: &mpsc::Sender<Waker>) {
    let mut sent = false;
    async_wheel::block_on(poll_fn(|cx| {
        if std::mem::replace(&mut sent, true) {
            return Poll::Ready(());
        }
        wakers.send(cx.waker().clone()).unwrap();
        Poll::Pending
    }));
}

/// Waits until the condition holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {what}");
        thread::sleep(MS);
    }
}

/// Returns `true` if so many threads are in `block_on`, and all of them are parked.
pub fn are_parked(threads: usize) -> bool {
    let shards = diagnostics::shards();
    shards.iter().map(|shard| shard.threads).sum::<usize>() == threads
        && shards.iter().all(|shard| shard.awake == 0)
}

/// Waits until that is so.
#[track_caller]
pub fn parked(threads: usize) {
    eventually("all are parked", || are_parked(threads));
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
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            if self.told.load(Ordering::SeqCst) == 1 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Runs a future both ways, under a watchdog: in this crate's `block_on`, and in somebody else's,
/// so that the fallback thread drives.
pub fn both_ways<F: Future>(future: impl Fn() -> F) {
    let _watchdog = watchdog();
    async_wheel::block_on(future());
    futures_lite::future::block_on(future());
}
