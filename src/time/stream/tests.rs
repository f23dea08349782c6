//! Adaptors on the manual clock: to the nanosecond, how often it is read, and when a source is polled.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::time::Elapsed;
use crate::time::tests::{at, looks, ns};

/// A source that has what the test puts into it, and is pending in between. It must not be polled
/// after its end.
#[derive(Clone, Default)]
struct Source {
    items: Rc<RefCell<VecDeque<Option<u32>>>>,
    polls: Rc<Cell<usize>>,
    ended: Rc<Cell<bool>>,
}

impl Source {
    fn of(items: impl IntoIterator<Item = u32>) -> Source {
        let source = Source::default();
        source.put(items);
        source
    }

    fn put(&self, items: impl IntoIterator<Item = u32>) {
        self.items.borrow_mut().extend(items.into_iter().map(Some));
    }

    fn end(&self) {
        self.items.borrow_mut().push_back(None);
    }
}

impl Stream for Source {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        assert!(!self.ended.get(), "polled after its end");
        self.polls.set(self.polls.get() + 1);
        let Some(item) = self.items.borrow_mut().pop_front() else {
            return Poll::Pending;
        };
        self.ended.set(item.is_none());
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let items = self.items.borrow();
        let least = items.iter().flatten().count();
        (least, items.contains(&None).then_some(least))
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed: a count, read by the thread that wakes.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once. Returns how often the task was woken meanwhile, too.
fn poll_and_count<S: Stream + Unpin>(stream: &mut S) -> (Poll<Option<S::Item>>, usize) {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let polled = Pin::new(stream).poll_next(&mut Context::from_waker(&waker));
    // Ordering: Relaxed: see above.
    (polled, wakes.0.load(Ordering::Relaxed))
}

/// Polls once. Only a stream that is not pending may be sure to be polled again.
#[track_caller]
fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    let (polled, wakes) = poll_and_count(stream);
    assert_eq!(wakes, 0, "woken by its own poll");
    polled
}

/// Expects the end, and that the source is not polled after it.
#[track_caller]
fn assert_ended<S: Stream + Unpin>(stream: &mut S) {
    for _ in 0..3 {
        assert!(matches!(poll(stream), Poll::Ready(None)));
        assert_eq!(stream.size_hint(), (0, Some(0)));
    }
}

const ERROR: Poll<Option<Result<u32, Elapsed>>> = Poll::Ready(Some(Err(Elapsed::new())));

fn item<T>(item: T) -> Poll<Option<T>> {
    Poll::Ready(Some(item))
}

#[test]
fn error_comes_after_each_silent_duration() {
    at(0);
    let source = Source::default();
    let mut items = source.clone().timeout(ns(10));
    for start in [0, 10, 20] {
        at(start);
        assert!(poll(&mut items).is_pending(), "at {start} ns");
        at(start + 9);
        assert!(poll(&mut items).is_pending(), "9 ns after {start} ns");
        at(start + 10);
        assert_eq!(poll(&mut items), ERROR, "10 ns after {start} ns");
    }
    source.put([1]);
    assert_eq!(poll(&mut items), item(Ok(1)));
    source.end();
    assert_ended(&mut items);
}

#[test]
fn item_restarts_the_time_for_the_next() {
    at(0);
    let source = Source::default();
    let mut items = source.clone().timeout(ns(10));
    assert!(poll(&mut items).is_pending());
    at(9);
    source.put([1]);
    assert_eq!(poll(&mut items), item(Ok(1)));
    // What the program does meanwhile does not count.
    at(100);
    assert!(poll(&mut items).is_pending());
    at(109);
    assert!(poll(&mut items).is_pending());
    at(110);
    assert_eq!(poll(&mut items), ERROR);
}

#[test]
fn late_item_is_preferred_to_an_error() {
    at(0);
    let source = Source::default();
    let mut items = source.clone().timeout(ns(10));
    assert!(poll(&mut items).is_pending());
    at(50);
    source.put([1]);
    assert_eq!(poll(&mut items), item(Ok(1)));
    assert!(poll(&mut items).is_pending());
}

/// A loop that takes whatever comes would not leave the source's own task a turn.
#[test]
fn errors_in_a_row_give_way() {
    at(0);
    let source = Source::default();
    let mut items = source.clone().timeout(ns(0));
    assert_eq!(poll_and_count(&mut items), (ERROR, 0));
    for _ in 0..3 {
        assert_eq!(poll_and_count(&mut items), (Poll::Pending, 1));
        assert_eq!(poll_and_count(&mut items), (ERROR, 0));
    }
    source.put([1]);
    assert_eq!(poll(&mut items), item(Ok(1)));
    assert_eq!(poll(&mut items), ERROR);
}

