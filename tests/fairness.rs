//! How much one kind of work may hold up another: storms of timers and of I/O, threads that
//! compute, and very many threads. What can be counted is counted; where time is measured, a
//! control in the same run says how busy the machine is. `--nocapture` shows the figures.
//!
//! A binary of its own, whose tests take turns: they measure.

mod common;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_wheel::{Timer, block_on, diagnostics};
use common::{
    Control, HOUR, MS, Wakes, armed, both_ways, eventually, in_time, poll_with,
    sockets::{LOOPBACK, udp},
    turn, watchdog,
};
use futures_lite::FutureExt;

/// The most timers that one round takes.
const TIMERS_OF_ROUND: usize = 512;

/// The most events that it takes.
const EVENTS_OF_ROUND: usize = 1024;

/// Notes how far a count has come when its waker is first woken.
struct Note {
    wakes: Arc<Wakes>,
    at: Arc<OnceLock<usize>>,
}

impl Note {
    fn new(count: &Arc<AtomicUsize>) -> Note {
        let (count, at) = (count.clone(), Arc::new(OnceLock::new()));
        let noted = at.clone();
        let wakes = Wakes::calling(move || _ = noted.set(count.load(Ordering::SeqCst)));
        Note { wakes, at }
    }

    fn waker(&self) -> Waker {
        self.wakes.waker()
    }

    fn at(&self) -> Option<usize> {
        self.at.get().copied()
    }
}

/// The median of some counts stays within the bound: a thread that is held up between two steps
/// makes one of them large, a fault all of them.
#[track_caller]
fn median_within(what: &str, mut counts: Vec<usize>, bound: usize) {
    counts.sort_unstable();
    let (median, most) = (counts[counts.len() / 2], counts[counts.len() - 1]);
    println!("{what}: median {median}, at most {most}, bound {bound} {counts:?}");
    assert!(median <= bound, "{what}: {counts:?}");
}

/// Eighty rounds of timers are due at once. Sockets become readable meanwhile: their tasks are woken
/// within two rounds.
#[test]
fn timer_storm_delays_io_by_a_round() {
    const TIMERS: usize = 80 * TIMERS_OF_ROUND;
    let _watchdog = watchdog();
    let _turn = turn();
    both_ways(|| async {
        let sockets: Vec<_> = (0..9).map(|_| udp()).collect();
        // In the middle of rounds, and of the storm.
        let sends = sockets.iter().enumerate().map(|(index, (_, to))| (index * 4_000 + 2_500, *to));
        let sends: Vec<_> = sends.collect();
        let woken = Arc::new(AtomicUsize::new(0));
        let notes: Vec<_> = sockets.iter().map(|_| Note::new(&woken)).collect();
        let mut readable: Vec<_> = sockets.iter().map(|(socket, _)| socket.readable()).collect();
        for (readable, note) in readable.iter_mut().zip(&notes) {
            assert!(poll_with(&note.waker(), readable).is_pending());
        }
        // The waker of each timer counts, and sends something at certain counts.
        let storm = Wakes::calling({
            let (sends, woken) = (sends.clone(), woken.clone());
            let sender = UdpSocket::bind(LOOPBACK).unwrap();
            move || {
                let count = woken.fetch_add(1, Ordering::SeqCst) + 1;
                if let Ok(index) = sends.binary_search_by_key(&count, |(at, _)| *at) {
                    sender.send_to(b"!", sends[index].1).unwrap();
                }
            }
        });
        let waker = storm.waker();
        let mut timers: Vec<_> = (0..TIMERS)
            .map(|_| {
                let mut timer = Timer::after(HOUR);
                assert!(poll_with(&waker, &mut timer).is_pending());
                timer
            })
            .collect();
        let now = Instant::now();
        timers.iter_mut().for_each(|timer| timer.set_at(now));
        in_time("all timers", async {
            while woken.load(Ordering::SeqCst) < TIMERS || notes.iter().any(|n| n.at().is_none()) {
                Timer::after(MS).await;
            }
        })
        .await;
        let held_up = notes.iter().zip(&sends).map(|(note, (at, _))| note.at().unwrap() - at);
        // The rest of the round; and as much again, if another thread has one under way.
        median_within(
            "timers between an event and its wake",
            held_up.collect(),
            2 * TIMERS_OF_ROUND,
        );
        assert_eq!(woken.load(Ordering::SeqCst), TIMERS, "timers that fired twice");
    });
}

