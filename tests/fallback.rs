//! The fallback thread: progress without a `block_on` of ours, or while the threads in it are busy.

mod common;

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_wheel::{Async, Timer, block_on};
use common::{
    Control, HOUR, MS, PATIENCE, Wakes, armed, in_time, poll_with, process,
    sockets::{LOOPBACK, plain_tcp_pair, tcp_pair, udp},
    watchdog,
};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

/// How late the fallback thread services the shard of a busy thread at most: two of its longest
/// backoffs of 4 ms, and an unpark.
const BOUND: Duration = Duration::from_millis(10);

/// Keeps this thread busy until the waker was woken, and tells when that was.
#[track_caller]
fn compute_until_woken(wake: &Wakes, what: &str) -> Instant {
    let start = Instant::now();
    loop {
        if let Some(at) = wake.first() {
            return at;
        }
        assert!(start.elapsed() < PATIENCE, "{what} waits for a busy thread");
        std::hint::spin_loop();
    }
}

/// Most tries stay within the bound, or three times what a control thread is late by meanwhile: the
/// fallback sleeps twice and is woken twice in that time, as late as others are.
#[track_caller]
fn within_bound(what: &str, mut lateness: impl FnMut() -> Duration) {
    const TRIES: usize = 11;
    let mut late = Vec::new();
    for _ in 0..TRIES {
        let control = Control::start();
        let (time, noise) = (lateness(), control.latest());
        if time > BOUND.max(3 * noise) {
            late.push((time, noise));
        }
        // Not later: a try may take as long as a test has patience.
        assert!(late.len() <= TRIES / 2, "{what}, and the control thread, were late by {late:?}");
    }
}

async fn echo_over_tcp() {
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 64];
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => return,
                length => stream.write_all(&buffer[..length]).await.unwrap(),
            }
        }
    };
    let client = async {
        let mut stream = Async::<TcpStream>::connect(address).await.unwrap();
        for round in 0..50u8 {
            stream.write_all(&[round; 16]).await.unwrap();
            let mut heard = [0; 16];
            stream.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, [round; 16]);
        }
    };
    future::zip(server, client).await;
}

/// No thread is in this crate's `block_on`.
#[test]
fn fallback_drives_without_any_block_on() {
    let _watchdog = watchdog();
    future::block_on(async {
        for _ in 0..10 {
            in_time("a timer", Timer::after(MS)).await;
        }
        in_time("an echo", echo_over_tcp()).await;
    });
}

/// An executor's threads wait in another crate's `block_on`.
#[test]
fn fallback_drives_for_an_executors_threads() {
    let _watchdog = watchdog();
    let executor = Executor::new();
    let done = AtomicBool::new(false);
    let wakers = Mutex::new(Vec::<Waker>::new());
    let until_done = || {
        poll_fn(|cx| {
            wakers.lock().unwrap().push(cx.waker().clone());
            if done.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| future::block_on(executor.run(until_done())));
        }
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                executor.spawn(async {
                    in_time("a timer", Timer::after(2 * MS)).await;
                    in_time("an echo", echo_over_tcp()).await;
                })
            })
            .collect();
        future::block_on(async {
            for task in tasks {
                task.await;
            }
        });
        done.store(true, Ordering::SeqCst);
        wakers.lock().unwrap().drain(..).for_each(Waker::wake);
    });
}

/// A waker that belongs to no executor, and a thread that drives nothing.
#[test]
fn source_wakes_a_waker_of_no_executor() {
    let _watchdog = watchdog();
    let (receiver, address) = udp();
    let wakes = Wakes::new();
    let mut readable = receiver.readable();
    assert!(poll_with(&wakes.waker(), &mut readable).is_pending());
    thread::spawn(move || {
        let sender = UdpSocket::bind(LOOPBACK).unwrap();
        sender.send_to(b"there", address).unwrap();
    });
    wakes.wait_for(1);
    assert!(poll_with(&wakes.waker(), &mut readable).is_ready());
}

/// Whoever drives sleeps until a deadline in an hour when an earlier one is inserted.
#[test]
fn earlier_deadline_notifies_a_sleeping_reactor() {
    let _watchdog = watchdog();
    let far = Wakes::new();
    let _later = armed(&far.waker(), || Timer::after(HOUR));
    for round in 0..10 {
        // The driver has gone to sleep by now, for an hour.
        thread::sleep(if round < 3 { 30 * MS } else { round * MS });
        let near = thread::spawn(|| {
            let wakes = Wakes::new();
            let mut timer = armed(&wakes.waker(), || Timer::after(2 * MS));
            wakes.wait_for(1);
            assert!(poll_with(&wakes.waker(), &mut timer).is_ready());
        });
        near.join().unwrap();
    }
    assert_eq!(far.count(), 0);
}

