//! I/O types made asynchronous.

mod adapter;
mod connect;
mod io_safe;
mod net;
mod ready;
mod traits;
#[cfg(unix)]
mod unix;

pub use adapter::Async;
pub use io_safe::IoSafe;
pub use ready::{Readable, ReadableOwned, Writable, WritableOwned};
