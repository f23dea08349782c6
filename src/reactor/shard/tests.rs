//! What a shard does, with nobody to drive it but the test.

use super::*;

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

#[test]
fn list_of_parked_calls_shrinks_again() {
    let shard = shard();
    let keys: Vec<_> = (0..10_000).map(|_| shard.line_up(Waker::noop())).collect();
    keys.into_iter().for_each(|key| shard.step_out(key));
    assert!(shard.parked.lock().capacity() <= SPARE_PARKED);
}

#[cfg(unix)]
mod sources {
    use std::os::unix::net::UnixStream;
    use std::task::Context;

    use super::*;
    use crate::reactor::Interest;
    use crate::sys::{Event, MAX_KEY};
    use crate::{Async, sync};

    /// What a stream is registered by. The reactor's own registration of it is another.
    fn registration() -> (Registration, Async<UnixStream>, UnixStream) {
        let (stream, peer) = UnixStream::pair().unwrap();
        let stream = Async::new(stream).unwrap();
        (*stream.source().registration(), stream, peer)
    }

    fn register(shard: &Ref<Shard>, registration: Registration) -> Arc<Source> {
        Shard::register(shard, registration).unwrap()
    }

    #[test]
    fn event_of_a_gone_source_reaches_nobody() {
        let shard = sync::share(shard());
        let (registration, _stream, _peer) = registration();
        let gone = register(&shard, registration);
        shard.deregister(&gone).unwrap();
        let successor = register(&shard, registration);
        let waker = Waker::noop();
        let waits = successor.poll_event(Interest::Read, &mut Context::from_waker(waker));
        assert!(waits.is_pending());
        let mut wakers = Vec::new();
        for (key, woken) in [(gone.key(), 0), (successor.key(), 1)] {
            let event = Event { key, readable: true, writable: false, exceptional: false };
            shard.sources.lock().on_event(event, &mut wakers);
            assert_eq!(wakers.len(), woken);
        }
        shard.deregister(&successor).unwrap();
    }

    #[test]
    fn failed_registration_leaves_nothing_in_the_table() {
        let shard = sync::share(shard());
        let (registration, _stream, _peer) = registration();
        let first = register(&shard, registration);
        for _ in 0..10 {
            let again = Shard::register(&shard, registration);
            assert!(again.is_err());
        }
        assert_eq!(shard.source_count(), 1);
        shard.deregister(&first).unwrap();
        assert_eq!(shard.source_count(), 0);
    }

    #[test]
    fn keys_start_again_below_those_of_the_poller() {
        let shard = sync::share(shard());
        let (registration, _stream, _peer) = registration();
        let mut sources = shard.sources.lock();
        let mut key = || sources.insert(&shard, registration).key();
        assert_eq!((key(), key()), (0, 1));
        sources.set_next_key(MAX_KEY);
        let mut key = || sources.insert(&shard, registration).key();
        // The first two are taken still.
        assert_eq!((key(), key()), (MAX_KEY, 2));
    }

    #[test]
    fn table_of_sources_shrinks_while_one_is_left() {
        let shard = sync::share(shard());
        let (registration, _stream, _peer) = registration();
        let mut sources = shard.sources.lock();
        let all: Vec<_> = (0..20_000).map(|_| sources.insert(&shard, registration)).collect();
        assert!(sources.capacity() >= 20_000);
        let (last, gone) = all.split_last().unwrap();
        for source in gone {
            assert!(sources.remove(source).is_some());
        }
        assert!(sources.capacity() <= 128, "{}", sources.capacity());
        assert!(sources.remove(last).is_some());
    }
}
