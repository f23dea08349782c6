//! `AsyncRead` and `AsyncWrite`.

use std::any::TypeId;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Async, IoSafe, is_system_io};
use crate::driver::current_shard;
use crate::reactor::{Interest, Source};
use crate::sys::Socket;

/// Waits after an operation that would block. If it was a system call on this very descriptor,
/// the source may take that for proof; after anything else the poller looks at the source again.
/// A user's type that reads a frame piece by piece says `WouldBlock` while the rest of it waits
/// in the socket, and one that has another descriptor within may pass on what that one said.
macro_rules! wait {
    ($io:ident, $interest:ident, $cx:ident, $before:ident) => {{
        let source = $io.source();
        ready!(if is_system_io::<T>() {
            source.poll_after_would_block(current_shard, Interest::$interest, $before, $cx)
        } else {
            source.poll_event(current_shard, Interest::$interest, $cx)
        })?;
    }};
}

/// Tries an operation, and again after each event, while it would block.
macro_rules! poll_op {
    ($io:ident, $interest:ident, $cx:ident, $op:expr) => {
        loop {
            let before = $io.source().begin(Interest::$interest)?;
            match $op {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            wait!($io, $interest, $cx, before);
        }
    };
}

/// Reads up to `$wanted` bytes as [`poll_op!`] does, but does not try where a TCP stream is known
/// to be empty.
macro_rules! poll_read_op {
    ($io:ident, $cx:ident, $wanted:expr, $op:expr) => {{
        let wanted: usize = $wanted;
        let tcp = is_tcp_stream::<T>();
        loop {
            let before = $io.source().begin(Interest::Read)?;
            if !(tcp && $io.source().is_known_empty(before)) {
                match $op {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => {
                        if tcp && result.as_ref().is_ok_and(|&read| 0 < read && read < wanted) {
                            $io.source().note_short_read(before);
                        }
                        return Poll::Ready(result);
                    }
                }
            }
            wait!($io, Read, $cx, before);
        }
    }};
}

/// The most buffers that one vectored read fills, on Linux: `IOV_MAX`.
const IOV_MAX: usize = 1024;

/// Returns `true` if `T` is the standard library's TCP stream, whose reads are the system's own.
/// Other types may read what they like, and what a short read of theirs means only they know.
fn is_tcp_stream<T>() -> bool {
    typeid::of::<T>() == TypeId::of::<TcpStream>()
}

/// The socket of a TCP stream, where there is a cheaper way to it than the standard library's.
fn tcp_socket<T>(source: &Source) -> Option<Socket<'_>> {
    if is_tcp_stream::<T>() { source.registration().socket() } else { None }
}

/// The methods of `AsyncRead` by an expression for something that is `Read`.
macro_rules! async_read {
    ($io:ident => $read:expr) => {
        fn poll_read(
            #[allow(unused_mut)] mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let $io = &mut *self;
            poll_read_op!(
                $io,
                cx,
                buffer.len(),
                match tcp_socket::<T>($io.source()) {
                    Some(socket) => socket.receive(buffer),
                    None => $read.read(buffer),
                }
            )
        }

        fn poll_read_vectored(
            #[allow(unused_mut)] mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &mut [IoSliceMut<'_>],
        ) -> Poll<io::Result<usize>> {
            let $io = &mut *self;
            // The system takes so many at a time; a read that filled them did not fall short.
            let wanted = buffers.iter().take(IOV_MAX).map(|buffer| buffer.len()).sum();
            poll_read_op!($io, cx, wanted, $read.read_vectored(buffers))
        }
    };
}

/// The methods of `AsyncWrite` by an expression for something that is `Write`.
macro_rules! async_write {
    ($io:ident => $write:expr) => {
        fn poll_write(
            #[allow(unused_mut)] mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let $io = &mut *self;
            poll_op!(
                $io,
                Write,
                cx,
                match tcp_socket::<T>($io.source()) {
                    Some(socket) => socket.send(bytes),
                    None => $write.write(bytes),
                }
            )
        }

        fn poll_write_vectored(
            #[allow(unused_mut)] mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let $io = &mut *self;
            poll_op!($io, Write, cx, $write.write_vectored(bytes))
        }

        fn poll_flush(
            #[allow(unused_mut)] mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            let $io = &mut *self;
            poll_op!($io, Write, cx, $write.flush())
        }

        fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll_flush(cx)
        }
    };
}

impl<T: IoSafe + Read> AsyncRead for Async<T> {
    async_read!(io => {
        // SAFETY: reading leaves the descriptor alone, by `IoSafe`.
        unsafe { io.get_mut() }
    });
}

impl<T> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    async_read!(io => io.get_ref());
}

impl<T: IoSafe + Write> AsyncWrite for Async<T> {
    async_write!(io => {
        // SAFETY: writing leaves the descriptor alone, by `IoSafe`.
        unsafe { io.get_mut() }
    });
}

impl<T> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    async_write!(io => io.get_ref());
}
