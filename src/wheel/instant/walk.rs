//! What is due, and walking over the entries.

use std::time::Instant;

use super::InstantWheel;
use crate::wheel::{Key, Progress};

impl<T> InstantWheel<T> {
    /// Takes out the entries that are due at `now` and passes each to `f`, with its key, by then
    /// stale, and its deadline. See [`Wheel::expire`](crate::wheel::Wheel::expire) for the budget,
    /// the order and the costs.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// wheel.insert(now, 'a');
    /// wheel.insert_after(now, Duration::from_secs(1), 'b');
    /// let mut out = Vec::new();
    /// let done = wheel.expire(now, 100, |_key, deadline, value| out.push((deadline, value)));
    /// assert_eq!(out, [(now, 'a')]);
    /// assert!(!done.more);
    /// ```
    pub fn expire(
        &mut self,
        now: Instant,
        budget: usize,
        mut f: impl FnMut(Key, Instant, T),
    ) -> Progress {
        let epoch = self.epoch;
        self.wheel.expire(epoch.elapsed(now), budget, |key, deadline, value| {
            f(key, epoch.instant(deadline), value);
        })
    }

    /// Like [`expire`](InstantWheel::expire), but leaves the entries in the wheel, idle, and passes
    /// references to their values to `f`. See [`Wheel::fire`](crate::wheel::Wheel::fire).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut wheel = InstantWheel::new(now);
    /// let key = wheel.insert(now, 0);
    /// let done = wheel.fire(now, 100, |_key, _deadline, fired| *fired += 1);
    /// assert_eq!(done.expired, 1);
    /// assert_eq!(wheel.get(key), Some(&1));
    /// ```
    pub fn fire(
        &mut self,
        now: Instant,
        budget: usize,
        mut f: impl FnMut(Key, Instant, &mut T),
    ) -> Progress {
        let epoch = self.epoch;
        self.wheel.fire(epoch.elapsed(now), budget, |key, deadline, value| {
            f(key, epoch.instant(deadline), value);
        })
    }

    /// Takes out the entries that are due at `now`, one for each step of the iterator. What was not
    /// taken when the iterator is dropped stays in the wheel, due. See
    /// [`Wheel::drain_expired`](crate::wheel::Wheel::drain_expired).
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
    /// assert!(wheel.drain_expired(now).eq([(key, now, 'a')]));
    /// ```
    pub fn drain_expired(&mut self, now: Instant) -> impl Iterator<Item = (Key, Instant, T)> {
        let epoch = self.epoch;
        let expired = self.wheel.drain_expired(epoch.elapsed(now));
        expired.map(move |(key, deadline, value)| (key, epoch.instant(deadline), value))
    }

    /// Takes out one entry that is due at `now`.
    pub(crate) fn expire_next(&mut self, now: Instant) -> Option<(Key, Instant, T)> {
        let (key, deadline, value) = self.wheel.expire_next(self.epoch.elapsed(now))?;
        Some((key, self.epoch.instant(deadline), value))
    }

    /// Iterates over all entries, idle ones included, with their deadlines (`None` for an idle
    /// one), in no particular order. Costs a walk over the capacity.
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
    /// assert!(wheel.iter().eq([(key, Some(now), &'a')]));
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Key, Option<Instant>, &T)> {
        let instant = |deadline| self.epoch.instant(deadline);
        self.wheel.iter().map(move |(key, deadline, value)| (key, deadline.map(instant), value))
    }

    /// Iterates over all entries, idle ones included, so that their values can be changed. See
    /// [`Wheel::iter_mut`](crate::wheel::Wheel::iter_mut).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// let key = wheel.insert(Instant::now(), 1);
    /// wheel.iter_mut().for_each(|(_key, _deadline, value)| *value += 1);
    /// assert_eq!(wheel.get(key), Some(&2));
    /// ```
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (Key, Option<Instant>, &mut T)> {
        let epoch = self.epoch;
        let instant = move |deadline| epoch.instant(deadline);
        self.wheel.iter_mut().map(move |(key, deadline, value)| (key, deadline.map(instant), value))
    }

    /// Keeps the entries for which `keep` returns `true`, and drops the others. See
    /// [`Wheel::retain`](crate::wheel::Wheel::retain).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::wheel::InstantWheel;
    /// use std::time::Instant;
    ///
    /// let mut wheel = InstantWheel::new(Instant::now());
    /// wheel.insert(Instant::now(), 'a');
    /// let key = wheel.insert(Instant::now(), 'b');
    /// wheel.retain(|_key, _deadline, value| *value == 'b');
    /// assert_eq!(wheel.len(), 1);
    /// assert!(wheel.contains(key));
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(Key, Option<Instant>, &mut T) -> bool) {
        let epoch = self.epoch;
        self.wheel.retain(|key, deadline, value| {
            keep(key, deadline.map(|deadline| epoch.instant(deadline)), value)
        });
    }

    /// Takes all entries out, idle ones included, in no particular order, each with its deadline.
    /// See [`Wheel::drain`](crate::wheel::Wheel::drain).
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
    /// assert!(wheel.drain().eq([(Some(now), 'a')]));
    /// ```
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (Option<Instant>, T)> {
        let epoch = self.epoch;
        let instant = move |deadline| epoch.instant(deadline);
        self.wheel.drain().map(move |(deadline, value)| (deadline.map(instant), value))
    }
}
