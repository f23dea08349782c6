//! The waker of the tests.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Instant;

use super::time::{A_WHILE, PATIENCE};

/// The other end of a waker: counts the wakes, remembers when they came, lets a thread wait for
/// them, and runs code in each of them if asked to.
#[derive(Default)]
pub struct Wakes {
    seen: Mutex<Seen>,
    changed: Condvar,
    action: Option<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    count: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Wakes {
    pub fn new() -> Arc<Wakes> {
        Arc::default()
    }

    /// Returns one that runs `action` in each wake, and counts the wake when that has returned.
    pub fn calling(action: impl Fn() + Send + Sync + 'static) -> Arc<Wakes> {
        Arc::new(Wakes { action: Some(Box::new(action)), ..Wakes::default() })
    }

    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    pub fn count(&self) -> usize {
        self.seen().count
    }

    /// Returns when the first wake came.
    pub fn first(&self) -> Option<Instant> {
        self.seen().first
    }

    /// Returns when the last wake came.
    pub fn last(&self) -> Option<Instant> {
        self.seen().last
    }

    /// Waits until there were this many wakes in all.
    #[track_caller]
    pub fn wait_for(&self, wakes: usize) {
        let waited =
            self.changed.wait_timeout_while(self.seen(), PATIENCE, |seen| seen.count < wakes);
        let (seen, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{} wakes after {PATIENCE:?}, not {wakes}", seen.count);
    }

    /// Waits a while, in which no wake beyond this many may come.
    #[track_caller]
    pub fn stays_at(&self, wakes: usize) {
        thread::sleep(A_WHILE);
        assert_eq!(self.count(), wakes, "wakes");
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let now = Instant::now();
        if let Some(action) = &self.action {
            action();
        }
        let mut seen = self.seen();
        seen.count += 1;
        seen.first.get_or_insert(now);
        seen.last = Some(now);
        drop(seen);
        self.changed.notify_all();
    }
}
