//! What only some systems have.

#[cfg(async_wheel_kqueue)]
pub mod kqueue;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
