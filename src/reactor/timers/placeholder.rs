//! A waker that stands in for one that is out to be woken, with a stamp that says which.
//!
//! `Waker::noop` would not do: it cannot be told for certain from a no-op waker of the user's,
//! and two of its own clones need not compare equal. This one's table of functions is a
//! static, of which there is one.

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

const fn raw(stamp: *const ()) -> RawWaker {
    RawWaker::new(stamp, &TABLE)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(raw, |_| {}, |_| {}, |_| {});

/// Makes a placeholder. Waking it does nothing; cloning and dropping it runs no user code.
pub(super) fn placeholder(stamp: usize) -> Waker {
    // SAFETY: the functions of the table touch nothing, so that every contract of `RawWaker`
    // holds: they do not follow the pointer, which is a number, and may be called from any
    // thread at any time.
    unsafe { Waker::from_raw(raw(ptr::without_provenance(stamp))) }
}

/// The stamp of a placeholder; `None` for any other waker.
pub(super) fn stamp(waker: &Waker) -> Option<usize> {
    ptr::eq(waker.vtable(), &TABLE).then(|| waker.data().addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholder_is_known_by_its_clones_only() {
        assert_eq!(stamp(&placeholder(7)), Some(7));
        assert_eq!(stamp(&placeholder(7).clone()), Some(7));
        assert_eq!(stamp(Waker::noop()), None);
    }
}
