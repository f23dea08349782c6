//! One schedule: threads with jobs, a thread that brings about what comes from outside, and what
//! must hold at the end.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use crate::check::{self, Property};
use crate::driver;
use crate::io::{Async, Fd};
use crate::jobs::{self, InAPoll, Jobs};
use crate::scripts;
use crate::sys::{self, Happening};
use crate::timer::Timer;
use crate::world::{self, NEVER, Sleeper};

/// A timer that threads share, with a lock of the user's.
pub(crate) type Shared = Arc<Lock<Timer>>;

/// A lock of the user's. Whoever waits for it lets time go by: its holder may have to.
pub(crate) struct Lock<T>(std::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Lock<T> {
        Lock(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, T> {
        loop {
            world::switch();
            if let Ok(guard) = self.0.try_lock() {
                return guard;
            }
            world::delay(100_000);
            world::sleep_for(100_000);
        }
    }
}

/// What the threads of a schedule share.
#[derive(Default)]
struct Stage {
    deliveries: Vec<(u64, Delivery)>,
    courier: Option<Sleeper>,
    ends: bool,
    timers: Vec<Shared>,
    sources: Vec<Arc<Async<Fd>>>,
    /// Numbers that a stale source has had, and its key.
    numbers: Vec<(Fd, usize)>,
}

enum Delivery {
    Flag(Flag),
    File(usize, usize, Happening),
}

std::thread_local! {
    static STAGE: RefCell<Stage> = RefCell::new(Stage::default());
}

fn with<R>(f: impl FnOnce(&mut Stage) -> R) -> R {
    STAGE.with_borrow_mut(f)
}

fn some<T: Clone>(items: &[T]) -> Option<T> {
    let count = items.len() as u64;
    (count > 0).then(|| items[world::below(count) as usize].clone())
}

pub(crate) fn publish(timer: Shared) {
    with(|stage| stage.timers.push(timer));
}

pub(crate) fn some_timer() -> Option<Shared> {
    with(|stage| some(&stage.timers))
}

pub(crate) fn publish_source(source: Arc<Async<Fd>>) {
    with(|stage| stage.sources.push(source));
}

pub(crate) fn some_source() -> Option<Arc<Async<Fd>>> {
    with(|stage| some(&stage.sources))
}

pub(crate) fn publish_number(fd: Fd, key: usize) {
    with(|stage| stage.numbers.push((fd, key)));
}

pub(crate) fn some_number() -> Option<(Fd, usize)> {
    with(|stage| stage.numbers.pop())
}

pub(crate) fn deliver_flag(at: u64, flag: Flag) {
    push(at, Delivery::Flag(flag));
}

pub(crate) fn deliver(at: u64, number: usize, id: usize, happening: Happening) {
    push(at, Delivery::File(number, id, happening));
}

fn push(at: u64, delivery: Delivery) {
    let courier = with(|stage| {
        stage.deliveries.push((at, delivery));
        stage.courier.clone()
    });
    if let Some(courier) = courier {
        courier.wake();
    }
}

/// An event of the user's that one future waits for.
#[derive(Clone, Default)]
pub(crate) struct Flag(Arc<(AtomicBool, std::sync::Mutex<Option<Waker>>)>);

impl Flag {
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // In one step: another waker would be dropped here, by its user.
        let old = self.0.1.lock().unwrap().replace(cx.waker().clone());
        drop(old);
        if self.0.0.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    fn set(&self) {
        world::switch();
        self.0.0.store(true, Ordering::SeqCst);
        let waker = self.0.1.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Brings about what comes from outside, in the order of its times.
fn courier() {
    let sleeper = with(|stage| stage.courier.clone()).expect("it was made before");
    loop {
        let next = with(|stage| {
            let earliest = stage.deliveries.iter().map(|(at, _)| *at).min();
            let earliest = earliest.unwrap_or(if stage.ends { 0 } else { NEVER });
            if earliest > world::now() {
                return Err(earliest);
            }
            let index = stage.deliveries.iter().position(|(at, _)| *at == earliest);
            Ok(index.map(|index| stage.deliveries.remove(index).1))
        });
        match next {
            Err(until) => sleeper.sleep_until(until, || {}),
            Ok(None) => return,
            Ok(Some(Delivery::Flag(flag))) => {
                // With the flag may go a waker, of which this thread is the user.
                let _in_a_poll = InAPoll::new();
                flag.set();
                drop(flag);
            }
            Ok(Some(Delivery::File(number, id, happening))) => {
                world::progress();
                sys::happen(number, id, happening);
            }
        }
    }
}

/// What a thread does: some calls with some jobs each.
fn user() {
    let most = world::with(|world| world.plan.jobs) as u64;
    for _ in 0..1 + world::below(2) {
        let mut jobs = Jobs::default();
        for _ in 0..1 + world::below(most) {
            scripts::add_any(&mut jobs);
        }
        let self_driven = world::with(|world| world.plan.self_driven);
        match world::below(5) {
            0 if !self_driven => jobs::run_elsewhere(jobs),
            0 | 1 => jobs::run_driving(jobs),
            _ => jobs::block_on(jobs),
        }
    }
}

/// Runs one schedule.
pub(crate) fn run(seed: u64) {
    world::begin(seed);
    with(|stage| stage.courier = Some(Sleeper::new()));
    let courier = world::spawn("courier".to_owned(), courier);
    // As `Builder::build` starts it: without a fallback, nobody would serve a call that began
    // without a reactor.
    while world::with(|world| world.plan.self_driven) && driver::process::reactor().is_err() {}
    let threads = world::with(|world| world.plan.threads);
    let users: Vec<_> =
        (0..threads).map(|number| world::spawn(format!("user {number}"), user)).collect();
    users.into_iter().for_each(world::Spawned::join);
    let courier_sleeper = with(|stage| {
        stage.ends = true;
        stage.courier.clone()
    });
    courier_sleeper.expect("it was made before").wake();
    courier.join();
    // What is left is dropped by its user.
    {
        let _in_a_poll = InAPoll::new();
        let bin: Vec<Box<dyn Any>> = world::with(|world| std::mem::take(&mut world.bin));
        drop(bin);
        let stage = STAGE.take();
        for source in &stage.sources {
            source.check_events();
        }
        drop(stage);
    }
    world::rest();
    if let Some(reactor) = driver::process::started() {
        check_tables(&reactor);
        driver::process::end();
    }
    sys::end();
}

/// Nothing is registered any more.
fn check_tables(reactor: &crate::reactor::Reactor) {
    for (shard, threads) in reactor.assigned_threads() {
        let (timers, sources) = (shard.timer_count(), shard.source_count());
        if timers > 0 || sources > 0 || threads > 0 {
            check::fail(Property::NoTableGrows, || {
                format!(
                    "shard {}: {timers} timers, {sources} sources and {threads} threads \
                         are left of none",
                    shard.index()
                )
            });
        }
    }
    let text = format!("{reactor:?}");
    if text.matches("requesters: [").count() != text.matches("requesters: []").count() {
        check::fail(Property::NoTableGrows, || "somebody requests a seat at the end".to_owned());
    }
    let followers = check::table(&text, "followers: Slab { len: ");
    if followers > 0 || text.contains("Home {") {
        check::fail(Property::NoTableGrows, || {
            format!("{followers} followers, or descriptors, at the end")
        });
    }
}
