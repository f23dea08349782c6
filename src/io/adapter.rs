//! `Async<T>`: an I/O type with its registration.

use std::future::{Future, poll_fn};
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, OwnedSocket, RawSocket};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connect::set_nonblocking;
use super::ready::Ready;
use super::{Readable, ReadableOwned, Writable, WritableOwned};
use crate::driver;
use crate::reactor::{Interest, Source, Waiter};
use crate::sys::Registration;

/// An I/O type that is waited for without blocking a thread.
///
/// Any type with a descriptor (a socket, on Windows) that the system's poller takes can be
/// wrapped: sockets, pipes, timerfd, inotify, pidfd, … Regular files cannot, since they are
/// always ready; the poller refuses them.
///
/// # Waiting
///
/// An operation is tried first; only when it would block does the task wait, and try again
/// after the next event. [`Async<T>`] and `&Async<T>` implement [`AsyncRead`] and
/// [`AsyncWrite`] where `T` reads and writes; everything else goes through
/// [`read_with`](Async::read_with) and [`write_with`](Async::write_with), or through
/// [`readable`](Async::readable) and [`writable`](Async::writable) for those who do their own
/// system calls. Readiness is level-triggered: whoever waits for something that is there
/// already is told.
///
/// Any number of tasks can wait in futures. The poll methods (`poll_readable`, `poll_read`, …)
/// keep one task for each direction: another that comes takes the place, and the one that was
/// there is woken.
///
/// # Closing
///
/// Dropping ends the registration and then closes. `AsyncWriteExt::close` only flushes: to
/// tell the peer that nothing more will come, shut the socket down through
/// [`get_ref`](Async::get_ref).
///
/// [`AsyncRead`]: futures_io::AsyncRead
/// [`AsyncWrite`]: futures_io::AsyncWrite
///
/// # Examples
///
/// ```
/// use async_wheel::Async;
/// use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
/// use std::net::{TcpListener, TcpStream};
///
/// # async_wheel::block_on(async {
/// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
/// let address = listener.get_ref().local_addr()?;
///
/// let (accepted, connected) = future::try_zip(
///     listener.accept(),
///     Async::<TcpStream>::connect(address),
/// ).await?;
/// let ((mut server, _), mut client) = (accepted, connected);
///
/// client.write_all(b"hello").await?;
/// let mut heard = [0; 5];
/// server.read_exact(&mut heard).await?;
/// assert_eq!(&heard, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Async<T> {
    source: Arc<Source>,
    /// `None` only once it was taken out, which ends this value.
    io: Option<T>,
}

impl<T> Unpin for Async<T> {}

#[cfg(unix)]
impl<T: AsFd> Async<T> {
    /// Wraps an I/O type and puts its descriptor into non-blocking mode, where it stays.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the descriptor is wrapped already;
    /// - `PermissionDenied`: the system cannot wait for its kind, a regular file for instance
    ///   (Linux);
    /// - whatever else the system says, running out of descriptors or memory included.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    ///
    /// let socket = Async::new(UdpSocket::bind("127.0.0.1:0")?)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new(io: T) -> io::Result<Async<T>> {
        set_nonblocking(io.as_fd())?;
        Async::new_nonblocking(io)
    }

    /// Wraps an I/O type whose descriptor is in non-blocking mode already. That is not
    /// checked: with one that is not, operations block the thread.
    ///
    /// # Errors
    ///
    /// As [`new`](Async::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_nonblocking(true)?;
    /// let socket = Async::new_nonblocking(socket)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new_nonblocking(io: T) -> io::Result<Async<T>> {
        // SAFETY: the descriptor belongs to `io`, which lives in the same value as the
        // registration and is given away or dropped only after that was ended. (`AsFd`
        // promises the descriptor for the borrow only; a type that changes it behind a shared
        // reference breaks its own promise that the descriptor is its own.)
        let registration = unsafe { Registration::new(io.as_fd()) };
        Async::register(registration, io)
    }
}

#[cfg(windows)]
impl<T: AsSocket> Async<T> {
    /// Wraps an I/O type and puts its socket into non-blocking mode, where it stays.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the socket is wrapped already;
    /// - whatever else the system says.
    pub fn new(io: T) -> io::Result<Async<T>> {
        set_nonblocking(io.as_socket())?;
        Async::new_nonblocking(io)
    }