#[test]
fn ready_items_read_no_clock() {
    let read = looks(|| {
        let source = Source::of(0..10);
        source.end();
        let mut items = source.timeout(ns(1_000));
        for expected in 0..10 {
            assert_eq!(items.size_hint(), (10 - expected as usize, None));
            assert_eq!(poll(&mut items), item(Ok(expected)));
        }
        assert_ended(&mut items);
    });
    assert_eq!(read, 0);
}

#[test]
fn throttled_items_are_a_duration_apart() {
    at(0);
    let source = Source::of([1, 2]);
    let mut items = source.clone().throttle(ns(10));
    at(5);
    assert_eq!(poll(&mut items), item(1));
    at(14);
    assert!(poll(&mut items).is_pending());
    at(15);
    assert_eq!(poll(&mut items), item(2));
    // The duration is over before the next item comes.
    at(25);
    assert!(poll(&mut items).is_pending());
    at(40);
    source.put([3, 4]);
    assert_eq!(poll(&mut items), item(3));
    at(49);
    assert!(poll(&mut items).is_pending());
    at(50);
    assert_eq!(poll(&mut items), item(4));
    source.end();
    at(60);
    assert_ended(&mut items);
}

#[test]
fn throttled_source_is_not_polled_meanwhile() {
    at(0);
    let source = Source::of([1, 2]);
    let mut items = source.clone().throttle(ns(10));
    assert_eq!(poll(&mut items), item(1));
    for _ in 0..5 {
        assert!(poll(&mut items).is_pending());
    }
    assert_eq!((source.polls.get(), items.size_hint()), (1, (1, None)));
}

#[test]
fn throttle_of_zero_reads_no_clock() {
    let read = looks(|| {
        let mut items = Source::of(0..10).throttle(ns(0));
        for expected in 0..10 {
            assert_eq!(poll(&mut items), item(expected));
        }
        assert!(poll(&mut items).is_pending());
    });
    assert_eq!(read, 0);
}

#[test]
fn latest_item_comes_when_it_is_quiet() {
    at(0);
    let source = Source::default();
    let mut items = source.clone().debounce(ns(10));
    assert!(poll(&mut items).is_pending());
    source.put([1, 2]);
    assert!(poll(&mut items).is_pending());
    at(9);
    source.put([3]);
    assert!(poll(&mut items).is_pending());
    at(18);
    assert!(poll(&mut items).is_pending());
    at(19);
    assert_eq!(poll(&mut items), item(3));
    assert!(poll(&mut items).is_pending());
    // The next one has a time of its own.
    at(100);
    source.put([4]);
    assert!(poll(&mut items).is_pending());
    at(110);
    assert_eq!(poll(&mut items), item(4));
}

#[test]
fn held_item_precedes_the_end() {
    at(0);
    let source = Source::of([1, 2]);
    let mut items = source.clone().debounce(ns(10));
    assert_eq!(items.size_hint(), (1, None));
    assert!(poll(&mut items).is_pending());
    source.put([3]);
    source.end();
    assert_eq!(items.size_hint(), (1, Some(2)));
    assert_eq!(poll(&mut items), item(3));
    assert_ended(&mut items);

    let empty = Source::default();
    empty.end();
    let mut items = empty.debounce(ns(10));
    assert_eq!(items.size_hint(), (0, Some(0)));
    assert_ended(&mut items);
}

#[test]
fn taken_item_leaves_the_debounce_usable() {
    at(0);
    let source = Source::of([1]);
    let mut items = source.clone().debounce(ns(10));
    assert!(poll(&mut items).is_pending());
    assert_eq!(Pin::new(&mut items).take_held(), Some(1));
    assert_eq!(Pin::new(&mut items).take_held(), None);
    at(9);
    source.put([2]);
    assert!(poll(&mut items).is_pending());
    at(18);
    assert!(poll(&mut items).is_pending());
    at(19);
    assert_eq!(poll(&mut items), item(2));
}

#[test]
fn burst_reads_the_clock_once() {
    let read_for = |count: u32| {
        looks(|| {
            let mut items = Source::of(0..count).debounce(ns(1_000_000_000));
            assert!(poll(&mut items).is_pending());
        })
    };
    assert!(read_for(1) > 0);
    assert_eq!(read_for(1), read_for(50));
}

