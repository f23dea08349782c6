//! Which types keep their descriptor while they read and write.

use std::io::{Read, Write};

/// Types whose reading and writing leaves their descriptor alone.
///
/// [`Async<T>`](crate::Async) implements [`AsyncRead`] and
/// [`AsyncWrite`] for such types only: through `&mut T` a `Read` or
/// `Write` might otherwise replace the value and with it close a descriptor that is
/// registered.
///
/// # Safety
///
/// The type's `Read` and `Write` must neither close its descriptor nor put another in its
/// place.
///
/// # Examples
///
/// ```
/// use async_wheel::IoSafe;
/// use std::io::{self, Read};
/// use std::net::TcpStream;
///
/// struct Counting {
///     stream: TcpStream,
///     bytes: usize,
/// }
///
/// impl Read for Counting {
///     fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
///         let read = self.stream.read(buffer)?;
///         self.bytes += read;
///         Ok(read)
///     }
/// }
///
/// // SAFETY: `read` leaves `stream` where it is.
/// unsafe impl IoSafe for Counting {}
/// ```
///
/// [`AsyncRead`]: https://docs.rs/futures-io/latest/futures_io/trait.AsyncRead.html
/// [`AsyncWrite`]: https://docs.rs/futures-io/latest/futures_io/trait.AsyncWrite.html
pub unsafe trait IoSafe {}

/// Declares types of the standard library safe: their `Read` and `Write` make system calls on
/// the descriptor and have no way to close or replace it.
macro_rules! io_safe {
    ($($(#[$cfg:meta])* $type:ty),* $(,)?) => {
        $(
            $(#[$cfg])*
            // SAFETY: as above.
            unsafe impl IoSafe for $type {}
        )*
    };
}

io_safe! {
    std::fs::File,
    std::io::Stderr,
    std::io::Stdin,
    std::io::Stdout,
    std::io::StderrLock<'_>,
    std::io::StdinLock<'_>,
    std::io::StdoutLock<'_>,
    std::net::TcpStream,
    std::process::ChildStdin,
    std::process::ChildStdout,
    std::process::ChildStderr,
    #[cfg(not(async_wheel_no_pipe))]
    #[allow(clippy::incompatible_msrv, reason = "build.rs has looked at the compiler")]
    std::io::PipeReader,
    #[cfg(not(async_wheel_no_pipe))]
    #[allow(clippy::incompatible_msrv, reason = "build.rs has looked at the compiler")]
    std::io::PipeWriter,
    #[cfg(unix)]
    std::os::unix::net::UnixStream,
}

// SAFETY: a shared reference gives no way to replace what is behind it.
unsafe impl<T: ?Sized> IoSafe for &T {}
// SAFETY: reads by `T`'s own `read`.
unsafe impl<T: IoSafe + Read> IoSafe for std::io::BufReader<T> {}
// SAFETY: writes by `T`'s own `write`.
unsafe impl<T: IoSafe + Write> IoSafe for std::io::BufWriter<T> {}
// SAFETY: writes by `T`'s own `write`.
unsafe impl<T: IoSafe + Write> IoSafe for std::io::LineWriter<T> {}
// SAFETY: reads and writes by `T`'s own methods.
unsafe impl<T: IoSafe + ?Sized> IoSafe for &mut T {}
// SAFETY: reads and writes by `T`'s own methods.
unsafe impl<T: IoSafe + ?Sized> IoSafe for Box<T> {}
// SAFETY: reads and writes by `T`'s own methods.
unsafe impl<T: Clone + IoSafe> IoSafe for std::borrow::Cow<'_, T> {}