/// Thousands of sockets answer each other as fast as they can. Timers that come due meanwhile fire
/// within a round.
#[test]
fn io_storm_delays_timers_by_a_round() {
    const PAIRS: usize = 1_200;
    const TIMERS: usize = 21;
    const EACH: usize = 2_000;
    let _watchdog = watchdog();
    let _turn = turn();
    allow_descriptors(2 * PAIRS as u64 + 100);
    let received = Arc::new(AtomicUsize::new(0));
    let executor = Executor::new();
    let notes: Vec<_> = (0..TIMERS).map(|_| Note::new(&received)).collect();
    // Timers that are made due by the receiver of a certain message, in the middle of it all.
    let timers: Arc<Vec<_>> = Arc::new(
        notes.iter().map(|note| Mutex::new(armed(&note.waker(), || Timer::after(HOUR)))).collect(),
    );
    let pair = || {
        let ((one, at_one), (two, at_two)) = (udp(), udp());
        [(one, at_two), (two, at_one)]
    };
    let tasks: Vec<_> = (0..PAIRS)
        .flat_map(|_| pair())
        .map(|(socket, peer)| {
            let (received, timers) = (received.clone(), timers.clone());
            executor.spawn(async move {
                let mut byte = [0];
                // The one answers the other, as fast as both can.
                loop {
                    socket.send_to(b"!", peer).await.unwrap();
                    socket.recv_from(&mut byte).await.unwrap();
                    let count = received.fetch_add(1, Ordering::SeqCst) + 1;
                    if count % EACH == 0 && count <= TIMERS * EACH {
                        timers[count / EACH - 1].lock().unwrap().set_at(Instant::now());
                    }
                }
            })
        })
        .collect();
    block_on(executor.run(in_time("timers in a storm of I/O", async {
        while notes.iter().any(|note| note.at().is_none()) {
            Timer::after(MS).await;
        }
    })));
    drop(tasks);
    let all = received.load(Ordering::SeqCst);
    let held_up = (1..).zip(&notes).map(|(number, note)| note.at().unwrap() - number * EACH);
    // What the executor runs between two rounds, and the events of one.
    median_within("receipts between a deadline and its wake", held_up.collect(), EVENTS_OF_ROUND);
    println!("receipts in all: {all}");
}

/// Takes a `block_on` thread's time for 100 ms, in which timers and I/O of its shard come due.
/// Returns how late the latest of their wakes came.
fn held_up_for_100_ms(how: impl Fn(Duration) + Send) -> Duration {
    let (first, second) = (udp(), udp());
    let sends = [(3 * MS, first.1), (50 * MS, second.1)];
    block_on(async move {
        // It drives for a while before, so that the fallback's backoff is at its longest.
        for _ in 0..50 {
            Timer::after(MS).await;
        }
        let wakes: Vec<_> = (0..5).map(|_| Wakes::new()).collect();
        let start = Instant::now();
        let mut timers = [1, 20, 80].map(|after| Timer::at(start + after * MS));
        for (timer, wake) in timers.iter_mut().zip(&wakes) {
            let _ = poll_with(&wake.waker(), timer);
        }
        let mut readable = [first.0.readable(), second.0.readable()];
        for (readable, wake) in readable.iter_mut().zip(&wakes[3..]) {
            assert!(poll_with(&wake.waker(), readable).is_pending());
        }
        let sender = thread::spawn(move || {
            let socket = UdpSocket::bind(LOOPBACK).unwrap();
            sends.map(|(after, to)| {
                thread::sleep((start + after).saturating_duration_since(Instant::now()));
                let sent = Instant::now();
                socket.send_to(b"!", to).unwrap();
                sent
            })
        });
        how(100 * MS);
        let sent = sender.join().unwrap();
        let due = [1, 20, 80].map(|after| start + after * MS).into_iter().chain(sent);
        let end = Instant::now();
        wakes
            .iter()
            .zip(due)
            .map(|(wake, due)| wake.first().unwrap_or(end).saturating_duration_since(due))
            .max()
            .unwrap()
    })
}

