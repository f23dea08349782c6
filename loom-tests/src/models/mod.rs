//! The models. Each says in its first sentence what it checks.

mod composition;
mod fallback;
mod handoff;
mod moves;
mod one_poller;
mod parker;
mod registry;
mod sources;
mod timer;
mod timers;
mod without_fallback;

use crate::runner::Model;

/// The program of most models, and that of those for pollers that cannot be nested.
pub(crate) const NESTED: &str = "models";
pub(crate) const ONE_POLLER: &str = "models-one-poller";

// The properties, as docs/handoff.md names them. `runner` looks whether it does.
const WAKE: &str = "No wake is lost";
const ALONE: &str = "Nobody is left alone";
const EARLIER: &str = "An earlier timer is not late";
const SPIN: &str = "Nobody spins";
const SEAT: &str = "One thread drives";
const TIMER: &str = "A timer wakes its task";
const READY: &str = "Readiness reaches who waits";
const NUMBER: &str = "A descriptor is registered once";

/// Lists models by their functions, with the preemptions that are explored by default and the
/// property that they check.
macro_rules! models {
    ($program:ident: $($module:ident: $($name:ident $preemptions:literal $property:ident),+;)+) => {
        vec![$($(Model {
            name: concat!(stringify!($module), "::", stringify!($name)),
            body: $module::$name,
            preemptions: $preemptions,
            property: $property,
            program: $program,
        }),+),+]
    };
}

/// All models.
pub(crate) fn all() -> Vec<Model> {
    let mut all = nested();
    all.extend(one_poller());
    all
}

