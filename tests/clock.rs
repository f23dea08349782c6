//! What the clock can do to timers, and timers with the clock: deadlines at its ends, periods of
//! nothing, and decades.
//!
//! What a clock that stands still or steps does is tested in the library, on the manual clock.

mod common;

use std::cell::Cell;
use std::future::Future;
use std::net::UdpSocket;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::time::MissedTicks;
use async_wheel::wheel::Wheel;
use async_wheel::{Async, Timer};
use common::{
    HOUR, MS, NANOSECOND, Wakes, armed, both_ways, in_time, poll_with, sockets::LOOPBACK, watchdog,
};
use futures_lite::{FutureExt, StreamExt};

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

/// Deadlines from the first instant on that there is, set in every way. Each is due at the first
/// poll, and an interval makes up for its ticks one by one.
#[test]
fn earliest_deadlines_are_due_and_keep_their_grid() {
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
                // A period that nanoseconds cannot count, 584 years, is endless.
                let counts =
                    way.contains("interval_at") && u64::try_from(period.as_nanos()).is_ok();
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

/// Deadlines up to the last instant that there is, set in every way. They wake nobody, hide no near
/// deadline, and can be set to another.
#[test]
fn latest_deadlines_stay_pending_and_delay_no_other() {
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

/// An endless duration disarms an armed timer. A setter arms it again, with the waker that polled
/// last.
#[test]
fn armed_timer_can_be_set_to_never() {
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
            // On a busy machine it may have fired before.
            assert!(woken <= 1, "{name}: {woken}");
            assert!(poll_with(&wakes.waker(), &mut timer).is_pending(), "{name}");
            timer.set_after(MS);
            wakes.wait_for(woken + 1);
            assert!(poll_with(&wakes.waker(), &mut timer).is_ready(), "{name}");
        }
    }
}

/// A task that takes ticks of intervals for ever, and how it takes them.
type Storm = fn(Make, Rc<Cell<u64>>) -> Pin<Box<dyn Future<Output = ()>>>;

/// Makes an interval.
type Make = Rc<dyn Fn() -> Timer>;

const STORMS: [(&str, Storm); 2] = [
    ("one interval", |make, ticks| {
        Box::pin(async move {
            let mut interval = make();
            let mut last = None;
            loop {
                let due = interval.next().await;
                assert!(last <= due, "time ran backwards");
                last = due;
                ticks.set(ticks.get() + 1);
            }
        })
    }),
    ("two intervals by turns", |make, ticks| {
        Box::pin(async move {
            let mut intervals = [make(), make()];
            loop {
                for interval in &mut intervals {
                    interval.next().await;
                    ticks.set(ticks.get() + 1);
                }
            }
        })
    }),
];

/// A task that takes ticks of whichever of two intervals is ready.
const WHICHEVER: Storm = |make, ticks| {
    Box::pin(async move {
        let (mut one, mut other) = (make(), make());
        loop {
            one.next().or(other.next()).await;
            ticks.set(ticks.get() + 1);
        }
    })
};

/// Waits for timers and for I/O, five times.
async fn beside_a_storm() {
    let socket = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
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
}

/// A storm has always another tick to take and never waits for anything else.
async fn beside(name: &str, storm: Storm) {
    let periods = [0, 1, 100, 1_000].map(Duration::from_nanos);
    let kinds = [MissedTicks::Burst, MissedTicks::Skip, MissedTicks::Delay];
    for (period, missed) in periods.into_iter().flat_map(|period| kinds.map(|kind| (period, kind)))
    {
        let make: Make = Rc::new(move || Timer::interval(period).with_missed_ticks(missed));
        let executor = LocalExecutor::new();
        let ticks = Rc::new(Cell::new(0_u64));
        let storm = executor.spawn(storm(make, ticks.clone()));
        let others = executor.spawn(beside_a_storm());
        let before = Instant::now();
        executor.run(in_time("tasks beside a storm of ticks", others)).await;
        println!("{name}, {missed:?}: {} of {period:?} in {:?}", ticks.get(), before.elapsed());
        // A microsecond is about what a tick takes: at times there is not another one yet, and the thread
        // sleeps for it, each time for as long as the system takes to wake it.
        let least = if period < Duration::from_micros(1) { 1_024 } else { 0 };
        assert!(ticks.get() > least, "{name}: the storm was none");
        drop(storm);
    }
}

