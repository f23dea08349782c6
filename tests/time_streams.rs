//! The adaptors of streams: in real time, when they are dropped in the middle, and with durations at
//! the ends of the clock.
//!
//! What they yield to the nanosecond, how often they read the clock, and when they poll their source
//! is tested in the library, on the manual clock.

mod common;

use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, unbounded};
use async_wheel::time::{ChunksTimeout, Debounce, StreamTimeExt, StreamTimeout, Throttle};
use async_wheel::{Timer, block_on, diagnostics};
use common::process::alone;
use common::{HOUR, MS, PATIENCE, Wakes, both_ways, in_time, poll_with, watchdog};
use futures_lite::{FutureExt, Stream, StreamExt, future, stream};

/// A source that the test puts items into.
fn source() -> (Sender<u32>, Pin<Box<Receiver<u32>>>) {
    let (sender, receiver) = unbounded();
    (sender, Box::pin(receiver))
}

fn put(sender: &Sender<u32>, items: impl IntoIterator<Item = u32>) {
    for item in items {
        sender.try_send(item).unwrap();
    }
}

/// Asks for an item, and drops the `next` future if there is none yet.
async fn try_next<S: Stream + Unpin>(stream: &mut S) -> Option<Option<S::Item>> {
    future::poll_once(stream.next()).await
}

/// Returns the number of timers that have an entry.
fn timers() -> usize {
    diagnostics::shards().iter().map(|shard| shard.timers).sum()
}

#[test]
fn silent_source_yields_errors_and_goes_on() {
    both_ways(|| async {
        let (sender, source) = source();
        let mut items = source.timeout(2 * MS);
        for round in 0..3 {
            for _ in 0..2 {
                let start = Instant::now();
                assert!(in_time("an error", items.next()).await.unwrap().is_err());
                assert!(start.elapsed() >= 2 * MS, "an error is early");
            }
            put(&sender, [round]);
            assert_eq!(in_time("an item", items.next()).await, Some(Ok(round)));
        }
        drop(sender);
        assert_eq!(in_time("the end", items.next()).await, None);
        assert_eq!(items.next().await, None);
    });
}

/// The time goes on when a `next` future is dropped: otherwise a task that looks at something else
/// now and then would never see an error.
#[test]
fn dropped_next_keeps_the_time() {
    both_ways(|| async {
        let (_sender, source) = source();
        let mut items = source.timeout(5 * MS);
        let start = Instant::now();
        while try_next(&mut items).await.is_none() {
            assert!(start.elapsed() < PATIENCE, "no error");
            Timer::after(MS).await;
        }
        assert!(start.elapsed() >= 5 * MS, "the error is early");
    });
}

#[test]
fn throttle_spaces_items_and_drops_none() {
    both_ways(|| async {
        let mut items = stream::iter(0..5).throttle(2 * MS);
        let mut asked = Instant::now();
        assert_eq!(in_time("the first item", items.next()).await, Some(0));
        for expected in [Some(1), Some(2), Some(3), Some(4), None] {
            // The one before was yielded after it was asked for.
            let earliest = asked + 2 * MS;
            asked = Instant::now();
            assert_eq!(in_time("an item", items.next()).await, expected);
            assert!(Instant::now() >= earliest, "{expected:?} came early");
        }
        assert_eq!(items.next().await, None);
    });
}

#[test]
fn debounce_yields_the_latest_when_quiet() {
    both_ways(|| async {
        let (sender, source) = source();
        let mut items = source.debounce(3 * MS);
        for burst in 0..3 {
            put(&sender, [10 * burst, 10 * burst + 1, 10 * burst + 2]);
            let start = Instant::now();
            let item = in_time("an item", items.next()).await;
            assert_eq!(item, Some(10 * burst + 2));
            assert!(start.elapsed() >= 3 * MS, "it was not quiet for so long");
        }
        put(&sender, [100]);
        drop(sender);
        assert_eq!(in_time("the last", items.next()).await, Some(100));
        assert_eq!(items.next().await, None);
    });
}

#[test]
fn chunk_waits_for_its_time() {
    both_ways(|| async {
        let (sender, source) = source();
        let mut chunks = source.chunks_timeout(3, 3 * MS);
        put(&sender, 0..5);
        assert_eq!(in_time("a full chunk", chunks.next()).await, Some(vec![0, 1, 2]));
        let start = Instant::now();
        assert_eq!(in_time("a partial chunk", chunks.next()).await, Some(vec![3, 4]));
        assert!(start.elapsed() >= 3 * MS, "the chunk is early");
        put(&sender, [5]);
        drop(sender);
        assert_eq!(in_time("the last chunk", chunks.next()).await, Some(vec![5]));
        assert_eq!(chunks.next().await, None);
    });
}

