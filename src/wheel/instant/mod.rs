//! A wheel whose deadlines are instants.

mod clock;
mod walk;

use std::fmt;
use std::time::{Duration, Instant};

use self::clock::Epoch;
use super::{Key, Wheel};

/// A timing wheel that holds values of type `T`, each with an [`Instant`] as its deadline.
///
/// It is a [`Wheel`] that counts its nanoseconds from the instant at which it was made, so that
/// the caller need not keep an epoch. It reads no clock either: what is due is asked for with the
/// time that it is.
///
/// Deadlines are exact for 292 years on either side of that instant. One after that never
/// comes: its entry is idle, as one whose time a [`Duration`] takes out of an `Instant`'s range.
/// One before that counts as 292 years before.
///
/// Costs are those of `Wheel`, and a few instructions for each deadline that goes in or out.
///
/// # Examples
///
/// Sessions that end half an hour after they were last used:
///
/// ```
/// use async_wheel::wheel::InstantWheel;
/// use std::time::{Duration, Instant};
///
/// const LIFE: Duration = Duration::from_secs(1800);
/// let start = Instant::now();
/// let mut sessions = InstantWheel::new(start);
/// let anna = sessions.insert_after(start, LIFE, "anna");
/// sessions.insert_after(start, LIFE, "bert");
///
/// // Anna is there again ten minutes later.
/// let later = start + Duration::from_secs(600);
/// sessions.reschedule_after(anna, later, LIFE);
///
/// let ended: Vec<_> = sessions.drain_expired(start + LIFE).map(|(_, _, name)| name).collect();
/// assert_eq!(ended, ["bert"]);
/// assert_eq!(sessions.next_deadline(), Some(later + LIFE));
/// ```
pub struct InstantWheel<T> {
    wheel: Wheel<T>,
    epoch: Epoch,
}

impl<T> InstantWheel<T> {
    /// Creates an empty wheel at the time `now`.
    ///
    /// Costs one allocation of about 12 KiB, as [`Wheel::new`] does. Deadlines before `now` are
    /// overdue, and none is lost, whatever `now` is; entries cost least if it is the present.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let wheel = InstantWheel::<&str>::new(Instant::now());
    /// assert_eq!(wheel.next_deadline(), None);
    /// ```
    #[must_use]
    pub fn new(now: Instant) -> InstantWheel<T> {
        let mut wheel = Wheel::new();
        let epoch = Epoch::new(now);
        // Empty: nothing expires, but its time comes along.
        let _ = wheel.expire(epoch.elapsed(now), 1, |_, _, _| ());
        InstantWheel { wheel, epoch }
    }

    /// Creates an empty wheel at the time `now` with room for `capacity` entries. Panics as
    /// [`Wheel::reserve`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let wheel = InstantWheel::<u8>::with_capacity(Instant::now(), 10_000);
    /// assert!(wheel.capacity() >= 10_000);
    /// ```
    #[must_use]
    pub fn with_capacity(now: Instant, capacity: usize) -> InstantWheel<T> {
        let mut wheel = InstantWheel::new(now);
        wheel.reserve(capacity);
        wheel
    }

    /// Adds a value that is due at `deadline` and returns the key to it. See [`Wheel::insert`],
    /// also for panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let key = wheel.insert(now, 'a');
    /// assert_eq!(wheel.deadline(key), Some(now));
    /// ```
    #[inline]
    pub fn insert(&mut self, deadline: Instant, value: T) -> Key {
        self.insert_at(self.epoch.deadline(deadline), value)
    }

    /// Adds a value that is due when `timeout` has passed from `now`, and returns the key to it.
    /// With a timeout that an `Instant` cannot count to, the entry is idle.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let second = Duration::from_secs(1);
    /// let key = wheel.insert_after(now, second, 'a');
    /// assert_eq!(wheel.deadline(key), Some(now + second));
    /// ```
    pub fn insert_after(&mut self, now: Instant, timeout: Duration, value: T) -> Key {
        self.insert_at(self.epoch.after(now, timeout), value)
    }

    /// Adds a value without a deadline: the entry is idle until it is rescheduled.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let key = wheel.insert_idle('a');
    /// assert_eq!((wheel.deadline(key), wheel.len()), (None, 1));
    /// assert!(wheel.reschedule(key, now));
    /// ```
    pub fn insert_idle(&mut self, value: T) -> Key {
        self.wheel.insert_idle(value)
    }

    #[inline]
    fn insert_at(&mut self, deadline: Option<u64>, value: T) -> Key {
        match deadline {
            Some(deadline) => self.wheel.insert(deadline, value),
            None => self.wheel.insert_idle(value),
        }
    }

