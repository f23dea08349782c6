//! Timers that fire later than a threshold are reported to `tracing`, with what has delayed them. A
//! binary of its own: it sets the process's subscriber.

mod common;

use std::fmt::Debug;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::driver::drive;
use async_wheel::{Builder, Timer, block_on};
use common::process::alone;
use common::{HOUR, MS, PATIENCE, Wakes, armed};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const NOW: Option<Duration> = Some(Duration::ZERO);

/// The warnings so far, each as its fields.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Warnings;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        WARNINGS.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Reports timers that are later than this, with nobody but this thread to drive.
fn report_later_than(threshold: Duration) {
    tracing::subscriber::set_global_default(Warnings).unwrap();
    Builder::new()
        .fallback_thread(false)
        .expiry_budget(4)
        .late_threshold(threshold)
        .build()
        .unwrap();
}

fn warnings() -> Vec<String> {
    std::mem::take(&mut *WARNINGS.lock().unwrap())
}

#[test]
fn user_code_that_delays_a_timer_is_named() {
    alone(|| {
        report_later_than(20 * MS);
        let wakes = Wakes::new();
        let mut timer = armed(&wakes.waker(), || Timer::after(HOUR));
        drive(NOW).unwrap();
        timer.set_after(MS);
        // Computes where it should drive.
        thread::sleep(60 * MS);
        block_on(async { Timer::after(MS).await });
        // On a busy machine that one may be late as well.
        let said = &warnings()[0];
        assert!(said.contains("delayed_by=\"nobody drove\""), "{said:?}");
        assert!(said.contains("timers fired late"), "{said:?}");
    });
}

#[test]
fn used_up_budget_is_named() {
    alone(|| {
        report_later_than(Duration::ZERO);
        let wakes = Wakes::new();
        let mut timers: Vec<_> =
            (0..10).map(|_| armed(&wakes.waker(), || Timer::after(HOUR))).collect();
        let due = Instant::now();
        timers.iter_mut().for_each(|timer| timer.set_at(due));
        while wakes.count() < 10 {
            drive(NOW).unwrap();
        }
        let said = warnings();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("nobody drove"), "{said:?}");
        assert!(said[1..].iter().all(|said| said.contains("the budget of a round")), "{said:?}");
    });
}

#[test]
fn timers_in_time_are_not_reported() {
    alone(|| {
        report_later_than(PATIENCE);
        block_on(async {
            for _ in 0..20 {
                Timer::after(MS).await;
                // Late, but within its slack.
                Timer::after(MS).with_slack(5 * MS).await;
            }
        });
        assert_eq!(warnings(), [""; 0]);
    });
}

/// With a threshold of zero, each sleep ends later than it should, if only by microseconds.
#[test]
fn late_wake_by_the_system_is_named() {
    alone(|| {
        report_later_than(Duration::ZERO);
        let mut named = 0;
        // On a busy machine a timer may be due before the thread sleeps for it.
        let start = Instant::now();
        while named < 10 {
            assert!(start.elapsed() < PATIENCE, "{named} were named");
            block_on(async { Timer::after(3 * MS).await });
            let said = warnings();
            let by_system = |said: &&String| said.contains("the system woke the thread late");
            named += said.iter().filter(by_system).count();
        }
    });
}
