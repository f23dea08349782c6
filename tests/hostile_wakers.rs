//! Wakers are other people's code. Those here panic, in each of their functions, or call back
//! into the library. Nobody else may lose a wake by it, and nothing may hang.

#![cfg(unix)]

mod common;

use std::future::Future;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on};
use common::{HOUR, MS, Wakes, armed, eventually, in_time, poll_with, sockets::udp, watchdog};
use futures_lite::future;

/// Which functions of a waker panic.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Clone,
    Wake,
    Drop,
    /// Panics while waking, with a payload that panics when it is dropped.
    Payload,
}

/// What a faulty waker knows. It behaves until `armed`, so that it can be set up in peace.
struct Faulty {
    fault: Fault,
    armed: AtomicBool,
    wakes: AtomicUsize,
}

/// What a faulty waker panics with.
const FAULT: &str = "a waker that panics";

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new("the payload of a panic"));
        }
    }
}

impl Faulty {
    fn strike(&self, fault: Fault) {
        if self.fault == fault && self.armed.load(Ordering::SeqCst) {
            // Without the hook's message: there would be many.
            resume_unwind(Box::new(FAULT));
        }
    }

    fn woken(&self) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.strike(Fault::Wake);
        if self.fault == Fault::Payload {
            resume_unwind(Box::new(PanicsOnDrop));
        }
    }
}

/// The table of a waker whose data is a leaked `Faulty`: it needs no counting.
static FAULTY: RawWakerVTable = RawWakerVTable::new(
    |data| {
        faulty(data).strike(Fault::Clone);
        RawWaker::new(data, &FAULTY)
    },
    |data| faulty(data).woken(),
    |data| faulty(data).woken(),
    |data| {
        if !thread::panicking() {
            faulty(data).strike(Fault::Drop);
        }
    },
);

fn faulty(data: *const ()) -> &'static Faulty {
    // SAFETY: the data of each waker with this table is a leaked `Faulty`.
    unsafe { &*data.cast::<Faulty>() }
}

impl Faulty {
    fn new(fault: Fault) -> (&'static Faulty, Waker) {
        let armed = AtomicBool::new(false);
        let faulty: &Faulty =
            Box::leak(Box::new(Faulty { fault, armed, wakes: AtomicUsize::new(0) }));
        // SAFETY: the functions of the table do nothing but look at the leaked value.
        let waker =
            unsafe { Waker::from_raw(RawWaker::new(std::ptr::from_ref(faulty).cast(), &FAULTY)) };
        (faulty, waker)
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }
}

/// Polls something whose waker may panic. Returns `true` if it did.
fn poll_panics<F: Future + Unpin>(waker: &Waker, future: &mut F) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        let _ = Pin::new(future).poll(&mut Context::from_waker(waker));
    }))
    .is_err()
}

/// Waits for something that may still have a faulty waker to get rid of, which panics once, by the
/// fault and for no other reason.
#[track_caller]
fn block_on_past_a_fault<F: Future + Unpin>(what: &str, future: &mut F) -> F::Output {
    match catch_unwind(AssertUnwindSafe(|| block_on(in_time(what, &mut *future)))) {
        Ok(output) => output,
        Err(payload) if payload.downcast_ref() == Some(&FAULT) => block_on(in_time(what, future)),
        Err(other) => resume_unwind(other),
    }
}

const FAULTS: [Fault; 4] = [Fault::Clone, Fault::Wake, Fault::Drop, Fault::Payload];

/// Timers whose wakers panic, in each of their functions, are due together with others: those fire.
#[test]
fn panicking_timer_waker_costs_no_other_wake() {
    let _watchdog = watchdog();
    for fault in FAULTS {
        for _ in 0..3 {
            let wakes = Wakes::new();
            let mut timers = Vec::new();
            let mut hostile = Vec::new();
            // Good and bad ones in turn, all due at about the same time.
            for _ in 0..50 {
                let (faulty, waker) = Faulty::new(fault);
                let timer = armed(&waker, || Timer::after(20 * MS));
                let good = armed(&wakes.waker(), || Timer::after(20 * MS));
                faulty.arm();
                hostile.push((faulty, waker, timer));
                timers.push(good);
            }
            wakes.wait_for(timers.len());
            for (faulty, waker, timer) in hostile {
                eventually("the hostile wakers were tried", || {
                    faulty.wakes.load(Ordering::SeqCst) > 0
                });
                faulty.disarm();
                drop((timer, waker));
            }
        }
    }
    block_on(in_time("a timer after all that", Timer::after(MS)));
    future::block_on(in_time("and one by the fallback", Timer::after(MS)));
}

