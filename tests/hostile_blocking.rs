//! Wakers that block, or call `block_on`, on the fallback thread: threads in `block_on` do
//! without it. And such that block a thread in `block_on`: its shard does without that. In
//! processes of their own: they keep the fallback thread busy.

mod common;

use std::net::UdpSocket;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::{Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use async_wheel::{Async, Timer, block_on, diagnostics};
use common::{Wakes, armed, eventually, in_time, poll_with, process, watchdog};
use futures_lite::future;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Blocks the thread that wakes it until it is released.
#[derive(Default)]
struct Blocks {
    calls: AtomicUsize,
    /// Which thread that is.
    blocked: Mutex<Option<ThreadId>>,
    released: Mutex<bool>,
    signal: Condvar,
}

impl Blocks {
    fn release(&self) {
        *self.released.lock().unwrap() = true;
        self.signal.notify_all();
    }
}

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        *self.blocked.lock().unwrap() = Some(thread::current().id());
        self.calls.fetch_add(1, Ordering::SeqCst);
        let released = self.released.lock().unwrap();
        drop(self.signal.wait_while(released, |released| !*released).unwrap());
    }
}

/// A waker blocks the fallback thread. When a driver's call ends, a follower of its shard must be
/// promoted by it: nobody else will.
#[test]
fn followers_take_over_while_fallback_is_blocked() {
    let name = "followers_take_over_while_fallback_is_blocked";
    process::alone(name, take_over_from_one_another);
}

