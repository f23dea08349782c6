//! Timers on timing wheels.
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]
pub mod wheel;
/// Placeholder for the link in the wheel's documentation.
pub struct Timer;
