//! Which thread is the fallback thread.

use std::cell::Cell;

thread_local! {
    static IS_HELPER: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this is the fallback thread. It is assigned to no shard: it stays for ever, and is in
/// `block_on` only if a waker calls that.
pub(super) fn begin() {
    let _ = IS_HELPER.try_with(|is_helper| is_helper.set(true));
}

/// Returns `true` on the fallback thread.
pub(super) fn is_current() -> bool {
    IS_HELPER.try_with(Cell::get).unwrap_or(false)
}
