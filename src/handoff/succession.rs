//! Who drives a shard next, and who is unparked for that: the seat with the threads around it.

use std::mem::ManuallyDrop;
use std::task::Waker;

use slab::Slab;

use super::seat::{Busy, Released, Seat, SeatState};
use super::unparker::Unparker;
use crate::sync::{AtomicUsize, Mutex, Ordering, Ref, Tally, catch_panic};
use crate::sys::NESTED;

/// Room for followers that is kept though there are none.
pub(super) const SPARE_FOLLOWERS: usize = 64;

/// Names a follower in the wait queue.
pub(crate) type FollowerKey = usize;

/// The succession of drivers of one shard.
#[derive(Debug)]
pub(crate) struct Succession {
    seat: Seat,
    /// `block_on` calls that requested the seat while the fallback held it. Their wakers are this
    /// crate's own.
    requesters: Mutex<Vec<Waker>>,
    /// The wait queue: calls that are parked because another one drives. Wakers of this crate's
    /// own.
    followers: Mutex<Slab<Waker>>,
    /// The fallback, to be unparked when it counted on something that no longer holds.
    fallback: Ref<Unparker>,
    /// Rounds of `block_on` and `drive` calls. Advice for the fallback: a shard whose count moves is
    /// driven. Out of date, it makes the fallback service a shard that does not need it, or come back
    /// after a backoff; so nothing is paired with it.
    rounds: AtomicUsize,
    /// `block_on` and `drive` calls here whose threads are awake. Advice for the fallback, as
    /// `rounds`: one of them will come and drive.
    awake: AtomicUsize,
    /// Notifications of `drive` calls so far. Each thread that drives by hand knows how many of
    /// them it has heard of.
    notifications: AtomicUsize,
    /// How often the seat was acquired. Written by who has just acquired it; for reports.
    acquisitions: Tally,
    /// How often a follower was promoted. Written under the lock of `followers`; for reports.
    promotions: Tally,
}

impl Succession {
    pub(crate) fn new(fallback: Ref<Unparker>) -> Succession {
        Succession {
            seat: Seat::new(),
            requesters: Mutex::new(Vec::new()),
            followers: Mutex::new(Slab::new()),
            fallback,
            rounds: AtomicUsize::new(0),
            awake: AtomicUsize::new(0),
            notifications: AtomicUsize::new(0),
            acquisitions: Tally::new(),
            promotions: Tally::new(),
        }
    }

    /// Returns the fallback's unparker.
    pub(crate) fn fallback(&self) -> &Unparker {
        &self.fallback
    }

    // The seat.

    /// The seat itself, for a test.
    #[cfg(test)]
    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Returns `true` if a `block_on` thread drives.
    pub(crate) fn is_driven(&self) -> bool {
        self.seat.is_driven()
    }

    /// Returns the state of the seat, for reports.
    pub(crate) fn seat_state(&self) -> SeatState {
        self.seat.state()
    }

    /// Releases the seat and unparks and wakes those who wait for that. Nothing unwinds from here:
    /// a panic could only be of a subscriber of `tracing`, in the poller's notification.
    fn release(&self) -> bool {
        let Released { watched, requested } = self.seat.release();
        if watched {
            catch_panic(|| self.fallback.unpark());
        }
        if requested {
            self.wake_requesters();
        }
        requested
    }

    // Requests.

    /// Requests the seat that the fallback holds. Returns `false` if it is released already;
    /// otherwise the waker is woken when it is.
    pub(crate) fn request(&self, waker: &Waker) -> bool {
        self.requesters.lock().push(waker.clone());
        if self.seat.request() {
            // Where pollers can be nested, it never parks while it holds a seat.
            if !NESTED {
                self.fallback.unpark();
            }
            return true;
        }
        // By what they point to, of which the list holds a reference: the tables may be copies.
        self.requesters.lock().retain(|requester| requester.data() != waker.data());
        false
    }

    pub(super) fn wake_requesters(&self) {
        let requesters = std::mem::take(&mut *self.requesters.lock());
        requesters.into_iter().for_each(|requester| catch_panic(|| requester.wake()));
    }

    // Followers.

    /// Puts a `block_on` call that is about to park into the wait queue. It parks only if the seat
    /// is driven after that: a driver that ended before may have found the queue empty.
    pub(crate) fn enqueue(&self, waker: &Waker) -> FollowerKey {
        self.followers.lock().insert(waker.clone())
    }

    /// Takes a call out of the wait queue.
    pub(crate) fn dequeue(&self, key: FollowerKey) {
        let mut followers = self.followers.lock();
        let waker = followers.remove(key);
        // They were threads, and a list of threads is short: what many have left goes with the
        // last.
        if followers.is_empty() && followers.capacity() > SPARE_FOLLOWERS {
            followers.shrink_to_fit();
        }
        drop(followers);
        drop(waker);
    }

    /// Promotes a follower if nobody drives: it is unparked, and drives. For a `block_on` call that
    /// ends after it has waited. The fallback would service the shard, but it may be inside
    /// somebody's waker for as long as that likes.
    ///
    /// A promoted call that ends promotes the next.
    pub(crate) fn promote(&self) {
        if self.seat.is_driven() {
            return;
        }
        // Woken outside the lock, though the waker is this crate's own.
        let followers = self.followers.lock();
        let follower = followers.iter().next().map(|(_, waker)| waker.clone());
        if follower.is_some() {
            self.promotions.count();
        }
        drop(followers);
        if let Some(follower) = follower {
            follower.wake();
        }
    }

