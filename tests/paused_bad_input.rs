//! Pauses that cannot be: each is refused by a panic that says why, and nothing else is the worse
//! for it.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::time::{self, PendingIo};
use async_wheel::{Timer, block_on, driver};
use futures_lite::future;

use common::{HOUR, MS, armed, poll_with};

/// Returns what a call panics with.
#[track_caller]
fn refused<T>(call: impl FnOnce() -> T) -> String {
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(call()))).expect_err("it was accepted");
    match panicked.downcast::<String>() {
        Ok(message) => *message,
        Err(panicked) => (*panicked.downcast_ref::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn second_pause_of_a_thread_is_refused() {
    let paused = time::pause();
    assert!(refused(time::pause).contains("paused already on this thread"));
    assert!(refused(time::pause_process).contains("paused already on this thread"));
    // The first one goes on, and other threads are not affected.
    block_on(paused.advance(HOUR));
    thread::spawn(|| block_on(time::pause().advance(HOUR))).join().unwrap();
    drop(paused);
    block_on(time::pause().advance(HOUR));
}

#[test]
fn pause_inside_block_on_is_refused() {
    block_on(async {
        assert!(refused(time::pause).contains("inside `block_on`"));
        assert!(refused(time::pause_process).contains("inside `block_on`"));
        block_on(async { assert!(refused(time::pause).contains("inside `block_on`")) });
        Timer::after(MS).await;
    });
    let paused = time::pause();
    block_on(async {
        assert!(refused(time::pause).contains("inside `block_on`"));
        paused.advance(HOUR).await;
    });
}

#[test]
fn pause_by_a_waker_of_drive_is_refused() {
    struct Pauses(AtomicBool);
    impl Wake for Pauses {
        fn wake(self: Arc<Self>) {
            // Another test's thread may be the one that drives.
            let why = refused(time::pause);
            let is_refused = why.contains("drives timers") || why.contains("inside `block_on`");
            // Ordering: SeqCst, here and below: a test.
            self.0.store(is_refused, Ordering::SeqCst);
        }
    }
    let pauses = Arc::new(Pauses(AtomicBool::new(false)));
    let waker = Waker::from(pauses.clone());
    let mut timer = armed(&waker, || Timer::after(MS));
    while !pauses.0.load(Ordering::SeqCst) {
        driver::drive(Some(MS)).unwrap();
    }
    assert!(poll_with(&waker, &mut timer).is_ready());
}

#[test]
fn clock_moves_no_further_than_it_counts() {
    let paused = time::pause();
    block_on(async {
        for too_long in [Duration::MAX, Duration::from_nanos(u64::MAX)] {
            let advance = AssertUnwindSafe(paused.advance(too_long));
            let polled = futures_lite::FutureExt::catch_unwind(advance).await;
            let message = *polled.unwrap_err().downcast::<String>().unwrap();
            assert!(message.contains("the clock cannot move on by"), "{message}");
        }
        assert_eq!(paused.elapsed(), Duration::ZERO);
        // Centuries are no problem.
        let mut timer = Timer::after(Duration::from_secs(86_400 * 365 * 500));
        assert!(future::poll_once(&mut timer).await.is_none());
        assert!(paused.advance_to_next().await.is_some());
        timer.await;
        paused.auto_advance(PendingIo::Jump);
        Timer::after(HOUR).await;
    });
}

/// Only `block_on` of this crate moves time.
#[test]
fn time_moves_in_no_other_executor() {
    let paused = time::pause();
    let message = refused(|| future::block_on(paused.advance(HOUR)));
    assert!(message.contains("time moves only inside"), "{message}");
    let message = refused(|| future::block_on(paused.advance_to_next()));
    assert!(message.contains("time moves only inside"), "{message}");
    let error = driver::drive(Some(MS)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    block_on(async { assert!(driver::drive(Some(MS)).is_err()) });
    drop(paused);
    assert!(driver::drive(Some(MS)).is_ok());
}

/// A waker that wakes itself keeps its task from coming to rest, and time from moving.
#[test]
fn busy_task_keeps_time_from_moving() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    let mut left = 1_000;
    let mut timer = Timer::after(MS);
    block_on(std::future::poll_fn(|cx| {
        assert!(std::pin::Pin::new(&mut timer).poll(cx).is_pending(), "time has moved");
        left -= 1;
        cx.waker().wake_by_ref();
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert_eq!(paused.elapsed(), Duration::ZERO);
}

/// Threads beside those that pause see nothing of it, in whatever they do.
#[test]
fn threads_beside_go_by_the_systems_clock() {
    let stop = Arc::new(AtomicBool::new(false));
    let pauses: Vec<_> = (0..2)
        .map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                // Ordering: SeqCst, here and below: a test.
                while !stop.load(Ordering::SeqCst) {
                    let paused = time::pause();
                    block_on(paused.advance(HOUR));
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let start = Instant::now();
        block_on(Timer::after(2 * MS));
        future::block_on(Timer::after(2 * MS));
        assert!(start.elapsed() >= 4 * MS);
        assert!(time::now() - start < HOUR);
    }
    stop.store(true, Ordering::SeqCst);
    pauses.into_iter().for_each(|thread| thread.join().unwrap());
}

// A child may hang with parking_lot, whose table of waiting threads does not survive a fork.
#[cfg(all(unix, not(feature = "parking_lot")))]
mod fork {
    use std::io::Read;
    use std::net::TcpStream;

    use super::*;
    use async_wheel::Async;

    /// Runs a check in a forked child. It has to return, and not to panic.
    #[track_caller]
    fn in_child(check: impl FnOnce()) {
        // SAFETY: the child runs the check and exits at once, whatever that does. What it uses of
        // other threads' is this crate's, which is what the test is about; the standard library's
        // output is not touched unless the check fails.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code = match catch_unwind(AssertUnwindSafe(check)) {
                Ok(()) => 0,
                Err(_) => 1,
            };
            // SAFETY: ends the process, with nothing of the test harness's run again.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: the child is this process's, and was not waited for yet.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child failed");
    }

    #[test]
    fn child_of_fork_is_not_paused() {
        common::process::alone(|| {
            let paused = time::pause();
            let mut timer = Timer::after(HOUR);
            block_on(async {
                assert!(future::poll_once(&mut timer).await.is_none());
                paused.advance(HOUR / 2).await;
            });
            let ahead = time::now();
            in_child(|| {
                let start = Instant::now();
                assert!(time::now() < ahead && time::now() - start < HOUR / 4);
                let refusal = refused(|| block_on(paused.advance(HOUR)));
                assert!(refusal.contains("process that this one was forked from"), "{refusal}");
                refused(|| paused.stand_still());
                refused(|| paused.elapsed());
                // A timer of the parent's, and the child's own.
                timer.set_after(5 * MS);
                block_on(&mut timer);
                block_on(Timer::after(5 * MS));
                assert!(start.elapsed() >= 10 * MS);
                // The child may pause its own time.
                let own = time::pause();
                block_on(own.advance(HOUR));
                assert_eq!(own.elapsed(), HOUR);
                drop((own, paused));
                block_on(Timer::after(MS));
            });
        });
    }

    #[test]
    fn parent_of_fork_stays_paused() {
        common::process::alone(|| {
            let paused = time::pause();
            let (ours, mut peer) = common::sockets::tcp_pair();
            block_on(async {
                assert!(future::poll_once(ours.readable()).await.is_none());
                in_child(|| {});
                paused.advance(HOUR).await;
                assert_eq!(paused.elapsed(), HOUR);
                std::io::Write::write_all(&mut peer, b"!").unwrap();
                ours.readable().await.unwrap();
            });
            let ours: &Async<TcpStream> = &ours;
            assert_eq!(ours.get_ref().read(&mut [0; 8]).unwrap(), 1);
            drop(paused);
            in_child(|| _ = block_on(Timer::after(MS)));
        });
    }

    /// The copy of a call cannot go on in the child, and says so.
    #[test]
    fn call_copied_by_fork_panics() {
        common::process::alone(|| {
            let paused = time::pause();
            block_on(async {
                in_child(|| {
                    let refusal = refused(|| block_on(paused.advance(MS)));
                    assert!(refusal.contains("forked"), "{refusal}");
                    block_on(Timer::after(MS));
                });
                paused.advance(MS).await;
            });
        });
    }
}
