//! The delay queue in real time, with threads beside it, and with a million entries.
//!
//! What it yields to the nanosecond, whom it wakes and what handles see is tested in the library, on
//! the manual clock.

mod common;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::time::DelayQueue;
use async_wheel::time::delay_queue::{Expired, Handle, Key};
use async_wheel::{Timer, block_on, diagnostics};
use common::process::alone;
use common::{A_WHILE, HOUR, MS, PATIENCE, Wakes, both_ways, in_time, watchdog};
use futures_lite::{Stream, StreamExt, future};

fn poll<T>(queue: &mut DelayQueue<T>, wakes: &Arc<Wakes>) -> Poll<Option<Expired<T>>> {
    Pin::new(queue).poll_next(&mut Context::from_waker(&wakes.waker()))
}

/// Returns the number of timers that have an entry in the reactor.
fn timers() -> usize {
    diagnostics::shards().iter().map(|shard| shard.timers).sum()
}

#[test]
fn entries_come_in_order_and_never_early() {
    both_ways(|| async {
        let mut queue = DelayQueue::new();
        let start = Instant::now();
        for number in [7, 3, 9, 1, 5] {
            queue.insert_at(number, start + number * MS);
        }
        let mut yielded = Vec::new();
        while let Some(expired) = in_time("an entry", queue.next()).await {
            assert!(expired.deadline() <= Instant::now(), "early");
            assert_eq!(expired.deadline(), start + *expired.get_ref() * MS);
            yielded.push(expired.into_inner());
        }
        assert_eq!(yielded, [1, 3, 5, 7, 9]);
    });
}

#[test]
fn ended_queue_is_good_for_more() {
    both_ways(|| async {
        let mut queue = DelayQueue::new();
        for round in 0..3 {
            assert!(in_time("the end", queue.next()).await.is_none());
            queue.insert(round, MS);
            let expired = in_time("an entry", queue.next()).await.unwrap();
            assert_eq!(expired.into_inner(), round);
        }
    });
}

#[test]
fn dropped_next_future_loses_nothing() {
    both_ways(|| async {
        let mut queue = DelayQueue::new();
        queue.insert("a", 3 * MS);
        while future::poll_once(queue.next()).await.is_none() {
            Timer::after(MS).await;
        }
        assert!(queue.is_empty());
    });
}

/// An insertion that is earlier than what the driver sleeps for.
#[test]
fn earlier_insertion_wakes_the_sleeper() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut queue = DelayQueue::new();
    queue.insert("late", HOUR);
    assert!(poll(&mut queue, &wakes).is_pending());
    queue.insert("soon", MS);
    wakes.wait_for(1);
    while poll(&mut queue, &wakes).is_pending() {
        thread::sleep(MS);
    }
    assert_eq!(queue.len(), 1);
}

/// The task's wake comes from the reactor, at the deadline that was postponed.
#[test]
fn postponed_entry_wakes_at_its_new_deadline() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut queue = DelayQueue::new();
    let start = Instant::now();
    let key = queue.insert("a", 2 * MS);
    queue.reset_at(key, start + 40 * MS).unwrap();
    while poll(&mut queue, &wakes).is_pending() {
        wakes.wait_for(wakes.count().max(1));
        thread::sleep(MS);
    }
    assert!(start.elapsed() >= 40 * MS);
}

