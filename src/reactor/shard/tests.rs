//! What a shard does, with nobody to drive it but the test.

use super::*;
use crate::handoff::Parker;
use crate::reactor::Settings;

fn shard() -> Shard {
    shard_with(&Settings::default())
}

fn shard_with(settings: &Settings) -> Shard {
    let root = crate::sync::share(Poller::new().unwrap());
    let poller = crate::sync::share(Poller::new().unwrap());
    Shard::new(0, poller, crate::sync::share(Unparker::new(root)), settings)
}

/// Before and after the wait together.
#[test]
fn round_expires_no_more_timers_than_its_budget() {
    use crate::reactor::timers::{BUDGET, Slack};
    let shard = shard();
    for _ in 0..3 * BUDGET {
        shard.insert_timer(0, Slack::UNSET, Waker::noop().clone());
    }
    let mut batch = Batch::new();
    assert!(!shard.try_acquire().unwrap().park(&Parker::new(), &mut batch));
    assert_eq!(batch.fired.len(), BUDGET);
    assert!(batch.has_more());
}

/// A thread whose tasks have more to do: they get their turn between few timers.
#[test]
fn busy_thread_expires_few_timers_a_round() {
    use crate::reactor::timers::{SHORT_BUDGET, Slack};
    for (budget, fired) in [(1_000, SHORT_BUDGET), (100, 100)] {
        let shard = shard_with(&Settings { expiry_budget: budget, ..Settings::default() });
        for _ in 0..2 * SHORT_BUDGET {
            shard.insert_timer(0, Slack::UNSET, Waker::noop().clone());
        }
        shard.run_round_if_vacant(&mut Batch::new());
        assert_eq!(shard.timer_stats().0.expired, fired as u64);
    }
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

    fn key(source: &Source) -> usize {
        source.place().unwrap().key
    }

    #[test]
    fn event_of_a_gone_source_reaches_nobody() {
        let shard = sync::share(shard());
        let (registration, _stream, _peer) = registration();
        let gone = register(&shard, registration);
        let gone_key = key(&gone);
        shard.deregister(&gone, gone_key).unwrap();
        let successor = register(&shard, registration);
        let waker = Waker::noop();
        let waits = successor.poll_event(
            || Ok(shard.clone()),
            Interest::Read,
            &mut Context::from_waker(waker),
        );
        assert!(waits.is_pending());
        let mut wakers = Vec::new();
        for (key, woken) in [(gone_key, 0), (key(&successor), 1)] {
            let event = Event { key, readable: true, writable: false, exceptional: false };
            shard.sources.lock().on_event(0, event, &mut wakers);
            assert_eq!(wakers.len(), woken);
        }
        shard.deregister(&successor, key(&successor)).unwrap();
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
        shard.deregister(&first, key(&first)).unwrap();
        assert_eq!(shard.source_count(), 0);
    }

    #[test]
    fn keys_start_again_below_those_of_the_poller() {
        let shard = sync::share(shard());
        let (registration, _stream, _peer) = registration();
        let source = Arc::new(Source::new(registration, Identity::UNKNOWN));
        let mut sources = shard.sources.lock();
        let mut key = || sources.insert(&source);
        assert_eq!((key(), key()), (0, 1));
        sources.set_next_key(MAX_KEY);
        let mut key = || sources.insert(&source);
        // The first two are taken still.
        assert_eq!((key(), key()), (MAX_KEY, 2));
    }

    #[test]
    fn table_of_sources_shrinks_while_one_is_left() {
        let shard = sync::share(shard());
        let (registration, _stream, _peer) = registration();
        let source = Arc::new(Source::new(registration, Identity::UNKNOWN));
        let mut sources = shard.sources.lock();
        let all: Vec<_> = (0..20_000).map(|_| sources.insert(&source)).collect();
        assert!(sources.capacity() >= 20_000);
        let (last, gone) = all.split_last().unwrap();
        for key in gone {
            assert!(sources.remove(*key).is_some());
        }
        assert!(sources.capacity() <= 128, "{}", sources.capacity());
        assert!(sources.remove(*last).is_some());
    }
}
