//! An arena that is looked at and not changed.

use std::fmt;
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, fence};

use marena_core::{ARENA_MIN_ADDRESS, Address, AttachError, Header, Stats};
use memmap2::MmapRaw;
use static_assertions::const_assert;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::access::{aligned, checked, checked_aligned};
use super::error::AccessError;
use super::memory::options;
use super::words::{self, WORD};

type FileHeader = Header<portable_atomic::AtomicU32>;

const HEADER_SIZE: usize = ARENA_MIN_ADDRESS as usize;

/// The bytes of a header, taken out of memory that the arena's own check could not read.
#[repr(C, align(128))]
struct HeaderCopy([u8; HEADER_SIZE]);

// A copy is read as a header.
const_assert!(size_of::<HeaderCopy>() == size_of::<FileHeader>());
const_assert!(align_of::<HeaderCopy>() >= align_of::<FileHeader>());
// Roots are loaded as words, the cursor as half of one.
const_assert!(FileHeader::ROOTS_OFFSET.is_multiple_of(WORD));
const_assert!(FileHeader::ROOTS_OFFSET + super::ROOTS * WORD <= HEADER_SIZE);
const_assert!(FileHeader::CURSOR_OFFSET.is_multiple_of(4) && FileHeader::CURSOR_OFFSET < HEADER_SIZE);

/// An arena whose file is mapped for reading: [`MappedArena::open_read_only`](super::MappedArena::open_read_only).
///
/// Sees what other processes write, as they write it, and can change nothing. What it reads, it reads by relaxed loads that are no wider than a
/// pointer, which is all that memory without write permission is promised to take.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::MappedArena;
///
/// let path = std::env::temp_dir().join(format!("mapped-view-{}.arena", std::process::id()));
/// // SAFETY: the file is new, and whoever opens it uses this type.
/// let arena = unsafe { MappedArena::create(&path, 1 << 20) }?;
/// // SAFETY: everyone who writes the file does so through `MappedArena`.
/// let view = unsafe { MappedArena::open_read_only(&path) }?;
/// assert_eq!(view.root(0), None);
///
/// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
/// let mut text = [0; 5];
/// view.read_into(view.root(0).unwrap(), &mut text)?;
/// assert_eq!(&text, b"hello");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MappedView {
    /// INVARIANT: all of `mapping`, readable as long as the value lives.
    start: NonNull<u8>,
    mapping: MmapRaw,
    /// Keeps the lock.
    _file: File,
}

impl MappedView {
    /// Maps all `len` bytes of a file that is open for reading, and locked.
    pub(super) fn map(file: File, len: usize, populate: bool) -> io::Result<Self> {
        let mapping = options(len, populate).map_raw_read_only(&file)?;
        let start = NonNull::new(mapping.as_mut_ptr()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { start, mapping, _file: file })
    }

    /// Whether the file holds an arena. Asked before anything else.
    pub(super) fn validate(&self) -> Result<(), AttachError> {
        self.with_header(|header| header.validate(self.mapping.len()))
    }

    /// Calls with a copy of the header: what asks the header itself uses wider and stricter loads than are allowed here. If the file has no room for
    /// a header, the copy is zero.
    fn with_header<R>(&self, ask: impl FnOnce(&FileHeader) -> R) -> R {
        let mut copy = HeaderCopy([0; HEADER_SIZE]);
        if self.mapping.len() >= HEADER_SIZE {
            let (roots, counters) = copy.0.split_at_mut(FileHeader::CURSOR_OFFSET);
            // SAFETY: the mapping is at least as long as the header, so `load_word` takes every word of it.
            unsafe { words::copy_out(self.start, roots, |word| self.load_word(word)) };
            // ORDERING: with the relaxed loads before it, the fence pairs with the Release that ends the header's formatting, and with those of
            // `MappedArena::publish_root`: the cursor read next covers what the roots name.
            fence(Acquire);
            // SAFETY: as above.
            unsafe { words::copy_out(self.at(FileHeader::CURSOR_OFFSET), counters, |word| self.load_word(word)) };
        }
        // SAFETY: as large and as aligned as a header, which any initialised bytes are; reached only through this pointer.
        ask(unsafe { &*(&raw mut copy).cast::<FileHeader>() })
    }

