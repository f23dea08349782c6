//! When timers fire and what they yield, whatever way they were set.

mod common;

use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Timer, block_on};
use common::{HOUR, MS, Wakes, both_ways, in_time, poll_with, watchdog};
use futures_lite::{FutureExt, StreamExt, future};

/// Makes a timer of a duration.
type Way = fn(Duration) -> Timer;

/// Every way to let a timer fire in `duration` from now.
const WAYS: [(&str, Way); 9] = [
    ("after", Timer::after),
    ("at", |duration| Timer::at(Instant::now() + duration)),
    ("interval", Timer::interval),
    ("interval_at", |duration| Timer::interval_at(Instant::now() + duration, HOUR)),
    ("set_after", |duration| set(Timer::never(), |timer| timer.set_after(duration))),
    ("set_at", |duration| set(Timer::after(HOUR), |timer| timer.set_at(Instant::now() + duration))),
    ("set_interval", |duration| set(Timer::never(), |timer| timer.set_interval(duration))),
    ("set_interval_at", |duration| {
        set(Timer::interval(HOUR), |timer| {
            timer.set_interval_at(Instant::now() + duration, HOUR);
        })
    }),
    ("set_after when cleared", |duration| {
        set(Timer::after(HOUR), |timer| {
            timer.clear();
            timer.set_after(duration);
        })
    }),
];

fn set(mut timer: Timer, how: impl Fn(&mut Timer)) -> Timer {
    how(&mut timer);
    timer
}

/// Every way to give a timer a duration that the clock cannot count to.
const ENDLESS: [(&str, Way); 6] = [
    ("after", Timer::after),
    ("interval", Timer::interval),
    ("set_after", |endless| set(Timer::after(MS), |timer| timer.set_after(endless))),
    ("set_after of an interval", |endless| {
        set(Timer::interval(MS), |timer| timer.set_after(endless))
    }),
    ("set_interval", |endless| set(Timer::after(MS), |timer| timer.set_interval(endless))),
    ("set_interval of an interval", |endless| {
        set(Timer::interval(MS), |timer| timer.set_interval(endless))
    }),
];

/// Every way to set a timer, with durations around the width of a slot: none fires early or yields
/// another deadline.
#[test]
fn timers_are_never_early() {
    let _watchdog = watchdog();
    let durations = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_nanos(65_535),
        Duration::from_nanos(65_536),
        Duration::from_nanos(65_537),
        MS,
        Duration::from_nanos(4_194_304),
        Duration::from_micros(4_321),
    ];
    both_ways(|| async move {
        for duration in durations {
            for (way, make) in WAYS {
                let before = Instant::now();
                let mut timer = make(duration);
                let latest = Instant::now() + duration;
                let what = format!("{way} {duration:?}");
                let due = in_time(&what, &mut timer).await;
                assert!(due <= Instant::now(), "{what} fired early");
                assert!(before + duration <= due, "{what} was due before its duration");
                assert!(due <= latest, "{what} was due after its duration");
            }
        }
    });
}

/// An armed timer is postponed, or set to an earlier deadline.
#[test]
fn armed_timer_set_again_is_not_early() {
    both_ways(|| async {
        for (first, second) in [(2, 5), (5, 2), (3, 3), (1, 20), (3_600_000, 4)] {
            let mut timer = Timer::after(first * MS);
            let _ = future::poll_once(&mut timer).await;
            let due = Instant::now() + second * MS;
            timer.set_at(due);
            let what = format!("{first} ms, then {second} ms");
            assert_eq!(in_time(&what, &mut timer).await, due);
            assert!(due <= Instant::now(), "{what} fired early");
        }
    });
}

/// Durations that the clock cannot count to, in every constructor and setter.
#[test]
fn endless_duration_means_never() {
    let _watchdog = watchdog();
    for endless in [Duration::MAX, Duration::from_secs(u64::MAX)] {
        for (way, make) in ENDLESS {
            let mut timer = make(endless);
            assert!(!timer.will_fire(), "{way} {endless:?} will fire");
            let wakes = Wakes::new();
            assert!(poll_with(&wakes.waker(), &mut timer).is_pending(), "{way} {endless:?}");
            // It can still be given a deadline that comes.
            timer.set_after(MS);
            assert!(timer.will_fire());
            block_on(in_time(way, &mut timer));
        }
    }
}

