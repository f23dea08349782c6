//! The key of an entry.

use std::num::NonZeroU32;

/// Leads to one entry of one [`Wheel`](super::Wheel), and to no other, ever.
///
/// A key outlives its entry harmlessly: once the entry was removed or has expired, every
/// operation with the key finds nothing. A key of another wheel is not recognised as such;
/// used here it finds nothing or an unrelated entry.
///
/// Eight bytes, and so is an `Option<Key>`.
///
/// # Examples
///
/// ```
/// let mut wheel = async_wheel::wheel::Wheel::new();
/// let first = wheel.insert(1, 'a');
/// wheel.remove(first);
/// let second = wheel.insert(1, 'b');
/// assert_ne!(first, second);
/// assert_eq!(wheel.get(first), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Where the entry lies in the arena.
    pub(super) index: u32,
    /// Which of the entries that lay there, one after another, is meant.
    pub(super) generation: NonZeroU32,
}

impl Key {
    pub(super) fn new(index: u32, generation: u32) -> Key {
        Key {
            index,
            generation: NonZeroU32::new(generation).expect("zero is no entry's generation"),
        }
    }
}
