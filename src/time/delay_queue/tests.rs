//! The queue on the manual clock: exact to the nanosecond, beside a map that does the same.

mod user_code;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::*;
use crate::time::tests::{at, looks, ns};

/// The other end of a waker.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        // Ordering: Relaxed: a number, by which nothing else is published.
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, as in `count`.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<T>(queue: &mut DelayQueue<T>) -> Poll<Option<T>> {
    poll_with(queue, Waker::noop())
}

fn poll_with<T>(queue: &mut DelayQueue<T>, waker: &Waker) -> Poll<Option<T>> {
    queue.poll_expired(&mut Context::from_waker(waker)).map(|item| item.map(Expired::into_inner))
}

/// A queue whose task waits, and that task.
fn waited_for(fill: impl FnOnce(&mut DelayQueue<u64>)) -> (DelayQueue<u64>, Arc<Wakes>) {
    let mut queue = DelayQueue::new();
    fill(&mut queue);
    let wakes = Arc::new(Wakes::default());
    assert_eq!(poll_with(&mut queue, &wakes.clone().into()), Poll::Pending);
    (queue, wakes)
}

#[test]
fn entry_expires_to_the_nanosecond() {
    at(0);
    let mut queue = DelayQueue::new();
    let key = queue.insert('a', ns(1_000_001));
    let deadline = queue.deadline(key).unwrap();
    at(1_000_000);
    assert_eq!(poll(&mut queue), Poll::Pending);
    at(1_000_001);
    let expired = queue.poll_expired(&mut Context::from_waker(Waker::noop()));
    assert_eq!(expired, Poll::Ready(Some(Expired::new(key, deadline, 'a'))));
    assert_eq!(deadline, at(1_000_001));
    assert_eq!(poll(&mut queue), Poll::Ready(None));
}

#[test]
fn zero_timeout_and_past_deadline_expire_at_once() {
    let past = at(0);
    at(10);
    let mut queue = DelayQueue::new();
    queue.insert('a', Duration::ZERO);
    assert_eq!(poll(&mut queue), Poll::Ready(Some('a')));
    queue.insert_at('b', past);
    assert_eq!(poll(&mut queue), Poll::Ready(Some('b')));
}

#[test]
fn endless_timeout_never_expires() {
    at(0);
    let mut queue = DelayQueue::new();
    let key = queue.insert('a', Duration::MAX);
    let other = queue.insert('b', ns(5));
    queue.reset(other, Duration::MAX).unwrap();
    at(1_000_000_000_000);
    assert_eq!(poll(&mut queue), Poll::Pending);
    assert_eq!((queue.deadline(key), queue.peek(), queue.len()), (None, None, 2));
    queue.reset(key, Duration::ZERO).unwrap();
    assert_eq!(poll(&mut queue), Poll::Ready(Some('a')));
}

/// All that is due by one look at the clock comes without another.
#[test]
fn burst_costs_one_look_at_the_clock() {
    let due = at(0);
    let mut queue = DelayQueue::new();
    for number in 0..100 {
        queue.insert_at(number, due - ns(number));
    }
    let read = looks(|| {
        for _ in 0..100 {
            assert!(matches!(poll(&mut queue), Poll::Ready(Some(_))));
        }
    });
    assert!(read <= 1, "{read} looks");
}

#[test]
fn earlier_deadline_wakes_who_waits_once() {
    at(0);
    let (mut queue, wakes) = waited_for(|queue| _ = queue.insert(1, ns(1_000)));
    let later = queue.insert(2, ns(1_000));
    assert_eq!(wakes.count(), 0, "for a later deadline");
    queue.reset(later, ns(999)).unwrap();
    assert_eq!(wakes.count(), 1, "for a reset");
    queue.insert(3, ns(500));
    assert_eq!(wakes.count(), 1, "again, without a poll between");
    assert_eq!(poll_with(&mut queue, &wakes.clone().into()), Poll::Pending);
    queue.insert_at(4, at(0));
    assert_eq!(wakes.count(), 2, "for an insertion");
    assert_eq!(poll(&mut queue), Poll::Ready(Some(4)));
    queue.insert_at(5, at(0));
    assert_eq!(wakes.count(), 2, "nobody waits");
}

#[test]
fn who_waits_for_anything_is_woken() {
    at(0);
    let (mut queue, wakes) = waited_for(|queue| _ = queue.insert(1, Duration::MAX));
    queue.insert(2, Duration::MAX);
    assert_eq!(wakes.count(), 0);
    queue.insert(3, Duration::from_secs(1_000_000));
    assert_eq!(wakes.count(), 1);
}

