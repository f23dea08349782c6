//! Time for programs: timeouts, idle timeouts, missed ticks, slack, and streams.
//!
//! [`guide::time`](crate::guide::time) says which one is for what.
//!
//! # Examples
//!
//! An operation, and each item of a stream, get a limit:
//!
//! ```
//! use async_wheel::time::{StreamTimeExt, TimeoutExt};
//! use futures_lite::{StreamExt, stream};
//! use std::time::Duration;
//!
//! # async_wheel::block_on(async {
//! let limit = Duration::from_millis(1);
//! assert!(std::future::pending::<()>().timeout(limit).await.is_err());
//!
//! let mut items = stream::once(7).chain(stream::pending()).timeout(limit);
//! assert_eq!(items.next().await, Some(Ok(7)));
//! assert!(items.next().await.is_some_and(|item| item.is_err()));
//! # });
//! ```

mod countdown;
pub mod delay_queue;
mod elapsed;
mod idle;
mod io_timeout;
mod now;
#[cfg(feature = "test-util")]
mod paused;
mod slack;
mod stream;
mod timeout;

pub use self::delay_queue::DelayQueue;
pub use self::elapsed::Elapsed;
pub use self::idle::{Activity, IdleFuture, IdleIo, IdleStream, IdleTimeout};
pub use self::io_timeout::{IoTimeout, IoTimeoutExt};
pub use self::now::now;
#[cfg(feature = "test-util")]
pub use self::paused::{Hold, Paused, PendingIo, for_each_seed, pause, pause_process};
pub use self::slack::{default_slack, set_default_slack};
pub use self::stream::{ChunksTimeout, Debounce, StreamTimeExt, StreamTimeout, Throttle};
pub use self::timeout::{Timeout, TimeoutExt, timeout, timeout_at};
pub use crate::timer::MissedTicks;

#[cfg(test)]
mod tests;
