//! Reading and writing bytes that other processes may write meanwhile.

use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{ARENA_MIN_ADDRESS, Address, Memory};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arena::MappedArena;
use super::error::AccessError;
use super::words::{self, WORD};

/// The first `len` bytes of an address as an offset from the region's start, if they were handed out.
#[inline]
pub(super) fn checked(address: Address, len: usize, used: usize) -> Result<usize, AccessError> {
    let offset = address.offset() as usize;
    // No sum of these wraps: an address's offset and size are at most 2^31 together, and so are 128 and what is used.
    if offset + address.size() as usize > ARENA_MIN_ADDRESS as usize + used {
        return Err(AccessError::Unused { address, used });
    }
    if len > address.size() as usize {
        return Err(AccessError::Size { address, requested: len });
    }
    Ok(offset)
}

/// As [`checked`], for something that has to lie at a multiple of `align`, which is at most 8.
#[inline]
pub(super) fn checked_aligned(address: Address, len: usize, align: usize, used: usize) -> Result<usize, AccessError> {
    let offset = checked(address, len, used)?;
    // Every mapping's base is a multiple of 4,096, so offsets are aligned as addresses are.
    if !offset.is_multiple_of(align) {
        return Err(AccessError::Misaligned { address, required: align });
    }
    Ok(offset)
}

/// The pointer as one to a `T`, if it is aligned to it in this mapping.
#[inline]
pub(super) fn aligned<T>(bytes: NonNull<u8>, address: Address) -> Result<NonNull<T>, AccessError> {
    let value = bytes.cast::<T>();
    if !value.is_aligned() {
        return Err(AccessError::Misaligned { address, required: align_of::<T>() });
    }
    Ok(value)
}

