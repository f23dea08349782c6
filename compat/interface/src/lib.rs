//! The interface of async-io 2.6.0, written out as a program that uses all of it, and compiled
//! against async-io and against async-wheel.
//!
//! What the program cannot say, which is that a type does *not* have a trait, is in a table
//! for each of the two (`interface::auto_traits`), and a test compares the tables.

#![allow(clippy::duplicate_mod, reason = "the same program against two crates")]
#![allow(clippy::type_complexity, clippy::unnecessary_to_owned, reason = "types are the matter")]
#![allow(clippy::incompatible_msrv, reason = "build.rs has looked at the compiler")]

/// The real async-io.
#[path = "."]
pub mod original {
    use async_io as subject;
    #[path = "interface.rs"]
    pub mod interface;
}

/// This repository's crate.
#[path = "."]
pub mod wheel {
    use async_wheel as subject;
    #[path = "interface.rs"]
    pub mod interface;
}
