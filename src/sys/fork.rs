//! How often this process was forked since there was a reactor, to tell one's own reactor from
//! the parent's.
//!
//! After a fork, memory holds the parent's reactor: pollers that are the parent's as well,
//! locks that nobody will ever release, sleepers that do not exist here. None of it may be
//! touched, or the parent suffers too: what is deregistered from a poller here is deregistered
//! there. So each shard remembers the count under which it was made. A look at the count costs
//! a load.

use std::io;

/// Forks that lie between the first process with a reactor and this one.
#[cfg(unix)]
pub(crate) use unix::fork_generation;

/// Has forks counted from now on, in this process and all of its children.
#[cfg(unix)]
pub(crate) fn count_forks() -> io::Result<()> {
    unix::count_forks()
}

/// Nothing forks here.
#[cfg(not(unix))]
pub(crate) fn fork_generation() -> usize {
    0
}

/// Nothing forks here.
#[cfg(not(unix))]
pub(crate) fn count_forks() -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    static FORKS: AtomicUsize = AtomicUsize::new(0);
    static COUNTED: AtomicBool = AtomicBool::new(false);

    pub(crate) fn fork_generation() -> usize {
        // Ordering: Relaxed. It changes only while a process has a single thread: in a child,
        // before `fork` returns there.
        FORKS.load(Ordering::Relaxed)
    }

    /// In the child, on its only thread. It may do what a signal handler may.
    extern "C" fn forked() {
        // Ordering: Relaxed, as in `fork_generation`.
        FORKS.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "test-util")]
        crate::clock::manual::forked();
    }

    pub(super) fn count_forks() -> io::Result<()> {
        // Ordering: Relaxed, here and below. If two threads both have forks counted, each fork
        // counts for two, which does as well.
        if COUNTED.load(Ordering::Relaxed) {
            return Ok(());
        }
        // SAFETY: `forked` can be called at any time: it does nothing but count, and does not
        // unwind.
        match unsafe { libc::pthread_atfork(None, None, Some(forked)) } {
            0 => {
                COUNTED.store(true, Ordering::Relaxed);
                Ok(())
            }
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}
