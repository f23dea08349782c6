//! A hashed hierarchical timing wheel: deadlines in, due entries out.
//!
//! This is the data structure under every [`Timer`](crate::Timer), and it is public because
//! it is useful by itself: a table of idle timeouts, a cache whose entries expire, the event
//! list of a simulator. It is pure: it holds no clock, takes no lock, makes no system call.
//! Time is a `u64` count of nanoseconds since an epoch that the caller chooses; the caller
//! says what time it is when it asks what is due. [`InstantWheel`] takes an
//! [`Instant`](std::time::Instant) instead, and keeps the epoch.
//!
//! The structure is the hierarchical wheel of Varghese and Lauck, *Hashed and Hierarchical
//! Timing Wheels* (SOSP 1987), with exact deadlines kept in the entries.
//!
//! # How it works
//!
//! There are eight levels. A slot of level 0 is 2^16 ns (65.5 µs) wide, a slot of each next level
//! as wide as 64 slots, a revolution, of the level below it. Eight levels cover all of `u64`, so
//! there is no longest duration and no overflow list. Each level has slots for two revolutions:
//! that of the elapsed time, and the next. An entry waits in the slot that its deadline falls into,
//! on the lowest level where that lies within the two. When the elapsed time reaches the slot, its
//! entries cascade to finer levels; where the slot is dense, some of them before (pre-cascade).
//!
//! What must hold, always:
//!
//! 1. **Exact.** An entry keeps its own deadline. The slot is only where it waits, and nothing
//!    expires before `now >= deadline`.
//! 2. **A slot's minimum is a lower bound** of the deadlines in it. It is exact unless the
//!    earliest entry was removed or moved since. So [`Wheel::next_deadline`] looks at one slot
//!    a level, is never later than the truth, and a slot is looked through only when something in
//!    it may be due: nothing ever happens just because a slot's start was passed.
//! 3. **The elapsed time never passes a lower bound.** It advances to a slot's minimum before
//!    the slot is looked through, or to `now` when nothing is due, and never goes back, whatever
//!    the caller's clock does. Hence each occupied slot lies at or ahead of the elapsed time on its
//!    level, in the same revolution or the next, and an entry of a slot that is looked through, or
//!    of the next one, goes to a lower level, unless it was postponed.
//! 4. **Postponing is lazy.** The entry stays where it is with its new deadline
//!    until its slot is looked through. A heartbeat that postpones an idle timeout a thousand times
//!    touches one entry a thousand times and no list.
//! 5. **A key is good for one entry only.** Keys carry a generation; a slot whose generations are
//!    used up is never used again, and costs its block at most: 2^51 entries can come and go
//!    before a wheel is used up, whatever is done.
//!
//! # Costs
//!
//! Insert, remove, reschedule: constant, whatever the population and however far the deadline.
//! An entry is cascaded at most seven times for each deadline, typically two or three. Memory
//! of an entry: an `Option<T>` and 16 bytes, its deadline included; while it waits in a slot, 4.6
//! bytes more.
//!
//! # Examples
//!
//! A table of idle timeouts:
//!
//! ```
//! use async_wheel::wheel::Wheel;
//!
//! const SECOND: u64 = 1_000_000_000;
//! let mut idle = Wheel::new();
//! let anna = idle.insert(30 * SECOND, "connection 1");
//! let _bert = idle.insert(31 * SECOND, "connection 2");
//!
//! // Something arrived on connection 1 at second 10: postpone its timeout.
//! idle.reschedule(anna, 40 * SECOND);
//!
//! let mut closed = Vec::new();
//! idle.expire(35 * SECOND, usize::MAX, |_key, _deadline, name| closed.push(name));
//! assert_eq!(closed, ["connection 2"]);
//! assert_eq!(idle.next_deadline(), Some(40 * SECOND));
//! ```

#![forbid(unsafe_code)]

mod arena;
mod blocks;
mod chunks;
mod counts;
mod expire;
#[cfg(feature = "std")]
pub(crate) mod instant;
mod iter;
mod key;
mod levels;
mod memory;
mod room;
mod slot;

use core::fmt;

use arena::Arena;
use blocks::NONE;
use counts::count;
use levels::Levels;

pub(crate) use counts::Counts;
pub use expire::{DrainExpired, Progress};
#[cfg(feature = "std")]
pub use instant::InstantWheel;
pub use iter::{Drain, Iter, IterMut};
pub use key::Key;
pub(crate) use key::LABELED_ENTRIES;
#[allow(unused_imports, reason = "`sys` implements them where it has memory of its own")]
pub(crate) use memory::{Heap, Memory};

/// A timing wheel that holds values of type `T`, each with a deadline in nanoseconds.
///
/// What values borrow has to outlive the wheel, as for any type that drops them: declare it first.
///
/// See the [module documentation](self) for how it works and what it costs. Its memory is the
/// heap's; `M` is for the library's own timers.
pub struct Wheel<T, M: Memory = Heap> {
    /// The entries, wherever they wait.
    arena: Arena<T, M>,
    /// Which entries wait in which slot.
    levels: Levels<M>,
    /// How far the wheel's time has come: everything that was due before this has expired.
    elapsed: u64,
    /// How many entries expired since others were pre-cascaded.
    not_pre_cascaded: usize,
    counts: Counts,
}