/// Waiters whose wakers panic, in each of their functions, wait for an event together with others:
/// those are woken.
#[test]
fn panicking_source_waker_costs_no_other_wake() {
    let _watchdog = watchdog();
    for fault in FAULTS {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let ours = Async::new(ours).unwrap();
        let (wakes, last) = (Wakes::new(), Wakes::new());
        let mut waits: Vec<_> = (0..20).map(|_| ours.readable()).collect();
        let mut hostile = Vec::new();
        for (index, wait) in waits.iter_mut().enumerate() {
            if index % 2 == 0 {
                assert!(poll_with(&wakes.waker(), wait).is_pending());
                continue;
            }
            let (faulty, waker) = Faulty::new(fault);
            assert!(poll_with(&waker, wait).is_pending());
            faulty.arm();
            hostile.push((faulty, waker));
        }
        let last_waker = last.waker();
        assert!(ours.poll_readable(&mut Context::from_waker(&last_waker)).is_pending());
        peer.write_all(b"for all").unwrap();
        wakes.wait_for(10);
        last.wait_for(1);
        for (faulty, _) in &hostile {
            faulty.disarm();
        }
    }
    block_on(in_time("a timer after all that", Timer::after(MS)));
}

/// A poll replaces a waker that panics as it is dropped or woken: the new waker is in place all the
/// same.
#[test]
fn panicking_replaced_waker_leaves_the_new_one() {
    let _watchdog = watchdog();
    for fault in [Fault::Wake, Fault::Drop, Fault::Payload] {
        // A timer's, whose old waker is dropped.
        let (faulty, waker) = Faulty::new(fault);
        let wakes = Wakes::new();
        let mut timer = armed(&waker, || Timer::after(HOUR));
        faulty.arm();
        poll_panics(&wakes.waker(), &mut timer);
        timer.set_after(MS);
        wakes.wait_for(1);
        assert!(poll_with(&wakes.waker(), &mut timer).is_ready());
        faulty.disarm();

        // A source's, whose old waker is woken.
        let (faulty, waker) = Faulty::new(fault);
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let ours = Async::new(ours).unwrap();
        let wakes = Wakes::new();
        assert!(ours.poll_readable(&mut Context::from_waker(&waker)).is_pending());
        faulty.arm();
        let replacing = wakes.waker();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            ours.poll_readable(&mut Context::from_waker(&replacing))
        }));
        peer.write_all(b"for the new one").unwrap();
        wakes.wait_for(1);
        assert!(!matches!(polled, Ok(Poll::Ready(_))));
        faulty.disarm();
    }
}

/// A waker that panics as it is cloned or dropped: the timer and the source that it polled stay
/// usable by another task.
#[test]
fn panic_in_clone_or_drop_is_survived() {
    let _watchdog = watchdog();
    for fault in [Fault::Clone, Fault::Drop] {
        let (faulty, waker) = Faulty::new(fault);
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let ours = Async::new(ours).unwrap();
        let mut timer = Timer::after(HOUR);
        let mut readable = ours.readable();
        faulty.arm();
        for _ in 0..3 {
            poll_panics(&waker, &mut timer);
            poll_panics(&waker, &mut readable);
            let cx = &mut Context::from_waker(&waker);
            let _ = catch_unwind(AssertUnwindSafe(|| ours.poll_readable(cx)));
        }
        // The same ones, by a task that behaves.
        timer.set_after(2 * MS);
        block_on_past_a_fault("the timer", &mut timer);
        peer.write_all(b"there").unwrap();
        block_on_past_a_fault("the source", &mut readable).unwrap();
        block_on(in_time("the source again", ours.readable())).unwrap();
        // Dropping them drops what is left of the waker.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(timer)));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(readable)));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(ours)));
        faulty.disarm();
        block_on(in_time("a timer after it", Timer::after(MS)));
    }
}

