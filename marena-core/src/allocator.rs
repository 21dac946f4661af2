//! The standard traits of allocators: collections in an arena, and an arena as a program's global allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use crate::allocate::{Allocate, claim_zeroed};
use crate::arena::Arena;
use crate::claim::{Claim, Claimed};
use crate::hidden;
use crate::memory::Memory;
use crate::placement::STEP;

/// Moves `[start, start + old.size())` to where `new.size()` bytes, no less, lie at a multiple of `new.align()`, in place if it
/// is the last. The second part says what was claimed for that; without it, all that is new lies in the old block's last step.
///
/// # Safety
///
/// The bytes were claimed from `memory` with `old`, are the caller's alone, and were never published. Unless `None` is returned, they
/// are not used afterwards.
// Out of the way: a vector grows some twenty times and pushes a million times.
#[cold]
#[inline(never)]
unsafe fn grow<'a, A: Claim<'a>>(
    memory: A,
    start: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<(NonNull<[u8]>, Option<Claimed<A::Origin>>)> {
    if old.size() > 0 && is_aligned(start, new) {
        let block = NonNull::slice_from_raw_parts(start, new.size());
        // The rest of the last step is the block's already.
        if new.size() <= old.size().next_multiple_of(STEP) {
            hidden::show(start, new.size());
            return Some((block, None));
        }
        // SAFETY: the caller's promise; no fewer bytes than there are, which are some.
        if let Some(claimed) = unsafe { memory.extend(start, old.size(), new.size()) } {
            hidden::show(start, new.size());
            return Some((block, Some(claimed)));
        }
    }
    // SAFETY: the caller's promise; `old` is the smaller one.
    unsafe { relocate(memory, start, old, new, old.size()) }
}

/// As [`grow`], for no more bytes than before.
///
/// # Safety
///
/// As for [`grow`].
#[inline]
unsafe fn shrink<'a>(memory: impl Claim<'a>, start: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<[u8]>> {
    if !is_aligned(start, new) {
        // SAFETY: the caller's promise; `new` is the smaller one.
        return Some(unsafe { relocate(memory, start, old, new, new.size()) }?.0);
    }
    // SAFETY: the new size is at most the old one, so the place lies in the block or at its end.
    let behind = unsafe { start.add(new.size()) };
    // SAFETY: the caller's promise; the block's end is that of its claim.
    unsafe { memory.give_back(behind, old.size() - new.size()) };
    Some(NonNull::slice_from_raw_parts(start, new.size()))
}

/// Copies `len` bytes to a new block and gives the old one back.
///
/// # Safety
///
/// As for [`grow`]; `len` is at most the size of either layout.
unsafe fn relocate<'a, A: Claim<'a>>(
    memory: A,
    start: NonNull<u8>,
    old: Layout,
    new: Layout,
    len: usize,
) -> Option<(NonNull<[u8]>, Option<Claimed<A::Origin>>)> {
    if new.size() == 0 {
        let block = memory.allocate_layout(new).ok()?;
        // SAFETY: the caller's promise.
        unsafe { memory.give_back(start, old.size()) };
        return Some((block, None));
    }
    // SAFETY: a layout's alignment is a power of two; the size is not 0.
    let claimed = unsafe { memory.claim(new.size(), new.align(), None) }.ok()?;
    // SAFETY: both are valid for `len` bytes, and the new block is nobody else's.
    unsafe { ptr::copy_nonoverlapping(start.as_ptr(), claimed.start().as_ptr(), len) };
    // SAFETY: the caller's promise.
    unsafe { memory.give_back(start, old.size()) };
    Some((NonNull::slice_from_raw_parts(claimed.start(), new.size()), Some(claimed)))
}

fn is_aligned(start: NonNull<u8>, layout: Layout) -> bool {
    start.addr().get() & (layout.align() - 1) == 0
}

/// An arena in a `static` can be a program's `#[global_allocator]`: for firmware and short-lived processes that end before the
/// memory does. What is freed comes back only if it was the last allocated.
///
/// ```standalone_crate
/// use marena_core::{Arena, StaticMemory};
///
/// static MEMORY: StaticMemory<{ 16 << 20 }> = StaticMemory::new();
/// #[global_allocator]
/// static ARENA: Arena<&'static StaticMemory<{ 16 << 20 }>> = Arena::from_static(&MEMORY);
///
/// let numbers: Vec<u32> = (0..1000).collect();
/// assert_eq!(numbers[999], 999);
/// assert!(ARENA.used() >= 4000);
/// ```
// SAFETY: blocks are claimed with their layout, are nobody else's, and stay until they are given back: a reset needs the arena
// mutably, which a `static` is not, or a promise that nothing from before is used. Nothing here panics.
unsafe impl<M: Memory> GlobalAlloc for Arena<M> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Allocate::allocate_layout(self, layout).map_or(ptr::null_mut(), |block| block.cast().as_ptr())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        claim_zeroed(self, layout.size(), layout.align()).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if let Some(start) = NonNull::new(start) {
            // SAFETY: the caller passes a block of this layout and uses it no more.
            unsafe { self.give_back(start, layout.size()) };
        }
    }

    unsafe fn realloc(&self, start: *mut u8, old: Layout, new_size: usize) -> *mut u8 {
        let Some(start) = NonNull::new(start) else { return ptr::null_mut() };
        let Ok(new) = Layout::from_size_align(new_size, old.align()) else { return ptr::null_mut() };
        let block = if new_size >= old.size() {
            // SAFETY: the caller passes a block of this layout and uses it no more, unless the answer is null.
            unsafe { grow(self, start, old, new) }.map(|(block, _)| block)
        } else {
            // SAFETY: as above.
            unsafe { shrink(self, start, old, new) }
        };
        block.map_or(ptr::null_mut(), |block| block.cast().as_ptr())
    }
}