/// Each adaptor is dropped in the middle, its `next` futures too: with what it gives back, every item
/// is there, but for those that a debounce supersedes.
#[test]
fn taken_apart_in_the_middle_loses_nothing() {
    both_ways(|| async {
        let (sender, source) = source();
        put(&sender, 0..10);

        let mut items = source.timeout(HOUR);
        assert_eq!(items.next().await, Some(Ok(0)));
        let mut items = items.into_inner().throttle(HOUR);
        assert_eq!(items.next().await, Some(1));
        assert!(try_next(&mut items).await.is_none());
        let mut chunks = items.into_inner().chunks_timeout(3, HOUR);
        assert_eq!(chunks.next().await, Some(vec![2, 3, 4]));
        put(&sender, [10]);
        assert_eq!(chunks.next().await, Some(vec![5, 6, 7]));
        assert_eq!(chunks.next().await, Some(vec![8, 9, 10]));
        put(&sender, [11, 12]);
        assert!(try_next(&mut chunks).await.is_none());
        let (source, held) = chunks.into_parts();
        assert_eq!(held, [11, 12]);

        let mut items = source.debounce(HOUR);
        put(&sender, [13, 14]);
        assert!(try_next(&mut items).await.is_none());
        assert!(try_next(&mut items).await.is_none());
        let (mut source, held) = items.into_parts();
        assert_eq!(held, Some(14));
        put(&sender, [15]);
        assert_eq!(source.next().await, Some(15));
    });
}

#[test]
fn pinned_adaptor_gives_back_what_it_holds() {
    block_on(async {
        let (sender, receiver) = unbounded();
        put(&sender, [1, 2]);
        // The receiver must not move.
        let mut chunks = pin!(receiver.clone().chunks_timeout(3, HOUR));
        assert!(try_next(&mut chunks).await.is_none());
        assert_eq!(chunks.as_mut().take_held(), [1, 2]);
        put(&sender, [3, 4]);
        let mut items = pin!(receiver.debounce(HOUR));
        assert!(try_next(&mut items).await.is_none());
        assert_eq!(items.as_mut().take_held(), Some(4));
    });
}

#[test]
fn zero_durations_pass_on_what_is_ready() {
    both_ways(|| async {
        let (sender, source) = source();
        put(&sender, 0..3);
        let mut items = source.throttle(Duration::ZERO).timeout(Duration::ZERO);
        for expected in 0..3 {
            assert_eq!(items.next().await, Some(Ok(expected)));
        }
        assert!(items.next().await.unwrap().is_err());
        put(&sender, 3..6);
        let source = items.into_inner().into_inner();
        let mut items = source.debounce(Duration::ZERO);
        assert_eq!(items.next().await, Some(5));
        let mut chunks = items.into_parts().0.chunks_timeout(100, Duration::ZERO);
        put(&sender, 6..9);
        assert_eq!(chunks.next().await, Some(vec![6, 7, 8]));
    });
}

#[test]
fn endless_durations_never_pass() {
    let _watchdog = watchdog();
    for endless in [Duration::MAX, Duration::from_secs(u64::MAX)] {
        block_on(async {
            let (sender, source) = source();
            put(&sender, 0..3);
            let mut items = source.throttle(endless);
            assert_eq!(items.next().await, Some(0));
            assert!(try_next(&mut items).await.is_none());
            let mut items = items.into_inner().timeout(endless);
            assert_eq!(items.next().await, Some(Ok(1)));
            assert_eq!(items.next().await, Some(Ok(2)));
            assert!(try_next(&mut items).await.is_none());
            let mut items = items.into_inner().debounce(endless);
            put(&sender, [3, 4]);
            assert!(try_next(&mut items).await.is_none());
            let (source, held) = items.into_parts();
            assert_eq!(held, Some(4));
            let mut chunks = source.chunks_timeout(3, endless);
            put(&sender, [5, 6]);
            assert!(try_next(&mut chunks).await.is_none());
            drop(sender);
            assert_eq!(chunks.next().await, Some(vec![5, 6]));
        });
    }
}

#[test]
fn chunks_of_nothing_are_refused() {
    let made = catch_unwind(|| drop(stream::pending::<()>().chunks_timeout(0, MS)));
    let panic = made.unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert!(message.contains("at least one item"), "{message}");
}

