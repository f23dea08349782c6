//! Fetching from memory what a waker is going to touch, a few wakes ahead.
//!
//! A waker's data is most often a task's header or a reference count, which lies somewhere in
//! memory. Among a million tasks it is in no near cache, and the round waits for it at each
//! wake, since user code runs in between and the processor cannot look past it. Asked for a few
//! wakes ahead, it is there by then. `docs/tried.md` has what that brings.

use std::task::Waker;

/// How many wakes ahead: enough for memory to answer in the time that they take, few enough that
/// the lines are still there.
pub(super) const AHEAD: usize = 8;

/// Asks for what the waker's data points to, without waiting. A hint: where there is no such
/// instruction, or the data is no address, nothing happens.
#[inline]
pub(super) fn prefetch(waker: &Waker) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction reads nothing that the program could see, and does not fault,
        // whatever the address; every x86_64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(waker.data().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = waker;
}
