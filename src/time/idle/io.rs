//! Streams of bytes whose silence is an error.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use pin_project_lite::pin_project;

use super::activity::Shared;
use super::{Activity, IdleTimeout};

pin_project! {
    /// A stream of bytes with an idle timeout, from
    /// [`IdleTimeout::wrap_io`] or
    /// [`wrap_halves`](IdleTimeout::wrap_halves).
    ///
    /// Each read or write of at least one byte is a touch. An operation that cannot go on fails
    /// with [`TimedOut`](io::ErrorKind::TimedOut) when the limit has passed since the last touch.
    /// One that can go on does, however late it is. Flushing and closing are no touches, but fail
    /// in the same way.
    ///
    /// Reading and writing are one activity: a reader is not idle while bytes are written, nor a writer
    /// while bytes are read. Each direction has an idle timeout of its own for its task to be woken by,
    /// and all share the touches. So the two directions may be in two tasks, by `split` of
    /// `futures-lite` or by [`wrap_halves`](IdleTimeout::wrap_halves).
    ///
    /// Time in which no operation is tried counts. After a pause that was longer than the limit,
    /// [touch](Activity::touch) the [`activity`](Self::activity) first.
    ///
    /// # Errors
    ///
    /// As those of the stream inside, and `TimedOut` as said. After that error the stream may be
    /// used on: each operation that cannot go on fails at once, until one does or it is touched.
    ///
    /// # Cancel safety
    ///
    /// As the stream inside: this keeps no bytes. An operation that timed out has read or written
    /// nothing.
    ///
    /// # Cost
    ///
    /// A look at the clock for each operation that has done something, and one atomic operation.
    /// An operation that has to wait takes a lock of the reactor. Besides the stream it takes
    /// 136 bytes, and 77 more for each direction that waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::AsyncReadExt;
    /// use std::io::ErrorKind;
    /// use std::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let stream = Async::<TcpStream>::connect(address).await?;
    /// let mut stream = IdleTimeout::new(Duration::from_millis(2)).wrap_io(stream);
    /// let error = stream.read(&mut [0; 8]).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TimedOut);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[derive(Debug)]
    pub struct IdleIo<T> {
        #[pin]
        io: T,
        reading: Shared,
        writing: Shared,
    }
}

impl IdleTimeout {
    /// Watches something that bytes are read from or written to: each read and each write is a
    /// touch. A pending operation fails with [`TimedOut`](io::ErrorKind::TimedOut) when the limit
    /// has passed: see [`IdleIo`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::{AsyncReadExt, io::Cursor};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut io = IdleTimeout::new(Duration::from_secs(30)).wrap_io(Cursor::new(vec![1, 2]));
    /// let mut buffer = [0; 2];
    /// io.read_exact(&mut buffer).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn wrap_io<T>(self, io: T) -> IdleIo<T> {
        IdleIo::new(io, Shared::new(self))
    }

    /// Watches a reader and a writer that belong together, although they may be in different
    /// tasks. What the one reads and what the other writes are both touches of both.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Async;
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
    /// use std::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let stream = Async::<TcpStream>::connect(address).await?;
    /// # let mut peer = listener.accept()?.0;
    /// # std::io::Write::write_all(&mut peer, b"welcome")?;
    /// let idle = IdleTimeout::new(Duration::from_secs(60));
    /// let (mut reader, mut writer) = idle.wrap_halves(&stream, &stream);
    /// let mut buffer = [0; 7];
    /// let (read, written) =
    ///     future::zip(reader.read_exact(&mut buffer), writer.write_all(b"hello")).await;
    /// read?;
    /// written?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn wrap_halves<R, W>(self, reader: R, writer: W) -> (IdleIo<R>, IdleIo<W>) {
        let shared = Shared::new(self);
        let sibling = shared.sibling();
        (IdleIo::new(reader, shared), IdleIo::new(writer, sibling))
    }
}

