//! What jobs do with timers, sources and each other.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::stream::StreamExt;

use crate::check::{self, Property};
use crate::hostile::Task;
use crate::io::{Async, Fd};
use crate::jobs::Jobs;
use crate::plan::Fault;
use crate::reactor::Interest;
use crate::schedule::{self, Flag};
use crate::sys::Happening;
use crate::timer::Timer;
use crate::{clock, world};

/// How far ahead something is, in nanoseconds.
fn distance() -> u64 {
    let most = [1, 2_000, 300_000, 5_000_000, 5_000_000, 200_000_000, 20_000_000_000];
    world::below(most[world::below(most.len() as u64) as usize])
}

/// Adds a job of some kind.
pub(crate) fn add_any(jobs: &mut Jobs) {
    match world::below(22) {
        0..3 => jobs.add(once),
        3 => jobs.add(interval),
        4 => jobs.add(postponed),
        5 => jobs.add(moved_by_others),
        6 => jobs.add(move_others),
        7 => jobs.add(dropped),
        8 => jobs.add(yields),
        9 => jobs.add(flag),
        10 | 11 => jobs.add(|task| transfers(task, Interest::Read)),
        12 => jobs.add(|task| transfers(task, Interest::Write)),
        13 => jobs.add(waits_given_up),
        14 => jobs.add(two_readers),
        15 => jobs.add(reader_of_two),
        16 => jobs.add(operation_of_the_users),
        17 => jobs.add(both_directions),
        18 => jobs.add(abandoned),
        19 => jobs.add(writer_of_two),
        20 => jobs.add(stream),
        _ => jobs.add(closed_behind),
    }
}

/// A timer fired: it was not early, and not late.
fn fired(deadline: u64) {
    world::with(|world| world.timer_events += 1);
    let now = world::now();
    if now < deadline {
        check::fail(Property::NothingIsEarly, || format!("at {now}, due at {deadline}"));
    }
    check::not_late("a timer", deadline);
}

fn expect_instant(when: std::time::Instant, deadline: u64) {
    let when = clock::wheel_time(when);
    if when != deadline {
        check::fail(Property::NothingIsEarly, || format!("says {when}, was due at {deadline}"));
    }
}

async fn once(task: Arc<Task>) {
    world::doing("once");
    let deadline = world::now() + distance();
    task.not_before(deadline);
    let when = Timer::at(clock::instant(deadline)).await;
    expect_instant(when, deadline);
    fired(deadline);
}

async fn interval(task: Arc<Task>) {
    world::doing("interval");
    there_is_a_reactor().await;
    let period = 1 + distance();
    let mut deadline = world::now() + distance();
    task.not_before(deadline);
    let mut timer = Timer::interval_at(clock::instant(deadline), Duration::from_nanos(period));
    for number in 0..1 + world::below(6) {
        if number > 0 && world::one_in(2) {
            // The poll that took the last tick is enough to be woken with the next.
            let due = |_: &mut Context<'_>| match world::now() < deadline {
                true => Poll::Pending,
                false => Poll::Ready(()),
            };
            poll_fn(due).await;
        }
        let when = timer.next().await.expect("a stream without an end");
        expect_instant(when, deadline);
        fired(deadline);
        deadline += period;
    }
}

/// Without a reactor a timer asks to be polled again, which not all jobs do.
async fn there_is_a_reactor() {
    while crate::driver::process::reactor().is_err() {
        futures_lite::future::yield_now().await;
    }
}

/// A timer that is postponed when it is due, without another poll: the waker of the last poll
/// is woken then.
async fn postponed(task: Arc<Task>) {
    world::doing("postponed");
    there_is_a_reactor().await;
    let mut deadline = world::now() + distance();
    let mut timer = Timer::at(clock::instant(deadline));
    let mut pushes = world::below(4);
    let mut polled = false;
    task.not_before(deadline);
    poll_fn(|cx| {
        if !polled {
            polled = true;
            return Pin::new(&mut timer).poll(cx).map(drop);
        }
        if world::now() < deadline {
            return Pin::new(&mut timer).poll(cx).map(drop);
        }
        fired(deadline);
        if pushes == 0 {
            return Pin::new(&mut timer).poll(cx).map(drop);
        }
        pushes -= 1;
        deadline = world::now() + 1 + distance();
        timer.set_at(clock::instant(deadline));
        Poll::Pending
    })
    .await;
}

