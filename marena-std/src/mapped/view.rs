//! A mapped file, and how arenas and views read it.

use std::fmt;
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{Address, AttachError, Stats};
use memmap2::{MmapOptions, MmapRaw};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::access_error::AccessError;
use super::acquired::acquired;
use super::bounds::{checked, checked_aligned};
use super::header::{FileHeader, HEADER_SIZE, HeaderCopy, ROOTS, ROOTS_END};
use super::words::{self, WORD};

/// The distance between bytes that are touched. No system has smaller pages.
const SMALLEST_PAGE: usize = 4096;

/// A read-only view of an arena in a file:
/// [`MappedArena::open_read_only`](super::MappedArena::open_read_only).
///
/// It sees what other processes write as they write it, and cannot change anything. A
/// [`MappedArena`](super::MappedArena) derefs to its view, so both read by the same methods.
///
/// # Order
///
/// Copies ([`read_into`](Self::read_into), [`read_value`](Self::read_value)) do not order the bytes
/// that another process writes. Call [`root`](Self::root) or [`load_u64`](Self::load_u64) before
/// the copy: everything that the writer wrote before its release of that root or word is then
/// visible.
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
    /// INVARIANT: all of `mapping`, which is readable as long as the value exists, and writable if
    /// it was mapped so. The pointer is raw, so that there is never a reference to bytes that
    /// others write.
    region: NonNull<[u8]>,
    mapping: MmapRaw,
    #[cfg(not(target_pointer_width = "64"))]
    writable: bool,
    /// Keeps the lock, which is dropped with the last copy of this descriptor.
    file: File,
}

impl MappedView {
    /// Maps all `len` bytes of a file that is locked and open for reading, and for writing if
    /// `writable`.
    pub(super) fn map(file: File, len: usize, writable: bool) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(len);
        let mapping = if writable { options.map_raw(&file)? } else { options.map_raw_read_only(&file)? };
        let start = NonNull::new(mapping.as_mut_ptr()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            region: NonNull::slice_from_raw_parts(start, len),
            mapping,
            #[cfg(not(target_pointer_width = "64"))]
            writable,
            file,
        })
    }

    /// Checks whether the file holds an arena. The caller does this before it reads anything else.
    pub(super) fn validate(&self) -> Result<(), AttachError> {
        self.header_copy().as_header().validate(self.mapping.len())
    }

    /// Makes the system read the file and set up its pages.
    pub(super) fn populate(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        match self.mapping.advise(memmap2::Advice::PopulateRead) {
            // The system is older than Linux 5.14.
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

    /// Returns a copy of the header. If the file has no room for one, its bytes are zero.
    ///
    /// It is a copy, because the header's own methods use stronger loads than memory without write
    /// permission allows. Each word is loaded with the width that writers use.
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
        let (first, rest) = bytes.split_at_mut(ROOTS_END);
        // ORDERING: Acquire pairs with the Release that ends the header's formatting, and with
        // those of `MappedArena::publish_root`: the cursor read next covers what the roots name.
        acquired(|| {
            let (start, roots) = first.split_at_mut(FileHeader::ROOTS_OFFSET);
            words(start, 0);
            for (slot, root) in roots.as_chunks_mut().0.iter_mut().enumerate() {
                *root = self.load_root(slot).to_ne_bytes();
            }
        });
        words(rest, ROOTS_END);
        copy
    }

    /// Returns the content of a root slot. The caller passes a slot that exists.
    #[inline]
    fn load_root(&self, slot: usize) -> u64 {
        self.load_word(self.at(FileHeader::ROOTS_OFFSET + slot * WORD).cast())
    }

    /// Loads a 32-bit word of the region. The caller passes a multiple of 4 that lies in it.
    #[inline]
    fn load_u32(&self, offset: usize) -> u32 {
        debug_assert!(offset.is_multiple_of(size_of::<u32>()), "{offset}");
        // SAFETY: the word is aligned, and readable as long as `self`. Writers use atomics of this
        // size here, or other mappings of the file.
        let word = unsafe { AtomicU32::from_ptr(self.at(offset).cast().as_ptr()) };
        // ORDERING: Relaxed: memory that cannot be written guarantees no stronger loads.
        word.load(Relaxed)
    }

    /// Loads a 64-bit word. The caller passes one that overlaps the region, at a multiple of 8.
    #[inline]
    fn load_word(&self, word: NonNull<u64>) -> u64 {
        #[cfg(not(target_pointer_width = "64"))]
        if !self.writable {
            let offset = word.addr().get() - self.region.addr().get();
            return words::join_halves(|half| self.load_u32(offset + size_of::<u32>() * half));
        }
        // SAFETY: the word is aligned, and readable as long as `self`, because the region lies in
        // whole pages. The width is a pointer's, or the memory can be written.
        let word = unsafe { words::atomic(word) };
        // ORDERING: Relaxed: `acquired` orders it where the caller needs that.
        word.load(Relaxed)
    }

    /// Returns the pointer to an offset of the region. The caller passes one that lies in it, or
    /// its end.
    #[inline]
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.mapping.len(), "{offset} of {}", self.mapping.len());
        // SAFETY: within the mapping, or at its end.
        unsafe { self.region.cast::<u8>().add(offset) }
    }
}

