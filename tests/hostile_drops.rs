//! Wakers are cloned and dropped as well as woken, and that is user code, too: in each of these
//! places it may use the library, or panic.

#![cfg(unix)]

mod common;

use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::Instant;

use async_wheel::time::StreamTimeExt;
use async_wheel::{Async, Timer, block_on};
use common::{HOUR, MS, Wakes, armed, eventually, in_time, poll_with, watchdog};
use futures_lite::{Stream, StreamExt, future, stream};

/// Drops its timer when it is woken, so that nobody wants the waker any more; then it panics as it
/// is dropped.
struct Unwanted {
    slot: Mutex<Option<Timer>>,
    dropped: Arc<AtomicUsize>,
}

impl Wake for Unwanted {
    fn wake(self: Arc<Self>) {
        drop(self.slot.lock().unwrap().take());
    }
}

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        if !thread::panicking() {
            resume_unwind(Box::new("a waker that panics"));
        }
    }
}

/// A waker that panics when its last clone is dropped.
struct Last;

/// What it panics with.
const FAULT: &str = "a waker that panics";

impl Wake for Last {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Last {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new(FAULT));
        }
    }
}

/// Polls twice if the first poll panics because of such a waker. Returns whether it has.
fn poll_past_a_fault<T>(mut poll: impl FnMut() -> Poll<T>) -> (bool, Poll<T>) {
    match catch_unwind(AssertUnwindSafe(&mut poll)) {
        Ok(polled) => (false, polled),
        Err(payload) if payload.downcast_ref() == Some(&FAULT) => (true, poll()),
        Err(other) => resume_unwind(other),
    }
}

/// A poll that finds a timer due drops the waker of the poll before. If that panics, the tick comes
/// with the next poll.
#[test]
fn panic_in_drop_costs_no_tick() {
    let _watchdog = watchdog();
    let kinds: [fn() -> Timer; 2] = [|| Timer::after(HOUR), || Timer::interval(HOUR)];
    for make in kinds {
        eventually("it panics", || {
            block_on(async {
                let mut timer = make();
                assert!(poll_with(&Arc::new(Last).into(), &mut timer).is_pending());
                // This thread drives nothing now. Only where it is held up, the fallback thread does,
                // and may have the waker.
                let due = Instant::now();
                timer.set_at(due);
                let (panicked, polled) = poll_past_a_fault(|| poll_with(Waker::noop(), &mut timer));
                assert_eq!(polled, Poll::Ready(due));
                panicked
            })
        });
    }
}

/// A stream that ends drops the waker of its countdown. If that panics, what it holds comes with the
/// next poll.
#[test]
fn panic_in_drop_costs_no_last_item() {
    fn at_the_end<S: Stream + Unpin>(mut stream: S, ends: &Cell<bool>) -> Poll<Option<S::Item>> {
        let waker = Arc::new(Last).into();
        assert!(poll_with(&waker, &mut stream.next()).is_pending());
        drop(waker);
        ends.set(true);
        let (panicked, last) = poll_past_a_fault(|| poll_with(Waker::noop(), &mut stream.next()));
        assert!(panicked);
        assert!(matches!(poll_with(Waker::noop(), &mut stream.next()), Poll::Ready(None)));
        last
    }
    let _watchdog = watchdog();
    let ends = Cell::new(false);
    let source = || {
        ends.set(false);
        let end = || if ends.get() { Poll::Ready(None) } else { Poll::Pending };
        stream::iter([1]).chain(stream::poll_fn(move |_| end()))
    };
    assert_eq!(at_the_end(source().debounce(HOUR), &ends), Poll::Ready(Some(1)));
    assert_eq!(at_the_end(source().chunks_timeout(9, HOUR), &ends), Poll::Ready(Some(vec![1])));
}

/// A waker that is not put back, because its timer is gone, is dropped by the driver of the shard.
/// A panic in that must not end the `block_on` call of a bystander.
#[test]
fn unwanted_waker_that_panics_in_drop_is_caught() {
    const TIMERS: usize = 20;
    let _watchdog = watchdog();
    for _ in 0..10 {
        let dropped = Arc::new(AtomicUsize::new(0));
        let wakes = Wakes::new();
        let bystander = catch_unwind(AssertUnwindSafe(|| {
            block_on(async {
                let mut others = Vec::new();
                for _ in 0..TIMERS {
                    let slot = Mutex::new(None);
                    let unwanted = Arc::new(Unwanted { slot, dropped: dropped.clone() });
                    // Its wake, should it come already, waits for the lock.
                    let mut slot = unwanted.slot.lock().unwrap();
                    *slot = Some(armed(&unwanted.clone().into(), || Timer::after(5 * MS)));
                    drop(slot);
                    // From here on the timer has the last reference to its waker.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(unwanted)));
                    others.push(armed(&wakes.waker(), || Timer::after(5 * MS)));
                }
                Timer::after(20 * MS).await;
            });
        }));
        assert!(bystander.is_ok(), "the panic of a waker ended another's call");
        wakes.wait_for(TIMERS);
        eventually("all were dropped", || dropped.load(Ordering::SeqCst) == TIMERS);
    }
}

