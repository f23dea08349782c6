//! The simulation: what ships of async-wheel, on a modelled poller and clock, in random
//! schedules with faults injected.
//!
//! The files of `handoff`, `reactor`, `wheel`, `timer` and `driver`, and the waits and retries
//! of `io`, are the very ones that ship. Only what they stand on is replaced: `sync` by shuttle's
//! primitives, `clock` by virtual time, `sys` by a modelled poller with modelled files. `world`
//! knows who sleeps and what time it is; `plan` says which faults are injected; `jobs` and
//! `schedule` are the users; `check` gets what happens and fails the run.

/// Prints a line, if anybody still reads.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

// Before the macro below, which is for what ships.
mod check;
mod cli;
mod plan;
mod world;

/// What ships has its thread-locals from here: threads are simulated.
macro_rules! thread_local {
    ($(static $name:ident: $type:ty = const $init:block;)*) => {
        $(static $name: crate::sync::Local<$type> = crate::sync::Local(shuttle::thread::LocalKey {
            init: || $init,
            _p: std::marker::PhantomData,
        });)*
    };
}

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
mod hostile;
mod io;
mod jobs;
mod schedule;
mod scripts;
mod sync;
mod sys;

fn main() -> std::process::ExitCode {
    cli::main()
}