#[test]
fn emptied_queue_wakes_who_waits() {
    type Empty = fn(&mut DelayQueue<u64>, Key);
    let ways: [Empty; 3] = [
        |queue, key| assert_eq!(queue.remove(key), Ok(1)),
        |queue, key| assert_eq!(queue.try_remove(key), Some(1)),
        |queue, _| queue.clear(),
    ];
    at(0);
    for empty in ways {
        for timeout in [ns(1_000_000), Duration::MAX] {
            let mut first = None;
            let (mut queue, wakes) = waited_for(|queue| first = Some(queue.insert(1, timeout)));
            empty(&mut queue, first.unwrap());
            assert_eq!(wakes.count(), 1);
            assert_eq!(poll(&mut queue), Poll::Ready(None));
        }
    }
}

#[test]
fn last_handle_ends_an_empty_queue() {
    at(0);
    let mut handle = None;
    let (mut queue, wakes) = waited_for(|queue| handle = Some(queue.handle()));
    let other = handle.clone();
    drop(handle);
    assert_eq!(wakes.count(), 0, "there is another");
    drop(other);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut queue), Poll::Ready(None));
}

/// What the last handle wrote before it was dropped, with a deadline and without.
#[test]
fn last_words_of_a_handle_are_heard() {
    at(0);
    let mut queue = DelayQueue::new();
    queue.handle().insert(1, Duration::ZERO).unwrap();
    assert_eq!(poll(&mut queue), Poll::Ready(Some(1)));
    queue.handle().insert(2, Duration::MAX).unwrap();
    assert_eq!(poll(&mut queue), Poll::Pending);
    queue.handle().insert(3, ns(10)).unwrap();
    assert_eq!(poll(&mut queue), Poll::Pending);
    at(10);
    assert_eq!(poll(&mut queue), Poll::Ready(Some(3)));
}

#[test]
fn handle_wakes_once_for_a_burst() {
    at(0);
    let mut handle = None;
    let (mut queue, wakes) = waited_for(|queue| handle = Some(queue.handle()));
    let handle = handle.unwrap();
    for number in 0..100 {
        handle.insert(number, Duration::ZERO).unwrap();
    }
    assert_eq!(wakes.count(), 1);
    assert_eq!(queue.len(), 0, "not before the next look");
    assert!(poll(&mut queue).is_ready());
    assert_eq!(queue.len(), 99);
}

/// A handle's key leads to its entry from both sides, and is the key of what is yielded.
#[test]
fn key_of_a_handle_is_the_entrys() {
    let now = at(0);
    let mut queue = DelayQueue::new();
    let handle = queue.handle();
    let keys: Vec<Key> =
        (0..4).map(|number| handle.insert(number, ns(10 + number)).unwrap()).collect();
    assert_eq!(queue.get(keys[0]), None, "it has not been received yet");
    assert_eq!(queue.get_mut(keys[0]), Some(&mut 0));
    assert_eq!(queue.peek(), Some((keys[0], now + ns(10))));
    assert_eq!(queue.remove(keys[0]), Ok(0));
    assert_eq!(queue.remove(keys[0]), Err(UnknownKey::new()));
    handle.remove(keys[1]).unwrap();
    handle.reset_at(keys[2], now + ns(1_000_000)).unwrap();
    let local = queue.insert(9, ns(2_000_000));
    handle.remove(local).unwrap();
    at(3_000_000);
    let mut yielded = Vec::new();
    drop(handle);
    while let Poll::Ready(Some(expired)) =
        queue.poll_expired(&mut Context::from_waker(Waker::noop()))
    {
        yielded.push((expired.key(), expired.into_inner()));
    }
    assert_eq!(yielded, [(keys[3], 3), (keys[2], 2)]);
    assert_eq!(queue.entries.numbered(), (0, 0), "numbers of entries that are gone");
}

#[test]
fn keys_of_other_queues_find_nothing() {
    at(0);
    let (mut one, mut other) = (DelayQueue::new(), DelayQueue::new());
    let (local, foreign) = (one.insert(1, ns(10)), other.insert(2, ns(10)));
    let (handle, other_handle) = (one.handle(), other.handle());
    let remote = other_handle.insert(3, ns(10)).unwrap();
    handle.insert(4, ns(10)).unwrap();
    for key in [foreign, remote] {
        assert_eq!(one.get_mut(key), None);
        assert_eq!(one.get(key), None);
        assert_eq!(one.deadline(key), None);
        assert_eq!(one.try_remove(key), None);
        assert_eq!(one.reset(key, Duration::ZERO), Err(UnknownKey::new()));
        handle.remove(key).unwrap();
        handle.reset(key, Duration::MAX).unwrap();
    }
    assert_eq!(one.get_mut(local), Some(&mut 1));
    assert_eq!((one.len(), other.len()), (2, 1));
}