#[test]
fn endless_period_yields_one_tick() {
    let _watchdog = watchdog();
    let start = Instant::now();
    let ways = [
        Timer::interval_at(start, Duration::MAX),
        set(Timer::never(), |timer| timer.set_interval_at(start, Duration::MAX)),
        set(Timer::interval(MS), |timer| timer.set_interval_at(start, Duration::MAX)),
    ];
    for mut timer in ways {
        assert_eq!(block_on(in_time("the first tick", timer.next())), Some(start));
        assert!(!timer.will_fire(), "{timer:?}");
        assert!(poll_with(&Wakes::new().waker(), &mut timer).is_pending());
    }
}

/// Deadlines in seconds to millions of centuries, one by one: none wakes its task, and a near timer
/// fires beside them.
#[test]
fn far_deadline_does_not_hide_near_ones() {
    let _watchdog = watchdog();
    let now = Instant::now();
    let powers = (32..64).map(|power| Duration::from_nanos(1 << power));
    let beyond = [36, 40, 50, 54].map(|power| Duration::from_millis(1 << power));
    let centuries = [1, 5, 6, 1000, 1 << 30].map(|centuries| HOUR * 24 * 365 * 100 * centuries);
    let wakes = Wakes::new();
    let mut far = Vec::new();
    for distance in powers.chain(beyond).chain(centuries) {
        // A clock that counts in less than nanoseconds can be too small for the last ones.
        let Some(deadline) = now.checked_add(distance) else { continue };
        for mut timer in
            [Timer::at(deadline), Timer::interval(distance), Timer::interval_at(deadline, distance)]
        {
            assert!(poll_with(&wakes.waker(), &mut timer).is_pending(), "in {distance:?}");
            assert!(timer.will_fire());
            far.push(timer);
        }
        both_ways(|| in_time("a near timer", Timer::after(MS)));
    }
    assert!(far.len() >= 96, "{} far timers", far.len());
    assert_eq!(wakes.count(), 0, "a timer fired that is hours away");
}

#[test]
fn past_deadline_is_due_at_first_poll() {
    let _watchdog = watchdog();
    let now = Instant::now();
    let past = [Duration::ZERO, Duration::from_nanos(1), MS, Duration::from_secs(2)];
    for due in past.iter().filter_map(|ago| now.checked_sub(*ago)) {
        let timers = [
            Timer::at(due),
            Timer::interval_at(due, HOUR),
            set(Timer::never(), |timer| timer.set_at(due)),
            set(Timer::after(HOUR), |timer| timer.set_at(due)),
            set(Timer::interval(HOUR), |timer| timer.set_interval_at(due, HOUR)),
        ];
        for mut timer in timers {
            assert!(timer.will_fire(), "{timer:?}");
            assert_eq!(poll_with(&Wakes::new().waker(), &mut timer), Poll::Ready(due));
        }
    }
}

#[test]
fn will_fire_follows_the_timers_state() {
    let _watchdog = watchdog();
    let waker = Wakes::new().waker();
    let now = Instant::now();

    let mut once = Timer::at(now);
    assert!(once.will_fire(), "due, but not polled");
    assert!(poll_with(&waker, &mut once).is_ready());
    assert!(!once.will_fire(), "it has fired");
    once.set_at(now);
    assert!(once.will_fire(), "it was set again");
    once.clear();
    assert!(!once.will_fire(), "it was cleared");
    assert!(poll_with(&waker, &mut once).is_pending(), "it was cleared");

    let mut ticks = Timer::interval_at(now, HOUR);
    assert!(poll_with(&waker, &mut ticks).is_ready());
    assert!(ticks.will_fire(), "an interval goes on");
    ticks.clear();
    assert!(!ticks.will_fire());

    assert!(!Timer::never().will_fire());
    assert!(Timer::after(HOUR).will_fire());
}

#[test]
fn fired_timer_stays_pending_until_set() {
    both_ways(|| async {
        let mut timer = Timer::after(MS);
        in_time("the first time", &mut timer).await;
        assert!(future::poll_once(&mut timer).await.is_none(), "it fired twice");
        let quiet = async {
            Timer::after(10 * MS).await;
            true
        };
        let again = async {
            (&mut timer).await;
            false
        };
        assert!(again.or(quiet).await, "it fired twice");
        let due = Instant::now() + MS;
        timer.set_at(due);
        assert_eq!(in_time("the second time", &mut timer).await, due);
    });
}

