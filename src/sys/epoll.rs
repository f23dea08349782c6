//! The poller on Linux: `polling`'s epoll instance, waited on directly.
//!
//! `polling::Poller::wait` sets a timerfd, re-arms it, waits, reads the eventfd and re-arms
//! that: five system calls. Here the same instance gets an eventfd and a timerfd of its own,
//! both edge-triggered, so that neither is ever read or re-armed:
//!
//! - a notification is one `write`; the edge it makes ends the wait;
//! - the timerfd is set only when a deadline is *earlier* than what it is set to. Set too
//!   early it costs one needless return, which is what a cancelled timer costs anyway.
//!
//! So a wait is one system call, and two when the next deadline came nearer. A timerfd rather
//! than the timeout of `epoll_pwait2`, because the kernel stretches the latter by 50 µs, or by
//! a thousandth of it if that is more; a timerfd is exact.
//!
//! Where the two descriptors cannot be had (some containers), `polling` waits and notifies.
//!
//! What is registered is registered here too. With its feature `tracing`, which any crate of the
//! program may turn on, each call of `polling` runs a subscriber, which is user code; and
//! registrations are made under locks and with seats held. So of `polling`'s calls only the making of
//! a poller, and its end, are left: nobody makes one under a lock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::{Event, Polls, Until};
use crate::clock;

/// The events that one wait can return.
const CAPACITY: usize = 1024;

/// The key of the eventfd.
const NOTIFY_KEY: usize = usize::MAX - 1;
/// The key of the timerfd.
const TIMER: usize = usize::MAX - 2;

#[derive(Debug)]
pub(crate) struct Poller {
    /// Declared first: it is closed before the descriptors that are registered with it.
    inner: polling::Poller,
    direct: Option<Direct>,
}

/// What it takes to wait without `polling`.
#[derive(Debug)]
struct Direct {
    notify_fd: OwnedFd,
    timer: OwnedFd,
    /// The wheel time that the timerfd is set to; `NEVER` when it is not.
    set_to: AtomicU64,
}

impl Polls for Poller {
    fn new() -> io::Result<Poller> {
        let inner = polling::Poller::new()?;
        let direct = match Direct::new() {
            Ok(direct) => Some(direct),
            // Out of descriptors is for the caller to know; that the system has no such
            // descriptors at all is not.
            Err(error) if out_of_descriptors(&error) => return Err(error),
            Err(_) => None,
        };
        if let Some(direct) = &direct {
            for (fd, key) in [(&direct.notify_fd, NOTIFY_KEY), (&direct.timer, TIMER)] {
                let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
                epoll::add(&inner, fd, data(key), edges)?;
            }
        }
        Ok(Poller { inner, direct })
    }

    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        events.clear();
        let Some(direct) = &self.direct else {
            return self.wait_portably(events, until);
        };
        let timeout = match until {
            Until::Now => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
            Until::Notified => None,
            Until::At(deadline) => {
                direct.set(deadline)?;
                None
            }
        };
        match epoll::wait(&self.inner, spare_capacity(&mut events.list), timeout.as_ref()) {
            Ok(count) => events.took_all = count < events.list.capacity(),
            Err(rustix::io::Errno::INTR) => events.list.clear(),
            Err(error) => return Err(error.into()),
        }
        if events.list.iter().any(|event| event.data.u64() == TIMER as u64) {
            // Ordering: Relaxed, as in `Direct::set`.
            direct.set_to.store(clock::NEVER, Ordering::Relaxed);
        }
        Ok(())
    }

    fn notify(&self) {
        let written = match &self.direct {
            Some(direct) => {
                rustix::io::write(&direct.notify_fd, &1u64.to_ne_bytes()).map(drop).or_else(
                    // The counter is full, which takes 2^64 notifications: whoever waits was told.
                    |error| {
                        if error == rustix::io::Errno::AGAIN { Ok(()) } else { Err(error.into()) }
                    },
                )
            }
            None => self.inner.notify(),
        };
        debug_assert!(written.is_ok(), "an eventfd takes a write: {written:?}");
    }

    fn set_deadline(&self, deadline: u64) -> io::Result<()> {
        match &self.direct {
            Some(direct) => direct.set(deadline),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn reports_exceptions(&self) -> bool {
        self.direct.is_some()
    }

    fn add_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        Ok(epoll::add(&self.inner, &other.inner, data(key), epoll::EventFlags::ONESHOT)?)
    }

    fn show_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        Ok(epoll::add(&self.inner, &other.inner, data(key), epoll::EventFlags::IN)?)
    }

    fn arm_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        match epoll::modify(&self.inner, &other.inner, data(key), edges) {
            Err(rustix::io::Errno::NOENT) => {
                Ok(epoll::add(&self.inner, &other.inner, data(key), edges)?)
            }
            result => Ok(result?),
        }
    }

    fn remove_poller(&self, other: &Poller) {
        // It is there, or was not.
        let _ = epoll::delete(&self.inner, &other.inner);
    }
}

