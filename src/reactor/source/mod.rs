//! One I/O source: what is known of its readiness, and who waits for it.
//!
//! # Level-triggered behaviour on edge-triggered registrations
//!
//! To the user a source is level-triggered: a wait ends if the source is ready, no matter since
//! when. The poller, where it can, reports edges only: a change to *ready*. The
//! two meet in one fact for each direction, [`Direction::edge_guaranteed`]: *if the source is ready
//! now or becomes so, an event will come*. A wait needs no system call while that holds, and
//! re-arms the registration otherwise, which makes the poller look at the source again.
//!
//! It becomes true by re-arming, and when an operation of this crate's own ended in the
//! system's `WouldBlock` with no event since it began, on a kind of descriptor for which that is
//! proof ([`Registration::trusts_reads`], [`Registration::trusts_writes`]): then the source was
//! not ready at some moment after the last event, and the change to *ready* is still ahead. It
//! becomes false with each event, since what the user does with the source after that is unknown.
//!
//! # Who waits
//!
//! Two kinds for each direction. The poll methods (`poll_readable`, `AsyncRead`, …) share one
//! waker: another task that comes replaces it, and it is woken. Futures (`readable()`,
//! `read_with`, …) are *waiters*, each with a waker of its own.
//!
//! The *tick* of a direction counts its events: a wait remembers the tick and is over when it has
//! moved on.
//!
//! # Stale sources
//!
//! A descriptor that was closed or replaced behind the library's back leaves a source whose
//! number may be registered anew. From that moment the number is the successor's: the source is
//! stale for good, and whatever it did with the poller it would do to the successor. So the
//! registry registers a number under the lock of the source that had it before
//! ([`Source::succeed`]), and a stale source, which its counters tell, never calls the poller.
//!
//! Where a source is registered says [`placement`].

use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Shard;
use crate::sync::{AtomicUsize, Mutex, Ordering, Ref, catch_panic, is_same_task};
use crate::sys::{Event, Identity, Polls, Registration, fork_generation};

mod direction;
#[cfg(feature = "test-util")]
mod leave;
mod migration;
mod placement;
mod short_read;
mod stale;
mod waiters;

use direction::{Direction, Replaced, UNCLAIMED};
use placement::Placement;
use short_read::ShortRead;
use stale::stale;
use waiters::WaiterKey;

pub(crate) use direction::Interest;
pub(crate) use placement::Place;

/// The tick of a stale source, which events never reach.
const STALE: usize = usize::MAX;

/// The last tick; the next is zero. [`STALE`], and a value that [`ShortRead`] needs, are above it.
const LAST_TICK: usize = usize::MAX - 2;

/// Something that is, or will be, registered with a shard's poller.
#[derive(Debug)]
pub(crate) struct Source {
    registration: Registration,
    /// The fork generation of the process that made this.
    generation: usize,
    /// The tick of each direction. Written under the lock.
    ticks: [AtomicUsize; 2],
    /// Whether there is nothing to read, as far as short reads tell.
    short_read: ShortRead,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    placement: Placement,
    directions: [Direction; 2],
}

// Its lock is never poisoned: what it guards is whole whenever user code runs.
impl std::panic::RefUnwindSafe for Source {}

impl Source {
    /// A source that is not registered yet, and the identity of what has its number.
    pub(crate) fn new(registration: Registration, identity: Identity) -> Source {
        let short_reads = registration.keeps_interest() && registration.is_tcp();
        Source {
            registration,
            generation: fork_generation(),
            ticks: [AtomicUsize::new(0), AtomicUsize::new(0)],
            short_read: ShortRead::new(short_reads),
            state: Mutex::new(State {
                placement: Placement::new(identity),
                directions: Default::default(),
            }),
        }
    }

    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Returns where it is registered, if it is.
    pub(crate) fn place(&self) -> Option<Place> {
        self.state.lock().placement.place.clone()
    }

