use std::task::Waker;

use super::*;
use crate::handoff::SeatState;
use crate::reactor::{Pollers, SHORT_BUDGET, Settings, Slack};
use crate::sync;

const SECOND: u64 = 1_000_000_000;

const VACANT: SeatState = SeatState { held: false, watched: false };
const HELD: SeatState = SeatState { held: true, watched: false };
const HELD_WATCHED: SeatState = SeatState { held: true, watched: true };

/// A scan that found all shards to be driven.
const NOTHING: Scan =
    Scan { driver_expected: false, undriven: false, again: false, deadline: clock::NEVER };

fn state(shard: &Shard) -> SeatState {
    shard.succession().seat_state()
}

fn is_watched_vacant(shard: &Shard) -> bool {
    shard.succession().is_vacant_and_watched()
}

/// Scans, and returns `true` if no driver is expected and the shard is watched.
fn takes_over(fallback: &mut Fallback, shard: &Shard) -> bool {
    !fallback.scan().driver_expected && is_watched_vacant(shard)
}

/// The fallback of a reactor of its own, which knows all shards: one for each thread.
fn fallback(threads: usize) -> (Fallback, Vec<Ref<Shard>>) {
    let settings = Settings { shards: threads, ..Settings::default() };
    let reactor = sync::share(Reactor::new(Pollers::new().unwrap(), settings));
    let shards = (0..threads).map(|_| reactor.assign()).collect();
    let mut fallback = Fallback::new(reactor);
    fallback.add_new_shards();
    (fallback, shards)
}

