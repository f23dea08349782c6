//! What only the inside can show: a shard of our own, and nobody to drive it but us.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::run;
use crate::handoff::Rouser;
use crate::reactor::{Round, Shard};
use crate::sync::{self, Ref};
use crate::sys::{Poller, Polls};

/// A shard that no reactor knows, with somebody's parker in the place of the fallback's.
fn shard() -> Ref<Shard> {
    let root = sync::share(Poller::new().unwrap());
    let poller = sync::share(Poller::new().unwrap());
    sync::share(Shard::new(0, poller, sync::share(Rouser::new(root))))
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
    let me = Arc::new(Rouser::new(shard.poller_ref()));
    let (done, waker) = (Arc::new(AtomicBool::new(false)), Waker::from(me.clone()));
    shard.is_up();
    let thread = thread::spawn({
        let (shard, done, waker) = (shard.clone(), done.clone(), waker.clone());
        move || {
            let future = pin!(poll_fn(|_| {
                // Ordering: Relaxed, here and at the store: the wake-up after the store is seen
                // with all that came before it.
                if done.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
            }));
            run::run(&shard, &me, &waker, &mut Round::new(), future);
        }
    });
    (thread, done, waker)
}

#[test]
fn who_finds_the_seat_lent_sleeps_until_the_fallback_has_left_it_and_takes_it() {
    let shard = shard();
    assert!(shard.seat().try_take_lent());
    let (thread, done, waker) = call(&shard);
    until("it sleeps", || shard.awake() == 0);
    assert!(shard.leave(), "it has asked");
    until("it has the seat and sleeps", || {
        shard.seat().describe() == (true, false) && shard.awake() == 0
    });
    done.store(true, Ordering::Relaxed);
    waker.wake();
    thread.join().unwrap();
    assert_eq!(shard.awake(), 1);
    assert_eq!(shard.seat().describe(), (false, false));
}

#[cfg(unix)]
#[test]
fn a_source_in_the_place_of_another_has_a_key_of_its_own() {
    use std::os::fd::AsRawFd;

    use crate::sys::{Kind, Registration};

    let shard = shard();
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let registration = Registration::Socket(socket.as_raw_fd(), Kind::Udp);
    let mut keys: Vec<_> = (0..3)
        .map(|_| {
            let source = Shard::register(&shard, registration).unwrap();
            shard.deregister(&source).unwrap();
            source.key()
        })
        .collect();
    // An event of the first that is still under way must not reach the others.
    keys.dedup();
    assert_eq!(keys.len(), 3);
}
