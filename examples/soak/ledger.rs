//! Who accounts for every connection: what its peer knows of it is held against what the
//! server knows of it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lives::Kind;
use super::server::Ending;

/// Complaints that are kept in words; more are counted only.
const MOST_WORDS: usize = 20;

/// A connection: the peer's address, and the how many-th it is from there since all from there
/// were accounted for. The n-th that the server accepts from an address is the n-th that was
/// connected from it.
pub type Ticket = (SocketAddr, u64);

/// What a peer saw of the end of its connection.
#[derive(Debug)]
pub enum Saw {
    /// It ended it itself.
    Left,
    /// The server had dropped it.
    Dropped,
    /// It waited to be dropped, and left.
    GaveUp,
    /// What should not be.
    Wrong(String),
}

/// What a peer says when it is gone.
pub struct Left {
    pub kind: Kind,
    pub saw: Saw,
    /// A moment at or before which the server last heard of it.
    pub heard: Instant,
}

/// What the server says when a connection has ended.
pub struct Ended {
    pub ending: Ending,
    /// How long nothing was answered.
    pub silent: Duration,
    pub at: Instant,
}

/// What is known of a connection that one side has not told of yet.
enum Half {
    Left(Left),
    Ended(Ended),
}

/// See the [module documentation](self).
pub struct Ledger {
    idle: Duration,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    addresses: HashMap<SocketAddr, Address>,
    halves: HashMap<Ticket, Half>,
    totals: Totals,
}

/// The connections from an address that are not accounted for yet.
#[derive(Default)]
struct Address {
    connected: u64,
    accepted: u64,
    matched: u64,
}

/// The sums.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub connected: u64,
    pub accepted: u64,
    /// Connections that the peer has told the end of, the server, and both.
    pub left: u64,
    pub ended: u64,
    pub matched: u64,
    /// Connections that ended as their kind should, by kind.
    pub lives: BTreeMap<Kind, u64>,
    /// Connections dropped as idle whose peers had been held up for as long, and connections
    /// that were dropped too late or never, by kind.
    pub held_up: BTreeMap<Kind, u64>,
    /// Drops before the idle limit had passed.
    pub early: u64,
    pub complaints: u64,
    pub words: Vec<String>,
}

impl Totals {
    /// Whether all connections are accounted for by now.
    pub fn balance(&self) -> bool {
        let counts = [self.accepted, self.left, self.ended, self.matched];
        counts.iter().all(|count| *count == self.connected)
    }

    /// Returns the number of connections of a kind that ended as they should.
    pub fn lives(&self, kind: Kind) -> u64 {
        self.lives.get(&kind).copied().unwrap_or(0)
    }

    /// Returns the number of connections that were held up.
    pub fn held_up(&self) -> u64 {
        self.held_up.values().sum()
    }

    fn complain(&mut self, words: String) {
        self.complaints += 1;
        if self.words.len() < MOST_WORDS {
            self.words.push(words);
        }
    }
}

impl Ledger {
    pub fn new(idle: Duration) -> Ledger {
        Ledger { idle, books: Mutex::default() }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Books) -> R) -> R {
        f(&mut self.books.lock().expect("nobody panics here"))
    }

    /// A peer has connected, from this address.
    pub fn connected(&self, address: SocketAddr) -> Ticket {
        self.with(|books| {
            books.totals.connected += 1;
            let entry = books.addresses.entry(address).or_default();
            entry.connected += 1;
            (address, entry.connected)
        })
    }

    /// The server has accepted a connection from this address.
    pub fn accepted(&self, address: SocketAddr) -> Ticket {
        self.with(|books| {
            books.totals.accepted += 1;
            let entry = books.addresses.entry(address).or_default();
            entry.accepted += 1;
            (address, entry.accepted)
        })
    }

    /// A peer is gone.
    pub fn left(&self, ticket: Ticket, left: Left) {
        self.with(|books| {
            books.totals.left += 1;
            books.add(ticket, Half::Left(left), self.idle);
        });
    }

    /// The server's side of a connection has ended.
    pub fn ended(&self, ticket: Ticket, ended: Ended) {
        self.with(|books| {
            books.totals.ended += 1;
            books.add(ticket, Half::Ended(ended), self.idle);
        });
    }

    /// Something else that should not be.
    pub fn complain(&self, words: String) {
        self.with(|books| books.totals.complain(words));
    }

    pub fn totals(&self) -> Totals {
        self.with(|books| books.totals.clone())
    }
}

impl Books {
    /// One side has told of a connection: it is held against what the other has, if that has.
    fn add(&mut self, ticket: Ticket, half: Half, idle: Duration) {
        match (self.halves.remove(&ticket), half) {
            (None, half) => drop(self.halves.insert(ticket, half)),
            (Some(Half::Left(left)), Half::Ended(ended))
            | (Some(Half::Ended(ended)), Half::Left(left)) => {
                self.matched(ticket.0);
                self.totals.judge(left, ended, idle);
            }
            (Some(_), Half::Left(_)) => self.totals.complain(format!("{ticket:?} left twice")),
            (Some(_), Half::Ended(_)) => self.totals.complain(format!("{ticket:?} ended twice")),
        }
    }

    /// Both sides have told of a connection from this address. When all from there are
    /// accounted for, it is forgotten, so that the books stay as small as what they are about.
    fn matched(&mut self, address: SocketAddr) {
        self.totals.matched += 1;
        let Some(entry) = self.addresses.get_mut(&address) else { return };
        entry.matched += 1;
        if entry.matched == entry.connected && entry.matched == entry.accepted {
            self.addresses.remove(&address);
        }
    }
}

impl Totals {
    /// Holds the two sides against each other.
    fn judge(&mut self, left: Left, ended: Ended, idle: Duration) {
        let Left { kind, saw, heard } = left;
        let Ended { ending, silent, at } = ended;
        let silence = at.saturating_duration_since(heard);
        if ending == Ending::Idle && silence < idle {
            self.early += 1;
            return self.complain(format!("{kind:?} was dropped after {silence:?}, early"));
        }
        let waits = kind.expected() == [Ending::Idle];
        let overdue = silent > idle + idle / 2;
        match saw {
            Saw::Wrong(why) => self.complain(format!("{kind:?}, for the server {ending:?}: {why}")),
            Saw::Left | Saw::Dropped | Saw::GaveUp if overdue => count(&mut self.held_up, kind),
            Saw::GaveUp if kind == Kind::NotReading => count(&mut self.lives, kind),
            Saw::Dropped if waits && ending == Ending::Idle => count(&mut self.lives, kind),
            Saw::Left if kind.expected().contains(&ending) => count(&mut self.lives, kind),
            Saw::Left | Saw::Dropped if ending == Ending::Idle => count(&mut self.held_up, kind),
            saw => self.complain(format!("{kind:?} ended as {ending:?}, and saw {saw:?}")),
        }
    }
}

fn count(counts: &mut BTreeMap<Kind, u64>, kind: Kind) {
    *counts.entry(kind).or_default() += 1;
}
