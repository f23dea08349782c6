//! What becomes of what waits when a pause ends.
#![cfg(unix)]

mod common;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::time::{self, DelayQueue, PendingIo};
use async_wheel::{Timer, block_on};
use futures_lite::{AsyncReadExt, StreamExt, future};

use common::sockets::unix_pair;
use common::{HOUR, MS, PATIENCE, Wakes, in_time};

/// Polls it with a waker, and finds it pending.
#[track_caller]
fn wait_for(future: &mut (impl Future + Unpin), waker: &Waker) {
    assert!(Pin::new(future).poll(&mut Context::from_waker(waker)).is_pending());
}

#[test]
fn waiting_timer_is_woken_at_the_end() {
    let wakes = Wakes::new();
    let paused = time::pause();
    let mut timer = Timer::after(HOUR);
    wait_for(&mut timer, &wakes.waker());
    drop(paused);
    assert_eq!(wakes.count(), 1);
    // It waits in real time now.
    wait_for(&mut timer, &wakes.waker());
    timer.set_after(5 * MS);
    wakes.wait_for(2);
    assert!(future::block_on(future::poll_once(timer)).is_some());
}

/// A timer's owner need not poll it again to be woken at a new time. After a pause it is woken at
/// once instead, and has to.
#[test]
fn timer_set_after_the_end_wakes_its_task() {
    let wakes = Wakes::new();
    let paused = time::pause();
    let mut timer = Timer::after(HOUR);
    wait_for(&mut timer, &wakes.waker());
    drop(paused);
    timer.set_after(2 * HOUR);
    assert_eq!(wakes.count(), 2);
    wait_for(&mut timer, &wakes.waker());
    timer.set_after(5 * MS);
    wakes.wait_for(3);
}

/// An executor's tasks outlive the pause.
#[test]
fn tasks_go_on_in_real_time() {
    let tasks = LocalExecutor::new();
    let real = Instant::now();
    let paused = time::pause();
    let start = time::now();
    let short = tasks.spawn(Timer::after(40 * MS));
    let long = tasks.spawn(Timer::after(HOUR));
    block_on(tasks.run(paused.advance(20 * MS)));
    paused.resume();
    let due = block_on(tasks.run(short));
    assert!(due == start + 40 * MS && due <= time::now() && !long.is_finished());
    assert!(real.elapsed() >= 40 * MS);
}

/// A queue remembers its last look at the clock, which may have been ahead of that of the next poll.
#[test]
fn delay_queue_is_not_early_afterwards() {
    let mut queue = DelayQueue::new();
    let paused = time::pause();
    let poll = |queue: &mut DelayQueue<()>, after| {
        queue.insert((), after);
        block_on(queue.next()).unwrap().deadline()
    };
    paused.auto_advance(PendingIo::Jump);
    poll(&mut queue, HOUR);
    let mut other = thread::spawn(move || {
        let due = poll(&mut queue, 20 * MS);
        assert!(due <= Instant::now(), "early by {:?}", due - Instant::now());
        queue
    })
    .join()
    .unwrap();
    poll(&mut other, 2 * HOUR);
    drop(paused);
    let due = poll(&mut other, 20 * MS);
    assert!(due <= Instant::now(), "early by {:?}", due - Instant::now());
}

#[test]
fn call_goes_on_by_the_systems_clock() {
    let paused = time::pause();
    let kept = Cell::new(None);
    block_on(async {
        let mut far = Timer::after(HOUR);
        assert!(future::poll_once(&mut far).await.is_none());
        paused.advance(HOUR / 2).await;
        let start = Instant::now();
        drop(paused);
        // A thread that the new timer does not know of would not be woken for it.
        Timer::after(10 * MS).await;
        block_on(Timer::after(10 * MS));
        assert!(start.elapsed() >= 20 * MS && start.elapsed() < PATIENCE);
        assert!(time::now() - start < PATIENCE);
        kept.set(Some(far));
    });
    // And in a call after it.
    let mut timer = kept.take().unwrap();
    timer.set_after(5 * MS);
    block_on(timer);
}

#[test]
fn waiting_source_is_registered_anew() {
    let (mut ours, mut peer) = unix_pair();
    let tasks = LocalExecutor::new();
    let paused = time::pause();
    let read = tasks.spawn(async move {
        let mut byte = [0];
        ours.read_exact(&mut byte).await.unwrap();
        (byte, ours)
    });
    block_on(tasks.run(paused.advance(HOUR)));
    drop(paused);
    let writer = thread::spawn(move || {
        thread::sleep(20 * MS);
        peer.write_all(b"7").unwrap();
        peer
    });
    let (byte, mut ours) = block_on(tasks.run(read));
    assert_eq!(&byte, b"7");
    let mut peer = writer.join().unwrap();
    // It works in other pauses, and after them.
    for _ in 0..3 {
        let paused = time::pause();
        paused.auto_advance(PendingIo::Wait(PATIENCE));
        peer.write_all(b"8").unwrap();
        let mut byte = [0];
        block_on(ours.read_exact(&mut byte)).unwrap();
        block_on(async { assert!(future::poll_once(ours.readable()).await.is_none()) });
    }
    peer.write_all(b"9").unwrap();
    let mut byte = [0];
    future::block_on(ours.read_exact(&mut byte)).unwrap();
}

