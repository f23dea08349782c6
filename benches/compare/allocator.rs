//! The system's allocator, with the bytes counted that are in use, while that is asked for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Counts only when told to, so that it costs the other workloads next to nothing.
pub struct Counting {
    on: AtomicBool,
    bytes: AtomicUsize,
}

#[global_allocator]
static ALLOCATOR: Counting = Counting { on: AtomicBool::new(false), bytes: AtomicUsize::new(0) };

/// Begins to count. What was allocated before and is freed later would count as less than none.
pub fn count() {
    ALLOCATOR.on.store(true, Relaxed); // Ordering: the threads that matter are started later.
}

/// Bytes allocated since [`count`] and not freed.
pub fn bytes_in_use() -> usize {
    ALLOCATOR.bytes.load(Relaxed) // Ordering: read when nothing is allocating.
}

impl Counting {
    fn add(&self, bytes: usize) {
        // Ordering: a sum, and nothing is inferred from its order.
        if self.on.load(Relaxed) {
            self.bytes.fetch_add(bytes, Relaxed);
        }
    }
}

// SAFETY: everything is left to the system's allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.add(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.add(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.add(layout.size().wrapping_neg());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.add(size.wrapping_sub(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
