//! The parts of the drivers that have no global state.

#[path = "../../src/driver/core.rs"]
pub(crate) mod core;
#[path = "../../src/driver/fallback.rs"]
pub(crate) mod fallback;