/// Bytes that anyone may write at the same time: copied and accessed by words, each atomically, and never torn within an aligned `u64`.
///
/// These say nothing about the order in which another process sees writes. What orders them is a [`Release`] store (or exchange) of an atomic or a
/// root after the writes, and the [`Acquire`] load of it before the reads.
///
/// [`Release`]: std::sync::atomic::Ordering::Release
/// [`Acquire`]: std::sync::atomic::Ordering::Acquire
impl MappedArena {
    /// Copies the first bytes of an address out, as many as `into` takes.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("read-into-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let text = arena.allocate_copy(b"hello")?;
    /// let mut start = [0; 4];
    /// arena.read_into(text, &mut start)?;
    /// assert_eq!(&start, b"hell");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn read_into(&self, address: Address, into: &mut [u8]) -> Result<(), AccessError> {
        let source = self.at(checked(address, into.len(), self.used())?);
        let load = |word| {
            // SAFETY: the word overlaps bytes of the region, which begins and ends at a multiple of 8; see `MappedArena::claim` on atomics.
            let word = unsafe { words::atomic(word) };
            // ORDERING: Relaxed: what makes the bytes visible is an Acquire of the caller's.
            word.load(Relaxed)
        };
        // SAFETY: `load` takes any word that overlaps the region.
        unsafe { words::copy_out(source, into, load) };
        Ok(())
    }

    /// Copies bytes to the start of an address.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{AccessError, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("write-from-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let text = arena.allocate_address(5)?;
    /// arena.write_from(text, b"hello")?;
    /// assert!(matches!(arena.write_from(text, b"hello, world"), Err(AccessError::Size { .. })));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn write_from(&self, address: Address, bytes: &[u8]) -> Result<(), AccessError> {
        let target = self.at(checked(address, bytes.len(), self.used())?);
        // SAFETY: the bytes lie in the region, which begins and ends at a multiple of 8; see `MappedArena::claim` on atomics.
        unsafe { words::copy_in(target, bytes) };
        Ok(())
    }

    /// A copy of the value at an address, of a type that any bytes are a value of.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("read-value-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let point = arena.allocate_address(8)?;
    /// arena.write_value(point, &[3_u32, 4])?;
    /// assert_eq!(arena.read_value::<[u32; 2]>(point)?, [3, 4]);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn read_value<T: FromBytes + IntoBytes>(&self, address: Address) -> Result<T, AccessError> {
        let mut value = T::new_zeroed();
        self.read_into(address, value.as_mut_bytes())?;
        Ok(value)
    }

    /// Copies a value to the start of an address.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("write-value-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let number = arena.allocate_address(8)?;
    /// arena.write_value(number, &7_u64)?;
    /// assert_eq!(arena.read_value::<u64>(number)?, 7);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn write_value<T: IntoBytes + Immutable>(&self, address: Address, value: &T) -> Result<(), AccessError> {
        self.write_from(address, value.as_bytes())
    }

    /// The first 8 bytes of an address as an atomic, for links, counters and flags.
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
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    #[inline]
    pub fn atomic_u64_at(&self, address: Address) -> Result<&AtomicU64, AccessError> {
        let offset = checked_aligned(address, size_of::<u64>(), WORD, self.used())?;
        // SAFETY: eight bytes of the region at a multiple of 8; see `MappedArena::claim` on atomics.
        Ok(unsafe { words::atomic(self.at(offset).cast()) })
    }

    /// The first 4 bytes of an address as an atomic.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    ///
    /// # Safety
    ///
    /// While the result is used, whatever else this process does with the aligned 8 bytes around it either uses this method too or races with no write: atomic
    /// accesses of different sizes that overlap must not race, and all other methods use 8 bytes. [`atomic_u64_at`](Self::atomic_u64_at) needs no such promise.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use std::sync::atomic::Ordering::{Acquire, Release};
    ///
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("atomic-u32-at-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let flag = arena.allocate_address(4)?;
    /// // SAFETY: this method alone is used for the block.
    /// let flag = unsafe { arena.atomic_u32_at(flag) }?;
    /// flag.store(1, Release);
    /// assert_eq!(flag.load(Acquire), 1);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub unsafe fn atomic_u32_at(&self, address: Address) -> Result<&AtomicU32, AccessError> {
        let offset = checked_aligned(address, size_of::<u32>(), align_of::<u32>(), self.used())?;
        let word = self.at(offset).cast::<u32>();
        // SAFETY: four bytes of the region at a multiple of 4, which others access as the caller promises.
        Ok(unsafe { AtomicU32::from_ptr(word.as_ptr()) })
    }

    /// The bytes of an address, without a copy.
    ///
    /// Unsafe, because a reference promises the compiler that nobody changes the bytes, and other processes can.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`].
    ///
    /// # Safety
    ///
    /// - While the result is used, nobody writes the bytes, in any process: they were published and are never written again.
    /// - What was written before happens before this call: an [`Acquire`](std::sync::atomic::Ordering::Acquire) load of a link, or [`root`](Self::root), led to the address.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-address-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
    /// let text = arena.root(0).unwrap();
    /// // SAFETY: the root led here, and the text is never written again.
    /// assert_eq!(unsafe { arena.view_address(text) }?, b"hello");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub unsafe fn view_address(&self, address: Address) -> Result<&[u8], AccessError> {
        let len = address.size() as usize;
        let bytes = self.at(checked(address, len, self.used())?);
        // SAFETY: in the region, initialised as all bytes of a file are, and not written by the caller's promise.
        Ok(unsafe { slice::from_raw_parts(bytes.as_ptr(), len) })
    }

    /// The value at an address, without a copy, of a type that any bytes are a value of.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    ///
    /// # Safety
    ///
    /// As for [`view_address`](Self::view_address).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-value-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let numbers = arena.allocate_address(16)?;
    /// arena.write_value(numbers, &[1_u64, 2])?;
    /// arena.publish_root(0, numbers)?;
    /// // SAFETY: the root leads here, and the numbers are never written again.
    /// let numbers: &[u64; 2] = unsafe { arena.view_value(arena.root(0).unwrap()) }?;
    /// assert_eq!(numbers, &[1, 2]);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub unsafe fn view_value<T: FromBytes + Immutable>(&self, address: Address) -> Result<&T, AccessError> {
        let offset = checked(address, size_of::<T>(), self.used())?;
        let value = aligned(self.at(offset), address)?;
        // SAFETY: in the region, aligned, not written by the caller's promise, and any bytes are a `T`.
        Ok(unsafe { value.as_ref() })
    }

    /// The pointer to an offset of the region. The caller passes one that lies in it.
    #[inline]
    fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: within the region, or at its end.
        unsafe { self.core.memory().region().cast::<u8>().add(offset) }
    }
}
