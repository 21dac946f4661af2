//! Checks on what C passes.

use core::ptr::NonNull;

use crate::status::*;

/// A pointer to `T`, if it is not null and aligned.
pub(crate) fn pointer<T>(pointer: *mut T) -> Result<NonNull<T>, marena_status_t> {
    let pointer = NonNull::new(pointer).ok_or(MARENA_ERROR_NULL)?;
    if pointer.is_aligned() { Ok(pointer) } else { Err(MARENA_ERROR_MISALIGNED) }
}

/// A pointer to an array, if it is not null, aligned, and does not reach past the address space's
/// end or half its size.
pub(crate) fn array<T>(start: *mut T, len: usize) -> Result<NonNull<[T]>, marena_status_t> {
    let start = pointer(start)?;
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize);
    let fits = bytes.is_some_and(|bytes| start.addr().get().checked_add(bytes).is_some());
    if fits { Ok(NonNull::slice_from_raw_parts(start, len)) } else { Err(MARENA_ERROR_TOO_LARGE) }
}

/// What a C function returns for this outcome.
pub(crate) fn status(outcome: Result<(), marena_status_t>) -> marena_status_t {
    match outcome {
        Ok(()) => MARENA_OK,
        Err(status) => status,
    }
}
