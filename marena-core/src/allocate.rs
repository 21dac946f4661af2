//! Every way to allocate, once: what can claim bytes gets all of them.

use core::alloc::Layout;
use core::fmt::{self, Write};
use core::mem::{self, MaybeUninit, size_of};
use core::ptr::{self, NonNull};
use core::slice;

use crate::address::{ARENA_MAX_ALLOC_SIZE, Address};
use crate::block::Block;
use crate::claim::{Claim, Claimed};
use crate::error::{AllocError, TryAllocError};
use crate::handle::Handle;
use crate::placement::{STEP, add_rounded, round_up};
use crate::slot::Slot;

/// Whatever allocates, for code that is generic over it. Results live for `'a`.
///
/// Has every `allocate*`, `alloc*` and `insert` method that [`Arena`](crate::Arena) has, under the same names. The
/// inherent methods carry the documentation and need no import. Implemented for references to arenas, leases, scopes,
/// [`Regions`](crate::Regions) and guards of pools, and for every other [`Claim`].
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
pub trait Allocate<'a>: Claim<'a> {
    /// As [`Arena::allocate`](crate::Arena::allocate).
    #[inline]
    fn allocate(self, size: usize) -> Result<Block<'a>, AllocError> {
        block(self, size, STEP, None)
    }

    /// As [`Arena::allocate_aligned`](crate::Arena::allocate_aligned).
    #[inline]
    fn allocate_aligned(self, size: usize, align: usize) -> Result<Block<'a>, AllocError> {
        require_power_of_two::<Self>(align)?;
        block(self, size, align, None)
    }

    /// As [`Arena::allocate_bounded`](crate::Arena::allocate_bounded).
    #[inline]
    fn allocate_bounded(self, size: usize, retries: u32) -> Result<Block<'a>, AllocError> {
        block(self, size, STEP, Some(retries))
    }

    /// As [`Arena::allocate_multiple`](crate::Arena::allocate_multiple).
    #[inline]
    fn allocate_multiple<const N: usize>(self, sizes: [usize; N]) -> Result<[Block<'a>; N], AllocError> {
        let mut total = 0;
        for size in sizes {
            total = sum(total, size)?;
        }
        let Some(claimed) = claim_sum(self, total)? else { return Ok(sizes.map(|_| empty_block(self, STEP))) };
        let mut position = 0;
        Ok(sizes.map(|size| {
            // SAFETY: the sizes, each rounded up to a step, sum to `total`: the block lies in the claim or is empty at its end.
            let start = unsafe { claimed.start().add(position) };
            let address = claimed.address(position, size);
            position += round_up(size);
            // SAFETY: `size` bytes of the claim, which `claim_sum` zeroed; no other block gets them.
            unsafe { Block::from_raw_parts(start, address, claimed.epoch()) }
        }))
    }

    /// As [`Arena::allocate_uninit`](crate::Arena::allocate_uninit).
    #[inline]
    fn allocate_uninit(self, size: usize, align: usize) -> Result<&'a mut [MaybeUninit<u8>], AllocError> {
        require_power_of_two::<Self>(align)?;
        let start = claim_bytes(self, size, align)?;
        // SAFETY: just claimed for `'a`, or no bytes at all.
        Ok(unsafe { slice::from_raw_parts_mut(start.cast().as_ptr(), size) })
    }

    /// As [`Arena::allocate_layout`](crate::Arena::allocate_layout).
    #[inline]
    fn allocate_layout(self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let start = claim_bytes(self, layout.size(), layout.align())?;
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    /// As [`Arena::allocate_address`](crate::Arena::allocate_address).
    #[inline]
    fn allocate_address(self, size: usize) -> Result<Address, AllocError> {
        self.allocate(size).map(|block| block.address())
    }

    /// As [`Arena::allocate_addresses`](crate::Arena::allocate_addresses).
    fn allocate_addresses(self, sizes_in_addresses_out: &mut [u64]) -> Result<(), AllocError> {
        let mut total = 0;
        for &mut size in &mut *sizes_in_addresses_out {
            total = sum(total, usize::try_from(size).unwrap_or(usize::MAX))?;
        }
        let claimed = claim_sum(self, total)?;
        let mut position = 0;
        for slot in sizes_in_addresses_out {
            // The sums above checked that every size fits a `usize`.
            let size = *slot as usize;
            *slot = claimed.as_ref().map_or(Address::EMPTY, |claimed| claimed.address(position, size)).to_raw();
            position += round_up(size);
        }
        Ok(())
    }

    /// As [`Arena::alloc`](crate::Arena::alloc).
    #[inline]
    fn alloc<T>(self, value: T) -> Result<&'a mut T, AllocError> {
        Ok(self.alloc_uninit()?.write(value))
    }

    /// As [`Arena::alloc_with`](crate::Arena::alloc_with).
    #[inline]
    fn alloc_with<T>(self, init: impl FnOnce() -> T) -> Result<&'a mut T, AllocError> {
        let slot = Slot::claim(self, 1)?;
        Ok(slot.fill(init()))
    }

    /// As [`Arena::alloc_try_with`](crate::Arena::alloc_try_with).
    #[inline]
    fn alloc_try_with<T, E>(self, init: impl FnOnce() -> Result<T, E>) -> Result<&'a mut T, TryAllocError<E>> {
        let slot = Slot::claim(self, 1)?;
        Ok(slot.fill(init().map_err(TryAllocError::Init)?))
    }

    /// As [`Arena::alloc_uninit`](crate::Arena::alloc_uninit).
    #[inline]
    fn alloc_uninit<T>(self) -> Result<&'a mut MaybeUninit<T>, AllocError> {
        let place = claim_bytes(self, size_of::<T>(), align_of::<T>())?;
        // SAFETY: just claimed for `'a` with this size and alignment, or no bytes at all.
        Ok(unsafe { &mut *place.as_ptr().cast() })
    }

    /// As [`Arena::alloc_slice_uninit`](crate::Arena::alloc_slice_uninit).
    #[inline]
    fn alloc_slice_uninit<T>(self, len: usize) -> Result<&'a mut [MaybeUninit<T>], AllocError> {
        Ok(Slot::<_, T>::claim(self, len)?.into_uninit())
    }

    /// As [`Arena::alloc_slice_copy`](crate::Arena::alloc_slice_copy).
    #[inline]
    fn alloc_slice_copy<T: Copy>(self, src: &[T]) -> Result<&'a mut [T], AllocError> {
        let slot: &mut [MaybeUninit<T>] = self.alloc_slice_uninit(src.len())?;
        let start = slot.as_mut_ptr().cast::<T>();
        // SAFETY: the slot has room for as many values, and was claimed after `src` was borrowed, so they are apart.
        unsafe { ptr::copy_nonoverlapping(src.as_ptr(), start, src.len()) };
        // SAFETY: all values are initialised now, and a copy of a `Copy` value is one.
        Ok(unsafe { slice::from_raw_parts_mut(start, src.len()) })
    }

    /// As [`Arena::alloc_slice_clone`](crate::Arena::alloc_slice_clone).
    #[inline]
    fn alloc_slice_clone<T: Clone>(self, src: &[T]) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_from_iter(src.iter().cloned())
    }

    /// As [`Arena::alloc_slice_fill_with`](crate::Arena::alloc_slice_fill_with).
    #[inline]
    fn alloc_slice_fill_with<T>(self, len: usize, init: impl FnMut(usize) -> T) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_from_iter((0..len).map(init))
    }

    /// As [`Arena::alloc_slice_from_iter`](crate::Arena::alloc_slice_from_iter).
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

    /// As [`Arena::alloc_str`](crate::Arena::alloc_str).
    #[inline]
    fn alloc_str(self, text: &str) -> Result<&'a mut str, AllocError> {
        let bytes = self.alloc_slice_copy(text.as_bytes())?;
        // SAFETY: a copy of a `str`'s bytes.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
    }

    /// As [`Arena::alloc_fmt`](crate::Arena::alloc_fmt).
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

    /// As [`Arena::insert`](crate::Arena::insert).
    #[inline]
    fn insert<T>(self, value: T) -> Result<Handle<T>, AllocError> {
        if size_of::<T>() == 0 {
            // It stays there for good, as any other value does.
            mem::forget(value);
            // SAFETY: a handle to no bytes.
            return Ok(Handle::new(Address::EMPTY, unsafe { self.epoch() }));
        }
        // SAFETY: an alignment is a power of two, and the size is not 0.
        let claimed = unsafe { self.claim(size_of::<T>(), align_of::<T>(), None) }?;
        // SAFETY: just claimed with this size and alignment.
        unsafe { claimed.start().cast().write(value) };
        // The pointer ends here, so nobody writes the value any more.
        Ok(Handle::new(claimed.address(0, size_of::<T>()), claimed.epoch()))
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
struct Text<'a, A: Claim<'a>>(Slot<'a, A, u8>);

impl<'a, A: Claim<'a>> Write for Text<'a, A> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

impl<'a, A: Claim<'a>> Allocate<'a> for A {}

/// Claims `size` uninitialised bytes, if there are any. The caller passes a power of two as `align`.
#[inline]
fn claim_bytes<'a>(memory: impl Claim<'a>, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
    if size == 0 {
        return Ok(dangling(align));
    }
    // SAFETY: the caller passes a power of two; the size is not 0.
    Ok(unsafe { memory.claim(size, align, None) }?.start())
}

/// As [`claim_bytes`], zeroed.
#[inline]
pub(crate) fn claim_zeroed<'a>(memory: impl Claim<'a>, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
    if size == 0 {
        return Ok(dangling(align));
    }
    // SAFETY: the caller passes a power of two; the size is not 0.
    let claimed = unsafe { memory.claim(size, align, None) }?;
    // SAFETY: just claimed, `size` bytes.
    unsafe { claimed.zero(0, size) };
    Ok(claimed.start())
}

