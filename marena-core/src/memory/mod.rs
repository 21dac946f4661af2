//! Where an arena's bytes live.

mod borrowed;
mod raw;
mod reserve;
mod static_memory;

use core::ptr::NonNull;

pub use borrowed::BorrowedMemory;
pub use raw::RawMemory;
pub use reserve::{GivenBack, Reserve};
pub use static_memory::StaticMemory;

use crate::error::MemoryError;
use crate::header::Header;
use crate::placement::{HEADER_SIZE, REGION_LIMIT, REGION_MIN, STEP};
use crate::sync::Word;

/// Memory that an [`Arena`](crate::Arena) can live in.
///
/// # Safety
///
/// - [`region`](Self::region) and [`header`](Self::header) give the same pointers at every call,
///   also after the value was moved.
/// - It is valid for reads and writes of its length, from any thread, for as long as the value
///   lives, and no longer than `isize::MAX` bytes.
/// - The value holds it as a raw pointer: never as a reference or a `Box`, which would claim
///   exclusive access.
/// - No Rust reference that the arena did not make is used for these bytes while the value lives.
/// - Other arenas over these bytes, if any, use the same header.
/// - Its methods use no arena over these bytes: they may be called in the middle of an allocation.
/// - Where [`is_zeroed`](Self::is_zeroed) says true, the region's bytes are initialised, its header
///   included, and those past the larger of the header's cursor and peak are zero. Bytes fresh from
///   the system qualify: all zero, the header too. So do bytes that only arenas wrote since. What
///   [`Reserve::give_back_past`] then names zero is zero.
/// - Where [`ready`](Self::ready) is overridden, "valid" above holds for the region's first `ready`
///   bytes, which are at least 136, and for those that [`provide`](Self::provide) said yes to.
///   Their number falls only while nobody but the caller of [`Reserve::give_back_past`] has the
///   memory, and never below what that keeps.
/// - Where [`IS_EXCLUSIVE`](Self::IS_EXCLUSIVE) is true, the type keeps the promise of
///   [`ExclusiveMemory`].
/// - [`announce`](Self::announce) changes no byte.
/// - [`header`](Self::header), where it is not the region's start, points to a valid header that
///   lives as long.
///
/// # Examples
///
/// A device's memory window, fixed at build time:
///
/// ```
/// use core::ptr::NonNull;
/// use marena_core::{Arena, ExclusiveMemory, Memory};
///
/// struct Window(NonNull<[u8]>);
/// // SAFETY: `Window::new`'s caller promises the bytes; the pointer never changes.
/// unsafe impl Memory for Window {
///     type Word = portable_atomic::AtomicU32;
///     fn region(&self) -> NonNull<[u8]> {
///         self.0
///     }
/// }
/// // SAFETY: `Window::new`'s caller promises that nothing else reaches the bytes.
/// unsafe impl ExclusiveMemory for Window {}
///
/// #[repr(align(128))]
/// struct Buffer([u8; 4096]);
/// let mut buffer = Buffer([0; 4096]);
/// let arena = Arena::new(Window(NonNull::from(&mut buffer.0[..])))?;
/// assert_eq!(arena.capacity(), 4096);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no memory for an arena",
    note = "bytes of your own: `Arena::borrowed(&mut bytes)`; a static: `Arena::from_static(&MEMORY)`"
)]
pub unsafe trait Memory {
    /// The header's atomic word: [`AtomicU32`](crate::AtomicU32) in everything that ships.
    type Word: Word;

    /// The alignment that every mapping of these bytes has.
    ///
    /// - `None`: the bytes stay at one address, and blocks can have any power of two as their
    ///   alignment.
    /// - `Some(n)`, a power of two (else a build error): other mappings of the same bytes may lie
    ///   elsewhere. All of them are aligned to the larger of `n` and 128, and none to more, so
    ///   larger alignments fail.
    ///
    /// ```
    /// use marena_core::{BorrowedMemory, Memory};
    /// assert_eq!(<BorrowedMemory<'_> as Memory>::REMAP_ALIGN, None);
    /// ```
    const REMAP_ALIGN: Option<usize> = None;

    /// Whether the type is [`ExclusiveMemory`]. If so, a scope of an arena begins and ends without
    /// an atomic operation.
    ///
    /// ```
    /// use marena_core::{BorrowedMemory, Memory, StaticMemory};
    /// assert!(<BorrowedMemory<'_> as Memory>::IS_EXCLUSIVE);
    /// assert!(!<&StaticMemory<1024> as Memory>::IS_EXCLUSIVE);
    /// ```
    const IS_EXCLUSIVE: bool = false;

