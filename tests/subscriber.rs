//! A subscriber of `tracing` that panics or calls into the library: the only code of the user's
//! that runs in the middle of the reactor and is not a waker. A binary of its own: it is the
//! process's subscriber.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use async_wheel::{Timer, block_on, diagnostics};
use common::{MS, Wakes, armed, eventually, watchdog};
use futures_lite::future;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// How many times it still panics on the threads that it is after, at spans and events.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// The name of a thread in `block_on` that it is after besides the fallback thread.
const VICTIM: &str = "victim";

/// `true` while it calls `block_on` at each event.
static CALLS_BLOCK_ON: AtomicBool = AtomicBool::new(false);

struct Panics;

impl Panics {
    fn strike(&self, metadata: &Metadata<'_>) {
        let here = matches!(thread::current().name(), Some("async-wheel" | VICTIM));
        let left = || PANICS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if here && left().is_ok() {
            std::panic::resume_unwind(Box::new(metadata.name()));
        }
    }
}

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.strike(span.metadata());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if CALLS_BLOCK_ON.load(Ordering::SeqCst) {
            block_on(async {});
        }
        self.strike(event.metadata());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// One test, since there is one subscriber in the process.
#[test]
fn hostile_subscriber_ends_no_thread() {
    let _watchdog = watchdog();
    tracing::subscriber::set_global_default(Panics).unwrap();
    the_fallback_survives_it();
    a_thread_in_block_on_survives_it();
    the_first_call_of_a_thread_survives_it();
}

fn the_fallback_survives_it() {
    for panics in 1..20 {
        let wakes = Wakes::new();
        let timers: Vec<_> =
            (0..10).map(|_| armed(&wakes.waker(), || Timer::after(10 * MS))).collect();
        PANICS.store(panics, Ordering::SeqCst);
        wakes.wait_for(timers.len());
        // Another one, should those have fired before it could panic.
        future::block_on(Timer::after(2 * MS));
        // And shards with a thread: no seat is held for good.
        block_on(Timer::after(2 * MS));
        it_has_panicked(panics);
    }
}

/// Of the panics that it was to have, there were some; it has no more.
#[track_caller]
fn it_has_panicked(panics: usize) {
    let left = PANICS.swap(0, Ordering::SeqCst);
    assert!(left < panics, "all {panics} panics are left");
}

/// Timers of other tasks, on the shard of a thread whose wakes the subscriber traces. The thread
/// ends after that, and with it its batch.
fn a_thread_in_block_on_survives_it() {
    for panics in [1, 2, 1_000_000] {
        let wakes = Wakes::new();
        let waker = wakes.waker();
        let victim = thread::Builder::new().name(VICTIM.to_owned()).spawn(move || {
            block_on(async {
                let others: Vec<_> =
                    (0..10).map(|_| armed(&waker, || Timer::after(10 * MS))).collect();
                PANICS.store(panics, Ordering::SeqCst);
                Timer::after(30 * MS).await;
                others
            })
        });
        let others = victim.unwrap().join().expect("the panic stays where it is");
        wakes.wait_for(others.len());
        it_has_panicked(panics);
    }
}

/// Threads that stay, so that shards are added, which the subscriber traces while a thread is
/// assigned to its home shard.
fn the_first_call_of_a_thread_survives_it() {
    CALLS_BLOCK_ON.store(true, Ordering::SeqCst);
    let calls: Vec<_> = (0..4).map(|_| thread::spawn(|| block_on(Timer::after(20 * MS)))).collect();
    for call in calls {
        call.join().expect("a call within the first call of a thread");
    }
    CALLS_BLOCK_ON.store(false, Ordering::SeqCst);
    let left = || diagnostics::shards().iter().map(|shard| shard.threads).sum::<usize>();
    eventually("all threads but this one are released", || left() <= 1);
}
