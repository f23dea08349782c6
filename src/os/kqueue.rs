//! What systems with kqueue have: macOS and its kin, and the BSDs.

use std::io;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::process::Child;
use std::task::{Context, Poll};

pub use super::ready::Ready;
use crate::Async;
use crate::sys::{self, Registration};

/// Something that kqueue reports besides readable and writable descriptors: a signal, or the
/// end of a child process.
///
/// Each event is reported once. A wait after it waits for the next.
///
/// # Examples
///
/// ```no_run
/// use async_wheel::os::kqueue::{Exit, Filter};
/// use std::process::Command;
///
/// # async_wheel::block_on(async {
/// let child = Command::new("sleep").arg("1").spawn()?;
/// Filter::new(Exit::new(child))?.ready().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Filter<T>(Async<T>);

impl<T: Queueable> Filter<T> {
    /// Registers a filter with the reactor.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the same signal or process is registered already;
    /// - whatever else the system says, such as that there is no such process.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::{Filter, Signal};
    ///
    /// const SIGTERM: i32 = 15;
    /// let terminated = Filter::new(Signal(SIGTERM))?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new(filter: T) -> io::Result<Filter<T>> {
        let sealed::Subject(waitable) = filter.subject();
        Async::register(Registration::Waitable(waitable), filter).map(Filter)
    }
}

impl<T> Filter<T> {
    /// The filter's subject.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::{Filter, Signal};
    ///
    /// const SIGTERM: i32 = 15;
    /// let terminated = Filter::new(Signal(SIGTERM))?;
    /// assert_eq!(terminated.get_ref(), &Signal(SIGTERM));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    /// The filter's subject, for change. What is registered stays as it is.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::{Filter, Signal};
    ///
    /// const SIGTERM: i32 = 15;
    /// let mut terminated = Filter::new(Signal(SIGTERM))?;
    /// let subject: &mut Signal = terminated.get_mut();
    /// # std::io::Result::Ok(())
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: signals and processes are registered by number, so that changing or
        // replacing the value closes nothing. A `T` with a descriptor comes in only from an
        // `OwnedFd`; replacing that one leaves a registration by a number that may be used
        // again, which the poller and the registry bear: no memory is reached through it.
        unsafe { self.0.get_mut() }
    }

    /// Ends the registration and gives the subject back.
    ///
    /// # Errors
    ///
    /// If the system refuses to end the registration.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::{Filter, Signal};
    ///
    /// const SIGTERM: i32 = 15;
    /// let terminated = Filter::new(Signal(SIGTERM))?;
    /// assert_eq!(terminated.into_inner()?, Signal(SIGTERM));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn into_inner(self) -> io::Result<T> {
        self.0.into_inner()
    }

    /// Waits until it happens.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::{Filter, Signal};
    ///
    /// # async_wheel::block_on(async {
    /// const SIGTERM: i32 = 15;
    /// Filter::new(Signal(SIGTERM))?.ready().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn ready(&self) -> Ready<'_, T> {
        Ready::new(self.0.readable())
    }

    /// Polls for an event, as [`Async::poll_readable`] does: ready if there was one since this
    /// method last said `Pending`. One task can wait here at a time; another that comes takes
    /// the place, and the one that was there is woken.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::{Filter, Signal};
    /// use std::future::poll_fn;
    ///
    /// # async_wheel::block_on(async {
    /// const SIGTERM: i32 = 15;
    /// let terminated = Filter::new(Signal(SIGTERM))?;
    /// poll_fn(|cx| terminated.poll_ready(cx)).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }
}

impl<T> AsRef<T> for Filter<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

impl<T> AsMut<T> for Filter<T> {
    fn as_mut(&mut self) -> &mut T {
        self.get_mut()
    }
}

impl<T: AsRawFd> AsRawFd for Filter<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl<T: AsFd> AsFd for Filter<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<T: AsFd + From<OwnedFd>> TryFrom<OwnedFd> for Filter<T> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Filter<T>> {
        Async::try_from(fd).map(Filter)
    }
}

impl<T: Into<OwnedFd>> TryFrom<Filter<T>> for OwnedFd {
    type Error = io::Error;

    fn try_from(filter: Filter<T>) -> io::Result<OwnedFd> {
        filter.0.try_into()
    }
}

/// What a [`Filter`] can be about. The types of this module implement it and no others can.
pub trait Queueable: sealed::Sealed {}

/// A signal to this process, by its number.
///
/// The filter reports deliveries, whatever becomes of the signal: to go on living after one
/// that ends the process by default, ignore it or set a handler.
///
/// # Examples
///
/// ```no_run
/// use async_wheel::os::kqueue::{Filter, Signal};
///
/// # async_wheel::block_on(async {
/// const SIGTERM: i32 = 15;
/// Filter::new(Signal(SIGTERM))?.ready().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub i32);

impl Queueable for Signal {}

/// The end of a child process.
///
/// The process is waited for by nobody yet: what its exit status was, `wait` tells.
///
/// # Examples
///
/// ```no_run
/// use async_wheel::os::kqueue::{Exit, Filter};
/// use std::process::Command;
///
/// # async_wheel::block_on(async {
/// let child = Command::new("sleep").arg("1").spawn()?;
/// Filter::new(Exit::new(child))?.ready().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Exit(NonZeroI32);

impl Exit {
    /// The end of a child.
    ///
    /// # Panics
    ///
    /// If the child's id is zero or negative, which the system never assigns.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::Exit;
    /// use std::process::Command;
    ///
    /// let exit = Exit::new(Command::new("sleep").arg("1").spawn()?);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new(child: Child) -> Exit {
        let id = i32::try_from(child.id()).ok().and_then(NonZeroI32::new);
        Exit(id.expect("a process id is a positive number of 31 bits"))
    }

    /// The end of the child with a given id.
    ///
    /// # Safety
    ///
    /// The id must be that of a child of this process that nobody has waited for.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::kqueue::Exit;
    /// use std::num::NonZeroI32;
    /// use std::process::Command;
    ///
    /// let mut child = Command::new("sleep").arg("1").spawn()?;
    /// let id = NonZeroI32::new(child.id() as i32).unwrap();
    /// // SAFETY: nobody has waited for `child` yet.
    /// let exit = unsafe { Exit::from_pid(id) };
    /// # std::io::Result::Ok(())
    /// ```
    pub unsafe fn from_pid(pid: NonZeroI32) -> Exit {
        Exit(pid)
    }
}

impl Queueable for Exit {}

mod sealed {
    use super::{Exit, Signal, sys};

    /// What a filter is about, as the reactor knows it. Closed to everybody else.
    #[derive(Debug)]
    pub struct Subject(pub(super) sys::Waitable);

    pub trait Sealed {
        #[doc(hidden)]
        fn subject(&self) -> Subject;
    }

    impl Sealed for Signal {
        fn subject(&self) -> Subject {
            Subject(sys::Waitable::Signal(self.0))
        }
    }

    impl Sealed for Exit {
        fn subject(&self) -> Subject {
            Subject(sys::Waitable::Exit(self.0))
        }
    }
}
