//! How often what was done to a wheel.

/// What was done since the wheel was made. Each number wraps.
///
/// Entries that are scheduled: `armed - cancelled - expired`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Entries that got a deadline and had none.
    pub(crate) armed: u64,
    /// Entries that were scheduled and were removed, or lost their deadline.
    pub(crate) cancelled: u64,
    /// Entries that were scheduled and got another deadline.
    pub(crate) postponed: u64,
    /// Entries that expired.
    pub(crate) expired: u64,
    /// Entries that were moved to another slot because time went on.
    pub(crate) moved: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        let add = |to: &mut u64, more: u64| *to = to.wrapping_add(more);
        add(&mut self.armed, other.armed);
        add(&mut self.cancelled, other.cancelled);
        add(&mut self.postponed, other.postponed);
        add(&mut self.expired, other.expired);
        add(&mut self.moved, other.moved);
    }
}

/// Adds one to a number that wraps.
#[inline(always)]
pub(super) fn count(number: &mut u64) {
    *number = number.wrapping_add(1);
}
