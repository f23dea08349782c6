//! What is counted and measured while it runs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// A count that tasks on several threads add to.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, n: u64) {
        // Relaxed: a statistic; the threads that add are joined before the last look.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The longest duration that is distinguished, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// A distribution of durations, in microseconds with three digits.
pub struct Durations(Mutex<Histogram<u64>>);

impl Durations {
    pub fn new() -> Durations {
        Durations(Mutex::new(Histogram::new_with_bounds(1, LONGEST, 3).expect("good bounds")))
    }

    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().expect("nobody panics here").saturating_record(micros);
    }

    pub fn view<R>(&self, f: impl FnOnce(&Histogram<u64>) -> R) -> R {
        f(&self.0.lock().expect("nobody panics here"))
    }
}

/// All of it.
pub struct Stats {
    pub beats_sent: Count,
    answered: Count,
    /// Beats that were due before the end and were not sent: the machine was behind.
    pub skipped: Count,
    /// How long after its deadline a client's tick was seen.
    pub beat_late: Durations,
    pub round_trip: Durations,
    /// Connections that the server's idle timeout dropped, as the server counts.
    pub idle_fired: Count,
    pub idle_late: Durations,
    /// Clients that fell silent, and those of them that were dropped for it.
    pub silent: Count,
    pub dropped: Count,
    pub reply_armed: Count,
    pub reply_fired: Count,
    /// Timers armed: ticks, reply timeouts, idle timeouts.
    pub armed: Count,
    /// Timers that fired before their deadline.
    pub early: Count,
    /// Connections that ended otherwise than they should.
    pub lost: Count,
    /// Connections that the server has, and has had.
    pub open: Count,
    pub closed: Count,
}

impl Stats {
    pub fn new() -> Stats {
        Stats {
            beats_sent: Count::default(),
            answered: Count::default(),
            skipped: Count::default(),
            beat_late: Durations::new(),
            round_trip: Durations::new(),
            idle_fired: Count::default(),
            idle_late: Durations::new(),
            silent: Count::default(),
            dropped: Count::default(),
            reply_armed: Count::default(),
            reply_fired: Count::default(),
            armed: Count::default(),
            early: Count::default(),
            lost: Count::default(),
            open: Count::default(),
            closed: Count::default(),
        }
    }

    pub fn beats_answered(&self) -> u64 {
        self.answered.get()
    }

    pub fn answered(&self, round_trip: Duration) {
        self.answered.add(1);
        self.round_trip.record(round_trip);
    }

    /// Notes that a timer that was due at `due` has fired at `now`, and how late it was.
    pub fn fired(&self, now: Instant, due: Instant, late: &Durations) {
        match now.checked_duration_since(due) {
            Some(lateness) => late.record(lateness),
            None => self.early.add(1),
        }
    }
}
