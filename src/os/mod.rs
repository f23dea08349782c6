//! What only some systems have.
//!
//! Where an item is said to be available on `async_wheel_kqueue`, these are the systems with kqueue:
//! macOS and its kin, and the BSDs.

#[cfg(async_wheel_kqueue)]
pub mod kqueue;
#[cfg(any(async_wheel_kqueue, windows))]
mod ready;
#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;
