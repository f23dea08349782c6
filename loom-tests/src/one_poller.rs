//! The models for systems where pollers cannot be polled by one another: there is one shard,
//! and the fallback holds its seat. Apart from that, see `main.rs`.

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
const NESTED: bool = false;

fn main() -> std::process::ExitCode {
    runner::main(&models::one_poller(), models::ONE_POLLER)
}
