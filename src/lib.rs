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
//! # What is different inside
//!
//! - Timers live in a hashed hierarchical timing wheel (the public module [`wheel`]), not in
//!   a sorted map: to arm, postpone or cancel one of ten million costs what one of ten costs.
//!   Deadlines stay exact to the nanosecond.
//! - The reactor is sharded: each thread in [`block_on`] has a poller and a wheel of its own,
//!   up to the number of processors.
//! - Threads hand a shard on by a lock-free protocol: whoever goes to sleep in it is counted
//!   on until it says that it leaves. An insert makes a system call only if it is the earliest.
//!
//! `docs/architecture.md` in the repository says how it fits together, and why.
//!
//! # Features
//!
//! - `std`, on by default: everything but [`wheel::Wheel`] and what belongs to it. Without it the
//!   crate is `no_std` with `alloc`, and depends on `allocator-api2` only.
//! - `tracing`: spans and events of the reactor, for subscribers of the crate [`tracing`]. Turns
//!   `std` on.
//! - `serde`: `Serialize` for what [`diagnostics::metrics`] returns. Turns `std` on.
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
//! [`tracing`]: https://docs.rs/tracing

// The tests use the standard library.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
// The documentation names what is left out.
#![cfg_attr(not(feature = "std"), allow(rustdoc::broken_intra_doc_links))]
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

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples of the page on time.
#[cfg(doctest)]
#[doc = include_str!("../docs/time.md")]
struct TimePage;

/// Compiles the examples of the page on event loops.
#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../docs/event-loops.md")]
struct EventLoopsPage;
