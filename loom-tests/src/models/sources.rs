//! Sources: readiness against wakers that come, are replaced and go.

use std::task::{Context, Poll};

use crate::reactor::{Interest, Waiter};
use crate::stage::{Flag, Io, Stage, Task, block_on};
use crate::sys::{Number, Pipe};
use crate::world::{Thread, now, spawn};

/// Asserts that the task hears of an event without any time passing: at once, or by a wake-up.
fn hears_in_time(io: &Io, task: &Task) {
    if io.poll_readable(&task.waker()).is_pending() {
        assert_eq!(task.wait(), 0);
    }
}

/// An event at any moment while a task waits for it wakes that task.
pub(super) fn a_waker_registered_against_an_event() {
    let (mut stage, _, io) = Stage::without_fallback().with_source(true);
    let arrives = io.spawn_arrival("arrives");
    stage.start_fallback();
    hears_in_time(&io, &Task::new());
    arrives.join();
    stage.end_with([io]);
}

/// Of two tasks that wait in the one place of a direction, the one that is replaced is woken by
/// that or by the event, and the one that replaced it by the event.
pub(super) fn a_waker_replaced_against_an_event() {
    let (stage, _, io) = Stage::new().with_source(true);
    let first = io.pending_task();
    let other = spawn("other", {
        let io = io.clone();
        move || hears_in_time(&io, &Task::new())
    });
    io.pipe.arrive();
    assert_eq!(first.wait(), 0);
    other.join();
    stage.end_with([io]);
}

/// A wait that is given up while an event comes takes nobody else's wake-up with it.
pub(super) fn a_waiter_dropped_against_an_event() {
    let (stage, _, io) = Stage::new().with_source(true);
    let (gone, stays) = (Task::new(), Task::new());
    let (mut dropped, mut kept) = (Waiter::new(), Waiter::new());
    assert!(io.poll_waiter(Interest::Read, &mut dropped, &gone).is_pending());
    assert!(io.poll_waiter(Interest::Read, &mut kept, &stays).is_pending());
    let dropper = spawn("dropper", {
        let io = io.clone();
        move || io.source.remove_waiter(Interest::Read, &mut dropped)
    });
    io.pipe.arrive();
    assert_eq!(stays.wait(), 0);
    assert!(io.poll_waiter(Interest::Read, &mut kept, &stays).is_ready());
    io.source.remove_waiter(Interest::Read, &mut kept);
    dropper.join();
    stage.end_with([io]);
}

/// Starts a thread on which two pieces arrive, and perhaps the end of the stream.
#[track_caller]
fn two_arrivals(io: &Io, ends: bool) -> Thread {
    let io = io.clone();
    spawn("arrives", move || {
        io.pipe.arrive();
        io.pipe.arrive();
        if ends {
            io.pipe.end();
        }
    })
}

fn two_pieces(edge: bool) {
    let (stage, shard, io) = Stage::without_fallback().with_source(edge);
    let arrives = two_arrivals(&io, false);
    block_on(&shard, std::future::poll_fn(|cx| io.poll_read(cx)));
    block_on(&shard, std::future::poll_fn(|cx| io.poll_read(cx)));
    assert_eq!(now(), 0);
    arrives.join();
    io.end(&stage);
}

/// Two pieces of data that arrive at any moments are both read by a task that tries first and
/// then waits, where the poller reports edges.
pub(super) fn two_pieces_are_read() {
    two_pieces(true);
}

/// The same where the poller forgets interest with each event.
pub(super) fn one_shot_two_pieces_are_read() {
    two_pieces(false);
}

/// The pieces arrive at any moments, the fallback drives, and a task reads both.
fn read_elsewhere(edge: bool, read: impl AsyncFn(&Io)) {
    let (stage, _, io) = Stage::new().with_source(edge);
    let arrives = two_arrivals(&io, false);
    let task = Task::new();
    let waker = task.waker();
    for _ in 0..2 {
        let mut read = std::pin::pin!(read(&io));
        while read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            assert_eq!(task.wait(), 0);
        }
    }
    arrives.join();
    stage.end_with([io]);
}