/// The first tick comes after one period, and the others a period after one another, however late
/// they are taken.
#[test]
fn ticks_keep_the_grid_from_the_first() {
    both_ways(|| async {
        let period = Duration::from_micros(1_500);
        let ways: [Way; 2] =
            [Timer::interval, |period| set(Timer::after(HOUR), |timer| timer.set_interval(period))];
        for make in ways {
            let before = Instant::now();
            let mut ticks = make(period);
            let latest = Instant::now() + period;
            let mut due = in_time("the first tick", ticks.next()).await.unwrap();
            assert!(before + period <= due, "the first tick came before a period had passed");
            assert!(due <= latest, "the first tick came after more than a period");
            for tick in 0..10 {
                let next = in_time("a tick", ticks.next()).await.unwrap();
                assert_eq!(next - due, period, "tick {tick}");
                assert!(next <= Instant::now(), "tick {tick} is early");
                due = next;
            }
        }
    });
}

#[test]
fn missed_ticks_burst_on_the_grid() {
    let _watchdog = watchdog();
    let waker = Wakes::new().waker();
    let period = 2 * MS;
    let start = Instant::now();
    let mut ticks = Timer::interval_at(start, period);
    assert_eq!(poll_with(&waker, &mut ticks), Poll::Ready(start));
    // It is registered now; nobody polls it for ten periods.
    thread::sleep(20 * MS);
    for tick in 1..=10 {
        assert_eq!(poll_with(&waker, &mut ticks), Poll::Ready(start + tick * period));
    }
    let late = Instant::now();
    let next = block_on(in_time("the tick after the burst", ticks.next())).unwrap();
    let off = (next - start).as_nanos() % period.as_nanos();
    assert_eq!(off, 0, "off the grid, {:?} after the burst", next.saturating_duration_since(late));
}

#[test]
fn moving_a_tick_keeps_the_period() {
    both_ways(|| async {
        let period = 3 * MS;
        let mut ticks = Timer::interval(period);
        let _ = future::poll_once(&mut ticks).await;
        let moved = Instant::now() + MS;
        ticks.set_at(moved);
        assert_eq!(in_time("the moved tick", ticks.next()).await, Some(moved));
        assert_eq!(in_time("the next", ticks.next()).await, Some(moved + period));

        ticks.set_after(MS);
        let moved = in_time("the tick moved again", ticks.next()).await.unwrap();
        assert_eq!(in_time("the next", ticks.next()).await, Some(moved + period));

        ticks.clear();
        ticks.set_after(MS);
        let moved = in_time("the tick after a clear", ticks.next()).await.unwrap();
        assert_eq!(in_time("the next", ticks.next()).await, Some(moved + period));
    });
}

/// A timer that was set to one deadline and then to an interval, or the other way round, keeps
/// neither deadline nor period of before.
#[test]
fn changing_between_once_and_interval_leaves_nothing() {
    both_ways(|| async {
        let mut timer = Timer::after(MS);
        in_time("once", &mut timer).await;
        for period in [2 * MS, MS] {
            timer.set_interval(period);
            let first = in_time("the first tick", timer.next()).await.unwrap();
            assert_eq!(in_time("the second", timer.next()).await, Some(first + period));

            let due = Instant::now() + MS;
            timer.set_interval_at(due, Duration::MAX);
            assert_eq!(in_time("once again", &mut timer).await, due);
            assert!(!timer.will_fire(), "the period {period:?} is left");
        }
        timer = Timer::after(MS);
        in_time("a new one in its place", &mut timer).await;
        assert!(!timer.will_fire());
    });
}

/// A task takes the ticks of an interval with a period of zero, or of a nanosecond, and yields
/// after each.
#[test]
fn zero_period_starves_no_other_timer() {
    let _watchdog = watchdog();
    for period in [Duration::ZERO, Duration::from_nanos(1)] {
        let ticks = async {
            let mut ticks = Timer::interval(period);
            let mut last = None;
            loop {
                let due = ticks.next().await;
                assert!(last <= due, "time ran backwards");
                last = due;
                future::yield_now().await;
            }
        };
        let other = async {
            for _ in 0..5 {
                Timer::after(MS).await;
            }
        };
        block_on(in_time("timers beside a storm of ticks", other.or(ticks)));
    }
}

#[test]
fn stream_of_one_deadline_never_ends() {
    both_ways(|| async {
        let due = Instant::now() + MS;
        let mut timer = Timer::at(due);
        assert_eq!(in_time("the deadline", timer.next()).await, Some(due));
        // A stream that ended would yield `None` here; a timer's has no end.
        assert!(future::poll_once(timer.next()).await.is_none());
    });
}
