//! What Windows has.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle, RawHandle};
use std::task::{Context, Poll};

pub use super::ready::Ready;
use crate::Async;
use crate::sys::{self, Registration};

/// A handle that Windows can wait for: a process, a thread, an event, a semaphore, a mutex, a
/// timer, a console's input.
///
/// The wait itself is done by a thread of the system's pool, which tells the reactor.
///
/// # Examples
///
/// ```no_run
/// use async_wheel::os::windows::Waitable;
/// use std::process::Command;
///
/// # async_wheel::block_on(async {
/// let child = Command::new("timeout").arg("1").spawn()?;
/// let child = Waitable::new(child)?;
/// child.ready().await?;
/// let status = child.into_inner()?.wait()?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Waitable<T>(Async<T>);

impl<T: AsHandle> Waitable<T> {
    /// Registers a handle with the reactor.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the handle is registered already;
    /// - whatever else the system says.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::windows::Waitable;
    /// use std::process::Command;
    ///
    /// let child = Waitable::new(Command::new("timeout").arg("1").spawn()?)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new(handle: T) -> io::Result<Waitable<T>> {
        // SAFETY: the handle belongs to `handle`, which lives in the same value as the
        // registration and is given away or dropped only after that was ended.
        let waitable = unsafe { sys::Waitable::new(handle.as_handle()) };
        Async::register(Registration::Waitable(waitable), handle).map(Waitable)
    }
}

impl<T> Waitable<T> {
    /// The wrapped value.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::windows::Waitable;
    /// use std::process::Command;
    ///
    /// let child = Waitable::new(Command::new("timeout").arg("1").spawn()?)?;
    /// println!("process {}", child.get_ref().id());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    /// The wrapped value, for change.
    ///
    /// # Safety
    ///
    /// The value must not be replaced or its handle closed: the registration is the handle's.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::windows::Waitable;
    /// use std::process::Command;
    ///
    /// let mut child = Waitable::new(Command::new("timeout").arg("1").spawn()?)?;
    /// // SAFETY: killing the process leaves the handle open.
    /// unsafe { child.get_mut() }.kill()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub unsafe fn get_mut(&mut self) -> &mut T {
        // SAFETY: what becomes of the value is the caller's to answer for.
        unsafe { self.0.get_mut() }
    }

    /// Ends the registration and gives the wrapped value back.
    ///
    /// # Errors
    ///
    /// If the system refuses to end the registration. The value is dropped then.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::windows::Waitable;
    /// use std::process::{Child, Command};
    ///
    /// let child = Waitable::new(Command::new("timeout").arg("1").spawn()?)?;
    /// let child: Child = child.into_inner()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn into_inner(self) -> io::Result<T> {
        self.0.into_inner()
    }

    /// Waits until the system says that the handle is signalled: a process or thread has
    /// ended, an event is set, ….
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::os::windows::Waitable;
    /// use std::process::Command;
    ///
    /// # async_wheel::block_on(async {
    /// let child = Waitable::new(Command::new("timeout").arg("1").spawn()?)?;
    /// child.ready().await?;
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
    /// use async_wheel::os::windows::Waitable;
    /// use std::future::poll_fn;
    /// use std::process::Command;
    ///
    /// # async_wheel::block_on(async {
    /// let child = Waitable::new(Command::new("timeout").arg("1").spawn()?)?;
    /// poll_fn(|cx| child.poll_ready(cx)).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }
}

impl<T> AsRef<T> for Waitable<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

impl<T: AsRawHandle> AsRawHandle for Waitable<T> {
    fn as_raw_handle(&self) -> RawHandle {
        self.get_ref().as_raw_handle()
    }
}

impl<T: AsHandle> AsHandle for Waitable<T> {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.get_ref().as_handle()
    }
}

impl<T: AsHandle + From<OwnedHandle>> TryFrom<OwnedHandle> for Waitable<T> {
    type Error = io::Error;

    fn try_from(handle: OwnedHandle) -> io::Result<Waitable<T>> {
        Waitable::new(handle.into())
    }
}

impl<T: Into<OwnedHandle>> TryFrom<Waitable<T>> for OwnedHandle {
    type Error = io::Error;

    fn try_from(waitable: Waitable<T>) -> io::Result<OwnedHandle> {
        waitable.into_inner().map(Into::into)
    }
}