/// The same by futures that wait, with the fallback driving and the reader not.
pub(super) fn two_pieces_are_read_by_a_future() {
    read_elsewhere(true, async |io| io.read().await);
}

/// The same by the poll methods.
pub(super) fn two_pieces_are_read_by_polling() {
    read_elsewhere(true, async |io| std::future::poll_fn(|cx| io.poll_read(cx)).await);
}

/// A stream of two pieces that arrive at any moments is read by one who does not read where the
/// last read fell short and nothing has come since.
fn stream(ends: bool) {
    let (stage, _, io) = Stage::new().with_source(true);
    let arrives = two_arrivals(&io, ends);
    let task = Task::new();
    let waker = task.waker();
    let mut read = 0;
    while ends || read < 2 {
        match io.poll_read_stream(&mut Context::from_waker(&waker)) {
            Poll::Ready(0) => break,
            Poll::Ready(pieces) => read += pieces,
            Poll::Pending => assert_eq!(task.wait(), 0),
        }
    }
    assert_eq!(read, 2);
    arrives.join();
    stage.end_with([io]);
}

/// All of a stream is read that goes on.
pub(super) fn a_stream_is_read() {
    stream(false);
}

/// A stream is read to its end.
pub(super) fn a_stream_is_read_to_its_end() {
    stream(true);
}

/// A task that waits for readiness first and then reads a piece, past this crate, hears of
/// the piece that it left.
pub(super) fn what_is_left_is_told_of_again() {
    read_elsewhere(true, async |io| {
        loop {
            std::future::poll_fn(|cx| io.poll_readable(cx.waker())).await;
            if io.pipe.read() {
                return;
            }
        }
    });
}

/// The same where the poller forgets interest with each event.
pub(super) fn one_shot_rest_is_reported_again() {
    read_elsewhere(false, async |io| {
        loop {
            io.wait(Interest::Read, Waiter::new()).await;
            if io.pipe.read() {
                return;
            }
        }
    });
}

fn directions(edge: bool) {
    let (stage, shard, io) = Stage::without_fallback().with_source(edge);
    let done = Flag::default();
    let writer = spawn("writer", {
        let (shard, io, done) = (shard.clone(), io.clone(), done.clone());
        move || {
            let (task, mut waiter) = (Task::new(), Waiter::new());
            while io.poll_waiter(Interest::Write, &mut waiter, &task).is_pending() {
                assert_eq!(task.wait(), 0);
            }
            assert!(io.pipe.write());
            io.source.remove_waiter(Interest::Write, &mut waiter);
            drop(shard);
            done.set();
        }
    });
    let arrives = spawn("arrives", {
        let io = io.clone();
        move || {
            io.pipe.drain();
            io.pipe.arrive();
        }
    });
    block_on(&shard, async {
        io.read().await;
        done.wait().await;
    });
    writer.join();
    arrives.join();
    io.end(&stage);
}

/// A task that waits to read and one that waits to write, on one source: the event of one takes
/// nothing from the other.
pub(super) fn both_directions() {
    directions(true);
}

/// The same where the poller forgets all interest with each event.
pub(super) fn one_shot_both_directions() {
    directions(false);
}

/// A source, and the pipe that takes its number over from it while the first lives on.
fn a_number_taken_over(stage: &Stage, edge: bool) -> (Io, std::sync::Arc<Number>) {
    let number = Number::new(3);
    let stale = Io::of(stage, &stage.shard(), Pipe::taking_over(edge, &number)).unwrap();
    (stale, number)
}

/// Registers the successor; it waits and is woken by its event.
fn the_successor_goes_on(stage: &Stage, pipe: std::sync::Arc<Pipe>) -> Io {
    let successor = Io::of(stage, &stage.shard(), pipe).unwrap();
    let task = successor.pending_task();
    successor.pipe.arrive();
    assert_eq!(task.wait(), 0);
    successor
}

/// Returns two tasks that wait for a source: one that polls to read, and one that writes, with its
/// waiter.
fn two_that_wait(io: &Io) -> (Task, Task, Waiter) {
    let (reads, writes, mut waiter) = (io.pending_task(), Task::new(), Waiter::new());
    assert!(io.poll_waiter(Interest::Write, &mut waiter, &writes).is_pending());
    (reads, writes, waiter)
}

