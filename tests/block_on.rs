//! `block_on`: which wakes poll its future, which do not, and what it leaves behind.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::UdpSocket;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on};
use common::{
    HOUR, MS, Wakes, armed, block_on_until_woken, in_time, poll_with, sockets::LOOPBACK, watchdog,
};
use futures_lite::future::{self, FutureExt};

/// Waits until another thread has set the flag, and leaves it cleared.
async fn flagged(flag: &AtomicBool, waker: &Mutex<Option<Waker>>) {
    poll_fn(|cx| {
        *waker.lock().unwrap() = Some(cx.waker().clone());
        if flag.swap(false, Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Ends the threads that look at the flag, also when a test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Waits for the timer in `block_on`. Returns how often the call polled its future.
fn polls_until(mut timer: Timer) -> usize {
    let mut polls = 0;
    let due = block_on(poll_fn(|cx| {
        polls += 1;
        timer.poll(cx)
    }));
    assert!(due <= Instant::now(), "early");
    polls
}

/// The waker of the call that this runs in.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// A future that is ready at its first poll returns without waiting, and may borrow from its
/// caller.
#[test]
fn ready_future_returns_and_may_borrow() {
    let _watchdog = watchdog();
    let text = String::from("borrowed");
    let local = Cell::new(0);
    let length = block_on(async {
        local.set(1);
        text.len()
    });
    assert_eq!((length, local.get()), (8, 1));
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep() {
    let _watchdog = watchdog();
    for delay in [Duration::ZERO, MS, 30 * MS] {
        let (send, receive) = mpsc::channel::<Waker>();
        let set = &AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(move || {
                let waker = receive.recv().unwrap();
                thread::sleep(delay);
                set.store(true, Ordering::SeqCst);
                waker.wake();
            });
            block_on(poll_fn(|cx| {
                let _ = send.send(cx.waker().clone());
                if set.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
            }));
        });
    }
}

/// A wake that comes between a pending poll and the moment at which the thread parks.
#[test]
fn wake_just_before_parking_is_not_lost() {
    let _watchdog = watchdog();
    const ROUNDS: usize = 10_000;
    let (ping, pong) = (AtomicBool::new(false), AtomicBool::new(false));
    let (ping_waker, pong_waker) = (Mutex::new(None), Mutex::new(None));
    let tell = |flag: &AtomicBool, waker: &Mutex<Option<Waker>>| {
        flag.store(true, Ordering::SeqCst);
        if let Some(waker) = waker.lock().unwrap().take() {
            waker.wake();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            block_on(async {
                for _ in 0..ROUNDS {
                    flagged(&ping, &ping_waker).await;
                    tell(&pong, &pong_waker);
                }
            });
        });
        block_on(async {
            for _ in 0..ROUNDS {
                tell(&ping, &ping_waker);
                flagged(&pong, &pong_waker).await;
            }
        });
    });
}

/// A future that wakes itself in each poll is polled again at once, and the timers of its thread
/// fire all the same.
#[test]
fn wake_during_poll_polls_again_starving_no_timer() {
    let _watchdog = watchdog();
    let mut left = 1_000;
    block_on(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        left -= 1;
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert_eq!(left, 0);

    let busy = async {
        loop {
            future::yield_now().await;
        }
    };
    block_on(in_time("a timer beside a task that never rests", Timer::after(MS).or(busy)));
}

#[test]
fn wakes_that_come_together_poll_once() {
    let _watchdog = watchdog();
    let polls = Cell::new(0);
    let mut timer = Timer::after(5 * MS);
    block_on(poll_fn(|cx| {
        polls.set(polls.get() + 1);
        if polls.get() == 1 {
            for _ in 0..100 {
                cx.waker().wake_by_ref();
                let another = cx.waker().clone();
                another.wake();
            }
        }
        timer.poll(cx)
    }));
    assert!(polls.get() < 20, "{} polls for 200 wakes at once", polls.get());
}

/// A driver wakes two hundred timers of another task. It polls its future for the future's own
/// wakes only.
#[test]
fn driver_does_not_poll_its_future_for_others() {
    const OTHERS: u64 = 200;
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let waker = wakes.waker();
    // If the machine is busy, the future's timer may be due before the thread drives at all.
    while wakes.count() < OTHERS as usize {
        let polls = block_on(async {
            // Another task's, on this thread's shard.
            let other = |index| armed(&waker, || Timer::after(Duration::from_micros(100 * index)));
            let _others: Vec<_> = (1..=OTHERS).map(other).collect();
            let mut timer = Timer::after(40 * MS);
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                timer.poll(cx)
            })
            .await;
            polls
        });
        // A few polls more than needed are nothing to worry about.
        assert!(polls < 20, "{polls} polls for {} wakes of another", wakes.count());
    }
}

