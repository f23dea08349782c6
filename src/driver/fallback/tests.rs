use std::task::Waker;

use super::*;
use crate::handoff::Took;
use crate::sync;
use crate::sys::Poller;

const SECOND: u64 = 1_000_000_000;

/// The fallback of a reactor of its own, which knows all shards: one for each resident.
fn fallback(residents: usize) -> (Fallback, Vec<Ref<Shard>>) {
    let root = NESTED.then(|| Poller::new().unwrap());
    let reactor = Reactor::new(Poller::new().unwrap(), root, residents).unwrap();
    let reactor = sync::share(reactor);
    let shards = (0..residents).map(|_| reactor.move_in()).collect();
    let mut fallback = Fallback::new(reactor);
    fallback.learn();
    (fallback, shards)
}

/// A round by a `block_on` thread.
fn drive(shard: &Shard) {
    shard.turn_if_vacant(&mut Round::new());
}

#[test]
fn a_shard_without_residents_awake_is_watched_until_its_deadline() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    let look = fallback.look();
    assert!(!look.again && !look.neglected);
    assert_eq!((look.expected, look.deadline), (false, clock::NEVER));
    assert!(shards[0].seat().is_vacant_and_watched());
    let deadline = clock::wheel_now() + 100 * SECOND;
    shards[0].insert_timer(deadline, Waker::noop().clone());
    for _ in 0..2 {
        assert_eq!(fallback.look().deadline, deadline);
    }
}

#[test]
fn a_watched_shard_whose_poller_was_not_heard_of_is_left_alone() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    let _ = fallback.look();
    shards[0].poller().notify();
    // A round would take the notification away, and the root poller would not tell of it.
    let _ = fallback.look();
    fallback.sleep(&Look { deadline: clock::wheel_now() + 5 * SECOND, ..Look::default() });
    assert_eq!(fallback.went_off, [true]);
    let _ = fallback.look();
    assert_eq!(fallback.went_off, [false]);
}

#[test]
fn a_shard_is_left_to_who_drives_it_and_for_a_while_to_who_did() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    for _ in 0..2 {
        shards[0].is_up();
        drive(&shards[0]);
        for _ in 0..=PATIENCE / BACKOFF_MIN {
            assert!(fallback.look().expected);
            assert_eq!(shards[0].seat().describe(), (false, false));
        }
        assert!(!fallback.look().expected);
        assert!(shards[0].seat().is_vacant_and_watched());
        // It was driven, but they went to sleep.
        drive(&shards[0]);
        shards[0].falls_asleep();
        assert!(!fallback.look().expected);
        assert!(shards[0].seat().is_vacant_and_watched());
    }
}

#[test]
fn a_shard_whose_resident_is_up_but_blocked_is_armed_however_much_work_there_is() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    shards[0].is_up();
    fallback.absence[0] = PATIENCE;
    shards[0].insert_timer(0, Waker::noop().clone());
    assert!(!fallback.look().expected);
    assert!(shards[0].seat().is_vacant_and_watched());
}

#[test]
fn the_poller_of_a_shard_that_others_drive_is_no_source_of_the_fallbacks() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    let told = |fallback: &mut Fallback| {
        fallback.reactor.root().wait(&mut fallback.events, Until::Now).unwrap();
        fallback.events.iter().count()
    };
    let _ = fallback.look();
    // Twice, since one that was armed again has to be taken out again.
    for _ in 0..2 {
        shards[0].is_up();
        drive(&shards[0]);
        assert!(fallback.look().expected);
        shards[0].poller().notify();
        assert_eq!(told(&mut fallback), 0, "it was told of what is none of its business");
        // They fall asleep elsewhere, and it counts on hearing of the shard again.
        shards[0].falls_asleep();
        let _ = fallback.look();
    }
    // Or they sleep in the shard's poller, having driven a moment ago.
    drive(&shards[0]);
    assert_eq!(shards[0].seat().try_take(), Took::Seat);
    assert!(fallback.look().expected);
    shards[0].poller().notify();
    assert_eq!(told(&mut fallback), 0, "its driver sleeps for a moment");
    shards[0].leave();
    let _ = fallback.look();
    shards[0].poller().notify();
    assert_eq!(told(&mut fallback), 1);
}

