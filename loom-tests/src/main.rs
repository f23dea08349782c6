//! The models: async-wheel's protocols between threads, in every interleaving.
//!
//! The files of `handoff`, `reactor`, `timer`, `wheel` and those of `driver` that `driver.rs` names
//! are the very ones that ship. Only what they stand on is replaced: `sync` by loom's atomics and
//! locks, `clock` by a clock that moves when everybody sleeps, `sys` by a modelled poller and
//! modelled sources. `world` knows who sleeps; `runner` runs models and counts executions; `trace`
//! keeps the steps of the one that failed.
//!
//! `one_poller.rs` is the same for systems where pollers cannot be polled by one another.

extern crate alloc;

#[path = "../../src/handoff/mod.rs"]
mod handoff;
#[path = "../../src/reactor/mod.rs"]
mod reactor;
#[path = "../../src/timer/mod.rs"]
mod timer;
#[path = "../../src/wheel/mod.rs"]
mod wheel;

mod clock;
mod driver;
mod models;
mod options;
mod runner;
mod stage;
mod sync;
mod sys;
mod trace;
mod world;

/// See `src/sys/mod.rs`.
const NESTED: bool = true;

fn main() -> std::process::ExitCode {
    runner::main(&models::all(), models::NESTED)
}
