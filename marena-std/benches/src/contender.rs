//! What is measured, behind one trait.

use std::alloc::Layout;
use std::ptr::NonNull;

/// An allocator with memory of its own.
pub trait Contender: Sized {
    /// As the tables name it.
    const NAME: &'static str;

    /// One that can hand out `bytes` before it has to grow. Nothing is touched yet.
    fn with_capacity(bytes: usize) -> Self;

    /// What its owner allocates from.
    fn source(&mut self) -> impl Source;

    /// Takes everything back and keeps the memory.
    fn reset(&mut self);
}

/// A contender that several threads use at once.
pub trait SharedContender: Contender + Sync {
    /// What one of the threads allocates from.
    fn thread_source(&self) -> impl Source;
}

/// Hands out blocks.
pub trait Source {
    /// A block that is nobody else's, valid for reads and writes until the contender's reset:
    /// uninitialised.
    fn block(&mut self, layout: Layout) -> NonNull<u8>;

    /// A block for a `T`, where the contender has a faster way to one.
    #[inline(always)]
    fn block_for<T>(&mut self) -> NonNull<u8> {
        self.block(Layout::new::<T>())
    }

    /// Gives a block back, where the contender is no arena and wants that.
    ///
    /// # Safety
    ///
    /// The block came from this source with this layout and is not used afterwards.
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        let _ = (block, layout);
    }
}

/// Allocates `count` blocks for a `T` and writes the address of the one before into each: every
/// contender's block is touched, and heaps can free theirs afterwards. The last block.
///
/// The layout is known at build time, as it is where values are allocated.
#[inline(always)]
pub fn chain<T>(source: &mut impl Source, count: usize) -> Link {
    const { assert!(size_of::<T>() >= size_of::<Link>() && align_of::<T>() >= align_of::<Link>()) };
    let mut last: Link = None;
    for _ in 0..count {
        let block = source.block_for::<T>();
        // SAFETY: the layout is that of a pointer or more, and the block is nobody else's.
        // Volatile, so that a write nobody reads is not left out.
        unsafe { block.cast::<Link>().write_volatile(last) };
        last = Some(block);
    }
    last
}

/// The block before.
pub type Link = Option<NonNull<u8>>;

/// Gives a chain's blocks back.
///
/// # Safety
///
/// The chain was made from this source for this `T`, and none of its blocks is used afterwards.
pub unsafe fn free_chain<T>(source: &mut impl Source, mut last: Link) {
    while let Some(block) = last {
        // SAFETY: `chain` wrote it, and nobody else has the block.
        last = unsafe { block.cast::<Link>().read_volatile() };
        // SAFETY: the caller's promise; the link was read before.
        unsafe { source.free(block, Layout::new::<T>()) };
    }
}