/// A driver sleeps in its poller when a thread outside of its shard sets one of the shard's timers
/// to an earlier deadline.
#[test]
fn earlier_deadline_from_outside_notifies_the_driver() {
    let _watchdog = watchdog();
    let (send, receive) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        let wakes = Wakes::new();
        block_on(async {
            // Is armed on the sleeper's shard, and is then given away.
            let mut timer = Timer::after(HOUR);
            assert!(poll_with(&wakes.waker(), &mut timer).is_pending());
            send.send((timer, wakes)).unwrap();
            Timer::after(300 * MS).await;
        });
    });
    let (mut timer, wakes) = receive.recv().unwrap();
    for round in 1..=5 {
        thread::sleep(20 * MS);
        timer.set_after(2 * MS);
        wakes.wait_for(round);
    }
    assert!(poll_with(&wakes.waker(), &mut timer).is_ready());
    sleeper.join().unwrap();
}

/// A thread in `block_on` computes while a timer of its shard comes due: the fallback thread
/// services the shard.
#[test]
fn computing_driver_delays_timers_by_bounded_time() {
    process::alone(|| {
        within_bound("a timer of a busy thread", || {
            block_on(async {
                let due = Instant::now() + 20 * MS;
                let mut timer = Timer::at(due);
                let wake = Wakes::new();
                // Sleeps once before, so that the shard is known to have a driver.
                Timer::after(MS).await;
                if poll_with(&wake.waker(), &mut timer).is_ready() {
                    return Duration::ZERO;
                }
                compute_until_woken(&wake, "a timer").saturating_duration_since(due)
            })
        });
    });
}

/// A thread in `block_on` computes while something comes for a source of its shard: the fallback
/// thread services the shard.
#[test]
fn computing_driver_delays_io_by_bounded_time() {
    process::alone(|| {
        let sender = UdpSocket::bind(LOOPBACK).unwrap();
        within_bound("I/O of a busy thread", || {
            block_on(async {
                let (receiver, address) = udp();
                Timer::after(MS).await;
                let wake = Wakes::new();
                let mut readable = pin!(receiver.readable());
                let waker = wake.waker();
                assert!(readable.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                let start = Instant::now();
                // Computes for a while before something comes.
                while start.elapsed() < 20 * MS {
                    std::hint::spin_loop();
                }
                let sent = Instant::now();
                sender.send_to(b"there", address).unwrap();
                compute_until_woken(&wake, "I/O").saturating_duration_since(sent)
            })
        });
    });
}

/// A future blocks its thread until a timer of the shard has fired, and lets the thread drive in
/// between.
#[test]
fn fallback_services_blocked_driver_each_time() {
    let _watchdog = watchdog();
    block_on(async {
        for round in 1..=20 {
            let wakes = Wakes::new();
            let _timer = armed(&wakes.waker(), || Timer::after((1 + round % 7) * MS));
            // This blocks the thread, which cannot drive meanwhile.
            wakes.wait_for(1);
            // And in between it drives itself.
            Timer::after(MS).await;
        }
    });
}

/// The last thread of a shard ends and leaves a timer and a source there.
#[test]
fn fallback_services_shard_without_threads() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let waker = wakes.waker();
    let (mut timer, source, mut peer) = thread::spawn(move || {
        block_on(async {
            let timer = armed(&waker, || Timer::after(30 * MS));
            let (stream, peer) = tcp_pair();
            (timer, stream, peer)
        })
    })
    .join()
    .unwrap();
    wakes.wait_for(1);
    assert!(poll_with(&wakes.waker(), &mut timer).is_ready());

    let wakes = Wakes::new();
    let mut readable = source.readable();
    assert!(poll_with(&wakes.waker(), &mut readable).is_pending());
    peer.write_all(b"still here?").unwrap();
    wakes.wait_for(1);
    assert!(source.get_ref().read(&mut [0; 64]).unwrap() > 0);
}