impl<T> Wheel<T> {
    /// Creates an empty wheel at time zero.
    ///
    /// Costs one allocation of about 12 KiB for the slots; entries are allocated as they come,
    /// from 4 KiB on.
    ///
    /// # Examples
    ///
    /// ```
    /// let wheel = async_wheel::wheel::Wheel::<&str>::new();
    /// assert!(wheel.is_empty());
    /// assert_eq!(wheel.next_deadline(), None);
    /// ```
    #[must_use]
    pub fn new() -> Wheel<T> {
        Wheel::empty()
    }

    /// Creates an empty wheel with room for `capacity` entries.
    ///
    /// # Examples
    ///
    /// ```
    /// let wheel = async_wheel::wheel::Wheel::<u8>::with_capacity(10_000);
    /// assert!(wheel.capacity() >= 10_000);
    /// ```
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Wheel<T> {
        let mut wheel = Wheel::new();
        wheel.reserve(capacity);
        wheel
    }
}

impl<T, M: Memory> Wheel<T, M> {
    fn empty() -> Wheel<T, M> {
        Wheel {
            arena: Arena::new(),
            levels: Levels::new(),
            elapsed: 0,
            not_pre_cascaded: 0,
            counts: Counts::default(),
        }
    }

    /// Creates an empty wheel at time zero that gives memory back by itself: of the blocks of
    /// entries, and of those of chunks, it keeps one at most that is empty.
    ///
    /// Room that was asked for by [`reserve`](Wheel::reserve) is not kept.
    pub(crate) fn giving_back() -> Wheel<T, M> {
        let Wheel { arena, levels, .. } = Wheel::empty();
        Wheel { arena: arena.giving_back(), levels: levels.giving_back(), ..Wheel::empty() }
    }

    /// Adds a value that is due at `deadline` and returns the key to it.
    ///
    /// A deadline in the past is kept as it is; the entry is due at the next
    /// [`expire`](Wheel::expire). Constant cost; memory grows by doubling up to
    /// 4,096 entries, then by as many at a time without moving those that are there.
    ///
    /// # Panics
    ///
    /// When the wheel holds 2^31 entries already, or is used up: not before 2^51 were inserted.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(1_500, 'a');
    /// assert_eq!(wheel.deadline(key), Some(1_500));
    /// ```
    #[inline]
    pub fn insert(&mut self, deadline: u64, value: T) -> Key {
        let Wheel { arena, levels, elapsed, .. } = self;
        let key = arena.insert(deadline, value, |index| levels.place(index, deadline, *elapsed));
        count(&mut self.counts.armed);
        key
    }

    /// Adds a value without a deadline and returns the key to it: the entry is idle until it is
    /// [rescheduled](Wheel::reschedule). Constant cost. Panics as [`insert`](Wheel::insert) does.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert_idle('a');
    /// assert_eq!(wheel.deadline(key), None);
    /// assert!(wheel.reschedule(key, 10));
    /// assert_eq!(wheel.next_deadline(), Some(10));
    /// ```
    pub fn insert_idle(&mut self, value: T) -> Key {
        self.arena.insert(0, value, |_| NONE)
    }

    /// Takes the entry out of the wheel. `None` if the key is stale. Constant cost.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// assert_eq!(wheel.remove(key), Some('a'));
    /// assert_eq!(wheel.remove(key), None);
    /// ```
    #[inline]
    pub fn remove(&mut self, key: Key) -> Option<T> {
        // First the entry, while it is at hand: another one takes its list index.
        let (list_index, value) = self.arena.take(key)?;
        if list_index != NONE {
            count(&mut self.counts.cancelled);
            self.levels.unlink_at(&mut self.arena, list_index);
        }
        value
    }

    /// Gives the entry another deadline and schedules it if it was idle. `false`, and nothing
    /// done, if the key is stale. Constant cost.
    ///
    /// A later deadline usually costs one store: the entry stays in its slot until the slot is
    /// looked through. [`next_deadline`](Wheel::next_deadline) may then be too early, by at most
    /// what the entry was moved.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// assert!(wheel.reschedule(key, 20));
    /// assert_eq!(wheel.deadline(key), Some(20));
    /// ```
    pub fn reschedule(&mut self, key: Key, deadline: u64) -> bool {
        let Some(entry) = self.arena.get_mut(key) else {
            return false;
        };
        let list_index = entry.list_index;
        // An entry alone in its slot is moved at once: that touches no other entry and keeps
        // the slot's minimum exact.
        if list_index != NONE && deadline >= entry.deadline && !self.levels.is_alone(list_index) {
            count(&mut self.counts.postponed);
            entry.deadline = deadline;
            return true;
        }
        self.relink(key.index, deadline);
        true
    }