/// A thread whose time is paused drives its sources only while it is in a call. Others do not wait for
/// that.
#[test]
fn source_follows_its_task_to_real_time() {
    let _paused = time::pause();
    let (mut ours, mut peer) = unix_pair();
    block_on(async { assert!(future::poll_once(ours.readable()).await.is_none()) });
    let reader = thread::spawn(move || {
        let mut byte = [0];
        block_on(in_time("the byte is read", ours.read_exact(&mut byte))).unwrap();
        byte
    });
    thread::sleep(20 * MS);
    peer.write_all(b"7").unwrap();
    assert_eq!(&reader.join().unwrap(), b"7");
}

/// A second source of the same descriptor is refused, as ever.
#[test]
fn descriptor_of_ended_pause_is_not_registered_twice() {
    let (ours, _peer) = unix_pair();
    let ours = Arc::new(ours);
    let paused = time::pause();
    block_on(async { assert!(future::poll_once(ours.readable()).await.is_none()) });
    drop(paused);
    let again = async_wheel::Async::new(common::sockets::Borrowed(
        std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&*ours)),
    ));
    let error = again.map(drop).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
}

/// A timer follows the clock of the thread that polls it.
#[test]
fn timer_on_another_thread_follows_its_clock() {
    let paused = time::pause();
    let mut timer = Timer::after(20 * MS);
    let wakes = Wakes::new();
    wait_for(&mut timer, &wakes.waker());
    let other = thread::spawn(move || {
        let start = Instant::now();
        block_on(&mut timer);
        (start.elapsed(), timer)
    });
    let (took, _timer) = other.join().unwrap();
    assert!(took < PATIENCE, "{took:?}");
    block_on(paused.advance(HOUR));
    assert_eq!(wakes.count(), 0, "it has moved");
}

/// And the other way round: one that waited in real time follows this clock once it is polled here.
#[test]
fn timer_from_before_follows_manual_clock() {
    let mut timer = Timer::after(HOUR);
    let wakes = Wakes::new();
    wait_for(&mut timer, &wakes.waker());
    let paused = time::pause();
    block_on(async {
        assert!(future::poll_once(&mut timer).await.is_none());
        paused.advance(HOUR).await;
        timer.await;
    });
}

#[test]
fn task_that_panics_does_not_end_pause() {
    let paused = time::pause();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        block_on(async {
            paused.advance(HOUR).await;
            std::panic::resume_unwind(Box::new("a task"));
        });
    }));
    assert!(result.is_err());
    block_on(paused.advance(HOUR));
    assert_eq!(paused.elapsed(), 2 * HOUR);
}

/// Pollers and wheels are used again, and what is left of one pause is none of the next.
#[test]
fn pauses_follow_each_other() {
    let kept = Rc::new(RefCell::new(Vec::new()));
    for round in 0..200 {
        let paused = time::pause();
        let start = time::now();
        let mut left = Timer::after(Duration::from_secs(1));
        wait_for(&mut left, Waker::noop());
        block_on(async {
            let timer = Timer::after(HOUR);
            let (due, ()) = future::zip(timer, paused.advance(2 * HOUR)).await;
            assert_eq!(due, start + HOUR);
        });
        if round % 10 == 0 {
            kept.borrow_mut().push(left);
        }
    }
}

/// The end of a thread ends the pause of a guard that was leaked.
#[test]
fn leaked_guard_pauses_its_thread_only() {
    let wakes = Wakes::new();
    let (send, receive) = mpsc::channel();
    let waker = wakes.waker();
    let leaks = thread::spawn(move || {
        let paused = time::pause();
        block_on(paused.advance(HOUR));
        std::mem::forget(paused);
        let now = time::now();
        thread::sleep(2 * MS);
        assert_eq!(time::now(), now);
        assert!(std::panic::catch_unwind(time::pause).is_err(), "it is paused already");
        let mut timer = Timer::after(HOUR);
        wait_for(&mut timer, &waker);
        send.send(timer).unwrap();
    });
    leaks.join().unwrap();
    assert_eq!(wakes.count(), 1, "woken at the end");
    let mut timer = receive.recv().unwrap();
    timer.set_after(MS);
    block_on(timer);
    // Other threads may pause as ever.
    let paused = time::pause();
    block_on(paused.advance(HOUR));
}
