//! The functions of the C interface.

use core::ffi::c_void;
use core::mem::{align_of, size_of};
use core::ptr::NonNull;

use marena_core::{Address, Arena, AttachError};

use crate::arguments::{array, pointer, status};
use crate::region::Region;
use crate::status::*;

/// The mark of a `marena_t` that holds an arena. Zeroed memory does not have it.
const LIVE: u64 = u64::from_le_bytes(*b"marena_t");

/// An arena: where its region is. Its storage is the caller's, usually static; zero it before its
/// first use. It may be copied, and every copy is the same arena.
#[repr(C)]
pub struct marena_t {
    /// For the library alone.
    opaque: [u64; 4],
}

/// What a `marena_t` holds once it is initialised.
#[repr(C)]
struct Live {
    mark: u64,
    arena: Arena<Region>,
}

const _: () = assert!(size_of::<Live>() <= size_of::<marena_t>() && align_of::<Live>() <= align_of::<marena_t>());

/// Where a block lies: its offset from the region's start in the upper half, its size in the lower.
/// 0 is no address.
pub type marena_address_t = u64;

/// An arena's statistics, in bytes.
#[repr(C)]
pub struct marena_stats_t {
    /// The whole region, its 128-byte header included.
    pub capacity: usize,
    /// Handed out since the last reset, rounding and alignment included.
    pub used: usize,
    /// What is left.
    pub remaining: usize,
    /// The most that was ever used at once.
    pub high_water: usize,
    /// Lost until the next reset.
    pub stranded: usize,
}

/// Returns the arena that a C pointer names.
///
/// # Safety
///
/// A pointer that is aligned and not null points to a `marena_t`. Its bytes are initialised, and no
/// other code writes them meanwhile.
unsafe fn live<'a>(arena: *const marena_t) -> Result<&'a Arena<Region>, marena_status_t> {
    let arena = pointer(arena.cast_mut())?.cast::<Live>();
    // SAFETY: valid and initialised by the caller's promise; every bit pattern is a `u64`.
    if unsafe { (*arena.as_ptr()).mark } != LIVE {
        return Err(MARENA_ERROR_UNINITIALISED);
    }
    // SAFETY: the mark is written only together with an arena.
    Ok(unsafe { &(*arena.as_ptr()).arena })
}

/// Writes an arena and its mark.
///
/// # Safety
///
/// `out` points to a `marena_t` that no other code uses meanwhile.
unsafe fn write(out: NonNull<marena_t>, arena: Arena<Region>) {
    // SAFETY: the storage has room for this and is aligned for it.
    unsafe { out.cast::<Live>().write(Live { mark: LIVE, arena }) };
}

/// Returns the region that C names.
///
/// # Safety
///
/// If it is not null, `size` bytes at `region` are arenas', initialised, for as long as one of them
/// is used.
unsafe fn memory(region: *mut c_void, size: usize) -> Result<Region, marena_status_t> {
    let region = array(region.cast::<u8>(), size)?;
    // SAFETY: the caller's promise.
    Ok(unsafe { Region::new(region) })
}

/// Makes an empty arena of `size` bytes at `region`, which must be aligned to 128 and hold
/// initialised bytes (static memory does). The first 128 bytes are the arena's header.
///
/// Memory that holds an arena already is an error, `MARENA_ERROR_IN_USE`, so that a second call
/// cannot pull live memory from under anyone: `marena_attach` and `marena_reset` begin anew with
/// it, and zeroing its first 128 bytes gives it up.
///
/// # Safety
///
/// - `arena` is null, misaligned, or the pointer of a `marena_t` that nobody uses meanwhile.
/// - `region` is null, misaligned, or the start of `size` initialised bytes that nobody else uses
///   as long as the arena is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_init(arena: *mut marena_t, region: *mut c_void, size: usize) -> marena_status_t {
    let init = || {
        let out = pointer(arena)?;
        // SAFETY: the caller's promise.
        let found = unsafe { memory(region, size) }?;
        // SAFETY: initialised, and nobody else's, by the caller's promise.
        match unsafe { Arena::attach(found) } {
            Err(AttachError::NotAnArena) => {}
            Err(AttachError::Memory(error)) => return Err(error.into()),
            _ => return Err(MARENA_ERROR_IN_USE),
        }
        // SAFETY: nobody uses the bytes, by the caller's promise.
        let made = unsafe { Arena::format(found) }?;
        // SAFETY: the caller's promise.
        unsafe { write(out, made) };
        Ok(())
    };
    status(init())
}

/// Finds the arena that is at `region` already, made by `marena_init` with the same `size`: before
/// a restart, or by another core. What was allocated in it stays allocated.
///
/// # Safety
///
/// As for `marena_init`, except that others who attached to the region, or initialised it, may use
/// it as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_attach(arena: *mut marena_t, region: *mut c_void, size: usize) -> marena_status_t {
    let attach = || {
        let out = pointer(arena)?;
        // SAFETY: the caller's promise.
        let memory = unsafe { memory(region, size) }?;
        // SAFETY: initialised, and used only through arenas over this header, by the caller's
        // promise.
        let found = unsafe { Arena::attach(memory) }?;
        // SAFETY: the caller's promise.
        unsafe { write(out, found) };
        Ok(())
    };
    status(attach())
}

