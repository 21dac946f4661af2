//! Every way to allocate, once: what can claim bytes gets all of them.

use core::alloc::Layout;
use core::fmt::{self, Write};
use core::mem::{MaybeUninit, size_of};
use core::num::NonZeroU64;
use core::ptr::{self, NonNull};
use core::slice;
use core::sync::atomic::Ordering::Relaxed;

use crate::address::{ARENA_MAX_ALLOC_SIZE, Address};
use crate::arena::Arena;
use crate::block::Block;
use crate::error::{AllocError, TryAllocError};
use crate::handle::Handle;
use crate::hidden;
use crate::memory::{Memory, max_align};
use crate::placement::{HEADER_SIZE, STEP, add_rounded, place, round_up};
use crate::protocol::{self, Unclaimed};
use crate::slot::Slot;
use crate::sync::Word;

/// What bytes can be claimed from, for code that is generic over it. Results live for `'a`.
///
/// Has every `allocate*`, `alloc*` and `insert` method that [`Arena`] has, under the same names; the
/// inherent methods carry the documentation and need no import. Implemented for `&Arena`.
///
/// # Safety
///
/// The hidden methods keep what their comments promise. They are no part of the public interface and can change in any
/// release: implement this trait in this crate only.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{AllocError, Allocate, Arena};
///
/// struct Node<'a> {
///     value: u32,
///     next: Option<&'a Node<'a>>,
/// }
///
/// fn list<'a>(memory: impl Allocate<'a>, values: &[u32]) -> Result<Option<&'a Node<'a>>, AllocError> {
///     let mut head = None;
///     for &value in values.iter().rev() {
///         let node: &'a Node<'a> = memory.alloc(Node { value, next: head })?;
///         head = Some(node);
///     }
///     Ok(head)
/// }
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes).unwrap();
/// let head = list(&arena, &[1, 2]).unwrap().unwrap();
/// assert_eq!((head.value, head.next.unwrap().value), (1, 2));
/// ```
pub unsafe trait Allocate<'a>: Copy {
    // The largest alignment that a claim can have.
    #[doc(hidden)]
    const MAX_ALIGN: usize;

    // `size` bytes at a multiple of `align`, valid for reads and writes for `'a` and nobody else's: uninitialised, rounded up to
    // a step. The caller passes a power of two as `align`. A refusal changes nothing.
    #[doc(hidden)]
    fn claim(self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError>;

    // As `claim`, with at most `retries` attempts after the first.
    #[doc(hidden)]
    fn claim_bounded(self, size: usize, align: usize, retries: u32) -> Result<NonNull<u8>, AllocError>;

    // Takes back the whole steps of `[start, start + size)` if they are the last that were claimed, else does nothing.
    //
    // Safety: those bytes end where one claim of this value's ended (rounded up to a step), lie inside it, are the caller's alone,
    // were never published, and are not used afterwards.
    #[doc(hidden)]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize);

    // Makes the caller's `[start, start + old_size)` one of `new_size` bytes, which is no less, without moving it: claims
    // what lies behind, uninitialised. False, and nothing changed, where that is not possible.
    //
    // Safety: as for `give_back`, but that the bytes may be used afterwards.
    #[doc(hidden)]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> bool;

    // Position 0 of the region that `claimed`, bytes claimed from this value, lies in: the byte after the header.
    #[doc(hidden)]
    fn base(self, claimed: NonNull<u8>) -> NonNull<u8>;

    // Bytes just claimed at this position or behind it, in the region that `claimed` lies in, are zero; `None` where nothing is
    // known. Asked after the claim.
    #[doc(hidden)]
    fn dirty_end(self, claimed: NonNull<u8>) -> Option<usize>;

    // What handles to `claimed` carry: its region's epoch. For no bytes, which lie nowhere, that of any region of this value.
    #[doc(hidden)]
    fn epoch(self, claimed: NonNull<u8>) -> NonZeroU64;

    // Bytes left, a snapshot.
    #[doc(hidden)]
    fn remaining(self) -> usize;

    // Makes the first `size` bytes at `start` zero, writing only those that may be something else.
    //
    // Safety: the bytes were just claimed from this value, if there are any.
    #[doc(hidden)]
    #[inline]
    unsafe fn zero(self, start: NonNull<u8>, size: usize) {
        // No bytes need not lie in the region.
        if size == 0 {
            return;
        }
        let dirty = match self.dirty_end(start) {
            Some(end) => end.saturating_sub(start.addr().get() - self.base(start).addr().get()),
            None => size,
        };
        if dirty > 0 {
            // SAFETY: the caller claimed these bytes.
            unsafe { start.write_bytes(0, size.min(dirty)) };
        }
    }

    /// As [`Arena::allocate`].
    #[inline]
    fn allocate(self, size: usize) -> Result<Block<'a>, AllocError> {
        if size == 0 {
            return Ok(empty_block(self, STEP));
        }
        let start = self.claim(size, STEP)?;
        // SAFETY: just claimed, `size` bytes.
        Ok(unsafe { zeroed_block(self, start, size) })
    }

    /// As [`Arena::allocate_aligned`].
    #[inline]
    fn allocate_aligned(self, size: usize, align: usize) -> Result<Block<'a>, AllocError> {
        require_power_of_two::<Self>(align)?;
        if size == 0 {
            return Ok(empty_block(self, align));
        }
        let start = self.claim(size, align)?;
        // SAFETY: just claimed, `size` bytes.
        Ok(unsafe { zeroed_block(self, start, size) })
    }

    /// As [`Arena::allocate_bounded`].
    #[inline]
    fn allocate_bounded(self, size: usize, retries: u32) -> Result<Block<'a>, AllocError> {
        if size == 0 {
            return Ok(empty_block(self, STEP));
        }
        let start = self.claim_bounded(size, STEP, retries)?;
        // SAFETY: just claimed, `size` bytes.
        Ok(unsafe { zeroed_block(self, start, size) })
    }

    /// As [`Arena::allocate_multiple`].
    #[inline]
    fn allocate_multiple<const N: usize>(self, sizes: [usize; N]) -> Result<[Block<'a>; N], AllocError> {
        let mut total = 0;
        for size in sizes {
            total = sum(total, size)?;
        }
        let start = claim_sum(self, total)?;
        let mut position = 0;
        Ok(sizes.map(|size| {
            // SAFETY: the sizes, each rounded up to a step, sum to `total`: the block lies in the claim or is empty at its end.
            let at = unsafe { start.add(position) };
            position += round_up(size);
            let address = if total == 0 { Address::EMPTY } else { address_of(self, at, size) };
            // SAFETY: `size` bytes of the claim, which `claim_sum` zeroed; no other block gets them.
            unsafe { Block::from_raw_parts(at, address, self.epoch(at)) }
        }))
    }

    /// As [`Arena::allocate_uninit`].
    #[inline]
    fn allocate_uninit(self, size: usize, align: usize) -> Result<&'a mut [MaybeUninit<u8>], AllocError> {
        require_power_of_two::<Self>(align)?;
        let start = if size == 0 { dangling(align) } else { self.claim(size, align)? };
        // SAFETY: just claimed for `'a`, or no bytes at all.
        Ok(unsafe { slice::from_raw_parts_mut(start.cast().as_ptr(), size) })
    }

    /// As [`Arena::allocate_layout`].
    #[inline]
    fn allocate_layout(self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let (size, align) = (layout.size(), layout.align());
        let start = if size == 0 { dangling(align) } else { self.claim(size, align)? };
        Ok(NonNull::slice_from_raw_parts(start, size))
    }

    /// As [`Arena::allocate_address`].
    #[inline]
    fn allocate_address(self, size: usize) -> Result<Address, AllocError> {
        self.allocate(size).map(|block| block.address())
    }

    /// As [`Arena::allocate_addresses`].
    fn allocate_addresses(self, sizes_in_addresses_out: &mut [u64]) -> Result<(), AllocError> {
        let mut total = 0;
        for &mut size in &mut *sizes_in_addresses_out {
            total = sum(total, usize::try_from(size).unwrap_or(usize::MAX))?;
        }
        let start = claim_sum(self, total)?;
        let mut position = 0;
        for slot in sizes_in_addresses_out {
            // The sums above checked that every size fits a `usize`.
            let size = *slot as usize;
            // SAFETY: the sizes, each rounded up to a step, sum to `total`: the block lies in the claim or is empty at its end.
            let at = unsafe { start.add(position) };
            position += round_up(size);
            let address = if total == 0 { Address::EMPTY } else { address_of(self, at, size) };
            *slot = address.to_raw();
        }
        Ok(())
    }

    /// As [`Arena::alloc`].
    #[inline]
    fn alloc<T>(self, value: T) -> Result<&'a mut T, AllocError> {
        Ok(self.alloc_uninit()?.write(value))
    }

    /// As [`Arena::alloc_with`].
    #[inline]
    fn alloc_with<T>(self, init: impl FnOnce() -> T) -> Result<&'a mut T, AllocError> {
        let slot = Slot::claim(self, 1)?;
        Ok(slot.fill(init()))
    }

    /// As [`Arena::try_alloc_with`].
    #[inline]
    fn try_alloc_with<T, E>(self, init: impl FnOnce() -> Result<T, E>) -> Result<&'a mut T, TryAllocError<E>> {
        let slot = Slot::claim(self, 1)?;
        Ok(slot.fill(init().map_err(TryAllocError::Init)?))
    }

    /// As [`Arena::alloc_uninit`].
    #[inline]
    fn alloc_uninit<T>(self) -> Result<&'a mut MaybeUninit<T>, AllocError> {
        let place = claim_place::<T>(self)?;
        // SAFETY: just claimed for `'a` with this size and alignment, or no bytes at all.
        Ok(unsafe { &mut *place.as_ptr().cast() })
    }

    /// As [`Arena::alloc_slice_uninit`].
    #[inline]
    fn alloc_slice_uninit<T>(self, len: usize) -> Result<&'a mut [MaybeUninit<T>], AllocError> {
        Ok(Slot::<_, T>::claim(self, len)?.into_uninit())
    }

    /// As [`Arena::alloc_slice_copy`].
    #[inline]
    fn alloc_slice_copy<T: Copy>(self, src: &[T]) -> Result<&'a mut [T], AllocError> {
        let slot: &mut [MaybeUninit<T>] = self.alloc_slice_uninit(src.len())?;
        let start = slot.as_mut_ptr().cast::<T>();
        // SAFETY: the slot has room for as many values, and was claimed after `src` was borrowed, so they are apart.
        unsafe { ptr::copy_nonoverlapping(src.as_ptr(), start, src.len()) };
        // SAFETY: all values are initialised now, and a copy of a `Copy` value is one.
        Ok(unsafe { slice::from_raw_parts_mut(start, src.len()) })
    }

    /// As [`Arena::alloc_slice_clone`].
    #[inline]
    fn alloc_slice_clone<T: Clone>(self, src: &[T]) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_from_iter(src.iter().cloned())
    }

    /// As [`Arena::alloc_slice_fill_with`].
    #[inline]
    fn alloc_slice_fill_with<T>(self, len: usize, init: impl FnMut(usize) -> T) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_from_iter((0..len).map(init))
    }

    /// As [`Arena::alloc_slice_from_iter`].
    #[inline]
    fn alloc_slice_from_iter<T, I>(self, values: I) -> Result<&'a mut [T], AllocError>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: ExactSizeIterator,
    {
        let values = values.into_iter();
        let mut slot = Slot::claim(self, values.len())?;
        // The length was the iterator's word: more values than it said stay in it, fewer make a shorter slice.
        for value in values.take(slot.len()) {
            if slot.push(value).is_err() {
                break;
            }
        }
        Ok(slot.finish())
    }

    /// As [`Arena::alloc_str`].
    #[inline]
    fn alloc_str(self, text: &str) -> Result<&'a mut str, AllocError> {
        let bytes = self.alloc_slice_copy(text.as_bytes())?;
        // SAFETY: a copy of a `str`'s bytes.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
    }

    /// As [`Arena::alloc_fmt`].
    fn alloc_fmt(self, arguments: fmt::Arguments<'_>) -> Result<&'a mut str, AllocError> {
        if let Some(text) = arguments.as_str() {
            return self.alloc_str(text);
        }
        let mut count = Count(0);
        // An error here is the formatted value's own; what it wrote before counts, as it will below.
        let _ = count.write_fmt(arguments);
        let mut text = Text(Slot::claim(self, count.0)?);
        // Likewise, or the value wrote more than the first time, which is left out.
        let _ = text.write_fmt(arguments);
        let bytes = text.0.finish();
        // SAFETY: a concatenation of whole `str`s, see `Text`.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
    }

    /// As [`Arena::insert`].
    #[inline]
    fn insert<T>(self, value: T) -> Result<Handle<T>, AllocError> {
        let place = claim_place::<T>(self)?;
        // SAFETY: just claimed with this size and alignment, or no bytes at all.
        unsafe { place.write(value) };
        let address = if size_of::<T>() == 0 { Address::EMPTY } else { address_of(self, place.cast(), size_of::<T>()) };
        // The pointer ends here, so nobody writes the value any more.
        Ok(Handle::new(address, self.epoch(place.cast())))
    }
}

