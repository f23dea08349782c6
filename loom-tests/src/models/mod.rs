//! The models. Each says in its first sentence what it checks.

mod composition;
mod fallback;
mod handoff;
mod one_poller;
mod parker;
mod sources;
mod timers;

use crate::runner::Model;

/// Lists models by their functions, with the preemptions that are explored by default.
macro_rules! models {
    ($($module:ident: $($name:ident $preemptions:literal),+;)+) => {
        vec![$($(Model {
            name: concat!(stringify!($module), "::", stringify!($name)),
            body: $module::$name,
            preemptions: $preemptions,
        }),+),+]
    };
}

/// The models for pollers that can be polled by one another.
pub(crate) fn nested() -> Vec<Model> {
    models! {
        // First, since they take longest.
        composition:
            everything_at_once 1,
            everything_from_rest 1;
        parker:
            wake_meets_park 5,
            wake_meets_a_limited_park 5,
            wake_meets_the_poller 5,
            two_wakes_meet_park 4,
            two_wakes_meet_the_poller 4,
            nested_calls 5,
            a_notification_left_over 4;
        handoff:
            watch_meets_leave 5,
            a_watched_seat_is_told_of_once 5,
            the_seat_hands_over 4,
            a_lent_seat_is_asked_for 5,
            a_lent_seat_is_asked_for_and_left_watched 5,
            siblings 2,
            a_sibling_takes_over 3,
            a_sibling_that_is_done_hands_on 1,
            the_last_leaves 3,
            who_asks_gets_the_seat 3,
            an_event_meets_the_change_of_seats 3;
        timers:
            an_earlier_insert_wakes_the_driver 5,
            an_earlier_move_wakes_the_driver 5,
            an_earlier_insert_wakes_the_fallback 5,
            an_earlier_insert_wakes_whoever_sleeps 3,
            two_inserts_wake_the_fallback 4,
            cancelled_against_expiry 4,
            moved_against_expiry 4,
            due_again_while_the_waker_is_out 3,
            refreshed_against_expiry 5;
        fallback:
            an_event_meets_the_arming 4,
            an_event_at_a_busy_threads_shard 4,
            an_event_at_a_thread_that_is_up_again 3,
            a_timer_at_a_busy_threads_shard 4,
            a_shard_is_added 5,
            rest_is_rest 3,
            a_busy_thread_takes_turns 1;
        sources:
            a_waker_registered_against_an_event 5,
            a_waker_replaced_against_an_event 4,
            a_waiter_dropped_against_an_event 4,
            two_pieces_are_read 4,
            two_pieces_are_read_by_a_future 4,
            two_pieces_are_read_by_polling 4,
            a_stream_is_read 4,
            a_stream_is_read_to_its_end 3,
            what_is_left_is_told_of_again 4,
            one_shot_what_is_left_is_told_of_again 3,
            one_shot_two_pieces_are_read 4,
            both_directions 3,
            one_shot_both_directions 3;
    }
}

/// The models for those that cannot.
pub(crate) fn one_poller() -> Vec<Model> {
    models! {
        one_poller:
            an_event_meets_the_change_of_seats 3,
            who_asks_gets_the_seat 3,
            two_ask_at_once 2,
            the_last_leaves 3,
            an_earlier_insert_wakes_the_fallback_in_the_seat 3;
    }
}
