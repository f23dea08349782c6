//! The process's one reactor and its fallback thread.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;

use super::config::{self, Config, Hook};
use super::fallback::Fallback;
use super::helper;
use crate::reactor::{Pollers, Reactor};
use crate::sync::{self, Mutex, Ref};
#[cfg(unix)]
use crate::sys::Poller;
use crate::sys::{count_forks, fork_generation};

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
    let process = place()?;
    let config = config::in_force();
    // Declared before the guard, so that spare ones are given up after the lock.
    let pollers = match Pollers::new() {
        Ok(pollers) => pollers,
        // Another thread may have had more luck.
        Err(error) => return started().ok_or(error),
    };
    let guard = process.starting.lock();
    if let Some(reactor) = process.reactor.get() {
        return Ok(reactor.clone());
    }
    let thread = spawn_fallback(&config)?;
    let reactor = publish(process, Reactor::new(pollers, config.settings()), thread);
    drop(guard);
    report(&config);
    Ok(reactor)
}

/// Starts the reactor as a builder says, and keeps that for children of a fork.
///
/// # Errors
///
/// If the reactor runs already, or there was a builder before; and those of [`reactor`], after which
/// nothing is kept.
pub(crate) fn build(config: Config) -> io::Result<()> {
    let process = place()?;
    check_in_time(process)?;
    // Declared before the guard, as in `start`.
    let pollers = Pollers::new()?;
    let guard = process.starting.lock();
    check_in_time(process)?;
    let thread = spawn_fallback(&config)?;
    // Before anybody can see the reactor: a hook of its thread may fork.
    config::keep(config.clone());
    publish(process, Reactor::new(pollers, config.settings()), thread);
    drop(guard);
    report(&config);
    Ok(())
}

/// Checks that a builder may still build the reactor.
fn check_in_time(process: &Process) -> io::Result<()> {
    let is_too_late = match process.reactor.get() {
        _ if config::is_kept() => "a builder has built the reactor before",
        Some(_) => {
            "the reactor runs: build before the first timer, source, `block_on` or `drive` call"
        }
        None => return Ok(()),
    };
    Err(io::Error::new(io::ErrorKind::AlreadyExists, is_too_late))
}

/// Returns this process's place, ready for a reactor.
fn place() -> io::Result<&'static Process> {
    let Some(process) = this_process() else {
        return Err(io::Error::other("a child of a child, and so on, of too many processes"));
    };
    // Before the lock, which a child would find locked otherwise.
    count_forks()?;
    Ok(process)
}

/// Lets everybody see the reactor, and its thread begin. The caller holds the lock, and there is no
/// reactor yet.
fn publish(process: &Process, reactor: Reactor, thread: Option<FallbackStart>) -> Ref<Reactor> {
    let reactor = process.reactor.get_or_init(|| sync::share(reactor)).clone();
    if let Some(thread) = thread {
        // It cannot have gone away: it waits for this.
        let _ = thread.send(reactor.clone());
    }
    reactor
}

/// Tells a subscriber that the reactor was started. Not under the lock: it may call this library.
fn report(config: &Config) {
    #[cfg(feature = "tracing")]
    tracing::debug!(shards_at_most = config.settings().shards, "reactor started");
    #[cfg(not(feature = "tracing"))]
    let _ = config;
}

/// What the fallback thread waits for before it begins.
type FallbackStart = mpsc::Sender<Ref<Reactor>>;

/// Spawns the fallback thread, if there is to be one.
fn spawn_fallback(config: &Config) -> io::Result<Option<FallbackStart>> {
    if config.no_fallback {
        return Ok(None);
    }
    let (send, receive) = mpsc::channel::<Ref<Reactor>>();
    let (start, stop) = (config.on_thread_start.clone(), config.on_thread_stop.clone());
    let spawned = thread::Builder::new().name(config.thread_name()).spawn(move || {
        if let Ok(reactor) = receive.recv() {
            helper::begin();
            #[cfg(feature = "test-util")]
            let _time = crate::clock::manual::OnSystemTime::begin();
            run_hook(start);
            let mut fallback = Fallback::new(reactor);
            while !fallback.is_from_parent() {
                // It must not end, whatever happens: nobody else would service the shards.
                sync::catch_panic(|| fallback.step());
            }
            run_hook(stop);
        }
    });
    // To the system a thread that it refuses is one that would block; to whoever waits for I/O
    // that would mean to wait for an event.
    spawned.map_err(|error| io::Error::other(format!("no thread for timers and I/O: {error}")))?;
    Ok(Some(send))
}

/// Runs code of the program's on the fallback thread, which its panic does not end.
fn run_hook(hook: Option<Hook>) {
    if let Some(Hook(hook)) = hook {
        sync::catch_panic(|| hook());
    }
}

/// See [`os::unix::reactor_fd`](crate::os::unix::reactor_fd).
#[cfg(unix)]
pub(crate) fn reactor_fd() -> Option<std::os::fd::BorrowedFd<'static>> {
    use std::os::fd::AsFd;
    let reactor = reactor().ok()?;
    let overview: &'static Poller = reactor.overview().ok()?.get();
    reactor.first().show_deadlines();
    Some(overview.as_fd())
}
