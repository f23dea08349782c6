//! The names of entries.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;

use crate::sync::Mutex;
use crate::wheel;

/// Leads to one entry of one [`DelayQueue`](super::DelayQueue), and to no other, ever.
///
/// A key outlives its entry harmlessly: once the entry has expired or was removed, an operation with
/// the key finds nothing. The same goes for a key of another queue.
///
/// Sixteen bytes, and so is an `Option<Key>`.
///
/// # Examples
///
/// ```
/// use async_wheel::time::DelayQueue;
/// use std::time::Duration;
///
/// let (mut leases, mut others) = (DelayQueue::new(), DelayQueue::new());
/// let key = leases.insert("a", Duration::from_secs(60));
/// let other = others.insert("b", Duration::from_secs(60));
/// assert_ne!(key, other);
/// assert_eq!(leases.get(other), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    queue: QueueId,
    /// The bits of the wheel's key; or [`REMOTE`] and a number that a handle gave out.
    entry: u64,
}

/// Which queue a key belongs to: a number that no other queue of the process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct QueueId(NonZeroU64);

/// Set in `entry` of a key that a handle gave out. No key of a wheel has it.
const REMOTE: u64 = 1 << 63;

/// What a key says of its entry.
pub(super) enum Name {
    /// The wheel's own key.
    Local(wheel::Key),
    /// The number that a handle gave to it.
    Remote(u64),
}

impl QueueId {
    /// Returns one that was not there before.
    pub(super) fn unused() -> QueueId {
        // A lock, since not every system has an atomic of that size.
        static LATEST: Mutex<u64> = Mutex::new(0);
        let mut latest = LATEST.lock();
        *latest += 1;
        QueueId(NonZeroU64::new(*latest).expect("counting to 2^64 takes centuries"))
    }
}

impl Key {
    pub(super) fn local(queue: QueueId, key: wheel::Key) -> Key {
        Key { queue, entry: key.to_bits() }
    }

    pub(super) fn remote(queue: QueueId, number: u64) -> Key {
        Key { queue, entry: REMOTE | number }
    }

    /// What it says of an entry of this queue; `None` if it is another queue's.
    #[inline]
    pub(super) fn name(self, queue: QueueId) -> Option<Name> {
        if self.queue != queue {
            None
        } else if self.entry & REMOTE != 0 {
            Some(Name::Remote(self.entry & !REMOTE))
        } else {
            wheel::Key::from_bits(self.entry).map(Name::Local)
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}:{:x})", self.queue.0, self.entry)
    }
}

/// The error of an operation with a key that leads to no entry: it has expired, was removed, or is
/// another queue's.
///
/// # Examples
///
/// ```
/// use async_wheel::time::DelayQueue;
/// use std::time::Duration;
///
/// let mut queue = DelayQueue::new();
/// let key = queue.insert("a", Duration::from_secs(60));
/// queue.clear();
/// let error = queue.reset(key, Duration::ZERO).unwrap_err();
/// assert_eq!(error.to_string(), "the key leads to no entry of this delay queue");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnknownKey(());

impl UnknownKey {
    pub(super) const fn new() -> UnknownKey {
        UnknownKey(())
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key leads to no entry of this delay queue")
    }
}

impl Error for UnknownKey {}
