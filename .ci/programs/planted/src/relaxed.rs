//! A word whose operations order nothing.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{self, Relaxed};

use marena_core::{Arena, Memory, Word};

#[repr(transparent)]
struct RelaxedWord(AtomicU32);

// SAFETY: none, on purpose: the orderings asked for are not kept.
unsafe impl Word for RelaxedWord {
    fn load(&self, _: Ordering) -> u32 {
        self.0.load(Relaxed)
    }

    fn store(&self, value: u32, _: Ordering) {
        self.0.store(value, Relaxed);
    }

    fn compare_exchange(&self, current: u32, new: u32, _: Ordering, _: Ordering) -> Result<u32, u32> {
        self.0.compare_exchange(current, new, Relaxed, Relaxed)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, _: Ordering, _: Ordering) -> Result<u32, u32> {
        self.0.compare_exchange_weak(current, new, Relaxed, Relaxed)
    }
}

struct Leaked(NonNull<[u8]>);

// SAFETY: the bytes are leaked, and used by this value's arena alone.
unsafe impl Send for Leaked {}
// SAFETY: a shared reference gives only the raw pointer.
unsafe impl Sync for Leaked {}

// SAFETY: leaked bytes, aligned to a header, that nobody else uses.
unsafe impl Memory for Leaked {
    type Word = RelaxedWord;

    fn region(&self) -> NonNull<[u8]> {
        self.0
    }
}

/// A thread writes a block and gives it back; another gets the same bytes and writes them, and
/// nothing orders the two.
pub(crate) fn give_back() {
    let layout = Layout::from_size_align(4096, 128).unwrap();
    // SAFETY: the layout has a size.
    let bytes = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).unwrap();
    // SAFETY: nobody else knows the bytes.
    let arena = unsafe { Arena::format(Leaked(NonNull::slice_from_raw_parts(bytes, 4096))) }.unwrap();
    let use_and_free = || {
        let layout = Layout::new::<u64>();
        // SAFETY: the layout has a size.
        let block = unsafe { GlobalAlloc::alloc(&arena, layout) };
        // SAFETY: allocated above, with room for this.
        unsafe { block.cast::<u64>().write(1) };
        // SAFETY: allocated above with this layout, not used again.
        unsafe { arena.dealloc(block, layout) };
    };
    // One after the other, but by a word that orders nothing either.
    let turn = AtomicU32::new(0);
    let wait_for = |value| {
        while turn.load(Relaxed) != value {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use_and_free();
            turn.store(1, Relaxed);
            // The sanitizer forgets what threads did that have ended.
            wait_for(2);
        });
        wait_for(1);
        use_and_free();
        turn.store(2, Relaxed);
    });
}