    /// Whether a thread pauses before it tries again, if another thread's allocation came before
    /// its own. Threads that allocate from the arena itself at the same time are faster then. The
    /// code of allocations has one more call, and machines with one core gain nothing. Bounded
    /// allocations never pause.
    const BACKS_OFF: bool = false;

    /// Returns the bytes, header first. The base is aligned to 128.
    fn region(&self) -> NonNull<[u8]>;

    /// Returns how many of the region's first bytes can be used now: all of them, unless memory
    /// overrides this because it takes bytes from the system in steps.
    ///
    /// What another thread provided is seen with Acquire.
    #[inline]
    fn ready(&self) -> usize {
        self.region().len()
    }

    /// Makes the region's first `len` bytes ready, `len` being at most the region's length. Returns
    /// whether they are.
    #[cold]
    fn provide(&self, len: usize) -> bool {
        len <= self.ready()
    }

    /// Announces that a lease is about to use `len` bytes of the region, `start` bytes behind its
    /// base. In [zeroed](Self::is_zeroed) memory they are still zero. Memory whose pages come as
    /// they are touched can fetch these pages at once. No byte changes.
    #[cold]
    fn announce(&self, start: usize, len: usize) {
        let _ = (start, len);
    }

    /// Returns the arena's control block: the region's first 128 bytes, unless the word does not
    /// fit there.
    #[inline]
    fn header(&self) -> NonNull<Header<Self::Word>> {
        self.region().cast()
    }

    /// Returns whether bytes that were never handed out are known to be zero. The arena then does
    /// not zero them.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::{BorrowedMemory, Memory, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// assert!((&MEMORY).is_zeroed());
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// assert!(!BorrowedMemory::new(&mut bytes)?.is_zeroed());
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    fn is_zeroed(&self) -> bool {
        false
    }
}

/// Memory that no other arena, process or static can reach while the value lives: the only kind
/// that a safe reset is for. Its [`Memory::IS_EXCLUSIVE`] should be true.
///
/// # Safety
///
/// Nothing but this value, and what it is moved into, gives access to the region or the header.
///
/// # Examples
///
/// ```
/// use marena_core::{BorrowedMemory, ExclusiveMemory, RawMemory};
/// fn resettable<M: ExclusiveMemory>() {}
/// resettable::<BorrowedMemory<'_>>();
/// resettable::<RawMemory>();
/// ```
///
/// A static can be reached by anyone, so its arena has no safe reset:
///
/// ```compile_fail,E0277
/// # use marena_core::{ExclusiveMemory, StaticMemory};
/// # fn resettable<M: ExclusiveMemory>() {}
/// resettable::<&'static StaticMemory<1024>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "others can reach `{Self}`, so no safe call may reset its arena",
    label = "needs memory that this arena alone can reach",
    note = "for a static: `StaticMemory::as_uninit_mut` and `Arena::borrowed`, or the unsafe `Arena::reset_shared`"
)]
pub unsafe trait ExclusiveMemory: Memory {}

/// Returns the largest alignment that bytes in such memory keep.
pub(crate) const fn max_align<M: Memory>() -> usize {
    match M::REMAP_ALIGN {
        Some(align) => {
            assert!(align.is_power_of_two(), "`REMAP_ALIGN` is an alignment, and so a power of two");
            // Every base is aligned to the header.
            if align < HEADER_SIZE { HEADER_SIZE } else { align }
        }
        None => 1 << (usize::BITS - 1),
    }
}

/// Returns the length of a region, rounded down to a step, if it can be an arena's.
pub(crate) fn checked_capacity(base: usize, len: usize, align: usize) -> Result<usize, MemoryError> {
    // One alignment is never less than the other's: both are powers of two.
    let required = if align < HEADER_SIZE { HEADER_SIZE } else { align };
    if base & (required - 1) != 0 {
        return Err(MemoryError::Misaligned { required, address: base });
    }
    if len < REGION_MIN {
        return Err(MemoryError::TooSmall { required: REGION_MIN, len });
    }
    let capacity = len & !(STEP - 1);
    if capacity > REGION_LIMIT {
        return Err(MemoryError::TooLarge { limit: REGION_LIMIT, len });
    }
    Ok(capacity)
}
