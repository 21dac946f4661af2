//! The arena that several processes share.

use std::alloc::Layout;
use std::fmt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, Address, AllocError, Memory, Stats};

use super::builder::{Durability, MappedBuilder};
use super::error::MapError;
use super::memory::MappedMemory;
use super::view::MappedView;
use super::words::{self, WORD};

/// An arena in a file: the same for every process that has the file mapped, and still there after a restart.
///
/// What it hands out are [`Address`]es, which mean the same in every process. Bytes behind them are read and written by copies
/// ([`read_into`](Self::read_into), [`write_from`](Self::write_from)) and atomics ([`atomic_u64_at`](Self::atomic_u64_at)): all that is safe here is checked
/// and atomic, so that a peer which writes at the same time, or wrongly, can spoil bytes but cause no undefined behaviour.
/// References, as the other arenas give them, are there for those who can promise that nobody writes: see [`plain`](Self::plain).
///
/// There is no lock: a process that is killed leaves at most the block it was about to publish.
///
/// # Root slots
///
/// Four slots in the header name what the file is about. An address is found by another process, or after a restart, through a root or through
/// bytes that a root leads to.
///
/// # Forks
///
/// A child inherits the mapping; arena, addresses and locks go on working in both.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::MappedArena;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("arena");
///
/// // SAFETY: the file is new, and whoever opens it uses this type.
/// let arena = unsafe { MappedArena::open_or_create(&path, 1 << 20) }?;
/// let greeting = arena.allocate_copy(b"hello")?;
/// arena.publish_root(0, greeting)?;
///
/// // Another process, or this one after a restart.
/// // SAFETY: as above.
/// let again = unsafe { MappedArena::open(&path) }?;
/// let found = again.root(0).unwrap();
/// let mut text = [0; 5];
/// again.read_into(found, &mut text)?;
/// assert_eq!(&text, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MappedArena {
    pub(super) core: marena_core::Arena<MappedMemory>,
    pub(super) durability: Durability,
    /// Whether a flush has failed: the system may since take the pages for written, so later flushes would prove nothing.
    pub(super) undurable: AtomicBool,
}

/// Making and opening. [`builder`](Self::builder) has more settings.
impl MappedArena {
    /// An arena with more to say about than its capacity.
    pub fn builder() -> MappedBuilder {
        MappedBuilder::default()
    }

    /// Makes the file at `path`, which must not exist, with an empty arena of `capacity` bytes in it, rounded up to a multiple of
    /// [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE).
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::create`].
    ///
    /// # Safety
    ///
    /// As long as the result lives, in this and in every other process:
    ///
    /// - Nobody makes the file shorter. An access to what is cut off ends the process (`SIGBUS`), whoever makes it; so does one to bytes that the disk
    ///   fails to deliver, and no caller can rule that out. The arena itself never changes a file's length, and
    ///   makes new files only under their own names.
    /// - The file's bytes are written only through this type, or in the same way: as marena's layout (`LAYOUT.md` of `marena-core`) describes.
    ///   A peer that breaks this may spoil what is in the arena, and how much of it is left; addresses stay in range all the same.
    pub unsafe fn create(path: impl AsRef<Path>, capacity: usize) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().capacity(capacity).create(path) }
    }

    /// The arena in the file at `path`. Takes the same time whatever its size, and reads its first page only.
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::open`].
    ///
    /// # Safety
    ///
    /// As for [`create`](Self::create).
    pub unsafe fn open(path: impl AsRef<Path>) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().open(path) }
    }

    /// The arena of `capacity` bytes in the file at `path`, which is made if it is not there. Processes that do this at once get the same one.
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::open_or_create`].
    ///
    /// # Safety
    ///
    /// As for [`create`](Self::create).
    pub unsafe fn open_or_create(path: impl AsRef<Path>, capacity: usize) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().capacity(capacity).open_or_create(path) }
    }

    /// The arena in the file at `path`, to read only: permission to write the file is not needed.
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::open_read_only`].
    ///
    /// # Safety
    ///
    /// As for [`create`](Self::create).
    pub unsafe fn open_read_only(path: impl AsRef<Path>) -> Result<MappedView, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().open_read_only(path) }
    }

    pub(super) fn new(core: marena_core::Arena<MappedMemory>, durability: Durability) -> Self {
        Self { core, durability, undurable: AtomicBool::new(false) }
    }
}

/// Figures, as [`marena_core::Arena`] has them.
impl MappedArena {
    /// Bytes of the whole file.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.core.capacity()
    }

    /// Bytes handed out, to all processes; a snapshot.
    #[must_use]
    #[inline]
    pub fn used(&self) -> usize {
        self.core.used()
    }

    /// Bytes left; a snapshot.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.core.remaining()
    }

    /// All figures at once.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }
}

/// Allocating: addresses of blocks that are this caller's until it tells others.
impl MappedArena {
    /// `size` zeroed bytes at a multiple of 8.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`] and [`AllocError::Full`].
    #[inline]
    pub fn allocate_address(&self, size: usize) -> Result<Address, AllocError> {
        self.allocate_address_aligned(size, WORD)
    }

