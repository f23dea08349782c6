//! The reactor: the set of shards, and where things are placed.
//!
//! A `block_on` thread has a home shard for its life, the one with the fewest residents when
//! it first enters. There are as many shards as there were residents at once, up to the number
//! of processors. Whoever is in no `block_on` uses shard 0. So a program with one thread in
//! `block_on`, or none, has one shard, and nothing of the sharding costs it anything.

mod batch;
mod prefetch;
mod registry;
mod shard;
mod source;
mod table;
mod timers;

use std::io;
use std::sync::Arc;

use crate::handoff::Rouser;
use crate::sync::{self, Mutex, Ref};
use crate::sys::{NESTED, Poller, Polls, Registration};

use registry::Registry;

pub(crate) use batch::Round;
pub(crate) use shard::Shard;
pub(crate) use source::{Interest, Source, Waiter};

/// The set of shards.
#[derive(Debug)]
pub(crate) struct Reactor {
    /// The shard of all that happens outside `block_on`.
    first: Ref<Shard>,
    shards: Mutex<Vec<Resident>>,
    /// A poller of all shards' pollers, for `reactor_fd`. Made when first asked for. Its lock
    /// is taken while that of `shards` is held.
    overview: Mutex<Option<Ref<Poller>>>,
    /// The most shards there may be.
    limit: usize,
    /// How the fallback thread is told.
    fallback: Ref<Rouser>,
    /// The poller that the fallback sleeps in: the poller of pollers, or where pollers cannot
    /// be nested, the only shard's.
    root: Ref<Poller>,
    /// Which descriptor is registered where.
    registry: Registry,
}

/// A shard and the threads that are at home there.
#[derive(Debug)]
struct Resident {
    shard: Ref<Shard>,
    threads: usize,
}

impl Reactor {
    /// Makes a reactor of one shard out of two pollers, one for the shard and, where pollers
    /// can be nested, one for the fallback.
    pub(crate) fn new(poller: Poller, root: Option<Poller>, limit: usize) -> io::Result<Reactor> {
        if let Some(root) = &root {
            root.add_poller(&poller, 0)?;
        }
        let poller = sync::share(poller);
        let root = root.map_or_else(|| poller.clone(), sync::share);
        let fallback = sync::share(Rouser::new(root.clone()));
        let shard = sync::share(Shard::new(0, poller, fallback.clone()));
        let limit = if NESTED { limit.max(1) } else { 1 };
        let shards = Mutex::new(vec![Resident { shard: shard.clone(), threads: 0 }]);
        Ok(Reactor {
            first: shard,
            shards,
            overview: Mutex::new(None),
            limit,
            fallback,
            root,
            registry: Registry::new(),
        })
    }

    pub(crate) fn fallback(&self) -> &Rouser {
        &self.fallback
    }

    pub(crate) fn root(&self) -> &Poller {
        &self.root
    }

    /// The shard of all that happens outside `block_on`.
    pub(crate) fn first(&self) -> Ref<Shard> {
        self.first.clone()
    }

    /// Registers a source with the given shard's poller.
    ///
    /// # Errors
    ///
    /// What the poller says: `AlreadyExists` if it is registered already, with whichever
    /// shard, and `PermissionDenied` for a regular file on Linux.
    pub(crate) fn register(
        &self,
        shard: &Ref<Shard>,
        registration: Registration,
    ) -> io::Result<Arc<Source>> {
        self.registry.register(shard, registration)
    }

    /// Ends a source's registration.
    pub(crate) fn deregister(&self, source: &Source) -> io::Result<()> {
        self.registry.deregister(source)
    }

    /// Gives a thread a home: the shard with the fewest residents, or a new one if all have
    /// some and there may be more. A system that refuses another poller makes do with those
    /// that are there.
    pub(crate) fn move_in(&self) -> Ref<Shard> {
        let mut shards = self.shards.lock();
        let crowded = shards.iter().all(|resident| resident.threads > 0);
        if crowded && shards.len() < self.limit {
            if let Ok(shard) = self.add_shard(shards.len()) {
                shards.push(Resident { shard: shard.clone(), threads: 1 });
                drop(shards);
                #[cfg(feature = "tracing")]
                tracing::debug!(shard = shard.index(), "shard added");
                // It may be asleep, counting on the shards that it knows.
                self.fallback.rouse();
                return shard;
            }
        }
        let emptiest = shards.iter_mut().min_by_key(|resident| resident.threads);
        let resident = emptiest.expect("a reactor has a shard");
        resident.threads += 1;
        resident.shard.clone()
    }

