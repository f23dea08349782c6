//! A subscriber of `tracing` that panics: the only code of the user's that runs on the fallback
//! thread and is not a waker. A binary of its own: it is the process's subscriber.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_wheel::{Timer, block_on};
use common::{Wakes, armed, watchdog};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const MS: Duration = Duration::from_millis(1);

/// How many times it still panics on the fallback thread, at spans and events.
static PANICS: AtomicUsize = AtomicUsize::new(0);

struct Panics;

impl Panics {
    fn strike(&self, metadata: &Metadata<'_>) {
        let here = thread::current().name() == Some("async-wheel");
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
        self.strike(event.metadata());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn the_fallback_survives_a_panic_and_loses_nobodys_wake() {
    let _watchdog = watchdog();
    tracing::subscriber::set_global_default(Panics).unwrap();
    for panics in 1..20 {
        let wakes = Wakes::new();
        let timers: Vec<_> =
            (0..10).map(|_| armed(&wakes.waker(), || Timer::after(10 * MS))).collect();
        PANICS.store(panics, Ordering::SeqCst);
        wakes.wait_for(timers.len());
        // And shards with a thread: no seat is taken for good.
        block_on(Timer::after(2 * MS));
    }
}