/// A number that is registered anew at any moment of a wait for the source that had it: the wait
/// ends, with an error, and the successor's interest is its own.
pub(super) fn a_number_taken_over_against_a_wait() {
    let stage = Stage::new();
    let (stale, number) = a_number_taken_over(&stage, true);
    let pipe = Pipe::taking_over(true, &number);
    let waits = spawn("waits", {
        let stale = stale.clone();
        move || {
            let task = Task::new();
            let waker = task.waker();
            loop {
                match stale.poll_event(&waker) {
                    Poll::Pending => assert_eq!(task.wait(), 0),
                    Poll::Ready(ended) => {
                        assert!(ended.is_err());
                        return;
                    }
                }
            }
        }
    });
    let successor = the_successor_goes_on(&stage, pipe);
    waits.join();
    stage.end_with([stale, successor]);
}

/// The same for one that is waiting already when its number changes hands: it is woken, as a
/// task and as a future.
pub(super) fn a_number_taken_over_from_those_who_wait() {
    let stage = Stage::new();
    let (stale, number) = a_number_taken_over(&stage, true);
    let (polls, awaits, mut waiter) = two_that_wait(&stale);
    let successor = the_successor_goes_on(&stage, Pipe::taking_over(true, &number));
    assert_eq!((polls.wait(), awaits.wait()), (0, 0));
    let ended = stale.poll_waiter(Interest::Write, &mut waiter, &awaits);
    assert!(matches!(ended, Poll::Ready(Err(_))));
    stale.source.remove_waiter(Interest::Write, &mut waiter);
    stage.end_with([stale, successor]);
}

/// An event of the old file at any moment while its number is registered anew: the source that
/// it belonged to does not change the successor's registration, and nobody else hears of it.
pub(super) fn a_number_taken_over_against_an_event() {
    let stage = Stage::new();
    // It re-arms with each event.
    let (stale, number) = a_number_taken_over(&stage, false);
    let (reads, writes, mut waiter) = two_that_wait(&stale);
    let pipe = Pipe::taking_over(false, &number);
    let arrives = stale.spawn_arrival("arrives");
    let successor = the_successor_goes_on(&stage, pipe);
    arrives.join();
    assert_eq!((reads.wait(), writes.wait()), (0, 0));
    assert!(stale.source.begin(Interest::Read).is_err());
    stale.source.remove_waiter(Interest::Write, &mut waiter);
    stage.end_with([stale, successor]);
}

/// A number that is registered anew at any moment while the source that had it is dropped.
pub(super) fn successor_against_the_end_of_the_stale() {
    let stage = Stage::new();
    let (stale, number) = a_number_taken_over(&stage, true);
    let _task = stale.pending_task();
    let pipe = Pipe::taking_over(true, &number);
    let ends = spawn("ends", {
        let (reactor, source) = (stage.reactor.clone(), stale.source.clone());
        move || {
            // The system may say that it knows no such registration.
            let _ = reactor.deregister(&source);
        }
    });
    let successor = the_successor_goes_on(&stage, pipe);
    ends.join();
    // Its file lives on, and so does its registration.
    stale.pipe.arrive();
    stale.pipe.close();
    successor.end(&stage);
    stage.end();
}

/// A thing is registered again at any moment while its registration ends, with events under way,
/// where the poller is left to find duplicates: the second is nobody's but its own.
pub(super) fn registered_again_against_the_end_of_the_first() {
    let stage = Stage::new();
    let pipe = Pipe::new(false);
    let first = Io::of(&stage, &stage.shard(), pipe.clone()).unwrap();
    let (_reads, _writes, _waiter) = two_that_wait(&first);
    pipe.arrive();
    let again = spawn("again", {
        let (reactor, shard, pipe) = (stage.reactor.clone(), stage.shard(), pipe.clone());
        move || {
            if let Ok(second) = Io::registered(&reactor, &shard, pipe) {
                hears_in_time(&second, &Task::new());
                reactor.deregister(&second.source).unwrap();
            }
        }
    });
    stage.reactor.deregister(&first.source).unwrap();
    again.join();
    stage.end();
}
