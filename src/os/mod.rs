//! What only some systems have.

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
pub mod kqueue;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
