//! Wakers are other people's code, also when they are dropped. Those here call into the library
//! then: a lock of the shard's, or of the source's, that is held meanwhile is a deadlock.

#![cfg(unix)]

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;

use async_wheel::{Async, Timer, block_on, diagnostics};
use common::{
    HOUR, MS, PATIENCE, Wakes, armed, eventually, poll_with, sockets::unix_pair, watchdog,
};

type Ours = Arc<Async<UnixStream>>;

/// A waker that uses its shard's timers and its source when it is gone.
struct Last {
    ours: Ours,
    drops: Arc<AtomicUsize>,
    /// A timer that it drops when it is woken.
    drops_in_wake: Mutex<Option<Timer>>,
}

impl Last {
    fn new(ours: &Ours, drops: &Arc<AtomicUsize>) -> Arc<Last> {
        let (ours, drops) = (ours.clone(), drops.clone());
        Arc::new(Last { ours, drops, drops_in_wake: Mutex::new(None) })
    }
}

impl Wake for Last {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let timer = self.drops_in_wake.lock().unwrap().take();
        drop(timer);
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let mut timer = Timer::after(HOUR);
        assert!(poll_with(Waker::noop(), &mut timer).is_pending());
        timer.set_after(2 * HOUR);
        drop(timer);
        let cx = &mut Context::from_waker(Waker::noop());
        let _ = self.ours.poll_readable(cx);
        let _ = self.ours.poll_writable(cx);
        let _ = poll_with(Waker::noop(), &mut self.ours.readable());
        let _ = diagnostics::shards();
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

/// Makes the library drop the last clone of a waker. Gets the source, its peer and the waker.
type Way = fn(&Ours, &mut UnixStream, Arc<Last>);

/// All ways in which the library comes to drop a waker.
const WAYS: [(&str, Way); 9] = [
    ("a timer is dropped", |_, _, last| {
        drop(armed(&Waker::from(last), || Timer::after(HOUR)));
    }),
    ("a timer is polled by another task", |_, _, last| {
        let mut timer = armed(&Waker::from(last), || Timer::after(HOUR));
        assert!(poll_with(&Wakes::new().waker(), &mut timer).is_pending());
    }),
    ("a timer is polled when it has fired", |_, _, last| {
        let waker = Waker::from(last);
        let mut timer = armed(&waker, || Timer::after(5 * MS));
        drop(waker);
        thread::sleep(20 * MS);
        assert!(poll_with(Waker::noop(), &mut timer).is_ready());
    }),
    ("a timer is dropped in its own wake", |_, _, last| {
        let mut slot = last.drops_in_wake.lock().unwrap();
        *slot = Some(armed(&Waker::from(last.clone()), || Timer::after(5 * MS)));
        drop(slot);
    }),
    ("a wait is dropped", |ours, _, last| {
        let mut readable = ours.readable();
        assert!(poll_with(&Waker::from(last), &mut readable).is_pending());
        drop(readable);
    }),
    ("a wait is polled by another task", |ours, _, last| {
        let mut readable = ours.readable();
        assert!(poll_with(&Waker::from(last), &mut readable).is_pending());
        assert!(poll_with(&Wakes::new().waker(), &mut readable).is_pending());
    }),
    ("a wait ends", |ours, peer, last| {
        let mut readable = ours.readable();
        assert!(poll_with(&Waker::from(last), &mut readable).is_pending());
        peer.write_all(b"x").unwrap();
        eventually("it is readable", || poll_with(Waker::noop(), &mut readable).is_ready());
        read(ours);
    }),
    ("the source is polled by another task", |ours, _, last| {
        let polls =
            |waker: &Waker| ours.poll_readable(&mut Context::from_waker(waker)).is_pending();
        let waker = Waker::from(last);
        assert!(polls(&waker));
        drop(waker);
        assert!(polls(&Wakes::new().waker()));
    }),
    ("the source is readable", |ours, peer, last| {
        let waker = Waker::from(last);
        assert!(ours.poll_readable(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        peer.write_all(b"x").unwrap();
        block_on(ours.readable()).unwrap();
        read(ours);
    }),
];

fn read(ours: &Ours) {
    let mut ours = &**ours;
    let mut buffer = [0; 8];
    let read = futures_lite::AsyncReadExt::read(&mut ours, &mut buffer);
    assert_eq!(block_on(read).unwrap(), 1);
}

/// In a thread of its own, which a deadlock keeps.
fn finds_no_lock(way: &'static str, drop_it: Way) {
    let (ended, ends) = mpsc::channel();
    let thread = thread::spawn(move || {
        let (ours, mut peer) = unix_pair();
        let ours = Arc::new(ours);
        let drops = Arc::new(AtomicUsize::new(0));
        drop_it(&ours, &mut peer, Last::new(&ours, &drops));
        eventually("the waker is dropped", || drops.load(Ordering::SeqCst) == 1);
        let _ = ended.send(());
    });
    match ends.recv_timeout(2 * PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a lock is held when {way}"),
        _ => thread.join().unwrap_or_else(|_| panic!("when {way}")),
    }
}

#[test]
fn dropped_waker_finds_no_lock_held() {
    let _watchdog = watchdog();
    for (way, drop_it) in WAYS {
        finds_no_lock(way, drop_it);
    }
}

/// A waker that uses the source while it is dropped.
struct Uses(Arc<Async<UnixStream>>, Arc<AtomicUsize>);

impl Wake for Uses {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Uses {
    fn drop(&mut self) {
        let mut wait = self.0.readable();
        assert!(poll_with(Waker::noop(), &mut wait).is_pending());
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waiter's waker that uses its source while it is dropped: as it is replaced, and as its wait is
/// dropped.
#[test]
fn waiters_waker_is_dropped_without_a_lock() {
    let _watchdog = watchdog();
    let (ours, _peer) = unix_pair();
    let ours = Arc::new(ours);
    let drops = Arc::new(AtomicUsize::new(0));
    let uses = || Waker::from(Arc::new(Uses(ours.clone(), drops.clone())));
    let mut waits = ours.readable();
    assert!(poll_with(&uses(), &mut waits).is_pending());
    assert_eq!(drops.load(Ordering::SeqCst), 0, "kept");
    assert!(poll_with(&uses(), &mut waits).is_pending());
    assert_eq!(drops.load(Ordering::SeqCst), 1, "replaced");
    drop(waits);
    assert_eq!(drops.load(Ordering::SeqCst), 2, "removed");
    // The task of the poll methods, likewise.
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(ours.poll_readable(&mut Context::from_waker(&uses())).is_pending());
    assert!(ours.poll_readable(cx).is_pending());
    assert_eq!(drops.load(Ordering::SeqCst), 3, "replaced by another task");
    assert!(block_on(futures_lite::future::poll_once(ours.readable())).is_none());
}
