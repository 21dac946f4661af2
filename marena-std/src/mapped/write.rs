//! Writes bytes that other processes may read and write meanwhile.

use std::sync::atomic::{AtomicU32, AtomicU64};

use marena_core::Address;
use zerocopy::{Immutable, IntoBytes};

use super::access_error::AccessError;
use super::arena::MappedArena;
use super::bounds::{checked, checked_aligned};
use super::words::{self, WORD};

/// Writing bytes that others may read and write at the same time: words are written atomically, so
/// an aligned `u64` is never torn.
///
/// These methods do not order writes for another process. A [`Release`] store (or compare-and-swap)
/// of an atomic or a root after the writes orders them, with an [`Acquire`] load of it before the
/// reads.
///
/// [`Release`]: std::sync::atomic::Ordering::Release
/// [`Acquire`]: std::sync::atomic::Ordering::Acquire
impl MappedArena {
    /// Copies bytes to the start of an address.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    #[inline]
    pub fn write_from(&self, address: Address, bytes: &[u8]) -> Result<(), AccessError> {
        let target = self.at(checked(address, bytes.len(), self.used())?);
        // SAFETY: the bytes lie in the region, which begins and ends at a multiple of 8.
        // `MappedArena::claim` says why all accesses are atomic.
        unsafe { words::copy_in(target, bytes) };
        Ok(())
    }

    /// Copies a value to the start of an address.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    #[inline]
    pub fn write_value<T: IntoBytes + Immutable>(&self, address: Address, value: &T) -> Result<(), AccessError> {
        self.write_from(address, value.as_bytes())
    }

    /// Returns the first 8 bytes of an address as an atomic, for links, counters and flags.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use std::sync::atomic::Ordering::{Acquire, Release};
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("atomic-u64-at-{}.arena", std::process::id()));
    /// // SAFETY: the file is new, and nobody else knows it.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let link = arena.allocate_address(8)?;
    /// let record = arena.allocate_copy(b"record")?;
    /// arena.atomic_u64_at(link)?.store(record.to_raw(), Release);
    /// // Elsewhere:
    /// let raw = arena.atomic_u64_at(link)?.load(Acquire);
    /// assert_eq!(raw, record.to_raw());
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn atomic_u64_at(&self, address: Address) -> Result<&AtomicU64, AccessError> {
        let offset = checked_aligned(address, size_of::<u64>(), WORD, self.used())?;
        // SAFETY: these are eight bytes of the region at a multiple of 8. `MappedArena::claim` says
        // why all accesses are atomic.
        Ok(unsafe { words::atomic(self.at(offset).cast()) })
    }

    /// Returns the first 4 bytes of an address as an atomic.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    ///
    /// # Safety
    ///
    /// - While the result is used, every other access of this process to the aligned 8 bytes around
    ///   it goes through this method too, or races with no write.
    ///
    /// Atomic accesses of different sizes that overlap must not race, and all other methods use 8
    /// bytes. [`atomic_u64_at`](Self::atomic_u64_at) needs no such promise.
    #[inline]
    pub unsafe fn atomic_u32_at(&self, address: Address) -> Result<&AtomicU32, AccessError> {
        let offset = checked_aligned(address, size_of::<u32>(), align_of::<u32>(), self.used())?;
        let word = self.at(offset).cast::<u32>();
        // SAFETY: these are four bytes of the region at a multiple of 4, and others access them as
        // the caller promises.
        Ok(unsafe { AtomicU32::from_ptr(word.as_ptr()) })
    }
}