impl<T> IdleIo<T> {
    fn new(io: T, reading: Shared) -> IdleIo<T> {
        let writing = reading.sibling();
        IdleIo { io, reading, writing }
    }

    /// Returns what touches it, and tells when the last byte was read or written.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::io::Cursor;
    /// use std::time::Duration;
    ///
    /// let io = IdleTimeout::new(Duration::from_secs(30)).wrap_io(Cursor::new(vec![1, 2]));
    /// let activity = io.activity().clone();
    /// println!("nothing heard for {:?}", activity.last_touch().elapsed());
    /// ```
    pub fn activity(&self) -> &Activity {
        self.reading.activity()
    }

    /// Returns the limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::io::Cursor;
    /// use std::time::Duration;
    ///
    /// let io = IdleTimeout::new(Duration::from_secs(30)).wrap_io(Cursor::new(vec![1, 2]));
    /// assert_eq!(io.limit(), Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.reading.limit()
    }

    /// Sets another limit for both directions, from the last touch on. Of two halves, the other one
    /// keeps its own. See [`IdleTimeout::set_limit`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::io::Cursor;
    /// use std::pin::Pin;
    /// use std::time::Duration;
    ///
    /// let mut io = IdleTimeout::new(Duration::from_secs(30)).wrap_io(Cursor::new(vec![1, 2]));
    /// Pin::new(&mut io).set_limit(Duration::from_secs(60));
    /// ```
    pub fn set_limit(self: Pin<&mut Self>, limit: Duration) {
        let this = self.project();
        this.reading.set_limit(limit);
        this.writing.set_limit(limit);
    }

    /// Returns the stream inside.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::io::Cursor;
    /// use std::time::Duration;
    ///
    /// let io = IdleTimeout::new(Duration::from_secs(30)).wrap_io(Cursor::new(vec![1, 2]));
    /// assert_eq!(io.get_ref().position(), 0);
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Returns the stream inside, mutably. What is read from it or written to it is no touch.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::io::Cursor;
    /// use std::time::Duration;
    ///
    /// let mut io = IdleTimeout::new(Duration::from_secs(30)).wrap_io(Cursor::new(vec![1, 2]));
    /// io.get_mut().set_position(1);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Takes the stream out. No byte is kept back.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::IdleTimeout;
    /// use futures_lite::io::Cursor;
    /// use std::time::Duration;
    ///
    /// let io = IdleTimeout::new(Duration::from_secs(30)).wrap_io(Cursor::new(vec![1, 2]));
    /// assert_eq!(io.into_inner().into_inner(), [1, 2]);
    /// ```
    pub fn into_inner(self) -> T {
        self.io
    }
}

/// Touches if bytes were moved, and fails if nothing can be for too long.
fn watch_bytes(
    moved: Poll<io::Result<usize>>,
    direction: &mut Shared,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if let Poll::Ready(Ok(1..)) = moved {
        direction.activity().touch();
    }
    watch(moved, direction, cx)
}

/// Fails if nothing happens for too long.
fn watch<R>(
    result: Poll<io::Result<R>>,
    direction: &mut Shared,
    cx: &mut Context<'_>,
) -> Poll<io::Result<R>> {
    match result {
        Poll::Ready(_) => result,
        Poll::Pending => direction.poll(cx).map(|elapsed| Err(elapsed.into())),
    }
}

impl<T: AsyncRead> AsyncRead for IdleIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        watch_bytes(this.io.poll_read(cx, buffer), this.reading, cx)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        watch_bytes(this.io.poll_read_vectored(cx, buffers), this.reading, cx)
    }
}

impl<T: AsyncWrite> AsyncWrite for IdleIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        watch_bytes(this.io.poll_write(cx, buffer), this.writing, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        watch_bytes(this.io.poll_write_vectored(cx, buffers), this.writing, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        watch(this.io.poll_flush(cx), this.writing, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        watch(this.io.poll_close(cx), this.writing, cx)
    }
}
