//! Idle timeouts: when they elapse, what wakes their tasks, and what watches with them.

mod common;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::time::{Elapsed, IdleTimeout};
use async_wheel::{Timer, block_on, diagnostics};
use common::process::alone;
use common::{A_WHILE, HOUR, MS, NANOSECOND, Wakes, both_ways, in_time, poll_with, watchdog};
use futures_lite::{Stream, StreamExt, future, stream};

/// Returns one that waits, with the given waker.
fn waiting(limit: Duration, wakes: &Arc<Wakes>) -> IdleTimeout {
    loop {
        let mut idle = IdleTimeout::new(limit);
        if poll_with(&wakes.waker(), &mut idle).is_pending() {
            return idle;
        }
    }
}

/// Limits around the width of a slot.
#[test]
fn idle_timeout_is_never_early() {
    let limits = [
        Duration::ZERO,
        NANOSECOND,
        Duration::from_nanos(65_535),
        Duration::from_nanos(65_537),
        MS,
        Duration::from_micros(4_321),
    ];
    both_ways(|| async move {
        for limit in limits {
            let before = Instant::now();
            let mut idle = IdleTimeout::new(limit);
            in_time("an idle timeout", &mut idle).await;
            let now = Instant::now();
            assert!(before + limit <= now, "{limit:?} was early");
            assert!(idle.last_touch() + limit <= now, "{limit:?} was early");
        }
    });
}

/// A touch with an instant in the future is as good as one that comes then.
#[test]
fn touch_pushes_the_deadline_out() {
    both_ways(|| async {
        for polled_before in [false, true] {
            let mut idle = IdleTimeout::new(5 * MS);
            if polled_before {
                let _ = future::poll_once(&mut idle).await;
            }
            let touch = Instant::now() + 10 * MS;
            idle.touch_at(touch);
            assert_eq!(idle.deadline(), Some(touch + 5 * MS));
            in_time("an idle timeout", &mut idle).await;
            assert!(touch + 5 * MS <= Instant::now(), "early");
        }
    });
}

/// However often it is touched. The entry of a poll is in use until its deadline has come.
#[test]
fn touches_wake_task_once_a_limit() {
    let _watchdog = watchdog();
    let (limit, start) = (10 * MS, Instant::now());
    let wakes = Wakes::new();
    let mut idle = waiting(limit, &wakes);
    let (mut touches, mut seen) = (0, 0);
    while seen < 6 {
        for _ in 0..100 {
            idle.touch();
            touches += 1;
        }
        let count = wakes.count();
        if count > seen {
            // Touched after it was woken, so that the next wake is a limit later. More than once if
            // the machine is that busy.
            idle.touch();
            while poll_with(&wakes.waker(), &mut idle).is_ready() {
                idle.touch();
            }
            seen = count;
            let limits = start.elapsed().as_nanos() / limit.as_nanos();
            assert!(seen as u128 <= limits, "{seen} wakes in {limits} limits");
        }
    }
    assert!(touches > 600, "{touches} touches");
}

#[test]
fn elapsed_timeout_stays_so_until_touched() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut idle = IdleTimeout::new(5 * MS);
    for _ in 0..3 {
        block_on(in_time("an idle timeout", &mut idle));
        for _ in 0..3 {
            assert!(poll_with(&wakes.waker(), &mut idle).is_ready(), "not elapsed any more");
        }
        idle.touch_at(Instant::now() + HOUR);
        assert!(poll_with(&wakes.waker(), &mut idle).is_pending(), "elapsed although touched");
        idle = IdleTimeout::new(5 * MS);
    }
    assert_eq!(wakes.count(), 0);
}

#[test]
fn elapsed_timeout_that_is_touched_wakes_again() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut idle = IdleTimeout::new(Duration::ZERO);
    assert!(poll_with(&wakes.waker(), &mut idle).is_ready());
    idle.touch_at(Instant::now() + 20 * MS);
    while poll_with(&wakes.waker(), &mut idle).is_pending() {
        wakes.wait_for(1);
    }
    assert!(idle.last_touch() <= Instant::now(), "early");
}

