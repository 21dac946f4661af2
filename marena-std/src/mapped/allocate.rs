//! Allocates in a mapped arena.

use std::alloc::Layout;
use std::ptr::NonNull;

use marena_core::{ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, Address, AllocError, Memory};

use super::arena::MappedArena;
use super::memory::SMALLEST_PAGE;
use super::words::{self, WORD};

/// Allocating: the methods return addresses of blocks that belong to the caller until it tells
/// others.
impl MappedArena {
    /// Allocates `size` zeroed bytes at a multiple of 8.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`] and [`AllocError::Full`].
    #[inline]
    pub fn allocate_address(&self, size: usize) -> Result<Address, AllocError> {
        self.allocate_address_aligned(size, WORD)
    }

    /// Allocates `size` zeroed bytes at a multiple of `align`: a power of two, at most 4,096,
    /// because other processes map the file at other addresses.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`], [`AllocError::Full`] and [`AllocError::Alignment`].
    #[inline]
    pub fn allocate_address_aligned(&self, size: usize, align: usize) -> Result<Address, AllocError> {
        let error = AllocError::Alignment { requested: align, supported: SMALLEST_PAGE };
        if !align.is_power_of_two() {
            return Err(error);
        }
        if size == 0 {
            return Ok(EMPTY);
        }
        if align > SMALLEST_PAGE {
            return Err(error);
        }
        let start = self.claim(size, align)?;
        // SAFETY: claimed just now, in whole words, and everybody accesses the bytes as
        // `atomic_u64_at` does: see `claim`.
        unsafe { words::zero(start, size) };
        Ok(self.address_of(start, size))
    }

    /// Allocates `size` bytes at a multiple of 8, with their content in the file: for blocks that
    /// are written anyway, and for large ones that are used bit by bit.
    ///
    /// The content may come from blocks before a reset or a power loss. Readers that must not see
    /// it must not read the part of the block that is not written yet.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`] and [`AllocError::Full`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{Address, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("uninit-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // Room for many records, claimed at once and filled one by one.
    /// let chunk = arena.allocate_address_uninit(4096)?;
    /// let record = Address::new(chunk.offset(), 6).unwrap();
    /// arena.write_from(record, b"record")?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn allocate_address_uninit(&self, size: usize) -> Result<Address, AllocError> {
        if size == 0 {
            return Ok(EMPTY);
        }
        let start = self.claim(size, WORD)?;
        Ok(self.address_of(start, size))
    }

    /// Allocates several blocks of zeroed bytes side by side, or none of them.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`] and [`AllocError::Full`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("array-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let [node, value] = arena.allocate_address_array([24, 100])?;
    /// assert_eq!(value.offset(), node.offset() + 24);
    /// // None of them, if there is no room for all.
    /// assert!(arena.allocate_address_array([8, 65_536]).is_err());
    /// assert_eq!(arena.used(), 24 + 104);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allocate_address_array<const N: usize>(&self, sizes: [usize; N]) -> Result<[Address; N], AllocError> {
        let mut total = 0_usize;
        for size in sizes {
            if size > ARENA_MAX_ALLOC_SIZE {
                return Err(AllocError::TooLarge { requested: size });
            }
            // A saturated sum is more than any arena has left.
            total = total.saturating_add(size.next_multiple_of(WORD));
        }
        if total > self.remaining() {
            return Err(AllocError::Full { requested: total, remaining: self.remaining() });
        }
        let whole = self.allocate_address(total)?;
        let mut offset = whole.offset() as usize;
        Ok(sizes.map(|size| {
            let start = offset;
            offset += size.next_multiple_of(WORD);
            // The whole lies in the region, and so does each part.
            Address::new(start as u32, size as u32).unwrap_or(whole)
        }))
    }

    /// Allocates a block with a copy of `bytes` in it. It does the same as
    /// [`allocate_address`](Self::allocate_address) and [`write_from`](Self::write_from), without
    /// writing zeros first.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`] and [`AllocError::Full`].
    #[inline]
    pub fn allocate_copy(&self, bytes: &[u8]) -> Result<Address, AllocError> {
        if bytes.is_empty() {
            return Ok(EMPTY);
        }
        let start = self.claim(bytes.len(), WORD)?;
        let whole_words = bytes.len() & !(WORD - 1);
        // SAFETY: the claim has the whole words of the bytes, rounded up.
        let last = unsafe { start.add(whole_words) };
        // SAFETY: as in `allocate_address_aligned`. Only zeros go behind the last byte.
        unsafe { words::zero(last, bytes.len() - whole_words) };
        // SAFETY: as above.
        unsafe { words::copy_in(start, bytes) };
        Ok(self.address_of(start, bytes.len()))
    }

    /// Claims `size` bytes, more than 0, rounded up to words, at a multiple of `align` and of a
    /// word, as all claims of the core. This process accesses them only by 64-bit atomics of
    /// aligned words, unless a caller of an unsafe method promised that its accesses race with
    /// none.
    #[inline]
    fn claim(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        let layout = Layout::from_size_align(size, align);
        let layout = layout.map_err(|_| match size {
            // On 32-bit targets, no layout has the largest allocation size.
            0..=ARENA_MAX_ALLOC_SIZE => AllocError::Full { requested: size, remaining: self.remaining() },
            _ => AllocError::TooLarge { requested: size },
        })?;
        Ok(self.core.allocate_layout(layout)?.cast())
    }

    /// Returns the address of a block that was claimed just now.
    #[inline]
    fn address_of(&self, start: NonNull<u8>, size: usize) -> Address {
        let base = self.core.memory().region().cast::<u8>().addr().get();
        let address = Address::new((start.addr().get() - base) as u32, size as u32);
        debug_assert!(address.is_some(), "{size} bytes at {start:?}");
        address.unwrap_or(EMPTY)
    }
}

/// The address of no bytes.
const EMPTY: Address = match Address::new(ARENA_MIN_ADDRESS, 0) {
    Some(address) => address,
    None => unreachable!(),
};
