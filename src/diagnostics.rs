//! What the reactor looks like from outside: for monitoring, and for finding out why nothing
//! happens.
//!
//! # Examples
//!
//! ```
//! use async_wheel::{Timer, diagnostics};
//! use std::time::Duration;
//!
//! async_wheel::block_on(async {
//!     Timer::after(Duration::from_millis(1)).await;
//! });
//! for shard in diagnostics::shards() {
//!     println!("{shard:?}");
//! }
//! ```

use crate::driver;

/// A shard of the reactor at some moment. Each field is right for itself; together they may
/// be of slightly different moments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardReport {
    /// Timers that have an entry in the wheel: those that were polled and wait, and those
    /// that fired and were not polled since.
    pub timers: usize,
    /// I/O sources that are registered.
    pub sources: usize,
    /// Threads that have their home here: they were in [`block_on`](crate::block_on) and live.
    pub threads: usize,
    /// Threads of those that are in `block_on` and not asleep.
    pub awake: usize,
    /// Rounds that such threads have driven here so far.
    pub turns: usize,
    /// Whether a thread holds the seat: it sleeps in the poller or does a round.
    pub taken: bool,
    /// Whether the fallback thread sleeps and counts on the seat as it is.
    pub watched: bool,
}

/// The shards in use: none before anything has used the reactor, then one, and as many as
/// there are threads in [`block_on`](crate::block_on), up to the number of processors.
///
/// Takes the lock of each shard for a moment.
///
/// # Examples
///
/// ```
/// async_wheel::block_on(async {
///     assert_eq!(async_wheel::diagnostics::shards().len(), 1);
/// });
/// ```
#[must_use]
pub fn shards() -> Vec<ShardReport> {
    let Some(reactor) = driver::started() else {
        return Vec::new();
    };
    let report = |(shard, threads): (crate::sync::Ref<crate::reactor::Shard>, usize)| {
        let (taken, watched) = shard.seat().describe();
        ShardReport {
            timers: shard.timers().len(),
            sources: shard.source_count(),
            threads,
            awake: shard.awake(),
            turns: shard.turns(),
            taken,
            watched,
        }
    };
    reactor.residents().into_iter().map(report).collect()
}
