//! The wakers of those who wait in one queue, by keys that stay valid while others come and go.
//!
//! A list in the order of arrival. A key is a number that no other waiter ever gets, so that the
//! key of a waiter whose waker was taken finds nothing, whoever came after it. What is removed
//! leaves a hole until there are more holes than waiters; then the list is compacted. So the list
//! is at most `2 * waiters + SPARE` long, a walk follows the number that wait *now*, and memory
//! is given back, at a cost that is amortised over the removals.

use std::task::Waker;

/// What a list may keep in excess of what it needs.
const SPARE: usize = 16;

/// Names one who waits, or waited.
pub(crate) type WaiterKey = u64;

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// By key, ascending. `None`: removed.
    list: Vec<(WaiterKey, Option<Waker>)>,
    /// Those in the list that are not removed.
    live: usize,
    /// The next key. It lasts for centuries at one a nanosecond.
    next: WaiterKey,
}

impl Waiters {
    /// Puts a waker in for a waiter, in the place of the one that it had there, if any, which is
    /// returned to be dropped outside the lock.
    #[must_use]
    pub(super) fn put(&mut self, key: &mut Option<WaiterKey>, waker: Waker) -> Option<Waker> {
        if let Some(index) = key.and_then(|key| self.find(key)) {
            return self.list[index].1.replace(waker);
        }
        *key = Some(self.push(waker));
        None
    }

    /// Adds a waiter.
    pub(super) fn push(&mut self, waker: Waker) -> WaiterKey {
        let key = self.next;
        self.next += 1;
        self.list.push((key, Some(waker)));
        self.live += 1;
        key
    }

    /// Removes a waiter. Returns its waker, to be dropped outside the lock.
    #[must_use]
    pub(super) fn remove(&mut self, key: WaiterKey) -> Option<Waker> {
        let index = self.find(key)?;
        let waker = self.list[index].1.take();
        self.live -= 1;
        while self.list.last().is_some_and(|(_, waker)| waker.is_none()) {
            self.list.pop();
        }
        if self.list.len() > 2 * self.live + SPARE {
            self.list.retain(|(_, waker)| waker.is_some());
        }
        self.give_back();
        waker
    }

    /// Takes all waiters out and moves their wakers to `wakers`.
    pub(super) fn take_all(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.list.drain(..).filter_map(|(_, waker)| waker));
        self.live = 0;
        self.give_back();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    fn find(&self, key: WaiterKey) -> Option<usize> {
        let index = self.list.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.list[index].1.is_some().then_some(index)
    }

    /// Gives memory back once it is four times what is in use. Then it is twice that, so that it
    /// takes as many comings or goings as there are waiters to move it again.
    fn give_back(&mut self) {
        if self.list.capacity() > 4 * self.list.len() + 2 * SPARE {
            self.list.shrink_to(2 * self.list.len() + SPARE);
        }
    }

    /// How long the list is, and for how many there is memory.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.list.len(), self.list.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(waiting: &mut Waiters, size: usize) -> Vec<WaiterKey> {
        (0..size).map(|_| waiting.push(Waker::noop().clone())).collect()
    }

    /// An event walks the list under two locks.
    #[test]
    fn removed_waiters_lengthen_no_later_walk() {
        let mut waiting = Waiters::default();
        let keys = crowd(&mut waiting, 100_000);
        // The last one stays: what is above all others must not hold the rest.
        for (removed, key) in keys[..99_999].iter().enumerate() {
            assert!(waiting.remove(*key).is_some());
            let live = 99_999 - removed;
            let (len, capacity) = waiting.size();
            assert!(len <= 2 * live + SPARE, "{live} wait in a list of {len}");
            assert!(capacity <= 4 * len + 2 * SPARE || capacity <= 131_072 && len > 30_000);
        }
        assert!(waiting.size().1 <= 6 * SPARE, "{:?}", waiting.size());
        let mut wakers = Vec::new();
        waiting.take_all(&mut wakers);
        assert_eq!(wakers.len(), 1);
    }

    /// It may be twice as long as there are waiters, and a few more, and not one longer.
    #[test]
    fn list_is_compacted_when_too_long() {
        let (left, mut waiting) = (10, Waiters::default());
        let most = 2 * left + SPARE;
        let keys = crowd(&mut waiting, most);
        for key in &keys[..most - left] {
            assert!(waiting.remove(*key).is_some());
            assert_eq!(waiting.size().0, most);
        }
        assert!(waiting.remove(keys[most - left]).is_some());
        assert_eq!(waiting.size().0, left - 1);
    }

    #[test]
    fn claimed_crowd_gives_its_memory_back() {
        let mut waiting = Waiters::default();
        crowd(&mut waiting, 100_000);
        let mut wakers = Vec::new();
        waiting.take_all(&mut wakers);
        assert_eq!(wakers.len(), 100_000);
        assert!(waiting.is_empty());
        assert!(waiting.size().1 <= 2 * SPARE, "{:?}", waiting.size());
    }

    /// Counted in moves of entries, which is what growing, compacting and shrinking cost.
    #[test]
    fn coming_and_going_at_any_size_is_amortised() {
        for size in [0, 1, 15, 16, 17, 100, 1_000, 4_096] {
            let mut waiting = Waiters::default();
            let mut keys = std::collections::VecDeque::from(crowd(&mut waiting, size));
            let (mut moved, mut before) = (0, waiting.size());
            for round in 0..20_000 {
                keys.push_back(waiting.push(Waker::noop().clone()));
                // By turns the oldest and the newest.
                let gone = if round % 2 == 0 { keys.pop_front() } else { keys.pop_back() };
                assert!(waiting.remove(gone.unwrap()).is_some());
                let after = waiting.size();
                if after.1 != before.1 || after.0 + 1 < before.0 {
                    moved += before.0;
                }
                before = after;
            }
            assert!(moved <= 20_000 * 4, "{size}: {moved}");
        }
    }

    #[test]
    fn key_of_a_claimed_waiter_finds_nobody_else() {
        let mut waiting = Waiters::default();
        let mut key = None;
        assert!(waiting.put(&mut key, Waker::noop().clone()).is_none());
        let old = key;
        let mut wakers = Vec::new();
        waiting.take_all(&mut wakers);
        let mut other = None;
        assert!(waiting.put(&mut other, Waker::noop().clone()).is_none());
        assert!(waiting.remove(old.unwrap()).is_none());
        assert!(waiting.put(&mut key, Waker::noop().clone()).is_none(), "a place of its own");
        assert_ne!(key, other);
        assert!(waiting.put(&mut key, Waker::noop().clone()).is_some(), "its own, replaced");
        assert!(waiting.remove(other.unwrap()).is_some());
        assert!(waiting.remove(key.unwrap()).is_some());
        assert!(waiting.is_empty());
    }
}
