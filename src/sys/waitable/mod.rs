//! What can be waited for without being a descriptor or a socket: signals and the ends of
//! processes on kqueue, handles on Windows. Each file has a type `Waitable` with the same
//! methods, of which every event is the last until interest is set again.

#[cfg(windows)]
mod iocp;
#[cfg(async_wheel_kqueue)]
mod kqueue;
#[cfg(not(any(windows, async_wheel_kqueue)))]
mod none;

#[cfg(windows)]
pub(crate) use iocp::Waitable;
#[cfg(async_wheel_kqueue)]
pub(crate) use kqueue::Waitable;
#[cfg(not(any(windows, async_wheel_kqueue)))]
pub(crate) use none::Waitable;
