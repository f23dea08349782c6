//! What the targets that need a reactor share: tasks that count their wakes, waits that end,
//! and time that passes.

#![allow(dead_code)] // Each target uses a part of it.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::Timer;

/// How long a wake that has to come may take: longer than a busy machine needs, and well
/// below the time that libFuzzer allows for an input.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The most operations of a program. They take real time.
pub const MOST_OPERATIONS: usize = 32;

/// A waker's other end.
#[derive(Default)]
pub struct Task {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wakes: usize,
    last: Option<Instant>,
    /// The program itself, if it waits for this task in a `block_on`.
    program: Option<Waker>,
}

impl Task {
    pub fn new() -> Arc<Task> {
        Arc::default()
    }

    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    pub fn wakes(&self) -> usize {
        self.state.lock().unwrap().wakes
    }

    /// Waits for a wake at or after this instant.
    pub async fn woken_since(&self, since: Instant, driving: bool, what: &str) {
        self.until(|state| state.last.is_some_and(|last| last >= since), driving, what).await;
    }

    /// Waits until there were more wakes than this.
    pub async fn woken_more_than(&self, wakes: usize, driving: bool, what: &str) {
        self.until(|state| state.wakes > wakes, driving, what).await;
    }

    /// Waits in the program's `block_on`, so that it drives, or by blocking its thread, so that
    /// somebody else has to.
    async fn until(&self, done: impl Fn(&State) -> bool, driving: bool, what: &str) {
        if driving {
            return in_time(what, |waker| {
                let mut state = self.state.lock().unwrap();
                state.program = Some(waker);
                done(&state)
            })
            .await;
        }
        let state = self.state.lock().unwrap();
        let (state, timeout) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| !done(state)).unwrap();
        drop(state);
        assert!(!timeout.timed_out(), "lost wake, none after {PATIENCE:?}: {what}");
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state.lock().unwrap();
        state.wakes += 1;
        state.last = Some(Instant::now());
        let program = state.program.take();
        drop(state);
        self.changed.notify_all();
        if let Some(program) = program {
            program.wake();
        }
    }
}

/// Waits for a condition that wakes the waker it is given. Another thread counts the time, since
/// the timers of the crate are what is being tested.
async fn in_time(what: &str, mut done: impl FnMut(Waker) -> bool) {
    static LIMIT: OnceLock<&Mutex<Option<(Instant, String)>>> = OnceLock::new();
    let limit = LIMIT.get_or_init(|| {
        let limit: &Mutex<Option<(Instant, String)>> = Box::leak(Box::default());
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(100));
                if let Some((end, what)) = &*limit.lock().unwrap()
                    && *end < Instant::now()
                {
                    eprintln!("lost wake, none after {PATIENCE:?}: {what}");
                    std::process::abort();
                }
            }
        });
        limit
    });
    *limit.lock().unwrap() = Some((Instant::now() + PATIENCE, what.to_owned()));
    poll_fn(|cx| if done(cx.waker().clone()) { Poll::Ready(()) } else { Poll::Pending }).await;
    *limit.lock().unwrap() = None;
}

/// Runs a program in this crate's `block_on`, or in somebody else's so that the fallback
/// thread drives.
pub fn run(inside: bool, program: impl Future<Output = ()>) {
    if inside {
        async_wheel::block_on(program);
    } else {
        futures_lite::future::block_on(program);
    }
}

/// Lets up to 300 microseconds pass, asleep or in a timer.
pub async fn pass(time: u8, driving: bool) {
    let time = Duration::from_nanos(u64::from(time) * 1_177);
    if driving {
        Timer::after(time).await;
    } else {
        thread::sleep(time);
    }
}
