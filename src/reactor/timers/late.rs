//! What made timers late: for reports by `tracing`, and with that feature only.

use crate::clock::{self, NEVER};

/// Timers of a round that fired too late, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    /// By how many nanoseconds the latest was late.
    pub(crate) nanos: u64,
    pub(crate) cause: Cause,
}

/// What delayed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The driver slept for them, and the system woke it late.
    System,
    /// The round before had more timers to expire than a round may.
    Budget,
    /// Nobody drove for so many nanoseconds: who was to drive ran tasks and wakers.
    UserCode(u64),
}

/// What is known of the shard's rounds.
#[derive(Debug)]
pub(super) struct LateWatch {
    /// How late a timer has to be, in nanoseconds; [`NEVER`] for no reports.
    threshold: u64,
    /// When the last driver left.
    left: u64,
    /// When the driver went to sleep, if it has slept in this round.
    slept: Option<u64>,
    /// Whether the round before left timers that were due.
    left_more: bool,
    /// What was found, until it is taken.
    late: Option<Late>,
}

impl LateWatch {
    pub(super) fn new(threshold: u64) -> LateWatch {
        LateWatch { threshold, left: NEVER, slept: None, left_more: false, late: None }
    }

    fn is_off(&self) -> bool {
        self.threshold == NEVER
    }

    /// Notes that the driver goes to sleep.
    pub(super) fn sleeps(&mut self) {
        if !self.is_off() {
            self.slept = Some(clock::wheel_now());
        }
    }

    /// Notes that the driver leaves the seat, to wake tasks.
    pub(super) fn leaves(&mut self) {
        if !self.is_off() {
            self.left = clock::wheel_now();
            self.slept = None;
        }
    }

    /// Notes that timers fired at `now`, the earliest of which should have fired by `limit`, and
    /// whether more are due.
    pub(super) fn fired(&mut self, now: u64, limit: u64, more: bool) {
        if self.is_off() {
            return;
        }
        let nanos = now.saturating_sub(limit);
        let left_more = std::mem::replace(&mut self.left_more, more);
        if nanos <= self.threshold {
            return;
        }
        let cause = match self.slept {
            _ if left_more => Cause::Budget,
            Some(slept) if slept <= limit => Cause::System,
            Some(slept) => Cause::UserCode(slept.saturating_sub(self.left)),
            None => Cause::UserCode(now.saturating_sub(self.left)),
        };
        self.late = Some(Late { nanos, cause });
    }

    /// Takes what was found.
    pub(super) fn take(&mut self) -> Option<Late> {
        self.late.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual;

    fn late(watch: &mut LateWatch, now: u64, limit: u64, more: bool) -> Option<Late> {
        watch.fired(now, limit, more);
        watch.take()
    }

    #[test]
    fn causes_are_told_apart() {
        let mut watch = LateWatch::new(10);
        manual::set(100);
        watch.leaves();
        assert_eq!(late(&mut watch, 200, 190, false), None, "not later than the threshold");
        let user = Some(Late { nanos: 11, cause: Cause::UserCode(101) });
        assert_eq!(late(&mut watch, 201, 190, true), user);
        let budget = Some(Late { nanos: 50, cause: Cause::Budget });
        assert_eq!(late(&mut watch, 240, 190, false), budget);
        manual::set(300);
        watch.sleeps();
        let system = Some(Late { nanos: 20, cause: Cause::System });
        assert_eq!(late(&mut watch, 420, 400, false), system);
        let before = Some(Late { nanos: 130, cause: Cause::UserCode(200) });
        assert_eq!(late(&mut watch, 420, 290, false), before, "it was due before the sleep");
    }

    #[test]
    fn without_threshold_nothing_is_late() {
        let mut watch = LateWatch::new(NEVER);
        watch.leaves();
        watch.sleeps();
        assert_eq!(late(&mut watch, NEVER, 0, true), None);
    }
}
