//! `AsyncRead` and `AsyncWrite`.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Async, IoSafe};
use crate::reactor::Interest;

/// Tries an operation, and again after each event, while it would block.
///
/// The operation may be a user's: a type that reads a frame piece by piece says `WouldBlock`
/// while the rest of it waits in the socket. Only what the system itself said is taken for
/// drained; after anything else the poller looks at the source again.
macro_rules! poll_op {
    ($io:ident, $interest:ident, $cx:ident, $op:expr) => {
        loop {
            let before = $io.source().events(Interest::$interest);
            let by_system = match $op {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    error.raw_os_error().is_some()
                }
                result => return Poll::Ready(result),
            };
            let source = $io.source();
            ready!(if by_system {
                source.poll_after_would_block(Interest::$interest, before, $cx)
            } else {
                source.poll_event(Interest::$interest, $cx)
            })?;
        }
    };
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
            poll_op!($io, Read, cx, $read.read(buffer))
        }

        fn poll_read_vectored(
            #[allow(unused_mut)] mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &mut [IoSliceMut<'_>],
        ) -> Poll<io::Result<usize>> {
            let $io = &mut *self;
            poll_op!($io, Read, cx, $read.read_vectored(buffers))
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
            poll_op!($io, Write, cx, $write.write(bytes))
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
    // SAFETY: reading leaves the descriptor alone, by `IoSafe`.
    async_read!(io => unsafe { io.get_mut() });
}

impl<T> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    async_read!(io => io.get_ref());
}

impl<T: IoSafe + Write> AsyncWrite for Async<T> {
    // SAFETY: writing leaves the descriptor alone, by `IoSafe`.
    async_write!(io => unsafe { io.get_mut() });
}

impl<T> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    async_write!(io => io.get_ref());
}
