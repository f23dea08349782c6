//! Wakers that block, or call `block_on`, on the fallback thread: threads in `block_on` go on
//! without it. And such that block a thread in `block_on`: its shard goes on without that. In
//! processes of their own: they keep the fallback thread busy.

mod common;

use std::net::UdpSocket;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;

use async_wheel::{Async, Timer, block_on, diagnostics};
use common::{
    HOUR, MS, Wakes, armed, eventually, in_time, poll_with, process,
    sockets::{LOOPBACK, udp},
    watchdog,
};
use futures_lite::future;

/// Blocks the thread that wakes its waker until it is released.
#[derive(Clone, Default)]
struct Blocks(Arc<State>);

#[derive(Default)]
struct State {
    /// The thread that is blocked.
    blocked: Mutex<Option<ThreadId>>,
    released: Mutex<bool>,
    signal: Condvar,
}

impl Blocks {
    fn waker(&self) -> Waker {
        let state = self.0.clone();
        let block = move || {
            *state.blocked.lock().unwrap() = Some(thread::current().id());
            let released = state.released.lock().unwrap();
            drop(state.signal.wait_while(released, |released| !*released).unwrap());
        };
        Wakes::calling(block).waker()
    }

    /// Waits until a thread is blocked, and returns which.
    fn blocked(&self) -> ThreadId {
        let blocked = || *self.0.blocked.lock().unwrap();
        eventually("a thread is blocked", || blocked().is_some());
        blocked().unwrap()
    }

    fn release(&self) {
        *self.0.released.lock().unwrap() = true;
        self.0.signal.notify_all();
    }
}

/// Blocks the fallback thread. The timer that does it goes with the result.
fn block_the_fallback(due: Duration) -> (Blocks, Timer) {
    let blocks = Blocks::default();
    let timer = armed(&blocks.waker(), || Timer::after(due));
    blocks.blocked();
    (blocks, timer)
}

/// A waker blocks the fallback thread: threads in `block_on` go on, and the timer itself can be set
/// and dropped.
#[test]
fn blocking_waker_delays_only_its_thread() {
    process::alone(|| {
        let (blocks, mut timer) = block_the_fallback(20 * MS);
        // A thread in `block_on` goes on, on the very same shard if there is no other.
        for _ in 0..4 {
            let thread = thread::spawn(|| {
                block_on(async {
                    for _ in 0..5 {
                        in_time("a timer beside a blocked fallback", Timer::after(MS)).await;
                        let (source, address) = udp();
                        source.send_to(b"go on", address).await.unwrap();
                        in_time("a source beside a blocked fallback", source.readable())
                            .await
                            .unwrap();
                    }
                });
            });
            thread.join().unwrap();
        }
        // Timers can be set and dropped meanwhile, the stuck one too.
        timer.set_after(MS);
        drop(timer);
        blocks.release();
        future::block_on(in_time("the fallback is back", Timer::after(MS)));
    });
}

/// A waker blocks the fallback thread. When a driver's call ends, a follower of its shard must be
/// promoted by it: nobody else will.
#[test]
fn followers_take_over_while_fallback_is_blocked() {
    process::alone(|| {
        let (blocks, timer) = block_the_fallback(10 * MS);
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
    });
}

/// A waker calls `block_on`, and again in there, on the fallback thread, which never ends and would
/// keep a home shard for good.
#[test]
fn block_on_on_the_fallback_assigns_no_home() {
    process::alone(|| {
        // Two shards at least, if there are two processors.
        let stays = thread::spawn(|| block_on(Timer::after(20 * MS)));
        block_on(Timer::after(MS));
        stays.join().unwrap();
        let calls = Wakes::calling(|| {
            assert_eq!(thread::current().name(), Some("async-wheel"));
            block_on(async {
                Timer::after(MS).await;
                block_on(Timer::after(MS));
            });
        });
        for round in 1..=5 {
            let _timer = armed(&calls.waker(), || Timer::after(5 * MS));
            calls.wait_for(round);
        }
        // This thread and that one are assigned to shards; threads that have ended are released,
        // and the fallback thread never ends.
        let reports = thread::spawn(|| block_on(async { diagnostics::shards() })).join().unwrap();
        assert_eq!(reports.iter().map(|report| report.threads).sum::<usize>(), 2, "{reports:#?}");
    });
}

/// A waker blocks a thread in `block_on` whose round it is: all that comes after that round, on its
/// shard and on others, goes on.
#[test]
fn blocked_driver_delays_no_later_round() {
    process::alone(|| {
        for by in [BlockedBy::Timer, BlockedBy::Socket] {
            // The fallback may have been there first: then it is the one that is blocked.
            let hit = (0..50).any(|_| is_blocked_in_block_on(by));
            assert!(hit, "a thread in block_on was never blocked by a {by:?}");
        }
    });
}

/// What a blocking waker waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum BlockedBy {
    Timer,
    Socket,
}

/// Has a waker block, for a timer or a socket of a thread that is in `block_on`. Returns `true` if
/// it was that thread that got blocked; then all else of its shard and of others went on.
fn is_blocked_in_block_on(by: BlockedBy) -> bool {
    let bind = || UdpSocket::bind(LOOPBACK).unwrap();
    let blocks = Blocks::default();
    let (wakes, peer) = (Wakes::new(), bind());
    let sockets = [bind(), bind()];
    let [hostile, good] = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let (send, receive) = mpsc::channel();
    let (stay, until) = async_channel::bounded::<()>(1);
    let thread = thread::spawn({
        let (blocking, waker) = (blocks.waker(), wakes.waker());
        move || {
            // What is made in here belongs to this thread's shard.
            block_on(async {
                let [hostile, good] = sockets.map(|socket| Async::new(socket).unwrap());
                let mut waits = [good.readable(), hostile.readable()];
                assert!(poll_with(&waker, &mut waits[0]).is_pending());
                send.send(armed(&waker, || Timer::after(HOUR))).unwrap();
                let mut timer = Timer::never();
                if by == BlockedBy::Timer {
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
    if by == BlockedBy::Socket {
        thread::sleep(5 * MS);
        peer.send_to(b"block", hostile).unwrap();
    }
    let hit = blocks.blocked() == thread.thread().id();
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
    let _watchdog = watchdog();
    // Drives the shard of the thread that wakes it.
    let drives = Wakes::calling(|| _ = block_on(Timer::after(MS)));
    block_on(in_time("a busy thread", async {
        let waker = drives.waker();
        let timers: Vec<_> =
            (0..20).map(|index| armed(&waker, || Timer::after((5 + index) * MS))).collect();
        while drives.count() < timers.len() {
            future::yield_now().await;
        }
    }));
}

/// Threads share a shard that nothing else can drive: the driver's future panics. A follower is
/// promoted, and the thread that panicked does not count as awake.
#[test]
fn panicking_future_promotes_a_follower() {
    process::alone(|| {
        let (blocks, timer) = block_the_fallback(10 * MS);
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
