//! The memory that blocks are made of.

use std::ops::DerefMut;

/// A source of memory for blocks.
///
/// The wheel under the reactor's timers has one of its own, so that what a burst of timers took
/// goes back to the system at once. Users' wheels are on the heap, and there is no way to name
/// this trait from outside the crate.
pub trait Memory {
    /// A growable array in this memory.
    type Block<E>: Block<E>;
}

/// What a block needs of a growable array.
pub trait Block<E>: DerefMut<Target = [E]> {
    /// Creates an empty one with room for `capacity` elements; without memory for none.
    fn with_capacity(capacity: usize) -> Self;

    /// Returns the number of elements that fit without moving.
    fn capacity(&self) -> usize;

    /// Makes room for `additional` elements beyond those that are there, and no more.
    fn reserve_exact(&mut self, additional: usize);

    /// Adds an element at the end.
    fn push(&mut self, element: E);
}

/// The heap: the global allocator.
#[derive(Clone, Copy, Debug)]
pub struct Heap;

impl Memory for Heap {
    type Block<E> = Vec<E>;
}

impl<E> Block<E> for Vec<E> {
    fn with_capacity(capacity: usize) -> Self {
        Vec::with_capacity(capacity)
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn reserve_exact(&mut self, additional: usize) {
        self.reserve_exact(additional);
    }

    #[inline]
    fn push(&mut self, element: E) {
        self.push(element);
    }
}