/// A tick for which a waker panics as it is cloned is not lost.
#[test]
fn panic_in_clone_costs_no_tick() {
    let _watchdog = watchdog();
    let (faulty, waker) = Faulty::new(Fault::Clone);
    let due = Instant::now();
    let mut ticks = Timer::interval_at(due, HOUR);
    faulty.arm();
    assert!(poll_panics(&waker, &mut ticks));
    assert_eq!(poll_with(Waker::noop(), &mut ticks), Poll::Ready(due));
}

/// A future panics when its thread may have wakes of others in its batch, with a payload that
/// panics as it is dropped.
#[test]
fn panicking_future_loses_no_other_wake() {
    let _watchdog = watchdog();
    for _ in 0..20 {
        let wakes = Wakes::new();
        let mut others = Vec::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            block_on(async {
                for _ in 0..100 {
                    others.push(armed(&wakes.waker(), || Timer::after(3 * MS)));
                }
                Timer::after(3 * MS).await;
                panic_any(PanicsOnDrop);
            });
        }));
        // Whoever catches it has the payload on their hands.
        std::mem::forget(panicked);
        assert_eq!(others.len(), 100);
        wakes.wait_for(100);
    }
}

/// A waker drops its timer, which leaves nobody to give the waker back to.
#[test]
fn timer_dropped_in_its_wake_is_gone() {
    let _watchdog = watchdog();
    for _ in 0..50 {
        let slot = Arc::new(Mutex::new(None::<Timer>));
        let calls = Wakes::calling({
            let slot = slot.clone();
            move || drop(slot.lock().unwrap().take())
        });
        let waker = calls.waker();
        let timer = armed(&waker, || Timer::interval(Duration::from_micros(200)));
        drop(waker);
        // From here on it may be gone at any moment.
        *slot.lock().unwrap() = Some(timer);
        calls.wait_for(1);
        drop(slot.lock().unwrap().take());
        eventually("nobody holds the waker", || Arc::strong_count(&calls) == 1);
    }
}

/// A waker sets its timer again, at times to the past: it is due again while its waker is still
/// out.
#[test]
fn timer_set_in_its_wake_goes_on() {
    let _watchdog = watchdog();
    let slot = Arc::new(Mutex::new(Timer::after(HOUR)));
    let calls = Wakes::calling({
        let slot = slot.clone();
        // Sometimes in the past: it is then due again while its waker is still at work.
        move || slot.lock().unwrap().set_after(Duration::from_micros(30))
    });
    {
        let mut timer = slot.lock().unwrap();
        assert!(poll_with(&calls.waker(), &mut *timer).is_pending());
        timer.set_after(MS);
    }
    calls.wait_for(1_000);
    let mut timer = slot.lock().unwrap();
    timer.clear();
    drop(timer);
    block_on(in_time("a timer beside it", Timer::after(MS)));
}

