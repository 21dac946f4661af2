//! A mapped file and how it is read: by everyone who has an arena or a view of it.

use std::fmt;
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, fence};

use marena_core::{Address, AttachError, Stats};
use memmap2::{MmapOptions, MmapRaw};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::access_error::AccessError;
use super::bounds::{checked, checked_aligned};
use super::header::{FileHeader, HEADER_SIZE, HeaderCopy, ROOTS, ROOTS_END};
use super::words::{self, WORD};

/// How far apart bytes are touched: no system has smaller pages.
const SMALLEST_PAGE: usize = 4096;

/// An arena in a file, for reading:
/// [`MappedArena::open_read_only`](super::MappedArena::open_read_only).
///
/// Sees what other processes write as they write it, and can change nothing. A
/// [`MappedArena`](super::MappedArena) derefs to its view, so both read by the same methods.
///
/// # Order
///
/// Copies ([`read_into`](Self::read_into), [`read_value`](Self::read_value)) say nothing about the
/// order in which bytes of another process arrive. What orders them is [`root`](Self::root) or
/// [`load_u64`](Self::load_u64) before the copy: all that the writer wrote before its release of
/// that root or word is visible then.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::MappedArena;
///
/// let path = std::env::temp_dir().join(format!("mapped-view-{}.arena", std::process::id()));
/// // SAFETY: the file is new, and all who open it use this type.
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
    /// INVARIANT: all of `mapping`, readable as long as the value lives; writable too if
    /// `writable`. Raw, so that no reference to bytes that others write is ever made.
    region: NonNull<[u8]>,
    mapping: MmapRaw,
    writable: bool,
    /// Keeps the lock, which goes with the last copy of this descriptor.
    file: File,
}

impl MappedView {
    /// Maps all `len` bytes of a file that is open for reading, and if `writable` for writing, and
    /// locked.
    pub(super) fn map(file: File, len: usize, writable: bool) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(len);
        let mapping = if writable { options.map_raw(&file)? } else { options.map_raw_read_only(&file)? };
        let start = NonNull::new(mapping.as_mut_ptr()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { region: NonNull::slice_from_raw_parts(start, len), mapping, writable, file })
    }

    /// Tells whether the file holds an arena. Asked before anything else is read.
    pub(super) fn validate(&self) -> Result<(), AttachError> {
        self.header_copy().as_header().validate(self.mapping.len())
    }

    /// Has the system read the file and set up its pages.
    pub(super) fn populate(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        match self.mapping.advise(memmap2::Advice::PopulateRead) {
            // Older than Linux 5.14.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            outcome => return outcome,
        }
        for page in (0..self.mapping.len()).step_by(SMALLEST_PAGE) {
            self.load_u32(page);
        }
        Ok(())
    }

    /// Writes a range of the region to the disk. The caller keeps it within the region.
    pub(super) fn flush(&self, start: usize, len: usize) -> io::Result<()> {
        super::interrupted::repeat(|| self.mapping.flush_range(start, len))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The header's bytes. If the file has no room for one, they are zero.
    ///
    /// A copy, because the header's own methods use stricter loads than memory without write
    /// permission takes. Each word is loaded with the width that writers use.
    fn header_copy(&self) -> HeaderCopy {
        let mut copy = HeaderCopy::zero();
        if self.mapping.len() < HEADER_SIZE {
            return copy;
        }
        let bytes = copy.bytes_mut();
        let words = |bytes: &mut [u8], start| {
            for (index, word) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
                *word = self.load_u32(start + size_of::<u32>() * index).to_ne_bytes();
            }
        };
        words(&mut bytes[..FileHeader::ROOTS_OFFSET], 0);
        for (slot, root) in bytes[FileHeader::ROOTS_OFFSET..ROOTS_END].as_chunks_mut().0.iter_mut().enumerate() {
            *root = self.load_root(slot).to_ne_bytes();
        }
        // ORDERING: with the relaxed loads before it, the fence pairs with the Release that ends
        // the header's formatting, and with those of `MappedArena::publish_root`: the cursor read
        // next covers what the roots name.
        fence(Acquire);
        words(&mut bytes[ROOTS_END..], ROOTS_END);
        copy
    }

    /// What stands in a root slot. The caller passes one that exists.
    #[inline]
    fn load_root(&self, slot: usize) -> u64 {
        self.load_word(self.at(FileHeader::ROOTS_OFFSET + slot * WORD).cast())
    }

    /// One 32-bit word of the region. The caller passes a multiple of 4 that lies in it.
    #[inline]
    fn load_u32(&self, offset: usize) -> u32 {
        // SAFETY: aligned, and readable as long as `self`. Writers use atomics of this size here,
        // or have the file mapped elsewhere.
        let word = unsafe { AtomicU32::from_ptr(self.at(offset).cast().as_ptr()) };
        // ORDERING: Relaxed: all that memory which cannot be written is promised to take.
        word.load(Relaxed)
    }

    /// One 64-bit word. The caller passes one that overlaps the region, at a multiple of 8.
    #[inline]
    fn load_word(&self, word: NonNull<u64>) -> u64 {
        if cfg!(target_pointer_width = "64") || self.writable {
            // SAFETY: aligned, and readable as long as `self`: the region is part of whole pages.
            // The width is a pointer's, or the memory can be written.
            let word = unsafe { words::atomic(word) };
            // ORDERING: Relaxed: what orders it is a fence of the caller's.
            return word.load(Relaxed);
        }
        let offset = word.addr().get() - self.region.addr().get();
        let (upper, lower) = if cfg!(target_endian = "little") { (offset + 4, offset) } else { (offset, offset + 4) };
        // Between two equal looks at the upper half, which is where a block lies, the lower half
        // belonged to it: no two blocks begin at one place.
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

    /// The pointer to an offset of the region. The caller passes one that lies in it, or its end.
    #[inline]
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.mapping.len(), "{offset} of {}", self.mapping.len());
        // SAFETY: within the mapping, or at its end.
        unsafe { self.region.cast::<u8>().add(offset) }
    }
}

