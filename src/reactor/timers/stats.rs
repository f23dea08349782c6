//! What a shard's driver and its timers have been through, in numbers that only grow.
//!
//! All of it is written under the `timers` lock, which whoever writes holds anyway.

use crate::reactor::Round;

/// The buckets of a lateness histogram. Bucket `i` is for less than 2^(10 + i) nanoseconds, the last
/// for all that is longer.
pub(crate) const BUCKETS: usize = 28;

/// See the [module documentation](self). Each number wraps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    /// Timers that fired, by how late they were.
    pub(crate) lateness: [u64; BUCKETS],
    /// The latest of them, in nanoseconds.
    pub(crate) latest: u64,
    /// Sleepers that were woken because of an earlier deadline.
    pub(crate) notified: u64,
    /// Deadlines that came while somebody slept, and were no reason to wake it.
    pub(crate) not_notified: u64,
    /// Rounds, by whatever thread.
    pub(crate) rounds: u64,
    /// Wakers that rounds have collected.
    pub(crate) wakes: u64,
    /// Sleeps of drivers, by what ended them.
    pub(crate) woken_by: WokenBy,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WokenBy {
    pub(crate) event: u64,
    pub(crate) deadline: u64,
    pub(crate) notification: u64,
    pub(crate) nothing: u64,
}

impl Stats {
    /// Notes a timer that fired so many nanoseconds after its deadline.
    #[inline(always)]
    pub(super) fn fired(&mut self, late: u64) {
        let bucket = (u64::BITS - (late >> 10).leading_zeros()) as usize;
        let bucket = &mut self.lateness[bucket.min(BUCKETS - 1)];
        *bucket = bucket.wrapping_add(1);
        self.latest = self.latest.max(late);
    }

    /// Notes a round.
    #[inline]
    pub(crate) fn round(&mut self, round: Round) {
        self.rounds = self.rounds.wrapping_add(1);
        self.wakes = self.wakes.wrapping_add(round.wakes as u64);
        if !round.slept {
            return;
        }
        let WokenBy { event, deadline, notification, nothing } = &mut self.woken_by;
        let cause = match round {
            Round { has_events: true, .. } => event,
            Round { has_fired: true, .. } => deadline,
            Round { was_notified: true, .. } => notification,
            _ => nothing,
        };
        *cause = cause.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_have_their_documented_bounds() {
        for bucket in 0..BUCKETS - 1 {
            let bound = 1_u64 << (10 + bucket);
            let mut stats = Stats::default();
            [bound - 1, bound].into_iter().for_each(|late| stats.fired(late));
            assert_eq!((stats.lateness[bucket], stats.lateness[bucket + 1]), (1, 1));
        }
        let mut stats = Stats::default();
        [0, u64::MAX].into_iter().for_each(|late| stats.fired(late));
        assert_eq!((stats.lateness[0], stats.lateness[BUCKETS - 1]), (1, 1));
        assert_eq!(stats.latest, u64::MAX);
    }

    #[test]
    fn numbers_wrap() {
        let mut stats = Stats { rounds: u64::MAX, wakes: u64::MAX - 1, ..Stats::default() };
        stats.lateness[0] = u64::MAX;
        stats.fired(0);
        stats.round(Round { wakes: 3, ..Round::default() });
        assert_eq!((stats.rounds, stats.wakes, stats.lateness[0]), (0, 1, 0));
    }
}