#[test]
fn closed_handle_returns_the_value() {
    let now = at(0);
    let queue = DelayQueue::new();
    let handle = queue.handle();
    let key = handle.insert(1, ns(10)).unwrap();
    assert!(!handle.is_closed());
    drop(queue);
    assert!(handle.is_closed());
    assert_eq!(handle.insert(2, ns(10)).unwrap_err().into_inner(), 2);
    assert_eq!(handle.insert_at(3, now).unwrap_err().into_inner(), 3);
    let error = handle.clone().remove(key).unwrap_err();
    assert_eq!(error.to_string(), "the delay queue was dropped");
    assert!(handle.reset(key, ns(1)).is_err() && handle.reset_at(key, now).is_err());
}

/// A queue and its handle, which outlives it, keep no waker for good.
#[test]
fn dropped_queue_forgets_its_task() {
    at(0);
    let mut handle = None;
    let (queue, wakes) = waited_for(|queue| handle = Some(queue.handle()));
    drop(queue);
    assert_eq!(Arc::strong_count(&wakes), 1);
    assert!(handle.unwrap().is_closed());
    let (mut queue, wakes) = waited_for(|queue| _ = queue.insert(1, ns(1_000)));
    queue.clear();
    assert_eq!(poll_with(&mut queue, &wakes.clone().into()), Poll::Ready(None));
    assert_eq!(Arc::strong_count(&wakes), 1);
}

/// One operation on a queue and on a map. A `usize` picks one of the keys that were given out.
#[derive(Clone, Debug)]
enum Step {
    Insert { timeout: u64, remote: bool },
    Reset { pick: usize, timeout: u64, remote: bool },
    Remove { pick: usize, remote: bool },
    Pass(u64),
    Poll,
    Look(usize),
    Clear,
    Shrink,
}

fn step() -> impl Strategy<Value = Step> {
    // Of all levels of the wheel, and near each other.
    let time = || prop_oneof![0..100_u64, (0..50_u32).prop_map(|exponent| 1 << exponent)];
    let pick = || 0..1_000_usize;
    prop_oneof![
        8 => (time(), any::<bool>()).prop_map(|(timeout, remote)| Step::Insert { timeout, remote }),
        4 => (pick(), time(), any::<bool>())
            .prop_map(|(pick, timeout, remote)| Step::Reset { pick, timeout, remote }),
        2 => (pick(), any::<bool>()).prop_map(|(pick, remote)| Step::Remove { pick, remote }),
        4 => time().prop_map(Step::Pass),
        8 => Just(Step::Poll),
        2 => pick().prop_map(Step::Look),
        1 => Just(Step::Shrink),
        1 => (0..20_u8).prop_map(|number| if number == 0 { Step::Clear } else { Step::Poll }),
    ]
}

/// A queue and a map that does the same.
struct Pair {
    queue: DelayQueue<u64>,
    handle: Handle<u64>,
    known: BTreeMap<Key, (u64, Instant)>,
    keys: Vec<Key>,
    time: u64,
    wakes: Arc<Wakes>,
    /// Wakes that the task had when it began to wait; `None` if it does not wait.
    waits_since: Option<usize>,
}

impl Pair {
    fn new() -> Pair {
        at(0);
        let queue = DelayQueue::new();
        let handle = queue.handle();
        let wakes = Arc::new(Wakes::default());
        Pair {
            queue,
            handle,
            known: BTreeMap::new(),
            keys: Vec::new(),
            time: 0,
            wakes,
            waits_since: None,
        }
    }

    fn pick(&self, pick: usize) -> Option<Key> {
        Some(self.keys[pick.checked_rem(self.keys.len())?])
    }

    fn first(&self) -> Option<Instant> {
        self.known.values().map(|&(_, deadline)| deadline).min()
    }