    fn add_shard(&self, index: usize) -> io::Result<Ref<Shard>> {
        let poller = Poller::new()?;
        self.root.add_poller(&poller, index)?;
        if let Some(overview) = &*self.overview.lock() {
            overview.show_poller(&poller, index)?;
        }
        Ok(sync::share(Shard::new(index, sync::share(poller), self.fallback.clone())))
    }

    /// A thread that had its home in a shard is gone.
    pub(crate) fn move_out(&self, index: usize) {
        self.shards.lock()[index].threads -= 1;
    }

    /// A poller that is ready whenever one of the shards' pollers is.
    #[cfg(unix)]
    pub(crate) fn overview(&self) -> io::Result<Ref<Poller>> {
        if !NESTED {
            return Ok(self.root.clone());
        }
        let shards = self.shards.lock();
        let mut overview = self.overview.lock();
        if let Some(overview) = &*overview {
            return Ok(overview.clone());
        }
        let poller = Poller::new()?;
        for resident in shards.iter() {
            poller.show_poller(resident.shard.poller(), resident.shard.index())?;
        }
        Ok(overview.insert(sync::share(poller)).clone())
    }

    /// Brings a list of all shards, in their order, up to date.
    pub(crate) fn list(&self, known: &mut Vec<Ref<Shard>>) {
        let shards = self.shards.lock();
        known.extend(shards[known.len()..].iter().map(|resident| resident.shard.clone()));
    }

    /// Each shard with the number of threads at home there.
    pub(crate) fn residents(&self) -> Vec<(Ref<Shard>, usize)> {
        let shards = self.shards.lock();
        shards.iter().map(|resident| (resident.shard.clone(), resident.threads)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reactor(limit: usize) -> Reactor {
        let root = NESTED.then(|| Poller::new().unwrap());
        Reactor::new(Poller::new().unwrap(), root, limit).unwrap()
    }

    fn threads(reactor: &Reactor) -> Vec<usize> {
        reactor.residents().iter().map(|(_, threads)| *threads).collect()
    }

    #[test]
    fn a_shard_is_made_only_when_all_have_residents_and_there_may_be_more() {
        let reactor = reactor(2);
        assert_eq!(reactor.move_in().index(), 0);
        assert_eq!(threads(&reactor), [1]);
        if !NESTED {
            assert_eq!(reactor.move_in().index(), 0);
            return;
        }
        assert_eq!(reactor.move_in().index(), 1);
        assert_eq!(threads(&reactor), [1, 1]);
        reactor.move_out(0);
        assert_eq!(reactor.move_in().index(), 0);
        let third = reactor.move_in().index();
        assert_eq!(threads(&reactor).iter().sum::<usize>(), 3);
        // The next goes where the third did not.
        assert_eq!(reactor.move_in().index(), 1 - third);
        assert_eq!(threads(&reactor), [2, 2]);
    }

    #[cfg(unix)]
    #[test]
    fn the_overview_is_ready_as_long_as_any_shard_has_something_even_if_none_is_armed() {
        use crate::sys::{Events, Until};
        if !NESTED {
            return;
        }
        let reactor = reactor(2);
        let first = reactor.move_in();
        let overview = reactor.overview().unwrap();
        let second = reactor.move_in();
        let mut events = Events::new();
        let mut ready = || {
            overview.wait(&mut events, Until::Now).unwrap();
            let mut keys: Vec<_> = events.iter().map(|event| event.key).collect();
            keys.sort_unstable();
            keys
        };
        assert!(ready().is_empty());
        first.poller().notify();
        assert_eq!(ready(), [0]);
        second.poller().notify();
        assert_eq!(ready(), [0, 1]);
        assert_eq!(ready(), [0, 1]);
        first.turn(&mut Round::new());
        assert_eq!(ready(), [1]);
    }
}
