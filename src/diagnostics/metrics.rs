//! What the reactor has been through, in numbers that only grow.

use std::fmt;
use std::time::Duration;

use super::histogram::Histogram;
use super::table;
use crate::driver;
use crate::reactor::{Reactor, Shard};

/// Returns what the reactor has been through so far. All zero before anything has used it.
///
/// Takes the locks of each shard for a moment, and copies about 400 bytes a shard. The numbers are
/// written where a lock or the seat is held anyway, so that they cost no memory that threads share:
/// `docs/performance.md` in the repository has the count.
///
/// # Examples
///
/// ```
/// use async_wheel::{Timer, block_on, diagnostics};
/// use std::time::Duration;
///
/// block_on(async {
///     Timer::after(Duration::from_millis(1)).await;
/// });
/// let total = diagnostics::metrics().total();
/// assert!(total.timers.fired >= 1);
/// println!("half of the timers were late by less than {:?}", total.lateness.quantile(0.5));
/// println!("{}", diagnostics::metrics());
/// ```
#[must_use]
pub fn metrics() -> Metrics {
    let Some(reactor) = driver::started() else {
        return Metrics::default();
    };
    let shards = reactor.assigned_threads();
    let shards = shards.iter().map(|(shard, _)| ShardMetrics::of(shard)).collect();
    Metrics { shards, fallback: FallbackMetrics::of(&reactor) }
}

/// What the reactor has been through, by shard and in all.
///
/// Every number counts from the start of the reactor and never goes back, but for
/// [`TimerMetrics::pending`] and [`SourceMetrics::registered`], which say how things stand. Numbers
/// wrap at 2⁶⁴; where addresses have 32 bits, those of [`SeatMetrics`] and [`FallbackMetrics`] at
/// 2³². Each is right for itself; together they may be of slightly different moments.
///
/// The child of a fork counts anew.
///
/// Displays as a table for a terminal of 80 columns.
///
/// # Examples
///
/// ```
/// let metrics = async_wheel::diagnostics::metrics();
/// for (index, shard) in metrics.shards.iter().enumerate() {
///     println!("shard {index}: {} timers, {} sources", shard.timers.pending, shard.sources.registered);
/// }
/// println!("{metrics}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Metrics {
    /// The shards, in the order of their indices.
    pub shards: Vec<ShardMetrics>,
    /// The fallback thread.
    pub fallback: FallbackMetrics,
}

impl Metrics {
    /// Returns the sum of all shards.
    ///
    /// # Examples
    ///
    /// ```
    /// let metrics = async_wheel::diagnostics::metrics();
    /// let rounds: u64 = metrics.shards.iter().map(|shard| shard.rounds).sum();
    /// assert_eq!(metrics.total().rounds, rounds);
    /// ```
    #[must_use]
    pub fn total(&self) -> ShardMetrics {
        let mut total = ShardMetrics::default();
        self.shards.iter().for_each(|shard| total.add(shard));
        total
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table::write(self, f)
    }
}

macro_rules! numbers {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl $name {
            /// Adds the numbers of another one.
            #[allow(dead_code, reason = "there is one fallback thread")]
            fn add(&mut self, other: &$name) {
                $(self.$field = self.$field.wrapping_add(other.$field);)+
            }

            /// The numbers with their names, in their order.
            pub(super) fn rows(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field)),+]
            }
        }
    };
}

numbers! {
    /// Timers. A timer counts while it has an entry in the wheel: from its first poll before its
    /// deadline. One that moves to another shard, or to another slack, counts as cancelled there and
    /// as armed here.
    TimerMetrics {
        /// Timers that began to wait.
        armed,
        /// Timers that fired: their deadline came while they waited.
        fired,
        /// Timers that were dropped, or lost their deadline, while they waited.
        cancelled,
        /// Timers that got another deadline, later or earlier, while they waited.
        postponed,
        /// Moves of timers to finer slots of the wheel as their deadlines came nearer: zero to seven
        /// for each deadline.
        cascaded,
        /// Timers that wait now: those that were armed, less those that fired or were cancelled.
        pending,
    }
}

numbers! {
    /// Threads that slept in a shard's poller, by what ended their sleep: the first of these that was
    /// the case.
    WakeupMetrics {
        /// A source had an event.
        event,
        /// A timer was due.
        deadline,
        /// Another thread woke it, for an earlier timer, or because a task was woken.
        notification,
        /// None of these: a timer that was cancelled or postponed, a signal, the end of a call of
        /// [`drive`](crate::driver::drive()). Where pollers do not report notifications (all but
        /// Linux's), those are counted here.
        spurious,
    }
}