    /// Returns `true` if this was made by the process that this one was forked from. Then its lock
    /// and its registration are the parent's.
    pub(crate) fn is_from_parent(&self) -> bool {
        self.generation != fork_generation()
    }

    /// # Errors
    ///
    /// In the child of a fork, if the source was made by the parent.
    fn check_not_from_parent(&self) -> io::Result<()> {
        if self.is_from_parent() {
            return Err(io::Error::other(
                "the source was made by the process that this one was forked from",
            ));
        }
        Ok(())
    }

    /// Returns the tick, to be read before an operation is tried.
    ///
    /// # Errors
    ///
    /// If the source is stale: the operation would be done to a stranger's descriptor.
    #[inline(always)]
    pub(crate) fn begin(&self, interest: Interest) -> io::Result<usize> {
        match self.tick(interest) {
            STALE => Err(stale()),
            tick => Ok(tick),
        }
    }

    #[inline(always)]
    fn tick(&self, interest: Interest) -> usize {
        // Ordering: Acquire, with the Release in `on_event`: the operation that follows comes
        // after the event that was counted. If it were done before this look, it could find
        // nothing, the event come and be counted here, and the wait count on an event that is
        // over. A value that is out of date only makes the operation be tried again.
        self.ticks[interest as usize].load(Ordering::Acquire)
    }

    /// Returns `true` if a read at this tick is known to find nothing: it can be left out and is as
    /// good as one that ended in `WouldBlock`.
    ///
    /// Only while interest in reading is registered. Without it, no event comes with new data, and
    /// who tries a read from time to time without waiting would never find it.
    pub(crate) fn is_known_empty(&self, tick: usize) -> bool {
        // In the child of a fork the events are the parent's.
        self.short_read.since(tick)
            && !self.is_from_parent()
            && self.state.lock().directions[Interest::Read as usize].armed
    }

    /// Notes a short read, which began at tick `before`.
    pub(crate) fn note_short_read(&self, before: usize) {
        self.short_read.note(before);
    }

    /// `poll_readable` and `poll_writable`: ready if there was an event since the last
    /// `Pending`.
    pub(crate) fn poll_event(
        self: &Arc<Self>,
        here: impl FnOnce() -> io::Result<Ref<Shard>>,
        interest: Interest,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(here, interest, cx, None)
    }

    /// Waits after a system call of this crate's own on this descriptor that began at tick `before`
    /// and ended in `WouldBlock`. Ready if it is to be tried again at once.
    pub(crate) fn poll_after_would_block(
        self: &Arc<Self>,
        here: impl FnOnce() -> io::Result<Ref<Shard>>,
        interest: Interest,
        before: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(here, interest, cx, Some(before))
    }

    fn poll(
        self: &Arc<Self>,
        here: impl FnOnce() -> io::Result<Ref<Shard>>,
        interest: Interest,
        cx: &mut Context<'_>,
        would_block: Option<usize>,
    ) -> Poll<io::Result<()>> {
        let polled = self.wait(here, interest, cx, |direction, tick, waker, trusted| {
            match would_block {
                Some(before) if before != tick => return None,
                Some(_) => direction.edge_guaranteed |= direction.armed && trusted,
                None if direction.since.is_some_and(|since| since != tick) => {
                    direction.since = None;
                    return None;
                }
                None => {}
            }
            direction.since = Some(tick);
            let stays = direction
                .waker
                .as_ref()
                .zip(waker.as_ref())
                .is_some_and(|(old, new)| is_same_task(old, new));
            let replaced =
                if stays { None } else { mem::replace(&mut direction.waker, waker.take()) };
            Some(replaced.map_or(Replaced::Nothing, Replaced::Task))
        });
        if matches!(polled, Poll::Ready(Err(_))) && !self.is_from_parent() {
            // The task was not told `Pending`.
            self.state.lock().directions[interest as usize].since = None;
        }
        polled
    }