/// Counts the bytes of what is formatted.
struct Count(usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// Takes whole `str`s as long as they fit, so that its bytes are always UTF-8.
struct Text<'a, A: Allocate<'a>>(Slot<'a, A, u8>);

impl<'a, A: Allocate<'a>> Write for Text<'a, A> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// Claims room for one value; none for a value of no bytes.
#[inline]
fn claim_place<'a, T>(arena: impl Allocate<'a>) -> Result<NonNull<T>, AllocError> {
    if size_of::<T>() == 0 {
        return Ok(NonNull::dangling());
    }
    Ok(arena.claim(size_of::<T>(), align_of::<T>())?.cast())
}

/// `total` and one more block's size, each rounded up.
#[inline]
fn sum(total: usize, size: usize) -> Result<usize, AllocError> {
    if size > ARENA_MAX_ALLOC_SIZE {
        return Err(AllocError::TooLarge { requested: size });
    }
    Ok(add_rounded(total, size))
}

/// Claims `total` zeroed bytes for several blocks.
#[inline]
fn claim_sum<'a>(arena: impl Allocate<'a>, total: usize) -> Result<NonNull<u8>, AllocError> {
    if total == 0 {
        return Ok(dangling(STEP));
    }
    // No single block is too large; a sum that no region holds is a matter of room.
    if total > ARENA_MAX_ALLOC_SIZE {
        return Err(AllocError::Full { requested: total, remaining: arena.remaining() });
    }
    let start = arena.claim(total, STEP)?;
    // SAFETY: just claimed, `total` bytes.
    unsafe { arena.zero(start, total) };
    Ok(start)
}

