//! What goes beyond single items: which one is for what, how it works inside, how it is tested.
//!
//! - [`time`]: timers, timeouts, intervals, streams: which one do I want.
//! - [`time_in_tests`]: tests that move the clock, and do not wait.
//! - [`event_loops`]: in loops that are not ours, and without a helper thread.
//! - [`metrics`]: what each number says, and what to look at when something is late.
//! - [`migration`]: from async-io to async-wheel and back.
//! - [`architecture`]: how it fits together, and why.
//! - [`testing`]: what checks what.
//!
//! These are pages of the repository's `docs/`, as of this version.
//!
//! # In the repository only
//!
//! A page that is not listed above, and the `README.md` of a directory, come with the repository and
//! not with the documentation: `docs/benchmarks.md`, `docs/handoff.md`, `docs/performance.md`,
//! `docs/reliability.md`, `docs/timing-wheel.md`, `docs/tried.md` and others. So do the scripts and
//! examples that the pages name.

// A page's own links are between files. The definitions before it win: they name what there is here.

#[doc = "[time-in-tests.md]: time_in_tests"]
#[doc = ""]
#[doc = include_str!("../docs/time.md")]
pub mod time {}

#[doc = ""]
// Its examples need the feature.
#[cfg_attr(any(not(doctest), feature = "test-util"), doc = include_str!("../docs/time-in-tests.md"))]
pub mod time_in_tests {}

#[doc = "[benchmarks.md]: self#in-the-repository-only"]
#[doc = ""]
// Its examples are built on Linux only.
#[cfg_attr(any(not(doctest), target_os = "linux"), doc = include_str!("../docs/event-loops.md"))]
pub mod event_loops {}

#[doc = include_str!("../docs/metrics.md")]
pub mod metrics {}

#[doc = "[event-loops.md]: event_loops"]
#[doc = ""]
#[doc = include_str!("../docs/migration.md")]
pub mod migration {}

#[doc = "[stand-ins]: testing#the-code-that-ships-on-stand-ins"]
#[doc = "[handoff.md]: self#in-the-repository-only"]
#[doc = "[tried.md]: self#in-the-repository-only"]
#[doc = ""]
#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = "[loom-tests]: self#in-the-repository-only"]
#[doc = "[simulation]: self#in-the-repository-only"]
#[doc = "[fuzz]: self#in-the-repository-only"]
#[doc = "[reliability.md]: self#in-the-repository-only"]
#[doc = "[time-in-tests.md]: time_in_tests"]
#[doc = "[examples]: self#in-the-repository-only"]
#[doc = "[should-i-move.md]: self#in-the-repository-only"]
#[doc = "[public-api.txt]: self#in-the-repository-only"]
#[doc = ""]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}