/// A timer that other threads move while it is waited for.
async fn moved_by_others(_: Arc<Task>) {
    world::doing("moved_by_others");
    let deadline = world::now() + distance();
    let timer = Arc::new(schedule::Lock::new(Timer::at(clock::instant(deadline))));
    schedule::publish(timer.clone());
    let when = poll_fn(|cx| {
        let mut timer = timer.lock();
        Pin::new(&mut *timer).poll(cx)
    })
    .await;
    world::with(|world| world.timer_events += 1);
    if clock::wheel_time(when) > world::now() {
        check::fail(Property::NothingIsEarly, || "a timer that was moved".to_owned());
    }
}

async fn move_others(_: Arc<Task>) {
    world::doing("move_others");
    for _ in 0..1 + world::below(5) {
        if let Some(timer) = schedule::some_timer() {
            let mut timer = timer.lock();
            if timer.will_fire() {
                let deadline = (world::now() + distance()).saturating_sub(world::below(1_000_000));
                if world::one_in(4) {
                    timer.clear();
                }
                timer.set_at(clock::instant(deadline));
            }
        }
        if world::one_in(2) {
            Timer::at(clock::instant(world::now() + distance())).await;
        }
    }
}

/// Timers that are dropped while they wait: at once, later, or by somebody else's waker.
async fn dropped(_: Arc<Task>) {
    world::doing("dropped");
    for _ in 0..1 + world::below(6) {
        let mut timer = Timer::at(clock::instant(world::now() + distance()));
        let _ = poll_once(&mut timer).await;
        match world::below(3) {
            0 => drop(timer),
            1 => world::with(|world| world.bin.push(Box::new(timer) as Box<dyn Any>)),
            _ => {
                Timer::at(clock::instant(world::now() + distance())).await;
                drop(timer);
            }
        }
    }
}

async fn poll_once(future: &mut (impl Future + Unpin)) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_ready())).await
}

async fn yields(_: Arc<Task>) {
    world::doing("yields");
    for _ in 0..1 + world::below(8) {
        futures_lite::future::yield_now().await;
    }
}

/// An event of the user's that another thread brings about.
async fn flag(_: Arc<Task>) {
    world::doing("flag");
    let flag = Flag::default();
    schedule::deliver_flag(world::now() + distance(), flag.clone());
    poll_fn(|cx| flag.poll(cx)).await;
}

/// A registered file; registering is tried again until it works.
async fn register(mut fd: Fd) -> Async<Fd> {
    world::doing("register");
    loop {
        match Async::new(fd) {
            Ok(source) => return source,
            Err(back) => fd = back,
        }
        futures_lite::future::yield_now().await;
    }
}

/// Lets pieces come at some times to come.
fn deliver(fd: &Fd, interest: Interest, pieces: usize) {
    let (number, id) = (fd.number, fd.id);
    let mut left = pieces;
    let mut at = world::now();
    while left > 0 {
        let some = (1 + world::below(3) as usize).min(left);
        let happening = match interest {
            Interest::Read => Happening::Data(some),
            Interest::Write => Happening::Room(some),
        };
        schedule::deliver(at, number, id, happening);
        at += distance();
        left -= some;
    }
}