/// `total` and one more block's size, each rounded up.
#[inline]
fn sum(total: usize, size: usize) -> Result<usize, AllocError> {
    if size > ARENA_MAX_ALLOC_SIZE {
        return Err(AllocError::TooLarge { requested: size });
    }
    Ok(add_rounded(total, size))
}

/// Claims `total` zeroed bytes for several blocks, or nothing for blocks of no bytes.
#[inline(always)]
fn claim_sum<'a, A: Claim<'a>>(memory: A, total: usize) -> Result<Option<Claimed<A::Origin>>, AllocError> {
    if total == 0 {
        return Ok(None);
    }
    // No single block is too large; a sum that no region holds is a matter of room.
    if total > ARENA_MAX_ALLOC_SIZE {
        return Err(AllocError::Full { requested: total, remaining: memory.remaining() });
    }
    // SAFETY: the step is a power of two, and the sum is not 0.
    let claimed = unsafe { memory.claim(total, STEP, None) }?;
    // SAFETY: just claimed, `total` bytes.
    unsafe { claimed.zero(0, total) };
    Ok(Some(claimed))
}

/// A zeroed block. The caller passes a power of two as `align`.
#[inline(always)]
fn block<'a>(memory: impl Claim<'a>, size: usize, align: usize, retries: Option<u32>) -> Result<Block<'a>, AllocError> {
    if size == 0 {
        return Ok(empty_block(memory, align));
    }
    // SAFETY: the caller passes a power of two; the size is not 0.
    let claimed = unsafe { memory.claim(size, align, retries) }?;
    // SAFETY: just claimed, `size` bytes.
    unsafe { claimed.zero(0, size) };
    // SAFETY: claimed for `'a`, initialised just now; the address and epoch are those of the claim.
    Ok(unsafe { Block::from_raw_parts(claimed.start(), claimed.address(0, size), claimed.epoch()) })
}

/// A block of no bytes, aligned all the same. The caller passes a power of two.
#[inline]
fn empty_block<'a>(memory: impl Claim<'a>, align: usize) -> Block<'a> {
    // SAFETY: the block has no bytes.
    let epoch = unsafe { memory.epoch() };
    // SAFETY: any aligned pointer is valid for no bytes.
    unsafe { Block::from_raw_parts(dangling(align), Address::EMPTY, epoch) }
}

/// An aligned pointer to no bytes. The caller passes a power of two.
#[inline]
fn dangling(align: usize) -> NonNull<u8> {
    NonNull::new(ptr::without_provenance_mut(align)).unwrap_or(NonNull::dangling())
}

#[inline]
fn require_power_of_two<'a, A: Claim<'a>>(align: usize) -> Result<(), AllocError> {
    if align.is_power_of_two() {
        return Ok(());
    }
    Err(AllocError::Alignment { requested: align, supported: A::MAX_ALIGN })
}