#[test]
fn touch_in_the_past_changes_nothing() {
    let mut idle = IdleTimeout::new(HOUR);
    let last = idle.last_touch();
    for back in [NANOSECOND, MS, HOUR] {
        let Some(past) = last.checked_sub(back) else { continue };
        idle.touch_at(past);
        assert_eq!((idle.last_touch(), idle.deadline()), (last, Some(last + HOUR)));
    }
}

/// Touches at the end of the clock, and limits that it cannot count to.
#[test]
fn endless_idle_timeout_stays_pending() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut touched = waiting(20 * MS, &wakes);
    touched.touch_at(latest());
    let mut all =
        [touched, IdleTimeout::new(Duration::MAX), IdleTimeout::new(Duration::from_secs(u64::MAX))];
    for idle in &mut all {
        assert_eq!(idle.deadline(), None);
        assert!(poll_with(&wakes.waker(), idle).is_pending());
    }
    // The first one had a deadline, and is woken at that.
    wakes.wait_for(1);
    for idle in &mut all {
        assert!(poll_with(&wakes.waker(), idle).is_pending());
    }
    wakes.stays_at(1);
    // A limit that comes.
    for idle in &mut all[1..] {
        idle.set_limit(MS);
        block_on(in_time("a limit that came later", idle));
    }
}

/// Returns the last instant that there is.
fn latest() -> Instant {
    let seconds = (0..64).map(|power| Duration::from_secs(1 << power));
    let less = (0..30).map(|power| Duration::from_nanos(1 << power));
    less.chain(seconds).rev().fold(Instant::now(), |at, step| at.checked_add(step).unwrap_or(at))
}

#[test]
fn shorter_limit_wakes_a_waiting_task() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut idle = waiting(HOUR, &wakes);
    idle.set_limit(5 * MS);
    wakes.wait_for(1);
    assert!(poll_with(&wakes.waker(), &mut idle).is_ready(), "woken early");
    assert_eq!(idle.limit(), 5 * MS);
}

#[test]
fn longer_limit_is_kept() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut idle = waiting(20 * MS, &wakes);
    idle.set_limit(HOUR);
    wakes.wait_for(1);
    assert!(poll_with(&wakes.waker(), &mut idle).is_pending(), "the old limit counts");
    idle.set_limit(30 * MS);
    block_on(in_time("the last limit", &mut idle));
    assert!(idle.last_touch() + 30 * MS <= Instant::now(), "early");
}

/// The task that polled last is woken.
#[test]
fn idle_timeout_wakes_last_task() {
    let _watchdog = watchdog();
    let (first, last) = (Wakes::new(), Wakes::new());
    let mut idle = waiting(HOUR, &first);
    assert!(poll_with(&last.waker(), &mut idle).is_pending());
    idle.set_limit(MS);
    last.wait_for(1);
    assert_eq!(first.count(), 0);
}

/// Neither by what waits, has elapsed or was touched, nor by what was dropped in the middle.
#[test]
fn no_entries_are_left() {
    alone(|| {
        let entries = || diagnostics::shards().iter().map(|shard| shard.timers).sum::<usize>();
        let wakes = Wakes::new();
        let mut all: Vec<_> = (0..100).map(|_| waiting(HOUR, &wakes)).collect();
        assert_eq!(entries(), 100);
        for idle in &mut all {
            idle.touch();
            let _ = poll_with(&wakes.waker(), idle);
        }
        assert_eq!(entries(), 100);
        for idle in &mut all[..50] {
            idle.set_limit(Duration::ZERO);
            assert!(poll_with(&wakes.waker(), idle).is_ready());
        }
        assert_eq!(entries(), 50);
        drop(all);
        assert_eq!(entries(), 0);

        let mut run = IdleTimeout::new(HOUR).run(|_| future::pending::<()>());
        assert!(poll_with(&wakes.waker(), &mut run).is_pending());
        let mut watched = IdleTimeout::new(HOUR).wrap_stream(stream::pending::<()>());
        assert!(poll_with(&wakes.waker(), &mut watched.next()).is_pending());
        assert_eq!(entries(), 2);
        let (_, _) = (run.into_inner(), watched.into_inner());
        assert_eq!(entries(), 0);
    });
}

