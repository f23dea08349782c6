//! Futures that wait for readiness.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Async;
use crate::driver::current_shard;
use crate::reactor::{Interest, Waiter};

/// A wait for a direction of a source, through whatever leads to it.
pub(super) struct Wait<H: Borrow<Async<T>>, T> {
    handle: H,
    interest: Interest,
    waiter: Waiter,
    // The handle says all there is to say of `T`; this keeps its bounds away.
    _handle: PhantomData<fn() -> T>,
}

impl<H: Borrow<Async<T>>, T> Wait<H, T> {
    pub(super) fn new(handle: H, interest: Interest, waiter: Waiter) -> Wait<H, T> {
        Wait { handle, interest, waiter, _handle: PhantomData }
    }
}

impl<H: Borrow<Async<T>>, T> Unpin for Wait<H, T> {}

impl<H: Borrow<Async<T>>, T> Future for Wait<H, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Wait { handle, interest, waiter, .. } = &mut *self;
        (*handle).borrow().source().poll_waiter(current_shard, *interest, waiter, cx)
    }
}

impl<H: Borrow<Async<T>>, T> Drop for Wait<H, T> {
    fn drop(&mut self) {
        let Wait { handle, interest, waiter, .. } = self;
        (*handle).borrow().source().remove_waiter(*interest, waiter);
    }
}

/// Defines a public future around [`Wait`].
macro_rules! readiness {
    (
        $(#[$doc:meta])*
        $name:ident <$($lifetime:lifetime,)? $t:ident>($handle:ty), $interest:ident
    ) => {
        $(#[$doc])*
        #[must_use = "futures do nothing unless they are awaited or polled"]
        pub struct $name<$($lifetime,)? $t>(Wait<$handle, $t>);

        impl<$($lifetime,)? $t> $name<$($lifetime,)? $t> {
            pub(super) fn new(handle: $handle) -> Self {
                $name(Wait::new(handle, Interest::$interest, Waiter::new()))
            }
        }

        impl<$($lifetime,)? $t> Future for $name<$($lifetime,)? $t> {
            type Output = io::Result<()>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll(cx)
            }
        }

        impl<$($lifetime,)? $t> fmt::Debug for $name<$($lifetime,)? $t> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

readiness! {
    /// Waits until a source is readable. Made by [`Async::readable`].
    Readable<'a, T>(&'a Async<T>), Read
}

readiness! {
    /// Waits until a source is readable. Made by [`Async::readable_owned`].
    ReadableOwned<T>(Arc<Async<T>>), Read
}

readiness! {
    /// Waits until a source is writable. Made by [`Async::writable`].
    Writable<'a, T>(&'a Async<T>), Write
}

readiness! {
    /// Waits until a source is writable. Made by [`Async::writable_owned`].
    WritableOwned<T>(Arc<Async<T>>), Write
}
