//! I/O types made asynchronous.

mod adapter;
mod connect;
mod convert;
mod io_safe;
mod net;
mod operation;
mod ready;
mod system_io;
mod traits;
#[cfg(unix)]
mod unix;

use system_io::is_system_io;
#[cfg(all(test, unix))]
mod tests;

pub use adapter::Async;
pub use io_safe::IoSafe;
pub use ready::{Readable, ReadableOwned, Writable, WritableOwned};