/// The models for pollers that can be polled by one another.
fn nested() -> Vec<Model> {
    models! {
        NESTED:
        // First, since they take longest.
        composition:
            everything_at_once 1 ALONE,
            everything_from_rest 1 ALONE;
        parker:
            wake_meets_park 5 WAKE,
            wake_meets_a_limited_park 5 WAKE,
            a_spurious_signal_ends_no_park 4 WAKE,
            a_spurious_signal_meets_a_limited_park 4 WAKE,
            wake_meets_the_poller 5 WAKE,
            two_wakes_meet_park 4 WAKE,
            two_wakes_meet_the_poller 4 WAKE,
            nested_calls 5 WAKE,
            a_notification_left_over 4 WAKE;
        handoff:
            watch_meets_release 5 ALONE,
            watched_release_unparks_once 5 ALONE,
            next_driver_sees_the_last 4 SEAT,
            requested_seat_is_released 5 ALONE,
            requested_seat_is_released_watched 5 ALONE,
            followers 2 WAKE,
            follower_is_promoted 3 ALONE,
            follower_is_promoted_after_a_round 2 ALONE,
            promoted_call_promotes_the_next 1 ALONE,
            last_call_returns 3 ALONE,
            requester_gets_the_seat 3 WAKE,
            event_meets_the_change_of_drivers 3 ALONE;
        timers:
            an_earlier_insert_wakes_the_driver 5 EARLIER,
            an_earlier_slack_wakes_the_driver 5 EARLIER,
            an_earlier_move_wakes_the_driver 5 EARLIER,
            an_earlier_insert_wakes_the_fallback 5 EARLIER,
            an_earlier_insert_wakes_whoever_sleeps 3 EARLIER,
            two_inserts_wake_the_fallback 4 EARLIER,
            cancelled_against_expiry 4 TIMER,
            moved_against_expiry 4 TIMER,
            due_again_while_the_waker_is_out 3 TIMER,
            refreshed_against_expiry 5 TIMER;
        timer:
            set_later_while_it_fires 4 TIMER,
            cleared_while_it_fires 4 TIMER,
            cleared_before_it_fires 4 TIMER,
            handed_to_another_task_while_it_fires 4 TIMER,
            dropped_while_it_fires 4 TIMER,
            ticks_while_it_fires 4 TIMER,
            ticks_in_another_shard_while_it_fires 4 TIMER,
            polled_in_another_shard_while_it_fires 4 TIMER,
            made_while_the_driver_falls_asleep 4 EARLIER;
        registry:
            two_shards_register 5 NUMBER,
            two_shards_register_and_deregister 5 NUMBER,
            a_key_of_another_shard 5 NUMBER;
        fallback:
            an_event_meets_the_arming 4 ALONE,
            an_event_at_a_busy_threads_shard 4 ALONE,
            an_event_at_an_awake_again_thread 3 ALONE,
            a_timer_at_a_busy_threads_shard 4 ALONE,
            a_shard_is_added 5 ALONE,
            two_pollers_get_ready 4 ALONE,
            rest_is_rest 3 SPIN,
            a_busy_thread_takes_turns 1 ALONE;
        without_fallback:
            busy_driver_promotes_a_follower 2 ALONE,
            busy_driver_leaves_a_timer 2 ALONE,
            busy_follower_promotes_the_next 2 ALONE,
            follower_is_promoted 2 ALONE,
            promoted_call_promotes_the_next 1 ALONE,
            busy_driver_promotes_a_drive 2 ALONE,
            drive_promotes_a_follower 2 ALONE,
            drive_without_sleep_promotes_a_follower 2 ALONE,
            drive_promotes_a_follower_of_the_fallbacks 2 ALONE,
            drive_follows_until_its_limit 1 ALONE,
            notification_meets_drive 4 WAKE,
            notification_meets_drive_beside_a_call 2 WAKE,
            notification_meets_a_drive_that_follows 2 WAKE,
            notification_meets_drive_beside_the_fallback 2 WAKE,
            deadline_is_shown_when_a_call_ends 2 EARLIER,
            deadline_is_shown_after_each_call 2 EARLIER,
            earlier_timer_is_shown 4 EARLIER,
            earlier_timer_is_shown_after_a_call 3 EARLIER,
            notification_meets_another_loop 2 WAKE,
            notification_meets_another_loop_beside_the_fallback 2 WAKE,
            rest_is_rest 1 SPIN;
        moves:
            an_event_of_both_who_read 3 READY,
            events_of_both_directions 2 READY,
            an_event_at_a_sleeping_driver 2 READY,
            an_event_at_an_awake_driver 2 READY,
            an_event_while_a_move_is_refused 2 READY,
            a_first_move_that_is_refused 3 READY,
            two_threads_move_it_to_and_fro 2 READY,
            a_duplicate_against_a_move 3 NUMBER,
            a_number_taken_over_against_a_move 2 NUMBER,
            a_number_used_again_where_it_was 3 NUMBER,
            a_first_wait_against_an_event 3 READY,
            two_first_waits 3 READY,
            a_first_wait_that_is_refused 3 READY,
            a_duplicate_against_a_first_wait 3 NUMBER,
            a_number_given_anew_against_a_first_wait 3 NUMBER,
            a_number_given_anew_against_a_wait 3 NUMBER;
        sources:
            a_waker_registered_against_an_event 5 READY,
            a_waker_replaced_against_an_event 4 READY,
            a_waiter_dropped_against_an_event 4 READY,
            two_pieces_are_read 4 READY,
            two_pieces_are_read_by_a_future 4 READY,
            two_pieces_are_read_by_polling 4 READY,
            a_stream_is_read 4 READY,
            a_stream_is_read_to_its_end 3 READY,
            what_is_left_is_told_of_again 4 READY,
            one_shot_rest_is_reported_again 3 READY,
            one_shot_two_pieces_are_read 4 READY,
            both_directions 3 READY,
            one_shot_both_directions 3 READY,
            a_number_taken_over_against_a_wait 3 NUMBER,
            a_number_taken_over_from_those_who_wait 3 NUMBER,
            a_number_taken_over_against_an_event 3 NUMBER,
            successor_against_the_end_of_the_stale 3 NUMBER,
            registered_again_against_the_end_of_the_first 3 NUMBER;
    }
}

/// The models for those that cannot.
pub(crate) fn one_poller() -> Vec<Model> {
    models! {
        ONE_POLLER:
        one_poller:
            event_meets_the_change_of_drivers 3 ALONE,
            requester_gets_the_seat 3 WAKE,
            two_request_at_once 2 WAKE,
            last_call_returns 3 ALONE,
            earlier_insert_wakes_the_driving_fallback 3 EARLIER;
    }
}
