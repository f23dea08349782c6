//! What the models are played with: a reactor with its fallback, `block_on` as users call it,
//! and tasks and events of the user's.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize as Count;
use std::task::{Context, Poll, Wake, Waker};

use crate::driver::one_round::{self, Round};
use crate::driver::{fallback::Fallback, run};
use crate::handoff::Unparker;
use crate::reactor::{Batch, Interest, Pollers, Reactor, Settings, Shard, Slack, Source, Waiter};
use crate::sync::{self, AtomicU8, Ordering, Ref};
use crate::sys::{Identity, Pipe, Registration};
use crate::world::{self, Sleeper, Thread, spawn};

/// The longest backoff of the fallback, twice: how late the shard of a thread that computes
/// may be serviced.
pub(crate) const TWO_BACKOFFS: u64 = 8_000_000;

/// A reactor, and its fallback if it was started.
pub(crate) struct Stage {
    pub(crate) reactor: Ref<Reactor>,
    fallback: Option<Thread>,
    ends: Arc<std::sync::atomic::AtomicBool>,
    /// Looks of the fallback's so far.
    pub(crate) looks: Arc<Count>,
}

impl Stage {
    /// A reactor whose fallback is elsewhere: nobody but the model's own threads drives.
    pub(crate) fn without_fallback() -> Stage {
        Stage::of(Settings { shards: 2, ..Settings::default() })
    }

    /// A reactor that is to have no fallback.
    pub(crate) fn self_driven() -> Stage {
        Stage::of(Settings { has_fallback: false, ..Settings::default() })
    }

    fn of(settings: Settings) -> Stage {
        let reactor = sync::share(Reactor::new(Pollers::new().unwrap(), settings));
        Stage { reactor, fallback: None, ends: Arc::default(), looks: Arc::default() }
    }

    /// A reactor with a fallback, which is started now.
    pub(crate) fn new() -> Stage {
        let mut stage = Stage::without_fallback();
        stage.start_fallback();
        stage
    }

    /// The stage with its first shard, and a source that is registered there.
    pub(crate) fn with_source(self, edge: bool) -> (Stage, Ref<Shard>, Io) {
        let shard = self.shard();
        let io = Io::new(&self, &shard, edge);
        (self, shard, io)
    }

    pub(crate) fn start_fallback(&mut self) {
        let reactor = self.reactor.clone();
        let (ends, looks) = (self.ends.clone(), self.looks.clone());
        self.fallback = Some(spawn("fallback", move || {
            let mut fallback = Fallback::new(reactor);
            while !ends.load(Ordering::SeqCst) {
                looks.fetch_add(1, Ordering::SeqCst);
                fallback.step();
            }
        }));
    }

    pub(crate) fn shard(&self) -> Ref<Shard> {
        self.reactor.first()
    }

    /// Waits until all is at rest and ends the fallback.
    pub(crate) fn end(mut self) {
        if let Some(fallback) = self.fallback.take() {
            world::rest();
            self.ends.store(true, Ordering::SeqCst);
            self.reactor.fallback().unpark();
            fallback.join();
        }
    }

    /// The same, after the registrations of these sources.
    pub(crate) fn end_with(self, ios: impl IntoIterator<Item = Io>) {
        ios.into_iter().for_each(|io| io.end(&self));
        self.end();
    }
}

/// A `block_on` call on a thread that is at home in a shard: what `driver::context` does around
/// the loop, without thread-local state.
pub(crate) fn block_on<T>(shard: &Ref<Shard>, future: impl Future<Output = T>) -> T {
    shard.succession().note_awake();
    let output = nested_block_on(shard, future);
    shard.succession().note_parked();
    output
}

/// A `block_on` call within another.
pub(crate) fn nested_block_on<T>(shard: &Ref<Shard>, future: impl Future<Output = T>) -> T {
    let me = Arc::new(Unparker::new(shard.poller_ref()));
    let waker = Waker::from(me.clone());
    run::run(shard, &me, &waker, &mut Batch::new(), pin!(future))
}

/// A call of `drive`, as `driver::drive` makes it around the loop: until this wheel time at most, or
/// without limit if that is [`NEVER`](crate::clock::NEVER); without sleep if it is now.
pub(crate) fn drive(reactor: &Reactor, limit: u64, heard: &mut usize) -> Round {
    let shard = &reactor.first();
    shard.succession().note_awake();
    let me = Arc::new(Unparker::new(shard.poller_ref()));
    let waker = Waker::from(me.clone());
    let (mut batch, sleeps) = (Batch::new(), limit > world::now());
    let round = one_round::run(shard, &me, &waker, &mut batch, limit, sleeps, heard);
    if !sleeps {
        reactor.take_notification(&mut batch);
    }
    shard.succession().note_parked();
    round
}

