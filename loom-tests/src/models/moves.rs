//! Sources that their first wait registers, and that move from shard to shard, against events,
//! other waits, and what becomes of their numbers.

use std::sync::Arc;
use std::task::Poll;

use crate::handoff::Unparker;
use crate::reactor::{Batch, Interest, Shard, Waiter};
use crate::stage::{Io, Stage, Task, spawn_round};
use crate::sync::Ref;
use crate::sys::{Number, Pipe, Polls, Registration};
use crate::world::{Thread, rest, spawn};

/// So many waits in a row from another shard do not move a source, and one more does.
const WAITS: usize = 15;

/// Two shards, and no fallback yet.
fn two_shards() -> (Stage, [Ref<Shard>; 2]) {
    let stage = Stage::without_fallback();
    let shards = [stage.reactor.assign(), stage.reactor.assign()];
    (stage, shards)
}

/// How many sources each shard knows.
fn tables(shards: &[Ref<Shard>; 2]) -> [usize; 2] {
    shards.each_ref().map(|shard| shard.source_count())
}

fn shard_of(io: &Io) -> Option<usize> {
    io.source.place().map(|place| place.shard.index())
}

/// A future's wait from the second shard.
struct Wait {
    io: Io,
    interest: Interest,
    task: Task,
    waiter: Waiter,
}

impl Wait {
    fn new(io: &Io, shard: &Ref<Shard>, interest: Interest) -> Wait {
        Wait { io: io.from(shard), interest, task: Task::new(), waiter: Waiter::new() }
    }

    fn poll(&mut self) -> Poll<std::io::Result<()>> {
        self.io.poll_waiter(self.interest, &mut self.waiter, &self.task)
    }

    /// Waits, as a task does, until it is over: asserts that no time passes.
    fn end_in_time(mut self) {
        let _ = self.ends();
    }

    /// The same, with the outcome.
    fn ends(&mut self) -> std::io::Result<()> {
        let ended = loop {
            match self.poll() {
                Poll::Pending => assert_eq!(self.task.wait(), 0),
                Poll::Ready(ended) => break ended,
            }
        };
        self.io.source.remove_waiter(self.interest, &mut self.waiter);
        ended
    }

    /// The same on a thread of its own.
    #[track_caller]
    fn spawn(self, name: &'static str) -> Thread {
        spawn(name, move || self.end_in_time())
    }
}

/// A source in the first shard, where a task waits to read; and a wait from the second shard, which
/// the next poll is to move the source for.
struct Scene {
    stage: Stage,
    shards: [Ref<Shard>; 2],
    io: Io,
    reads: Task,
    moves: Wait,
}

fn scene_of(pipe: Arc<Pipe>, interest: Interest) -> Scene {
    let (stage, shards) = two_shards();
    let io = Io::of(&stage, &shards[0], pipe).unwrap();
    let reads = io.pending_task();
    let mut moves = Wait::new(&io, &shards[1], interest);
    for _ in 0..WAITS {
        assert!(moves.poll().is_pending());
    }
    assert_eq!(shard_of(&io), Some(0));
    Scene { stage, shards, io, reads, moves }
}

fn scene(interest: Interest) -> Scene {
    scene_of(Pipe::new(true), interest)
}

/// Plays the scene: the source moves at any moment of an event, and both tasks hear of theirs.
fn moves_against_an_event(scene: Scene) -> (Stage, [Ref<Shard>; 2], Io) {
    let Scene { stage, shards, io, reads, moves } = scene;
    let writes = moves.interest == Interest::Write;
    let mover = moves.spawn("mover");
    io.pipe.arrive();
    if writes {
        io.pipe.drain();
    }
    assert_eq!(reads.wait(), 0);
    mover.join();
    let is_in = shard_of(&io).unwrap();
    assert_eq!(tables(&shards), [usize::from(is_in == 0), usize::from(is_in == 1)]);
    (stage, shards, io)
}

/// A source moves for a second future that waits to read, at any moment of an event, with the
/// fallback in the place of both drivers: nobody who waits misses it.
pub(super) fn an_event_of_both_who_read() {
    let mut scene = scene(Interest::Read);
    scene.stage.start_fallback();
    let (stage, _, io) = moves_against_an_event(scene);
    stage.end_with([io]);
}

/// The same for a future that waits to write, while a task waits to read.
pub(super) fn events_of_both_directions() {
    let mut scene = scene(Interest::Write);
    scene.stage.start_fallback();
    let (stage, _, io) = moves_against_an_event(scene);
    stage.end_with([io]);
}

/// The same while a driver sleeps in the poller that the source leaves.
pub(super) fn an_event_at_a_sleeping_driver() {
    let mut scene = scene(Interest::Write);
    let sleeper = spawn("sleeper", {
        let shard = scene.shards[0].clone();
        move || {
            let me = Unparker::new(shard.poller_ref());
            let mut batch = Batch::new();
            shard.try_acquire().unwrap().park(&me.parker, &mut batch);
            batch.wake(&shard);
        }
    });
    rest();
    scene.stage.start_fallback();
    let (stage, shards, io) = moves_against_an_event(scene);
    shards[0].poller().notify();
    sleeper.join();
    stage.end_with([io]);
}