/// The waker is out when its timer goes: the round has to drop it, and not the thread's call to
/// answer for that.
#[test]
fn panic_in_wakers_drop_ends_no_call() {
    struct PanicsWhenGone(Mutex<Option<Timer>>, Arc<AtomicUsize>);
    impl Wake for PanicsWhenGone {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            let timer = self.0.lock().unwrap().take();
            drop(timer);
        }
    }
    impl Drop for PanicsWhenGone {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            resume_unwind(Box::new("a waker that panics"));
        }
    }
    let _watchdog = watchdog();
    let gone = Arc::new(AtomicUsize::new(0));
    let call = || {
        block_on(in_time("a timer beside them", async {
            for _ in 0..10 {
                let panics = Arc::new(PanicsWhenGone(Mutex::new(None), gone.clone()));
                let waker = Waker::from(panics.clone());
                let timer = armed(&waker, || Timer::after(5 * MS));
                drop(waker);
                *panics.0.lock().unwrap() = Some(timer);
                drop(panics);
            }
            while gone.load(Ordering::SeqCst) < 10 {
                Timer::after(MS).await;
            }
        }));
    };
    assert!(catch_unwind(AssertUnwindSafe(call)).is_ok(), "a panic came out of block_on");
}

/// A waker's data: uses the library whenever the waker is cloned or dropped.
struct Probe {
    source: Mutex<Option<Arc<Async<UnixStream>>>>,
    clones: AtomicUsize,
    drops: AtomicUsize,
}

thread_local! {
    /// `true` inside of a probe, whose own use of the library is not probed.
    static PROBES: Cell<bool> = const { Cell::new(false) };
}

impl Probe {
    fn count(&self, count: &AtomicUsize) {
        if PROBES.replace(true) {
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        // The locks of the shard's timers, of its sources, and of the source that is at work.
        let mut timer = armed(Waker::noop(), || Timer::after(HOUR));
        timer.set_after(2 * HOUR);
        drop(timer);
        let source = self.source.lock().unwrap().clone();
        if let Some(source) = source {
            drop(future::block_on(future::poll_once(source.readable())));
            drop(future::block_on(future::poll_once(source.writable())));
        }
        let _ = async_wheel::diagnostics::shards();
        PROBES.set(false);
    }
}

static PROBE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let probe = probe(data);
        probe.count(&probe.clones);
        RawWaker::new(data, &PROBE)
    },
    |data| probe(data).count(&probe(data).drops),
    |_| {},
    |data| probe(data).count(&probe(data).drops),
);

fn probe(data: *const ()) -> &'static Probe {
    // SAFETY: the data of each waker with this table is a static `Probe`.
    unsafe { &*data.cast::<Probe>() }
}

/// Polls a future that has this waker with another one and with this one again, and has it looked
/// at each time how often the waker was cloned and dropped at least.
fn replace_waker<F: Future + Unpin>(
    future: &mut F,
    waker: &Waker,
    happened: &impl Fn(&str, usize, usize),
) {
    assert!(poll_with(&Wakes::new().waker(), future).is_pending());
    happened("a future's waker is replaced", 0, 1);
    assert!(poll_with(waker, future).is_pending());
    happened("a future's waker replaces another", 1, 0);
}

/// Cloning and dropping a waker is user code as much as waking it is: wherever the library does
/// either, in a poll, for a waker that is replaced or removed, or with what held it, it holds no
/// lock.
#[test]
fn waker_cloned_or_dropped_finds_no_lock_held() {
    let _watchdog = watchdog();
    static PROBED: Probe =
        Probe { source: Mutex::new(None), clones: AtomicUsize::new(0), drops: AtomicUsize::new(0) };
    let probe = &PROBED;
    let data = std::ptr::from_ref(probe).cast();
    // SAFETY: the functions of the table look at the static only.
    let waker = unsafe { Waker::from_raw(RawWaker::new(data, &PROBE)) };
    let other = Wakes::new().waker();
    let happened = |what: &str, clones: usize, drops: usize| {
        assert!(probe.clones.swap(0, Ordering::SeqCst) >= clones, "not cloned: {what}");
        assert!(probe.drops.swap(0, Ordering::SeqCst) >= drops, "not dropped: {what}");
    };

    let mut timer = armed(&waker, || Timer::after(HOUR));
    happened("a timer's first poll", 1, 0);
    replace_waker(&mut timer, &waker, &happened);
    drop(timer);
    happened("a timer is dropped", 0, 1);

    let (ours, _peer) = UnixStream::pair().unwrap();
    let ours = Arc::new(Async::new(ours).unwrap());
    *probe.source.lock().unwrap() = Some(ours.clone());
    let mut wait = ours.readable();
    assert!(poll_with(&waker, &mut wait).is_pending());
    happened("a waiter's first poll", 1, 0);
    replace_waker(&mut wait, &waker, &happened);
    drop(wait);
    happened("a waiter is dropped", 0, 1);

    let poll = |waker| assert!(ours.poll_readable(&mut Context::from_waker(waker)).is_pending());
    poll(&waker);
    happened("the first poll of a direction", 1, 0);
    poll(&waker);
    happened("the same waker once more", 1, 1);
    poll(&other);
    happened("a direction's waker is replaced", 0, 1);
    poll(&waker);
    happened("a direction's waker replaces another", 1, 0);
    drop(probe.source.lock().unwrap().take());
    drop(ours);
    happened("a source is dropped", 0, 1);
}