fn take_over_from_one_another() {
    let _watchdog = watchdog();
    let blocks = Arc::new(Blocks::default());
    let timer = armed(&Waker::from(blocks.clone()), || Timer::after(10 * MS));
    eventually("the fallback is blocked", || blocks.calls.load(Ordering::SeqCst) == 1);
    // More threads than shards. Those that drive are done first, one after the other.
    let shards = thread::available_parallelism().map_or(1, usize::from);
    let threads: Vec<_> = (0..4 * shards as u32)
        .map(|index| {
            let thread = thread::spawn(move || {
                for round in 1..4 {
                    let wait = Timer::after((20 + 5 * index) * round * MS);
                    block_on(in_time("a timer while the fallback is blocked", wait));
                }
            });
            // In an order, so that each shard's first thread is its driver.
            thread::sleep(MS);
            thread
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(thread::JoinHandle::join).collect();
    blocks.release();
    assert!(results.iter().all(Result::is_ok));
    drop(timer);
    future::block_on(in_time("the fallback is back", Timer::after(MS)));
}

/// A waker calls `block_on`, and again in there, on the fallback thread, which never ends and would
/// keep a home shard for good.
#[test]
fn block_on_on_the_fallback_assigns_no_home() {
    process::alone(
        "block_on_on_the_fallback_assigns_no_home",
        calls_block_on_on_the_fallback_thread,
    );
}

fn calls_block_on_on_the_fallback_thread() {
    let _watchdog = watchdog();
    struct Calls(AtomicUsize);
    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            assert_eq!(thread::current().name(), Some("async-wheel"));
            block_on(async {
                Timer::after(MS).await;
                block_on(Timer::after(MS));
            });
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    // Two shards at least, if there are two processors.
    let stays = thread::spawn(|| block_on(Timer::after(20 * MS)));
    block_on(Timer::after(MS));
    stays.join().unwrap();
    let calls = Arc::new(Calls(AtomicUsize::new(0)));
    for round in 1..=5 {
        let _timer = armed(&Waker::from(calls.clone()), || Timer::after(5 * MS));
        eventually("its waker was called", || calls.0.load(Ordering::SeqCst) == round);
    }
    // This thread and that one have homes; those of threads that are gone are given up, and
    // the fallback never goes.
    let reports = thread::spawn(|| block_on(async { diagnostics::shards() })).join().unwrap();
    assert_eq!(reports.iter().map(|report| report.threads).sum::<usize>(), 2, "{reports:#?}");
}

/// A waker blocks a thread in `block_on` whose round it is: all that comes after that round, on its
/// shard and on others, goes on.
#[test]
fn blocked_driver_delays_no_later_round() {
    process::alone("blocked_driver_delays_no_later_round", || {
        let _watchdog = watchdog();
        for by_timer in [true, false] {
            // The fallback may have been there first: then it is the one that is blocked.
            let hit = (0..50).any(|_| is_blocked_in_block_on(by_timer));
            assert!(hit, "a thread in block_on was never blocked (by a timer: {by_timer})");
        }
    });
}

/// Has a waker block, a timer's or a source's of a thread that is in `block_on`. Whether it was
/// that thread that got blocked; then everybody else of its shard and of others went on.
fn is_blocked_in_block_on(by_timer: bool) -> bool {
    let bind = || UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let blocks = Arc::new(Blocks::default());
    let (wakes, peer) = (Wakes::new(), bind());
    let sockets = [bind(), bind()];
    let [hostile, good] = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let (send, receive) = mpsc::channel();
    let (stay, until) = async_channel::bounded::<()>(1);
    let thread = thread::spawn({
        let (blocking, waker) = (Waker::from(blocks.clone()), wakes.waker());
        move || {
            // What is made in here belongs to this thread's shard.
            block_on(async {
                let [hostile, good] = sockets.map(|socket| Async::new(socket).unwrap());
                let mut waits = [good.readable(), hostile.readable()];
                assert!(poll_with(&waker, &mut waits[0]).is_pending());
                send.send(armed(&waker, || Timer::after(HOUR))).unwrap();
                let mut timer = Timer::never();
                if by_timer {
                    timer = armed(&blocking, || Timer::after(20 * MS));
                } else {
                    assert!(poll_with(&blocking, &mut waits[1]).is_pending());
                }
                let _ = until.recv().await;
                drop(timer);
            });
        }
    });
    let mut timer = receive.recv().unwrap();
    if !by_timer {
        thread::sleep(5 * MS);
        peer.send_to(b"block", hostile).unwrap();
    }
    eventually("somebody is blocked", || blocks.calls.load(Ordering::SeqCst) == 1);
    let hit = *blocks.blocked.lock().unwrap() == Some(thread.thread().id());
    if hit {
        // Its shard's source and timer, those of the first shard, and threads of all shards.
        peer.send_to(b"go on", good).unwrap();
        timer.set_after(5 * MS);
        wakes.wait_for(2);
        future::block_on(in_time("a timer of no thread in block_on", Timer::after(MS)));
        let shards = thread::available_parallelism().map_or(1, usize::from);
        let wait = || block_on(in_time("another thread in block_on", Timer::after(5 * MS)));
        let others: Vec<_> = (0..2 * shards).map(|_| thread::spawn(wait)).collect();
        for other in others {
            other.join().unwrap();
        }
    }
    blocks.release();
    drop(stay);
    thread.join().unwrap();
    hit
}

/// Its future has always more to do, so that the thread does its rounds without going to sleep.
#[test]
fn busy_driver_wakes_outside_the_seat() {
    /// Drives the shard of the thread that wakes it.
    struct Drives(AtomicUsize);
    impl Wake for Drives {
        fn wake(self: Arc<Self>) {
            block_on(Timer::after(MS));
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let _watchdog = watchdog();
    let drives = Arc::new(Drives(AtomicUsize::new(0)));
    block_on(in_time("a busy thread", async {
        let waker = Waker::from(drives.clone());
        let timers: Vec<_> =
            (0..20).map(|index| armed(&waker, || Timer::after((5 + index) * MS))).collect();
        while drives.0.load(Ordering::SeqCst) < timers.len() {
            future::yield_now().await;
        }
    }));
}

/// Threads that share a shard, while nobody but they can drive it: the one who does is ended by a
/// panic. Another takes over, and the thread counts as asleep.
#[test]
fn panicking_future_promotes_a_follower() {
    process::alone("panicking_future_promotes_a_follower", || {
        let _watchdog = watchdog();
        let blocks = Arc::new(Blocks::default());
        let timer = armed(&Waker::from(blocks.clone()), || Timer::after(10 * MS));
        eventually("the fallback is blocked", || blocks.calls.load(Ordering::SeqCst) == 1);
        let shards = thread::available_parallelism().map_or(1, usize::from);
        // The first of each shard drives it, and panics while the others are parked.
        let threads: Vec<_> = (0..3 * shards)
            .map(|index| {
                let thread = thread::spawn(move || {
                    let drives = index < shards;
                    let call = || {
                        block_on(in_time("a timer of one that is parked", async {
                            Timer::after(if drives { 60 * MS } else { 120 * MS }).await;
                            if drives {
                                resume_unwind(Box::new("the driver's future"));
                            }
                        }));
                    };
                    assert_eq!(catch_unwind(call).is_err(), drives);
                });
                thread::sleep(2 * MS);
                thread
            })
            .collect();
        let results: Vec<_> = threads.into_iter().map(thread::JoinHandle::join).collect();
        let awake: usize = diagnostics::shards().iter().map(|shard| shard.awake).sum();
        blocks.release();
        assert!(results.iter().all(Result::is_ok), "not all of them ended");
        assert_eq!(awake, 0, "threads that are gone count as awake");
        drop(timer);
    });
}