/// Intervals with a period of zero, or of a nanosecond, have always another tick for the task that
/// takes them. Tasks, timers and I/O of the same thread go on.
#[test]
fn endless_ticks_starve_neither_tasks_nor_io() {
    let _watchdog = watchdog();
    for (name, storm) in STORMS {
        both_ways(|| beside(name, storm));
    }
}

/// One interval of the task is ready whenever the other gives way. Only in `block_on`, which tells
/// one poll from the next, must both be pending some time.
#[test]
fn whichever_endless_tick_starves_neither_tasks_nor_io() {
    let _watchdog = watchdog();
    async_wheel::block_on(beside("whichever of two intervals is ready", WHICHEVER));
}

/// The ticks that an interval yields until it has none, or gives way.
fn drain(waker: &Waker, interval: &mut Timer) -> usize {
    (0..).take_while(|_| poll_with(waker, interval).is_ready()).count()
}

/// Each of the thread's intervals is fewer than 1,024 ticks behind: it yields all of them before it
/// is pending.
#[test]
#[cfg_attr(windows, ignore = "there is no instant before the system's start")]
fn short_backlog_is_yielded_without_giving_way() {
    let _watchdog = watchdog();
    let waker = Wakes::new().waker();
    for ticks in [1, 2, 1_000, 1_023] {
        for _ in 0..5 {
            let start = Instant::now() - HOUR * (ticks - 1);
            let mut hourly = Timer::interval_at(start, HOUR);
            assert_eq!(drain(&waker, &mut hourly), ticks as usize);
        }
    }
}

/// A backlog of thousands of ticks: an interval that gave way after 1,024 of them wakes its task,
/// and loses none.
#[test]
#[cfg_attr(windows, ignore = "there is no instant before the system's start")]
fn interval_that_gave_way_goes_on() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let start = Instant::now() - HOUR * 3_000;
    let mut interval = Timer::interval_at(start, HOUR);
    for ticks in [1_024, 1_024, 953] {
        loop {
            // A wake for one of the ticks that were taken may come after it.
            let wakes_before = wakes.count();
            let drained = drain(&wakes.waker(), &mut interval);
            if drained > 0 {
                assert_eq!(drained, ticks);
                break;
            }
            wakes.wait_for(wakes_before + 1);
        }
    }
}

/// One task takes all ticks and another polls when the interval gives way: that one is woken, and
/// again after a setter.
#[test]
fn interval_set_after_giving_way_wakes_last_task() {
    let _watchdog = watchdog();
    let (first, last) = (Wakes::new(), Wakes::new());
    let mut storm = Timer::interval_at(Instant::now() - MS, NANOSECOND);
    // All ticks are one task's, and another polls when the interval gives way.
    for tick in 0..1_024 {
        assert!(poll_with(&first.waker(), &mut storm).is_ready(), "tick {tick}");
    }
    assert!(poll_with(&last.waker(), &mut storm).is_pending());
    last.wait_for(1);
    storm.set_after(20 * MS);
    last.wait_for(2);
}

/// Half a century of beats, from some moment on, that come every few hours, each day and each
/// year, and of idle timeouts that each beat postpones. Every beat has to come in its
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
    // A postponed timeout is looked at once in a while, not each time that it is postponed.
    assert!(in_vain < wakes / 2, "{in_vain} of {wakes} wake-ups for nothing");
    let mut left = 0;
    let _ = wheel.expire(u64::MAX, usize::MAX, |_, _, _| left += 1);
    assert_eq!(left, 8, "lost at the end of time");
}

/// Beats of four periods through fifty years of uptime, in a process that has just started and in
/// one that is five centuries old.
#[test]
fn half_a_century_loses_no_beat() {
    half_a_century(0);
    // And again, when the process is five centuries old.
    half_a_century(500 * 365 * 24 * 3_600_000_000_000);
}