/// Waits for a piece and takes it, in one of the ways there are. `None` at the end.
async fn transfer(source: &Async<Fd>, interest: Interest, polls: bool) -> Option<()> {
    world::doing("transfer");
    let start = world::now();
    let result = loop {
        let ways = if polls { 5 } else { 3 };
        let result = match world::below(ways) {
            0 => source.own(interest).await,
            1 => match interest {
                Interest::Read => source.read_with(|fd| fd.transfer(interest)).await,
                Interest::Write => source.write_with(|fd| fd.transfer(interest)).await,
            },
            2 => {
                let ready = match interest {
                    Interest::Read => source.readable().await,
                    Interest::Write => source.writable().await,
                };
                ready.and_then(|()| source.get_ref().transfer(interest))
            }
            3 => poll_fn(|cx| source.poll_own(interest, cx)).await,
            _ => {
                let ready = poll_fn(|cx| source.poll_ready(interest, cx)).await;
                ready.and_then(|()| source.get_ref().transfer(interest))
            }
        };
        source.check_events();
        match result {
            Ok(since) => break since,
            // The poller failed, or the event was for nothing.
            Err(_) => futures_lite::future::yield_now().await,
        }
    };
    if let Some(since) = result {
        check::not_late("a piece", since.max(start));
    }
    result.map(drop)
}

async fn transfers(task: Arc<Task>, interest: Interest) {
    world::doing("transfers");
    let source = register(Fd::open(!world::one_in(4))).await;
    let pieces = 1 + world::below(6) as usize;
    deliver(source.get_ref(), interest, pieces);
    for _ in 0..pieces {
        transfer(&source, interest, task.keeps).await;
    }
    if world::one_in(4) {
        world::with(|world| world.bin.push(Box::new(source) as Box<dyn Any>));
    }
}

/// One task waits for both directions of a source.
async fn both_directions(task: Arc<Task>) {
    world::doing("both_directions");
    let source = register(Fd::open(world::one_in(4))).await;
    let pieces = 1 + world::below(3) as usize;
    deliver(source.get_ref(), Interest::Read, pieces);
    deliver(source.get_ref(), Interest::Write, pieces);
    let all = async |interest| {
        for _ in 0..pieces {
            transfer(&source, interest, task.keeps).await;
        }
    };
    futures_lite::future::zip(all(Interest::Read), all(Interest::Write)).await;
}

/// A stream that is read to its end by the poll methods.
async fn stream(task: Arc<Task>) {
    world::doing("stream");
    if !task.keeps {
        return;
    }
    let source = register(Fd::open(true)).await;
    deliver(source.get_ref(), Interest::Read, 1 + world::below(4) as usize);
    let (number, id) = (source.get_ref().number, source.get_ref().id);
    schedule::deliver(world::now() + distance(), number, id, Happening::End);
    loop {
        match poll_fn(|cx| source.poll_own(Interest::Read, cx)).await {
            Ok(None) => break,
            Ok(Some(_)) => {}
            Err(_) => futures_lite::future::yield_now().await,
        }
    }
}

/// Writes to a source that another job reads, on this thread or another.
async fn writer_of_two(_: Arc<Task>) {
    world::doing("writer_of_two");
    if let Some(source) = schedule::some_source() {
        deliver(source.get_ref(), Interest::Write, 2);
        for _ in 0..2 {
            transfer(&source, Interest::Write, false).await;
        }
    }
}

/// A source that is left to threads of other shards.
async fn abandoned(_: Arc<Task>) {
    world::doing("abandoned");
    let source = Arc::new(register(Fd::open(!world::one_in(4))).await);
    deliver(source.get_ref(), Interest::Read, world::below(4) as usize);
    let (number, id) = (source.get_ref().number, source.get_ref().id);
    schedule::deliver(world::now() + distance(), number, id, Happening::End);
    schedule::publish_source(source);
}

/// Futures that wait for readiness and are dropped before it comes leave nothing behind.
async fn waits_given_up(task: Arc<Task>) {
    world::doing("waits_given_up");
    let source = register(Fd::open(!world::one_in(4))).await;
    let pieces = 1 + world::below(2) as usize;
    deliver(source.get_ref(), Interest::Read, pieces);
    for _ in 0..pieces {
        for _ in 0..world::below(6) {
            let mut ready = source.readable();
            poll_once(&mut ready).await;
            if world::one_in(4) {
                Timer::at(clock::instant(world::now() + distance())).await;
            }
        }
        transfer(&source, Interest::Read, task.keeps).await;
    }
    no_waits(&source);
}