    /// Takes the entry out of the wheel. `None` if the key is stale. See [`Wheel::remove`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// let key = wheel.insert(Instant::now(), 'a');
    /// assert_eq!(wheel.remove(key), Some('a'));
    /// assert_eq!(wheel.remove(key), None);
    /// ```
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.wheel.remove(key)
    }

    /// Gives the entry another deadline and schedules it if it was idle. `false`, and nothing
    /// done, if the key is stale. See [`Wheel::reschedule`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let key = wheel.insert(now, 'a');
    /// let later = now + Duration::from_secs(1);
    /// assert!(wheel.reschedule(key, later));
    /// assert_eq!(wheel.deadline(key), Some(later));
    /// ```
    #[inline]
    pub fn reschedule(&mut self, key: Key, deadline: Instant) -> bool {
        self.reschedule_at(key, self.epoch.deadline(deadline))
    }

    /// Gives the entry another deadline, when `timeout` has passed from `now`. With a timeout that
    /// an `Instant` cannot count to, the entry is idle from now on. `false`, and nothing done, if
    /// the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let key = wheel.insert(now, 'a');
    /// assert!(wheel.reschedule_after(key, now, Duration::from_secs(1)));
    /// assert_eq!(wheel.next_deadline(), Some(now + Duration::from_secs(1)));
    /// ```
    pub fn reschedule_after(&mut self, key: Key, now: Instant, timeout: Duration) -> bool {
        self.reschedule_at(key, self.epoch.after(now, timeout))
    }

    #[inline]
    fn reschedule_at(&mut self, key: Key, deadline: Option<u64>) -> bool {
        match deadline {
            Some(deadline) => self.wheel.reschedule(key, deadline),
            None => self.wheel.unschedule(key),
        }
    }

    /// Takes the deadline away: the entry stays in the wheel, idle, until it is rescheduled or
    /// removed. `false` if the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// let key = wheel.insert(Instant::now(), 'a');
    /// assert!(wheel.unschedule(key));
    /// assert_eq!(wheel.next_deadline(), None);
    /// ```
    pub fn unschedule(&mut self, key: Key) -> bool {
        self.wheel.unschedule(key)
    }

    /// Returns the value of an entry, or `None` if the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// let key = wheel.insert(Instant::now(), 'a');
    /// assert_eq!(wheel.get(key), Some(&'a'));
    /// ```
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        self.wheel.get(key)
    }

    /// Returns the value of an entry for change, or `None` if the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// let key = wheel.insert(Instant::now(), 'a');
    /// *wheel.get_mut(key).unwrap() = 'b';
    /// assert_eq!(wheel.get(key), Some(&'b'));
    /// ```
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.wheel.get_mut(key)
    }

    /// Returns `true` if the key leads to an entry.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// let key = wheel.insert(Instant::now(), 'a');
    /// wheel.clear();
    /// assert!(!wheel.contains(key));
    /// ```
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.wheel.contains(key)
    }

    /// Returns the deadline of an entry, or `None` if it is idle or the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let key = wheel.insert(now, 'a');
    /// assert_eq!(wheel.deadline(key), Some(now));
    /// ```
    #[must_use]
    pub fn deadline(&self, key: Key) -> Option<Instant> {
        self.wheel.deadline(key).map(|deadline| self.epoch.instant(deadline))
    }

    /// Returns a lower bound of the earliest deadline, or `None` if nothing is scheduled. See
    /// [`Wheel::next_deadline`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// wheel.insert(now, 'a');
    /// assert_eq!(wheel.next_deadline(), Some(now));
    /// ```
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.wheel.next_deadline().map(|deadline| self.epoch.instant(deadline))
    }

    /// Returns the key and the deadline of the entry that is due first, or `None` if nothing is
    /// scheduled. See [`Wheel::peek`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let key = wheel.insert(now, 'a');
    /// assert_eq!(wheel.peek(), Some((key, now)));
    /// ```
    #[must_use]
    pub fn peek(&self) -> Option<(Key, Instant)> {
        self.wheel.peek().map(|(key, deadline)| (key, self.epoch.instant(deadline)))
    }

    /// Returns the number of entries, idle ones included.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// wheel.insert(Instant::now(), 'a');
    /// wheel.insert_idle('b');
    /// assert_eq!(wheel.len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.wheel.len()
    }

    /// Returns `true` if there are no entries, not even idle ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// assert!(wheel.is_empty());
    /// wheel.insert_idle('a');
    /// assert!(!wheel.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wheel.is_empty()
    }

    /// Drops all entries. Their keys become stale; the memory stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// let key = wheel.insert(Instant::now(), 'a');
    /// wheel.clear();
    /// assert!(wheel.is_empty());
    /// assert_eq!(wheel.get(key), None);
    /// ```
    pub fn clear(&mut self) {
        self.wheel.clear();
    }

    /// Returns the number of entries that there is room for. See [`Wheel::capacity`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// assert_eq!(wheel.capacity(), 0);
    /// wheel.insert_idle('a');
    /// assert!(wheel.capacity() >= 1);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.wheel.capacity()
    }

    /// Makes room for `additional` entries beyond those that are there. See [`Wheel::reserve`],
    /// also for panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::<char>::new(Instant::now());
    /// wheel.reserve(1_000);
    /// assert!(wheel.capacity() >= 1_000);
    /// ```
    pub fn reserve(&mut self, additional: usize) {
        self.wheel.reserve(additional);
    }

    /// Gives back the blocks of memory that hold no entry. See [`Wheel::shrink_to_fit`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::<char>::with_capacity(Instant::now(), 10_000);
    /// wheel.shrink_to_fit();
    /// assert_eq!(wheel.capacity(), 0);
    /// ```
    pub fn shrink_to_fit(&mut self) {
        self.wheel.shrink_to_fit();
    }
}

impl<T> fmt::Debug for InstantWheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstantWheel")
            .field("len", &self.len())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
