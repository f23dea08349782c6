//! `Async<T>`: an I/O type with its registration.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connect::set_nonblocking;
#[cfg(unix)]
use super::is_system_io;
use super::{Readable, ReadableOwned, Writable, WritableOwned};
use crate::driver;
use crate::reactor::{Interest, Source};
use crate::sys::{Identity, Kind, NESTED, Registration};

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
/// system calls. Readiness is level-triggered: a wait for something that is there already
/// ends at once.
///
/// One kind of operation is not always tried first, on Linux: a read of an `Async<TcpStream>`
/// through [`AsyncRead`], after one that returned less than was asked for. That one has emptied
/// the socket; until the poller reports something new, the next waits without trying. If the
/// socket is set up so that a short read does *not* mean that (`SO_RCVLOWAT` above one,
/// decryption in the kernel, a sockmap), read with [`read_with`](Async::read_with), which always
/// tries.
///
/// # Where it is registered
///
/// Events are noticed by the thread whose shard a source is registered with, which should be the
/// one that its task runs on. So what this crate makes itself (accepted, connected, bound) is
/// registered by its first wait, with the shard of the thread that waits; an error of the system
/// to that comes out of the wait, and the next one tries again. What is wrapped by
/// [`new`](Async::new) is registered at once, and moves at its first wait, if that is from another
/// shard. Later a source moves when it has been waited for 16 times in a row from one other shard
/// (each poll that is pending counts), at two system calls: an accepting task that waits for a
/// connection before it hands it on keeps it for as long. Types of your own, of which this crate does
/// not know how their drivers report, stay after their first wait.
/// [`diagnostics::shards`](crate::diagnostics::shards) counts the moves. Threads outside
/// [`block_on`](crate::block_on) share the first shard. Where there is one shard (Windows), all is
/// registered at once.
///
/// # `WouldBlock`
///
/// After an operation that would block, waiting costs no system call where it is certain that
/// the poller will report the change to *ready*. That a driver said `EAGAIN` does not always
/// make it so: a terminal says it while another process is reading, and nothing is reported
/// when that ends. So it is trusted only on Linux, for the kinds of descriptors whose drivers
/// are known (TCP, Unix streams, pipes and FIFOs; receiving on UDP and Unix datagram sockets),
/// and only if the operation was a system call on the very descriptor: a method of this crate's,
/// or [`AsyncRead`] and [`AsyncWrite`] where `T` is one of the standard library's own sockets,
/// pipes or files. In all other cases (terminals and other devices, your own `T`, the closures
/// of [`read_with`](Async::read_with) and [`write_with`](Async::write_with)) each wait has the
/// poller look at the descriptor again, which is one system call. The kind is looked at once,
/// in [`new`](Async::new): do not put another protocol onto a wrapped socket (`TCP_ULP`), or
/// read and write with closures if you do.
///
/// # Several tasks
///
/// Any number of tasks can wait in futures. The poll methods (`poll_readable`, `poll_read`, …)
/// keep one task for each direction: another that comes takes the place, and the one that was
/// there is woken. A task that polls with a new waker each time is such another to itself, and
/// wakes itself again and again.
///
/// # Closing
///
/// A descriptor that is closed or replaced behind the back of its `Async` is a mistake, but no
/// trap: from the moment its number is registered again, by whichever thread, whoever waits for
/// the old one gets an error (`NotFound`), and the new one is left alone.
///
/// Dropping ends the registration and then closes. `AsyncWriteExt::close` only flushes: to
/// tell the peer that nothing more will come, shut the socket down through
/// [`get_ref`](Async::get_ref).
///
/// # After a fork
///
/// In the child of a `fork` without `exec`, a source that the parent made is still the parent's:
/// to wait for it is an error, and to drop it leaves the parent's registration alone.
/// [`into_inner`](Async::into_inner) and [`new`](Async::new) make it the child's own. Operations
/// that need not wait work.
///
/// [`AsyncRead`]: https://docs.rs/futures-io/latest/futures_io/trait.AsyncRead.html
/// [`AsyncWrite`]: https://docs.rs/futures-io/latest/futures_io/trait.AsyncWrite.html
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
    /// - whatever else the system says, running out of descriptors or memory included. The
    ///   first of all starts the reactor, which takes some descriptors and a thread; if they are
    ///   refused, the next call tries again.
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
        // Of other types no operation is trusted, whatever the kind.
        let kind = if is_system_io::<T>() { Kind::of(io.as_fd()) } else { Kind::Other };
        Async::register(Async::registration(&io, kind), io)
    }

    fn registration(io: &T, kind: Kind) -> Registration {
        // SAFETY: the descriptor belongs to `io`, which lives in the same value as the
        // registration and is given away or dropped only after that was ended. (`AsFd`
        // promises the descriptor for the borrow only; a type that changes it behind a shared
        // reference breaks its own promise that the descriptor is its own.)
        unsafe { Registration::new(io.as_fd(), kind) }
    }

    /// Wraps what this crate has just made, of a kind that is known, and puts its descriptor into
    /// non-blocking mode. Its first wait registers it.
    pub(super) fn made(io: T, kind: Kind) -> io::Result<Async<T>> {
        set_nonblocking(io.as_fd())?;
        let identity = Identity::of(io.as_fd());
        Async::adopt(Async::registration(&io, kind), identity, io)
    }

    /// The same for a connection that has just been begun, in non-blocking mode. It is waited for at
    /// once, so that it needs no identity.
    pub(super) fn connecting(io: T, kind: Kind) -> io::Result<Async<T>> {
        Async::adopt(Async::registration(&io, kind), Identity::UNKNOWN, io)
    }

    /// Wraps what a listener has accepted, in non-blocking mode. Where the listener's kind tells
    /// that of what it accepts, the system is not asked; nor for an identity if the peer has an
    /// address.
    pub(super) fn accepted<L>(
        io: T,
        listener: &Async<L>,
        peer: Option<SocketAddr>,
    ) -> io::Result<Async<T>> {
        let kind = listener.source().registration().kind().of_accepted();
        let kind = kind.unwrap_or_else(|| Kind::of(io.as_fd()));
        let identity = peer.map_or_else(|| Identity::of(io.as_fd()), Identity::of_peer);
        Async::adopt(Async::registration(&io, kind), identity, io)
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
        Async::register(Async::registration(&io, Kind::Other), io)
    }

    fn registration(io: &T, kind: Kind) -> Registration {
        // SAFETY: the socket belongs to `io`, which lives in the same value as the
        // registration and is given away or dropped only after that was ended.
        unsafe { Registration::new(io.as_socket(), kind) }
    }

    /// Wraps what this crate has just made, and puts its socket into non-blocking mode. Its first
    /// wait registers it.
    pub(super) fn made(io: T, kind: Kind) -> io::Result<Async<T>> {
        set_nonblocking(io.as_socket())?;
        Async::connecting(io, kind)
    }

    /// The same for a connection that has just been begun, in non-blocking mode.
    pub(super) fn connecting(io: T, kind: Kind) -> io::Result<Async<T>> {
        Async::adopt(Async::registration(&io, kind), Identity::UNKNOWN, io)
    }

    /// Wraps what a listener has accepted.
    pub(super) fn accepted<L>(io: T, _: &Async<L>, _: Option<SocketAddr>) -> io::Result<Async<T>> {
        Async::made(io, Kind::Other)
    }
}

