//! Sources as users have them: the waits and retries are those that ship, the rest of `Async` is
//! what `src/io/adapter.rs` and `traits.rs` do, around a modelled file.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::check::{self, Property};
use crate::driver;
use crate::reactor::{Interest, Source};
use crate::sys::{self, Identity, Registration};
use crate::world;

#[path = "../../src/io/operation.rs"]
mod operation;
#[path = "../../src/io/ready.rs"]
mod ready;

pub(crate) use ready::{Readable, ReadableOwned, Writable, WritableOwned};

/// A modelled file that is open.
#[derive(Debug)]
pub(crate) struct Fd {
    pub(crate) number: usize,
    pub(crate) id: usize,
    pub(crate) edge: bool,
}

impl Fd {
    pub(crate) fn open(edge: bool) -> Fd {
        let (number, id) = sys::open(edge);
        Fd { number, id, edge }
    }

    /// As [`transfer`](Fd::transfer), and what is left to be read.
    fn transfer_all(&self, interest: Interest) -> (io::Result<Option<u64>>, usize) {
        sys::file(self.number, |file| {
            let result = match interest {
                Interest::Read => file.read(),
                Interest::Write => file.write(),
            };
            (result, file.data)
        })
    }

    /// Reads or writes a piece; since when it could be, nothing at the end.
    pub(crate) fn transfer(&self, interest: Interest) -> io::Result<Option<u64>> {
        sys::file(self.number, |file| match interest {
            Interest::Read => file.read(),
            Interest::Write => file.write(),
        })
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        sys::close(self.number, self.id);
    }
}

#[derive(Debug)]
pub(crate) struct Async<T> {
    source: Arc<Source>,
    io: Option<T>,
}

impl Async<Fd> {
    /// Fails as the poller does, and then gives the file back.
    pub(crate) fn new(io: Fd) -> Result<Async<Fd>, Fd> {
        let registration = Registration { number: io.number, edge: io.edge };
        let source = driver::process::reactor().and_then(|reactor| {
            if world::one_in(2) {
                // As what the crate makes itself.
                return Ok(reactor.adopt(registration, Identity(io.id)));
            }
            reactor.register(&driver::current_shard()?, registration)
        });
        match source {
            Ok(source) => Ok(Async { source, io: Some(io) }),
            Err(_) => Err(io),
        }
    }

    /// One of the crate's own operations.
    pub(crate) async fn own(&self, interest: Interest) -> io::Result<Option<u64>> {
        self.own_op(interest, |fd| fd.transfer(interest)).await
    }

    /// As the poll methods do it. Reads are those of a stream: one that is known to be drained is
    /// not tried.
    pub(crate) fn poll_own(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<u64>>> {
        let reads = interest == Interest::Read;
        loop {
            let before = self.source.begin(interest)?;
            if !reads || !self.source.is_known_empty(before) {
                let (result, left) = self.get_ref().transfer_all(interest);
                match result {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => {
                        if reads && left == 0 && matches!(result, Ok(Some(_))) {
                            self.source.note_short_read(before);
                        }
                        return Poll::Ready(result);
                    }
                }
            }
            match self.source.poll_after_would_block(driver::current_shard, interest, before, cx) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<T> Async<T> {
    fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn get_ref(&self) -> &T {
        self.io.as_ref().expect("it is taken out at the end only")
    }

    /// # Safety
    ///
    /// None is needed here: there is no descriptor behind it.
    pub(crate) unsafe fn get_mut(&mut self) -> &mut T {
        self.io.as_mut().expect("it is taken out at the end only")
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.deregister();
        self.io.take().expect("it is taken out here only")
    }

    pub(crate) fn readable(&self) -> Readable<'_, T> {
        Readable::new(self)
    }

    pub(crate) fn readable_owned(self: Arc<Self>) -> ReadableOwned<T> {
        ReadableOwned::new(self)
    }

    pub(crate) fn writable(&self) -> Writable<'_, T> {
        Writable::new(self)
    }

    pub(crate) fn writable_owned(self: Arc<Self>) -> WritableOwned<T> {
        WritableOwned::new(self)
    }

    pub(crate) fn key(&self) -> usize {
        self.source.place().map_or(0, |place| place.key)
    }

    /// Whether the next source in its place has at least this key.
    pub(crate) fn same_or_next_key(&self, key: usize) -> bool {
        self.key() + (1 << (usize::BITS / 4 * 3)) >= key
    }

    /// `poll_readable` or `poll_writable`.
    pub(crate) fn poll_ready(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.source.poll_event(driver::current_shard, interest, cx)
    }

    fn deregister(&self) {
        if let Some(reactor) = driver::process::started() {
            let _ = reactor.deregister(&self.source);
        }
    }

    /// Whether nothing but the poller's reports for this source were counted here.
    pub(crate) fn check_events(&self) {
        let source = &self.source;
        // What is counted by now was reported before.
        let counted =
            [Interest::Read, Interest::Write].map(|interest| source.begin(interest).unwrap_or(0));
        let reported = sys::reported(source.registration().number);
        if counted[0] > reported[0] || counted[1] > reported[1] {
            check::fail(Property::AnEventIsItsOwn, || {
                format!("{counted:?} were counted, {reported:?} were reported")
            });
        }
    }

    /// The waits in its tables.
    pub(crate) fn waits(&self) -> usize {
        check::table(&format!("{:?}", self.source), "live: ")
    }
}

impl<T> Drop for Async<T> {
    fn drop(&mut self) {
        if self.io.is_some() {
            self.deregister();
        }
    }
}