/// It may be ready at its first poll: then the wheel is not touched.
#[test]
fn ready_future_needs_no_entry() {
    alone(|| {
        let run = IdleTimeout::new(HOUR).run(|_| future::ready(7));
        assert_eq!(block_on(run), Ok(7));
        let inserted = diagnostics::shards().iter().map(|shard| shard.timers).sum::<usize>();
        assert_eq!(inserted, 0);
        let mut touched = IdleTimeout::new(HOUR);
        touched.touch();
        drop(touched);
    });
}

#[test]
fn silent_future_elapses() {
    both_ways(|| async {
        let start = Instant::now();
        let run = IdleTimeout::new(5 * MS).run(|_| future::pending::<()>());
        assert!(in_time("a silent future", run).await.is_err());
        assert!(start + 5 * MS <= Instant::now(), "early");
    });
}

/// It takes many limits, and other threads touch for it.
#[test]
fn future_touched_by_threads_goes_on() {
    both_ways(|| async {
        let limit = 2000 * MS;
        let work = IdleTimeout::new(limit).run(|activity| async move {
            let helpers: Vec<_> = (0..2)
                .map(|_| {
                    let activity = activity.clone();
                    thread::spawn(move || (0..1000).for_each(|_| activity.touch()))
                })
                .collect();
            helpers.into_iter().for_each(|helper| helper.join().unwrap());
            let before = activity.last_touch();
            // What an interrupted thread has read long ago.
            activity.touch_at(before - 500 * NANOSECOND);
            activity.last_touch() == before
        });
        assert_eq!(in_time("a touched future", work).await, Ok(true));
    });
}

#[test]
fn last_touch_of_a_future_counts() {
    both_ways(|| async {
        let mut touch = Instant::now();
        let work = IdleTimeout::new(5 * MS).run(|activity| {
            touch = Instant::now() + 10 * MS;
            activity.touch_at(touch);
            future::pending::<()>()
        });
        assert!(in_time("a future", work).await.is_err());
        assert!(touch + 5 * MS <= Instant::now(), "early");
    });
}

#[test]
fn elapsed_future_goes_on_after_touch() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let (send, receive) = async_channel::bounded(1);
    let mut work = IdleTimeout::new(Duration::ZERO).run(|_| Box::pin(receive.recv()));
    assert!(poll_with(&wakes.waker(), &mut work).is_ready());
    work.activity().touch_at(Instant::now() + HOUR);
    assert!(poll_with(&wakes.waker(), &mut work).is_pending());
    send.try_send("there").unwrap();
    assert_eq!(poll_with(&wakes.waker(), &mut work), Poll::Ready(Ok(Ok("there"))));
}

#[test]
fn panicking_future_harms_no_other() {
    alone(|| {
        let panics = IdleTimeout::new(HOUR).run(|activity| async move {
            let _ = future::poll_once(Timer::after(HOUR)).await;
            activity.touch();
            future::yield_now().await;
            panic!("meant");
        });
        let result = catch_unwind(AssertUnwindSafe(|| block_on(panics)));
        assert!(result.is_err());
        let entries: usize = diagnostics::shards().iter().map(|shard| shard.timers).sum();
        assert_eq!(entries, 0);
        let next = IdleTimeout::new(HOUR).run(|_| async {
            Timer::after(MS).await;
            "well"
        });
        assert_eq!(block_on(next), Ok("well"));
    });
}

