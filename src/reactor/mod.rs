//! The reactor: the set of shards, and where things are placed.
//!
//! A `block_on` thread is assigned a home shard for its life, the one with the fewest threads when
//! it first enters. There are as many shards as there were threads at once, up to
//! [`Settings::shards`]. A thread outside `block_on` uses shard 0. So a program with one thread in
//! `block_on`, or none, has one shard, and nothing of the sharding costs it anything.
//!
//! A poller is made, and a spare one given up, outside the locks: `polling` can report both to
//! subscribers of `tracing`, and they may call this library.

mod batch;
#[cfg(feature = "test-util")]
mod order;
mod prefetch;
mod registry;
mod settings;
mod shard;
mod source;
mod table;
mod timers;

use std::io;
use std::sync::Arc;

use crate::handoff::Unparker;
use crate::sync::{self, Mutex, Ref, Tally};
use crate::sys::{Identity, NESTED, Poller, Polls, Registration, Until};

use registry::Registry;

pub(crate) use batch::{Batch, Round};
#[cfg(feature = "test-util")]
pub(crate) use order::Order;
pub(crate) use settings::Settings;
pub(crate) use shard::Shard;
pub(crate) use source::{Interest, Place, Source, Waiter};
#[cfg(test)]
pub(crate) use timers::SHORT_BUDGET;
pub(crate) use timers::{BUCKETS, Coalescer, LONGEST_DELAY, Slack, TimerKey};

/// The set of shards.
#[derive(Debug)]
pub(crate) struct Reactor {
    /// The shard of all that happens outside `block_on`.
    first: Ref<Shard>,
    shards: Mutex<Vec<Assigned>>,
    /// What `reactor_fd` shows, made when first asked for. Its lock is taken while that of `shards`
    /// is held.
    overview: Mutex<Option<Overview>>,
    settings: Settings,
    /// What unparks the fallback thread.
    fallback: Ref<Unparker>,
    fallback_totals: FallbackTotals,
    /// The poller that the fallback sleeps in: the poller of pollers, or where pollers cannot
    /// be nested, the only shard's.
    root: Ref<Poller>,
    /// Which descriptor is registered where.
    registry: Registry,
}

/// A poller of all shards' pollers. Its own notification is for those who watch it: whoever drives
/// takes that of a shard's poller.
#[derive(Debug)]
struct Overview {
    poller: Ref<Poller>,
    is_notified: bool,
}

/// What the fallback has been through. Written by the fallback thread only.
#[derive(Debug, Default)]
pub(crate) struct FallbackTotals {
    /// Looks at all shards.
    pub(crate) scans: Tally,
    /// Rounds that it has run, of shards that nobody drove.
    pub(crate) services: Tally,
    /// Scans that found work which a thread had left undone that was expected to drive.
    pub(crate) undriven: Tally,
    /// Sleeps in its poller, or on its condition variable.
    pub(crate) sleeps: Tally,
}

/// A shard and how many threads are assigned to it.
#[derive(Debug)]
struct Assigned {
    shard: Ref<Shard>,
    threads: usize,
}

/// What a reactor begins with: a poller for the first shard and, where pollers can be nested, one
/// for the fallback. To be made, and given up, outside the locks, as all pollers.
#[derive(Debug)]
pub(crate) struct Pollers {
    first: Poller,
    root: Option<Poller>,
}

impl Pollers {
    pub(crate) fn new() -> io::Result<Pollers> {
        let first = Poller::new()?;
        let root = if NESTED { Some(Poller::new()?) } else { None };
        if let Some(root) = &root {
            root.add_poller(&first, 0)?;
        }
        Ok(Pollers { first, root })
    }
}