/// A round by a `block_on` thread.
fn drive(shard: &Shard) {
    shard.run_round_if_vacant(&mut Batch::new());
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn shard_without_awake_threads_is_watched() {
    let (mut fallback, shards) = fallback(1);
    let scan = fallback.scan();
    assert!(!scan.again && !scan.undriven);
    assert_eq!((scan.driver_expected, scan.deadline), (false, clock::NEVER));
    assert!(is_watched_vacant(&shards[0]));
    let deadline = clock::wheel_now() + 100 * SECOND;
    shards[0].insert_timer(deadline, Slack::UNSET, Waker::noop().clone());
    for _ in 0..2 {
        assert_eq!(fallback.scan().deadline, deadline);
    }
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn watched_shard_that_is_not_ready_is_skipped() {
    let (mut fallback, shards) = fallback(1);
    let _ = fallback.scan();
    shards[0].poller().notify();
    // A round would take the notification away, and the root poller would not report it.
    let _ = fallback.scan();
    fallback.sleep(&Scan { deadline: clock::wheel_now() + 5 * SECOND, ..NOTHING });
    assert!(fallback.shards[0].was_ready);
    let _ = fallback.scan();
    assert!(!fallback.shards[0].was_ready);
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn recently_driven_shard_is_not_watched() {
    let (mut fallback, shards) = fallback(1);
    for _ in 0..2 {
        shards[0].succession().note_awake();
        drive(&shards[0]);
        for _ in 0..=PATIENCE / BACKOFF_MIN {
            assert!(fallback.scan().driver_expected);
            assert_eq!(state(&shards[0]), VACANT);
        }
        assert!(takes_over(&mut fallback, &shards[0]));
        // It was driven, but they went to sleep.
        drive(&shards[0]);
        shards[0].succession().note_parked();
        assert!(takes_over(&mut fallback, &shards[0]));
    }
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn shard_of_a_blocked_thread_is_armed() {
    let (mut fallback, shards) = fallback(1);
    shards[0].succession().note_awake();
    fallback.shards[0].absence = PATIENCE;
    shards[0].insert_timer(0, Slack::UNSET, Waker::noop().clone());
    assert!(takes_over(&mut fallback, &shards[0]));
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn poller_of_a_driven_shard_leaves_root() {
    let (mut fallback, shards) = fallback(1);
    let told = |fallback: &mut Fallback| {
        fallback.reactor.root().wait(&mut fallback.events, Until::Now).unwrap();
        fallback.events.iter().count()
    };
    let _ = fallback.scan();
    // Twice, since one that was armed again has to be taken out again.
    for _ in 0..2 {
        shards[0].succession().note_awake();
        drive(&shards[0]);
        assert!(fallback.scan().driver_expected);
        shards[0].poller().notify();
        assert_eq!(told(&mut fallback), 0, "it was told of what is none of its business");
        // They fall asleep elsewhere, and it counts on hearing of the shard again.
        shards[0].succession().note_parked();
        let _ = fallback.scan();
    }
    // Or they sleep in the shard's poller, having driven a moment ago.
    drive(&shards[0]);
    let driving = shards[0].try_acquire().unwrap();
    assert!(fallback.scan().driver_expected);
    shards[0].poller().notify();
    assert_eq!(told(&mut fallback), 0, "its driver sleeps for a moment");
    drop(driving);
    let _ = fallback.scan();
    shards[0].poller().notify();
    assert_eq!(told(&mut fallback), 1);
}

/// A panic between the wait and the note of what was ready: the shard's poller is not armed any
/// more, and nothing says so.
#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn after_panic_every_watched_shard_is_armed_again() {
    let (mut fallback, shards) = fallback(1);
    let heard = |fallback: &mut Fallback| {
        fallback.reactor.root().wait(&mut fallback.events, Until::Now).unwrap();
        fallback.events.iter().count()
    };
    let _ = fallback.scan();
    shards[0].poller().notify();
    assert_eq!(heard(&mut fallback), 1);
    fallback.recover();
    let _ = fallback.scan();
    shards[0].poller().notify();
    assert_eq!(heard(&mut fallback), 1, "the poller was taken for armed");
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn held_seat_is_not_watched_during_backoff() {
    let (mut fallback, shards) = fallback(2);
    let _driving = shards[1].try_acquire().unwrap();
    shards[0].succession().note_awake();
    drive(&shards[0]);
    assert!(fallback.scan().driver_expected);
    assert_eq!(state(&shards[1]), HELD);
    shards[0].succession().note_parked();
    let scan = fallback.scan();
    assert!(!scan.driver_expected && !scan.again);
    assert_eq!(state(&shards[1]), HELD_WATCHED);
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn recent_driver_is_not_watched() {
    let (mut fallback, shards) = fallback(1);
    let _ = fallback.scan();
    drive(&shards[0]);
    let _driving = shards[0].try_acquire().unwrap();
    assert!(fallback.scan().driver_expected);
    assert_eq!(state(&shards[0]), HELD);
    assert!(!fallback.scan().driver_expected);
    assert_eq!(state(&shards[0]), HELD_WATCHED);
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn only_work_of_awake_threads_counts_as_undriven() {
    let (mut fallback, shards) = fallback(1);
    let due = || {
        shards[0].insert_timer(0, Slack::UNSET, Waker::noop().clone());
    };
    due();
    assert!(!fallback.scan().undriven, "everybody sleeps");
    shards[0].succession().note_awake();
    drive(&shards[0]);
    let _ = fallback.scan();
    assert!(!fallback.scan().undriven, "there was nothing to do");
    due();
    assert!(fallback.scan().undriven);
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn storm_of_timers_is_scanned_until_all_fired() {
    let (mut fallback, shards) = fallback(1);
    for _ in 0..1_500 {
        shards[0].insert_timer(0, Slack::UNSET, Waker::noop().clone());
    }
    let looks = (0..10).take_while(|_| fallback.scan().again).count();
    assert_eq!(looks, 2);
}

/// What is due would only wait in the executor's queue otherwise, for tasks that this thread cannot
/// run.
#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn thread_that_runs_tasks_gets_few_timers() {
    let (mut fallback, shards) = fallback(1);
    for _ in 0..1_500 {
        shards[0].insert_timer(0, Slack::UNSET, Waker::noop().clone());
    }
    shards[0].succession().note_awake();
    let fired = || {
        let (counts, _) = shards[0].timer_stats();
        counts.expired
    };
    let scan = fallback.scan();
    assert!(scan.driver_expected && scan.undriven && !scan.again);
    assert_eq!(fired(), SHORT_BUDGET as u64);
    // It has not come back in a backoff: the rest fires whether or not it does.
    let looks = (0..10).take_while(|_| fallback.scan().again).count();
    assert_eq!((looks, fired()), (2, 1_500));
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn storm_of_timers_prevents_sleep() {
    let (mut fallback, shards) = fallback(1);
    for _ in 0..3_000 {
        shards[0].insert_timer(0, Slack::UNSET, Waker::noop().clone());
    }
    fallback.step();
    assert_eq!(fallback.backoff, BACKOFF_MIN, "it has not even thought of it");
}

#[test]
fn backoff_stays_within_its_limits() {
    let (mut fallback, _) = fallback(1);
    let undriven = Scan { undriven: true, ..NOTHING };
    let mut seen = Vec::new();
    for scan in [&NOTHING, &undriven] {
        for _ in 0..4 {
            fallback.adapt_backoff(scan);
            seen.push(fallback.backoff / BACKOFF_MIN);
        }
    }
    assert_eq!(seen, [2, 4, 4, 4, 2, 1, 1, 1]);
    assert_eq!(BACKOFF_MAX, 4 * BACKOFF_MIN);
}

#[test]
#[cfg_attr(not(async_wheel_nested), ignore = "pollers cannot be nested")]
fn sleep_ends_with_backoff_or_deadline() {
    let (mut fallback, _) = fallback(1);
    fallback.backoff = BACKOFF_MAX;
    let start = clock::wheel_now();
    fallback.sleep(&Scan { driver_expected: true, ..NOTHING });
    assert!(clock::wheel_now() - start >= BACKOFF_MAX);
    fallback.backoff = BACKOFF_MAX;
    let start = clock::wheel_now();
    fallback.sleep(&Scan { driver_expected: true, deadline: 0, ..NOTHING });
    if clock::wheel_now() - start < LONG_SLEEP {
        assert_eq!(fallback.backoff, BACKOFF_MAX);
    }
    let deadline = clock::wheel_now() + LONG_SLEEP + 1;
    fallback.sleep(&Scan { deadline, ..NOTHING });
    assert!(clock::wheel_now() > deadline);
    assert_eq!(fallback.backoff, BACKOFF_MIN);
}
