//! One I/O source: what is known of its readiness, and who waits for it.
//!
//! # Level-triggered behaviour on edge-triggered registrations
//!
//! To the user a source is level-triggered: whoever waits is told if the source is ready, no
//! matter since when. The poller, where it can, reports edges only: a change to *ready*. The
//! two meet in one fact for each direction, [`Direction::certain`]: *if the source is ready
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
//! place: another task that comes replaces the waker, which is woken. Futures (`readable()`,
//! `read_with`, …) have a place each.
//!
//! An event counter for each direction tells what is fresh: a waiter remembers the counter and
//! is done when it has moved on.
//!
//! # Stale sources
//!
//! A descriptor that was closed or replaced behind the library's back leaves a source whose
//! number may be registered anew. From that moment the number is the successor's: the source is
//! stale for good, and whatever it did with the poller it would do to the successor. So the
//! registry registers a number under the lock of the source that had it before
//! ([`Source::succeed`]), and a stale source, which its counters tell, never calls the poller.

use std::io;
use std::task::{Context, Poll, Waker};

use super::Shard;
use crate::sync::{AtomicUsize, Mutex, Ordering, Ref, contain, is_same_task};
use crate::sys::{Event, Polls, Registration};

mod short_read;
mod waiters;

use short_read::Drained;
use waiters::{WaiterKey, Waiting};

/// How many events in a row may come that nobody waits for before a direction's interest is
/// withdrawn. One such event is normal (it comes while the task is still busy with the last);
/// a source that nobody reads must not wake a thread for each packet.
const UNCLAIMED: u8 = 8;

/// The event counter of a stale source, which events never reach.
const STALE: usize = usize::MAX;

/// The last value of an event counter before it begins anew. Below what [`Drained`] has of its
/// own as well.
const LAST: usize = usize::MAX - 2;

/// A direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read = 0,
    Write = 1,
}

/// Something registered with a shard's poller.
pub(crate) struct Source {
    registration: Registration,
    shard: Ref<Shard>,
    /// The key in the shard's poller.
    key: usize,
    /// Events so far, for each direction. Written under the lock.
    events: [AtomicUsize; 2],
    /// Whether there is nothing to read, as far as reads that fell short tell.
    drained: Drained,
    state: Mutex<[Direction; 2]>,
}

// Its lock is never poisoned: what it guards is whole whenever user code runs.
impl std::panic::RefUnwindSafe for Source {}

/// Names the shard instead of showing all that it holds, this source included.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("registration", &self.registration)
            .field("shard", &self.shard.index())
            .field("key", &self.key)
            .field("events", &self.events)
            .field("drained", &self.drained)
            .field("state", &self.state)
            .finish()
    }
}

#[derive(Debug, Default)]
struct Direction {
    /// The task of the poll methods.
    waker: Option<Waker>,
    /// The event counter when that task was told `Pending`, until it is told `Ready`.
    since: Option<usize>,
    /// The futures that wait.
    waiters: Waiting,
    /// Whether interest in this direction is registered.
    armed: bool,
    /// See the module documentation.
    certain: bool,
    /// Events in a row that nobody waited for.
    unclaimed: u8,
}

impl Direction {
    fn is_waited_for(&self) -> bool {
        self.waker.is_some() || !self.waiters.is_empty()
    }

    /// An event: moves all wakers to `wakers`.
    fn claim(&mut self, wakers: &mut Vec<Waker>) {
        let before = wakers.len();
        wakers.extend(self.waker.take());
        self.waiters.take_all(wakers);
        self.certain = false;
        self.unclaimed = if wakers.len() > before { 0 } else { self.unclaimed.saturating_add(1) };
    }
}

