//! A thread's jobs: futures that are each polled only when their own waker was woken, so that one
//! lost wake-up leaves its job waiting for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::hostile::{Hub, Task};
use crate::world::{self, NEVER, Sleeper};
use crate::{driver, hostile};

type Script = Pin<Box<dyn Future<Output = ()>>>;

struct Job {
    task: Arc<Task>,
    script: Option<Script>,
    /// Kept from poll to poll, in some jobs; in others each poll has a new one.
    waker: Option<Waker>,
}

/// The jobs of a `block_on` call, or of a thread that is in none.
#[derive(Default)]
pub(crate) struct Jobs {
    hub: Arc<Hub>,
    jobs: Vec<Job>,
    left: usize,
}

impl Jobs {
    /// Adds a job. It is made with what tells it from others, and begins when it is polled first.
    pub(crate) fn add<F: Future<Output = ()> + 'static>(
        &mut self,
        script: impl FnOnce(Arc<Task>) -> F,
    ) {
        let keeps = world::one_in(2);
        let task = Task::new(self.hub.clone(), self.jobs.len(), keeps);
        let script: Script = Box::pin(script(task.clone()));
        let waker = keeps.then(|| task.waker());
        self.jobs.push(Job { task: task.clone(), script: Some(script), waker });
        self.left += 1;
        task.wake();
    }

    fn poll_job(&mut self, index: usize) {
        let Job { task, script, waker } = &mut self.jobs[index];
        task.arrive();
        let _in_a_poll = InAPoll::new();
        let Some(future) = script else { return };
        let waker = match waker {
            Some(waker) => waker.clone(),
            None => task.waker(),
        };
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *script = None;
            self.left -= 1;
        }
    }
}

impl Future for Jobs {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let jobs = &mut *self;
        *jobs.hub.outer.lock().unwrap() = Some(cx.waker().clone());
        // Those that are woken meanwhile have the next poll.
        let count = jobs.hub.queue.lock().unwrap().len();
        for _ in 0..count {
            let index = jobs.hub.queue.lock().unwrap().pop_front();
            jobs.poll_job(index.expect("nobody else takes them out"));
            hostile::compute();
        }
        if jobs.left == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let _in_a_poll = InAPoll::new();
        *self.hub.outer.lock().unwrap() = None;
        self.jobs.clear();
    }
}

/// While it lives, wakers that are dropped do not panic: who drops them is the user.
pub(crate) struct InAPoll;

impl InAPoll {
    pub(crate) fn new() -> InAPoll {
        world::local(|local| local.polls += 1);
        InAPoll
    }
}

impl Drop for InAPoll {
    fn drop(&mut self) {
        world::local(|local| local.polls -= 1);
    }
}

/// Runs jobs on this thread, which drives.
pub(crate) fn block_on(jobs: Jobs) {
    driver::block_on(jobs);
}

/// Runs jobs on this thread, which is in no `block_on`, as executors elsewhere do.
pub(crate) fn run_elsewhere(mut jobs: Jobs) {
    struct Thread {
        sleeper: Sleeper,
        woken: std::sync::atomic::AtomicBool,
    }
    impl Wake for Thread {
        fn wake(self: Arc<Thread>) {
            self.woken.store(true, std::sync::atomic::Ordering::SeqCst);
            self.sleeper.wake();
        }
    }
    let thread = Arc::new(Thread { sleeper: Sleeper::new(), woken: false.into() });
    let waker = Waker::from(thread.clone());
    while Pin::new(&mut jobs).poll(&mut Context::from_waker(&waker)).is_pending() {
        while !thread.woken.swap(false, std::sync::atomic::Ordering::SeqCst) {
            thread.sleeper.sleep_until(NEVER, || {});
        }
    }
}

/// Runs jobs on this thread, which drives by hand, as an executor does that sleeps in `drive` or in
/// a system call of its own.
pub(crate) fn run_driving(mut jobs: Jobs) {
    struct Woken(std::sync::atomic::AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Woken>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            if let Some(reactor) = driver::process::started() {
                reactor.notify();
            }
        }
    }
    while driver::process::reactor().is_err() {}
    let watches = world::one_in(2) && driver::begin_to_watch();
    let woken = Arc::new(Woken(false.into()));
    let waker = Waker::from(woken.clone());
    let mut heard = 0;
    while Pin::new(&mut jobs).poll(&mut Context::from_waker(&waker)).is_pending() {
        while !woken.0.swap(false, std::sync::atomic::Ordering::SeqCst) {
            if watches {
                world::doing("watches the descriptor");
                driver::watch_descriptor();
                world::doing("drives without sleep");
                if !driver::drive(None, &mut heard) {
                    // It may be readable for another driver, which has to run, or whose poller has
                    // failed and which pauses.
                    world::delay(100_000);
                    world::sleep_for(100_000);
                }
            } else {
                let limits = [NEVER, NEVER, world::now() + world::below(10_000_000)];
                world::doing("drives");
                let limit = limits[world::below(3) as usize];
                driver::drive(Some(limit), &mut heard);
            }
        }
    }
    if watches {
        driver::end_to_watch();
    }
}
