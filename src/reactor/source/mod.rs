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

use std::io;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::Shard;
use crate::sync::{AtomicUsize, Mutex, Ordering, Ref, catch_panic, is_same_task};
use crate::sys::{Event, Polls, Registration};

mod short_read;
mod waiters;

use short_read::ShortRead;
use waiters::{WaiterKey, Waiters};

/// How many events in a row may come that nobody waits for before a direction's interest is
/// withdrawn. One such event is normal (it comes while the task is still busy with the last);
/// a source that nobody reads must not wake a thread for each packet.
const UNCLAIMED: u8 = 8;

/// The tick of a stale source, which events never reach.
const STALE: usize = usize::MAX;

/// The last tick; the next is zero. [`STALE`], and a value that [`ShortRead`] needs, are above it.
const LAST_TICK: usize = usize::MAX - 2;

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
    /// The tick of each direction. Written under the lock.
    ticks: [AtomicUsize; 2],
    /// Whether there is nothing to read, as far as short reads tell.
    short_read: ShortRead,
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
            .field("ticks", &self.ticks)
            .field("short_read", &self.short_read)
            .field("state", &self.state)
            .finish()
    }
}

/// The waker that another one took the place of: woken or dropped outside the lock.
enum Replaced {
    Nothing,
    /// That of another task, which is woken.
    Task(Waker),
    /// An earlier one of the same waiter.
    Waiter(Waker),
}

#[derive(Debug, Default)]
struct Direction {
    /// The task of the poll methods.
    waker: Option<Waker>,
    /// The tick when that task got `Pending`, until it gets `Ready`.
    since: Option<usize>,
    /// The futures that wait.
    waiters: Waiters,
    /// Whether interest in this direction is registered.
    armed: bool,
    /// See the module documentation.
    edge_guaranteed: bool,
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
        self.edge_guaranteed = false;
        self.unclaimed = if wakers.len() > before { 0 } else { self.unclaimed.saturating_add(1) };
    }
}

impl Source {
    pub(crate) fn new(registration: Registration, shard: Ref<Shard>, key: usize) -> Source {
        let exceptions = registration.keeps_interest() && shard.poller().reports_exceptions();
        let short_read = ShortRead::new(exceptions && registration.is_tcp());
        Source {
            registration,
            shard,
            key,
            ticks: [AtomicUsize::new(0), AtomicUsize::new(0)],
            short_read,
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
    fn check_not_from_parent(&self) -> io::Result<()> {
        if self.shard.is_from_parent() {
            return Err(io::Error::other(
                "the source was registered by the process that this one was forked from",
            ));
        }
        Ok(())
    }

    /// Returns the tick, to be read before an operation is tried.
    ///
    /// # Errors
    ///
    /// If the source is stale: the operation would be done to a stranger's descriptor.
    pub(crate) fn begin(&self, interest: Interest) -> io::Result<usize> {
        match self.tick(interest) {
            STALE => Err(stale()),
            tick => Ok(tick),
        }
    }

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
            && !self.shard.is_from_parent()
            && self.state.lock()[Interest::Read as usize].armed
    }

    /// Notes a short read, which began at tick `before`.
    pub(crate) fn note_short_read(&self, before: usize) {
        self.short_read.note(before);
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

    /// Waits after a system call of this crate's own on this descriptor that began at tick `before`
    /// and ended in `WouldBlock`. Ready if it is to be tried again at once.
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
        let polled = self.wait(interest, cx, |direction, tick, waker, trusted| {
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
        if matches!(polled, Poll::Ready(Err(_))) && !self.shard.is_from_parent() {
            // The task was not told `Pending`.
            self.state.lock()[interest as usize].since = None;
        }
        polled
    }

    /// Leaves the task's waker in a direction and ensures that an event comes. `enter` puts it
    /// there, or returns `None` if there is nothing to wait for. It gets the tick, and whether
    /// the system's `WouldBlock` is trusted.
    fn wait(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
        enter: impl FnOnce(&mut Direction, usize, &mut Option<Waker>, bool) -> Option<Replaced>,
    ) -> Poll<io::Result<()>> {
        // Cloned before the lock: that is the task's code, and might even fork. What is left of it
        // is dropped after the lock.
        let mut waker = Some(cx.waker().clone());
        self.check_not_from_parent()?;
        let mut state = self.state.lock();
        let tick = self.begin(interest)?;
        let trusted = self.trusts(interest);
        let direction = &mut state[interest as usize];
        let Some(replaced) = enter(direction, tick, &mut waker, trusted) else {
            return Poll::Ready(Ok(()));
        };
        let armed = self.arm(&mut state, interest);
        drop(state);
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
    fn trusts(&self, interest: Interest) -> bool {
        match interest {
            Interest::Read => {
                self.registration.trusts_reads()
                    && !(self.registration.is_tcp() && self.short_read.is_given_up())
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
        for tick in &self.ticks {
            // Ordering: Release, as in `on_event`; who reads it with Acquire before an operation
            // does not do that to the successor, unless it had begun before.
            tick.store(STALE, Ordering::Release);
        }
        Ok(())
    }

    /// Ensures that an event comes if the source is ready or becomes so.
    fn arm(&self, state: &mut [Direction; 2], interest: Interest) -> io::Result<()> {
        let direction = &mut state[interest as usize];
        direction.unclaimed = 0;
        if direction.armed && direction.edge_guaranteed {
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
        let armed = [read.armed, write.armed];
        self.registration.modify(self.shard.poller(), self.key, armed)?;
        read.edge_guaranteed = read.armed;
        write.edge_guaranteed = write.armed;
        Ok(())
    }

    /// What the poller reported. Moves the wakers to `wakers`; whoever collects them wakes
    /// them, whatever happens.
    pub(crate) fn on_event(&self, event: Event, wakers: &mut Vec<Waker>) {
        let mut state = self.state.lock();
        if self.tick(Interest::Read) == STALE {
            // It may be that its old file lives on elsewhere.
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
                state[interest as usize].claim(wakers);
            }
        }
        if keeps_interest {
            // Also where the system refused to withdraw it before, so that events go on coming.
            let unclaimed = |direction: &Direction| direction.unclaimed >= UNCLAIMED;
            if !state.iter().any(unclaimed) {
                return;
            }
            for direction in state.iter_mut().filter(|direction| unclaimed(direction)) {
                direction.armed = false;
                direction.unclaimed = 0;
            }
        } else {
            // The poller has forgotten all interest with the event.
            for direction in state.iter_mut() {
                direction.armed = direction.is_waited_for();
                direction.edge_guaranteed = false;
            }
            if !state.iter().any(|direction| direction.armed) {
                return;
            }
        }
        if self.register(&mut state).is_err() {
            // Whoever waits is woken, tries, and gets the error where it can be returned.
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
        self.wait(interest, cx, |direction, tick, waker, trusted| {
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
        self.state.lock()[interest as usize].waiters.size()
    }

    /// Ends a future's wait.
    pub(crate) fn remove_waiter(&self, interest: Interest, waiter: &mut Waiter) {
        let key = waiter.key.take();
        if let Some(key) = key.filter(|_| !self.shard.is_from_parent()) {
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
