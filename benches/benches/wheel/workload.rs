//! Structures with their populations, and what is done with them.

use std::cell::RefCell;

use fastrand::Rng;

use crate::peers::{Out, Peer};

/// Deadlines are spread over this time, and it takes this long until all have come.
const SPAN: u64 = 60_000 * MILLISECOND;
const MILLISECOND: u64 = 1_000_000;

/// How much later an entry is moved, and back.
const LATER: u64 = 700 * MILLISECOND;

/// In how many steps a minute passes.
pub const STEPS: usize = 1_000;

/// A structure that keeps its population. What prepares an operation also undoes one before.
pub struct Stand<P: Peer> {
    peer: P,
    random: Rng,
    /// The entries that stand, by what the structure takes for a key.
    handles: Vec<P::Handle>,
    /// Entries beside the population, with their deadlines.
    recent: Vec<(P::Handle, u64)>,
    /// The next of the recent ones.
    turn: usize,
    population: usize,
}

impl<P: Peer> Stand<P> {
    pub fn new(population: usize) -> Stand<P> {
        let mut stand = Stand {
            peer: P::new(),
            random: Rng::with_seed(population as u64),
            handles: Vec::with_capacity(population + 1),
            recent: Vec::new(),
            turn: 0,
            population,
        };
        for tag in 0..population {
            let deadline = stand.deadline();
            let handle = stand.peer.insert(deadline, tag);
            stand.handles.push(handle);
        }
        stand
    }

    /// For what prepares and what is timed, which take turns.
    pub fn shared(population: usize) -> RefCell<Stand<P>> {
        RefCell::new(Stand::new(population))
    }

    /// Within the span, but not so near that it comes due by itself.
    fn deadline(&mut self) -> u64 {
        1_000 * MILLISECOND + self.random.u64(..SPAN)
    }

    pub fn remove_recent_for_deadline(&mut self) -> u64 {
        if let Some((handle, _)) = self.recent.pop() {
            self.peer.remove(handle);
        }
        self.deadline()
    }

    pub fn insert_recent(&mut self, deadline: u64) {
        let handle = self.peer.insert(deadline, self.population);
        self.recent.push((handle, deadline));
    }

    pub fn remove_random_for_deadline(&mut self) -> u64 {
        let handle = self.take_random();
        self.peer.remove(handle);
        self.deadline()
    }

    fn take_random(&mut self) -> P::Handle {
        if self.handles.is_empty() {
            // More are taken at a time than there are.
            return self.insert_for_handle();
        }
        let index = self.random.usize(..self.handles.len());
        self.handles.swap_remove(index)
    }

    pub fn insert(&mut self, deadline: u64) {
        let handle = self.peer.insert(deadline, self.population);
        self.handles.push(handle);
    }

    pub fn insert_for_handle(&mut self) -> P::Handle {
        let deadline = self.deadline();
        self.peer.insert(deadline, self.population)
    }

    pub fn refill_for_random_handle(&mut self) -> P::Handle {
        // Twice as many come as are taken, until it is as it was.
        for _ in 0..2 {
            if self.handles.len() < self.population {
                let deadline = self.deadline();
                self.insert(deadline);
            }
        }
        self.take_random()
    }

    pub fn remove(&mut self, handle: P::Handle) {
        self.peer.remove(handle);
    }

    pub fn renew_recent_for_later(&mut self) -> (usize, u64) {
        let (index, deadline) = self.renew_recent(0);
        (index, deadline + LATER)
    }

    pub fn renew_recent_for_earlier(&mut self) -> (usize, u64) {
        self.renew_recent(LATER)
    }

    /// Puts a new entry in the place of a recent one. Returns its place, and a deadline that is so
    /// much before the entry's own.
    fn renew_recent(&mut self, before: u64) -> (usize, u64) {
        let deadline = self.deadline();
        let handle = self.peer.insert(deadline + before, self.population);
        if self.recent.len() < crate::BATCH as usize {
            self.recent.push((handle, deadline));
            return (self.recent.len() - 1, deadline);
        }
        self.turn = (self.turn + 1) % self.recent.len();
        let (old, _) = std::mem::replace(&mut self.recent[self.turn], (handle, deadline));
        self.peer.remove(old);
        (self.turn, deadline)
    }

    pub fn reschedule(&mut self, index: usize, deadline: u64) {
        self.peer.reschedule(&mut self.recent[index].0, deadline);
    }

    pub fn next_deadline(&mut self) -> Option<u64> {
        self.peer.next_deadline()
    }

    pub fn expire_nothing(&mut self) {
        assert_eq!(self.peer.expire(0, &mut Vec::new()), 0);
    }
}

/// A structure whose entries come out once a minute, and are put back for the next.
pub struct Minute<P: Peer> {
    peer: P,
    out: Out,
    now: u64,
}

impl<P: Peer> Minute<P> {
    /// The first minute, which only brings it to the state that it keeps, has passed.
    pub fn shared(population: usize) -> RefCell<Minute<P>> {
        let mut minute =
            Minute { peer: P::new(), out: Vec::with_capacity(population / 100), now: 0 };
        let mut random = Rng::with_seed(population as u64);
        for tag in 0..population {
            minute.peer.insert(1 + random.u64(..SPAN), tag);
        }
        for _ in 0..STEPS {
            let now = minute.put_back();
            minute.step(now);
        }
        RefCell::new(minute)
    }

    /// Puts back what has come out. Returns the end of the next step.
    pub fn put_back(&mut self) -> u64 {
        for (deadline, tag) in self.out.drain(..) {
            self.peer.insert(deadline + SPAN, tag);
        }
        self.now += SPAN / STEPS as u64;
        self.now
    }

    pub fn step(&mut self, now: u64) {
        self.peer.expire(now, &mut self.out);
    }
}