impl Reactor {
    /// Makes a reactor of one shard.
    pub(crate) fn new(pollers: Pollers, settings: Settings) -> Reactor {
        let poller = sync::share(pollers.first);
        let root = pollers.root.map_or_else(|| poller.clone(), sync::share);
        let fallback = sync::share(Unparker::new(root.clone()));
        let shard = sync::share(Shard::new(0, poller, fallback.clone(), &settings));
        let shards = Mutex::new(vec![Assigned { shard: shard.clone(), threads: 0 }]);
        Reactor {
            first: shard,
            shards,
            overview: Mutex::new(None),
            settings,
            fallback,
            fallback_totals: FallbackTotals::default(),
            root,
            registry: Registry::new(),
        }
    }

    pub(crate) fn fallback(&self) -> &Unparker {
        &self.fallback
    }

    /// The longest that a timer waits for others where timers are dense, in nanoseconds.
    pub(crate) fn coalescing_bound(&self) -> u64 {
        self.settings.coalescing_bound
    }

    pub(crate) fn fallback_totals(&self) -> &FallbackTotals {
        &self.fallback_totals
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

    /// Makes a source of what the system has just made. Its first wait registers it.
    pub(crate) fn adopt(&self, registration: Registration, identity: Identity) -> Arc<Source> {
        self.registry.adopt(registration, identity)
    }

    /// Ends a source's registration.
    pub(crate) fn deregister(&self, source: &Source) -> io::Result<()> {
        self.registry.deregister(source)
    }

    /// Assigns a thread to a shard: the one with the fewest threads, or a new one if all have some
    /// and there may be more. Where the system refuses another poller, the shards that are there
    /// have to do.
    pub(crate) fn assign(&self) -> Ref<Shard> {
        let wants_shard = self.wants_shard(&self.shards.lock());
        // Declared before the guard, so that a spare one is given up after the lock.
        let mut spare = if wants_shard { Poller::new().ok() } else { None };
        let mut shards = self.shards.lock();
        if let Some(poller) = spare.take_if(|_| self.wants_shard(&shards)) {
            match self.add_shard(shards.len(), poller) {
                Ok(shard) => {
                    shards.push(Assigned { shard: shard.clone(), threads: 1 });
                    drop(shards);
                    #[cfg(feature = "tracing")]
                    tracing::debug!(shard = shard.index(), "shard added");
                    // It may be asleep, counting on the shards that it knows.
                    self.fallback.unpark();
                    return shard;
                }
                Err(poller) => {
                    drop(shards);
                    #[allow(clippy::drop_non_drop, reason = "only the simulation's has none")]
                    drop(poller);
                    shards = self.shards.lock();
                }
            }
        }
        let emptiest = shards.iter_mut().min_by_key(|assigned| assigned.threads);
        let assigned = emptiest.expect("a reactor has a shard");
        assigned.threads += 1;
        assigned.shard.clone()
    }

    /// The most shards that there may be. Without the fallback thread, which watches those that
    /// nobody drives, more than one would be left alone when its threads compute or end.
    fn limit(&self) -> usize {
        if NESTED && self.settings.has_fallback { self.settings.shards } else { 1 }
    }

    /// Returns `true` if all shards have threads, and there may be another one.
    fn wants_shard(&self, shards: &[Assigned]) -> bool {
        let all_assigned = shards.iter().all(|assigned| assigned.threads > 0);
        all_assigned && shards.len() < self.limit()
    }

    /// Makes a shard of a poller, or returns the poller if the others refuse it.
    fn add_shard(&self, index: usize, poller: Poller) -> Result<Ref<Shard>, Poller> {
        let shown = || match &*self.overview.lock() {
            Some(overview) => overview.poller.show_poller(&poller, index),
            None => Ok(()),
        };
        if self.root.add_poller(&poller, index).and_then(|()| shown()).is_err() {
            return Err(poller);
        }
        let fallback = self.fallback.clone();
        Ok(sync::share(Shard::new(index, sync::share(poller), fallback, &self.settings)))
    }

    /// Notes that a thread that was assigned to a shard has ended.
    pub(crate) fn unassign(&self, index: usize) {
        self.shards.lock()[index].threads -= 1;
    }

    /// A poller that is ready whenever one of the shards' pollers is.
    #[cfg(unix)]
    pub(crate) fn overview(&self) -> io::Result<Ref<Poller>> {
        if !NESTED {
            return Ok(self.root.clone());
        }
        let made = |overview: &Option<Overview>| Some(overview.as_ref()?.poller.clone());
        if let Some(poller) = made(&self.overview.lock()) {
            return Ok(poller);
        }
        // Declared before the guards, so that a spare one is given up after the locks.
        let poller = Poller::new()?;
        let shards = self.shards.lock();
        let mut overview = self.overview.lock();
        if let Some(poller) = made(&overview) {
            return Ok(poller);
        }
        for Assigned { shard, .. } in shards.iter() {
            poller.show_poller(shard.poller(), shard.index())?;
        }
        let poller = sync::share(poller);
        *overview = Some(Overview { poller: poller.clone(), is_notified: false });
        Ok(poller)
    }

    /// Ends the `drive` calls that sleep or follow, and the next one of each other thread, and makes
    /// the overview ready until [`take_notification`](Reactor::take_notification).
    pub(crate) fn notify(&self) {
        self.first.notify();
        if let Some(overview) = &mut *self.overview.lock() {
            if !std::mem::replace(&mut overview.is_notified, true) {
                overview.poller.notify();
            }
        }
    }

    /// Takes the overview's notification away, if there is one. The buffer is empty after that.
    pub(crate) fn take_notification(&self, batch: &mut Batch) {
        if let Some(overview) = &mut *self.overview.lock() {
            if std::mem::take(&mut overview.is_notified) {
                // If it fails, the overview stays ready until the next notification was taken.
                let _ = overview.poller.wait(&mut batch.events, Until::Now);
                batch.events.clear();
            }
        }
    }

    /// Returns the shards from this index on, in their order.
    pub(crate) fn shards_from(&self, first: usize) -> Vec<Ref<Shard>> {
        self.shards.lock()[first..].iter().map(|assigned| assigned.shard.clone()).collect()
    }

    /// Returns each shard with the number of threads that are assigned to it.
    pub(crate) fn assigned_threads(&self) -> Vec<(Ref<Shard>, usize)> {
        let shards = self.shards.lock();
        shards.iter().map(|assigned| (assigned.shard.clone(), assigned.threads)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reactor(limit: usize) -> Reactor {
        let settings = Settings { shards: limit, ..Settings::default() };
        Reactor::new(Pollers::new().unwrap(), settings)
    }

    fn threads(reactor: &Reactor) -> Vec<usize> {
        reactor.assigned_threads().iter().map(|(_, threads)| *threads).collect()
    }

    #[test]
    #[cfg_attr(not(async_wheel_nested), ignore = "there is one shard")]
    fn shard_is_added_when_all_have_threads() {
        let reactor = reactor(2);
        assert_eq!(reactor.assign().index(), 0);
        assert_eq!(threads(&reactor), [1]);
        assert_eq!(reactor.assign().index(), 1);
        assert_eq!(threads(&reactor), [1, 1]);
        reactor.unassign(0);
        assert_eq!(reactor.assign().index(), 0);
        let third = reactor.assign().index();
        assert_eq!(threads(&reactor).iter().sum::<usize>(), 3);
        // The next goes where the third did not.
        assert_eq!(reactor.assign().index(), 1 - third);
        assert_eq!(threads(&reactor), [2, 2]);
    }

    #[cfg(unix)]
    #[test]
    #[cfg_attr(not(async_wheel_nested), ignore = "there is one shard")]
    fn overview_is_ready_while_any_shard_is() {
        use crate::sys::{Events, Until};
        let reactor = reactor(2);
        let first = reactor.assign();
        let overview = reactor.overview().unwrap();
        let second = reactor.assign();
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
        first.try_acquire().unwrap().run_round(&mut Batch::new());
        assert_eq!(ready(), [1]);
    }
}
