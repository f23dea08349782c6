//! Handles that Windows can wait for: processes, threads, events, timers, …

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, RawHandle};
use std::ptr;

use polling::os::iocp::PollerIocpExt;
use polling::{Event, PollMode, Poller};

use crate::sys::registration::Raw;

/// A handle. It is a number, though the system's type for it is a pointer, and may be used
/// from any thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waitable(usize);

impl Waitable {
    /// Names a handle.
    ///
    /// # Safety
    ///
    /// The handle stays open until `delete` was called.
    pub(crate) unsafe fn new(handle: BorrowedHandle<'_>) -> Waitable {
        Waitable(handle.as_raw_handle().addr())
    }

    /// There is one poller here, which finds duplicates itself.
    pub(crate) fn raw(self) -> Option<Raw> {
        None
    }

    pub(crate) fn add(self, poller: &Poller, interest: Event) -> io::Result<()> {
        // SAFETY: open until `delete` was called, by the contract of `new`.
        unsafe { poller.add_waitable(self.handle(), interest, PollMode::Oneshot) }
    }

    pub(crate) fn modify(self, poller: &Poller, interest: Event) -> io::Result<()> {
        // SAFETY: open until `delete` was called, by the contract of `new`.
        let handle = unsafe { BorrowedHandle::borrow_raw(self.handle()) };
        poller.modify_waitable(handle, interest, PollMode::Oneshot)
    }

    pub(crate) fn delete(self, poller: &Poller) -> io::Result<()> {
        // SAFETY: open until now, by the contract of `new`.
        let handle = unsafe { BorrowedHandle::borrow_raw(self.handle()) };
        poller.remove_waitable(handle)
    }

    fn handle(self) -> RawHandle {
        ptr::without_provenance_mut(self.0)
    }
}