/// Returns the next item of a stream, if it is there.
fn next<S: Stream + Unpin>(wakes: &Arc<Wakes>, stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(&wakes.waker()))
}

/// Once for a silence, and no item is lost by it.
#[test]
fn silent_stream_yields_one_error() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let (send, receive) = async_channel::unbounded();
    let mut heard = pin!(IdleTimeout::new(10 * MS).wrap_stream(receive));
    for item in 0..3 {
        let elapsed = block_on(in_time("an error", heard.next()));
        assert!(matches!(elapsed, Some(Err(Elapsed { .. }))), "{elapsed:?}");
        let now = Instant::now();
        assert!(heard.last_touch() + 10 * MS <= now, "early");
        let before = wakes.count();
        assert!(next(&wakes, &mut heard).is_pending(), "a second error");
        if item == 0 {
            wakes.stays_at(before);
            assert!(next(&wakes, &mut heard).is_pending(), "a second error");
        }
        send.try_send(item).unwrap();
        assert_eq!(next(&wakes, &mut heard), Poll::Ready(Some(Ok(item))));
        assert!(now <= heard.last_touch(), "no touch");
    }
    drop(send);
    assert_eq!(next(&wakes, &mut heard), Poll::Ready(None));
}

#[test]
fn item_that_is_there_comes_before_error() {
    let mut heard = IdleTimeout::new(Duration::ZERO).wrap_stream(stream::iter([1, 2]));
    let all = block_on((&mut heard).collect::<Vec<_>>());
    assert_eq!(all, [Ok(1), Ok(2)]);
    let mut heard = IdleTimeout::new(Duration::ZERO).wrap_stream(stream::iter([1, 2]));
    assert_eq!(block_on(heard.next()), Some(Ok(1)));
    assert_eq!(block_on(heard.into_inner().collect::<Vec<_>>()), [2]);
}

#[test]
fn touched_stream_yields_another_error() {
    let _watchdog = watchdog();
    let mut heard = pin!(IdleTimeout::new(MS).wrap_stream(stream::pending::<()>()));
    for _ in 0..3 {
        let touch = Instant::now();
        heard.as_mut().touch();
        assert!(block_on(in_time("an error", heard.next())).is_some_and(|item| item.is_err()));
        assert!(touch + MS <= Instant::now(), "early");
    }
    heard.as_mut().set_limit(HOUR);
    assert_eq!(heard.limit(), HOUR);
    assert!(next(&Wakes::new(), &mut heard).is_pending());
}

#[test]
fn waiting_stream_is_woken_by_shorter_limit() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let mut heard = IdleTimeout::new(HOUR).wrap_stream(stream::pending::<()>());
    assert!(next(&wakes, &mut heard).is_pending());
    Pin::new(&mut heard).set_limit(MS);
    wakes.wait_for(1);
    assert!(next(&wakes, &mut heard).is_ready(), "woken early");
    thread::sleep(A_WHILE / 10);
    assert!(next(&wakes, &mut heard).is_pending(), "a second error");
}

/// Neither the drop wakes, nor the deadline when it comes. A future that is not polled on has no
/// wake either.
#[test]
fn dropped_idle_timeout_wakes_nobody() {
    for limit in [HOUR, 50 * MS] {
        let wakes = Wakes::new();
        let start = Instant::now();
        let mut idle = waiting(limit, &wakes);
        idle.touch();
        drop(idle);
        let mut run = Box::pin(IdleTimeout::new(limit).run(|_| future::pending::<()>()));
        let _ = run.as_mut().poll(&mut Context::from_waker(&wakes.waker()));
        drop(run);
        let before = wakes.count();
        // A busy machine may not have dropped them before the shorter limit was over.
        assert!(before == 0 || start.elapsed() >= limit, "{before} wakes by drops");
        thread::sleep(limit.min(50 * MS));
        wakes.stays_at(before);
    }
}
