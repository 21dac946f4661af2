//! What allocator traits need beyond a claim: blocks that grow, shrink and move.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::allocate::{Allocate, claim_zeroed};
use crate::asan;
use crate::claim::Claim;
use crate::placement::STEP;

/// The methods of allocator traits, for every type that implements [`Claim`].
/// [`implement_allocator!`](crate::implement_allocator) calls them.
///
/// Like those of [`Claim`], they can change with every release.
///
/// # Examples
///
/// ```
/// use core::alloc::Layout;
/// use marena_core::{Arena, Reallocate, StaticMemory};
///
/// static MEMORY: StaticMemory<1024> = StaticMemory::new();
/// let arena = Arena::from_static(&MEMORY);
/// let (old, new) = (Layout::new::<[u8; 8]>(), Layout::new::<[u8; 64]>());
/// let block = arena.allocate_layout(old).unwrap();
/// // SAFETY: the block is ours, was allocated with `old`, and is not used afterwards.
/// let grown = unsafe { Reallocate::grow(&arena, block.cast(), old, new) }.unwrap();
/// assert_eq!((grown.cast(), arena.used()), (block.cast::<u8>(), 64));
/// ```
pub trait Reallocate<'a>: Claim<'a> {
    /// Returns uninitialised bytes for a layout, or `None` if there is no room.
    #[inline]
    fn allocate_bytes(self, layout: Layout) -> Option<NonNull<[u8]>> {
        match Allocate::allocate_layout(self, layout) {
            Ok(block) => Some(block),
            Err(_) => no_room(),
        }
    }

