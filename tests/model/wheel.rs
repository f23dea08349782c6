//! A timing wheel beside a sorted map that does the same, and operations to drive both with.
//!
//! Included by `tests/wheel_model.rs` (operations from proptest) and by the fuzz target `wheel`
//! (operations from bytes). [`Pair::apply`] performs one operation on both and panics where
//! they differ.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use async_wheel::wheel::{Key, Wheel};

/// Entries come out in the order of their deadlines counted in this unit (the documented one).
const ORDER_WIDTH: u32 = 16;

/// Entries that one pair may hold: enough for several blocks of memory, few enough to be quick.
const MOST_ENTRIES: usize = 2_000;

const YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;

/// What a time is counted from.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Anchor {
    Zero,
    Now,
    Position,
    /// The deadline of an entry, to make deadlines equal or nearly so.
    Deadline(u16),
}

/// How far a time is from its anchor. Edges of slots and of levels are powers of 64 and of two.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Distance {
    Nothing,
    PowerOfTwo(u8),
    SlotOfLevel { level: u8, slots: u8 },
    Short(u16),
    Years(u8),
    Any(u64),
    Max,
}

/// A point in time.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Time {
    pub anchor: Anchor,
    pub distance: Distance,
    /// Before the anchor instead of after it.
    pub before: bool,
    /// One nanosecond less (0), none (1), or one more (2); from 3 on none.
    pub nudge: u8,
}

/// How many entries may expire in a call.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Budget {
    AtMost(u8),
    Unlimited,
}

/// One operation. A `u16` picks one of the keys that were ever given out, stale ones included.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Operation {
    Insert(Time),
    InsertEqual {
        time: Time,
        count: u8,
    },
    Remove(u16),
    Look(u16),
    Reschedule(u16, Time),
    Unschedule(u16),
    Clock(Time),
    /// The clock moves to what the wheel says is next, as a reactor would make it.
    ClockToNext {
        nudge: u8,
    },
    Expire(Budget),
    Fire(Budget),
    /// Insert and remove at once, over and over: must not make the wheel grow.
    Churn {
        time: Time,
        rounds: u8,
    },
    Clear,
    Drain {
        taken: u8,
    },
    Iterate,
    Shrink,
    Reserve(u16),
    /// Keeps the entries whose identities have this remainder of three, or not.
    Retain(u8),
    DrainExpired {
        taken: u8,
    },
}

/// A value that knows how many of its kind there are, so that none is lost or dropped twice.
#[derive(Debug)]
struct Value {
    identity: u64,
    alive: Rc<Cell<usize>>,
}

impl Drop for Value {
    fn drop(&mut self) {
        let alive = self.alive.get();
        self.alive.set(alive.checked_sub(1).expect("a value was dropped twice"));
    }
}

/// What the model knows of an entry.
#[derive(Clone, Copy, Debug)]
struct Known {
    identity: u64,
    deadline: Option<u64>,
}

/// The wheel and its model.
#[derive(Debug)]
pub struct Pair {
    wheel: Wheel<Value>,
    known: BTreeMap<Key, Known>,
    /// The deadlines of `known`, sorted.
    scheduled: BTreeSet<(u64, Key)>,
    /// Deadlines that are no more, but that the wheel may still take for the next one. Those up
    /// to the time of an expiry that ran to its end are forgotten by both.
    ghosts: BTreeSet<u64>,
    /// Every key ever given out.
    keys: Vec<Key>,
    now: u64,
    elapsed: u64,
    inserted: u64,
    alive: Rc<Cell<usize>>,
    /// The most entries that there was ever asked room for.
    most: usize,
}

impl Pair {
    /// Both empty.
    pub fn new() -> Pair {
        Pair {
            wheel: Wheel::new(),
            known: BTreeMap::new(),
            scheduled: BTreeSet::new(),
            ghosts: BTreeSet::new(),
            keys: Vec::new(),
            now: 0,
            elapsed: 0,
            inserted: 0,
            alive: Rc::new(Cell::new(0)),
            most: 0,
        }
    }