impl Poller {
    pub(crate) fn inner(&self) -> &polling::Poller {
        &self.inner
    }

    /// Registers a descriptor. Interest that is kept is edge-triggered; else an event ends it.
    pub(crate) fn add(
        &self,
        fd: BorrowedFd<'_>,
        interest: polling::Event,
        is_kept: bool,
    ) -> io::Result<()> {
        Ok(epoll::add(&self.inner, fd, data(interest.key), flags(interest, is_kept))?)
    }

    /// Sets the interest in a descriptor that is registered.
    pub(crate) fn modify(
        &self,
        fd: BorrowedFd<'_>,
        interest: polling::Event,
        is_kept: bool,
    ) -> io::Result<()> {
        Ok(epoll::modify(&self.inner, fd, data(interest.key), flags(interest, is_kept))?)
    }

    /// Ends the registration of a descriptor.
    pub(crate) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.inner, fd)?)
    }

    fn wait_portably(&self, events: &mut Events, until: Until) -> io::Result<()> {
        let list = events.portable.insert(polling::Events::new());
        self.inner.wait(list, until.timeout()).map(drop)
    }
}

fn data(key: usize) -> epoll::EventData {
    epoll::EventData::new_u64(key as u64)
}

/// Interest in reading includes the peer having shut down its side.
fn flags(interest: polling::Event, is_kept: bool) -> epoll::EventFlags {
    use epoll::EventFlags as Flags;
    let mut flags = Flags::HUP | Flags::ERR | if is_kept { Flags::ET } else { Flags::ONESHOT };
    flags.set(Flags::IN | Flags::PRI | Flags::RDHUP, interest.readable);
    flags.set(Flags::OUT, interest.writable);
    flags
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl Direct {
    fn new() -> io::Result<Direct> {
        Ok(Direct {
            notify_fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            timer: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            set_to: AtomicU64::new(clock::NEVER),
        })
    }

    /// Ensures that the timerfd expires at `deadline` at the latest.
    fn set(&self, deadline: u64) -> io::Result<()> {
        // Ordering: Relaxed, here and in `wait`. Only the one who waits touches it, and that
        // right passes from thread to thread through the seat.
        if deadline >= self.set_to.load(Ordering::Relaxed) {
            return Ok(());
        }
        let value = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            // Zero would switch it off.
            it_value: clock::linux::timespec(deadline.max(1)),
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &value)?;
        self.set_to.store(deadline, Ordering::Relaxed);
        Ok(())
    }
}

fn out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// A list that a wait fills.
pub(crate) struct Events {
    list: Vec<epoll::Event>,
    /// In use only where a poller has no descriptors of its own.
    portable: Option<polling::Events>,
    took_all: bool,
}

impl Events {
    pub(crate) fn new() -> Events {
        Events { list: Vec::with_capacity(CAPACITY), portable: None, took_all: false }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.portable = None;
        self.took_all = false;
    }

    /// Returns `true` if the wait took all that there was: then an edge of the poller, which another
    /// one reports, is still to come. Not where `polling` has waited.
    pub(crate) fn took_all(&self) -> bool {
        self.took_all
    }

    /// Returns `true` if the wait found a notification.
    pub(crate) fn has_notification(&self) -> bool {
        self.list.iter().any(|event| event.data.u64() == NOTIFY_KEY as u64)
    }

    /// The sources' events.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        use epoll::EventFlags as Flags;
        let direct = self.list.iter().map(|event| {
            let flags = event.flags;
            Event {
                key: event.data.u64() as usize,
                readable: flags.intersects(Flags::IN | Flags::PRI | Flags::HUP | Flags::ERR),
                writable: flags.intersects(Flags::OUT | Flags::HUP | Flags::ERR),
                exceptional: flags.intersects(Flags::PRI | Flags::RDHUP | Flags::HUP | Flags::ERR),
            }
        });
        let portable = self.portable.iter().flat_map(polling::Events::iter).map(|event| Event {
            key: event.key,
            readable: event.readable,
            writable: event.writable,
            exceptional: false,
        });
        direct.chain(portable).filter(|event| event.key <= super::MAX_KEY)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(poller: &Poller, until: Until) -> Vec<usize> {
        let mut events = Events::new();
        poller.wait(&mut events, until).unwrap();
        let keys = events.iter().map(|event| event.key).collect();
        events.clear();
        assert_eq!(format!("{events:?}"), "[]");
        keys
    }

