//! Memory for blocks of timers that the system has back as soon as it is given back.
//!
//! The heap would keep it: glibc takes blocks of up to 32 MiB out of its arena once it has seen
//! such ones come and go, and gives back only what is free at the arena's end. Three million
//! timers that had come and gone left 73 MB behind. So large blocks are mappings of their own
//! here. Small ones, which few timers need, are the heap's.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

use allocator_api2::alloc::{AllocError, Allocator, Global};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::wheel::Memory;

/// Above this many bytes a block is a mapping of its own. A mapping costs a system call at each
/// end, and the rest of its last page.
const LARGE: usize = 64 * 1024;

/// The smallest page that there is. A mapping lies on the bounds of pages.
const PAGE: usize = 4096;

/// See the [module documentation](self).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pages;

impl Memory for Pages {}

/// Returns `true` if memory of this layout is a mapping. Under Miri none is: the heap is what it
/// checks.
fn is_mapped(layout: Layout) -> bool {
    layout.size() > LARGE && layout.align() <= PAGE && !cfg!(miri)
}

// SAFETY: which of the two a piece of memory came from, is decided by its layout alone, and
// `deallocate` is given that layout again, since no more is ever returned than was asked for.
// Either keeps it good until then, and a copy of this type is as good as another.
unsafe impl Allocator for Pages {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if !is_mapped(layout) {
            return Global.allocate(layout);
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let (anywhere, flags) = (ptr::null_mut(), MapFlags::PRIVATE);
        // SAFETY: a new private mapping, wherever there is room for it.
        let start = unsafe { mmap_anonymous(anywhere, layout.size(), access, flags) };
        let start = NonNull::new(start.map_err(|_| AllocError)?.cast()).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
        if !is_mapped(layout) {
            // SAFETY: it came from there, by its layout.
            return unsafe { Global.deallocate(start, layout) };
        }
        let start = start.as_ptr().cast();
        // SAFETY: a mapping of `allocate`'s, all of it, that nobody uses any more.
        if unsafe { munmap(start, layout.size()) }.is_err() {
            // The hole would make one mapping more than the process may have.
            // SAFETY: as above. The addresses stay ours, without memory.
            let _ = unsafe { madvise(start, layout.size(), Advice::LinuxDontNeed) };
        }
    }
}

#[cfg(test)]
mod tests {
    use allocator_api2::vec::Vec;

    use super::*;

    /// Layouts around the bound, of blocks that grow over it.
    #[test]
    fn blocks_keep_their_elements_across_the_bound() {
        let mut block = Vec::with_capacity_in(64, Pages);
        let counts = [64, 65, LARGE as u64 / 8, LARGE as u64 / 8 + 1, LARGE as u64];
        for count in counts {
            (block.len() as u64..count).for_each(|number| block.push(number));
            assert!(block.iter().copied().eq(0..count));
        }
        block.truncate(10);
        block.shrink_to_fit();
        assert!(block.iter().copied().eq(0..10));
    }

    #[test]
    fn large_block_is_a_mapping() {
        let large = Layout::from_size_align(LARGE + 1, 128).unwrap();
        assert!(is_mapped(large) || cfg!(miri));
        assert!(!is_mapped(Layout::from_size_align(LARGE, 8).unwrap()));
        assert!(!is_mapped(Layout::from_size_align(2 * LARGE, 2 * PAGE).unwrap()));
    }

    #[cfg(not(miri))]
    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        let huge = Layout::from_size_align(isize::MAX as usize - PAGE, 8).unwrap();
        assert!(Pages.allocate(huge).is_err());
    }
}
