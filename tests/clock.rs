//! What the clock can do to timers, and timers with the clock: deadlines at its ends, periods of
//! nothing, and decades.
//!
//! What a clock that stands still or steps does is tested in the library, on a clock that is
//! moved by hand.

mod common;

use std::cell::Cell;
use std::net::UdpSocket;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::wheel::Wheel;
use async_wheel::{Async, Timer};
use common::{Wakes, armed, both_ways, in_time, poll_with, watchdog};
use futures_lite::StreamExt;

const NANOSECOND: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The furthest instant that can be reached by such steps.
fn furthest(step: impl Fn(Instant, Duration) -> Option<Instant>) -> Instant {
    let (mut at, mut distance) = (Instant::now(), Duration::MAX);
    while !distance.is_zero() {
        match step(at, distance) {
            Some(further) => at = further,
            None => distance /= 2,
        }
    }
    at
}

/// The first instant that there is.
fn earliest() -> Instant {
    let earliest = furthest(|at, distance| at.checked_sub(distance));
    assert_eq!(earliest.checked_sub(NANOSECOND), None);
    earliest
}

/// The last instant that there is.
fn latest() -> Instant {
    let latest = furthest(|at, distance| at.checked_add(distance));
    assert_eq!(latest.checked_add(NANOSECOND), None);
    latest
}

/// Every way to give a timer a deadline and a period, from new on and when it is armed already.
fn ways(at: Instant, period: Duration) -> Vec<(&'static str, Timer)> {
    let waker = Wakes::new().waker();
    let armed_once = || armed(&waker, || Timer::after(HOUR));
    let armed_interval = || armed(&waker, || Timer::interval(HOUR));
    let set = |mut timer: Timer, how: &dyn Fn(&mut Timer)| {
        how(&mut timer);
        timer
    };
    let interval = |timer: &mut Timer| timer.set_interval_at(at, period);
    let once = |timer: &mut Timer| timer.set_at(at);
    vec![
        ("at", Timer::at(at)),
        ("set_at", set(Timer::never(), &once)),
        ("set_at of an armed timer", set(armed_once(), &once)),
        ("interval_at", Timer::interval_at(at, period)),
        ("set_interval_at", set(Timer::never(), &interval)),
        ("set_interval_at of an armed timer", set(armed_once(), &interval)),
        ("set_interval_at of an armed interval", set(armed_interval(), &interval)),
    ]
}

const PERIODS: [Duration; 5] =
    [Duration::ZERO, NANOSECOND, HOUR, Duration::from_secs(u64::MAX / 2), Duration::MAX];

#[test]
fn deadlines_from_the_first_instant_on_are_due_at_once_and_keep_their_grid() {
    let _watchdog = watchdog();
    let waker = Wakes::new().waker();
    let first = earliest();
    let past = [first, first + NANOSECOND, first + HOUR, Instant::now() - NANOSECOND];
    for at in past {
        for period in PERIODS {
            for (way, mut timer) in ways(at, period) {
                let what = format!("{way}, period {period:?}");
                assert!(timer.will_fire(), "{what}");
                assert_eq!(poll_with(&waker, &mut timer), Poll::Ready(at), "{what}");
                // A period of more than 292 years is endless.
                let counts =
                    way.contains("interval_at") && i64::try_from(period.as_nanos()).is_ok();
                let next = if counts { at.checked_add(period) } else { None };
                match next {
                    // Centuries of ticks were missed, and are made up for one by one.
                    Some(next) if next <= Instant::now() => {
                        assert_eq!(poll_with(&waker, &mut timer), Poll::Ready(next), "{what}");
                    }
                    _ => assert!(poll_with(&waker, &mut timer).is_pending(), "{what}"),
                }
            }
        }
    }
}

#[test]
fn deadlines_up_to_the_last_instant_stay_pending_and_hold_nobody_up() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let last = latest();
    let mut timers = Vec::new();
    for at in [last, last - NANOSECOND, last - HOUR] {
        for period in PERIODS {
            for (way, mut timer) in ways(at, period) {
                assert!(timer.will_fire(), "{way}");
                assert!(poll_with(&wakes.waker(), &mut timer).is_pending(), "{way}");
                timers.push(timer);
            }
        }
    }
    both_ways(|| in_time("a near timer", Timer::after(MS)));
    assert_eq!(wakes.count(), 0, "woken for what never comes");
    // From the end back to the present, each is as good as any.
    for timer in &mut timers {
        timer.set_after(MS);
    }
    wakes.wait_for(timers.len());
    for timer in &mut timers {
        assert!(poll_with(&wakes.waker(), timer).is_ready());
    }
}