    /// Leaves the task's waker in a direction and ensures that an event comes. `here` is the shard
    /// of the thread that waits. `enter` puts the waker there, or returns `None` if there is nothing
    /// to wait for. It gets the tick, and whether the system's `WouldBlock` is trusted.
    #[inline(always)]
    fn wait(
        self: &Arc<Self>,
        here: impl FnOnce() -> io::Result<Ref<Shard>>,
        interest: Interest,
        cx: &mut Context<'_>,
        enter: impl FnOnce(&mut Direction, usize, &mut Option<Waker>, bool) -> Option<Replaced>,
    ) -> Poll<io::Result<()>> {
        // Cloned before the lock: that is the task's code, and might even fork. What is left of it
        // is dropped after the lock.
        let mut waker = Some(cx.waker().clone());
        self.check_not_from_parent()?;
        let here = here()?;
        // Given back after the lock.
        let mut reserved = None;
        let mut state = self.state.lock();
        if state.placement.note_wait(&here, || self.registration.mobility()) {
            drop(state);
            (state, reserved) = self.move_there(here, interest)?;
        }
        let tick = self.begin(interest)?;
        let trusted = self.trusts(interest);
        let direction = &mut state.directions[interest as usize];
        let Some(replaced) = enter(direction, tick, &mut waker, trusted) else {
            return Poll::Ready(Ok(()));
        };
        #[cfg(feature = "test-util")]
        let is_closed = state.placement.is_in_closed_shard();
        let armed = self.arm(&mut state, interest);
        drop(state);
        drop(reserved);
        #[cfg(feature = "test-util")]
        if is_closed {
            // The pause has ended meanwhile.
            cx.waker().wake_by_ref();
        }
        match replaced {
            // Another task waited here: it can try and wait again.
            Replaced::Task(waker) => catch_panic(|| waker.wake()),
            Replaced::Waiter(waker) => drop(waker),
            Replaced::Nothing => {}
        }
        match armed {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Returns `true` if the system's `WouldBlock` proves that the source was not ready. Where
    /// urgent data was seen, a read says it for a signal that is pending, too.
    #[inline(always)]
    fn trusts(&self, interest: Interest) -> bool {
        match interest {
            Interest::Read => {
                self.registration.trusts_reads()
                    && !(self.registration.is_tcp() && self.short_read.is_given_up())
            }
            Interest::Write => self.registration.trusts_writes(),
        }
    }

    /// Ensures that an event comes if the source is ready or becomes so.
    #[inline(always)]
    fn arm(&self, state: &mut State, interest: Interest) -> io::Result<()> {
        let direction = &mut state.directions[interest as usize];
        direction.unclaimed = 0;
        if direction.armed && direction.edge_guaranteed {
            return Ok(());
        }
        self.arm_anew(state, interest)
    }

    fn arm_anew(&self, state: &mut State, interest: Interest) -> io::Result<()> {
        let direction = &mut state.directions[interest as usize];
        direction.armed = true;
        let armed = self.register(state);
        if armed.is_err() {
            state.directions[interest as usize].armed = false;
        }
        armed
    }

    /// Registers the interest that `armed` says, and has the poller look at the source.
    fn register(&self, state: &mut State) -> io::Result<()> {
        let Some(Place { shard, key }) = &state.placement.place else { return Err(stale()) };
        let armed = state.directions.each_ref().map(|direction| direction.armed);
        self.registration.modify(shard.poller(), *key, armed)?;
        for direction in &mut state.directions {
            direction.edge_guaranteed = direction.armed;
        }
        Ok(())
    }

    /// Counts on short reads only where the poller tells when they tell nothing.
    fn expect_reports_of(&self, shard: &Shard) {
        if !shard.poller().reports_exceptions() {
            self.short_read.give_up();
        }
    }

    /// What the poller of a shard, told by its index, reported. Moves the wakers to `wakers`; whoever collects them wakes
    /// them, whatever happens.
    pub(crate) fn on_event(&self, shard: usize, event: Event, wakers: &mut Vec<Waker>) {
        let mut state = self.state.lock();
        if !state.placement.is_at(shard, event.key) {
            // It has moved, and is reported again there. Or it is stale, and its old file lives
            // on elsewhere.
            return;
        }
        let keeps_interest = self.registration.keeps_interest();
        if event.exceptional {
            self.short_read.give_up();
        }
        for (interest, happened) in
            [(Interest::Write, event.writable), (Interest::Read, event.readable)]
        {
            if happened {
                let tick = self.tick(interest);
                let next = if tick == LAST_TICK { 0 } else { tick + 1 };
                // Ordering: Release, with the Acquire in `tick`. It does not race: it is written
                // under the lock.
                self.ticks[interest as usize].store(next, Ordering::Release);
                state.directions[interest as usize].claim(wakers);
            }
        }
        if keeps_interest {
            // Also where the system refused to withdraw it before, so that events go on coming.
            let unclaimed = |direction: &Direction| direction.unclaimed >= UNCLAIMED;
            if !state.directions.iter().any(unclaimed) {
                return;
            }
            for direction in state.directions.iter_mut().filter(|direction| unclaimed(direction)) {
                direction.armed = false;
                direction.unclaimed = 0;
            }
        } else {
            // The poller has forgotten all interest with the event.
            for direction in &mut state.directions {
                direction.armed = direction.is_waited_for();
                direction.edge_guaranteed = false;
            }
            if !state.directions.iter().any(|direction| direction.armed) {
                return;
            }
        }
        if self.register(&mut state).is_err() {
            // Whoever waits is woken, tries, and gets the error where it can be returned.
            for direction in &mut state.directions {
                direction.armed = false;
                direction.claim(wakers);
            }
        }
    }

    /// Polls a future's wait.
    pub(crate) fn poll_waiter(
        self: &Arc<Self>,
        here: impl FnOnce() -> io::Result<Ref<Shard>>,
        interest: Interest,
        waiter: &mut Waiter,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.wait(here, interest, cx, |direction, tick, waker, trusted| {
            if waiter.since.is_some_and(|since| since != tick) {
                return None;
            }
            if waiter.would_block {
                direction.edge_guaranteed |= direction.armed && trusted;
            }
            waiter.since = Some(tick);
            let replaced =
                waker.take().and_then(|waker| direction.waiters.put(&mut waiter.key, waker));
            Some(replaced.map_or(Replaced::Nothing, Replaced::Waiter))
        })
    }

    /// How long the list of waiting futures is, and for how many it has memory.
    #[cfg(all(test, unix))]
    pub(crate) fn waiting(&self, interest: Interest) -> (usize, usize) {
        self.state.lock().directions[interest as usize].waiters.size()
    }

    /// Ends a future's wait.
    pub(crate) fn remove_waiter(&self, interest: Interest, waiter: &mut Waiter) {
        let key = waiter.key.take();
        if let Some(key) = key.filter(|_| !self.is_from_parent()) {
            let waker = self.state.lock().directions[interest as usize].waiters.remove(key);
            drop(waker);
        }
    }
}

/// A future's wait for a direction of a source.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    /// What its waker is known by, once it was polled.
    key: Option<WaiterKey>,
    /// The tick at which it began to wait; it is over when there is another.
    since: Option<usize>,
    /// Whether it began with an operation of this crate's that ended in `WouldBlock`.
    would_block: bool,
}

impl Waiter {
    /// Waits for any event from the first poll on.
    pub(crate) fn new() -> Waiter {
        Waiter::default()
    }

    /// Waits after an operation of this crate's own that began at tick `before` and ended in
    /// `WouldBlock`.
    pub(crate) fn after_would_block(before: usize) -> Waiter {
        Waiter { key: None, since: Some(before), would_block: true }
    }
}