    // Notifications.

    /// Counts a notification. To be called before the poller is notified and the followers are
    /// woken.
    pub(crate) fn note_notification(&self) {
        // Ordering: Release, with the Acquire in `notifications`: a thread that hears of it sees what
        // the caller did before. Each continues the release sequence of those before.
        self.notifications.fetch_add(1, Ordering::Release);
    }

    /// Returns how many notifications there were.
    ///
    /// A thread about to sleep looks after it acquired the seat, or after it entered the wait queue.
    /// A notification that it misses comes later: then its poller's part ends the wait, since no
    /// other driver can take that, or it finds this thread in the queue.
    pub(crate) fn notifications(&self) -> usize {
        // Ordering: Acquire, with the Release in `note_notification`.
        self.notifications.load(Ordering::Acquire)
    }

    /// Unparks all followers, for a look.
    pub(crate) fn wake_followers(&self) {
        // Woken outside the lock, though the wakers are this crate's own.
        let followers: Vec<Waker> =
            self.followers.lock().iter().map(|(_, waker)| waker.clone()).collect();
        followers.into_iter().for_each(Waker::wake);
    }

    /// Returns for how many followers there is memory.
    #[cfg(test)]
    pub(super) fn queue_capacity(&self) -> usize {
        self.followers.lock().capacity()
    }

    /// Returns how often the seat was acquired, and how often a follower was promoted, so far.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.acquisitions.get(), self.promotions.get())
    }

    // What the fallback goes by.

    /// Marks a held seat watched: its release unparks the fallback. Returns `false`, with nothing
    /// done, if it is vacant.
    pub(crate) fn watch(&self) -> bool {
        self.seat.watch()
    }

    /// Returns `true` if the seat is vacant and still as
    /// [`release_watched`](Driving::release_watched) left it.
    pub(crate) fn is_vacant_and_watched(&self) -> bool {
        self.seat.is_vacant_and_watched()
    }

    /// Returns `true` if an assigned thread may come to drive: one is awake, or has requested the
    /// seat that the caller holds. Advice, at some moment.
    pub(crate) fn is_wanted(&self) -> bool {
        self.awake() > 0 || self.seat.is_requested()
    }

    /// Notes that the thread of a `block_on` or `drive` call parks, or that the call ends.
    pub(crate) fn note_parked(&self) {
        // Ordering: Relaxed: advice, see the field.
        self.awake.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that the thread of such a call is awake.
    pub(crate) fn note_awake(&self) {
        // Ordering: Relaxed: advice, see the field.
        self.awake.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many such calls have threads that are awake, at some moment.
    pub(crate) fn awake(&self) -> usize {
        // Ordering: Relaxed: advice, see the field.
        self.awake.load(Ordering::Relaxed)
    }

    /// Returns how many rounds such calls have run so far, at some moment.
    pub(crate) fn rounds(&self) -> usize {
        // Ordering: Relaxed: advice, see the field.
        self.rounds.load(Ordering::Relaxed)
    }
}

/// What has a succession of drivers: a shard.
pub(crate) trait Driven {
    fn succession(&self) -> &Succession;
}

/// The guard of a seat: its owner is the driver of the shard, and alone may expire its timers, wait
/// in its poller and dispatch its events, which are methods of the guard. Dropping it releases the
/// seat, in a panic too, and unparks and wakes those who wait for that.
#[derive(Debug)]
#[must_use]
pub(crate) struct Driving<'a, S: Driven>(&'a S);

impl<'a, S: Driven> Driving<'a, S> {
    /// Acquires the seat of a shard. For `block_on` threads.
    pub(crate) fn try_acquire(shard: &'a S) -> Result<Driving<'a, S>, Busy> {
        shard.succession().seat.try_acquire().map(|()| Driving::acquired(shard))
    }

    /// Acquires the seat of a shard, to release it on request. For the fallback.
    pub(crate) fn try_acquire_preemptible(shard: &'a S) -> Option<Driving<'a, S>> {
        // Made only with the seat: dropping a guard releases it.
        shard.succession().seat.try_acquire_preemptible().then(|| Driving::acquired(shard))
    }

    fn acquired(shard: &'a S) -> Driving<'a, S> {
        let driving = Driving(shard);
        shard.succession().acquisitions.count();
        driving
    }

    pub(crate) fn shard(&self) -> &'a S {
        self.0
    }

    /// Releases the seat. Returns `true` if it was requested.
    pub(crate) fn release(self) -> bool {
        ManuallyDrop::new(self).0.succession().release()
    }

    /// Releases the seat after a round of a `block_on` or `drive` call.
    pub(crate) fn release_after_round(self) {
        // Ordering: Relaxed: advice, see the field.
        self.0.succession().rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Releases the seat and leaves it watched: see [`Seat::release_watched`].
    pub(crate) fn release_watched(self) {
        let succession = ManuallyDrop::new(self).0.succession();
        if succession.seat.release_watched() {
            succession.wake_requesters();
        }
    }
}

impl<S: Driven> Drop for Driving<'_, S> {
    fn drop(&mut self) {
        self.0.succession().release();
    }
}