/// What the arena has.
impl MappedView {
    /// Returns the bytes of the whole file, its 128-byte header included.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.mapping.len() & !(WORD - 1)
    }

    /// Returns where the file is mapped, for code that has its own way to access bytes which others
    /// may write.
    ///
    /// An access is sound as long as the value lives if it is atomic, if no access of another size
    /// races with it (this value's own are of aligned 64-bit words), and if it does not write where
    /// the file was opened to read only.
    #[must_use]
    #[inline]
    pub fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    /// Returns the bytes handed out, to all processes; a snapshot.
    #[must_use]
    #[inline]
    pub fn used(&self) -> usize {
        let cursor = self.load_u32(FileHeader::CURSOR_OFFSET) as usize;
        // A damaged cursor reads as full.
        cursor.min(self.capacity() - HEADER_SIZE)
    }

    /// Returns the bytes left; a snapshot.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.capacity() - HEADER_SIZE - self.used()
    }

    /// Returns all statistics at once.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.header_copy().as_header().stats(self.mapping.len())
    }

    /// Returns what a root slot (0 to 3) names: the address last published there, by any process,
    /// before or after a restart. `None` if there is none, or a damaged one.
    ///
    /// Whatever its writer wrote before publishing it is visible after this.
    ///
    /// A view on a system with 32-bit pointers reads a slot in halves. If the slot goes back to a
    /// block that it named before, the address's size may be misread there.
    #[must_use]
    #[inline]
    pub fn root(&self, slot: usize) -> Option<Address> {
        if slot >= ROOTS {
            return None;
        }
        let raw = self.load_root(slot);
        // ORDERING: with the relaxed load before it, the fence pairs with the Release of
        // `MappedArena::publish_root`.
        fence(Acquire);
        let found = Address::from_raw(raw)?;
        checked(found, 0, self.used()).is_ok().then_some(found)
    }
}

