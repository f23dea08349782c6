//! Timers on timing wheels, and async I/O on a sharded reactor.
//!
//! This crate does what [`async-io`] does, with the same public interface, so that a program
//! moves over by changing one line. Two types and a function are all of it:
//!
//! - [`Timer`]: a future or stream that fires at an instant, or periodically;
//! - [`Async<T>`](Async): sockets and everything else that the system's poller takes;
//! - [`block_on`]: runs a future and drives timers and I/O meanwhile.
//!
//! Any executor will do. Programs need no `block_on` of ours: without one, or while all threads
//! in it are busy, a thread named `async-wheel` does the driving.
//!
//! # Where to go on
//!
//! - [`time`]: timeouts, idle timeouts, delay queues, and streams that know the time.
//!   [`guide::time`] says which one is for what.
//! - [`wheel`]: the timing wheel by itself, for caches, tables of sessions and simulators.
//! - [`driver`] and [`Builder`]: in an event loop of the program's own, and without a helper thread;
//!   [`guide::event_loops`] has recipes.
//! - [`diagnostics`]: what the reactor counts. [`guide::metrics`] says what each number means.
//! - [`guide::migration`]: from async-io to this crate and back.
//! - [`guide::architecture`]: how it fits together, and why. [`guide::testing`]: what checks it.
//!
//! # What is different inside
//!
//! - Timers live in a hashed hierarchical timing wheel (the public module [`wheel`]), not in
//!   a sorted map. The work to arm, postpone or cancel one is the same among ten and among ten
//!   million; what grows is waiting for memory. Deadlines stay exact to the nanosecond.
//! - The reactor is sharded: each thread in [`block_on`] has a poller and a wheel of its own, up
//!   to as many as there are processors, or as [`Builder::shards`] says.
//! - Threads hand a shard on by a lock-free protocol: whoever goes to sleep in it is counted
//!   on until it says that it leaves. An insert makes a system call only if it is the earliest.
//!
//! # Features
//!
//! | Feature | Default | What it adds |
//! |---|---|---|
//! | `std` | yes | everything but [`wheel::Wheel`] and what belongs to it. Without it the crate is `no_std` with `alloc`, and depends on `allocator-api2` only |
//! | `tracing` | no | spans and events of the reactor, for subscribers of the crate [`tracing`]; turns `std` on |
//! | `serde` | no | `Serialize` for what [`diagnostics::metrics()`] returns; turns `std` on |
//! | `test-util` | no | `time::pause`, a clock that tests move, for `[dev-dependencies]`; turns `std` on |
//! | `parking_lot` | no | the locks of the crate [`parking_lot`] instead of the standard library's; turns `std` on. Not for programs that fork without `exec`: the table of waiting threads of that crate does not survive it, so that the child may hang |
//!
//! # Platforms
//!
//! Rust 1.85 or later. The README says how each platform was checked.
//!
//! | Platform | Poller | Only there |
//! |---|---|---|
//! | Linux, Android | epoll | timers in the descriptor of [`driver`] |
//! | macOS and its kin, the BSDs | kqueue | `os::kqueue`: signals and ends of processes |
//! | illumos | event ports | |
//! | all of these, Unix | | `os::unix`: the reactor's descriptor |
//! | Windows | IOCP | `os::windows`: waitable handles |
//!
//! What only another platform has is in the documentation of that platform: on docs.rs, choose it
//! in the menu "Platform".
//!
//! # Examples
//!
//! Connect, but not for ever:
//!
//! ```
//! use async_wheel::{Async, Timer};
//! use futures_lite::FutureExt;
//! use std::io;
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! # async_wheel::block_on(async {
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! let stream = Async::<TcpStream>::connect(address)
//!     .or(async {
//!         Timer::after(Duration::from_secs(10)).await;
//!         Err(io::ErrorKind::TimedOut.into())
//!     })
//!     .await?;
//! # io::Result::Ok(()) }).unwrap();
//! ```
//!
//! [`async-io`]: https://docs.rs/async-io
//! [`parking_lot`]: https://docs.rs/parking_lot
//! [`tracing`]: https://docs.rs/tracing

// The tests use the standard library.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
// On docs.rs: which features and systems an item is for. `std` is on unless it is turned off.
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(feature = "std", async_wheel_no_pipe))))]
// The documentation names what is left out.
#![cfg_attr(not(all(feature = "std", unix)), allow(rustdoc::broken_intra_doc_links))]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]
#![deny(unsafe_op_in_unsafe_fn)]

extern crate alloc;

#[cfg(feature = "std")]
mod builder;
#[cfg(feature = "std")]
mod clock;
#[cfg(feature = "std")]
mod handoff;
#[cfg(feature = "std")]
mod io;
#[cfg(feature = "std")]
mod reactor;
#[cfg(feature = "std")]
mod sync;
#[cfg(feature = "std")]
mod sys;
#[cfg(feature = "std")]
mod timer;

#[cfg(feature = "std")]
pub mod diagnostics;
#[cfg(feature = "std")]
pub mod driver;
#[cfg(all(feature = "std", any(doc, doctest)))]
pub mod guide;
#[cfg(feature = "std")]
pub mod os;
#[cfg(feature = "std")]
pub mod time;
#[cfg_attr(
    not(feature = "std"),
    allow(dead_code, unused_imports, reason = "the reactor uses what is not public")
)]
pub mod wheel;

#[cfg(feature = "std")]
pub use builder::Builder;
#[cfg(feature = "std")]
pub use driver::block_on;
#[cfg(feature = "std")]
pub use io::{Async, IoSafe, Readable, ReadableOwned, Writable, WritableOwned};
#[cfg(feature = "std")]
pub use timer::Timer;
