//! What a caller can see, of both crates: the same tests, compiled and run against each. A test
//! that passes for one only is a difference; those that are meant are in `differences.rs`.

#![allow(clippy::duplicate_mod, reason = "the same tests against two crates")]

mod differences;
mod tools;

#[path = "."]
mod original {
    use async_io as subject;
    mod io;
    mod timers;
    #[cfg(unix)]
    mod unix;
}

#[path = "."]
mod wheel {
    use async_wheel as subject;
    mod io;
    mod timers;
    #[cfg(unix)]
    mod unix;
}