/// The address of `size` bytes at `start`, claimed from `arena`. No method of the trait: whoever could call it with any pointer
/// could make addresses that no region has.
#[inline]
fn address_of<'a>(arena: impl Allocate<'a>, start: NonNull<u8>, size: usize) -> Address {
    Address::of_block(HEADER_SIZE + (start.addr().get() - arena.base(start).addr().get()), size)
}

/// A block of `size` bytes at `start`, made zero.
///
/// # Safety
///
/// The bytes were just claimed from `arena`.
#[inline]
unsafe fn zeroed_block<'a>(arena: impl Allocate<'a>, start: NonNull<u8>, size: usize) -> Block<'a> {
    // SAFETY: the caller's promise.
    unsafe { arena.zero(start, size) };
    let address = address_of(arena, start, size);
    // SAFETY: claimed for `'a`, initialised just now; the address and epoch are those of the claim.
    unsafe { Block::from_raw_parts(start, address, arena.epoch(start)) }
}

/// A block of no bytes, aligned all the same. The caller passes a power of two.
#[inline]
fn empty_block<'a>(arena: impl Allocate<'a>, align: usize) -> Block<'a> {
    let start = dangling(align);
    // SAFETY: any aligned pointer is valid for no bytes.
    unsafe { Block::from_raw_parts(start, Address::EMPTY, arena.epoch(start)) }
}