/// A thread in `block_on` computes, or blocks, for 100 ms. Timers and events of its shard are
/// serviced by the fallback thread within 10 ms, or three times what a control thread is late by.
#[test]
fn busy_driver_delays_its_shard_by_10_ms() {
    let _watchdog = watchdog();
    let _turn = turn();
    let compute = |time| {
        let start = Instant::now();
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
    };
    // Away is away: it computes, or it blocks, which leaves the machine to others.
    let tries: Vec<_> = (0..9)
        .map(|number| {
            let control = Control::start();
            let late = held_up_for_100_ms(if number % 3 == 0 { compute } else { thread::sleep });
            (late, control.latest())
        })
        .collect();
    println!("late by, and the control thread by: {tries:?}");
    // The fallback sleeps twice and is woken twice in that time, as late as others are.
    let good = tries.iter().filter(|(late, noise)| *late <= (10 * MS).max(3 * *noise)).count();
    assert!(good > tries.len() / 2, "{tries:?}");
}

#[cfg(unix)]
fn allow_descriptors(needed: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).unwrap();
    }
}

#[cfg(not(unix))]
fn allow_descriptors(_: u64) {}

#[test]
fn thousand_threads_get_their_timers_and_io() {
    const THREADS: usize = if cfg!(unix) { 1_000 } else { 100 };
    const ROUNDS: u8 = 10;
    let _watchdog = watchdog();
    let _turn = turn();
    allow_descriptors(THREADS as u64 + 100);
    let (sockets, addresses): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| udp()).unzip();
    let (addresses, inside) = (Arc::new(addresses), Arc::new(AtomicUsize::new(0)));
    let (ends, ended) = mpsc::channel();
    let start = Instant::now();
    for (number, socket) in sockets.into_iter().enumerate() {
        let (addresses, inside, ends) = (addresses.clone(), inside.clone(), ends.clone());
        let body = move || {
            let end = block_on(async {
                inside.fetch_add(1, Ordering::SeqCst);
                while inside.load(Ordering::SeqCst) < THREADS {
                    Timer::after(5 * MS).await;
                }
                // Each sends to the next and hears from the one before.
                for round in 0..ROUNDS {
                    let due = Instant::now() + (1 + (number as u32 + u32::from(round)) % 7) * MS;
                    assert_eq!(Timer::at(due).await, due);
                    assert!(Instant::now() >= due, "early");
                    socket.send_to(&[round], addresses[(number + 1) % THREADS]).await.unwrap();
                    let (mut byte, mut idle) = ([0], Timer::after(HOUR));
                    let heard = socket.recv_from(&mut byte).or(async {
                        (&mut idle).await;
                        Err(std::io::ErrorKind::TimedOut.into())
                    });
                    assert_eq!(heard.await.unwrap().0, 1);
                    assert_eq!(byte, [round]);
                }
                diagnostics::shards()
            });
            ends.send(end).unwrap();
        };
        thread::Builder::new().stack_size(512 * 1024).spawn(body).unwrap();
    }
    drop(ends);
    let most = ended.iter().take(THREADS).collect::<Vec<_>>();
    assert_eq!(most.len(), THREADS, "a thread has panicked");
    let threads = |shards: &[diagnostics::ShardReport]| -> usize {
        shards.iter().map(|shard| shard.threads).sum()
    };
    let at_once = most.iter().map(|shards| threads(shards)).max().unwrap();
    println!("{THREADS} threads on {} shards in {:?}", most[0].len(), start.elapsed());
    assert_eq!(at_once, THREADS, "not all at once");
    eventually("they are gone", || threads(&diagnostics::shards()) == 0);
}