/// Allocates `size` zeroed bytes, aligned to 8; `*address` becomes their address.
///
/// # Safety
///
/// - `arena` is null, misaligned, or the pointer of a `marena_t`, zeroed or initialised.
/// - `address` is null, misaligned, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_allocate(
    arena: *const marena_t,
    size: usize,
    address: *mut marena_address_t,
) -> marena_status_t {
    let allocate = || {
        // SAFETY: the caller's promise.
        let arena = unsafe { live(arena) }?;
        let out = pointer(address)?;
        let block = arena.allocate_address(size)?;
        // SAFETY: the caller's promise.
        unsafe { out.write(block.to_raw()) };
        Ok(())
    };
    status(allocate())
}

/// As `marena_allocate`, at a multiple of `alignment` bytes, which is a power of two.
///
/// # Safety
///
/// As for `marena_allocate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_allocate_aligned(
    arena: *const marena_t,
    size: usize,
    alignment: usize,
    address: *mut marena_address_t,
) -> marena_status_t {
    let allocate = || {
        // SAFETY: the caller's promise.
        let arena = unsafe { live(arena) }?;
        let out = pointer(address)?;
        let block = arena.allocate_aligned(size, alignment)?;
        // SAFETY: the caller's promise.
        unsafe { out.write(block.address().to_raw()) };
        Ok(())
    };
    status(allocate())
}

/// Allocates `count` blocks, side by side, or none: each size in the array is replaced by its
/// block's address.
///
/// # Safety
///
/// - As for `marena_allocate`.
/// - `sizes_in_addresses_out` is null, misaligned, or the start of `count` initialised numbers that
///   nobody else uses meanwhile, outside the arena's header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_allocate_multiple(
    arena: *const marena_t,
    sizes_in_addresses_out: *mut marena_address_t,
    count: usize,
) -> marena_status_t {
    let allocate = || {
        // SAFETY: the caller's promise.
        let arena = unsafe { live(arena) }?;
        let mut sizes = array(sizes_in_addresses_out, count)?;
        // SAFETY: the caller's promise.
        arena.allocate_addresses(unsafe { sizes.as_mut() })?;
        Ok(())
    };
    status(allocate())
}

/// The bytes at an address: `*bytes` becomes a pointer to them, valid until the next reset, and
/// `*size` how many they are.
///
/// An address is a number: one from before a reset, or from another arena, is an error unless it
/// happens to name bytes that this arena has handed out.
///
/// # Safety
///
/// - As for `marena_allocate`.
/// - `bytes` and `size` are null, misaligned, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_view(
    arena: *const marena_t,
    address: marena_address_t,
    bytes: *mut *mut c_void,
    size: *mut usize,
) -> marena_status_t {
    let view = || {
        // SAFETY: the caller's promise.
        let arena = unsafe { live(arena) }?;
        let (bytes_out, size_out) = (pointer(bytes)?, pointer(size)?);
        let found =
            Address::from_raw(address).and_then(|address| arena.view_ptr(address)).ok_or(MARENA_ERROR_ADDRESS)?;
        // SAFETY: the caller's promise.
        unsafe { bytes_out.write(found.cast().as_ptr()) };
        // SAFETY: the caller's promise.
        unsafe { size_out.write(found.len()) };
        Ok(())
    };
    status(view())
}

/// Takes everything back: the arena is empty, and every address and pointer from before is void.
///
/// # Safety
///
/// - As for `marena_allocate`.
/// - Nobody uses the arena meanwhile, nor bytes from before afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_reset(arena: *const marena_t) -> marena_status_t {
    let reset = || {
        // SAFETY: the caller's promise.
        let arena = unsafe { live(arena) }?;
        // SAFETY: the caller's promise.
        unsafe { arena.reset_shared() };
        Ok(())
    };
    status(reset())
}

/// `*remaining` becomes the number of bytes left.
///
/// # Safety
///
/// - As for `marena_allocate`.
/// - `remaining` is null, misaligned, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_remaining(arena: *const marena_t, remaining: *mut usize) -> marena_status_t {
    let read = || {
        // SAFETY: the caller's promise.
        let arena = unsafe { live(arena) }?;
        let out = pointer(remaining)?;
        // SAFETY: the caller's promise.
        unsafe { out.write(arena.remaining()) };
        Ok(())
    };
    status(read())
}

/// `*stats` becomes the arena's statistics.
///
/// # Safety
///
/// - As for `marena_allocate`.
/// - `stats` is null, misaligned, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn marena_stats(arena: *const marena_t, stats: *mut marena_stats_t) -> marena_status_t {
    let read = || {
        // SAFETY: the caller's promise.
        let arena = unsafe { live(arena) }?;
        let out = pointer(stats)?;
        let found = arena.stats();
        // SAFETY: the caller's promise.
        unsafe {
            out.write(marena_stats_t {
                capacity: found.capacity,
                used: found.used,
                remaining: found.remaining,
                high_water: found.high_water,
                stranded: found.stranded,
            });
        };
        Ok(())
    };
    status(read())
}