/// Starts a thread that inserts a timer.
#[track_caller]
pub(crate) fn spawn_insert(
    name: &'static str,
    shard: &Ref<Shard>,
    deadline: u64,
    waker: Waker,
) -> Thread {
    let shard = shard.clone();
    spawn(name, move || {
        shard.insert_timer(deadline, Slack::UNSET, waker);
    })
}

/// Starts a thread that drives the shard for a round, if nobody does.
#[track_caller]
pub(crate) fn spawn_round(shard: &Ref<Shard>) -> Thread {
    let shard = shard.clone();
    spawn("driver", move || shard.run_round_if_vacant(&mut Batch::new()))
}

/// An event of the user's that one future waits for. It hands the waker over, but does not
/// itself make visible that it was set: the wake-up has to.
#[derive(Clone)]
pub(crate) struct Flag(Arc<FlagInner>);

struct FlagInner {
    state: AtomicU8,
    /// Valid while the state is *waited for*. Loom need not know: the state tells.
    waker: std::sync::Mutex<Option<Waker>>,
}

const UNSET: u8 = 0;
const WAITED_FOR: u8 = 1;
const SET: u8 = 2;

impl Default for Flag {
    fn default() -> Flag {
        Flag(Arc::new(FlagInner { state: AtomicU8::new(UNSET), waker: Default::default() }))
    }
}

impl Flag {
    pub(crate) fn set(&self) {
        if self.0.state.swap(SET, Ordering::Acquire) == WAITED_FOR {
            let waker = self.0.waker.lock().unwrap().take();
            waker.expect("who waits has a waker").wake();
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.state.load(Ordering::Relaxed) {
            SET => return Poll::Ready(()),
            // It is registered, or was taken to be woken: a wake-up is still to come.
            WAITED_FOR => return Poll::Pending,
            _ => *self.0.waker.lock().unwrap() = Some(cx.waker().clone()),
        }
        let (release, relaxed) = (Ordering::Release, Ordering::Relaxed);
        match self.0.state.compare_exchange(UNSET, WAITED_FOR, release, relaxed) {
            Ok(_) => Poll::Pending,
            Err(_) => Poll::Ready(()),
        }
    }

    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    /// Starts a thread whose `block_on` call waits for the flag.
    #[track_caller]
    pub(crate) fn spawn_call(&self, name: &'static str, shard: &Ref<Shard>) -> Thread {
        let (shard, flag) = (shard.clone(), self.clone());
        spawn(name, move || block_on(&shard, flag.wait()))
    }

    /// A waker that sets the flag.
    pub(crate) fn setter(&self) -> Waker {
        Waker::from(Arc::new(Setter(self.clone())))
    }
}

struct Setter(Flag);

impl Wake for Setter {
    fn wake(self: Arc<Self>) {
        self.0.set();
    }
}

/// A task on an executor elsewhere: not in `block_on`, so that only the wake-up helps it. How
/// its executor sleeps and wakes is not what is modelled: loom sees no steps in it.
#[derive(Clone)]
pub(crate) struct Task(Arc<TaskInner>);

struct TaskInner {
    woken_at: std::sync::Mutex<Option<u64>>,
    sleeper: Sleeper,
}

impl Task {
    pub(crate) fn new() -> Task {
        Task(Arc::new(TaskInner { woken_at: Default::default(), sleeper: Sleeper::new() }))
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker::from(self.0.clone())
    }

    /// Whether there was a wake-up that was not waited for.
    pub(crate) fn is_woken(&self) -> bool {
        self.0.woken_at.lock().unwrap().is_some()
    }

    /// Waits for a wake-up and consumes it; the time when it came.
    #[track_caller]
    pub(crate) fn wait(&self) -> u64 {
        loop {
            if let Some(at) = self.0.woken_at.lock().unwrap().take() {
                return at;
            }
            self.0.sleeper.sleep();
        }
    }
}

impl Wake for TaskInner {
    fn wake(self: Arc<Self>) {
        *self.woken_at.lock().unwrap() = Some(world::now());
        self.sleeper.wake();
    }
}

/// A source registered with a shard.
#[derive(Clone)]
pub(crate) struct Io {
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) source: Arc<Source>,
    /// The shard of the thread that waits.
    here: Ref<Shard>,
}

impl Io {
    pub(crate) fn new(stage: &Stage, shard: &Ref<Shard>, edge: bool) -> Io {
        Io::of(stage, shard, Pipe::new(edge)).unwrap()
    }

    /// Registers a pipe.
    pub(crate) fn of(stage: &Stage, shard: &Ref<Shard>, pipe: Arc<Pipe>) -> std::io::Result<Io> {
        Io::registered(&stage.reactor, shard, pipe)
    }

