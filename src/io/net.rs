//! TCP and UDP.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use futures_core::Stream;
use futures_lite::stream;
use rustix::net::{AddressFamily, ipproto};

use super::connect::{accept, connect};
use super::{Async, ready::Wait};
use crate::reactor::{Interest, Waiter};
use crate::sys::Kind;

impl Async<TcpListener> {
    /// Listens on an address. Port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// What the system says to binding or listening: `AddrInUse`, `PermissionDenied`, ….
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    ///
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<TcpListener>> {
        Async::made(TcpListener::bind(addr.into())?, Kind::Tcp)
    }

    /// Waits for somebody to connect.
    ///
    /// # Errors
    ///
    /// What the system says: running out of descriptors, for instance. The listener is as good
    /// as before.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::net::TcpListener;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 8000))?;
    /// let (stream, address) = listener.accept().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn accept(&self) -> io::Result<(Async<TcpStream>, SocketAddr)> {
        let (stream, addr) = self.own_op(Interest::Read, accept).await?;
        Ok((Async::accepted(stream, self, Some(addr))?, addr))
    }

    /// A stream, without an end, of those who connect.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use futures_lite::StreamExt;
    /// use std::net::TcpListener;
    /// use std::pin::pin;
    ///
    /// # async_wheel::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 8000))?;
    /// let mut incoming = pin!(listener.incoming());
    /// while let Some(stream) = incoming.next().await {
    ///     let stream = stream?;
    /// }
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn incoming(&self) -> impl Stream<Item = io::Result<Async<TcpStream>>> + Send + '_ {
        stream::unfold(self, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        })
    }
}

impl TryFrom<TcpListener> for Async<TcpListener> {
    type Error = io::Error;

    fn try_from(listener: TcpListener) -> io::Result<Async<TcpListener>> {
        Async::new(listener)
    }
}

impl Async<TcpStream> {
    /// Connects to an address.
    ///
    /// # Errors
    ///
    /// What the system says: `ConnectionRefused`, `TimedOut`, `NetworkUnreachable`, …. To give
    /// up sooner than the system does, race it with a [`Timer`](crate::Timer).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::net::TcpStream;
    ///
    /// # async_wheel::block_on(async {
    /// let stream = Async::<TcpStream>::connect(([127, 0, 0, 1], 8000)).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<TcpStream>> {
        let addr = addr.into();
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = connect(&addr, family, Some(ipproto::TCP))?;
        let stream = Async::connecting(TcpStream::from(socket), Kind::Tcp)?;
        stream.connected().await?;
        match stream.get_ref().take_error()? {
            None => Ok(stream),
            Some(error) => Err(error),
        }
    }

    /// Receives without taking from the stream.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_wheel::Async;
    /// use std::net::TcpStream;
    ///
    /// # async_wheel::block_on(async {
    /// let stream = Async::<TcpStream>::connect(([127, 0, 0, 1], 8000)).await?;
    /// let mut buffer = [0; 64];
    /// let seen = stream.peek(&mut buffer).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        // Not trusted: with `SO_PEEK_OFF` it would block although there is something to read.
        self.read_with(|io| io.peek(buf)).await
    }
}

impl<T> Async<T> {
    /// Waits for a connection that has just been begun to be there or to have failed.
    pub(super) async fn connected(&self) -> io::Result<()> {
        Wait::new(self, Interest::Write, Waiter::new()).await
    }
}

impl TryFrom<TcpStream> for Async<TcpStream> {
    type Error = io::Error;

    fn try_from(stream: TcpStream) -> io::Result<Async<TcpStream>> {
        Async::new(stream)
    }
}

impl Async<UdpSocket> {
    /// Makes a socket bound to an address. Port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// What the system says to binding: `AddrInUse`, `PermissionDenied`, ….
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    ///
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<UdpSocket>> {
        Async::made(UdpSocket::bind(addr.into())?, Kind::Udp)
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
    /// use std::net::UdpSocket;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// let address = socket.get_ref().local_addr()?;
    /// socket.send_to(b"to myself", address).await?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(socket.recv_from(&mut buffer).await?, (9, address));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.own_op(Interest::Read, |io| io.recv_from(buf)).await
    }

    /// Receives a datagram and leaves it there.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// socket.send_to(b"to myself", socket.get_ref().local_addr()?).await?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(socket.peek_from(&mut buffer).await?.0, 9);
    /// assert_eq!(socket.recv_from(&mut buffer).await?.0, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        // Not trusted: with `SO_PEEK_OFF` it would block although there is something to read.
        self.read_with(|io| io.peek_from(buf)).await
    }

    /// Sends a datagram to an address.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use std::net::UdpSocket;
    ///
    /// # async_wheel::block_on(async {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// let address = socket.get_ref().local_addr()?;
    /// assert_eq!(socket.send_to(b"to myself", address).await?, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn send_to<A: Into<SocketAddr>>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let addr = addr.into();
        self.own_op(Interest::Write, |io| io.send_to(buf, addr)).await
    }

    /// Receives a datagram from the peer that the socket was connected to.
    ///
    /// # Errors
    ///
    /// What the system says; `NotConnected` without a peer, for instance.
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
    /// socket.send(b"to myself").await?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(socket.recv(&mut buffer).await?, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.own_op(Interest::Read, |io| io.recv(buf)).await
    }

    /// Receives a datagram from the peer that the socket was connected to, and leaves it
    /// there.
    ///
    /// # Errors
    ///
    /// What the system says.
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
    /// socket.send(b"to myself").await?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(socket.peek(&mut buffer).await?, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        // Not trusted: with `SO_PEEK_OFF` it would block although there is something to read.
        self.read_with(|io| io.peek(buf)).await
    }

    /// Sends a datagram to the peer that the socket was connected to.
    ///
    /// # Errors
    ///
    /// What the system says.
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
    /// assert_eq!(socket.send(b"to myself").await?, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.own_op(Interest::Write, |io| io.send(buf)).await
    }
}

impl TryFrom<UdpSocket> for Async<UdpSocket> {
    type Error = io::Error;

    fn try_from(socket: UdpSocket) -> io::Result<Async<UdpSocket>> {
        Async::new(socket)
    }
}
