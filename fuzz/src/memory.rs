//! An allocator that ends the process when too much memory is asked for: `-malloc_limit_mb` of libFuzzer needs a
//! sanitizer, and looking at what the system counts misses what comes and goes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of one allocation.
const MAX_ONE: usize = 300 << 20;

/// Bytes of all together.
const MAX_ALL: usize = 500 << 20;

#[global_allocator]
static COUNTED: Counted = Counted;

static ALL: AtomicUsize = AtomicUsize::new(0);

struct Counted;

fn count(size: usize) {
    let all = ALL.fetch_add(size, Ordering::Relaxed) + size;
    if size > MAX_ONE || all > MAX_ALL {
        // Printing allocates.
        ALL.store(0, Ordering::Relaxed);
        let trace = std::backtrace::Backtrace::force_capture();
        eprintln!("too much memory: {size} bytes, {all} with the rest\n{trace}");
        std::process::abort();
    }
}

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALL.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        ALL.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
