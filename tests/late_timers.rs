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
use common::{MS, PATIENCE, Wakes, armed, poll_with};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

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
        block_on(async {
            let wakes = Wakes::new();
            let _timer = armed(&wakes.waker(), || Timer::after(MS));
            Timer::after(MS / 2).await;
            // Computes where it should drive.
            thread::sleep(60 * MS);
            Timer::after(MS).await;
        });
        let said = warnings();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("delayed_by=\"nobody drove\""), "{said:?}");
        assert!(said[0].contains("timers fired late"), "{said:?}");
    });
}

#[test]
fn used_up_budget_is_named() {
    alone(|| {
        report_later_than(Duration::ZERO);
        let wakes = Wakes::new();
        let due = Instant::now() + MS;
        let mut timers: Vec<_> = (0..10).map(|_| Timer::at(due)).collect();
        timers.retain_mut(|timer| poll_with(&wakes.waker(), timer).is_pending());
        assert!(timers.len() == 10, "the machine was busy");
        thread::sleep(2 * MS);
        while wakes.count() < 10 {
            drive(Some(Duration::ZERO)).unwrap();
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
        block_on(async {
            for _ in 0..20 {
                Timer::after(3 * MS).await;
            }
        });
        let said = warnings();
        let system = said.iter().filter(|said| said.contains("the system woke the thread late"));
        assert!(system.count() > 10, "{said:?}");
    });
}
