//! What a queue of the program has to do, entry by entry.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::clock;
use crate::delay_queue::Key;
use crate::value::Kind;

/// How far from the time when a queue was made its deadlines are exact, and come at all.
const REACH: Duration = Duration::from_nanos((1 << 63) - 1);

/// The longest that entries wait for others where they are dense, and timers, as documented.
pub(crate) const DELAY: Duration = Duration::from_micros(500);

/// What comes to less than 8,000 entries a second, in the 16 ms over which they are counted, is not
/// dense.
const SPARSE: usize = 128;

/// An entry that is in the queue, or on the way to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) deadline: Option<Instant>,
    /// When it was given that. What is overdue by then comes as if it were due then.
    given: Instant,
    /// Whether its value panics when it is dropped.
    pub(crate) panics: bool,
}

impl Entry {
    pub(crate) fn new(deadline: Option<Instant>, kind: Kind) -> Entry {
        Entry { deadline, given: clock::now(), panics: kind.panics() }
    }

    /// Its place in the order.
    fn rank(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.max(self.given))
    }
}

/// What a handle has asked for. Entries go by the numbers of their values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Insert(usize, Entry),
    Reset(usize, Option<Instant>),
    Remove(usize),
    /// With the key of an entry of another queue.
    Nothing,
}

/// A task that was told to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) task: usize,
    /// The step at which its poll began: a wake after that counts.
    pub(crate) since: usize,
}

#[derive(Debug)]
pub(crate) struct Model {
    made: Instant,
    pub(crate) entries: BTreeMap<usize, Entry>,
    pub(crate) inbox: Vec<Asked>,
    /// Entries that it has yielded.
    pub(crate) yielded: usize,
    /// How often handles have done something that a poll may find.
    pub(crate) touched: usize,
    pub(crate) handles: usize,
    pub(crate) is_gone: bool,
    pub(crate) wait: Option<Wait>,
    /// Tasks whose wakers the queue may have, as bits.
    pub(crate) known_tasks: u8,
    /// The shard of the queue's timer, if it has been armed.
    pub(crate) shard: Option<usize>,
}

impl Model {
    pub(crate) fn new() -> Model {
        Model {
            made: clock::now(),
            entries: BTreeMap::new(),
            inbox: Vec::new(),
            yielded: 0,
            touched: 0,
            handles: 0,
            is_gone: false,
            wait: None,
            known_tasks: 0,
            shard: None,
        }
    }

    /// The deadline that an entry has if it is given this one.
    pub(crate) fn reached(&self, deadline: Option<Instant>) -> Option<Instant> {
        let deadline = deadline?;
        if deadline.saturating_duration_since(self.made) > REACH {
            return None;
        }
        let first = self.made - REACH - Duration::from_nanos(1);
        Some(deadline.max(first))
    }

    pub(crate) fn insert(&mut self, id: usize, entry: Entry) {
        let deadline = self.reached(entry.deadline);
        self.entries.insert(id, Entry { deadline, given: clock::now(), ..entry });
    }

    /// `false` if there is no such entry.
    pub(crate) fn reset(&mut self, id: usize, deadline: Option<Instant>) -> bool {
        let deadline = self.reached(deadline);
        let entry = self.entries.get_mut(&id);
        entry.map(|entry| (entry.deadline, entry.given) = (deadline, clock::now())).is_some()
    }

    /// A handle asks for something.
    pub(crate) fn ask(&mut self, asked: Asked) {
        self.inbox.push(asked);
        self.touched += 1;
    }

    /// Carries out what handles have asked for. `true` if a value that is dropped by that panics.
    pub(crate) fn receive(&mut self) -> bool {
        let mut panics = false;
        for asked in std::mem::take(&mut self.inbox) {
            match asked {
                Asked::Insert(id, entry) => self.insert(id, entry),
                Asked::Reset(id, deadline) => _ = self.reset(id, deadline),
                Asked::Remove(id) => {
                    panics |= self.entries.remove(&id).is_some_and(|entry| entry.panics);
                }
                Asked::Nothing => {}
            }
        }
        panics
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.deadline).min()
    }

    /// The deadline before which nothing comes that is not about as early.
    pub(crate) fn first_rank(&self) -> Option<Instant> {
        self.entries.values().filter_map(Entry::rank).min()
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.first().is_some_and(|first| first <= now)
    }

    /// When a task that waits has to have been woken for the earliest deadline, if rounds are run.
    pub(crate) fn must_wake(&self) -> Option<Instant> {
        let delay = if self.yielded < SPARSE { Duration::ZERO } else { DELAY };
        self.first().map(|first| first + delay)
    }

    /// Whether the stream ends with the next poll.
    pub(crate) fn is_over(&self) -> bool {
        self.entries.is_empty() && self.inbox.is_empty() && self.handles == 0
    }

    /// The queue is dropped. `true` if a value panics by that.
    pub(crate) fn end(&mut self) -> bool {
        (self.is_gone, self.wait, self.known_tasks) = (true, None, 0);
        let panics = |asked: Asked| matches!(asked, Asked::Insert(_, entry) if entry.panics);
        let asked = std::mem::take(&mut self.inbox).into_iter().any(panics);
        std::mem::take(&mut self.entries).values().any(|entry| entry.panics) || asked
    }
}

/// Keys by the numbers of values. One of a handle's may be learnt by its entry first.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<Known>);

#[derive(Debug)]
struct Known {
    side: usize,
    key: Option<Key>,
}

impl Keys {
    /// A number for a value that is going to be inserted.
    pub(crate) fn number(&mut self, side: usize) -> usize {
        self.0.push(Known { side, key: None });
        self.0.len() - 1
    }

    /// The key of an entry: the same whoever returns it, and no other's.
    pub(crate) fn learn(&mut self, id: usize, key: Key) {
        match self.0[id].key {
            Some(known) => assert_eq!(key, known, "another key of the same entry"),
            None => {
                let is_new = self.0.iter().all(|known| known.key != Some(key));
                assert!(is_new, "two entries have one key");
                self.0[id].key = Some(key);
            }
        }
    }

    /// One of the latest that were given out.
    pub(crate) fn pick(&self, pick: u8) -> Option<(usize, usize, Key)> {
        let back = usize::from(pick).checked_rem(self.0.len())?;
        let id = self.0.len() - 1 - back;
        Some((id, self.0[id].side, self.0[id].key?))
    }

    /// The key of a value, if its insertion has returned.
    pub(crate) fn of(&self, id: usize) -> Option<Key> {
        self.0[id].key
    }
}
