//! What a shard does, with nobody to drive it but the test.

use super::*;

#[test]
fn keys_have_room_for_every_descriptor_and_for_generations() {
    // The index takes three quarters: 2^48 sources, or 2^24 where addresses have 32 bits.
    assert_eq!(INDEX_BITS, usize::BITS - usize::BITS / 4);
    let last = (1 << INDEX_BITS) - 1;
    assert_eq!(Sources::index(last), last);
    assert_eq!(Sources::index(last + 1), 0);
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, here and below: a count, on one thread.
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn shard() -> Shard {
    let root = crate::sync::share(Poller::new().unwrap());
    let poller = crate::sync::share(Poller::new().unwrap());
    Shard::new(0, poller, crate::sync::share(Rouser::new(root)))
}

#[test]
fn a_round_hands_out_no_more_timers_than_its_budget_before_and_after_the_wait() {
    use crate::reactor::timers::BUDGET;
    let shard = shard();
    for _ in 0..3 * BUDGET {
        shard.insert_timer(0, Waker::noop().clone());
    }
    let mut round = Round::new();
    assert_eq!(shard.seat().try_take(), Took::Seat);
    assert!(!shard.drive(&Parker::new(), &mut round));
    assert_eq!(round.fired.len(), BUDGET);
    assert!(round.has_more());
}

#[test]
fn who_asks_for_a_seat_too_late_leaves_those_on_the_list_who_asked_before() {
    let shard = shard();
    let (early, late) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    assert!(shard.seat().try_take_lent());
    assert!(shard.ask(&early.clone().into()));
    assert_eq!(shard.fallback.parker.take(), !NESTED, "told only where it may be asleep");
    // The fallback has got up, and is about to look at the list.
    assert!(shard.seat().leave().asked);
    assert!(!shard.ask(&late.clone().into()));
    shard.wake_askers();
    assert_eq!((early.count(), late.count()), (1, 0));
}

#[test]
fn the_seat_is_handed_over_to_one_who_is_still_lined_up_and_only_if_nobody_drives() {
    let shard = shard();
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let place = shard.line_up(&first.clone().into());
    shard.line_up(&second.clone().into());
    let woken = || (first.count(), second.count());
    assert_eq!(shard.seat().try_take(), Took::Seat);
    shard.hand_over();
    assert_eq!(woken(), (0, 0));
    shard.leave();
    shard.hand_over();
    assert_eq!(woken(), (1, 0));
    shard.step_out(place);
    shard.hand_over();
    assert_eq!(woken(), (1, 1));
}