impl Source {
    pub(crate) fn new(registration: Registration, shard: Ref<Shard>, key: usize) -> Source {
        let exceptions = registration.keeps_interest() && shard.poller().reports_exceptions();
        let drained = Drained::new(exceptions && registration.is_tcp());
        Source {
            registration,
            shard,
            key,
            events: [AtomicUsize::new(0), AtomicUsize::new(0)],
            drained,
            state: Mutex::new([Direction::default(), Direction::default()]),
        }
    }

    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }

    pub(crate) fn shard(&self) -> &Shard {
        &self.shard
    }

    pub(super) fn shard_ref(&self) -> &Ref<Shard> {
        &self.shard
    }

    pub(crate) fn key(&self) -> usize {
        self.key
    }

    /// # Errors
    ///
    /// In the child of a fork, if the source was registered by the parent.
    fn must_not_be_inherited(&self) -> io::Result<()> {
        if self.shard.is_inherited() {
            return Err(io::Error::other(
                "the source was registered by the process that this one was forked from",
            ));
        }
        Ok(())
    }

    /// Returns the event counter, to be read before an operation is tried.
    ///
    /// # Errors
    ///
    /// If the source is stale: the operation would be done to a stranger's descriptor.
    pub(crate) fn begin(&self, interest: Interest) -> io::Result<usize> {
        match self.events(interest) {
            STALE => Err(stale()),
            events => Ok(events),
        }
    }

    /// Returns the event counter.
    fn events(&self, interest: Interest) -> usize {
        // Ordering: Acquire, with the Release in `on_event`: the operation that follows comes
        // after the event that was counted. If it were done before this look, it could find
        // nothing, the event come and be counted here, and the wait count on an event that is
        // over. A value that is out of date only makes the operation be tried again.
        self.events[interest as usize].load(Ordering::Acquire)
    }

    /// Whether a read is known to find nothing, when the event counter is `events`: it can be
    /// left out and is as good as one that ended in `WouldBlock`.
    ///
    /// Only while interest in reading is registered. Without it, no event tells of what has come
    /// since, and who tries a read from time to time without waiting would never find it.
    pub(crate) fn is_drained(&self, events: usize) -> bool {
        // In the child of a fork the events are the parent's.
        self.drained.since(events)
            && !self.shard.is_inherited()
            && self.state.lock()[Interest::Read as usize].armed
    }

    /// Notes that a read fell short of what it was asked for, before which the event counter
    /// was `before`.
    pub(crate) fn fell_short(&self, before: usize) {
        self.drained.note(before);
    }

    /// `poll_readable` and `poll_writable`: ready if there was an event since the last
    /// `Pending`.
    pub(crate) fn poll_event(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(interest, cx, None)
    }

    /// For a system call of this crate's own on this descriptor that ended in `WouldBlock`, and
    /// before which the event counter was `before`. Ready if it is to be tried again at once.
    pub(crate) fn poll_after_would_block(
        &self,
        interest: Interest,
        before: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(interest, cx, Some(before))
    }

    fn poll(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
        would_block: Option<usize>,
    ) -> Poll<io::Result<()>> {
        // Cloned before the lock: that is the task's code, and might even fork.
        let waker = cx.waker().clone();
        self.must_not_be_inherited()?;
        let mut state = self.state.lock();
        let events = self.begin(interest)?;
        let direction = &mut state[interest as usize];
        match would_block {
            Some(before) if before != events => return Poll::Ready(Ok(())),
            Some(_) => direction.certain |= direction.armed && self.trusts(interest),
            None if direction.since.is_some_and(|since| since != events) => {
                direction.since = None;
                return Poll::Ready(Ok(()));
            }
            None => {}
        }
        direction.since = Some(events);
        let stays = direction.waker.as_ref().is_some_and(|old| is_same_task(old, &waker));
        let (replaced, spare) =
            if stays { (None, Some(waker)) } else { (direction.waker.replace(waker), None) };
        let armed = self.arm(&mut state, interest);
        drop(state);
        drop(spare);
        if let Some(replaced) = replaced {
            // Another task waited here and is told, so that it can try and wait again.
            contain(|| replaced.wake());
        }
        match armed {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Returns `true` if the system's `WouldBlock` proves that the source was not ready. Where
    /// urgent data was seen, a read says it for a signal that is pending, too.
    fn trusts(&self, interest: Interest) -> bool {
        match interest {
            Interest::Read => {
                self.registration.trusts_reads()
                    && !(self.registration.is_tcp() && self.drained.is_given_up())
            }
            Interest::Write => self.registration.trusts_writes(),
        }
    }

    /// Makes this source stale if `register` registers its number for a successor, which is done
    /// under this source's lock: so that it either had its say about the number before, or never
    /// has again. The wakers of all who wait go to `wakers`.
    pub(super) fn succeed(
        &self,
        wakers: &mut Vec<Waker>,
        register: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        register()?;
        for direction in state.iter_mut() {
            direction.claim(wakers);
        }
        for events in &self.events {
            // Ordering: Release, as in `on_event`; who reads it with Acquire before an operation
            // does not do that to the successor, unless it had begun before.
            events.store(STALE, Ordering::Release);
        }
        Ok(())
    }

    /// Sees to it that an event comes if the source is ready or becomes so.
    fn arm(&self, state: &mut [Direction; 2], interest: Interest) -> io::Result<()> {
        let direction = &mut state[interest as usize];
        direction.unclaimed = 0;
        if direction.armed && direction.certain {
            return Ok(());
        }
        direction.armed = true;
        let armed = self.register(state);
        if armed.is_err() {
            state[interest as usize].armed = false;
        }
        armed
    }

    /// Registers the interest that `armed` says, and has the poller look at the source.
    fn register(&self, state: &mut [Direction; 2]) -> io::Result<()> {
        let [read, write] = state;
        self.registration.modify(self.shard.poller(), self.key, read.armed, write.armed)?;
        read.certain = read.armed;
        write.certain = write.armed;
        Ok(())
    }

    /// What the poller reported. Moves the wakers to `wakers`; whoever collects them wakes
    /// them, whatever happens.
    pub(crate) fn on_event(&self, event: Event, wakers: &mut Vec<Waker>) {
        let mut state = self.state.lock();
        if self.events(Interest::Read) == STALE {
            // It may be that its old file lives on elsewhere.
            return;
        }
        let keeps_interest = self.registration.keeps_interest();
        if event.exceptional {
            self.drained.give_up();
        }
        for (interest, happened) in
            [(Interest::Write, event.writable), (Interest::Read, event.readable)]
        {
            if happened {
                let next =
                    if self.events(interest) == LAST { 0 } else { self.events(interest) + 1 };
                // Ordering: Release, with the Acquire in `events`. It does not race: it is
                // written under the lock.
                self.events[interest as usize].store(next, Ordering::Release);
                state[interest as usize].claim(wakers);
            }
        }
        if keeps_interest {
            let unclaimed =
                |direction: &Direction| direction.armed && direction.unclaimed >= UNCLAIMED;
            if !state.iter().any(unclaimed) {
                return;
            }
            for direction in state.iter_mut() {
                direction.armed &= !unclaimed(direction);
            }
        } else {
            // The poller has forgotten all interest with the event.
            for direction in state.iter_mut() {
                direction.armed = direction.is_waited_for();
                direction.certain = false;
            }
            if !state.iter().any(|direction| direction.armed) {
                return;
            }
        }
        if self.register(&mut state).is_err() {
            // Whoever waits is woken, tries, and is told the error where it can be returned.
            for direction in state.iter_mut() {
                direction.armed = false;
                direction.claim(wakers);
            }
        }
    }

    /// Polls a future's wait.
    pub(crate) fn poll_waiter(
        &self,
        interest: Interest,
        waiter: &mut Waiter,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let waker = cx.waker().clone();
        self.must_not_be_inherited()?;
        let mut state = self.state.lock();
        let events = self.begin(interest)?;
        let direction = &mut state[interest as usize];
        if waiter.since.is_some_and(|since| since != events) {
            return Poll::Ready(Ok(()));
        }
        if waiter.would_block {
            direction.certain |= direction.armed && self.trusts(interest);
        }
        waiter.since = Some(events);
        let replaced = direction.waiters.put(&mut waiter.key, waker);
        let armed = self.arm(&mut state, interest);
        drop(state);
        drop(replaced);
        match armed {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// How long the list of waiting futures is, and for how many it has memory.
    #[cfg(test)]
    pub(crate) fn waiting(&self, interest: Interest) -> (usize, usize) {
        self.state.lock()[interest as usize].waiters.size()
    }

    /// Ends a future's wait.
    pub(crate) fn remove_waiter(&self, interest: Interest, waiter: &mut Waiter) {
        let key = waiter.key.take();
        if let Some(key) = key.filter(|_| !self.shard.is_inherited()) {
            let waker = self.state.lock()[interest as usize].waiters.remove(key);
            drop(waker);
        }
    }
}

#[cold]
fn stale() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "the descriptor was closed or replaced while it was registered, and its number has been \
         registered anew",
    )
}

/// A future's wait for a direction of a source.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    /// What its waker is known by, once it was polled.
    key: Option<WaiterKey>,
    /// The event counter that an event must differ from.
    since: Option<usize>,
    /// Whether it began with an operation of this crate's that ended in `WouldBlock`.
    would_block: bool,
}

impl Waiter {
    /// Waits for any event from the first poll on.
    pub(crate) fn new() -> Waiter {
        Waiter::default()
    }

    /// Waits after an operation of this crate's that ended in `WouldBlock`, and before which
    /// the event counter was `before`.
    pub(crate) fn after_would_block(before: usize) -> Waiter {
        Waiter { key: None, since: Some(before), would_block: true }
    }
}
