//! Coalescing: where timers are dense, several share a wake-up.
//!
//! A sleep that ends for one timer costs several microseconds: the system sets its own timer,
//! switches to the thread and back. With 100,000 timers a second that is most of a processor.
//! So where timers are that dense, a sleep lasts until a few more are due: none of them is
//! later for it than a bound, [`LONGEST`] unless the program says otherwise. Network drivers moderate their interrupts like this.
//!
//! Where timers are sparse, nothing is coalesced: one by one they are as exact as the system can
//! wake a thread. Nor does anything wait that comes due while the thread is awake anyway.

/// The longest that a timer waits for others, in nanoseconds, by default.
pub(crate) const LONGEST: u64 = 200_000;

/// Timers further apart than this part of the bound, on average, are not coalesced: fewer would
/// fire together.
const FEW: u64 = 8;

/// How many are to fire together, if that takes no longer than the bound.
const BATCH: u64 = 128;

/// How long timers are counted, in nanoseconds, before their density is set anew.
const PERIOD: u64 = 2_000_000;

/// All times are wheel time.
#[derive(Debug)]
pub(crate) struct Coalescer {
    /// The longest that a timer waits for others. Zero: not at all.
    longest: u64,
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
    pub(crate) fn new(longest: u64) -> Coalescer {
        Coalescer { longest, since: 0, count: 0, last: 0, delay: 0 }
    }

    /// Notes that timers fired.
    pub(crate) fn fired(&mut self, now: u64, count: usize) {
        if count == 0 {
            return;
        }
        self.last = now;
        self.count += count as u64;
        let counted = now.saturating_sub(self.since);
        if counted >= PERIOD {
            let apart = counted / self.count;
            self.delay =
                if apart > self.longest / FEW { 0 } else { self.longest.min(apart * BATCH) };
            self.since = now;
            self.count = 0;
        }
    }

    /// Returns until when a sleep may last although the next timer is due at `next`. Never before
    /// it, and after it by the bound at most, also when the clock has stepped back since the last
    /// ones fired.
    pub(crate) fn coalesced(&self, next: u64) -> u64 {
        let end = self.last.saturating_add(self.delay);
        next.max(end.min(next.saturating_add(self.longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARSE: u64 = LONGEST / FEW;

    /// Lets a timer fire every so many nanoseconds for a while, from a start; returns the
    /// end.
    fn run(coalescer: &mut Coalescer, start: u64, apart: u64) -> u64 {
        let end = start + 5 * PERIOD;
        (start..end).step_by(apart as usize).for_each(|now| coalescer.fired(now, 1));
        end
    }

    #[test]
    fn sparse_timers_are_not_delayed() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, SPARSE + 1_000);
        assert_eq!(coalescer.coalesced(end + 1), end + 1);
    }

    #[test]
    fn timers_just_dense_enough_are_coalesced() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, SPARSE);
        assert!(coalescer.coalesced(end) > end);
    }

    #[test]
    fn dense_timers_are_coalesced_within_the_bound() {
        for apart in [100, 1_000, 5_000, 20_000] {
            let mut coalescer = Coalescer::new(LONGEST);
            let end = run(&mut coalescer, 1_000_000_000, apart);
            let delayed = coalescer.coalesced(end) - end;
            assert!(delayed > 4 * apart, "{apart} ns apart: delayed by {delayed}");
            assert!(delayed <= LONGEST.min(BATCH * apart), "{apart} ns apart: {delayed}");
        }
    }

    #[test]
    fn bound_of_zero_delays_nothing() {
        for apart in [1, 100, 10_000] {
            let mut coalescer = Coalescer::new(0);
            let end = run(&mut coalescer, 1_000_000_000, apart);
            assert_eq!(coalescer.coalesced(end), end);
        }
    }

    #[test]
    fn longer_bound_coalesces_sparser_timers() {
        let mut coalescer = Coalescer::new(10 * LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, 5 * SPARSE);
        let delayed = coalescer.coalesced(end) - end;
        assert!(delayed > LONGEST && delayed <= 10 * LONGEST, "delayed by {delayed}");
    }

    #[test]
    fn later_timer_is_not_delayed_by_earlier_ones() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, 1_000);
        assert_eq!(coalescer.coalesced(end + LONGEST), end + LONGEST);
    }

    #[test]
    fn after_a_pause_nothing_is_delayed() {
        let mut coalescer = Coalescer::new(LONGEST);
        let end = run(&mut coalescer, 1_000_000_000, 1_000);
        let later = end + 1_000_000_000;
        coalescer.fired(later, 1);
        assert_eq!(coalescer.coalesced(later + 1), later + 1);
    }

    #[test]
    fn burst_after_long_sleep_is_not_dense() {
        let mut coalescer = Coalescer::new(LONGEST);
        coalescer.fired(10_000_000_000, 10_000);
        assert_eq!(coalescer.coalesced(10_000_000_001), 10_000_000_001);
    }
}