    /// Bytes of the whole file.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-capacity-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// assert_eq!(view.capacity(), 65_536);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.mapping.len() & !(WORD - 1)
    }

    /// Bytes handed out; a snapshot.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-used-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// arena.allocate_address(201)?;
    /// assert_eq!(view.used(), 208);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn used(&self) -> usize {
        let cursor = self.load_u32(FileHeader::CURSOR_OFFSET) as usize;
        cursor.min(self.capacity() - ARENA_MIN_ADDRESS as usize)
    }

    /// Bytes left; a snapshot.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-remaining-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// assert_eq!(view.remaining(), arena.remaining());
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.capacity() - ARENA_MIN_ADDRESS as usize - self.used()
    }

    /// All figures at once, as [`MappedArena::stats`](super::MappedArena::stats).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-stats-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// arena.allocate_address(201)?;
    /// assert_eq!(view.stats(), arena.stats());
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.with_header(|header| header.stats(self.mapping.len()))
    }

    /// What a slot (0 to 3) names, as [`MappedArena::root`](super::MappedArena::root).
    ///
    /// On systems with 32-bit pointers a slot is read in halves; if it goes back to a block that it named before, it may be misread there.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-root-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// arena.publish_root(3, arena.allocate_copy(b"hello")?)?;
    /// assert_eq!(view.root(3), arena.root(3));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn root(&self, slot: usize) -> Option<Address> {
        if slot >= super::ROOTS {
            return None;
        }
        let raw = self.load_word(self.at(FileHeader::ROOTS_OFFSET + slot * WORD).cast());
        // ORDERING: with the relaxed load before it, the fence pairs with the Release of `MappedArena::publish_root`.
        fence(Acquire);
        let found = Address::from_raw(raw)?;
        checked(found, 0, self.used()).is_ok().then_some(found)
    }

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
    /// let path = std::env::temp_dir().join(format!("view-read-into-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// let text = arena.allocate_copy(b"hello")?;
    /// let mut bytes = [0; 5];
    /// view.read_into(text, &mut bytes)?;
    /// assert_eq!(&bytes, b"hello");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn read_into(&self, address: Address, into: &mut [u8]) -> Result<(), AccessError> {
        let source = self.at(checked(address, into.len(), self.used())?);
        // SAFETY: `load_word` takes any word that overlaps the region.
        unsafe { words::copy_out(source, into, |word| self.load_word(word)) };
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
    /// let path = std::env::temp_dir().join(format!("view-read-value-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// let point = arena.allocate_address(8)?;
    /// arena.write_value(point, &[3_u32, 4])?;
    /// assert_eq!(view.read_value::<[u32; 2]>(point)?, [3, 4]);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn read_value<T: FromBytes + IntoBytes>(&self, address: Address) -> Result<T, AccessError> {
        let mut value = T::new_zeroed();
        self.read_into(address, value.as_mut_bytes())?;
        Ok(value)
    }

    /// The number in the first 8 bytes of an address, as an [`Acquire`] load of [`MappedArena::atomic_u64_at`](super::MappedArena::atomic_u64_at) gives it:
    /// what its writer wrote before a [`Release`](std::sync::atomic::Ordering::Release) of it is visible afterwards.
    ///
    /// On systems with 32-bit pointers the number is read in halves, and may be misread while its upper half goes back to what it was.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use std::sync::atomic::Ordering::Release;
    ///
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-load-u64-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// let counter = arena.allocate_address(8)?;
    /// arena.atomic_u64_at(counter)?.store(7, Release);
    /// assert_eq!(view.load_u64(counter)?, 7);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn load_u64(&self, address: Address) -> Result<u64, AccessError> {
        let offset = checked_aligned(address, WORD, WORD, self.used())?;
        let value = self.load_word(self.at(offset).cast());
        // ORDERING: with the relaxed load before it, the fence pairs with the writer's Release.
        fence(Acquire);
        Ok(value)
    }

    /// The bytes of an address, without a copy.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`].
    ///
    /// # Safety
    ///
    /// As for [`MappedArena::view_address`](super::MappedArena::view_address).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-view-address-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
    /// // SAFETY: the root leads there, and the text is never written again.
    /// assert_eq!(unsafe { view.view_address(view.root(0).unwrap()) }?, b"hello");
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
    /// As for [`MappedArena::view_address`](super::MappedArena::view_address).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("view-view-value-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: as above.
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// let number = arena.allocate_address(8)?;
    /// arena.write_value(number, &7_u64)?;
    /// arena.publish_root(0, number)?;
    /// // SAFETY: the root leads there, and the number is never written again.
    /// assert_eq!(unsafe { view.view_value::<u64>(view.root(0).unwrap()) }?, &7);
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

    /// One 32-bit word of the region. The caller passes a multiple of 4 that lies in it.
    #[inline]
    fn load_u32(&self, offset: usize) -> u32 {
        // SAFETY: aligned, and readable as long as `self`. Writers have the file mapped elsewhere.
        let word = unsafe { AtomicU32::from_ptr(self.at(offset).cast().as_ptr()) };
        // ORDERING: Relaxed: all that memory which cannot be written is promised to take.
        word.load(Relaxed)
    }

    /// One 64-bit word. The caller passes one that overlaps the region, at a multiple of 8.
    #[inline]
    fn load_word(&self, word: NonNull<u64>) -> u64 {
        #[cfg(target_pointer_width = "64")]
        {
            // SAFETY: aligned, and readable as long as `self`: the region is part of whole pages.
            let word = unsafe { words::atomic(word) };
            // ORDERING: Relaxed, as in `load_u32`; of a pointer's width.
            word.load(Relaxed)
        }
        #[cfg(not(target_pointer_width = "64"))]
        {
            let offset = word.addr().get() - self.start.addr().get();
            let (upper, lower) =
                if cfg!(target_endian = "little") { (offset + 4, offset) } else { (offset, offset + 4) };
            // Between two equal looks at the upper half, which is where a block lies, the lower half belonged to it: no two blocks begin
            // at one place.
            loop {
                let first = self.load_u32(upper);
                // ORDERING: the fences keep the three loads in this order.
                fence(Acquire);
                let second = self.load_u32(lower);
                fence(Acquire);
                if self.load_u32(upper) == first {
                    return (u64::from(first) << 32) | u64::from(second);
                }
            }
        }
    }

    /// The pointer to an offset of the region. The caller passes one that lies in it.
    #[inline]
    fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: within the mapping, or at its end.
        unsafe { self.start.add(offset) }
    }
}

// SAFETY: the value owns the mapping, which is valid from any thread.
unsafe impl Send for MappedView {}
// SAFETY: a shared reference only reads, and whoever writes the file does so through other mappings.
unsafe impl Sync for MappedView {}

impl fmt::Debug for MappedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedView")
            .field("capacity", &self.capacity())
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}
