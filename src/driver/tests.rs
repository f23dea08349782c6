//! What only the inside can show: a shard of our own, and nobody to drive it but us.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::run;
use crate::handoff::{SeatState, Unparker};
use crate::reactor::{Batch, Settings, Shard};
use crate::sync::{self, Ref};
use crate::sys::{Poller, Polls};

const VACANT: SeatState = SeatState { held: false, watched: false };
const HELD: SeatState = SeatState { held: true, watched: false };

/// A shard that no reactor knows, with somebody's parker in the place of the fallback's.
fn shard() -> Ref<Shard> {
    let root = sync::share(Poller::new().unwrap());
    let poller = sync::share(Poller::new().unwrap());
    sync::share(Shard::new(0, poller, sync::share(Unparker::new(root)), &Settings::default()))
}

/// Waits for something that another thread brings about.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a `block_on` call on a thread of its own, until the flag is set and the waker woken.
fn call(shard: &Ref<Shard>) -> (thread::JoinHandle<()>, Arc<AtomicBool>, Waker) {
    let me = Arc::new(Unparker::new(shard.poller_ref()));
    let (done, waker) = (Arc::new(AtomicBool::new(false)), Waker::from(me.clone()));
    shard.succession().note_awake();
    let thread = thread::spawn({
        let (shard, done, waker) = (shard.clone(), done.clone(), waker.clone());
        move || {
            let future = pin!(poll_fn(|_| {
                // Ordering: Relaxed, here and at the store: the wake-up after the store is seen
                // with all that came before it.
                if done.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
            }));
            run::run(&shard, &me, &waker, &mut Batch::new(), future);
        }
    });
    (thread, done, waker)
}

#[test]
fn preemptible_seat_is_requested_and_then_acquired() {
    let shard = shard();
    let succession = shard.succession();
    let driving = shard.try_acquire_preemptible().unwrap();
    let (thread, done, waker) = call(&shard);
    until("it is parked", || succession.awake() == 0);
    assert!(driving.release(), "it has requested the seat");
    until("it drives and is parked", || succession.seat_state() == HELD && succession.awake() == 0);
    done.store(true, Ordering::Relaxed);
    waker.wake();
    thread.join().unwrap();
    assert_eq!(succession.awake(), 1);
    assert_eq!(succession.seat_state(), VACANT);
}

#[cfg(unix)]
#[test]
fn successor_of_a_source_has_another_key() {
    use std::os::fd::AsRawFd;

    use crate::sys::{Kind, Registration};

    let shard = shard();
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let registration = Registration::Socket(socket.as_raw_fd(), Kind::Udp);
    let mut keys: Vec<_> = (0..3)
        .map(|_| {
            let source = Shard::register(&shard, registration).unwrap();
            shard.deregister(&source, source.place().unwrap().key).unwrap();
            source.place().unwrap().key
        })
        .collect();
    // An event of the first that is still under way must not reach the others.
    keys.dedup();
    assert_eq!(keys.len(), 3);
}
