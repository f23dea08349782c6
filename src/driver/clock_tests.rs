//! A shard and the fallback under a clock that stands still, jumps, steps back, or has run for
//! centuries. The clock is this thread's own, so that nothing here sleeps for a deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::fallback::Fallback;
use crate::clock::{NEVER, manual};
use crate::reactor::{Batch, Pollers, Reactor, Settings, Shard, Slack};
use crate::sync::{self, Mutex, Ref};
use crate::sys::Polls;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MILLISECOND;
const YEAR: u64 = 365 * 24 * HOUR;

/// The most timers that expire in a round.
const BUDGET: usize = 512;

/// Counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        // Ordering: Relaxed, here and below: one thread.
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A reactor of one shard that nobody drives but the test.
struct Bench {
    reactor: Ref<Reactor>,
    shard: Ref<Shard>,
    batch: Batch,
}

impl Bench {
    fn new() -> Bench {
        // Shards are for ever, and LeakSanitizer wants to find them.
        static KEPT: Mutex<Vec<Ref<Reactor>>> = Mutex::new(Vec::new());
        let reactor = sync::share(Reactor::new(Pollers::new().unwrap(), Settings::default()));
        KEPT.lock().push(reactor.clone());
        Bench { shard: reactor.first(), reactor, batch: Batch::new() }
    }

    /// A timer, and the count of its wakes.
    fn timer(&self, deadline: u64) -> Arc<Count> {
        let count = Arc::new(Count::default());
        self.shard.insert_timer(deadline, Slack::UNSET, Waker::from(count.clone()));
        count
    }

    /// A round; whether the wheel may have more.
    fn round(&mut self) -> bool {
        self.shard.try_acquire().unwrap().run_round(&mut self.batch);
        let more = self.batch.has_more();
        self.batch.wake(&self.shard);
        more
    }
}

/// A clock that stands still fires what is due once, and never what is a nanosecond away.
#[test]
fn standing_clock_fires_only_what_is_due() {
    let mut bench = Bench::new();
    for at in [0, 1, MILLISECOND, 40 * YEAR] {
        manual::set(at);
        let due = bench.timer(at);
        let next = bench.timer(at + 1);
        for _ in 0..50 {
            let overdue = bench.timer(at.saturating_sub(1));
            bench.round();
            assert_eq!((due.get(), overdue.get(), next.get()), (1, 1, 0), "at {at}");
        }
        manual::set(at + 1);
        bench.round();
        assert_eq!((due.get(), next.get()), (1, 1), "at {at}");
    }
}

#[test]
fn clock_jump_fires_all_in_bounded_rounds() {
    let mut bench = Bench::new();
    manual::set(HOUR);
    let timers: Vec<_> =
        (0..10_000).map(|number| bench.timer(HOUR + number * 360 * MILLISECOND)).collect();
    bench.round();
    manual::set(3 * HOUR);
    let fired = || timers.iter().map(|timer| timer.get()).sum::<usize>();
    let mut before = fired();
    // The last round, after which nothing more is due, counts as well.
    loop {
        let more = bench.round();
        assert!(fired() - before <= BUDGET, "{} in one round", fired() - before);
        before = fired();
        if !more {
            break;
        }
    }
    assert!(timers.iter().all(|timer| timer.get() == 1));
    assert!(!bench.round());
    assert_eq!(fired(), 10_000, "a second time");
}

/// After a clock stepped back nothing fires early, and what comes due by the new time is not slept
/// through.
#[test]
fn clock_step_back_fires_nothing_early_or_late() {
    let mut bench = Bench::new();
    // Many fire, one upon the other, so that they are coalesced.
    let mut now = 2 * HOUR;
    for _ in 0..10_000 {
        manual::set(now);
        bench.timer(now);
        bench.round();
        now += MICROSECOND;
    }
    let before = bench.timer(now + MILLISECOND);
    now -= HOUR;
    manual::set(now);
    let after = bench.timer(now + MILLISECOND);
    bench.round();
    let until = bench.shard.with_timers(|timers| timers.sleep_until());
    assert!(until >= now + MILLISECOND, "it would not sleep");
    assert!(until <= now + 2 * MILLISECOND, "it would sleep for {} µs", (until - now) / 1_000);
    assert_eq!((before.get(), after.get()), (0, 0), "early");
    manual::set(until);
    bench.round();
    assert_eq!((before.get(), after.get()), (0, 1));
    manual::set(now + HOUR + MILLISECOND);
    bench.round();
    assert_eq!((before.get(), after.get()), (1, 1));
}

#[test]
fn decades_and_centuries_of_uptime_change_nothing() {
    let mut bench = Bench::new();
    for at in [30 * YEAR, 60 * YEAR, 292 * YEAR, 500 * YEAR, NEVER - HOUR] {
        manual::set(at);
        let never = bench.timer(NEVER);
        let timers: Vec<_> = [MICROSECOND, MILLISECOND, HOUR / 2]
            .map(|distance| (at + distance, bench.timer(at + distance)))
            .into();
        for (deadline, timer) in timers {
            assert_eq!(bench.shard.with_timers(|timers| timers.next_deadline()), deadline);
            manual::set(deadline - 1);
            bench.round();
            assert_eq!(timer.get(), 0, "early at {deadline}");
            manual::set(deadline);
            bench.round();
            assert_eq!(timer.get(), 1, "not at {deadline}");
        }
        assert_eq!(never.get(), 0);
    }
}

#[test]
fn thirty_years_of_daily_beats_all_fire() {
    const DAY: u64 = 24 * HOUR;
    let mut bench = Bench::new();
    let (beat, idle) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let daily = bench.shard.insert_timer(DAY, Slack::UNSET, Waker::from(beat.clone()));
    let timeout = bench.shard.insert_timer(2 * DAY, Slack::UNSET, Waker::from(idle.clone()));
    for day in 1..=30 * 365 {
        manual::set(day * DAY - 1);
        bench.round();
        manual::set(day * DAY);
        bench.round();
        assert_eq!(beat.get() as u64, day);
        bench.shard.reschedule_timer(daily, (day + 1) * DAY);
        bench.shard.reschedule_timer(timeout, (day + 2) * DAY);
    }
    assert_eq!(idle.get(), 0, "it was postponed each day");
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn fallback_survives_a_clock_that_steps_back() {
    let bench = Bench::new();
    let mut fallback = Fallback::new(bench.reactor.clone());
    manual::step_back(HOUR, Duration::from_micros(1));
    for _ in 0..10 {
        bench.timer(HOUR / 2);
        // Its sleep ends at once.
        bench.reactor.root().notify();
        bench.reactor.fallback().unpark();
        fallback.step();
        fallback.step();
    }
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn fallback_survives_the_end_of_time() {
    let bench = Bench::new();
    let mut fallback = Fallback::new(bench.reactor.clone());
    manual::set(NEVER);
    bench.shard.succession().note_awake();
    for _ in 0..10 {
        // A thread that drives: the fallback will scan again after its backoff.
        bench.shard.run_round_if_vacant(&mut Batch::new());
        bench.reactor.root().notify();
        fallback.step();
    }
}
