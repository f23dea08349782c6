//! Driving timers and I/O by hand: for programs with an event loop of their own.
//!
//! Threads in [`block_on()`] drive timers and I/O, and the fallback thread does while none is there.
//! So nobody has to use this module. It is for programs that have an event loop already, or one
//! thread only: with [`Builder::fallback_thread(false)`](crate::Builder::fallback_thread), timers and
//! I/O go on inside `block_on` and [`drive()`], and nowhere else.
//!
//! - A loop that has nothing else to wait for calls [`drive()`] with the time that it may sleep.
//! - A loop that sleeps in a system call of its own polls
//!   [`reactor_fd`](crate::os::unix::reactor_fd) there and calls `drive` with a timeout of zero when
//!   that is readable. On Linux it is readable for timers as well; elsewhere, the loop sleeps until
//!   [`next_deadline`] at most.
//!
//! [`guide::event_loops`](crate::guide::event_loops) has a recipe for `poll(2)`, calloop, GLib and
//! tokio, each with an example.

#![forbid(unsafe_code)]

// `run` is the loop of a `block_on` call, `one_round` that of a `drive` call, and `fallback` that of
// the fallback thread, all without any global state, as the models run them. `context` is what a
// thread knows of itself; `process` has the process's one reactor, and `config` what it is started
// with.
mod block_on;
pub(crate) mod config;
mod context;
mod drive;
mod fallback;
mod helper;
mod one_round;
#[cfg(feature = "test-util")]
pub(crate) mod paused;
mod process;
mod run;
mod task_poll;

pub use block_on::block_on;
pub(crate) use context::current_shard;
pub use drive::{drive, next_deadline, notify};
pub use one_round::Round;
#[cfg(unix)]
pub(crate) use process::reactor_fd;
pub(crate) use process::{build, reactor, started};
pub(crate) use task_poll::TaskPoll;

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;
