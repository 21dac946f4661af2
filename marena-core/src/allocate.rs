//! Every way to allocate, once: whatever can claim bytes has all of them.

use core::alloc::Layout;
use core::ffi::CStr;
use core::fmt::{self, Write};
use core::mem::{self, MaybeUninit, size_of};
use core::ptr::{self, NonNull};
use core::slice;

use crate::address::{ARENA_MAX_ALLOC_SIZE, Address};
use crate::block::Block;
use crate::boxed::ArenaBox;
use crate::claim::{Claim, Claimed};
use crate::error::{AllocError, InteriorNul, TryAllocError};
use crate::handle::Handle;
use crate::placement::{STEP, add_rounded, round_up};
use crate::slot::Slot;
use crate::string::ArenaString;
use crate::vec::ArenaVec;

/// Whatever allocates, for code that is generic over it. Results live for `'a`.
///
/// Has every `allocate*`, `alloc*` and `insert` method that [`Arena`](crate::Arena) has, under the
/// same names. The inherent methods carry the documentation and need no import. Implemented for
/// references to arenas, leases, scopes, [`Regions`](crate::Regions) and guards of pools, and for
/// every other [`Claim`].
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
/// fn list<'a>(
///     memory: impl Allocate<'a>,
///     values: &[u32],
/// ) -> Result<Option<&'a Node<'a>>, AllocError> {
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
    /// Does the same as [`Arena::allocate`](crate::Arena::allocate).
    #[inline]
    fn allocate(self, size: usize) -> Result<Block<'a>, AllocError> {
        block(self, size, STEP, None)
    }

    /// Does the same as [`Arena::allocate_aligned`](crate::Arena::allocate_aligned).
    #[inline]
    fn allocate_aligned(self, size: usize, align: usize) -> Result<Block<'a>, AllocError> {
        require_power_of_two::<Self>(align)?;
        block(self, size, align, None)
    }

    /// Does the same as [`Arena::allocate_bounded`](crate::Arena::allocate_bounded).
    #[inline]
    fn allocate_bounded(self, size: usize, retries: u32) -> Result<Block<'a>, AllocError> {
        block(self, size, STEP, Some(retries))
    }

    /// Does the same as [`Arena::allocate_multiple`](crate::Arena::allocate_multiple).
    #[inline]
    fn allocate_multiple<const N: usize>(self, sizes: [usize; N]) -> Result<[Block<'a>; N], AllocError> {
        let mut total = 0;
        for size in sizes {
            total = sum(total, size)?;
        }
        let Some(claimed) = claim_sum(self, total)? else { return Ok(sizes.map(|_| empty_block(self, STEP))) };
        let mut position = 0;
        Ok(sizes.map(|size| {
            // SAFETY: the sizes, each rounded up to a step, sum to `total`: the block lies in the
            // claim or is empty at its end.
            let start = unsafe { claimed.start().add(position) };
            let address = claimed.address(position, size);
            position += round_up(size);
            // SAFETY: `size` bytes of the claim, which `claim_sum` zeroed; no other block gets
            // them.
            unsafe { Block::from_raw_parts(start, address, claimed.epoch()) }
        }))
    }

    /// Does the same as [`Arena::allocate_uninit`](crate::Arena::allocate_uninit).
    #[inline]
    fn allocate_uninit(self, size: usize, align: usize) -> Result<&'a mut [MaybeUninit<u8>], AllocError> {
        require_power_of_two::<Self>(align)?;
        let start = claim_bytes(self, size, align)?;
        // SAFETY: just claimed for `'a`, or no bytes at all.
        Ok(unsafe { slice::from_raw_parts_mut(start.cast().as_ptr(), size) })
    }

    /// Does the same as [`Arena::allocate_layout`](crate::Arena::allocate_layout).
    #[inline]
    fn allocate_layout(self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let start = claim_bytes(self, layout.size(), layout.align())?;
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    /// Does the same as [`Arena::allocate_address`](crate::Arena::allocate_address).
    #[inline]
    fn allocate_address(self, size: usize) -> Result<Address, AllocError> {
        self.allocate(size).map(|block| block.address())
    }

    /// Does the same as [`Arena::allocate_addresses`](crate::Arena::allocate_addresses).
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

    /// Does the same as [`Arena::alloc`](crate::Arena::alloc).
    #[inline]
    fn alloc<T>(self, value: T) -> Result<&'a mut T, AllocError> {
        Ok(self.alloc_uninit()?.write(value))
    }

    /// Does the same as [`Arena::alloc_with`](crate::Arena::alloc_with).
    #[inline]
    fn alloc_with<T>(self, init: impl FnOnce() -> T) -> Result<&'a mut T, AllocError> {
        let slot = Slot::claim(self)?;
        Ok(slot.write(init()))
    }

    /// Does the same as [`Arena::alloc_try_with`](crate::Arena::alloc_try_with).
    #[inline]
    fn alloc_try_with<T, E>(self, init: impl FnOnce() -> Result<T, E>) -> Result<&'a mut T, TryAllocError<E>> {
        let slot = Slot::claim(self)?;
        Ok(slot.write(init().map_err(TryAllocError::Init)?))
    }

    /// Does the same as [`Arena::alloc_slot`](crate::Arena::alloc_slot).
    #[inline]
    fn alloc_slot<T>(self) -> Result<Slot<'a, Self, T>, AllocError> {
        Slot::claim(self)
    }

    /// Does the same as [`Arena::alloc_box`](crate::Arena::alloc_box).
    #[inline]
    fn alloc_box<T>(self, value: T) -> Result<ArenaBox<'a, T>, AllocError> {
        Ok(Slot::claim(self)?.write_box(value))
    }

    /// Does the same as [`Arena::alloc_box_slice`](crate::Arena::alloc_box_slice).
    #[inline]
    fn alloc_box_slice<T>(self, values: impl IntoIterator<Item = T>) -> Result<ArenaBox<'a, [T]>, AllocError> {
        Ok(collect(self, values)?.into_box())
    }

    /// Does the same as [`Arena::alloc_vec`](crate::Arena::alloc_vec).
    #[inline]
    fn alloc_vec<T>(self, capacity: usize) -> Result<ArenaVec<'a, Self, T>, AllocError> {
        ArenaVec::with_capacity(self, capacity)
    }

    /// Does the same as [`Arena::alloc_string`](crate::Arena::alloc_string).
    #[inline]
    fn alloc_string(self, capacity: usize) -> Result<ArenaString<'a, Self>, AllocError> {
        ArenaString::with_capacity(self, capacity)
    }

    /// Does the same as [`Arena::alloc_uninit`](crate::Arena::alloc_uninit).
    #[inline]
    fn alloc_uninit<T>(self) -> Result<&'a mut MaybeUninit<T>, AllocError> {
        let place = claim_bytes(self, size_of::<T>(), align_of::<T>())?;
        // SAFETY: just claimed for `'a` with this size and alignment, or no bytes at all.
        Ok(unsafe { &mut *place.as_ptr().cast() })
    }

    /// Does the same as [`Arena::alloc_slice_uninit`](crate::Arena::alloc_slice_uninit).
    #[inline]
    fn alloc_slice_uninit<T>(self, len: usize) -> Result<&'a mut [MaybeUninit<T>], AllocError> {
        Ok(ArenaVec::with_capacity(self, len)?.into_uninit(len))
    }

    /// Does the same as [`Arena::alloc_slice_copy`](crate::Arena::alloc_slice_copy).
    #[inline]
    fn alloc_slice_copy<T: Copy>(self, src: &[T]) -> Result<&'a mut [T], AllocError> {
        let slot: &mut [MaybeUninit<T>] = self.alloc_slice_uninit(src.len())?;
        let start = slot.as_mut_ptr().cast::<T>();
        // SAFETY: the slot has room for as many values, and was claimed after `src` was borrowed,
        // so they are apart.
        unsafe { ptr::copy_nonoverlapping(src.as_ptr(), start, src.len()) };
        // SAFETY: all values are initialised now, and a copy of a `Copy` value is one.
        Ok(unsafe { slice::from_raw_parts_mut(start, src.len()) })
    }

    /// Does the same as [`Arena::alloc_slice_clone`](crate::Arena::alloc_slice_clone).
    #[inline]
    fn alloc_slice_clone<T: Clone>(self, src: &[T]) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_from_iter(src.iter().cloned())
    }

    /// Does the same as [`Arena::alloc_slice_fill_with`](crate::Arena::alloc_slice_fill_with).
    #[inline]
    fn alloc_slice_fill_with<T>(self, len: usize, init: impl FnMut(usize) -> T) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_from_iter((0..len).map(init))
    }

    /// Does the same as [`Arena::alloc_slice_fill_copy`](crate::Arena::alloc_slice_fill_copy).
    #[inline]
    fn alloc_slice_fill_copy<T: Copy>(self, len: usize, value: T) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_fill_with(len, |_| value)
    }

    /// Does the same as [`Arena::alloc_slice_fill_clone`](crate::Arena::alloc_slice_fill_clone).
    #[inline]
    fn alloc_slice_fill_clone<T: Clone>(self, len: usize, value: &T) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_fill_with(len, |_| value.clone())
    }

    /// Does the same as
    /// [`Arena::alloc_slice_fill_default`](crate::Arena::alloc_slice_fill_default).
    #[inline]
    fn alloc_slice_fill_default<T: Default>(self, len: usize) -> Result<&'a mut [T], AllocError> {
        self.alloc_slice_fill_with(len, |_| T::default())
    }

    /// Does the same as
    /// [`Arena::alloc_slice_try_fill_with`](crate::Arena::alloc_slice_try_fill_with).
    #[inline]
    fn alloc_slice_try_fill_with<T, E>(
        self,
        len: usize,
        init: impl FnMut(usize) -> Result<T, E>,
    ) -> Result<&'a mut [T], TryAllocError<E>> {
        self.alloc_slice_try_from_iter((0..len).map(init))
    }

    /// Does the same as [`Arena::alloc_slice_from_iter`](crate::Arena::alloc_slice_from_iter).
    #[inline]
    fn alloc_slice_from_iter<T>(self, values: impl IntoIterator<Item = T>) -> Result<&'a mut [T], AllocError> {
        Ok(collect(self, values)?.finish())
    }

    /// Does the same as
    /// [`Arena::alloc_slice_try_from_iter`](crate::Arena::alloc_slice_try_from_iter).
    #[inline]
    fn alloc_slice_try_from_iter<T, E>(
        self,
        values: impl IntoIterator<Item = Result<T, E>>,
    ) -> Result<&'a mut [T], TryAllocError<E>> {
        let values = values.into_iter();
        let mut slice = ArenaVec::with_capacity(self, values.size_hint().0)?;
        for value in values {
            slice.push(value.map_err(TryAllocError::Init)?)?;
        }
        Ok(slice.finish())
    }

    /// Does the same as [`Arena::alloc_str`](crate::Arena::alloc_str).
    #[inline]
    fn alloc_str(self, text: &str) -> Result<&'a mut str, AllocError> {
        let bytes = self.alloc_slice_copy(text.as_bytes())?;
        // SAFETY: a copy of a `str`'s bytes.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
    }

    /// Does the same as [`Arena::alloc_cstr`](crate::Arena::alloc_cstr).
    #[inline]
    fn alloc_cstr(self, text: &CStr) -> Result<&'a CStr, AllocError> {
        let bytes = self.alloc_slice_copy(text.to_bytes_with_nul())?;
        // SAFETY: a copy of a C string's bytes.
        Ok(unsafe { CStr::from_bytes_with_nul_unchecked(bytes) })
    }

    /// Does the same as [`Arena::alloc_cstr_from_str`](crate::Arena::alloc_cstr_from_str).
    fn alloc_cstr_from_str(self, text: &str) -> Result<&'a CStr, TryAllocError<InteriorNul>> {
        if let Some(position) = text.bytes().position(|byte| byte == 0) {
            return Err(TryAllocError::Init(InteriorNul { position }));
        }
        let mut bytes = ArenaVec::with_capacity(self, text.len().saturating_add(1))?;
        bytes.extend_from_slice_copy(text.as_bytes())?;
        bytes.push(0)?;
        // SAFETY: no byte of the text is 0, and one behind it is.
        Ok(unsafe { CStr::from_bytes_with_nul_unchecked(bytes.finish()) })
    }

    /// Does the same as [`Arena::alloc_fmt`](crate::Arena::alloc_fmt).
    fn alloc_fmt(self, arguments: fmt::Arguments<'_>) -> Result<&'a mut str, AllocError> {
        if let Some(text) = arguments.as_str() {
            return self.alloc_str(text);
        }
        // Measured first: in an arena that others use, a text that grows may have to move.
        let mut count = Count(0);
        count.write_fmt(arguments).map_err(|fmt::Error| AllocError::Format)?;
        let mut text = ArenaString::with_capacity(self, count.0)?;
        text.write_fmt(arguments)?;
        Ok(text.finish())
    }

    /// Does the same as [`Arena::insert`](crate::Arena::insert).
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

    /// Does the same as [`Arena::insert_slice`](crate::Arena::insert_slice).
    #[inline]
    fn insert_slice<T: Copy>(self, values: &[T]) -> Result<Handle<[T]>, AllocError> {
        const { assert!(size_of::<T>() > 0, "a handle to a slice of values without bytes cannot have its length") };
        let size = size_of_val(values);
        if size == 0 {
            // SAFETY: a handle to no bytes.
            return Ok(Handle::new(Address::EMPTY, unsafe { self.epoch() }));
        }
        // SAFETY: an alignment is a power of two, and the size is not 0.
        let claimed = unsafe { self.claim(size, align_of::<T>(), None) }?;
        // SAFETY: just claimed with this size and alignment, after `values` was borrowed, so they
        // are apart.
        unsafe { ptr::copy_nonoverlapping(values.as_ptr(), claimed.start().cast().as_ptr(), values.len()) };
        Ok(Handle::new(claimed.address(0, size), claimed.epoch()))
    }

    /// Does the same as [`Arena::insert_str`](crate::Arena::insert_str).
    #[inline]
    fn insert_str(self, text: &str) -> Result<Handle<str>, AllocError> {
        let bytes = self.insert_slice(text.as_bytes())?;
        // A copy of a `str`'s bytes.
        Ok(Handle::new(bytes.address(), bytes.epoch()))
    }
}

