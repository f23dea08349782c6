//! Which task a timer wakes, and when: setters arm it with the waker that polled last, wherever it
//! has moved, and a timer that was dropped wakes none.

mod common;

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Timer, block_on};
use common::{
    A_WHILE, HOUR, MS, Wakes, armed, both_ways, eventually, in_time, poll_with, watchdog,
};
use futures_lite::future;

/// Sets a timer to a duration from now.
type Setter = fn(&mut Timer, Duration);

/// Every way to give a registered timer another deadline.
const SETTERS: [(&str, Setter); 5] = [
    ("set_after", Timer::set_after),
    ("set_at", |timer, duration| timer.set_at(Instant::now() + duration)),
    ("set_interval", Timer::set_interval),
    ("set_interval_at", |timer, duration| {
        timer.set_interval_at(Instant::now() + duration, HOUR);
    }),
    ("clear and set_after", |timer, duration| {
        timer.clear();
        timer.set_after(duration);
    }),
];

/// Sets a timer in every way, after it was armed with a first duration; when the test ends, the
/// timer has to be due.
fn in_every_way(first: Duration, test: impl Fn(&str, Setter, &Wakes, &mut Timer)) {
    let _watchdog = watchdog();
    for (name, set) in SETTERS {
        let wakes = Wakes::new();
        let mut timer = armed(&wakes.waker(), || Timer::after(first));
        test(name, set, &wakes, &mut timer);
        assert!(poll_with(&wakes.waker(), &mut timer).is_ready(), "{name} woke early");
    }
}

/// Deadlines on different levels of the wheel: a cascade wakes nobody.
#[test]
fn deadline_wakes_once_and_never_early() {
    let _watchdog = watchdog();
    // Distances that wait on different levels of the wheel: none may wake just to cascade.
    for distance in [1, 3, 5, 30, 270] {
        let wakes = Wakes::new();
        let mut timer = armed(&wakes.waker(), || Timer::after(distance * MS));
        wakes.wait_for(1);
        assert!(poll_with(&wakes.waker(), &mut timer).is_ready(), "woken early: {distance} ms");
        assert_eq!(wakes.count(), 1);
    }
}

/// A setter arms the new deadline without a poll, with the waker that polled last and no other.
#[test]
fn setter_wakes_the_task_that_polled_last() {
    let _watchdog = watchdog();
    for (name, set) in SETTERS {
        for first in [HOUR, 5_000 * MS] {
            let (former, last) = (Wakes::new(), Wakes::new());
            let mut timer = armed(&former.waker(), || Timer::after(first));
            assert!(poll_with(&last.waker(), &mut timer).is_pending());
            set(&mut timer, 2 * MS);
            last.wait_for(1);
            assert_eq!(former.count(), 0, "{name} woke a task that is not waiting any more");
            assert!(poll_with(&last.waker(), &mut timer).is_ready(), "{name} woke early");
        }
    }
}

/// The timer has woken its task and was not polled since, as that of a connection that was busy.
#[test]
fn deadline_set_after_unpolled_wake_wakes_again() {
    in_every_way(MS, |_, set, wakes, timer| {
        for round in 1..=5 {
            wakes.wait_for(round);
            // Woken, but the deadline is moved on without a poll: a connection that was busy.
            set(timer, 2 * MS);
        }
        wakes.wait_for(6);
    });
}

#[test]
fn postponed_deadline_wakes_only_at_the_last() {
    in_every_way(5_000 * MS, |name, set, wakes, timer| {
        for _ in 0..100 {
            set(timer, 6_000 * MS);
        }
        let start = Instant::now();
        set(timer, 50 * MS);
        wakes.wait_for(1);
        assert!(start.elapsed() >= 50 * MS, "{name}: an old deadline woke");
    });
}

#[test]
fn cleared_timer_wakes_only_when_set_again() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut timers: Vec<_> = SETTERS
        .iter()
        .map(|_| {
            let mut timer = armed(&wakes.waker(), || Timer::after(250 * MS));
            timer.clear();
            timer
        })
        .collect();
    thread::sleep(250 * MS + A_WHILE);
    assert_eq!(wakes.count(), 0, "a cleared timer woke");
    for (count, (timer, (_, set))) in timers.iter_mut().zip(SETTERS).enumerate() {
        set(timer, MS);
        wakes.wait_for(count + 1);
    }
}

#[test]
fn setting_a_past_deadline_wakes_the_task() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut timer = armed(&wakes.waker(), || Timer::after(HOUR));
    let due = Instant::now();
    timer.set_at(due);
    wakes.wait_for(1);
    assert_eq!(poll_with(&wakes.waker(), &mut timer), std::task::Poll::Ready(due));

    let mut ticks = armed(&wakes.waker(), || Timer::interval(HOUR));
    ticks.set_interval_at(due, MS);
    wakes.wait_for(2);
}

#[test]
fn next_tick_wakes_without_another_poll() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut ticks = Timer::interval_at(Instant::now(), 5 * MS);
    // Ready at once: the task works and does not poll again.
    assert!(poll_with(&wakes.waker(), &mut ticks).is_ready());
    wakes.wait_for(1);
    assert!(poll_with(&wakes.waker(), &mut ticks).is_ready(), "woken before the tick");
}