/// A million entries take one timer of the reactor, and one wake each time that some expire.
#[test]
fn million_entries_take_one_timer() {
    alone(|| {
        const ENTRIES: u32 = 1_000_000;
        let wakes = Wakes::new();
        let mut queue = DelayQueue::with_capacity(ENTRIES as usize);
        let start = Instant::now();
        let keys: Vec<Key> = (0..ENTRIES)
            .map(|number| queue.insert_at(number, start + HOUR + number * Duration::from_micros(7)))
            .collect();
        assert!(poll(&mut queue, &wakes).is_pending());
        assert_eq!((timers(), wakes.count()), (1, 0));
        for &key in keys.iter().step_by(2) {
            queue.reset_at(key, start).unwrap();
        }
        assert_eq!(wakes.count(), 1, "wakes for half a million entries");
        let mut yielded = 0;
        while let Poll::Ready(Some(expired)) = poll(&mut queue, &wakes) {
            assert_eq!(*expired.get_ref() % 2, 0);
            yielded += 1;
        }
        assert_eq!((yielded, queue.len()), (ENTRIES / 2, ENTRIES as usize / 2));
        assert_eq!(timers(), 1);
        drop(queue);
        assert_eq!(timers(), 0);
    });
}

#[test]
fn emptied_queue_gives_its_timer_back() {
    alone(|| {
        let wakes = Wakes::new();
        let mut queue = DelayQueue::new();
        let handle = queue.handle();
        queue.insert("a", HOUR);
        assert!(poll(&mut queue, &wakes).is_pending());
        assert_eq!(timers(), 1);
        queue.clear();
        assert!(poll(&mut queue, &wakes).is_pending(), "it has a handle");
        assert_eq!(timers(), 0);
        drop(handle);
        assert!(matches!(poll(&mut queue, &wakes), Poll::Ready(None)));
    });
}

/// Inserts, resets and removes what it inserted, and returns the values that must come out.
fn work(handle: &Handle<u32>, thread: u32, rounds: u32) -> HashSet<u32> {
    let mut expected = HashSet::new();
    for round in 0..rounds {
        let value = thread * rounds + round;
        match round % 4 {
            0 => {
                handle.insert(value, Duration::ZERO).unwrap();
                expected.insert(value);
            }
            1 => {
                handle.insert_at(value, Instant::now() + MS).unwrap();
                expected.insert(value);
            }
            2 => {
                let key = handle.insert(value, HOUR).unwrap();
                handle.reset(key, MS).unwrap();
                expected.insert(value);
            }
            _ => {
                let key = handle.insert(value, HOUR).unwrap();
                handle.remove(key).unwrap();
            }
        }
        if round % 64 == 0 {
            thread::yield_now();
        }
    }
    expected
}

/// The stream is polled on this thread while others insert: each entry comes out once, whoever
/// drives.
#[test]
fn handles_insert_while_the_queue_is_polled() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 2_000;
    both_ways(|| async {
        let mut queue = DelayQueue::new();
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let handle = queue.handle();
                thread::spawn(move || work(&handle, thread, ROUNDS))
            })
            .collect();
        let mut yielded = HashSet::new();
        while let Some(expired) = in_time("an entry or the end", queue.next()).await {
            assert!(expired.deadline() <= Instant::now(), "early");
            assert!(yielded.insert(expired.into_inner()), "twice");
        }
        let expected: HashSet<u32> =
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        assert_eq!(yielded, expected);
    });
}

/// A handle's insertion wakes a driver that sleeps for something later, or for nothing.
#[test]
fn handle_wakes_a_sleeping_driver() {
    for entries in [0, 1] {
        both_ways(|| async move {
            let mut queue = DelayQueue::new();
            for _ in 0..entries {
                queue.insert("late", HOUR);
            }
            let handle = queue.handle();
            let worker = thread::spawn(move || {
                thread::sleep(A_WHILE);
                handle.insert("now", Duration::ZERO).unwrap();
                handle
            });
            let expired = in_time("the entry", queue.next()).await.unwrap();
            assert_eq!(expired.into_inner(), "now");
            worker.join().unwrap();
        });
    }
}