fn no_waits(source: &Async<Fd>) {
    let waits = source.waits();
    if waits > 0 {
        check::fail(Property::NoTableGrows, || format!("{waits} waits are left of none"));
    }
}

/// An operation that becomes possible without an event of its source: it is tried again when the
/// task is woken for another reason.
async fn operation_of_the_users(_: Arc<Task>) {
    world::doing("operation_of_the_users");
    let source = register(Fd::open(!world::one_in(4))).await;
    let flag = Flag::default();
    schedule::deliver_flag(world::now() + distance(), flag.clone());
    let mut wait = pin!(source.read_with(|_| match flag.is_set() {
        true => Ok(()),
        false => Err(io::ErrorKind::WouldBlock.into()),
    }));
    let mut failed = false;
    poll_fn(|cx| {
        let set = flag.poll(cx);
        if failed {
            return set;
        }
        match wait.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            // The poller failed: the flag has it end all the same.
            Poll::Ready(Err(_)) => {
                failed = true;
                flag.poll(cx)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
}

/// A source that another thread reads as well, until its end.
async fn two_readers(task: Arc<Task>) {
    world::doing("two_readers");
    let source = Arc::new(register(Fd::open(!world::one_in(4))).await);
    let pieces = world::below(4) as usize;
    deliver(source.get_ref(), Interest::Read, pieces);
    let (number, id) = (source.get_ref().number, source.get_ref().id);
    schedule::deliver(world::now() + distance(), number, id, Happening::End);
    schedule::publish_source(source.clone());
    read_to_end(&source, &task).await;
}

async fn reader_of_two(task: Arc<Task>) {
    world::doing("reader_of_two");
    if let Some(source) = schedule::some_source() {
        read_to_end(&source, &task).await;
    }
}

/// Reads to the end, first by the poll methods, where each of the two takes the other's place.
async fn read_to_end(source: &Async<Fd>, task: &Task) {
    world::doing("read_to_end");
    // Each poll wakes the other, who polls: the two would never rest if they went on like this.
    let mut polls = if task.keeps { world::below(6) } else { 0 };
    poll_fn(|cx| {
        while polls > 0 {
            polls -= 1;
            if source.poll_ready(Interest::Read, cx).is_pending() {
                return Poll::Pending;
            }
            source.check_events();
        }
        Poll::Ready(())
    })
    .await;
    while transfer(source, Interest::Read, false).await.is_some() {}
}

/// A descriptor is closed behind the reactor's back, and its number is another source's
/// afterwards, on another thread as well.
async fn closed_behind(task: Arc<Task>) {
    world::doing("closed_behind");
    if let Some((fd, key)) = schedule::some_number() {
        // What another thread has left. In another shard it gets the stale source's key, once as
        // many sources were registered there.
        for _ in 0..16 {
            let other = register(Fd::open(true)).await;
            if other.same_or_next_key(key) {
                break;
            }
        }
        let source = register(fd).await;
        deliver(source.get_ref(), Interest::Read, 3);
        for _ in 0..3 {
            transfer(&source, Interest::Read, task.keeps).await;
            futures_lite::future::yield_now().await;
        }
        return;
    }
    if !world::inject(Fault::ClosedBehind) {
        return;
    }
    let stale = register(Fd::open(true)).await;
    crate::sys::close(stale.get_ref().number, stale.get_ref().id);
    let source = register(Fd::open(true)).await;
    if world::one_in(2) {
        deliver(source.get_ref(), Interest::Read, 1);
        transfer(&source, Interest::Read, task.keeps).await;
    }
    let key = stale.key();
    schedule::publish_number(source.into_inner(), key);
    Timer::at(clock::instant(world::now() + distance())).await;
    drop(stale);
}

/// Polls a future with a waker of its own.
pub(crate) fn poll(future: &mut (impl Future + Unpin), task: &Arc<Task>) -> bool {
    let waker = task.waker();
    Pin::new(future).poll(&mut Context::from_waker(&waker)).is_ready()
}
