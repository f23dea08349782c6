//! What Unix systems have.

use std::os::fd::BorrowedFd;

/// Returns a descriptor that is readable while an event of a source waits to be fetched, on any
/// shard of the reactor: for event loops of other libraries, which can poll it beside their own.
/// `None` where the system's poller has no such descriptor, or if there are no descriptors left to
/// make one.
///
/// It does not report timers: an overdue timer does not make it readable, and a loop that polls
/// it must not count on it for [`Timer`](crate::Timer)s. It may be readable without an event of a
/// source, when a thread that sleeps in a shard's poller is woken; and it is readable for a moment
/// only where a thread of the reactor fetches the event first.
///
/// The first call creates it, and it stays for the life of the process. It is for polling only.
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
