//! The error of a wait that has lasted too long.

use std::error::Error;
use std::fmt;
use std::io;

/// The error of a timeout: the time was over before there was a result.
///
/// It converts into an [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut), which contains
/// it, so that `?` works where `io::Result` is returned.
///
/// # Examples
///
/// ```
/// use async_wheel::time::timeout;
/// use std::io;
/// use std::time::Duration;
///
/// async fn answer() -> io::Result<u32> {
///     Ok(timeout(Duration::from_millis(1), std::future::pending()).await?)
/// }
///
/// # async_wheel::block_on(async {
/// assert_eq!(answer().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Elapsed(());

impl Elapsed {
    pub(super) const fn new() -> Elapsed {
        Elapsed(())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no result before the timeout elapsed")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