/// A vector of all values of an iterator.
#[inline]
fn collect<'a, A: Claim<'a>, T>(
    memory: A,
    values: impl IntoIterator<Item = T>,
) -> Result<ArenaVec<'a, A, T>, AllocError> {
    let values = values.into_iter();
    let mut vec = ArenaVec::with_capacity(memory, values.size_hint().0)?;
    for value in values {
        vec.push(value)?;
    }
    Ok(vec)
}

/// Counts the bytes of formatted text.
struct Count(usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

impl<'a, A: Claim<'a>> Allocate<'a> for A {}

/// Claims `size` uninitialised bytes, if there are any. The caller passes a power of two as
/// `align`.
#[inline]
fn claim_bytes<'a>(memory: impl Claim<'a>, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
    if size == 0 {
        return Ok(dangling(align));
    }
    // SAFETY: the caller passes a power of two; the size is not 0.
    Ok(unsafe { memory.claim(size, align, None) }?.start())
}

/// Claims zeroed bytes, as [`claim_bytes`] claims bytes.
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
    unsafe { memory.claim(size, align, retries) }.map(|claimed| {
        // SAFETY: just claimed, `size` bytes.
        unsafe { claimed.zero(0, size) };
        // SAFETY: claimed for `'a`, initialised just now; the address and epoch are those of the
        // claim.
        unsafe { Block::from_raw_parts(claimed.start(), claimed.address(0, size), claimed.epoch()) }
    })
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
