//! The key of an entry.

use core::num::NonZeroU32;

/// Leads to one entry of one [`Wheel`](super::Wheel), and to no other, ever.
///
/// A key outlives its entry harmlessly: once the entry was removed or has expired, every
/// operation with the key finds nothing. A key of another wheel is not recognised as such;
/// used here it finds nothing or an unrelated entry, and the wheel stays good.
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
    #[inline]
    pub(super) fn new(index: u32, generation: u32) -> Key {
        Key {
            index,
            generation: NonZeroU32::new(generation).expect("zero is no entry's generation"),
        }
    }

    /// The key as a number. The highest bit is zero.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.generation.get())
    }

    /// The key of which this is the number; `None` if it is no key's.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<Key> {
        let generation = NonZeroU32::new(bits as u32)?;
        Some(Key { index: (bits >> 32) as u32, generation })
    }

    /// The same key with a label, a number from 1 to 31, for an owner who keeps keys of several
    /// wheels. The label stands in bits of the index that are zero if the wheel never had more than
    /// [`LABELED_ENTRIES`]; the wheel knows nothing of it.
    #[inline]
    pub(crate) fn with_label(self, label: u8) -> Key {
        debug_assert!(self.index < LABELED_ENTRIES as u32 && (1..32).contains(&label));
        Key { index: self.index | LABELED | u32::from(label) << LABEL_SHIFT, ..self }
    }

    #[inline]
    pub(crate) fn is_labeled(self) -> bool {
        self.index & LABELED != 0
    }

    /// The label, or zero if it has none.
    #[inline]
    pub(crate) fn label(self) -> u8 {
        if self.is_labeled() { (self.index >> LABEL_SHIFT) as u8 % 32 } else { 0 }
    }

    /// A labelled key as the wheel gave it.
    pub(crate) fn without_label(self) -> Key {
        debug_assert!(self.is_labeled());
        Key { index: self.index % LABELED_ENTRIES as u32, ..self }
    }
}

const LABEL_SHIFT: u32 = 26;
/// See [`Key::with_label`].
pub(crate) const LABELED_ENTRIES: usize = 1 << LABEL_SHIFT;
/// Set in the index of a key with a label. No entry has it.
const LABELED: u32 = 1 << 31;
const _: () = assert!(LABELED as usize >= super::chunks::MOST_ENTRIES);
