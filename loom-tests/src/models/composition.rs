//! All of it at once.

use crate::stage::{Flag, Io, Stage, TWO_BACKOFFS, spawn_insert};
use crate::world::{Thread, now, rest};

/// The threads of the composition.
struct Cast {
    stage: Stage,
    io: Io,
    rings: Flag,
    calls: [Thread; 2],
}

/// The fallback, and two `block_on` threads with shards of their own: the first waits for a
/// timer that is still to be inserted, the second for data that is still to arrive.
fn cast() -> Cast {
    let mut stage = Stage::without_fallback();
    let shards = [stage.reactor.assign(), stage.reactor.assign()];
    let io = Io::new(&stage, &shards[1], true);
    let rings = Flag::default();
    stage.start_fallback();
    let calls = [rings.spawn_call("first", &shards[0]), io.spawn_call("second", &shards[1])];
    Cast { stage, io, rings, calls }
}

/// A thread inserts a timer and data arrives.
fn play(Cast { stage, io, rings, calls }: Cast) {
    let start = now();
    let inserter = spawn_insert("inserter", &stage.shard(), start + 50, rings.setter());
    io.pipe.arrive();
    calls.into_iter().for_each(|call| call.join());
    inserter.join();
    assert!(now() <= start + 50 + TWO_BACKOFFS);
    stage.end_with([io]);
}

/// The fallback, two `block_on` threads, a thread that inserts and one whose data arrives, from
/// the start of all of them: both calls return, within two backoffs of what they wait for.
pub(super) fn everything_at_once() {
    play(cast());
}

/// The same from the moment on at which all but the latter two have gone to sleep, so that
/// more preemptions can be explored.
pub(super) fn everything_from_rest() {
    loom::stop_exploring();
    let cast = cast();
    rest();
    loom::explore();
    play(cast);
}
