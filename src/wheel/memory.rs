//! The memory that blocks are made of.

use allocator_api2::alloc::{Allocator, Global};

/// A source of memory for blocks.
///
/// The wheel under the reactor's timers has one of its own, so that what a burst of timers took
/// goes back to the system at once. Users' wheels are on the heap, and there is no way to name
/// this trait from outside the crate.
pub trait Memory: Allocator + Default {}

/// The heap: the global allocator.
pub(crate) type Heap = Global;

impl Memory for Heap {}