/// The same while a thread runs a round of the shard that the source leaves: the event is under way
/// there.
pub(super) fn an_event_at_an_awake_driver() {
    let mut scene = scene(Interest::Read);
    scene.io.pipe.arrive();
    let round = spawn_round(&scene.shards[0]);
    scene.stage.start_fallback();
    let Scene { stage, io, reads, moves, .. } = scene;
    moves.end_in_time();
    assert_eq!(reads.wait(), 0);
    round.join();
    stage.end_with([io]);
}

/// The new shard's poller refuses the source at any moment of an event: it stays where it is, and
/// everybody hears of the event.
pub(super) fn an_event_while_a_move_is_refused() {
    let mut scene = scene(Interest::Write);
    scene.io.pipe.refuse();
    scene.stage.start_fallback();
    let (stage, _, io) = moves_against_an_event(scene);
    assert_eq!(shard_of(&io), Some(0));
    stage.end_with([io]);
}

/// The new shard's poller refuses a source for which nobody has waited before, at any moment of an
/// event: the first wait is for what comes where the source is.
pub(super) fn a_first_move_that_is_refused() {
    let (mut stage, shards) = two_shards();
    stage.start_fallback();
    let io = Io::of(&stage, &shards[0], Pipe::new(true)).unwrap();
    io.pipe.refuse();
    let arrives = io.spawn_arrival("arrives");
    Wait::new(&io, &shards[1], Interest::Read).end_in_time();
    arrives.join();
    assert_eq!(shard_of(&io), Some(0));
    stage.end_with([io]);
}

/// Two threads move a source to and fro between their shards, each for its own direction, and
/// neither loses its event.
pub(super) fn two_threads_move_it_to_and_fro() {
    let Scene { mut stage, shards, io, reads: _reads, moves } = scene(Interest::Write);
    stage.start_fallback();
    let mover = moves.spawn("mover");
    let mut back = Wait::new(&io, &shards[0], Interest::Read);
    // The first of them may be over for what has come before.
    for _ in 0..=WAITS {
        assert!(back.poll().is_pending());
    }
    io.pipe.drain();
    io.pipe.arrive();
    back.end_in_time();
    mover.join();
    stage.end_with([io]);
}

/// A source moves at any moment while somebody tries to register its number again: that is refused,
/// wherever the source is by then.
pub(super) fn a_duplicate_against_a_move() {
    let pipe = Pipe::numbered(true, 7);
    let Scene { mut stage, shards, io, reads, mut moves } = scene_of(pipe.clone(), Interest::Write);
    stage.start_fallback();
    let duplicate = spawn("duplicate", {
        let (reactor, shard) = (stage.reactor.clone(), shards[1].clone());
        move || {
            let again = reactor.register(&shard, Registration(pipe));
            assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        }
    });
    assert!(moves.poll().is_pending());
    assert_eq!(shard_of(&io), Some(1));
    duplicate.join();
    io.pipe.drain();
    io.pipe.arrive();
    moves.end_in_time();
    assert_eq!(reads.wait(), 0);
    stage.end_with([io]);
}

/// A source moves at any moment while its number, which has another owner behind its back, is
/// registered anew: whoever waits for it gets an error, and the successor goes on.
pub(super) fn a_number_taken_over_against_a_move() {
    let number = Number::new(3);
    let old = Pipe::taking_over(true, &number);
    let Scene { mut stage, shards, io: stale, reads, mut moves } =
        scene_of(old.clone(), Interest::Write);
    stage.start_fallback();
    let pipe = Pipe::taking_over(true, &number);
    let mover = spawn("mover", move || assert!(moves.ends().is_err()));
    let successor = Io::of(&stage, &shards[0], pipe).unwrap();
    let task = successor.pending_task();
    successor.pipe.arrive();
    assert_eq!(task.wait(), 0);
    assert_eq!(reads.wait(), 0);
    mover.join();
    assert_eq!(shard_of(&stale), None);
    old.close();
    stage.end_with([stale, successor]);
}

/// A source that has moved ends, and its number is used again in the shard that it has left, where
/// an event of its is still under way: the new one hears of its own events only.
pub(super) fn a_number_used_again_where_it_was() {
    let number = Number::new(3);
    let Scene { stage, shards, io, moves, .. } =
        scene_of(Pipe::taking_over(true, &number), Interest::Write);
    io.pipe.arrive();
    let round = spawn_round(&shards[0]);
    let mut moves = moves;
    let _ = moves.poll();
    moves.io.source.remove_waiter(moves.interest, &mut moves.waiter);
    drop(moves);
    io.end(&stage);
    let next = Io::of(&stage, &shards[0], Pipe::taking_over(true, &number)).unwrap();
    let task = next.pending_task();
    round.join();
    assert!(!task.is_woken());
    next.pipe.arrive();
    shards[0].run_round_if_vacant(&mut Batch::new());
    assert_eq!(task.wait(), 0);
    stage.end_with([next]);
}