    fn apply(&mut self, step: Step) {
        let now = at(self.time);
        match step {
            Step::Insert { timeout, remote } => {
                let value = self.keys.len() as u64;
                let key = if remote {
                    self.handle.insert(value, ns(timeout)).unwrap()
                } else {
                    self.queue.insert(value, ns(timeout))
                };
                assert!(self.known.insert(key, (value, now + ns(timeout))).is_none());
                self.keys.push(key);
            }
            Step::Reset { pick, timeout, remote } => {
                let Some(key) = self.pick(pick) else { return };
                let known = self.known.get_mut(&key);
                if remote {
                    self.handle.reset(key, ns(timeout)).unwrap();
                } else {
                    assert_eq!(self.queue.reset(key, ns(timeout)).is_ok(), known.is_some());
                }
                if let Some((_, deadline)) = known {
                    *deadline = now + ns(timeout);
                }
            }
            Step::Remove { pick, remote } => {
                let Some(key) = self.pick(pick) else { return };
                let known = self.known.remove(&key).map(|(value, _)| value);
                if remote {
                    self.handle.remove(key).unwrap();
                } else {
                    assert_eq!(self.queue.try_remove(key), known);
                }
            }
            Step::Pass(nanos) => {
                self.time += nanos;
                at(self.time);
            }
            Step::Poll => self.poll(),
            Step::Look(pick) => self.look(pick),
            Step::Clear => {
                self.queue.clear();
                self.known.clear();
            }
            Step::Shrink => self.queue.shrink_to_fit(),
        }
        self.check_wakes();
    }

    fn poll(&mut self) {
        let now = at(self.time);
        let waker = self.wakes.clone().into();
        self.waits_since = None;
        match self.queue.poll_expired(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(expired)) => {
                let (value, deadline) = self.known.remove(&expired.key()).expect("not known");
                assert_eq!((*expired.get_ref(), expired.deadline()), (value, deadline));
                assert!(deadline <= now, "early");
                let unit = |at: Instant| (at - (now - ns(self.time))).as_nanos() >> 17;
                if let Some(first) = self.first() {
                    let order = unit(deadline) <= unit(first) + 1;
                    assert!(order, "out of order");
                }
            }
            Poll::Ready(None) => panic!("it has a handle"),
            Poll::Pending => {
                assert!(self.first().is_none_or(|first| first > now), "something is due");
                self.waits_since = Some(self.wakes.count());
                assert_eq!(self.queue.len(), self.known.len());
            }
        }
    }

    fn look(&mut self, pick: usize) {
        let Some(key) = self.pick(pick) else { return };
        let known = self.known.get(&key);
        assert_eq!(self.queue.get_mut(key).copied(), known.map(|&(value, _)| value));
        assert_eq!(self.queue.get(key), known.map(|(value, _)| value));
        assert_eq!(self.queue.deadline(key), known.map(|&(_, deadline)| deadline));
        assert_eq!(self.queue.peek().map(|(_, deadline)| deadline), self.first());
        assert_eq!(self.queue.len(), self.known.len());
    }

    /// A task that waits has been woken if something is earlier than what it waits for.
    fn check_wakes(&self) {
        let Some(before) = self.waits_since.filter(|&before| before == self.wakes.count()) else {
            return;
        };
        // The timer itself fires on the reactor's threads, at another time.
        let first = self.first();
        let sleeps = self.queue.timer.deadline();
        let is_covered = first.is_none_or(|first| {
            sleeps.is_some_and(|sleeps| sleeps <= self.queue.sleep_until(first))
        });
        assert!(is_covered, "not woken since {before}: {first:?}, sleeps until {sleeps:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matches_a_map(steps in prop::collection::vec(step(), 1..120)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.apply(step);
        }
        // All that is left comes out.
        pair.time += 1 << 51;
        for _ in 0..=pair.known.len() {
            pair.apply(Step::Poll);
        }
        prop_assert!(pair.known.is_empty());
        prop_assert_eq!(pair.queue.entries.numbered(), (0, 0));
    }
}

/// Yields what comes every so many nanoseconds, waking for each. Returns when the next entry is due,
/// and when the task is woken for it.
fn next_wake(apart: u64) -> (Instant, Instant) {
    let start = at(0);
    let mut queue = DelayQueue::new();
    for number in 1..3_000 {
        queue.insert_at(number, start + ns(number * apart));
    }
    for number in 1..2_900 {
        at(number * apart);
        assert_eq!(poll(&mut queue), Poll::Ready(Some(number)));
        assert_eq!(poll(&mut queue), Poll::Pending);
    }
    (start + ns(2_900 * apart), queue.timer.deadline().unwrap())
}

#[test]
fn sparse_entry_wakes_the_task_at_its_deadline() {
    let (due, woken) = next_wake(130_000);
    assert_eq!(woken, due);
}

/// A sleep for each would take most of a processor. The grid is that of all timers, so that the
/// queue's own is not delayed a second time.
#[test]
fn dense_entries_share_a_wake_up() {
    let (due, woken) = next_wake(10_001);
    assert!(woken > due && woken < due + ns(LONGEST_DELAY), "{:?}", woken - due);
    assert_eq!(clock::wheel_time(woken) % LONGEST_DELAY, 0);
}