    /// Wraps an I/O type whose socket is in non-blocking mode already. That is not checked:
    /// with one that is not, operations block the thread.
    ///
    /// # Errors
    ///
    /// As [`new`](Async::new).
    pub fn new_nonblocking(io: T) -> io::Result<Async<T>> {
        // SAFETY: the socket belongs to `io`, which lives in the same value as the
        // registration and is given away or dropped only after that was ended.
        let registration = unsafe { Registration::new(io.as_socket()) };
        Async::register(registration, io)
    }
}

impl<T> Async<T> {
    /// Wraps an I/O type by what the poller knows it by.
    pub(crate) fn register(registration: Registration, io: T) -> io::Result<Async<T>> {
        let source = driver::reactor()?.register(&driver::place()?, registration)?;
        Ok(Async { source, io: Some(io) })
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The wrapped value.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    ///
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// println!("listening on {}", listener.get_ref().local_addr()?);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn get_ref(&self) -> &T {
        self.io.as_ref().expect("the value is there until it is taken out")
    }

    /// The wrapped value, for change.
    ///
    /// # Safety
    ///
    /// The value must not be replaced or its descriptor closed: the registration is the
    /// descriptor's.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    ///
    /// let mut listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// // SAFETY: the listener stays where it is.
    /// let listener = unsafe { listener.get_mut() };
    /// # std::io::Result::Ok(())
    /// ```
    pub unsafe fn get_mut(&mut self) -> &mut T {
        self.io.as_mut().expect("the value is there until it is taken out")
    }