impl<T> Async<T> {
    /// Wraps an I/O type by what the poller knows it by.
    pub(crate) fn register(registration: Registration, io: T) -> io::Result<Async<T>> {
        let source = driver::reactor()?.register(&driver::current_shard()?, registration)?;
        #[cfg(feature = "tracing")]
        tracing::trace!(?registration, place = ?source.place(), "source registered");
        Ok(Async { source, io: Some(io) })
    }

    /// Wraps what this crate has just made. Its first wait registers it, unless there is one shard
    /// only, where there is nothing to decide.
    pub(crate) fn adopt(
        registration: Registration,
        identity: Identity,
        io: T,
    ) -> io::Result<Async<T>> {
        if !NESTED {
            return Async::register(registration, io);
        }
        let source = driver::reactor()?.adopt(registration, identity);
        Ok(Async { source, io: Some(io) })
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
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
        // There is none in the child of a fork that has not needed one.
        if let Some(reactor) = driver::started() {
            reactor.deregister(&self.source)?;
        }
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
        self.source.poll_event(driver::current_shard, Interest::Read, cx)
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
        self.source.poll_event(driver::current_shard, Interest::Write, cx)
    }
}

impl<T> Drop for Async<T> {
    fn drop(&mut self) {
        if let Some(io) = self.io.take() {
            // First the registration, then the descriptor: its number is used again at once.
            if let Some(reactor) = driver::started() {
                // There is nobody to tell an error to, unless somebody traces.
                let _ended = reactor.deregister(&self.source);
                #[cfg(feature = "tracing")]
                tracing::trace!(
                    source = ?self.source.registration(),
                    ended = ?_ended,
                    "source dropped"
                );
            }
            drop(io);
        }
    }
}