/// A queue that is dropped while threads insert: each value is yielded, dropped with the queue, or
/// returned in the error.
#[test]
fn queue_dropped_under_inserts_loses_no_value() {
    let _watchdog = watchdog();
    let value = Arc::new(());
    for _ in 0..50 {
        let queue = DelayQueue::new();
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (handle, value) = (queue.handle(), value.clone());
                thread::spawn(move || {
                    loop {
                        if let Err(closed) = handle.insert(value.clone(), MS) {
                            return closed.into_inner();
                        }
                    }
                })
            })
            .collect();
        thread::yield_now();
        drop(queue);
        for worker in workers {
            assert!(Arc::ptr_eq(&worker.join().unwrap(), &value));
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

/// The task that polled last is the one that is woken.
#[test]
fn last_task_that_polled_is_woken() {
    let _watchdog = watchdog();
    let (first, second) = (Wakes::new(), Wakes::new());
    let mut queue = DelayQueue::new();
    queue.insert("a", 5 * MS);
    assert!(poll(&mut queue, &first).is_pending() || queue.is_empty());
    if poll(&mut queue, &second).is_pending() {
        second.wait_for(1);
        assert_eq!(first.count(), 0);
    }
    let handle = queue.handle();
    while poll(&mut queue, &first).is_ready() {}
    assert!(poll(&mut queue, &second).is_pending());
    let before = first.count();
    let woken = second.count();
    handle.insert("b", Duration::ZERO).unwrap();
    second.wait_for(woken + 1);
    assert_eq!(first.count(), before);
}

/// A waker that uses the queue's handle in its wake: no lock is held.
#[test]
fn waker_may_use_the_handle() {
    let _watchdog = watchdog();
    let slot: Arc<Mutex<Option<Handle<u32>>>> = Arc::default();
    let wakes = Wakes::calling({
        let slot = slot.clone();
        move || {
            let handle = slot.lock().unwrap().take();
            if let Some(handle) = handle {
                handle.insert(2, Duration::ZERO).unwrap();
            }
        }
    });
    let mut queue = DelayQueue::new();
    let handle = queue.handle();
    *slot.lock().unwrap() = Some(handle.clone());
    assert!(poll(&mut queue, &wakes).is_pending());
    handle.insert(1, Duration::ZERO).unwrap();
    wakes.wait_for(1);
    let mut yielded: Vec<u32> = Vec::new();
    while let Poll::Ready(Some(expired)) = poll(&mut queue, &wakes) {
        yielded.push(expired.into_inner());
    }
    yielded.sort_unstable();
    assert_eq!(yielded, [1, 2]);
}

/// A waker that panics: what was sent is there all the same.
#[test]
fn panicking_waker_loses_no_insertion() {
    let _watchdog = watchdog();
    let armed = Arc::new(AtomicBool::new(true));
    let wakes = Wakes::calling({
        let armed = armed.clone();
        move || assert!(!armed.swap(false, Ordering::SeqCst), "on purpose")
    });
    let mut queue = DelayQueue::new();
    let handle = queue.handle();
    assert!(poll(&mut queue, &wakes).is_pending());
    let sent = catch_unwind(AssertUnwindSafe(|| handle.insert(1, Duration::ZERO)));
    assert!(sent.is_err(), "the panic is the caller's");
    handle.insert(2, Duration::ZERO).unwrap();
    assert!(poll(&mut queue, &wakes).is_ready());
    assert!(poll(&mut queue, &wakes).is_ready());
}

/// A queue on one thread, its entries from another, both in `block_on`, for a while.
#[test]
fn sessions_are_kept_alive_by_resets() {
    let _watchdog = watchdog();
    let mut queue = DelayQueue::new();
    let handle = queue.handle();
    let start = Instant::now();
    let key = handle.insert("session", 200 * MS).unwrap();
    let keeper = thread::spawn(move || {
        block_on(async {
            for _ in 0..20 {
                Timer::after(5 * MS).await;
                handle.reset(key, 200 * MS).unwrap();
            }
        });
        Instant::now()
    });
    let expired = block_on(in_time("its end", queue.next())).unwrap();
    let last = keeper.join().unwrap();
    assert_eq!(expired.key(), key);
    assert!(expired.deadline() >= last + 100 * MS || start.elapsed() > PATIENCE / 2);
}
