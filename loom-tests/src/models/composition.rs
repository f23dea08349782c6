//! All of it at once.

use crate::stage::{Flag, Io, Stage, TWO_BACKOFFS, block_on};
use crate::world::{now, spawn};

/// The fallback, two `block_on` threads with shards of their own, a thread that inserts a timer
/// and one whose event arrives: both calls return, within two back-offs of what they wait for.
pub(super) fn everything_at_once() {
    let mut stage = Stage::without_fallback();
    let shards = [stage.reactor.move_in(), stage.reactor.move_in()];
    let io = Io::new(&stage, &shards[1], true);
    let rings = Flag::default();
    stage.start_fallback();
    let first = spawn({
        let (shard, rings) = (shards[0].clone(), rings.clone());
        move || block_on(&shard, rings.wait())
    });
    let second = spawn({
        let (shard, io) = (shards[1].clone(), io.clone());
        move || block_on(&shard, io.read())
    });
    let inserter = spawn({
        let shard = shards[0].clone();
        move || {
            shard.insert_timer(50, rings.setter());
        }
    });
    io.pipe.arrive();
    first.join();
    second.join();
    inserter.join();
    assert!(now() <= 50 + TWO_BACKOFFS);
    io.end(&stage);
    stage.end();
}