/// More threads than shards: followers are parked while another thread drives for them, and leaves.
#[test]
fn followers_go_on_when_the_driver_leaves() {
    let _watchdog = watchdog();
    // More threads than shards: some park while another drives for them.
    thread::scope(|scope| {
        for index in 0..16u32 {
            scope.spawn(move || {
                block_on(async {
                    for round in 0..20 {
                        let distance = Duration::from_micros(u64::from(300 + index * 37 + round));
                        in_time("a follower's timer", Timer::after(distance)).await;
                        if (index + round) % 5 == 0 {
                            thread::sleep(MS);
                        }
                    }
                });
                // And gone, at a different moment each.
            });
        }
    });
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the names of threads are looked up in /proc")]
fn one_fallback_thread_has_the_crates_name() {
    let _watchdog = watchdog();
    future::block_on(Timer::after(MS));
    block_on(Timer::after(MS));
    #[cfg(target_os = "linux")]
    common::eventually("there is one fallback thread", || {
        common::threads::named("async-wheel").len() == 1
    });
}

/// A thread blocks inside `block_on`. Sources that are made outside of it live in the same, the
/// first, shard: their round trips must not take a backoff each.
#[test]
fn blocked_driver_does_not_slow_others_io() {
    process::alone(|| {
        const FAST: usize = 100;
        let (blocks, is_blocked) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let blocked = thread::spawn(move || {
            block_on(async {
                Timer::after(MS).await;
                blocks.send(()).unwrap();
                let _ = released.recv();
            });
        });
        is_blocked.recv().unwrap();
        let (server, client) = plain_tcp_pair();
        let (mut client, mut server) = (Async::new(client).unwrap(), Async::new(server).unwrap());
        let serves = thread::spawn(move || {
            future::block_on(async {
                let mut byte = [0];
                while let Ok(1) = server.read(&mut byte).await {
                    server.write_all(&byte).await.unwrap();
                }
            });
        });
        // One step a backoff would be two backoffs a round trip, 2 ms at least. A busy machine makes
        // many as slow, but not all.
        let (mut fast, mut slow) = (0, 0);
        future::block_on(async {
            let begin = Instant::now();
            while fast < FAST && begin.elapsed() < PATIENCE {
                let start = Instant::now();
                client.write_all(b"x").await.unwrap();
                client.read_exact(&mut [0]).await.unwrap();
                *(if start.elapsed() < MS { &mut fast } else { &mut slow }) += 1;
            }
        });
        drop(client);
        drop(release);
        serves.join().unwrap();
        blocked.join().unwrap();
        assert!(fast == FAST, "of {} round trips {fast} took less than 1 ms", fast + slow);
    });
}

/// What a round of the fallback thread leaves in the poller makes no edge: it has to look again.
#[cfg(target_os = "linux")]
#[test]
fn more_events_than_a_round_takes_are_noticed() {
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::process::{Resource, getrlimit, setrlimit};

    const SOURCES: usize = 1_100;

    /// Keeps the fallback thread until all sources are ready.
    struct Blocks {
        entered: mpsc::Sender<()>,
        go_on: Mutex<mpsc::Receiver<()>>,
    }

    impl Wake for Blocks {
        fn wake(self: Arc<Self>) {
            self.entered.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
    }

    process::alone(|| {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum.map_or(Some(4_096), |most| Some(most.min(4_096)));
        setrlimit(Resource::Nofile, limit).unwrap();
        let wakes = Wakes::new();
        let waker = wakes.waker();
        let source = |_| {
            let source = Async::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap()).unwrap();
            assert!(source.poll_readable(&mut Context::from_waker(&waker)).is_pending());
            source
        };
        let sources: Vec<_> = (0..SOURCES).map(source).collect();
        let (entered, has_entered) = mpsc::channel();
        let (release, go_on) = mpsc::channel();
        let blocks = Waker::from(Arc::new(Blocks { entered, go_on: Mutex::new(go_on) }));
        let _timer = armed(&blocks, || Timer::after(MS));
        has_entered.recv_timeout(PATIENCE).unwrap();
        for source in &sources {
            rustix::io::write(source.get_ref(), &1u64.to_ne_bytes()).unwrap();
        }
        release.send(()).unwrap();
        wakes.wait_for(SOURCES);
    });
}

/// While a thread drives, the fallback thread takes its shard's poller out of its own. It has to put
/// that back.
#[test]
fn event_after_a_driver_has_left_is_noticed() {
    process::alone(|| {
        for _ in 0..5 {
            let (ours, mut peer) = tcp_pair();
            let wakes = Wakes::new();
            let waker = wakes.waker();
            assert!(ours.poll_readable(&mut Context::from_waker(&waker)).is_pending());
            block_on(async {
                for _ in 0..10 {
                    Timer::after(2 * MS).await;
                }
            });
            // Until the fallback thread has the shard for itself, and is asleep.
            thread::sleep(30 * MS);
            peer.write_all(b"!").unwrap();
            wakes.wait_for(1);
        }
    });
}