    /// The same on another thread than the stage's.
    pub(crate) fn registered(
        reactor: &Reactor,
        shard: &Ref<Shard>,
        pipe: Arc<Pipe>,
    ) -> std::io::Result<Io> {
        let source = reactor.register(shard, Registration(pipe.clone()))?;
        Ok(Io { pipe, source, here: shard.clone() })
    }

    /// A pipe that the crate has made, which is to be waited for from this shard first.
    pub(crate) fn adopted(stage: &Stage, shard: &Ref<Shard>, pipe: Arc<Pipe>) -> Io {
        let source = stage.reactor.adopt(Registration(pipe.clone()), Identity);
        Io { pipe, source, here: shard.clone() }
    }

    /// The same source for a thread whose home is this shard.
    pub(crate) fn from(&self, shard: &Ref<Shard>) -> Io {
        Io { here: shard.clone(), ..self.clone() }
    }

    fn here(&self) -> impl FnOnce() -> std::io::Result<Ref<Shard>> {
        let here = self.here.clone();
        || Ok(here)
    }

    /// `poll_readable`, for a task.
    pub(crate) fn poll_readable(&self, waker: &Waker) -> Poll<()> {
        self.poll_event(waker).map(|ready| ready.unwrap())
    }

    /// The same, where it may be an error.
    pub(crate) fn poll_event(&self, waker: &Waker) -> Poll<std::io::Result<()>> {
        self.source.poll_event(self.here(), Interest::Read, &mut Context::from_waker(waker))
    }

    /// Returns a task that waits to read, before anything has come.
    #[track_caller]
    pub(crate) fn pending_task(&self) -> Task {
        let task = Task::new();
        assert!(self.poll_readable(&task.waker()).is_pending());
        task
    }

    /// Polls a readiness future, for a task.
    pub(crate) fn poll_waiter(
        &self,
        interest: Interest,
        waiter: &mut Waiter,
        task: &Task,
    ) -> Poll<std::io::Result<()>> {
        let waker = task.waker();
        self.source.poll_waiter(self.here(), interest, waiter, &mut Context::from_waker(&waker))
    }

    /// Reads a piece as the poll methods do: the operation first, then a wait.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let before = self.source.begin(Interest::Read).unwrap();
            if self.pipe.read() {
                return Poll::Ready(());
            }
            match self.source.poll_after_would_block(self.here(), Interest::Read, before, cx) {
                Poll::Ready(ready) => ready.unwrap(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads all there is as `AsyncRead` reads a TCP stream: not at all where it is known to be
    /// drained. The number of pieces, none at the end.
    pub(crate) fn poll_read_stream(&self, cx: &mut Context<'_>) -> Poll<usize> {
        loop {
            let before = self.source.begin(Interest::Read).unwrap();
            if !self.source.is_known_empty(before) {
                if let Some(pieces) = self.pipe.read_all() {
                    if pieces > 0 {
                        self.source.note_short_read(before);
                    }
                    return Poll::Ready(pieces);
                }
            }
            match self.source.poll_after_would_block(self.here(), Interest::Read, before, cx) {
                Poll::Ready(ready) => ready.unwrap(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads a piece as `read_with` does: the operation first, then a future that waits.
    pub(crate) async fn read(&self) {
        loop {
            let before = self.source.begin(Interest::Read).unwrap();
            if self.pipe.read() {
                return;
            }
            self.wait(Interest::Read, Waiter::after_would_block(before)).await;
        }
    }

    /// Starts a thread whose `block_on` call reads a piece.
    #[track_caller]
    pub(crate) fn spawn_call(&self, name: &'static str, shard: &Ref<Shard>) -> Thread {
        let (shard, io) = (shard.clone(), self.clone());
        spawn(name, move || block_on(&shard, io.read()))
    }

    /// Starts a thread on which data arrives.
    #[track_caller]
    pub(crate) fn spawn_arrival(&self, name: &'static str) -> Thread {
        let io = self.clone();
        spawn(name, move || io.pipe.arrive())
    }

    /// Waits as the readiness futures do.
    pub(crate) async fn wait(&self, interest: Interest, waiter: Waiter) {
        struct Removes<'a>(&'a Arc<Source>, Interest, Waiter);
        impl Drop for Removes<'_> {
            fn drop(&mut self) {
                self.0.remove_waiter(self.1, &mut self.2);
            }
        }
        let mut wait = Removes(&self.source, interest, waiter);
        let here = || self.here();
        std::future::poll_fn(|cx| wait.0.poll_waiter(here(), wait.1, &mut wait.2, cx))
            .await
            .unwrap();
    }

    /// Ends the registration, without which the source and its shard hold each other.
    pub(crate) fn end(self, stage: &Stage) {
        stage.reactor.deregister(&self.source).unwrap();
    }
}