/// A task that takes what an adaptor makes of a source that always has another item: others of the
/// same thread, and their timers, go on.
#[test]
fn always_ready_source_starves_no_other_task() {
    fn endless() -> impl Stream<Item = u32> + Unpin {
        stream::repeat(7)
    }
    both_ways(|| async {
        let others = || async {
            for _ in 0..3 {
                Timer::after(MS).await;
            }
        };
        let debounced = async {
            let item = endless().debounce(MS).next().await;
            unreachable!("{item:?} was not the last");
        };
        in_time("others beside a debounce", others().or(debounced)).await;
        let chunk = async {
            let chunk = endless().chunks_timeout(usize::MAX, HOUR).next().await;
            unreachable!("{:?} is not full", chunk.map(|chunk| chunk.len()));
        };
        in_time("others beside a chunk", others().or(chunk)).await;
        let mut chunks = endless().chunks_timeout(usize::MAX, MS);
        let chunk = in_time("a chunk without end", chunks.next()).await.unwrap();
        assert!(chunk.len() > 64, "{}", chunk.len());
    });
}

/// A task that takes errors without end leaves the one that has an item for it a turn.
#[test]
fn errors_without_end_starve_no_other_task() {
    both_ways(|| async {
        let (sender, source) = source();
        let mut items = source.timeout(Duration::ZERO);
        let takes = async {
            loop {
                if let Some(Ok(item)) = items.next().await {
                    break item;
                }
            }
        };
        let gives = async {
            Timer::after(MS).await;
            put(&sender, [1]);
            future::pending().await
        };
        assert_eq!(in_time("an item", takes.or(gives)).await, 1);
    });
}

type LocalBoxed = Pin<Box<dyn Stream<Item = ()>>>;
type Adapt = fn(Pin<Box<Receiver<u32>>>) -> LocalBoxed;

/// Whatever passes through, an adaptor has one timer at most, and none when its source has ended.
#[test]
fn stream_has_one_timer_at_most() {
    alone(|| {
        let _watchdog = watchdog();
        let waker = Wakes::new().waker();
        let ready = |stream: &mut LocalBoxed| {
            let polled = poll_with(&waker, &mut stream.next());
            assert!(timers() <= 1, "{} timers", timers());
            polled
        };
        let adaptors: [Adapt; 4] = [
            |source| source.timeout(HOUR).map(drop).boxed_local(),
            |source| source.throttle(HOUR).map(drop).boxed_local(),
            |source| source.debounce(HOUR).map(drop).boxed_local(),
            |source| source.chunks_timeout(7, HOUR).map(drop).boxed_local(),
        ];
        for (nth, adapt) in adaptors.into_iter().enumerate() {
            let (sender, source) = source();
            let mut stream = adapt(source);
            for item in 0..100 {
                put(&sender, [item]);
                let _ = ready(&mut stream);
                let _ = ready(&mut stream);
            }
            assert_eq!(timers(), 1, "adaptor {nth} waits");
            drop(sender);
            // A throttle whose hour is not over finds no end yet.
            if nth != 1 {
                while ready(&mut stream) != Poll::Ready(None) {}
                assert_eq!(timers(), 0, "adaptor {nth} has ended");
            }
            drop(stream);
            assert_eq!(timers(), 0, "adaptor {nth} was dropped");
        }
    });
}

/// Superseded items are dropped when another comes; the others live on.
#[test]
fn only_superseded_items_are_dropped() {
    struct Counted(Rc<()>, Vec<Rc<()>>);
    impl Stream for Counted {
        type Item = Rc<()>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Rc<()>>> {
            self.1.pop().map_or(Poll::Pending, |item| Poll::Ready(Some(item)))
        }
    }
    let alive = Rc::new(());
    let source = || Counted(alive.clone(), vec![alive.clone(); 10]);
    block_on(async {
        let mut items = source().debounce(HOUR);
        assert!(try_next(&mut items).await.is_none());
        // `alive`, the source's own, and the latest.
        assert_eq!(Rc::strong_count(&alive), 3);
        let (source_again, held) = items.into_parts();
        assert!(held.is_some() && Rc::strong_count(&source_again.0) == 3);
        drop((source_again, held));

        let mut chunks = source().chunks_timeout(11, HOUR);
        assert!(try_next(&mut chunks).await.is_none());
        assert_eq!(Rc::strong_count(&alive), 12);
        assert_eq!(chunks.into_parts().1.len(), 10);
        assert_eq!(Rc::strong_count(&alive), 1);
    });
}

/// Checked by the compiler: with a source and items that have them, an adaptor has all auto traits.
#[test]
fn adaptors_have_their_sources_auto_traits() {
    fn everything<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    type Source = stream::Iter<std::ops::Range<u32>>;
    everything::<StreamTimeout<Source>>();
    everything::<Throttle<Source>>();
    everything::<Debounce<Source>>();
    everything::<ChunksTimeout<Source>>();
}