/// A source that always has another item has 64 taken by each poll, which wakes its task.
#[test]
fn endless_source_leaves_debounce_pending() {
    let source = Source::of(0..6_400);
    let mut items = source.clone().debounce(ns(10));
    let read = looks(|| {
        for polls in 1..=100 {
            assert_eq!(poll_and_count(&mut items), (Poll::Pending, 1));
            assert_eq!(source.polls.get(), polls * 64);
        }
    });
    assert_eq!(read, 0);
    at(0);
    assert!(poll(&mut items).is_pending());
    at(10);
    assert_eq!(poll(&mut items), item(6_399));
}

#[test]
fn chunk_comes_when_full_or_late() {
    at(0);
    let source = Source::of([1, 2, 3, 4]);
    let mut chunks = source.clone().chunks_timeout(3, ns(10));
    assert_eq!(poll(&mut chunks), item(vec![1, 2, 3]));
    assert!(poll(&mut chunks).is_pending());
    at(5);
    source.put([5]);
    assert!(poll(&mut chunks).is_pending());
    at(9);
    assert!(poll(&mut chunks).is_pending());
    // By the first item's time, not by the last one's; what is ready goes in.
    at(10);
    source.put([6]);
    assert_eq!(poll(&mut chunks), item(vec![4, 5, 6]));
    assert!(poll(&mut chunks).is_pending());
    at(100);
    source.put([7]);
    assert!(poll(&mut chunks).is_pending());
    at(110);
    assert_eq!(poll(&mut chunks), item(vec![7]));
    assert!(poll(&mut chunks).is_pending());
}

#[test]
fn each_chunk_has_a_time_of_its_own() {
    at(0);
    let source = Source::of([1]);
    let mut chunks = source.clone().chunks_timeout(2, ns(10));
    assert!(poll(&mut chunks).is_pending());
    at(9);
    source.put([2, 3]);
    assert_eq!(poll(&mut chunks), item(vec![1, 2]));
    assert!(poll(&mut chunks).is_pending());
    at(18);
    assert!(poll(&mut chunks).is_pending());
    at(19);
    assert_eq!(poll(&mut chunks), item(vec![3]));
}

#[test]
fn partial_chunk_precedes_the_end() {
    at(0);
    let source = Source::of([1, 2, 3]);
    let mut chunks = source.clone().chunks_timeout(2, ns(10));
    assert_eq!(chunks.size_hint(), (2, None));
    assert_eq!(poll(&mut chunks), item(vec![1, 2]));
    assert!(poll(&mut chunks).is_pending());
    source.end();
    assert_eq!(chunks.size_hint(), (1, Some(1)));
    assert_eq!(poll(&mut chunks), item(vec![3]));
    assert_ended(&mut chunks);

    let source = Source::of([1, 2]);
    source.end();
    let mut chunks = source.chunks_timeout(2, ns(10));
    assert_eq!(chunks.size_hint(), (1, Some(2)));
    assert_eq!(poll(&mut chunks), item(vec![1, 2]));
    assert_ended(&mut chunks);
}

#[test]
fn taken_items_leave_the_chunks_usable() {
    at(0);
    let source = Source::of([1, 2]);
    let mut chunks = source.clone().chunks_timeout(3, ns(10));
    assert!(poll(&mut chunks).is_pending());
    assert_eq!(Pin::new(&mut chunks).take_held(), [1, 2]);
    assert_eq!(Pin::new(&mut chunks).take_held(), []);
    at(9);
    source.put([3]);
    assert!(poll(&mut chunks).is_pending());
    at(18);
    assert!(poll(&mut chunks).is_pending());
    at(19);
    assert_eq!(poll(&mut chunks), item(vec![3]));
}

#[test]
fn full_chunks_read_no_clock() {
    let read = looks(|| {
        let mut chunks = Source::of(0..100).chunks_timeout(50, ns(1_000));
        assert_eq!(poll(&mut chunks), item((0..50).collect()));
        assert_eq!(poll(&mut chunks), item((50..100).collect()));
    });
    assert_eq!(read, 0);
}

/// A source that always has another item, and chunks that are never full: the time still counts.
#[test]
fn endless_source_leaves_large_chunk_pending() {
    at(0);
    let source = Source::of(0..6_400);
    let mut chunks = source.clone().chunks_timeout(usize::MAX, ns(10));
    for polls in 1..=10 {
        assert_eq!(poll_and_count(&mut chunks), (Poll::Pending, 1));
        assert_eq!(source.polls.get(), polls * 64);
    }
    at(10);
    assert_eq!(poll(&mut chunks), item((0..704).collect()));
    assert_eq!(poll_and_count(&mut chunks), (Poll::Pending, 1));
}