    /// Returns zeroed bytes for a layout, or `None` if there is no room.
    #[inline]
    fn allocate_zeros(self, layout: Layout) -> Option<NonNull<[u8]>> {
        let start = claim_zeroed(self, layout.size(), layout.align()).ok()?;
        Some(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    /// Makes a block longer, at a multiple of `new.align()`. The last block grows in place, and
    /// others move. Returns `None` and changes nothing if there is no room. The bytes behind the
    /// old ones are uninitialised.
    ///
    /// # Safety
    ///
    /// - The block was allocated from this value with `old`, belongs to the caller alone, and was
    ///   never published.
    /// - `new.size()` is not smaller than `old.size()`.
    /// - Unless `None` is returned, the old block is not used afterwards.
    #[inline]
    unsafe fn grow(self, start: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
        // SAFETY: the caller's promises.
        let grown = unsafe { grow::<Self, false>(self, start, old, new) }?;
        Some(NonNull::slice_from_raw_parts(grown, new.size()))
    }

    /// Makes a block longer, as [`grow`](Self::grow) does. The bytes behind the old ones are zero.
    ///
    /// # Safety
    ///
    /// - The same as for [`grow`](Self::grow).
    #[inline]
    unsafe fn grow_zeroed(self, start: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
        // SAFETY: the caller's promises.
        let grown = unsafe { grow::<Self, true>(self, start, old, new) }?;
        Some(NonNull::slice_from_raw_parts(grown, new.size()))
    }

    /// Makes a block shorter, and gives back what lies behind it if it is the last. The block moves
    /// only if `new.align()` requires that. Returns `None` and changes nothing if there is no room
    /// for the move.
    ///
    /// # Safety
    ///
    /// - The same as for [`grow`](Self::grow), but `new.size()` is not larger than `old.size()`.
    #[inline]
    unsafe fn shrink(self, start: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
        // SAFETY: the caller's promises.
        unsafe { shrink(self, start, old, new) }
    }
}

impl<'a, A: Claim<'a>> Reallocate<'a> for A {}

/// Returns `None`. Being cold, it marks its branch as rare. Compilers then keep the state of a
/// collection in registers on the other branch.
#[cold]
fn no_room<T>() -> Option<T> {
    None
}

/// Makes the block `[start, start + old.size())` one of `new.size()` bytes, which are not fewer, at
/// a multiple of `new.align()`. The last block grows in place. With `ZEROED`, the bytes behind the
/// old ones are zero.
///
/// # Safety
///
/// - The bytes were claimed from `memory` with `old`, belong to the caller alone, and were never
///   published.
/// - Unless `None` is returned, they are not used afterwards.
// Out of line: a vector grows some twenty times and pushes a million times.
#[cold]
#[inline(never)]
unsafe fn grow<'a, A: Claim<'a>, const ZEROED: bool>(
    memory: A,
    start: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<u8>> {
    if is_aligned(start, new) {
        // The rest of the last step belongs to the block already.
        let owned = old.size().next_multiple_of(STEP);
        // The arena does not know whether that rest is dirty: the block may have used it before it
        // shrank.
        if new.size() <= owned {
            asan::unpoison(start, new.size());
            if ZEROED {
                // SAFETY: these bytes are the block's.
                unsafe { zero(start, old.size(), new.size()) };
            }
            return Some(start);
        }
        if old.size() > 0
            // SAFETY: the caller's promise. The new size is not smaller than the old one, which is
            // not 0.
            && let Some(claimed) = unsafe { memory.extend(start, old.size(), new.size()) }
        {
            if ZEROED {
                // SAFETY: these bytes are the block's.
                unsafe { zero(start, old.size(), owned) };
                // SAFETY: what lies behind the old block's last step was claimed just now.
                unsafe { claimed.zero(owned, new.size()) };
            }
            return Some(start);
        }
    }
    // SAFETY: the caller's promise; `old` is the smaller one.
    unsafe { relocate::<A, ZEROED>(memory, start, old, new, old.size()) }
}

/// Makes the bytes `[from, to)` of a block zero.
///
/// # Safety
///
/// - `from <= to`, and the block has at least `to` bytes, which belong to the caller alone.
unsafe fn zero(start: NonNull<u8>, from: usize, to: usize) {
    // SAFETY: the block has at least so many bytes.
    let behind = unsafe { start.add(from) };
    // SAFETY: these bytes end in the block.
    unsafe { behind.write_bytes(0, to - from) };
}

/// Makes a block shorter, as [`grow`] makes one longer.
///
/// # Safety
///
/// - The same as for [`grow`].
#[inline]
unsafe fn shrink<'a>(memory: impl Claim<'a>, start: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
    if !is_aligned(start, new) {
        // SAFETY: the caller's promise; `new` is the smaller one.
        let moved = unsafe { relocate::<_, false>(memory, start, old, new, new.size()) }?;
        return Some(NonNull::slice_from_raw_parts(moved, new.size()));
    }
    // SAFETY: the new size is at most the old one, so the place lies in the block or at its end.
    let behind = unsafe { start.add(new.size()) };
    // SAFETY: the caller's promise; the block's end is that of its claim.
    unsafe { memory.give_back(behind, old.size() - new.size()) };
    Some(NonNull::slice_from_raw_parts(start, new.size()))
}

/// Copies `len` bytes to a new block, and gives the old one back. With `ZEROED`, the other bytes of
/// the new one are zero.
///
/// # Safety
///
/// - The same as for [`grow`].
/// - `len` is at most the size of either layout.
#[inline]
unsafe fn relocate<'a, A: Claim<'a>, const ZEROED: bool>(
    memory: A,
    start: NonNull<u8>,
    old: Layout,
    new: Layout,
    len: usize,
) -> Option<NonNull<u8>> {
    let moved = if new.size() == 0 {
        memory.allocate_layout(new).ok()?.cast()
    } else {
        // SAFETY: a layout's alignment is a power of two; the size is not 0.
        let claimed = unsafe { memory.claim(new.size(), new.align(), None) }.ok()?;
        // SAFETY: both are valid for `len` bytes, and the new block is nobody else's.
        unsafe { ptr::copy_nonoverlapping(start.as_ptr(), claimed.start().as_ptr(), len) };
        if ZEROED {
            // SAFETY: claimed just now with this size, and used up to `len`.
            unsafe { claimed.zero(len, new.size()) };
        }
        claimed.start()
    };
    // SAFETY: the caller's promise.
    unsafe { memory.give_back(start, old.size()) };
    Some(moved)
}

fn is_aligned(start: NonNull<u8>, layout: Layout) -> bool {
    start.addr().get() & (layout.align() - 1) == 0
}
