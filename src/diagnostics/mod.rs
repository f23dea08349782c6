//! What the reactor looks like from outside: for monitoring, and for finding out why nothing
//! happens.
//!
//! - [`shards`]: how things stand now.
//! - [`metrics()`]: what has happened so far, in numbers that only grow, and how late timers were.
//!
//! [`guide::metrics`](crate::guide::metrics) says what to look at when something is late. The
//! repository's example `top` shows the metrics live in the terminal, the example `prometheus` serves
//! them over HTTP.
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

mod histogram;
mod metrics;
mod table;

use crate::driver;
use crate::reactor::Shard;
use crate::sync::Ref;

pub use histogram::Histogram;
pub use metrics::{
    FallbackMetrics, Metrics, NotificationMetrics, SeatMetrics, ShardMetrics, SourceMetrics,
    TimerMetrics, WakeupMetrics, metrics,
};

/// A shard of the reactor at some moment. Each field is right for itself; together they may
/// be of slightly different moments.
///
/// # Examples
///
/// ```
/// use async_wheel::{Timer, diagnostics};
/// use futures_lite::future;
/// use std::time::Duration;
///
/// async_wheel::block_on(async {
///     let mut timer = Timer::after(Duration::from_secs(10));
///     assert!(future::poll_once(&mut timer).await.is_none());
///     let [shard] = &diagnostics::shards()[..] else { panic!("one thread, one shard") };
///     assert_eq!((shard.timers, shard.threads), (1, 1));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardReport {
    /// Timers that have an entry in the wheel: those that were polled and wait, and those
    /// that fired and were not polled since.
    pub timers: usize,
    /// I/O sources that are registered. One that this crate made (accepted, connected, bound) is
    /// registered by its first wait.
    pub sources: usize,
    /// Events of I/O sources that were dispatched so far.
    pub events: usize,
    /// I/O sources that have moved here from another shard so far. A source moves to the shard of
    /// the thread that waits for it, if that does so many times in a row.
    pub migrations: usize,
    /// Threads whose home shard this is: they were in [`block_on`](crate::block_on), and live.
    pub threads: usize,
    /// Calls of `block_on` and [`drive`](crate::driver::drive()) that drive the shard when they have
    /// nothing else to do, and whose threads are not asleep. Of nested `block_on` calls the outermost
    /// counts; a call of `drive` counts in shard 0, also inside `block_on`.
    pub awake: usize,
    /// Rounds that such calls have run here so far; those of the fallback thread are not among them. A
    /// round waits for events, dispatches them, and expires timers.
    pub rounds: usize,
    /// `true` if a thread drives the shard: it sleeps in the poller or runs a round.
    pub driven: bool,
    /// `true` if the fallback thread sleeps, and is woken when the shard needs it.
    pub watched: bool,
}

/// The shards in use: none before anything has used the reactor, then one, and as many as
/// there are threads in [`block_on`](crate::block_on), up to as many as there are processors, or as
/// [`Builder::shards`](crate::Builder::shards) says.
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
    let report = |(shard, threads): (Ref<Shard>, usize)| {
        let succession = shard.succession();
        let seat = succession.seat_state();
        let totals = shard.source_totals();
        ShardReport {
            timers: shard.timer_count(),
            sources: shard.source_count(),
            events: totals.events as usize,
            migrations: totals.migrations as usize,
            threads,
            awake: succession.awake(),
            rounds: succession.rounds(),
            driven: seat.held,
            watched: seat.watched,
        }
    };
    reactor.assigned_threads().into_iter().map(report).collect()
}