    /// Puts an entry into the slot where it belongs with this deadline.
    #[inline(never)]
    fn relink(&mut self, index: u32, deadline: u64) {
        let was_idle = self.arena.at(index).list_index == NONE;
        count(if was_idle { &mut self.counts.armed } else { &mut self.counts.postponed });
        self.levels.unlink(&mut self.arena, index);
        self.arena.at_mut(index).deadline = deadline;
        self.levels.link(&mut self.arena, index, self.elapsed);
    }

    /// Takes the deadline away: the entry stays in the wheel, idle, until it is rescheduled or
    /// removed. `false` if the key is stale. Constant cost.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// assert!(wheel.unschedule(key));
    /// assert_eq!(wheel.deadline(key), None);
    /// assert_eq!(wheel.next_deadline(), None);
    /// assert_eq!(wheel.get(key), Some(&'a'));
    /// ```
    pub fn unschedule(&mut self, key: Key) -> bool {
        if !self.arena.contains(key) {
            return false;
        }
        if self.arena.at(key.index).list_index != NONE {
            count(&mut self.counts.cancelled);
        }
        self.levels.unlink(&mut self.arena, key.index);
        true
    }

    /// The value of an entry, or `None` if the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// assert_eq!(wheel.get(key), Some(&'a'));
    /// ```
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        self.arena.value(key)
    }

    /// The value of an entry for change, or `None` if the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// *wheel.get_mut(key).unwrap() = 'b';
    /// assert_eq!(wheel.remove(key), Some('b'));
    /// ```
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.arena.value_mut(key)
    }

    /// Returns `true` if the key leads to an entry.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// wheel.clear();
    /// assert!(!wheel.contains(key));
    /// ```
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.arena.contains(key)
    }

    /// The deadline of an entry in nanoseconds, or `None` if it is idle or the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let key = wheel.insert(10, 'a');
    /// assert_eq!(wheel.deadline(key), Some(10));
    /// ```
    #[must_use]
    pub fn deadline(&self, key: Key) -> Option<u64> {
        let entry = self.arena.get(key)?;
        (entry.list_index != NONE).then_some(entry.deadline)
    }

    /// A lower bound of the earliest deadline in nanoseconds, or `None` if nothing is scheduled.
    ///
    /// It is the earliest deadline itself unless the entry that had it was removed or moved
    /// since; then it is at most one needless look too early. Looks at one slot a level,
    /// whatever the population.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// wheel.insert(90_000_000_000_000, "tomorrow");
    /// wheel.insert(70, "soon");
    /// assert_eq!(wheel.next_deadline(), Some(70));
    /// ```
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.levels.earliest(self.elapsed).map(|(_, minimum)| minimum)
    }

    /// Returns the key and the deadline, in nanoseconds, of the entry that is due first, or `None`
    /// if nothing is scheduled. Of several that are due first, any.
    ///
    /// Unlike [`next_deadline`](Wheel::next_deadline) this is always exact. It costs a walk over
    /// the entries of one slot, those that are due within some 65 µs or in the same span of a
    /// higher level, and of more slots where the earliest entries were postponed.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// let soon = wheel.insert(70, "soon");
    /// let sooner = wheel.insert(60, "sooner");
    /// assert_eq!(wheel.peek(), Some((sooner, 60)));
    /// wheel.remove(sooner);
    /// assert_eq!(wheel.peek(), Some((soon, 70)));
    /// ```
    #[must_use]
    pub fn peek(&self) -> Option<(Key, u64)> {
        let (index, deadline) = self.levels.first_entry(&self.arena, self.elapsed)?;
        Some((self.arena.key(index), deadline))
    }

    /// Returns how far the wheel's time has come, in nanoseconds: the latest time up to which
    /// everything due has expired. It never goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::<char>::new();
    /// wheel.expire(5_000, usize::MAX, |_, _, _| ());
    /// assert_eq!(wheel.elapsed(), 5_000);
    /// ```
    #[must_use]
    pub fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Returns how often what was done.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The number of entries, idle ones included.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// wheel.insert(10, 'a');
    /// assert_eq!(wheel.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Returns `true` if there are no entries, not even idle ones.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(async_wheel::wheel::Wheel::<char>::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arena.len() == 0
    }

    /// Drops all entries. Their keys become stale; the elapsed time and the memory stay.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut wheel = async_wheel::wheel::Wheel::new();
    /// wheel.insert(10, 'a');
    /// wheel.clear();
    /// assert!(wheel.is_empty());
    /// ```
    pub fn clear(&mut self) {
        // The lists at once, not entry by entry.
        self.arena.unschedule_all();
        self.levels.clear();
        self.drain().for_each(drop);
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Wheel<T> {
        Wheel::new()
    }
}

impl<T, M: Memory> fmt::Debug for Wheel<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("len", &self.len())
            .field("elapsed", &self.elapsed)
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