/// Wakers that outlive their calls, nested ones among them, are woken all the time while later
/// calls run on the same thread.
#[test]
fn stale_waker_does_not_wake_later_calls() {
    let _watchdog = watchdog();
    let outer_kept = block_on(own_waker());
    let (nested_kept, kept) = block_on(async { (block_on(own_waker()), own_waker().await) });
    let stop = &AtomicBool::new(false);
    let kept = [outer_kept, nested_kept, kept];
    thread::scope(|scope| {
        let _stop = StopOnDrop(stop);
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                for waker in &kept {
                    waker.wake_by_ref();
                    let another = waker.clone();
                    another.wake();
                }
                thread::yield_now();
            }
        });
        let polls: usize = (0..20).map(|_| polls_until(Timer::after(MS))).sum();
        // Two each, and some to spare: a poll more than needed is nothing to worry about.
        assert!(polls < 100, "{polls} polls: another call's waker woke");
    });
    drop(kept);
    block_on(in_time("a call after all were dropped", Timer::after(MS)));
}

/// A future that is ready in the very poll in which it was woken leaves a wake over.
#[test]
fn unused_wake_does_not_reach_the_next_call() {
    let _watchdog = watchdog();
    let mut polls = 0;
    for _ in 0..100 {
        block_on(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        }));
        polls += polls_until(Timer::after(Duration::from_micros(200)));
    }
    // Two each; a third in each would be the one left over.
    assert!(polls < 270, "{polls} polls");
}

#[test]
fn a_waker_outlives_its_thread_harmlessly() {
    let _watchdog = watchdog();
    let waker = thread::spawn(|| block_on(own_waker())).join().unwrap();
    waker.wake_by_ref();
    block_on(in_time("a timer after it", Timer::after(MS)));
    waker.wake();
}

/// A nested call neither takes the wakes of the outer one nor adds to them, and the other way
/// round.
#[test]
fn nested_calls_keep_their_wakes_apart() {
    let _watchdog = watchdog();
    let outer_polls = Cell::new(0);
    let mut done = false;
    block_on(poll_fn(|outer| {
        outer_polls.set(outer_polls.get() + 1);
        if done {
            return Poll::Ready(());
        }
        let mut timer = Timer::after(5 * MS);
        let mut first = true;
        block_on(poll_fn(|inner| {
            assert!(!inner.waker().will_wake(outer.waker()), "two calls, one waker");
            if std::mem::take(&mut first) {
                // For the outer call, which cannot use it before the inner one is done.
                outer.waker().wake_by_ref();
            }
            timer.poll(inner)
        }));
        done = true;
        Poll::Pending
    }));
    assert_eq!(outer_polls.get(), 2, "the wake that came during the inner call");

    // The other way round: the inner call's waker, used after its end, is not the outer's.
    let mut timer = Timer::after(5 * MS);
    outer_polls.set(0);
    block_on(poll_fn(|cx| {
        outer_polls.set(outer_polls.get() + 1);
        block_on(own_waker()).wake();
        timer.poll(cx)
    }));
    assert!(outer_polls.get() < 20, "{} polls", outer_polls.get());
}

#[test]
fn timers_fire_at_each_level_of_nested_calls() {
    let _watchdog = watchdog();
    fn level(depth: u32) -> u32 {
        block_on(async {
            let mut mine = Timer::after(3 * MS);
            let _ = future::poll_once(&mut mine).await;
            let below = if depth == 0 { 0 } else { level(depth - 1) };
            in_time("this level's timer", &mut mine).await;
            in_time("a new one", Timer::after(MS)).await;
            below + 1
        })
    }
    assert_eq!(level(20), 21);
}

/// A future that panics, at once, after a sleep, or in a nested call, releases the seat: its own
/// thread and the others go on.
#[test]
fn panicking_future_leaves_all_threads_usable() {
    let _watchdog = watchdog();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            block_on(async {
                for _ in 0..30 {
                    in_time("a timer beside one that panics", Timer::after(MS)).await;
                }
            });
        });
        for _ in 0..10 {
            let at_once = catch_unwind(|| block_on(async { panic!("at once") }));
            assert!(at_once.is_err());
            let later = catch_unwind(|| {
                block_on(async {
                    Timer::after(MS).await;
                    panic!("after a sleep");
                });
            });
            assert!(later.is_err());
            // A panic in an inner call goes no further than whoever catches it.
            block_on(async {
                let inner = catch_unwind(|| block_on(async { panic!("inside") }));
                assert!(inner.is_err());
                in_time("the outer call's timer", Timer::after(MS)).await;
            });
        }
        other.join().unwrap();
    });
}

/// A driver wakes a waker that itself calls `block_on` and waits for a timer there.
#[test]
fn waker_that_calls_block_on_is_driven() {
    let _watchdog = watchdog();
    let blocks = Wakes::calling(|| _ = block_on(Timer::after(MS)));
    let waker = blocks.waker();
    let timers = block_on(async {
        let mut timers: Vec<_> = (1..20).map(|ms| Timer::after(ms * MS)).collect();
        let waiting = timers.iter_mut().map(|timer| poll_with(&waker, timer));
        let waiting = waiting.filter(Poll::is_pending).count();
        in_time("a timer beside such wakers", Timer::after(25 * MS)).await;
        (timers, waiting)
    });
    blocks.wait_for(timers.1);
}

