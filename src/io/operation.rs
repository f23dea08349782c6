//! Operations that are tried, and tried again when the source has become ready.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use super::Async;
use super::ready::Wait;
use crate::reactor::{Interest, Waiter};

impl<T> Async<T> {
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
        self.retry(Interest::Read, |_| Waiter::new(), op).await
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
            self.source().begin(Interest::Read)?;
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
        self.retry(Interest::Write, |_| Waiter::new(), op).await
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
            self.source().begin(Interest::Write)?;
            // SAFETY: what `op` does is the caller's to answer for.
            match op(unsafe { self.get_mut() }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            once(self.writable()).await?;
        }
    }

    /// Does one of this crate's own operations, which say `WouldBlock` only when the system
    /// did, on this descriptor. Where the kind of descriptor makes that proof, the next change
    /// to *ready* is still ahead, and waiting for it is free.
    pub(super) async fn own_op<R>(
        &self,
        interest: Interest,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.retry(interest, Waiter::after_would_block, op).await
    }

    /// Tries an operation, and again after each wait, while it would block. The wait is made
    /// of the event counter as it was before the operation.
    async fn retry<R>(
        &self,
        interest: Interest,
        wait: impl Fn(usize) -> Waiter,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut op = op;
        loop {
            let before = self.source().begin(interest)?;
            match op(self.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            once(Wait::new(self, interest, wait(before))).await?;
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