#[test]
fn an_endless_duration_takes_an_armed_timer_back_and_a_setter_brings_it_on_again() {
    let _watchdog = watchdog();
    type Set = fn(&mut Timer, Duration);
    let setters: [(&str, Set); 3] = [
        ("set_after", Timer::set_after),
        ("set_interval", Timer::set_interval),
        ("set_at", |timer, endless| match Instant::now().checked_add(endless) {
            Some(at) => timer.set_at(at),
            None => timer.clear(),
        }),
    ];
    let made: [fn() -> Timer; 2] = [|| Timer::after(20 * MS), || Timer::interval(20 * MS)];
    for (name, set) in setters {
        for make in made {
            let wakes = Wakes::new();
            let mut timer = armed(&wakes.waker(), make);
            set(&mut timer, Duration::MAX);
            assert!(!timer.will_fire(), "{name}");
            std::thread::sleep(30 * MS);
            let woken = wakes.count();
            // On a busy machine it may have gone off before.
            assert!(woken <= 1, "{name}: {woken}");
            assert!(poll_with(&wakes.waker(), &mut timer).is_pending(), "{name}");
            timer.set_after(MS);
            wakes.wait_for(woken + 1);
            assert!(poll_with(&wakes.waker(), &mut timer).is_ready(), "{name}");
        }
    }
}

#[test]
fn an_interval_of_nothing_starves_neither_tasks_nor_timers_nor_io_of_its_thread() {
    let _watchdog = watchdog();
    both_ways(|| async {
        for period in [Duration::ZERO, NANOSECOND] {
            let executor = LocalExecutor::new();
            let ticks = Rc::new(Cell::new(0_u64));
            // It never waits for anything else, and has always another tick to take.
            let storm = executor.spawn({
                let ticks = ticks.clone();
                async move {
                    let mut interval = Timer::interval(period);
                    let mut last = None;
                    loop {
                        let due = interval.next().await;
                        assert!(last <= due, "time ran backwards");
                        last = due;
                        ticks.set(ticks.get() + 1);
                    }
                }
            });
            let others = executor.spawn(async {
                let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
                let address = socket.get_ref().local_addr().unwrap();
                for round in 0..5 {
                    Timer::after(MS).await;
                    let mut heard = [0];
                    let (sent, received) = futures_lite::future::zip(
                        async {
                            // Nothing is there yet when the other side waits already.
                            Timer::after(MS).await;
                            socket.send_to(&[round], address).await
                        },
                        socket.recv_from(&mut heard),
                    )
                    .await;
                    assert_eq!((sent.unwrap(), received.unwrap().0, heard), (1, 1, [round]));
                }
            });
            let before = Instant::now();
            executor.run(in_time("tasks beside a storm of ticks", others)).await;
            println!("{} ticks of {period:?} in {:?}", ticks.get(), before.elapsed());
            assert!(ticks.get() > 1_024, "the storm was none");
            drop(storm);
        }
    });
}

#[test]
fn a_backlog_that_is_no_storm_is_made_up_for_without_giving_way() {
    let _watchdog = watchdog();
    let waker = Wakes::new().waker();
    // More ticks than a storm is granted, but never another one that is overdue.
    for _ in 0..3_000 {
        let due = Instant::now();
        let mut hourly = Timer::interval_at(due, HOUR);
        assert_eq!(poll_with(&waker, &mut hourly), Poll::Ready(due));
    }
}

/// How many ticks an interval yields until a poll is `Pending`.
fn taken_without_waiting(interval: &mut Timer) -> usize {
    let waker = Wakes::new().waker();
    (0..).take_while(|_| poll_with(&waker, interval).is_ready()).count()
}

/// An interval that has `ticks` to make up for, and then none for an hour.
fn behind(ticks: u32) -> Timer {
    let period = 2 * HOUR;
    // In the middle of a period, whatever the machine does meanwhile.
    Timer::interval_at(Instant::now() - HOUR - period * (ticks - 1), period)
}

/// What other timers of the thread have yielded before must not count: code that takes missed
/// ticks without waiting would end too early, having taken a few.
#[test]
fn missed_ticks_come_whatever_other_timers_took() {
    let _watchdog = watchdog();
    for others in [0, 1, 400, 1_000, 1_020, 1_023] {
        assert_eq!(taken_without_waiting(&mut behind(others + 1)), others as usize + 1);
        for ticks in [1, 2, 100, 1_000, 1_023, 1_024] {
            let mut interval = behind(ticks);
            assert_eq!(taken_without_waiting(&mut interval), ticks as usize, "after {others}");
            // Pending because nothing is due, and not in place of a tick.
            assert_eq!(taken_without_waiting(&mut interval), 0, "after {others}");
        }
    }
}

/// Ticks of before an interval was set anew must not count.
#[test]
fn interval_set_anew_counts_anew() {
    let _watchdog = watchdog();
    let period = 2 * HOUR;
    let start = || Instant::now() - HOUR - period * 2_000;
    let waker = Wakes::new().waker();
    let mut interval = Timer::interval_at(start(), period);
    for round in 0..9 {
        assert!((0..1_000).all(|_| poll_with(&waker, &mut interval).is_ready()), "round {round}");
        match round % 3 {
            0 => interval.set_interval_at(start(), period),
            1 => interval.set_at(start()),
            _ => {
                interval.clear();
                interval.set_at(start());
            }
        }
    }
}