    /// Ends the registration and gives the wrapped value back, still in non-blocking mode.
    ///
    /// # Errors
    ///
    /// If the system refuses to end the registration. The value is dropped then.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    ///
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// let listener: TcpListener = listener.into_inner()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn into_inner(mut self) -> io::Result<T> {
        let io = self.io.take().expect("the value is there until it is taken out");
        driver::reactor()?.deregister(&self.source)?;
        Ok(io)
    }

    /// Waits until the source is readable: something can be read, accepted, or an error or
    /// the end of the stream is there to be seen.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// listener.readable().await?; // somebody has connected
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn readable(&self) -> Readable<'_, T> {
        Readable::new(self)
    }

    /// As [`readable`](Async::readable), with a future that owns a reference to the source.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    /// use std::sync::Arc;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Arc::new(Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?);
    /// listener.clone().readable_owned().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn readable_owned(self: Arc<Self>) -> ReadableOwned<T> {
        ReadableOwned::new(self)
    }

    /// Waits until the source is writable: there is room to write, or an error to be seen.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// socket.writable().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn writable(&self) -> Writable<'_, T> {
        Writable::new(self)
    }

    /// As [`writable`](Async::writable), with a future that owns a reference to the source.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    /// use std::sync::Arc;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Arc::new(Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?);
    /// socket.clone().writable_owned().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn writable_owned(self: Arc<Self>) -> WritableOwned<T> {
        WritableOwned::new(self)
    }

    /// Polls for an event that makes the source readable.
    ///
    /// Ready if there was one since this method last said `Pending`, so that the first call is
    /// pending even if there is something to read; the task is then woken. Being ready uses
    /// the event up. One task can wait here at a time; another that comes takes the place, and
    /// the one that was there is woken.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::future::poll_fn;
    /// use std::net::TcpListener;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// poll_fn(|cx| listener.poll_readable(cx)).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_event(Interest::Read, cx)
    }

    /// Polls for an event that makes the source writable, as
    /// [`poll_readable`](Async::poll_readable) does for reading.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::future::poll_fn;
    /// use std::net::UdpSocket;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// poll_fn(|cx| socket.poll_writable(cx)).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_event(Interest::Write, cx)
    }

    /// Does a read operation, waiting while it would block.
    ///
    /// The operation is tried at once, and again each time the source has become readable, or
    /// the task was woken for another reason, until it says something else than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// What the operation says, and what the system says to waiting.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// let (stream, address) = listener.read_with(|listener| listener.accept()).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_with<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let mut op = op;
        loop {
            match op(self.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            once(self.readable()).await?;
        }
    }

    /// Does a read operation that needs the value for change, waiting while it would block.
    ///
    /// # Safety
    ///
    /// The operation must not replace the value or close its descriptor.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::io::Read;
    /// use std::net::TcpStream;
    ///
    /// # async_wheel::block_on(async {
    /// let mut stream = Async::<TcpStream>::connect(([127, 0, 0, 1], 8000)).await?;
    /// let mut buffer = [0; 64];
    /// // SAFETY: reading leaves the stream where it is.
    /// let read = unsafe { stream.read_with_mut(|stream| stream.read(&mut buffer)).await? };
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async unsafe fn read_with_mut<R>(
        &mut self,
        op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut op = op;
        loop {
            // SAFETY: what `op` does is the caller's to answer for.
            match op(unsafe { self.get_mut() }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            once(self.readable()).await?;
        }
    }

    /// Does a write operation, waiting while it would block, as
    /// [`read_with`](Async::read_with) does for reading.
    ///
    /// # Errors
    ///
    /// What the operation says, and what the system says to waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// socket.get_ref().connect(socket.get_ref().local_addr()?)?;
    /// let sent = socket.write_with(|socket| socket.send(b"to myself")).await?;
    /// assert_eq!(sent, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn write_with<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let mut op = op;
        loop {
            match op(self.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            once(self.writable()).await?;
        }
    }

    /// Does a write operation that needs the value for change, waiting while it would block.
    ///
    /// # Safety
    ///
    /// The operation must not replace the value or close its descriptor.
    ///
    /// # Errors
    ///
    /// As [`write_with`](Async::write_with).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::io::Write;
    /// use std::net::TcpStream;
    ///
    /// # async_wheel::block_on(async {
    /// let mut stream = Async::<TcpStream>::connect(([127, 0, 0, 1], 8000)).await?;
    /// // SAFETY: writing leaves the stream where it is.
    /// let written = unsafe { stream.write_with_mut(|stream| stream.write(b"hello")).await? };
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async unsafe fn write_with_mut<R>(
        &mut self,
        op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut op = op;
        loop {
            // SAFETY: what `op` does is the caller's to answer for.
            match op(unsafe { self.get_mut() }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            once(self.writable()).await?;
        }
    }

    /// Does one of this crate's own operations, which say `WouldBlock` only when the system
    /// did: then the next change to *ready* is still ahead, and waiting for it is free.
    pub(super) async fn own_op<R>(
        &self,
        interest: Interest,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut op = op;
        loop {
            let before = self.source.events(interest);
            match op(self.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            once(Ready::new(self, interest, Waiter::after_would_block(before))).await?;
        }
    }
}

/// Polls a wait once; if it is pending, the next poll is the end of it whatever woke the task:
/// the operation is tried again.
async fn once(wait: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let mut wait = pin!(wait);
    let mut pending = false;
    poll_fn(|cx| {
        if pending {
            return Poll::Ready(Ok(()));
        }
        pending = true;
        wait.as_mut().poll(cx)
    })
    .await
}

impl<T> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

impl<T> Drop for Async<T> {
    fn drop(&mut self) {
        if let Some(io) = self.io.take() {
            // First the registration, then the descriptor: its number is used again at once.
            if let Some(reactor) = driver::started() {
                // There is nobody to tell an error to.
                let _ = reactor.deregister(&self.source);
            }
            drop(io);
        }
    }
}

#[cfg(unix)]
impl<T: AsRawFd> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

#[cfg(unix)]
impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

#[cfg(unix)]
impl<T: AsFd + From<OwnedFd>> TryFrom<OwnedFd> for Async<T> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Async<T>> {
        Async::new(fd.into())
    }
}

#[cfg(unix)]
impl<T: Into<OwnedFd>> TryFrom<Async<T>> for OwnedFd {
    type Error = io::Error;

    fn try_from(io: Async<T>) -> io::Result<OwnedFd> {
        io.into_inner().map(Into::into)
    }
}

#[cfg(windows)]
impl<T: AsRawSocket> AsRawSocket for Async<T> {
    fn as_raw_socket(&self) -> RawSocket {
        self.get_ref().as_raw_socket()
    }
}

#[cfg(windows)]
impl<T: AsSocket> AsSocket for Async<T> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.get_ref().as_socket()
    }
}

#[cfg(windows)]
impl<T: AsSocket + From<OwnedSocket>> TryFrom<OwnedSocket> for Async<T> {
    type Error = io::Error;

    fn try_from(socket: OwnedSocket) -> io::Result<Async<T>> {
        Async::new(socket.into())
    }
}

#[cfg(windows)]
impl<T: Into<OwnedSocket>> TryFrom<Async<T>> for OwnedSocket {
    type Error = io::Error;

    fn try_from(io: Async<T>) -> io::Result<OwnedSocket> {
        io.into_inner().map(Into::into)
    }
}
