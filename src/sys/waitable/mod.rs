//! What can be waited for without being a descriptor or a socket: signals and the ends of
//! processes on kqueue, handles on Windows. Each file has a type `Waitable` with the same
//! methods, of which every event is the last until interest is set again.

#[cfg(windows)]
mod iocp;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
mod kqueue;
#[cfg(not(any(
    windows,
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
)))]
mod none;

#[cfg(windows)]
pub(crate) use iocp::Waitable;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
pub(crate) use kqueue::Waitable;
#[cfg(not(any(
    windows,
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
)))]
pub(crate) use none::Waitable;