#[test]
fn timer_wakes_the_task_it_moved_to() {
    let _watchdog = watchdog();
    let (former, latter) = (Wakes::new(), Wakes::new());
    let start = Instant::now();
    let mut timer = armed(&former.waker(), || Timer::after(250 * MS));
    assert!(poll_with(&latter.waker(), &mut timer).is_pending());
    latter.wait_for(1);
    assert!(start.elapsed() >= 250 * MS);
    assert_eq!(former.count(), 0, "the task that gave the timer away was woken");
    drop(timer);
}

#[test]
fn timer_fires_on_the_thread_it_moved_to() {
    let _watchdog = watchdog();
    let (send, receive) = mpsc::channel();
    let other = thread::spawn(move || {
        for (mut timer, due) in receive {
            let what = format!("a timer from elsewhere, due {due:?}");
            assert_eq!(block_on(in_time(&what, &mut timer)), due);
            assert!(due <= Instant::now());
        }
    });
    for distance in [0, 1, 2, 5, 10, 20] {
        let due = Instant::now() + distance * MS;
        // Registered on this thread's shard, or on the one for threads outside `block_on`.
        let inside = block_on(async {
            let mut timer = Timer::at(due);
            let _ = future::poll_once(&mut timer).await;
            (timer, due)
        });
        let mut timer = Timer::at(due);
        let _ = futures_lite::future::block_on(future::poll_once(&mut timer));
        for (timer, due) in [inside, (timer, due)] {
            if timer.will_fire() {
                send.send((timer, due)).unwrap();
            }
        }
    }
    drop(send);
    other.join().unwrap();
}

#[test]
fn dropped_timer_wakes_nobody_and_drops_waker() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    for make in [Timer::after, Timer::interval] {
        for distance in [250 * MS, HOUR] {
            let timer = armed(&wakes.waker(), || make(distance));
            assert!(Arc::strong_count(&wakes) > 1, "a timer that waits holds a waker");
            drop(timer);
            assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still held");
        }
    }
    thread::sleep(250 * MS + A_WHILE);
    assert_eq!(wakes.count(), 0, "a timer that is gone woke");
}

#[test]
fn fired_timer_drops_its_waker() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut timer = armed(&wakes.waker(), || Timer::after(MS));
    wakes.wait_for(1);
    assert!(poll_with(&wakes.waker(), &mut timer).is_ready());
    eventually("the waker of a timer that has fired is dropped", || Arc::strong_count(&wakes) == 1);
}

#[test]
fn many_timers_of_one_deadline_all_wake() {
    let _watchdog = watchdog();
    // More than one round fires.
    const MANY: usize = 5_000;
    let due = Instant::now() + 50 * MS;
    let wakes: Vec<_> = (0..MANY).map(|_| Wakes::new()).collect();
    let mut timers: Vec<_> = wakes
        .iter()
        .map(|wakes| {
            let mut timer = Timer::at(due);
            // A slow machine may be past the deadline by now; that timer needs no wake.
            let waits = poll_with(&wakes.waker(), &mut timer).is_pending();
            (timer, waits)
        })
        .collect();
    for ((timer, waits), wakes) in timers.iter_mut().zip(&wakes) {
        if *waits {
            wakes.wait_for(1);
            assert!(poll_with(&wakes.waker(), timer).is_ready());
        }
    }
}

#[test]
fn many_threads_setting_deadlines_lose_no_wake() {
    let _watchdog = watchdog();
    let threads = [0, 50, 100, 150].map(|micros| {
        thread::spawn(move || {
            let wakes = Wakes::new();
            let mut timer = armed(&wakes.waker(), || Timer::after(HOUR));
            for _ in 0..300 {
                let before = wakes.count();
                timer.set_after(Duration::from_micros(micros));
                wakes.wait_for(before + 1);
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The setter comes at the moment at which the reactor has taken the waker for the old deadline.
#[test]
fn setter_during_expiry_wakes_for_new_deadline() {
    let _watchdog = watchdog();
    for round in 0..300 {
        let last = Wakes::new();
        let start = Instant::now();
        let mut timer = Timer::at(start + MS);
        let _ = poll_with(&last.waker(), &mut timer);
        // Sweeps over the moment at which the reactor has the waker in its hands.
        while start.elapsed() < Duration::from_micros(900 + round) {
            std::hint::spin_loop();
        }
        if timer.will_fire() {
            let due = Instant::now() + MS;
            timer.set_at(due);
            eventually("a wake for the new deadline", || last.last() >= Some(due));
        }
    }
}

/// A timer is awaited in this crate's `block_on` and in another one by turns.
#[test]
fn timer_fires_in_either_block_on() {
    let _watchdog = watchdog();
    let mut timer = Timer::after(HOUR);
    for _ in 0..10 {
        timer.set_after(MS);
        block_on(in_time("in ours", &mut timer));
        timer.set_after(MS);
        futures_lite::future::block_on(in_time("in another", &mut timer));
    }
    both_ways(|| in_time("a new one", Timer::after(MS)));
}