/// Many more threads than shards enter `block_on` at once, and wake each other.
#[test]
fn hundreds_of_threads_get_timers_and_wakes() {
    let _watchdog = watchdog();
    const THREADS: usize = 256;
    let barrier = Barrier::new(THREADS);
    let flags: Vec<_> =
        (0..THREADS).map(|_| (AtomicBool::new(false), Mutex::new(None::<Waker>))).collect();
    thread::scope(|scope| {
        for index in 0..THREADS {
            let (barrier, flags) = (&barrier, &flags);
            let run = move || {
                barrier.wait();
                block_on(async {
                    for round in 1..4 {
                        Timer::after(round * MS).await;
                        let (flag, waker) = &flags[(index + 1) % THREADS];
                        flag.store(true, Ordering::SeqCst);
                        if let Some(waker) = &*waker.lock().unwrap() {
                            waker.wake_by_ref();
                        }
                    }
                    let (flag, waker) = &flags[index];
                    flagged(flag, waker).await;
                });
            };
            thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, run).unwrap();
        }
    });
}

/// Calls `block_on` when the thread's locals are destroyed.
struct Last(mpsc::Sender<bool>);

impl Drop for Last {
    fn drop(&mut self) {
        let start = Instant::now();
        block_on(async {
            let mut kept = Timer::after(MS);
            let _ = future::poll_once(&mut kept).await;
            block_on(Timer::after(MS));
            kept.await;
        });
        self.0.send(start.elapsed() >= MS).unwrap();
    }
}

/// When the library's locals are used first: before those of the test, after them, or not at all
/// until they are destroyed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    OursFirst,
    OursLast,
    Unused,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    static TIMER: RefCell<Option<Timer>> = const { RefCell::new(None) };
}

/// The thread's locals, the library's among them, are destroyed in an order that depends on which
/// was used first.
#[test]
fn block_on_works_while_thread_locals_are_destroyed() {
    let _watchdog = watchdog();
    // Locals are destroyed in an order that depends on which was used first.
    for order in [Order::Unused, Order::OursFirst, Order::OursLast] {
        let (send, receive) = mpsc::channel();
        let thread = thread::spawn(move || {
            if order == Order::OursFirst {
                block_on(Timer::after(MS));
            }
            LAST.with(|last| last.replace(Some(Last(send))));
            // A registered timer among the locals is dropped somewhere in between.
            TIMER.with(|local| {
                let mut timer = Timer::after(HOUR);
                assert!(poll_with(Waker::noop(), &mut timer).is_pending());
                local.replace(Some(timer));
            });
            if order == Order::OursLast {
                block_on(Timer::after(MS));
            }
        });
        thread.join().unwrap();
        assert_eq!(receive.recv(), Ok(true), "{order:?}");
    }
}

/// `thread::park` belongs to the user: `block_on` must not take its token, nor leave one.
#[test]
fn unpark_tokens_are_neither_taken_nor_left() {
    let _watchdog = watchdog();
    // Taken: a token that is there before must be there after.
    thread::current().unpark();
    block_on(Timer::after(5 * MS));
    let start = Instant::now();
    thread::park_timeout(Duration::from_secs(30));
    assert!(start.elapsed() < Duration::from_secs(15), "block_on took the token");

    // Left: being woken leaves none. Parking may end for no reason, so it gets some tries.
    let slept = (0..5).any(|_| {
        let (send, receive) = mpsc::channel::<Waker>();
        let waker = thread::spawn(move || {
            let waker = receive.recv().unwrap();
            thread::sleep(5 * MS);
            waker.wake();
        });
        block_on_until_woken(&send);
        let start = Instant::now();
        thread::park_timeout(50 * MS);
        let slept = start.elapsed() >= 45 * MS;
        // Joining may park and unpark this thread; so it comes last.
        waker.join().unwrap();
        slept
    });
    assert!(slept, "block_on left a token");
}

/// Somebody else unparks the thread, which sleeps in `block_on`, again and again.
#[test]
fn foreign_unpark_does_not_poll_the_future() {
    let _watchdog = watchdog();
    let me = thread::current();
    let stop = &AtomicBool::new(false);
    let polls = thread::scope(|scope| {
        let _stop = StopOnDrop(stop);
        scope.spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                me.unpark();
                thread::sleep(Duration::from_micros(100));
            }
        });
        polls_until(Timer::after(20 * MS))
    });
    assert!(polls < 20, "{polls} polls: somebody else's unpark woke the future");
}

/// A timer and a wait that are dropped inside a call before they are ready: nothing keeps their
/// waker, and nothing wakes it.
#[test]
fn futures_dropped_unfinished_leave_no_waker() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    // Longer there than the future, so that a wait for it could stay.
    let source = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
    block_on(async {
        let mut hour = Timer::after(HOUR);
        assert!(poll_with(&wakes.waker(), &mut hour).is_pending());
        assert!(poll_with(&wakes.waker(), &mut source.readable()).is_pending());
    });
    assert_eq!(Arc::strong_count(&wakes), 1, "somebody still holds the waker");
    assert_eq!(wakes.count(), 0);
}