/// An aligned pointer to no bytes. The caller passes a power of two.
#[inline]
fn dangling(align: usize) -> NonNull<u8> {
    NonNull::new(ptr::without_provenance_mut(align)).unwrap_or(NonNull::dangling())
}

#[inline]
fn require_power_of_two<'a, A: Allocate<'a>>(align: usize) -> Result<(), AllocError> {
    if align.is_power_of_two() {
        return Ok(());
    }
    Err(AllocError::Alignment { requested: align, supported: A::MAX_ALIGN })
}

// SAFETY: `claim` succeeds only when the cursor moved over the bytes, which makes them nobody else's until a give-back by
// their owner or a reset, for which the arena must not be borrowed. `place` keeps them in the region, and aligned: see
// there and `Memory::REMAP_ALIGN`. The peak is raised before every give-back and in every reset.
unsafe impl<'a, M: Memory> Allocate<'a> for &'a Arena<M> {
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    fn claim(self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        require_stable_alignment::<M>(align)?;
        let (base, limit) = (Arena::base(self).addr().get(), self.limit());
        match protocol::claim(&self.header().cursor, |cursor| place(base, cursor, limit, size, align)) {
            Ok(span) => Ok(self.hand_out(span, size)),
            Err(cursor) => Err(refusal(size, cursor, limit)),
        }
    }

    #[inline]
    fn claim_bounded(self, size: usize, align: usize, retries: u32) -> Result<NonNull<u8>, AllocError> {
        require_stable_alignment::<M>(align)?;
        let (base, limit) = (Arena::base(self).addr().get(), self.limit());
        let cursor = &self.header().cursor;
        let place = |cursor| place(base, cursor, limit, size, align);
        // ORDERING: Relaxed, only a guess that the exchange verifies.
        match protocol::claim_bounded(cursor, cursor.load(Relaxed), place, retries) {
            Ok(span) => Ok(self.hand_out(span, size)),
            Err(Unclaimed::NoPlace(cursor)) => Err(refusal(size, cursor, limit)),
            Err(Unclaimed::Contended) => Err(AllocError::Contended { retries }),
        }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if size == 0 {
            return;
        }
        hidden::hide(start, size);
        let start = start.addr().get() - Arena::base(self).addr().get();
        let end = round_up(start + size) as u32;
        let start = round_up(start) as u32;
        let header = self.header();
        // ORDERING: Relaxed, only to leave the peak alone when the exchange would fail anyway.
        if start < end && header.cursor.load(Relaxed) == end {
            protocol::raise_peak(&header.peak, end);
            // Whether it moved or not, the bytes are not used again by their owner.
            let _ = protocol::give_back(&header.cursor, start, end);
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> bool {
        let limit = self.limit();
        let start = start.addr().get() - Arena::base(self).addr().get();
        // The block lies in the region, so its end is a position; behind it goes what the steps that it has do not hold.
        let end = round_up(start + old_size);
        let more = new_size.saturating_sub(end - start);
        if more > limit as usize - end {
            return false;
        }
        protocol::extend(&self.header().cursor, end as u32, (end + round_up(more)) as u32).is_ok()
    }

    #[inline(always)]
    fn base(self, _claimed: NonNull<u8>) -> NonNull<u8> {
        Arena::base(self)
    }

    #[inline(always)]
    fn dirty_end(self, _claimed: NonNull<u8>) -> Option<usize> {
        Arena::dirty_end(self)
    }

    #[inline(always)]
    fn epoch(self, _claimed: NonNull<u8>) -> NonZeroU64 {
        Arena::epoch(self)
    }

    #[inline]
    fn remaining(self) -> usize {
        Arena::remaining(self)
    }
}

/// Refuses alignments that another mapping of the same memory would not keep.
#[inline(always)]
pub(crate) fn require_stable_alignment<M: Memory>(align: usize) -> Result<(), AllocError> {
    match M::REMAP_ALIGN {
        Some(supported) if align > supported => Err(AllocError::Alignment { requested: align, supported }),
        _ => Ok(()),
    }
}

/// Why a claim found no place. Cold, so that it lies behind the claim; inlined, so that it costs the claim no stack frame and
/// nothing at all where the caller does not look at the reason.
#[cold]
#[inline]
pub(crate) fn refusal(size: usize, cursor: u32, limit: u32) -> AllocError {
    if size > ARENA_MAX_ALLOC_SIZE {
        AllocError::TooLarge { requested: size }
    } else {
        AllocError::Full { requested: size, remaining: limit.saturating_sub(cursor) as usize }
    }
}