    /// As [`allocate_address`](Self::allocate_address), at a multiple of `align`: a power of two, at most 4,096, since other processes have the file at
    /// other addresses.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`], [`AllocError::Full`] and [`AllocError::Alignment`].
    #[inline]
    pub fn allocate_address_aligned(&self, size: usize, align: usize) -> Result<Address, AllocError> {
        let start = self.claim(size, align)?;
        // SAFETY: just claimed, in whole words, and nobody accesses the bytes otherwise than `atomic_u64_at` does: see `claim`.
        unsafe { words::zero(start, size) };
        Ok(self.address_of(start, size))
    }

    /// Several blocks of zeroed bytes, or none of them.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`] and [`AllocError::Full`].
    pub fn allocate_addresses<const N: usize>(&self, sizes: [usize; N]) -> Result<[Address; N], AllocError> {
        let mut total = 0_usize;
        for size in sizes {
            if size > ARENA_MAX_ALLOC_SIZE {
                return Err(AllocError::TooLarge { requested: size });
            }
            // Saturated, a sum is more than any arena has left.
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
            // The whole lies in the region, so each part does.
            Address::new(start as u32, size as u32).unwrap_or(whole)
        }))
    }

    /// A block with a copy of `bytes` in it: what [`allocate_address`](Self::allocate_address) and [`write_from`](Self::write_from) do, without writing zeros first.
    ///
    /// # Errors
    ///
    /// [`AllocError::TooLarge`] and [`AllocError::Full`].
    #[inline]
    pub fn allocate_copy(&self, bytes: &[u8]) -> Result<Address, AllocError> {
        let start = self.claim(bytes.len(), WORD)?;
        let whole_words = bytes.len() & !(WORD - 1);
        // SAFETY: the claim has whole words, as many as the bytes take, rounded up.
        let last = unsafe { start.add(whole_words) };
        // SAFETY: as in `allocate_address_aligned`; nothing but zeros behind the last byte.
        unsafe { words::zero(last, bytes.len() - whole_words) };
        // SAFETY: as above.
        unsafe { words::copy_in(start, bytes) };
        Ok(self.address_of(start, bytes.len()))
    }

    /// Claims `size` bytes, rounded up to words. This process accesses them by 64-bit atomics of aligned words only, unless a caller of an unsafe method has
    /// promised that its accesses race with none.
    #[inline]
    fn claim(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        let supported = MappedMemory::REMAP_ALIGN.unwrap_or(1);
        if !align.is_power_of_two() || align > supported {
            return Err(AllocError::Alignment { requested: align, supported });
        }
        let layout = Layout::from_size_align(size, align.max(WORD));
        let layout = layout.map_err(|_| match size {
            // On 32-bit targets no layout has the largest size that there is.
            0..=ARENA_MAX_ALLOC_SIZE => AllocError::Full { requested: size, remaining: self.remaining() },
            _ => AllocError::TooLarge { requested: size },
        })?;
        Ok(self.core.allocate_layout(layout)?.cast())
    }

    /// The address of a block just claimed; a block of no bytes lies anywhere.
    #[inline]
    fn address_of(&self, start: NonNull<u8>, size: usize) -> Address {
        let base = self.core.memory().region().cast::<u8>().addr().get();
        let offset = if size == 0 { ARENA_MIN_ADDRESS as usize } else { start.addr().get() - base };
        let address = Address::new(offset as u32, size as u32);
        debug_assert!(address.is_some(), "{size} bytes at {offset}");
        address.unwrap_or(EMPTY)
    }
}

/// The address of no bytes.
const EMPTY: Address = match Address::new(ARENA_MIN_ADDRESS, 0) {
    Some(address) => address,
    None => unreachable!(),
};

/// The other door.
impl MappedArena {
    /// The core's arena over this file: blocks, values, handles, leases, allocation without zeroing.
    ///
    /// # Safety
    ///
    /// As long as anything from the result is used:
    ///
    /// - Every process that has the file mapped keeps to the protocol. One that moves the cursor back makes blocks overlap, and the references
    ///   that blocks are make that undefined behaviour.
    /// - After a fork, what this process held of it (blocks, leases, values) is used and dropped by the parent or by the child, not by both.
    /// - Nobody, in this process or another, accesses the bytes of a block, value, handle or view by this type's copies and atomics, but to read
    ///   bytes that nobody writes any more.
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// # use marena_std::MappedArena;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("arena");
    /// # // SAFETY: the file is new, and nobody else knows it.
    /// # let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: this process is alone with the file, and the block's address goes nowhere before it is written.
    /// let mut block = unsafe { arena.plain() }.allocate(5)?;
    /// block.copy_from_slice(b"hello");
    /// arena.publish_root(0, block.publish().address())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub unsafe fn plain(&self) -> &marena_core::Arena<MappedMemory> {
        &self.core
    }

    /// Takes everything back: the arena is empty, its root slots too.
    ///
    /// # Safety
    ///
    /// - No other call on this file runs meanwhile, in any process.
    /// - Nobody uses addresses, references or handles from before afterwards. They are not detected.
    pub unsafe fn reset_shared(&self) {
        for slot in 0..super::ROOTS {
            if let Some(root) = self.slot(slot) {
                // ORDERING: Relaxed: nobody calls meanwhile, by the caller's promise.
                root.store(0, Relaxed);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.core.reset_shared() };
    }
}

impl fmt::Debug for MappedArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedArena")
            .field("core", &self.core)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