/// A waker uses timers, sources and `block_on` while it is woken, by the fallback thread and by a
/// thread in `block_on`.
#[test]
fn waker_using_the_library_finds_no_lock() {
    let _watchdog = watchdog();
    let (ours, mut peer) = UnixStream::pair().unwrap();
    let ours = Arc::new(Async::new(ours).unwrap());
    let held = Arc::new(Mutex::new(Vec::<Timer>::new()));
    let everything = {
        let (ours, held) = (ours.clone(), held.clone());
        move || {
            // Timers: armed, moved, polled, dropped, left.
            let mut timer = Timer::after(HOUR);
            let _ = poll_with(Waker::noop(), &mut timer);
            timer.set_after(MS);
            timer.set_interval(MS);
            timer.clear();
            timer.set_at(std::time::Instant::now());
            let _ = poll_with(Waker::noop(), &mut timer);
            drop(timer);
            let mut left = Timer::after(HOUR);
            let _ = poll_with(Waker::noop(), &mut left);
            held.lock().unwrap().push(left);
            // Sources: the one that is at work, and new ones.
            let _ = ours.poll_writable(&mut Context::from_waker(Waker::noop()));
            let _ = poll_with(Waker::noop(), &mut ours.readable());
            let (new, _) = udp();
            let _ = poll_with(Waker::noop(), &mut new.readable());
            drop(new.into_inner().unwrap());
            // And a reactor of one's own in the middle of another's round.
            block_on(async {
                Timer::after(Duration::from_micros(100)).await;
            });
            let _ = async_wheel::diagnostics::shards();
        }
    };
    let calls = Wakes::calling(everything);
    let waker = calls.waker();

    for round in 0..20 {
        let mut readable = ours.readable();
        let before = calls.count();
        let wait = || armed(&waker, || Timer::after(2 * MS));
        if round % 2 == 0 {
            let _timer = wait();
            assert!(poll_with(&waker, &mut readable).is_pending());
            peer.write_all(b"go").unwrap();
            calls.wait_for(before + 2);
        } else {
            // The same within `block_on`, whose thread calls them.
            block_on(in_time("a thread that calls such wakers", async {
                let _timer = wait();
                assert!(poll_with(&waker, &mut readable).is_pending());
                peer.write_all(b"go").unwrap();
                while calls.count() < before + 2 {
                    Timer::after(MS).await;
                }
            }));
        }
        let read = ours.read_with(|mut stream| std::io::Read::read(&mut stream, &mut [0; 64]));
        block_on(read).unwrap();
    }
    assert_eq!(held.lock().unwrap().len(), calls.count());
}

/// A timer whose waker owns another timer, whose waker owns another, and so on: dropping the first
/// drops the whole chain, from within each other. (No deeper than a stack is.)
#[test]
fn wakers_dropped_may_drop_more_timers() {
    let _watchdog = watchdog();
    /// Returns a timer whose waker owns the timer before it.
    fn owner(due: Duration, before: Option<Timer>) -> Timer {
        let before = Mutex::new(before);
        let wakes = Wakes::calling(move || {
            let _ = &before;
        });
        let mut timer = Timer::after(due);
        let _ = poll_with(&wakes.waker(), &mut timer);
        timer
    }
    let mut last = None;
    for _ in 0..200 {
        last = Some(owner(HOUR, last));
    }
    drop(last);

    // The same when they fire together.
    let wakes = Wakes::new();
    let mut last = None;
    for _ in 0..200 {
        last = Some(owner(20 * MS, last));
    }
    let _after = armed(&wakes.waker(), || Timer::after(40 * MS));
    wakes.wait_for(1);
    drop(last);
}

/// Wakers of timers that are due together drop each other's timers, in the batch that is being
/// dispatched.
#[test]
fn million_timers_that_drop_each_other_end() {
    let _watchdog = watchdog();
    const MANY: usize = 1_000_000;
    let timers: Arc<Vec<Mutex<Option<Timer>>>> =
        Arc::new((0..MANY).map(|_| Mutex::new(None)).collect());
    let woken = Arc::new(AtomicUsize::new(0));
    let due = std::time::Instant::now() + 500 * MS;
    for index in 0..MANY {
        // Even ones drop the odd one after them; odd ones drop themselves. Who comes first is
        // left to the wheel, but no even one is dropped by another.
        let other = index | 1;
        let (all, count) = (timers.clone(), woken.clone());
        let drops_other = Wakes::calling(move || {
            let other = all[other].lock().unwrap().take();
            drop(other);
            count.fetch_add(1, Ordering::SeqCst);
        });
        // Its wake, should it come already, waits for the lock.
        let mut slot = timers[index].lock().unwrap();
        let mut timer = Timer::at(due + Duration::from_nanos(index as u64 % 1_000));
        if poll_with(&drops_other.waker(), &mut timer).is_ready() {
            // A slow machine: it is as if it had been woken and had dropped itself.
            woken.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        *slot = Some(timer);
    }
    eventually("each of those that nobody dropped was woken", || {
        woken.load(Ordering::SeqCst) >= MANY / 2
    });
    eventually("those that were to be dropped are gone", || {
        timers.iter().skip(1).step_by(2).all(|timer| timer.lock().unwrap().is_none())
    });
    block_on(in_time("a timer after the storm", Timer::after(MS)));
    timers.iter().for_each(|timer| drop(timer.lock().unwrap().take()));
}
