//! The parker and the unparker by themselves, and `block_on` calls without a fallback.

use std::sync::Arc;
use std::time::Duration;

use crate::handoff::{Parker, UnparkAction, Unparker};
use crate::stage::{Flag, Stage, block_on, nested_block_on};
use crate::sync::{self, AtomicU8, Ordering};
use crate::sys::{Events, Poller, Polls, Until};
use crate::world::{Thread, moves, spawn};

/// What a waking thread did before, with an ordering that only the wake-up can make up for.
struct Fact(Arc<AtomicU8>);

impl Fact {
    fn new() -> Fact {
        Fact(Arc::new(AtomicU8::new(0)))
    }

    fn share(&self) -> Fact {
        Fact(self.0.clone())
    }

    fn establish(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    fn holds(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }

    /// Starts a thread that establishes it and then wakes.
    #[track_caller]
    fn spawn_wake(&self, name: &'static str, wake: impl FnOnce() + Send + 'static) -> Thread {
        let fact = self.share();
        spawn(name, move || {
            fact.establish();
            wake();
        })
    }
}

/// A parker, and a thread that unparks it after it has established the fact.
#[track_caller]
fn parker_and_waker() -> (Arc<Parker>, Fact, Thread) {
    let (parker, fact) = (Arc::new(Parker::new()), Fact::new());
    let waker = fact.spawn_wake("waker", {
        let parker = parker.clone();
        move || assert_eq!(parker.unpark(), UnparkAction::None)
    });
    (parker, fact, waker)
}

/// Two threads wake at once, and the owner sleeps until it has seen what came before either.
fn two_wakes(wake: impl Fn() + Clone + Send + 'static, sleep: impl Fn()) {
    let facts = [Fact::new(), Fact::new()];
    let wakers = [("first", &facts[0]), ("second", &facts[1])]
        .map(|(name, fact)| fact.spawn_wake(name, wake.clone()));
    while !facts.iter().all(Fact::holds) {
        sleep();
    }
    wakers.into_iter().for_each(Thread::join);
}

/// A wake at any moment before or during a park ends it, once, and what came before the wake
/// is seen.
pub(super) fn wake_meets_park() {
    let (parker, fact, waker) = parker_and_waker();
    if !parker.take() {
        parker.park();
    }
    assert!(fact.holds());
    waker.join();
    assert!(!parker.take());
}

/// A park with a limit that says it was notified was, and one that says it was not leaves the
/// notification for the next.
pub(super) fn wake_meets_a_limited_park() {
    let (parker, fact, waker) = parker_and_waker();
    if !parker.park_for(Duration::from_nanos(10)) {
        parker.park();
    }
    assert!(fact.holds());
    // There is somebody to end the sleep: no time passes.
    assert_eq!(moves(), 0);
    waker.join();
}

/// A signal of the condition variable that nobody gave ends no park.
pub(super) fn a_spurious_signal_ends_no_park() {
    let (parker, fact, waker) = parker_and_waker();
    let noise = spawn("noise", sync::signal_spuriously);
    parker.park();
    assert!(fact.holds());
    waker.join();
    noise.join();
    assert!(!parker.take());
}

/// One that meets a park with a limit may end that, which then says that it was not notified,
/// and leaves the notification for the next.
pub(super) fn a_spurious_signal_meets_a_limited_park() {
    let (parker, fact, waker) = parker_and_waker();
    let noise = spawn("noise", sync::signal_spuriously);
    if !parker.park_for(Duration::from_nanos(10)) {
        parker.park();
    }
    assert!(fact.holds());
    assert_eq!(moves(), 0);
    waker.join();
    noise.join();
    assert!(!parker.take());
}

/// A wake at any moment around entering and leaving the poller keeps the owner out of it, or
/// gets it out, and what came before the wake is seen.
pub(super) fn wake_meets_the_poller() {
    let poller = sync::share(Poller::new().unwrap());
    let (unparker, fact) = (Arc::new(Unparker::new(poller.clone())), Fact::new());
    let waker = fact.spawn_wake("waker", {
        let unparker = unparker.clone();
        move || unparker.unpark()
    });
    if unparker.parker.enter_poller() {
        poller.wait(&mut Events::new(), Until::Notified).unwrap();
        assert!(unparker.parker.leave_poller());
    }
    assert!(fact.holds());
    waker.join();
    assert!(!unparker.parker.take());
}

/// Two wakes at once: the owner does not sleep before it has seen what came before either.
pub(super) fn two_wakes_meet_park() {
    let parker = Arc::new(Parker::new());
    let woken = parker.clone();
    let wake = move || {
        let _ = woken.unpark();
    };
    two_wakes(wake, || parker.park());
}

/// Two wakes at once, while the owner goes in and out of its poller.
pub(super) fn two_wakes_meet_the_poller() {
    let poller = sync::share(Poller::new().unwrap());
    let unparker = Arc::new(Unparker::new(poller.clone()));
    let woken = unparker.clone();
    let wake = move || woken.unpark();
    two_wakes(wake, || {
        if unparker.parker.enter_poller() {
            poller.wait(&mut Events::new(), Until::Notified).unwrap();
            unparker.parker.leave_poller();
        }
    });
}

/// A `block_on` call within another: a wake of either reaches that one, whichever is running.
pub(super) fn nested_calls() {
    let stage = Stage::without_fallback();
    let shard = stage.shard();
    let (outer, inner) = (Flag::default(), Flag::default());
    let setter = spawn("setter", {
        let (outer, inner) = (outer.clone(), inner.clone());
        move || {
            outer.set();
            inner.set();
        }
    });
    let mut entered = false;
    block_on(
        &shard,
        std::future::poll_fn(|cx| {
            let outer = outer.poll(cx);
            if outer.is_pending() && !entered {
                entered = true;
                nested_block_on(&shard, inner.wait());
            }
            outer
        }),
    );
    setter.join();
}

/// A waker that outlives its call, and a notification it leaves in the poller, neither wake
/// the next call nor keep it from being woken.
pub(super) fn a_notification_left_over() {
    let stage = Stage::without_fallback();
    let shard = stage.shard();
    let (first, second) = (Flag::default(), Flag::default());
    let kept = Flag::default();
    let setter = spawn("setter", {
        let (first, second, kept) = (first.clone(), second.clone(), kept.clone());
        move || {
            first.set();
            kept.set();
            second.set();
        }
    });
    block_on(
        &shard,
        std::future::poll_fn(|cx| {
            let _ = kept.poll(cx);
            first.poll(cx)
        }),
    );
    let mut polls = 0;
    block_on(
        &shard,
        std::future::poll_fn(|cx| {
            polls += 1;
            second.poll(cx)
        }),
    );
    assert!(polls <= 2, "polled {polls} times, woken once");
    setter.join();
}
