//! What Unix systems have.

use std::os::fd::BorrowedFd;

/// A descriptor that is readable when the reactor has something to do, on any of its shards:
/// for event loops of other libraries, which can poll it beside their own. `None` where the
/// system's poller has no such descriptor, or if there are no descriptors left to make one.
///
/// The first call makes it, and it stays for the life of the process. It is for polling only.
///
/// # Examples
///
/// ```
/// let fd = async_wheel::os::unix::reactor_fd();
/// # if cfg!(target_os = "linux") {
/// assert!(fd.is_some());
/// # }
/// ```
#[must_use]
pub fn reactor_fd() -> Option<BorrowedFd<'static>> {
    crate::driver::reactor_fd()
}
