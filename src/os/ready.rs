//! The future that waits for an event of what only some systems have.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Readable;

/// Waits until what was registered happens, or is signalled. Made by the method `ready` of what
/// waits.
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Ready<'a, T>(Readable<'a, T>);

impl<'a, T> Ready<'a, T> {
    pub(super) fn new(readable: Readable<'a, T>) -> Ready<'a, T> {
        Ready(readable)
    }
}

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> fmt::Debug for Ready<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}