#[cfg(feature = "allocator-api2")]
mod api2 {
    use allocator_api2::alloc::{AllocError, Allocator};

    use super::*;
    use crate::growing::{GrowingArena, GrowingLease};
    use crate::lease::Lease;
    use crate::leases::Leases;
    use crate::lend::Lend;
    use crate::memory::{ExclusiveMemory, Reserve};
    use crate::pool::PoolGuard;
    use crate::regions::Regions;
    use crate::scratch::Scratch;

    /// A refusal, marked as what seldom happens: compilers then keep a collection's own state in registers where it succeeds.
    #[cold]
    fn refused<T>() -> Result<T, AllocError> {
        Err(AllocError)
    }

    macro_rules! allocator {
        ($([$($generics:tt)*] $memory:ty: $example:literal)*) => {$(
            /// Collections whose memory is the arena's: growing and shrinking the last block happens in place, and freeing it gives
            /// it back. Other blocks stay until the reset (the end, for a scratch).
            ///
            /// A full arena is an error here too, but most methods of collections, `push` for one, abort the program at it, as they do
            /// at a full heap, which is fuller later: `try_reserve` first where the content comes from outside.
            ///
            #[doc = $example]
            // SAFETY: blocks are claimed with their layout and are nobody else's. They stay for the reference's lifetime, which
            // the collection cannot outlive: a reset or the end of a scope needs its owner mutably. Copies of the reference are
            // the same allocator.
            #[cfg_attr(docsrs, doc(cfg(feature = "allocator-api2")))]
            unsafe impl<$($generics)*> Allocator for &$memory {
                #[inline]
                fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                    match Allocate::allocate_layout(*self, layout) { Ok(block) => Ok(block), Err(_) => refused() }
                }

                #[inline]
                fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                    let start = claim_zeroed(*self, layout.size(), layout.align()).map_err(|_| AllocError)?;
                    Ok(NonNull::slice_from_raw_parts(start, layout.size()))
                }

                #[inline]
                unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
                    // SAFETY: the caller passes a block of this layout and uses it no more.
                    unsafe { self.give_back(start, layout.size()) };
                }

                #[inline]
                unsafe fn grow(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
                    // SAFETY: the caller's promises are those of `super::grow`.
                    unsafe { super::grow(*self, start, old, new) }.map_or_else(refused, |(block, _)| Ok(block))
                }

                #[inline]
                unsafe fn grow_zeroed(
                    &self,
                    start: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> Result<NonNull<[u8]>, AllocError> {
                    // SAFETY: as in `grow`.
                    let (block, claimed) = unsafe { super::grow(*self, start, old, new) }.ok_or(AllocError)?;
                    // The rest of the last step is no news to the arena: the block may have held it before it shrank.
                    let rest_end = old.size().next_multiple_of(STEP).min(new.size());
                    // SAFETY: the old size is at most the new one.
                    let behind = unsafe { block.cast::<u8>().add(old.size()) };
                    // SAFETY: the rest ends in the block.
                    unsafe { behind.write_bytes(0, rest_end - old.size()) };
                    if let Some(claimed) = claimed {
                        // SAFETY: what lies behind the old block's last step, or is another block, was claimed just now.
                        unsafe { claimed.zero(rest_end, new.size()) };
                    }
                    Ok(block)
                }

                #[inline]
                unsafe fn shrink(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
                    // SAFETY: the caller's promises are those of `super::shrink`.
                    unsafe { super::shrink(*self, start, old, new) }.ok_or(AllocError)
                }
            }
        )*};
    }

    allocator! {
        [A: Lend] Leases<'_, A>: "```
use allocator_api2::vec::Vec;
use marena_core::{Arena, Reserve};

fn on_another_thread<M: Reserve + Send + Sync>(arena: &Arena<M>) {
    let leases = arena.leases(65_536);
    let mut numbers = Vec::new_in(&leases);
    numbers.extend(0..100_u32);
    std::thread::scope(|scope| scope.spawn(move || numbers.extend(100..200)));
}
```"
        [M: Reserve] GrowingArena<M>: "```
use allocator_api2::vec::Vec;
use marena_core::{GrowingArena, Reserve};

fn any_number<M: Reserve>(arena: &GrowingArena<M>, count: u32) {
    let mut numbers = Vec::new_in(arena);
    numbers.extend(0..count);
}
```"
        [M: Reserve] GrowingLease<'_, M>: "```
use allocator_api2::vec::Vec;
use marena_core::{GrowingArena, Reserve};

fn any_number<M: Reserve>(arena: &GrowingArena<M>, count: u32) {
    let lease = arena.lease(65_536);
    let mut numbers = Vec::new_in(&lease);
    numbers.extend(0..count);
}
```"
        [M: Memory, const N: usize] Regions<M, N>: "```
use allocator_api2::vec::Vec;
use marena_core::{Arena, Regions, StaticMemory};

static MEMORY: StaticMemory<1024> = StaticMemory::new();
let mut regions: Regions<_, 1> = Regions::new();
regions.push(Arena::from_static(&MEMORY)).unwrap();
let mut numbers = Vec::new_in(&regions);
numbers.extend(0..100_u32);
assert_eq!(regions.arenas()[0].used(), 400);
```"
        [M: Memory] Arena<M>: "```
use allocator_api2::vec::Vec;
use core::mem::MaybeUninit;
use marena_core::Arena;

let mut bytes = [MaybeUninit::uninit(); 4096];
let arena = Arena::borrowed(&mut bytes)?;
let mut numbers = Vec::new_in(&arena);
numbers.extend(0..100_u32);
assert!(arena.used() >= 400);
# Ok::<(), marena_core::MemoryError>(())
```"
        [M: ExclusiveMemory] PoolGuard<'_, M>: "```
use allocator_api2::vec::Vec;
use core::mem::MaybeUninit;
use marena_core::{BorrowedMemory, Pool};

let mut bytes = [MaybeUninit::uninit(); 4096];
let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
let guard = pool.acquire().unwrap();
let mut numbers = Vec::new_in(&guard);
numbers.extend(0..100_u32);
assert_eq!(guard.used(), 400);
# Ok::<(), marena_core::MemoryError>(())
```"
        [M: Memory] Lease<'_, M>: "```
use allocator_api2::boxed::Box;
use core::mem::MaybeUninit;
use marena_core::Arena;

let mut bytes = [MaybeUninit::uninit(); 4096];
let arena = Arena::borrowed(&mut bytes)?;
let lease = arena.lease(1024);
let number = Box::new_in(7, &lease);
assert_eq!(*number, 7);
# Ok::<(), marena_core::MemoryError>(())
```"
        [M: Memory] Scratch<'_, M>: "```
use allocator_api2::vec::Vec;
use core::mem::MaybeUninit;
use marena_core::Arena;

let mut bytes = [MaybeUninit::uninit(); 4096];
let mut arena = Arena::borrowed(&mut bytes)?;
let scratch = arena.scratch();
let mut numbers = Vec::new_in(&scratch);
numbers.extend(0..100_u32);
# Ok::<(), marena_core::MemoryError>(())
```"
    }
}