/// An event at any moment while the first wait registers its source reaches who waits.
pub(super) fn a_first_wait_against_an_event() {
    let (mut stage, shards) = two_shards();
    stage.start_fallback();
    let io = Io::adopted(&stage, &shards[1], Pipe::numbered(true, 7));
    let arrives = io.spawn_arrival("arrives");
    Wait::new(&io, &shards[1], Interest::Read).end_in_time();
    assert_eq!(shard_of(&io), Some(1));
    arrives.join();
    stage.end_with([io]);
}

/// Two threads wait for a source for the first time at once, from two shards: it is registered with
/// one of them, and both hear of their events.
pub(super) fn two_first_waits() {
    let (mut stage, shards) = two_shards();
    stage.start_fallback();
    let io = Io::adopted(&stage, &shards[0], Pipe::numbered(true, 7));
    io.pipe.drain();
    io.pipe.arrive();
    let other = Wait::new(&io, &shards[1], Interest::Write).spawn("other");
    Wait::new(&io, &shards[0], Interest::Read).end_in_time();
    other.join();
    stage.end_with([io]);
}

/// A first wait whose registration is refused gets the error, and loses nothing: the next one
/// registers its source.
pub(super) fn a_first_wait_that_is_refused() {
    let (mut stage, shards) = two_shards();
    stage.start_fallback();
    let io = Io::adopted(&stage, &shards[0], Pipe::numbered(true, 7));
    io.pipe.refuse();
    let arrives = io.spawn_arrival("arrives");
    let mut wait = Wait::new(&io, &shards[0], Interest::Read);
    assert!(matches!(wait.poll(), Poll::Ready(Err(_))));
    wait.io.source.remove_waiter(Interest::Read, &mut wait.waiter);
    wait.waiter = Waiter::new();
    wait.end_in_time();
    arrives.join();
    stage.end_with([io]);
}

/// A number is registered again at any moment of the first wait for the source that has it: that is
/// refused, also while the source is not registered.
pub(super) fn a_duplicate_against_a_first_wait() {
    let (mut stage, shards) = two_shards();
    stage.start_fallback();
    let pipe = Pipe::numbered(true, 7);
    let io = Io::adopted(&stage, &shards[0], pipe.clone());
    let duplicate = spawn("duplicate", {
        let (reactor, shard) = (stage.reactor.clone(), shards[1].clone());
        move || assert!(reactor.register(&shard, Registration(pipe)).is_err())
    });
    io.pipe.arrive();
    Wait::new(&io, &shards[0], Interest::Read).end_in_time();
    duplicate.join();
    stage.end_with([io]);
}

/// The first wait for a source whose descriptor was closed, at any moment while the system gives its
/// number to something new: the new one is registered by its own first wait all the same.
pub(super) fn a_number_given_anew_against_a_first_wait() {
    let (mut stage, shards) = two_shards();
    stage.start_fallback();
    let number = Number::new(3);
    let closed = Io::adopted(&stage, &shards[0], Pipe::taking_over(true, &number));
    let pipe = Pipe::taking_over(true, &number);
    let mut wait = Wait::new(&closed, &shards[0], Interest::Read);
    let waits = spawn("waits", move || drop(wait.ends()));
    let new = Io::adopted(&stage, &shards[0], pipe);
    let mut first = Wait::new(&new, &shards[0], Interest::Write);
    assert!(first.poll().is_pending());
    new.pipe.drain();
    assert!(first.ends().is_ok());
    drop(first);
    waits.join();
    stage.end_with([closed, new]);
}

/// The system gives a number to something new while tasks wait for the source that had it, whose
/// file lives on: they get an error, and the new one is registered by its own first wait.
pub(super) fn a_number_given_anew_against_a_wait() {
    let (mut stage, shards) = two_shards();
    stage.start_fallback();
    let number = Number::new(3);
    let old = Pipe::taking_over(true, &number);
    let stale = Io::of(&stage, &shards[0], old.clone()).unwrap();
    let mut before = Wait::new(&stale, &shards[0], Interest::Write);
    assert!(before.poll().is_pending());
    let pipe = Pipe::taking_over(true, &number);
    let mut wait = Wait::new(&stale, &shards[0], Interest::Read);
    let waits = spawn("waits", move || assert!(wait.ends().is_err()));
    let new = Io::adopted(&stage, &shards[1], pipe);
    assert!(before.ends().is_err());
    waits.join();
    drop(before);
    let arrives = new.spawn_arrival("arrives");
    Wait::new(&new, &shards[1], Interest::Read).end_in_time();
    arrives.join();
    old.close();
    stage.end_with([stale, new]);
}
