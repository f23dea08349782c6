//! What Unix systems have.

use std::os::fd::BorrowedFd;

/// Returns a descriptor that is readable while there is something to do for
/// [`driver::drive`](crate::driver::drive): for other event loops, which poll it beside their own.
/// `None` where the system's poller has no such descriptor, or if there are no descriptors or threads
/// left to start with.
///
/// [Without the fallback thread](crate::Builder::fallback_thread) it is readable, until somebody
/// drives,
///
/// - for an event of a source that waits to be dispatched;
/// - on Linux, for a timer that is due. Elsewhere the loop asks
///   [`driver::next_deadline`](crate::driver::next_deadline) before it sleeps;
/// - for a timer that another thread has set to an earlier time than was known;
/// - after [`driver::notify`](crate::driver::notify), until a call of `drive` with a timeout of zero:
///   whoever polls it has to drive like that.
///
/// With the fallback thread it is readable for a moment at most, since that thread, or one in
/// [`block_on`](crate::block_on), takes what is due, on any shard. Do not count on it for timers.
///
/// It may be readable with nothing to do. It is level-triggered: it stays readable while something
/// is left.
///
/// The first call creates it, and it stays open for the life of the process. It is for polling only:
/// register nothing with it, and do not close it.
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