/// The state of the arena.
impl MappedView {
    /// Returns the size of the whole file in bytes, including its 128-byte header.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.mapping.len() & !(WORD - 1)
    }

    /// Returns where the file is mapped, for code that has its own way to access bytes that others
    /// may write.
    ///
    /// As long as the value exists, an access is sound if it is atomic, if no access of another
    /// size races with it (this value accesses aligned 64-bit words), and if it does not write to a
    /// file that was opened read-only.
    #[must_use]
    #[inline]
    pub fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    /// Returns how many bytes were handed out to all processes: a snapshot.
    #[must_use]
    #[inline]
    pub fn used(&self) -> usize {
        let cursor = self.load_u32(FileHeader::CURSOR_OFFSET) as usize;
        // A damaged cursor reads as full.
        cursor.min(self.capacity() - HEADER_SIZE)
    }

    /// Returns how many bytes are left: a snapshot.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.capacity() - HEADER_SIZE - self.used()
    }

    /// Returns all statistics at once.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.header_copy().as_header().stats(self.mapping.len())
    }

    /// Returns what a root slot (0 to 3) names: the address that any process published there last,
    /// before or after a restart. Returns `None` if there is no address or a damaged one.
    ///
    /// Everything that its writer wrote before it published the address is visible after this.
    ///
    /// A view on a system with 32-bit pointers reads a slot in halves. If the slot goes back to a
    /// block that it named before, the address's size may be misread there.
    #[must_use]
    #[inline]
    pub fn root(&self, slot: usize) -> Option<Address> {
        if slot >= ROOTS {
            return None;
        }
        // ORDERING: Acquire pairs with the Release of `MappedArena::publish_root`.
        let found = Address::from_raw(acquired(|| self.load_root(slot)))?;
        checked(found, 0, self.used()).is_ok().then_some(found)
    }
}

/// Reading bytes that others may write at the same time: words are copied atomically, so an aligned
/// `u64` is never torn.
impl MappedView {
    /// Copies the first bytes of an address into `into`, as many as it takes.
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

    /// Returns a copy of the value at an address. Any bytes are a valid value of its type.
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

    /// Returns the number in the first 8 bytes of an address, by an
    /// [`Acquire`](std::sync::atomic::Ordering::Acquire) load: everything that its writer wrote
    /// before a [`Release`](std::sync::atomic::Ordering::Release) store of it is then visible.
    ///
    /// A view on a system with 32-bit pointers reads the number in halves. It may misread it if the
    /// upper half changes and changes back meanwhile.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    #[inline]
    pub fn load_u64(&self, address: Address) -> Result<u64, AccessError> {
        let offset = checked_aligned(address, WORD, WORD, self.used())?;
        // ORDERING: Acquire pairs with the writer's Release.
        Ok(acquired(|| self.load_word(self.at(offset).cast())))
    }
}

/// Reading bytes without a copy. This is unsafe, because a reference promises the compiler that
/// nobody changes them, and others can.
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
    /// - Earlier writes happen before this call: an
    ///   [`Acquire`](std::sync::atomic::Ordering::Acquire) load of a link, or
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
        // SAFETY: the bytes lie in the region, and are initialised as all bytes of a file are. By
        // the caller's promise, nobody writes them.
        Ok(unsafe { slice::from_raw_parts(bytes.as_ptr(), len) })
    }

    /// Returns the value at an address, in place. Any bytes are a valid value of its type.
    ///
    /// # Errors
    ///
    /// [`AccessError::Unused`], [`AccessError::Size`] and [`AccessError::Misaligned`].
    ///
    /// # Safety
    ///
    /// - The same as for [`bytes_at`](Self::bytes_at).
    #[inline]
    pub unsafe fn value_at<T: FromBytes + Immutable>(&self, address: Address) -> Result<&T, AccessError> {
        let value = self.at(checked(address, size_of::<T>(), self.used())?).cast::<T>();
        // This checks the pointer and not the offset, because a type may have a larger alignment
        // than mappings.
        if !value.is_aligned() {
            return Err(AccessError::Misaligned { address, required: align_of::<T>() });
        }
        // SAFETY: the bytes lie in the region and are aligned, and any bytes are a `T`. By the
        // caller's promise, nobody writes them.
        Ok(unsafe { value.as_ref() })
    }
}

// SAFETY: the value owns the mapping, which is valid from any thread.
unsafe impl Send for MappedView {}
// SAFETY: a shared reference reads, gives raw pointers, and flushes. Any thread may do all of this.
unsafe impl Sync for MappedView {}

impl fmt::Debug for MappedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedView")
            .field("capacity", &self.capacity())
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}