    /// Performs one operation on both and compares them.
    pub fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Insert(time) => {
                let deadline = self.time(time);
                self.insert(deadline);
            }
            Operation::InsertEqual { time, count } => {
                let deadline = self.time(time);
                for _ in 0..count {
                    self.insert(deadline);
                }
            }
            Operation::Remove(pick) => {
                if let Some(key) = self.pick(pick) {
                    self.remove(key);
                }
            }
            Operation::Look(pick) => self.look(pick),
            Operation::Reschedule(pick, time) => self.reschedule(pick, time),
            Operation::Unschedule(pick) => self.unschedule(pick),
            Operation::Clock(time) => self.now = self.time(time),
            Operation::ClockToNext { nudge: by } => {
                if let Some(next) = self.wheel.next_deadline() {
                    self.now = nudge(next, by);
                }
            }
            Operation::Expire(budget) => {
                self.hand_out(budget, false);
            }
            Operation::Fire(budget) => {
                self.hand_out(budget, true);
            }
            Operation::Churn { time, rounds } => {
                let deadline = self.time(time);
                for _ in 0..rounds {
                    if let Some(key) = self.insert(deadline) {
                        self.remove(key);
                        self.keys.pop();
                    }
                }
            }
            Operation::Clear => {
                self.wheel.clear();
                self.known.clear();
                self.ghosts.extend(self.scheduled.iter().map(|&(deadline, _)| deadline));
                self.scheduled.clear();
            }
            Operation::Drain { taken } => self.drain(taken),
            Operation::Iterate => self.iterate(),
            Operation::Shrink => self.wheel.shrink_to_fit(),
            Operation::Reserve(additional) => {
                let additional = usize::from(additional) % MOST_ENTRIES;
                self.wheel.reserve(additional);
                let wanted = self.known.len() + additional;
                assert!(self.wheel.capacity() >= wanted, "no room after reserve");
                self.most = self.most.max(wanted);
            }
            Operation::Retain(remainder) => self.retain((remainder % 3).into()),
            Operation::DrainExpired { taken } => self.drain_expired(taken.into()),
        }
        self.compare();
    }

    /// Lets all that is scheduled come out, a few at a time, and looks at what remains.
    pub fn finish(mut self) {
        self.iterate();
        self.now = u64::MAX;
        // Each call expires one entry or moves 16. An entry cascades seven times, goes up once
        // more, and down from there.
        let most_calls = self.scheduled.len() + self.scheduled.len() * 15 / 16 + 9;
        for call in 0.. {
            assert!(call < most_calls, "entries never come out: {:?}", self.scheduled);
            let more = self.hand_out(Budget::AtMost(1), false);
            self.compare();
            if !more {
                break;
            }
        }
        assert!(self.scheduled.is_empty(), "lost: {:?}", self.scheduled);
        self.iterate();
        drop(self.wheel);
        assert_eq!(self.alive.get(), 0, "values leaked");
    }

    fn time(&self, time: Time) -> u64 {
        let anchor = match time.anchor {
            Anchor::Zero => 0,
            Anchor::Now => self.now,
            Anchor::Position => self.wheel.elapsed(),
            Anchor::Deadline(pick) => {
                self.pick(pick).and_then(|key| self.known.get(&key)?.deadline).unwrap_or(self.now)
            }
        };
        let distance = match time.distance {
            Distance::Nothing => 0,
            Distance::PowerOfTwo(exponent) => 1 << (exponent % 64),
            Distance::SlotOfLevel { level, slots } => {
                u64::from(slots % 65).saturating_mul(1 << (ORDER_WIDTH + 6 * u32::from(level % 8)))
            }
            Distance::Short(distance) => distance.into(),
            Distance::Years(years) => YEAR * u64::from(years),
            Distance::Any(distance) => distance,
            Distance::Max => u64::MAX,
        };
        let time_at = if time.before {
            anchor.saturating_sub(distance)
        } else {
            anchor.saturating_add(distance)
        };
        nudge(time_at, time.nudge)
    }

    fn pick(&self, pick: u16) -> Option<Key> {
        let last = self.keys.len().checked_sub(1)?;
        // From the youngest: small picks mean the latest entries, whatever came before.
        Some(self.keys[last - usize::from(pick) % self.keys.len()])
    }

    fn insert(&mut self, deadline: u64) -> Option<Key> {
        if self.known.len() >= MOST_ENTRIES {
            return None;
        }
        let identity = self.inserted;
        self.inserted += 1;
        self.alive.set(self.alive.get() + 1);
        let alive = Rc::clone(&self.alive);
        let key = self.wheel.insert(deadline, Value { identity, alive });
        let known = Known { identity, deadline: Some(deadline) };
        assert!(self.known.insert(key, known).is_none(), "a key came twice");
        self.scheduled.insert((deadline, key));
        self.keys.push(key);
        self.most = self.most.max(self.known.len());
        Some(key)
    }

    fn remove(&mut self, key: Key) {
        let value = self.wheel.remove(key).map(|value| value.identity);
        let known = self.known.remove(&key);
        assert_eq!(value, known.map(|known| known.identity), "removed another");
        if let Some(deadline) = known.and_then(|known| known.deadline) {
            self.forget(deadline, key);
        }
    }

    fn forget(&mut self, deadline: u64, key: Key) {
        assert!(self.scheduled.remove(&(deadline, key)));
        self.ghosts.insert(deadline);
    }

    fn look(&mut self, pick: u16) {
        let Some(key) = self.pick(pick) else { return };
        let known = self.known.get(&key);
        let identity = known.map(|known| known.identity);
        assert_eq!(self.wheel.contains(key), known.is_some());
        assert_eq!(self.wheel.get(key).map(|value| value.identity), identity);
        assert_eq!(self.wheel.get_mut(key).map(|value| value.identity), identity);
        assert_eq!(self.wheel.deadline(key), known.and_then(|known| known.deadline));
    }

    fn reschedule(&mut self, pick: u16, time: Time) {
        let deadline = self.time(time);
        let Some(key) = self.pick(pick) else { return };
        let known = self.known.get_mut(&key);
        assert_eq!(self.wheel.reschedule(key, deadline), known.is_some());
        if let Some(known) = known {
            if let Some(former) = known.deadline.replace(deadline) {
                self.forget(former, key);
            }
            self.scheduled.insert((deadline, key));
        }
    }

    fn unschedule(&mut self, pick: u16) {
        let Some(key) = self.pick(pick) else { return };
        let known = self.known.get_mut(&key);
        assert_eq!(self.wheel.unschedule(key), known.is_some());
        if let Some(former) = known.and_then(|known| known.deadline.take()) {
            self.forget(former, key);
        }
    }

    /// Expires or fires, and returns whether there may be more.
    fn hand_out(&mut self, budget: Budget, fire: bool) -> bool {
        let budget = match budget {
            Budget::AtMost(budget) => usize::from(budget),
            Budget::Unlimited => usize::MAX,
        };
        let (now, start) = (self.now, self.wheel.elapsed());
        let mut out = Vec::new();
        let progress = if fire {
            self.wheel.fire(now, budget, |key, deadline, value| {
                out.push((key, deadline, value.identity));
            })
        } else {
            self.wheel.expire(now, budget, |key, deadline, value| {
                out.push((key, deadline, value.identity));
            })
        };
        assert_eq!(progress.expired, out.len());
        assert!(out.len() <= budget, "over budget");
        let mut latest = 0;
        for (key, deadline, identity) in out {
            assert!(deadline <= now, "early: {deadline} at {now}");
            let unit = deadline.max(start) >> ORDER_WIDTH;
            assert!(unit >= latest, "out of order: {deadline}");
            latest = unit;
            let known = self.known.get_mut(&key).expect("expired twice or after removal");
            assert_eq!(known.identity, identity, "another value under the key");
            assert_eq!(known.deadline.take(), Some(deadline), "another deadline");
            self.forget(deadline, key);
            if !fire {
                self.known.remove(&key);
            }
        }
        if progress.more {
            assert!(budget < usize::MAX, "stopped without a budget");
        } else {
            let due = self.scheduled.first().filter(|&&(deadline, _)| deadline <= now);
            assert!(due.is_none(), "left behind: {due:?} at {now}");
            if let Some(beyond) = now.checked_add(1) {
                self.ghosts = self.ghosts.split_off(&beyond);
            } else {
                self.ghosts.clear();
            }
            assert!(self.wheel.elapsed() >= now, "the elapsed did not come along");
        }
        progress.more
    }

    fn drain(&mut self, taken: u8) {
        let mut drain = self.wheel.drain();
        assert_eq!(drain.len(), self.known.len());
        let mut seen = BTreeSet::new();
        for (deadline, value) in drain.by_ref().take(taken.into()) {
            let known = self.known.values().find(|known| known.identity == value.identity);
            assert_eq!(known.map(|known| known.deadline), Some(deadline));
            assert!(seen.insert(value.identity), "drained twice");
        }
        assert_eq!(seen.len(), self.known.len().min(taken.into()));
        drop(drain);
        self.known.clear();
        self.ghosts.extend(self.scheduled.iter().map(|&(deadline, _)| deadline));
        self.scheduled.clear();
    }

    fn retain(&mut self, remainder: u64) {
        let known = &self.known;
        let mut seen = BTreeSet::new();
        self.wheel.retain(|key, deadline, value| {
            assert!(seen.insert(key), "seen twice");
            let Known { identity, deadline: expected } = known[&key];
            assert_eq!((value.identity, deadline), (identity, expected));
            identity % 3 == remainder
        });
        assert_eq!(seen.len(), self.known.len());
        let gone = |known: &Known| known.identity % 3 != remainder;
        let gone: Vec<_> =
            self.known.iter().filter(|(_, known)| gone(known)).map(|(&key, _)| key).collect();
        for key in gone {
            let known = self.known.remove(&key).expect("it was there a moment ago");
            if let Some(deadline) = known.deadline {
                self.forget(deadline, key);
            }
        }
    }

    fn drain_expired(&mut self, taken: usize) {
        let now = self.now;
        let mut drain = self.wheel.drain_expired(now);
        let mut out = Vec::new();
        for (key, deadline, value) in drain.by_ref().take(taken) {
            out.push((key, deadline, value.identity));
        }
        assert!(drain.size_hint().1 >= Some(self.known.len() - out.len()));
        drop(drain);
        let is_all = out.len() < taken;
        for (key, deadline, identity) in out {
            assert!(deadline <= now, "early: {deadline} at {now}");
            let known = self.known.remove(&key).expect("drained twice or after removal");
            assert_eq!((known.identity, known.deadline), (identity, Some(deadline)));
            self.forget(deadline, key);
        }
        if is_all {
            let due = self.scheduled.first().filter(|&&(deadline, _)| deadline <= now);
            assert!(due.is_none(), "left behind: {due:?} at {now}");
        }
    }

    fn iterate(&mut self) {
        let shared: Vec<_> = self.wheel.iter().map(|(key, ..)| key).collect();
        assert_eq!(self.wheel.iter_mut().len(), shared.len());
        assert!(self.wheel.iter_mut().map(|(key, ..)| key).eq(shared), "another order");
        for (key, deadline, value) in self.wheel.iter_mut() {
            let known = self.known[&key];
            assert_eq!((value.identity, deadline), (known.identity, known.deadline));
        }
        let mut seen: Vec<_> = self
            .wheel
            .iter()
            .map(|(key, deadline, value)| (key, deadline, value.identity))
            .collect();
        assert_eq!(self.wheel.iter().len(), seen.len());
        seen.sort_unstable();
        let expected: Vec<_> =
            self.known.iter().map(|(&key, known)| (key, known.deadline, known.identity)).collect();
        assert_eq!(seen, expected);
    }

    /// What must hold after every operation.
    fn compare(&mut self) {
        assert_eq!(self.wheel.len(), self.known.len());
        assert_eq!(self.wheel.is_empty(), self.known.is_empty());
        assert_eq!(self.alive.get(), self.known.len(), "values lost or kept");

        let truth = self.scheduled.first().map(|&(deadline, _)| deadline);
        let next = self.wheel.next_deadline();
        let excused = match (next, truth) {
            (Some(next), Some(truth)) => next < truth && self.ghosts.contains(&next),
            _ => false,
        };
        assert!(next == truth || excused, "next is {next:?}, should be {truth:?}");

        let peeked = self.wheel.peek();
        assert_eq!(peeked.map(|(_, deadline)| deadline), truth, "peeked at another");
        if let Some((key, deadline)) = peeked {
            assert!(self.scheduled.contains(&(deadline, key)), "not the key of that deadline");
        }

        let elapsed = self.wheel.elapsed();
        assert!(elapsed >= self.elapsed, "the elapsed went back");
        self.elapsed = elapsed;

        // Memory comes in blocks, of which one may be begun, and the first by doubling.
        let capacity = self.wheel.capacity();
        assert!(capacity < 2 * self.most + 128, "{capacity} for {} entries", self.most);
    }
}

fn nudge(time: u64, nudge: u8) -> u64 {
    match nudge {
        0 => time.saturating_sub(1),
        2 => time.saturating_add(1),
        _ => time,
    }
}
