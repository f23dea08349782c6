//! The process's one reactor and its fallback thread.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;

use super::fallback::Fallback;
use crate::reactor::Reactor;
use crate::sync::{self, Mutex, Ref};
use crate::sys::{NESTED, Poller, Polls};

static REACTOR: OnceLock<Ref<Reactor>> = OnceLock::new();

/// The reactor, if anything has needed it yet.
pub(crate) fn started() -> Option<Ref<Reactor>> {
    REACTOR.get().cloned()
}

/// The reactor, which the first call starts.
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
    static STARTING: Mutex<()> = Mutex::new(());
    let _guard = STARTING.lock();
    if let Some(reactor) = started() {
        return Ok(reactor);
    }
    let poller = Poller::new()?;
    let root = if NESTED { Some(Poller::new()?) } else { None };
    // The thread first, since the reactor is there for good once it is made.
    let (send, receive) = mpsc::channel::<Ref<Reactor>>();
    thread::Builder::new().name("async-wheel".to_owned()).spawn(move || {
        if let Ok(reactor) = receive.recv() {
            let mut fallback = Fallback::new(reactor);
            loop {
                fallback.step();
            }
        }
    })?;
    let limit = thread::available_parallelism().map_or(1, usize::from);
    let reactor = sync::share(Reactor::new(poller, root, limit)?);
    let reactor = REACTOR.get_or_init(|| reactor).clone();
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
