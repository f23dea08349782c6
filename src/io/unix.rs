//! Unix domain sockets.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use futures_core::Stream;
use futures_lite::stream;
use rustix::net::{AddressFamily, SocketAddrUnix};

use super::Async;
use super::connect::{connect, set_nonblocking};
use crate::reactor::Interest;
use crate::sys::Kind;

impl Async<UnixListener> {
    /// Listens on a path, which must not exist yet.
    ///
    /// # Errors
    ///
    /// What the system says to binding: `AddrInUse` if the path exists, ….
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixListener;
    ///
    /// let listener = Async::<UnixListener>::bind("/tmp/socket")?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixListener>> {
        Async::made(UnixListener::bind(path)?, Kind::UnixStream)
    }

    /// Waits for somebody to connect.
    ///
    /// # Errors
    ///
    /// What the system says. The listener is as good as before.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixListener;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<UnixListener>::bind("/tmp/socket")?;
    /// let (stream, address) = listener.accept().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn accept(&self) -> io::Result<(Async<UnixStream>, SocketAddr)> {
        let (stream, addr) = self.own_op(Interest::Read, |io| io.accept()).await?;
        set_nonblocking(stream.as_fd())?;
        Ok((Async::accepted(stream, self, None)?, addr))
    }

    /// A stream, without an end, of those who connect.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use futures_lite::StreamExt;
    /// use std::os::unix::net::UnixListener;
    /// use std::pin::pin;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<UnixListener>::bind("/tmp/socket")?;
    /// let mut incoming = pin!(listener.incoming());
    /// while let Some(stream) = incoming.next().await {
    ///     let stream = stream?;
    /// }
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn incoming(&self) -> impl Stream<Item = io::Result<Async<UnixStream>>> + Send + '_ {
        stream::unfold(self, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        })
    }
}

impl TryFrom<UnixListener> for Async<UnixListener> {
    type Error = io::Error;

    fn try_from(listener: UnixListener) -> io::Result<Async<UnixListener>> {
        Async::new(listener)
    }
}

impl Async<UnixStream> {
    /// Connects to a path. On Linux and Android, one that begins with a zero byte names an
    /// abstract socket.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound`, `ConnectionRefused`, ….
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixStream;
    ///
    /// # async_wheel::block_on(async {
    /// let stream = Async::<UnixStream>::connect("/tmp/socket").await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixStream>> {
        let address = address(path.as_ref())?;
        let socket = connect(&address, AddressFamily::UNIX, None)?;
        let stream = Async::connecting(UnixStream::from(socket), Kind::UnixStream)?;
        stream.connected().await?;
        // A socket that failed to connect can be writable too; it has no peer then.
        stream.get_ref().peer_addr()?;
        Ok(stream)
    }

    /// Makes two streams that are connected with each other.
    ///
    /// # Errors
    ///
    /// What the system says: running out of descriptors, for instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (left, right) = Async::<UnixStream>::pair()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn pair() -> io::Result<(Async<UnixStream>, Async<UnixStream>)> {
        let (left, right) = UnixStream::pair()?;
        let wrap = |end| Async::made(end, Kind::UnixStream);
        Ok((wrap(left)?, wrap(right)?))
    }
}

impl TryFrom<UnixStream> for Async<UnixStream> {
    type Error = io::Error;

    fn try_from(stream: UnixStream) -> io::Result<Async<UnixStream>> {
        Async::new(stream)
    }
}

impl Async<UnixDatagram> {
    /// Makes a socket bound to a path, which must not exist yet.
    ///
    /// # Errors
    ///
    /// What the system says to binding: `AddrInUse` if the path exists, ….
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// let socket = Async::<UnixDatagram>::bind("/tmp/socket")?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixDatagram>> {
        Async::made(UnixDatagram::bind(path)?, Kind::UnixDatagram)
    }

    /// Makes a socket without an address of its own.
    ///
    /// # Errors
    ///
    /// What the system says: running out of descriptors, for instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// let socket = Async::<UnixDatagram>::unbound()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn unbound() -> io::Result<Async<UnixDatagram>> {
        Async::made(UnixDatagram::unbound()?, Kind::UnixDatagram)
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Errors
    ///
    /// What the system says: running out of descriptors, for instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// let (left, right) = Async::<UnixDatagram>::pair()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn pair() -> io::Result<(Async<UnixDatagram>, Async<UnixDatagram>)> {
        let (left, right) = UnixDatagram::pair()?;
        let wrap = |end| Async::made(end, Kind::UnixDatagram);
        Ok((wrap(left)?, wrap(right)?))
    }

    /// Receives a datagram: how many bytes, and from whom. What the buffer has no room for is
    /// lost.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # async_wheel::block_on(async {
    /// let (left, right) = Async::<UnixDatagram>::pair()?;
    /// left.send(b"hello").await?;
    /// let mut buffer = [0; 64];
    /// let (length, _from) = right.recv_from(&mut buffer).await?;
    /// assert_eq!(length, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.own_op(Interest::Read, |io| io.recv_from(buf)).await
    }

    /// Sends a datagram to a path.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound` if nobody is bound there, ….
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Async::<UnixDatagram>::unbound()?;
    /// socket.send_to(b"hello", "/tmp/socket").await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.own_op(Interest::Write, |io| io.send_to(buf, &path)).await
    }

    /// Receives a datagram from the peer that the socket is connected to.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # async_wheel::block_on(async {
    /// let (left, right) = Async::<UnixDatagram>::pair()?;
    /// left.send(b"hello").await?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(right.recv(&mut buffer).await?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.own_op(Interest::Read, |io| io.recv(buf)).await
    }

    /// Sends a datagram to the peer that the socket is connected to.
    ///
    /// # Errors
    ///
    /// What the system says; `NotConnected` without a peer, for instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # async_wheel::block_on(async {
    /// let (left, right) = Async::<UnixDatagram>::pair()?;
    /// assert_eq!(left.send(b"hello").await?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.own_op(Interest::Write, |io| io.send(buf)).await
    }
}

impl TryFrom<UnixDatagram> for Async<UnixDatagram> {
    type Error = io::Error;

    fn try_from(socket: UnixDatagram) -> io::Result<Async<UnixDatagram>> {
        Async::new(socket)
    }
}

/// A path as an address; a leading zero byte means an abstract name, where there are such.
fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    #[cfg(async_wheel_epoll)]
    {
        use std::os::unix::ffi::OsStrExt;
        if let [0, name @ ..] = path.as_os_str().as_bytes() {
            return Ok(SocketAddrUnix::new_abstract_name(name)?);
        }
    }
    Ok(SocketAddrUnix::new(path)?)
}