    #[test]
    fn poller_without_own_descriptors_does_the_same() {
        let portable = Poller { inner: polling::Poller::new().unwrap(), direct: None };
        for poller in [portable, Poller::new().unwrap()] {
            let other = Poller::new().unwrap();
            poller.add_poller(&other, 3).unwrap();
            other.notify();
            assert_eq!(keys(&poller, Until::Now), [], "not armed yet");
            poller.arm_poller(&other, 3).unwrap();
            assert_eq!(keys(&poller, Until::Notified), [3]);
            assert_eq!(keys(&poller, Until::Now), [], "told once");
            poller.arm_poller(&other, 3).unwrap();
            poller.remove_poller(&other);
            assert_eq!(keys(&poller, Until::Now), [], "taken out");
            poller.remove_poller(&other);
            poller.arm_poller(&other, 4).unwrap();
            assert_eq!(keys(&poller, Until::Notified), [4], "armed anew");
            poller.notify();
            assert_eq!(keys(&poller, Until::Notified), []);
            let deadline = clock::wheel_now() + 5_000_000;
            while clock::wheel_now() < deadline {
                assert_eq!(keys(&poller, Until::At(deadline)), []);
            }
        }
    }

    /// The fallback arms no poller again that it has emptied.
    #[test]
    fn emptied_poller_stays_armed() {
        let [root, other] = [Poller::new().unwrap(), Poller::new().unwrap()];
        let mut events = Events::new();
        assert!(!events.took_all(), "no wait yet");
        root.add_poller(&other, 3).unwrap();
        root.arm_poller(&other, 3).unwrap();
        for _ in 0..3 {
            other.notify();
            assert_eq!(keys(&root, Until::Notified), [3]);
            other.wait(&mut events, Until::Now).unwrap();
            assert!(events.took_all());
            // What comes after the wait and before the look at the root poller.
            other.notify();
            assert_eq!(keys(&root, Until::Now), [3]);
            other.wait(&mut events, Until::Now).unwrap();
            assert_eq!(keys(&root, Until::Now), []);
        }
        events.clear();
        assert!(!events.took_all());
    }

    /// What is left makes no edge: the poller has to be armed again.
    #[test]
    fn full_buffer_is_not_all() {
        let [root, other] = [Poller::new().unwrap(), Poller::new().unwrap()];
        let fds: [_; 3] = std::array::from_fn(|_| eventfd(1, EventfdFlags::CLOEXEC).unwrap());
        for (key, fd) in fds.iter().enumerate() {
            other.add(fd.as_fd(), polling::Event::readable(key), true).unwrap();
        }
        root.arm_poller(&other, 3).unwrap();
        assert_eq!(keys(&root, Until::Now), [3]);
        let mut events = Events { list: Vec::with_capacity(2), ..Events::new() };
        let room = events.list.capacity();
        assert!((1..fds.len()).contains(&room));
        other.wait(&mut events, Until::Now).unwrap();
        assert!(!events.took_all() && events.iter().count() == room);
        assert_eq!(keys(&root, Until::Now), []);
        root.arm_poller(&other, 3).unwrap();
        assert_eq!(keys(&root, Until::Now), [3]);
        other.wait(&mut events, Until::Now).unwrap();
        assert!(events.took_all());
    }

    #[test]
    fn interrupted_wait_returns_nothing_and_no_error() {
        use std::os::unix::thread::JoinHandleExt;
        use std::sync::Arc;
        use std::thread;
        use std::time::{Duration, Instant};

        let handled = Arc::default();
        signal_hook::flag::register(libc::SIGUSR2, handled).unwrap();
        let poller = Arc::new(Poller::new().unwrap());
        let waits = thread::spawn({
            let poller = poller.clone();
            move || {
                let mut events = Events::new();
                poller.wait(&mut events, Until::Notified).map(|()| events.iter().count())
            }
        });
        let start = Instant::now();
        while !waits.is_finished() && start.elapsed() < Duration::from_secs(10) {
            // SAFETY: a thread that is not joined has its id still, and the signal has a handler.
            unsafe { libc::pthread_kill(waits.as_pthread_t(), libc::SIGUSR2) };
            thread::sleep(Duration::from_millis(1));
        }
        // It may also go on waiting.
        poller.notify();
        assert_eq!(waits.join().unwrap().unwrap(), 0);
    }

    #[test]
    fn full_notification_counter_neither_blocks_nor_fails() {
        let poller = Poller::new().unwrap();
        let direct = poller.direct.as_ref().unwrap();
        rustix::io::write(&direct.notify_fd, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        poller.notify();
        assert_eq!(keys(&poller, Until::Notified), []);
    }
}
