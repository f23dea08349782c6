//! What a timer is known by in its shard.

use super::slack::Slack;
use crate::wheel::{Key, LABELED_ENTRIES};

/// The key of a timer in one of the shard's wheels. It is as large as that key: which wheel it is
/// stands in bits that no key of a wheel with that few entries uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey(Key);

/// As many timers of one slack can be told apart. More of them go without it.
pub(super) const MOST_WITH_SLACK: usize = if cfg!(test) { 2_200 } else { LABELED_ENTRIES };

impl TimerKey {
    #[inline]
    pub(super) fn new(slack: Slack, key: Key) -> TimerKey {
        match slack {
            Slack::UNSET => TimerKey(key),
            slack => TimerKey(key.with_label(slack.number())),
        }
    }

    #[inline]
    pub(crate) fn has_slack(self) -> bool {
        self.0.is_labeled()
    }

    /// The timer's slack, as it was when it was added.
    #[inline]
    pub(crate) fn slack(self) -> Slack {
        Slack::from_number(self.0.label())
    }

    /// The key as a number.
    #[cfg(feature = "test-util")]
    pub(super) fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    /// The key in the wheel of those without a slack, if the timer is one of them.
    #[inline]
    pub(super) fn without_slack(self) -> Option<Key> {
        (!self.0.is_labeled()).then_some(self.0)
    }

    /// The slack of one that has any, and the key in the wheel for it.
    pub(super) fn with_slack(self) -> (Slack, Key) {
        (self.slack(), self.0.without_label())
    }
}