/// The bound, to the tick: with one more to make up for, the 1,024th gives way, once.
#[test]
fn overdue_tick_1024_gives_way_once() {
    let _watchdog = watchdog();
    let mut interval = behind(3_000);
    assert_eq!(taken_without_waiting(&mut interval), 1_023);
    assert_eq!(taken_without_waiting(&mut interval), 1_023);
    assert_eq!(taken_without_waiting(&mut interval), 3_000 - 2 * 1_023);
    assert_eq!(taken_without_waiting(&mut interval), 0);
}

/// Two storms in one task must leave others of the thread their turn as one does, although each
/// counts by itself.
#[test]
fn alternating_storms_give_way_to_their_thread() {
    let _watchdog = watchdog();
    both_ways(|| async {
        let executor = LocalExecutor::new();
        let ticks = Rc::new(Cell::new(0_u64));
        let storm = executor.spawn({
            let ticks = ticks.clone();
            async move {
                let (mut one, mut other) =
                    (Timer::interval(Duration::ZERO), Timer::interval(Duration::ZERO));
                loop {
                    one.next().await;
                    other.next().await;
                    ticks.set(ticks.get() + 2);
                }
            }
        });
        let others = executor.spawn({
            let ticks = ticks.clone();
            async move {
                for _ in 0..100 {
                    let before = ticks.get();
                    futures_lite::future::yield_now().await;
                    let between = ticks.get() - before;
                    assert!(between <= 4 * 1_024, "{between} ticks before another task's turn");
                }
            }
        });
        executor.run(in_time("a task beside two storms", others)).await;
        assert!(ticks.get() > 1_024, "the storms were none");
        drop(storm);
    });
}

#[test]
fn an_interval_that_is_set_after_it_gave_way_wakes_the_task_that_polled_last() {
    let _watchdog = watchdog();
    let (first, last) = (Wakes::new(), Wakes::new());
    let mut storm = Timer::interval(NANOSECOND);
    // How many ticks come in a row, from one poll that gave way to the next.
    let mut burst =
        || (0..).take_while(|_| poll_with(&first.waker(), &mut storm).is_ready()).count();
    burst();
    let ticks = burst();
    // All of them are one task's, and another polls when the interval gives way.
    for tick in 0..ticks {
        assert!(poll_with(&first.waker(), &mut storm).is_ready(), "tick {tick} of {ticks}");
    }
    assert!(poll_with(&last.waker(), &mut storm).is_pending());
    last.wait_for(1);
    storm.set_after(20 * MS);
    last.wait_for(2);
}

/// Half a century of beats, from some moment on, that come every few hours, each day and each
/// year, and of idle timeouts that each beat pushes out. Every beat has to come in its
/// nanosecond, and no timeout.
fn half_a_century(start: u64) {
    const HOUR: u64 = 3_600_000_000_000;
    const LIFE: u64 = 50 * 365 * 24 * HOUR;
    #[derive(Clone, Copy)]
    enum Event {
        Beat(usize),
        Idle,
    }
    // Off every boundary of the wheel's slots, and on it: 2^44 ns are almost five hours.
    let periods = [6 * HOUR + 1, 1 << 44, 24 * HOUR - 1, 24 * 365 * HOUR + 13];
    let mut wheel = Wheel::new();
    let _ = wheel.expire(start, usize::MAX, |_, _, _| ());
    let mut beats = [0; 4];
    let mut idle = Vec::new();
    for (number, &period) in periods.iter().enumerate() {
        wheel.insert(start + period, Event::Beat(number));
        idle.push(wheel.insert(start + 2 * period + period / 2, Event::Idle));
    }
    let (mut wakes, mut in_vain) = (0_u64, 0_u64);
    let mut due = Vec::new();
    while let Some(next) = wheel.next_deadline().filter(|next| *next <= start + LIFE) {
        wakes += 1;
        let progress = wheel.expire(next, usize::MAX, |_, at, event| due.push((at, event)));
        assert!(!progress.more);
        in_vain += u64::from(due.is_empty());
        for (at, event) in due.drain(..) {
            let Event::Beat(number) = event else { panic!("idle at {at}") };
            beats[number] += 1;
            assert_eq!(at, start + beats[number] * periods[number], "off the grid");
            wheel.insert(at + periods[number], event);
            assert!(wheel.reschedule(idle[number], at + 2 * periods[number] + 99));
        }
    }
    assert_eq!(beats, periods.map(|period| LIFE / period), "from {start}");
    // A timeout that was pushed out is looked at once in a while, not at each push.
    assert!(in_vain < wakes / 2, "{in_vain} of {wakes} wake-ups for nothing");
    let mut left = 0;
    let _ = wheel.expire(u64::MAX, usize::MAX, |_, _, _| left += 1);
    assert_eq!(left, 8, "lost at the end of time");
}

#[test]
fn half_a_century_of_uptime_shifts_and_loses_no_beat() {
    half_a_century(0);
    // And again, when the process is five centuries old.
    half_a_century(500 * 365 * 24 * 3_600_000_000_000);
}
