//! The registry, with two shards: which descriptor is registered with which poller. The modelled
//! source fails a model in which it is registered with two.

use std::sync::Arc;
use std::task::Context;

use crate::reactor::{Batch, Interest, Place, Shard, Source};
use crate::stage::{Stage, Task};
use crate::sync::Ref;
use crate::sys::{Pipe, Registration};
use crate::world::spawn;

/// The number that all sources here are known by.
const NUMBER: usize = 7;

fn stage() -> (Stage, [Ref<Shard>; 2]) {
    let stage = Stage::without_fallback();
    let shards = [stage.reactor.assign(), stage.reactor.assign()];
    assert_eq!(shards.each_ref().map(|shard| shard.index()), [0, 1]);
    (stage, shards)
}

/// Asserts that the source can be registered with this shard, and that an event is noticed there.
fn is_free(stage: &Stage, shard: &Ref<Shard>, pipe: &Arc<Pipe>) {
    let source = stage.reactor.register(shard, Registration(pipe.clone())).unwrap();
    assert_eq!(source.place().unwrap().shard.index(), shard.index());
    hears(&source, pipe);
    stage.reactor.deregister(&source).unwrap();
}

/// Asserts that an event of the source is noticed where it is registered.
fn hears(source: &Arc<Source>, pipe: &Arc<Pipe>) {
    let shard = source.place().unwrap().shard;
    let here = || Ok(shard.clone());
    let task = Task::new();
    let waker = task.waker();
    let cx = &mut Context::from_waker(&waker);
    assert!(source.poll_event(here, Interest::Read, cx).is_pending());
    pipe.arrive();
    shard.run_round_if_vacant(&mut Batch::new());
    assert!(source.poll_event(here, Interest::Read, cx).is_ready());
    assert!(pipe.read());
}

/// Two threads at home in different shards register the same descriptor: one of them does, the
/// other gets an error that it is registered.
pub(super) fn two_shards_register() {
    let (stage, shards) = stage();
    let pipe = Pipe::numbered(true, NUMBER);
    let register = |shard: &Ref<Shard>| {
        let (reactor, shard, pipe) = (stage.reactor.clone(), shard.clone(), pipe.clone());
        move || reactor.register(&shard, Registration(pipe)).ok()
    };
    let theirs = Arc::new(std::sync::Mutex::new(None));
    let other = spawn("other", {
        let (register, theirs) = (register(&shards[1]), theirs.clone());
        move || *theirs.lock().unwrap() = register()
    });
    let ours = register(&shards[0])();
    other.join();
    let theirs = theirs.lock().unwrap().take();
    assert!(ours.is_some() != theirs.is_some());
    let source = ours.or(theirs).unwrap();
    hears(&source, &pipe);
    stage.reactor.deregister(&source).unwrap();
    is_free(&stage, &shards[1], &pipe);
    stage.end();
}

/// The same where whoever succeeds ends the registration at once: that succeeds as well, and
/// the other finds it either registered or free.
pub(super) fn two_shards_register_and_deregister() {
    let (stage, shards) = stage();
    let pipe = Pipe::numbered(true, NUMBER);
    let visit = |shard: &Ref<Shard>| {
        let (reactor, shard, pipe) = (stage.reactor.clone(), shard.clone(), pipe.clone());
        move || {
            if let Ok(source) = reactor.register(&shard, Registration(pipe)) {
                reactor.deregister(&source).unwrap();
            }
        }
    };
    let other = spawn("other", visit(&shards[1]));
    visit(&shards[0])();
    other.join();
    shards.iter().for_each(|shard| is_free(&stage, shard, &pipe));
    stage.end();
}

/// A source whose descriptor was closed behind its back ends no registration that another
/// shard made with the same number and the same key meanwhile.
pub(super) fn a_key_of_another_shard() {
    let (stage, shards) = stage();
    let pipes = [(); 3].map(|()| Pipe::numbered(true, NUMBER));
    let register = |shard, pipe: &Arc<Pipe>| {
        stage.reactor.register(shard, Registration(pipe.clone())).unwrap()
    };
    let stale = register(&shards[0], &pipes[0]);
    let stale_key = stale.place().unwrap().key;
    // The number has another owner, which is gone again.
    let second = register(&shards[1], &pipes[1]);
    stage.reactor.deregister(&second).unwrap();
    let third = register(&shards[1], &pipes[2]);
    let Place { shard, key } = third.place().unwrap();
    assert_eq!((key, shard.index()), (stale_key, 1));
    let closer = spawn("closer", {
        let reactor = stage.reactor.clone();
        move || drop(reactor.deregister(&stale))
    });
    // Registered it is, whoever asks: with another shard it would be for the second time.
    let again = stage.reactor.register(&shards[0], Registration(pipes[2].clone()));
    assert!(again.is_err());
    closer.join();
    let again = stage.reactor.register(&shards[0], Registration(pipes[2].clone()));
    assert!(again.is_err());
    hears(&third, &pipes[2]);
    stage.reactor.deregister(&third).unwrap();
    stage.end();
}
