//! What only some systems have.

#[cfg(async_wheel_kqueue)]
pub mod kqueue;
#[cfg(any(async_wheel_kqueue, windows))]
mod ready;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
