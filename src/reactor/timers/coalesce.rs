//! Coalescing: where timers are dense, several share a wake-up.
//!
//! A sleep that ends for one timer costs several microseconds: the system sets its own timer,
//! switches to the thread and back. With 100,000 timers a second that is most of a processor.
//! So where timers are that dense, a sleep lasts until a few more are due: none of them is
//! later for it than [`LONGEST`]. Network drivers moderate their interrupts like this.
//!
//! Where timers are sparse, nothing is coalesced: one by one they are as exact as the system can
//! wake a thread. Nor does anything wait that comes due while the thread is awake anyway.

/// The longest that a timer waits for others, in nanoseconds.
const LONGEST: u64 = 200_000;

/// Timers further apart than this, in nanoseconds on average, are not coalesced: fewer than eight
/// would fire together.
const SPARSE: u64 = LONGEST / 8;

/// How many are to fire together, if that takes no longer than [`LONGEST`].
const BATCH: u64 = 128;

/// How long timers are counted, in nanoseconds, before their density is set anew.
const PERIOD: u64 = 2_000_000;

/// All times are wheel time.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    /// Since when timers are counted.
    since: u64,
    /// How many fired since then.
    count: u64,
    /// When the last ones fired.
    last: u64,
    /// How long after that the sleep for the next goes on at least.
    delay: u64,
}

impl Coalescer {
    /// Notes that timers fired.
    pub(super) fn fired(&mut self, now: u64, count: usize) {
        if count == 0 {
            return;
        }
        self.last = now;
        self.count += count as u64;
        let counted = now.saturating_sub(self.since);
        if counted >= PERIOD {
            let apart = counted / self.count;
            self.delay = if apart > SPARSE { 0 } else { LONGEST.min(apart * BATCH) };
            self.since = now;
            self.count = 0;
        }
    }

    /// Returns until when a sleep may last although the next timer is due at `next`. Never before
    /// it, and after it by [`LONGEST`] at most, also when the clock has stepped back since the last
    /// ones fired.
    pub(super) fn coalesced(&self, next: u64) -> u64 {
        let end = self.last.saturating_add(self.delay);
        next.max(end.min(next.saturating_add(LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a timer fire every so many nanoseconds for a while, from a start; returns the
    /// end.
    fn run(coalescer: &mut Coalescer, start: u64, apart: u64) -> u64 {
        let end = start + 5 * PERIOD;
        (start..end).step_by(apart as usize).for_each(|now| coalescer.fired(now, 1));
        end
    }

    #[test]
    fn sparse_timers_are_not_delayed() {
        let mut coalescer = Coalescer::default();
        let end = run(&mut coalescer, 1_000_000_000, SPARSE + 1_000);
        assert_eq!(coalescer.coalesced(end + 1), end + 1);
    }

    #[test]
    fn timers_just_dense_enough_are_coalesced() {
        let mut coalescer = Coalescer::default();
        let end = run(&mut coalescer, 1_000_000_000, SPARSE);
        assert!(coalescer.coalesced(end) > end);
    }

    #[test]
    fn dense_timers_are_coalesced_within_the_bound() {
        for apart in [100, 1_000, 5_000, 20_000] {
            let mut coalescer = Coalescer::default();
            let end = run(&mut coalescer, 1_000_000_000, apart);
            let delayed = coalescer.coalesced(end) - end;
            assert!(delayed > 4 * apart, "{apart} ns apart: delayed by {delayed}");
            assert!(delayed <= LONGEST.min(BATCH * apart), "{apart} ns apart: {delayed}");
        }
    }

    #[test]
    fn later_timer_is_not_delayed_by_earlier_ones() {
        let mut coalescer = Coalescer::default();
        let end = run(&mut coalescer, 1_000_000_000, 1_000);
        assert_eq!(coalescer.coalesced(end + LONGEST), end + LONGEST);
    }

    #[test]
    fn after_a_pause_nothing_is_delayed() {
        let mut coalescer = Coalescer::default();
        let end = run(&mut coalescer, 1_000_000_000, 1_000);
        let later = end + 1_000_000_000;
        coalescer.fired(later, 1);
        assert_eq!(coalescer.coalesced(later + 1), later + 1);
    }

    #[test]
    fn burst_after_long_sleep_is_not_dense() {
        let mut coalescer = Coalescer::default();
        coalescer.fired(10_000_000_000, 10_000);
        assert_eq!(coalescer.coalesced(10_000_000_001), 10_000_000_001);
    }
}
