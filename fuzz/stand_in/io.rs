//! `src/io` as it ships, without what makes sockets, and the operations that the crate trusts on
//! descriptors that are modelled.

#[path = "../../src/io/adapter.rs"]
mod adapter;
#[path = "../../src/io/io_safe.rs"]
mod io_safe;
#[path = "../../src/io/operation.rs"]
mod operation;
#[path = "../../src/io/ready.rs"]
mod ready;
#[path = "../../src/io/system_io.rs"]
mod system_io;
#[path = "../../src/io/traits.rs"]
mod traits;

mod connect {
    pub(super) fn set_nonblocking(_: std::os::fd::BorrowedFd<'_>) -> std::io::Result<()> {
        unreachable!("there are no descriptors of the system's")
    }
}

pub use adapter::Async;
pub use io_safe::IoSafe;
pub use ready::{Readable, ReadableOwned, Writable, WritableOwned};

use system_io::is_system_io;

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::driver::current_shard;
use crate::reactor::Interest;
use crate::sys::descriptor::file;
use crate::sys::{Descriptor, Registration};

/// The shard of a source and its key there, if it is registered.
pub(crate) fn place(io: &Async<Descriptor>) -> Option<(usize, usize)> {
    io.source().place().map(|place| (place.shard.index(), place.key))
}

/// Wraps a descriptor as what the crate makes itself.
pub(crate) fn adopt(registration: Registration, io: Descriptor) -> Result<Async<Descriptor>> {
    let file = file(registration.number).expect("it is open");
    Async::adopt(registration, file.identity(), io)
}

/// An operation of the crate's own, as its `accept` and `recv` are.
pub(crate) async fn own(
    io: Arc<Async<Descriptor>>,
    interest: Interest,
    mut operation: impl FnMut(&Descriptor) -> Result<usize>,
) -> Result<usize> {
    io.own_op(interest, &mut operation).await
}

/// A read or write of a type that is trusted, as `AsyncRead` and `AsyncWrite` do it. `wanted` is
/// the length of a read of a stream, which may be left out where the stream is known to be drained.
pub(crate) fn poll_own(
    io: &Async<Descriptor>,
    interest: Interest,
    cx: &mut Context<'_>,
    wanted: Option<usize>,
    mut operation: impl FnMut(&Descriptor) -> Result<usize>,
) -> Poll<Result<usize>> {
    let source = io.source();
    loop {
        let before = source.begin(interest)?;
        let result = if wanted.is_some() && source.is_known_empty(before) {
            Err(Error::from(ErrorKind::WouldBlock))
        } else {
            operation(io.get_ref())
        };
        match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => {
                if wanted.is_some_and(|wanted| result.as_ref().is_ok_and(|&n| 0 < n && n < wanted))
                {
                    source.note_short_read(before);
                }
                return Poll::Ready(result);
            }
        }
        match source.poll_after_would_block(current_shard, interest, before, cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
}