/// A panic between the wait and the note of what went off: the shard's poller is not armed any
/// more, and nothing says so.
#[test]
fn after_panic_every_watched_shard_is_armed_again() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    let heard = |fallback: &mut Fallback| {
        fallback.reactor.root().wait(&mut fallback.events, Until::Now).unwrap();
        fallback.events.iter().count()
    };
    let _ = fallback.look();
    shards[0].poller().notify();
    assert_eq!(heard(&mut fallback), 1);
    fallback.recover();
    let _ = fallback.look();
    shards[0].poller().notify();
    assert_eq!(heard(&mut fallback), 1, "the poller was taken for armed");
}

#[test]
fn who_has_a_seat_is_not_made_to_tell_while_the_fallback_comes_back_anyway() {
    let (mut fallback, shards) = fallback(2);
    if !NESTED {
        return;
    }
    assert_eq!(shards[1].seat().try_take(), Took::Seat);
    shards[0].is_up();
    drive(&shards[0]);
    assert!(fallback.look().expected);
    assert_eq!(shards[1].seat().describe(), (true, false));
    shards[0].falls_asleep();
    let look = fallback.look();
    assert!(!look.expected && !look.again);
    assert_eq!(shards[1].seat().describe(), (true, true));
}

#[test]
fn who_drove_a_moment_ago_and_sleeps_is_not_made_to_tell_but_looked_after_once_more() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    let _ = fallback.look();
    drive(&shards[0]);
    assert_eq!(shards[0].seat().try_take(), Took::Seat);
    assert!(fallback.look().expected);
    assert_eq!(shards[0].seat().describe(), (true, false));
    assert!(!fallback.look().expected);
    assert_eq!(shards[0].seat().describe(), (true, true));
}

#[test]
fn only_work_that_somebody_awake_did_not_do_counts_as_neglected() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    let due = || {
        shards[0].insert_timer(0, Waker::noop().clone());
    };
    due();
    assert!(!fallback.look().neglected, "everybody sleeps");
    shards[0].is_up();
    drive(&shards[0]);
    let _ = fallback.look();
    assert!(!fallback.look().neglected, "there was nothing to do");
    due();
    assert!(fallback.look().neglected);
}

#[test]
fn a_storm_of_timers_makes_it_look_again_until_all_are_out() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    for _ in 0..3_000 {
        shards[0].insert_timer(0, Waker::noop().clone());
    }
    let looks = (0..10).take_while(|_| fallback.look().again).count();
    assert_eq!(looks, 2);
}

#[test]
fn it_does_not_go_to_sleep_over_a_storm() {
    let (mut fallback, shards) = fallback(1);
    if !NESTED {
        return;
    }
    for _ in 0..3_000 {
        shards[0].insert_timer(0, Waker::noop().clone());
    }
    fallback.step();
    assert_eq!(fallback.backoff, BACKOFF_MIN, "it has not even thought of it");
}

#[test]
fn the_back_off_stays_within_its_limits() {
    let (mut fallback, _) = fallback(1);
    let neglected = Look { neglected: true, ..Look::default() };
    let mut seen = Vec::new();
    for look in [&Look::default(), &neglected] {
        for _ in 0..4 {
            fallback.adapt(look);
            seen.push(fallback.backoff / BACKOFF_MIN);
        }
    }
    assert_eq!(seen, [2, 4, 4, 4, 2, 1, 1, 1]);
    assert_eq!(BACKOFF_MAX, 4 * BACKOFF_MIN);
}

#[test]
fn a_sleep_ends_with_the_back_off_or_the_deadline_and_a_long_one_starts_it_anew() {
    let (mut fallback, _) = fallback(1);
    if !NESTED {
        return;
    }
    fallback.backoff = BACKOFF_MAX;
    let start = clock::wheel_now();
    fallback.sleep(&Look { expected: true, deadline: clock::NEVER, ..Look::default() });
    assert!(clock::wheel_now() - start >= BACKOFF_MAX);
    fallback.backoff = BACKOFF_MAX;
    let start = clock::wheel_now();
    fallback.sleep(&Look { expected: true, deadline: 0, ..Look::default() });
    if clock::wheel_now() - start < LONG_SLEEP {
        assert_eq!(fallback.backoff, BACKOFF_MAX);
    }
    let deadline = clock::wheel_now() + LONG_SLEEP + 1;
    fallback.sleep(&Look { deadline, ..Look::default() });
    assert!(clock::wheel_now() > deadline);
    assert_eq!(fallback.backoff, BACKOFF_MIN);
}
