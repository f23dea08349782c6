//! The process's one reactor and its fallback thread.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;

use super::fallback::Fallback;
use super::helper;
use crate::reactor::Reactor;
use crate::sync::{self, Mutex, Ref};
use crate::sys::{NESTED, Poller, Polls, count_forks, fork_generation};

/// The reactor of a process.
struct Process {
    reactor: OnceLock<Ref<Reactor>>,
    /// Held while it is started.
    starting: Mutex<()>,
}

/// The reactors of this process and of those that it was forked from, by their number of
/// forks. A child begins with a place that no other thread can have been using when the process
/// was forked.
static PROCESSES: [Process; MOST_FORKS] =
    [const { Process { reactor: OnceLock::new(), starting: Mutex::new(()) } }; MOST_FORKS];

/// How many generations of processes, each forked from the one before, may have a reactor: those
/// in between that need none count as well.
const MOST_FORKS: usize = 64;

/// This process's place, unless too many have gone before.
fn this_process() -> Option<&'static Process> {
    PROCESSES.get(fork_generation())
}

/// The reactor, if anything has needed it yet.
pub(crate) fn started() -> Option<Ref<Reactor>> {
    this_process()?.reactor.get().cloned()
}

/// The reactor, which the first call starts. A process that was forked gets its own.
///
/// # Errors
///
/// If the system has no descriptors left for the pollers or refuses the fallback thread. The
/// next call tries again.
pub(crate) fn reactor() -> io::Result<Ref<Reactor>> {
    match started() {
        Some(reactor) => Ok(reactor),
        None => start(),
    }
}

#[cold]
fn start() -> io::Result<Ref<Reactor>> {
    let Some(process) = this_process() else {
        return Err(io::Error::other("a child of a child, and so on, of too many processes"));
    };
    // Before the lock, which a child would find locked otherwise.
    count_forks()?;
    let _guard = process.starting.lock();
    if let Some(reactor) = process.reactor.get() {
        return Ok(reactor.clone());
    }
    let poller = Poller::new()?;
    let root = if NESTED { Some(Poller::new()?) } else { None };
    // The thread first, since the reactor is there for good once it is made.
    let (send, receive) = mpsc::channel::<Ref<Reactor>>();
    let spawned = thread::Builder::new().name("async-wheel".to_owned()).spawn(move || {
        if let Ok(reactor) = receive.recv() {
            helper::begin();
            let mut fallback = Fallback::new(reactor);
            while !fallback.is_from_parent() {
                // It must not end, whatever happens: nobody else would service the shards.
                sync::catch_panic(|| fallback.step());
            }
        }
    });
    // To the system a thread that it refuses is one that would block; to whoever waits for I/O
    // that would mean to wait for an event.
    spawned.map_err(|error| io::Error::other(format!("no thread for timers and I/O: {error}")))?;
    let limit = thread::available_parallelism().map_or(1, usize::from);
    let reactor = sync::share(Reactor::new(poller, root, limit)?);
    let reactor = process.reactor.get_or_init(|| reactor).clone();
    // It cannot have gone away: it waits for this.
    let _ = send.send(reactor.clone());
    #[cfg(feature = "tracing")]
    tracing::debug!(shards_at_most = limit, "reactor started");
    Ok(reactor)
}

/// See [`os::unix::reactor_fd`](crate::os::unix::reactor_fd).
#[cfg(unix)]
pub(crate) fn reactor_fd() -> Option<std::os::fd::BorrowedFd<'static>> {
    use std::os::fd::AsFd;
    let overview: &'static Poller = reactor().and_then(|reactor| reactor.overview()).ok()?.get();
    Some(overview.as_fd())
}