/// Bytes that others may write at the same time: copied by words, each atomically, and never torn
/// within an aligned `u64`.
impl MappedView {
    /// Copies the first bytes of an address out, as many as `into` takes.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    #[inline]
    pub fn read_into(&self, address: Address, into: &mut [u8]) -> Result<(), AccessError> {
        let source = self.at(checked(address, into.len(), self.used())?);
        // SAFETY: `load_word` takes any word that overlaps the region.
        unsafe { words::copy_out(source, into, |word| self.load_word(word)) };
        Ok(())
    }

    /// Returns a copy of the value at an address, of a type that any bytes are a value of.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`] and [`AccessError::Size`].
    #[inline]
    pub fn read_value<T: FromBytes + IntoBytes>(&self, address: Address) -> Result<T, AccessError> {
        let mut value = T::new_zeroed();
        self.read_into(address, value.as_mut_bytes())?;
        Ok(value)
    }

    /// Returns the number in the first 8 bytes of an address, as an [`Acquire`] load: what its
    /// writer wrote before a [`Release`](std::sync::atomic::Ordering::Release) of it is visible
    /// afterwards.
    ///
    /// A view on a system with 32-bit pointers reads the number in halves, and may misread it while
    /// its upper half goes back to what it was.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    #[inline]
    pub fn load_u64(&self, address: Address) -> Result<u64, AccessError> {
        let offset = checked_aligned(address, WORD, WORD, self.used())?;
        let value = self.load_word(self.at(offset).cast());
        // ORDERING: with the relaxed load before it, the fence pairs with the writer's Release.
        fence(Acquire);
        Ok(value)
    }
}

/// Bytes without a copy. Unsafe, because a reference promises the compiler that nobody changes
/// them, and others can.
impl MappedView {
    /// Returns the bytes of an address, in place.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`].
    ///
    /// # Safety
    ///
    /// - While the result is used, nobody writes the bytes, in any process: they were published and
    ///   are never written again.
    /// - What was written before happens before this call: an [`Acquire`] load of a link, or
    ///   [`root`](Self::root), led to the address.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("bytes-at-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
    /// let text = arena.root(0).unwrap();
    /// // SAFETY: the root led here, and the text is never written again.
    /// assert_eq!(unsafe { arena.bytes_at(text) }?, b"hello");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub unsafe fn bytes_at(&self, address: Address) -> Result<&[u8], AccessError> {
        let len = address.size() as usize;
        let bytes = self.at(checked(address, len, self.used())?);
        // SAFETY: in the region, initialised as all bytes of a file are, and not written by the
        // caller's promise.
        Ok(unsafe { slice::from_raw_parts(bytes.as_ptr(), len) })
    }

    /// Returns the value at an address, in place, of a type that any bytes are a value of.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    ///
    /// # Safety
    ///
    /// As for [`bytes_at`](Self::bytes_at).
    #[inline]
    pub unsafe fn value_at<T: FromBytes + Immutable>(&self, address: Address) -> Result<&T, AccessError> {
        let value = self.at(checked(address, size_of::<T>(), self.used())?).cast::<T>();
        // The pointer and not the offset: a type may be aligned to more than mappings are.
        if !value.is_aligned() {
            return Err(AccessError::Misaligned { address, required: align_of::<T>() });
        }
        // SAFETY: in the region, aligned, not written by the caller's promise, and any bytes are a
        // `T`.
        Ok(unsafe { value.as_ref() })
    }
}

// SAFETY: the value owns the mapping, which is valid from any thread.
unsafe impl Send for MappedView {}
// SAFETY: a shared reference reads, gives raw pointers, and flushes, all of which is for any
// thread.
unsafe impl Sync for MappedView {}

impl fmt::Debug for MappedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedView")
            .field("capacity", &self.capacity())
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}
