//! The hazards of the handoff on real threads, sockets and pollers: everything at once, for
//! five seconds, or as many as `STRESS_SECONDS` says.
//!
//! The models in `loom-tests/` check the protocol in every order; this checks that what they
//! take a poller for is what a poller is. If a worker makes no progress for ten seconds, the
//! state of all shards and what each worker was doing are printed, and the test fails.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on, diagnostics};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, future};

/// What a worker does over and over. The first four run in `block_on`, the last two do not, so
/// that only the fallback, or the driver of their shard, services them.
const KINDS: [&str; 6] = ["echo", "tick", "short calls", "nested calls", "cancel", "echo outside"];

/// No progress for this long is a lost wake-up.
const STUCK: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Worker {
    kind: &'static str,
    rounds: AtomicUsize,
}

#[test]
fn nothing_gets_stuck() {
    let seconds = std::env::var("STRESS_SECONDS").ok().and_then(|value| value.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(5));
    let workers: Arc<Vec<Worker>> = Arc::new(
        KINDS
            .iter()
            .cycle()
            .take(2 * KINDS.len())
            .map(|kind| Worker { kind, rounds: AtomicUsize::new(0) })
            .collect(),
    );
    let done = Arc::new(AtomicBool::new(false));
    let watchdog = thread::spawn({
        let (workers, done) = (workers.clone(), done.clone());
        move || watch(&workers, &done)
    });
    let threads: Vec<_> = (0..workers.len())
        .map(|index| {
            let workers = workers.clone();
            thread::spawn(move || {
                let worker = &workers[index];
                while Instant::now() < end {
                    work(worker).unwrap_or_else(|error| panic!("{}: {error}", worker.kind));
                    worker.rounds.fetch_add(1, Ordering::Relaxed);
                }
                // To be told from one that is stuck.
                worker.rounds.store(usize::MAX, Ordering::Relaxed);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a worker panicked");
    }
    done.store(true, Ordering::Relaxed);
    watchdog.join().expect("the watchdog panicked");
}

fn watch(workers: &[Worker], done: &AtomicBool) {
    let rounds = || -> Vec<usize> {
        workers.iter().map(|worker| worker.rounds.load(Ordering::Relaxed)).collect()
    };
    let mut last: Vec<(usize, Instant)> =
        rounds().into_iter().map(|rounds| (rounds, Instant::now())).collect();
    while !done.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(50));
        for (index, rounds) in rounds().into_iter().enumerate() {
            if rounds != last[index].0 {
                last[index] = (rounds, Instant::now());
            } else if rounds != usize::MAX && last[index].1.elapsed() > STUCK {
                eprintln!("worker {index} makes no progress: {:?}", workers[index]);
                eprintln!("all workers: {workers:#?}");
                for (index, shard) in diagnostics::shards().iter().enumerate() {
                    eprintln!("shard {index}: {shard:#?}");
                }
                std::process::abort();
            }
        }
    }
}

fn work(worker: &Worker) -> io::Result<()> {
    match worker.kind {
        "echo" => block_on(echo()),
        "tick" => block_on(tick()),
        "short calls" => short_calls(),
        "nested calls" => nested_calls(),
        "cancel" => future::block_on(cancel()),
        _ => future::block_on(echo()),
    }
}

/// A socket whose other end answers from a plain thread, some bytes at a time.
async fn echo() -> io::Result<()> {
    const MESSAGES: u8 = 20;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let answers = thread::spawn(move || -> io::Result<()> {
        let mut message = [0; 8];
        for _ in 0..MESSAGES {
            server.read_exact(&mut message)?;
            // In two pieces, so that the reader waits again in between.
            server.write_all(&message[..3])?;
            server.write_all(&message[3..])?;
        }
        Ok(())
    });
    let mut client = Async::<TcpStream>::new(client)?;
    for number in 0..MESSAGES {
        client.write_all(&[number; 8]).await?;
        let mut answer = [0; 8];
        client
            .read_exact(&mut answer)
            .or(async {
                Timer::after(STUCK * 2).await;
                Err(io::ErrorKind::TimedOut.into())
            })
            .await?;
        assert_eq!(answer, [number; 8]);
    }
    answers.join().expect("the other end panicked")
}

/// Timers in an order in which each is earlier than what was slept for.
async fn tick() -> io::Result<()> {
    let far = Timer::after(STUCK * 2);
    let mut near: Vec<Timer> =
        (1..20).rev().map(|step| Timer::after(Duration::from_micros(100 * step))).collect();
    let all = future::poll_fn(|cx| {
        near.retain_mut(|timer| timer.poll(cx).is_pending());
        if near.is_empty() { Poll::Ready(true) } else { Poll::Pending }
    });
    let in_time = all.or(async {
        far.await;
        false
    });
    assert!(in_time.await, "a timer is late by {:?}", STUCK * 2);
    Ok(())
}

/// A call that another thread ends, over and over: acquiring and releasing the seat.
fn short_calls() -> io::Result<()> {
    let (calls, wakes) = std::sync::mpsc::channel::<(Arc<AtomicBool>, std::task::Waker)>();
    let waking = thread::spawn(move || {
        for (flag, waker) in wakes {
            flag.store(true, Ordering::Relaxed);
            waker.wake();
        }
    });
    for _ in 0..100 {
        let flag = Arc::new(AtomicBool::new(false));
        let mut sent = false;
        block_on(future::poll_fn(|cx| {
            if flag.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            if !sent {
                sent = true;
                calls.send((flag.clone(), cx.waker().clone())).expect("the other end waits");
            }
            Poll::Pending
        }));
    }
    drop(calls);
    waking.join().expect("the waking thread panicked");
    Ok(())
}

fn nested_calls() -> io::Result<()> {
    block_on(async {
        let outer = Timer::after(Duration::from_micros(300));
        block_on(async {
            Timer::after(Duration::from_micros(200)).await;
            block_on(echo())
        })?;
        outer.await;
        Ok(())
    })
}

/// Timers that are set again and dropped around the time when they fire.
async fn cancel() -> io::Result<()> {
    for step in 0..20 {
        let mut moved = Timer::after(Duration::from_micros(50));
        let dropped = Timer::after(Duration::from_micros(60 + step));
        let _ = future::poll_once(&mut moved).await;
        moved.set_after(Duration::from_micros(10 * step));
        moved.or(dropped).await;
    }
    Ok(())
}
