//! What a program can say of the reactor before it starts.

use super::timers;

/// See [`Builder`](crate::Builder), which checks the values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The most shards that there may be.
    pub(crate) shards: usize,
    /// Whether the fallback thread services shards that nobody drives. Without it there is one
    /// shard.
    pub(crate) has_fallback: bool,
    /// The most timers that expire in a round.
    pub(crate) expiry_budget: usize,
    /// The longest that a timer waits for others where timers are dense, in nanoseconds.
    pub(crate) coalescing_bound: u64,
    /// How late a timer has to be for a report, in nanoseconds. None by default.
    #[cfg(feature = "tracing")]
    pub(crate) late_threshold: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            shards: 1,
            has_fallback: true,
            expiry_budget: timers::BUDGET,
            coalescing_bound: timers::LONGEST_DELAY,
            #[cfg(feature = "tracing")]
            late_threshold: crate::clock::NEVER,
        }
    }
}