numbers! {
    /// Deadlines that came in while a thread slept that drives or watches the shard, or while nobody
    /// drove and a descriptor was to show the next one.
    NotificationMetrics {
        /// They were earlier than what it slept for, and woke it: a system call.
        sent,
        /// They were not, and cost nothing.
        saved,
    }
}

numbers! {
    /// The seat, which is the right to drive a shard.
    SeatMetrics {
        /// How often a thread acquired it.
        acquired,
        /// How often a thread that waited for its turn was promoted, since the driver left.
        promoted,
    }
}

numbers! {
    /// I/O sources.
    SourceMetrics {
        /// Sources that were registered with a poller, those that moved here from another shard
        /// included.
        registrations,
        /// Sources that moved here from another shard.
        migrations,
        /// Sources that are registered now.
        registered,
    }
}

numbers! {
    /// The fallback thread. All zero if there is none.
    FallbackMetrics {
        /// Looks at all shards.
        scans,
        /// Rounds that it has run, of shards that nobody drove. They count as rounds of those shards
        /// too.
        services,
        /// Scans that found work which a thread had left undone that was expected to drive.
        undriven,
        /// Sleeps of its own. Where pollers cannot be nested, it sleeps in the shard's poller, and
        /// [`WakeupMetrics`] counts that.
        sleeps,
    }
}

/// What a shard has been through. See [`Metrics`] for what the numbers have in common.
///
/// # Examples
///
/// ```
/// let total = async_wheel::diagnostics::metrics().total();
/// if let Some(lateness) = total.lateness.quantile(0.99) {
///     println!("{} timers fired, 99 % of them less than {lateness:?} late", total.timers.fired);
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShardMetrics {
    /// Timers.
    pub timers: TimerMetrics,
    /// How late timers fired: from the deadline to when a round found that it had come. What the
    /// task then waits for its executor is not in it.
    pub lateness: Histogram,
    /// Rounds of whichever thread: a round waits for events, dispatches them, and expires timers.
    pub rounds: u64,
    /// Events of sources that were dispatched.
    pub events: u64,
    /// Wakers that were collected by rounds, to be woken after them: for events and for timers.
    pub wakes: u64,
    /// Sleeps in the poller, by what ended them.
    pub wakeups: WakeupMetrics,
    /// Threads that were woken because of an earlier timer, and that were not.
    pub notifications: NotificationMetrics,
    /// The right to drive the shard.
    pub seat: SeatMetrics,
    /// Sources.
    pub sources: SourceMetrics,
}

impl ShardMetrics {
    fn of(shard: &Shard) -> ShardMetrics {
        let (counts, stats) = shard.timer_stats();
        let sources = shard.source_totals();
        let (acquired, promoted) = shard.succession().totals();
        let gone = counts.cancelled.wrapping_add(counts.expired);
        ShardMetrics {
            timers: TimerMetrics {
                armed: counts.armed,
                fired: counts.expired,
                cancelled: counts.cancelled,
                postponed: counts.postponed,
                cascaded: counts.moved,
                pending: counts.armed.wrapping_sub(gone),
            },
            lateness: Histogram::new(stats.lateness, Duration::from_nanos(stats.latest)),
            rounds: stats.rounds,
            events: sources.events,
            wakes: stats.wakes,
            wakeups: WakeupMetrics {
                event: stats.woken_by.event,
                deadline: stats.woken_by.deadline,
                notification: stats.woken_by.notification,
                spurious: stats.woken_by.nothing,
            },
            notifications: NotificationMetrics { sent: stats.notified, saved: stats.not_notified },
            seat: SeatMetrics { acquired, promoted },
            sources: SourceMetrics {
                registrations: sources.registrations,
                migrations: sources.migrations,
                registered: shard.source_count() as u64,
            },
        }
    }

    fn add(&mut self, other: &ShardMetrics) {
        self.timers.add(&other.timers);
        self.lateness.add(&other.lateness);
        self.rounds = self.rounds.wrapping_add(other.rounds);
        self.events = self.events.wrapping_add(other.events);
        self.wakes = self.wakes.wrapping_add(other.wakes);
        self.wakeups.add(&other.wakeups);
        self.notifications.add(&other.notifications);
        self.seat.add(&other.seat);
        self.sources.add(&other.sources);
    }
}

impl FallbackMetrics {
    fn of(reactor: &Reactor) -> FallbackMetrics {
        let totals = reactor.fallback_totals();
        FallbackMetrics {
            scans: totals.scans.get(),
            services: totals.services.get(),
            undriven: totals.undriven.get(),
            sleeps: totals.sleeps.get(),
        }
    }
}
