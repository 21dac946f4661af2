//! How the bytes of a map's region are accessed: plainly, where only this process's maps write
//! them.

use core::ptr::NonNull;
use core::slice;

use crate::damage::Damage;
use crate::space::Space;

/// A space and the way to its bytes. Offsets count from its region's start.
///
/// # Safety
///
/// - [`base`](Self::base) and [`len`](Self::len) are those of the space's region.
/// - Where the region is not [`TRUSTED`](Self::TRUSTED), its bytes are initialised, and all methods
///   access them atomically.
pub(crate) unsafe trait Region {
    type Space: Space;

    /// Whether only maps of this process write the bytes that they were handed out. Otherwise what
    /// is read is checked.
    const TRUSTED: bool;

    fn space(&self) -> &Self::Space;

    fn base(&self) -> NonNull<u8>;

    fn len(&self) -> u32;

    /// Reads a word that is written no more.
    ///
    /// # Safety
    ///
    /// `at` is a multiple of 4. The word lies in the region; in a trusted one, it was written
    /// before, in the order of this thread, and never is again.
    unsafe fn read_word(&self, at: u32) -> u32;

    /// Reads eight bytes.
    ///
    /// # Safety
    ///
    /// As for [`read_word`](Self::read_word), for both words.
    unsafe fn read_eight(&self, at: u32) -> [u8; 8];

    /// Writes a word that nobody else accesses.
    ///
    /// # Safety
    ///
    /// `at` is a multiple of 4, and the word lies in the caller's own bytes of the region.
    unsafe fn write_word(&self, at: u32, word: u32);

    /// Writes bytes, the last word's filled up with zeros.
    ///
    /// # Safety
    ///
    /// As for [`write_word`](Self::write_word), for all words.
    unsafe fn write_body(&self, at: u32, parts: [&[u8]; 2], len: u32);

    /// Shows bytes.
    ///
    /// # Safety
    ///
    /// As for [`read_word`](Self::read_word), for all words, but that `len` need not be a multiple
    /// of 4.
    unsafe fn with_bytes<R>(&self, at: u32, len: u32, look: impl FnOnce(&[u8]) -> R) -> R;

    /// Returns what stands for damage: nothing does in a trusted region.
    fn check(&self, sound: bool, at: u32) -> Result<(), Damage> {
        if Self::TRUSTED || sound { Ok(()) } else { Err(Damage { offset: at }) }
    }

    /// Returns the pointer to a place.
    ///
    /// # Safety
    ///
    /// `at` is at most the region's length.
    #[inline]
    unsafe fn at(&self, at: u32) -> NonNull<u8> {
        // SAFETY: in the region or at its end, by the caller's promise.
        unsafe { self.base().add(at as usize) }
    }

    /// Returns a word that others may access.
    ///
    /// # Safety
    ///
    /// `at` is a multiple of 4. The word lies in the region; in a trusted one, it was written
    /// before, in the order of this thread, and is only accessed by this method since.
    #[inline]
    unsafe fn word(&self, at: u32) -> &<Self::Space as Space>::Word {
        // SAFETY: the caller's promise.
        let place = unsafe { self.at(at) };
        let word = self.space().word(place.cast());
        // SAFETY: by the space's promise the word lives as long as the space; where it lies in the
        // region, it is aligned and initialised.
        unsafe { word.as_ref() }
    }
}

/// A region that only maps of this process write.
#[derive(Debug)]
pub(crate) struct Plain<S> {
    space: S,
    /// INVARIANT: the region's start, which is the same at every call, also after the space was
    /// moved.
    base: NonNull<u8>,
    len: u32,
}

// SAFETY: `base` points to what `space` keeps, which is valid from any thread that may use the
// space, and stays where it is.
unsafe impl<S: Send> Send for Plain<S> {}
// SAFETY: as above.
unsafe impl<S: Sync> Sync for Plain<S> {}

impl<S: Space> Plain<S> {
    pub(crate) fn new(space: S) -> Self {
        let region = space.region();
        // At most 2^31, by the space's promise.
        Self { base: region.cast(), len: region.len() as u32, space }
    }

    /// Returns bytes of a node.
    ///
    /// # Safety
    ///
    /// The bytes lie in the region, were written before, in the order of this thread, and never are
    /// again.
    #[inline]
    pub(crate) unsafe fn bytes(&self, at: u32, len: u32) -> &[u8] {
        // SAFETY: in the region, by the caller's promise.
        let start = unsafe { self.at(at) };
        // SAFETY: initialised and not written any more, by the caller's promise; there as long as
        // the space, which is borrowed.
        unsafe { slice::from_raw_parts(start.as_ptr(), len as usize) }
    }
}

// SAFETY: the base and the length are the region's.
unsafe impl<S: Space> Region for Plain<S> {
    type Space = S;

    const TRUSTED: bool = true;

    #[inline]
    fn space(&self) -> &S {
        &self.space
    }

    #[inline]
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    #[inline]
    fn len(&self) -> u32 {
        self.len
    }

    #[inline]
    unsafe fn read_word(&self, at: u32) -> u32 {
        // SAFETY: the caller's promise.
        let word = unsafe { self.at(at) }.cast();
        // SAFETY: aligned, initialised and not written any more, by the caller's promise.
        unsafe { word.read() }
    }

    #[inline]
    unsafe fn read_eight(&self, at: u32) -> [u8; 8] {
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.at(at) }.cast();
        // SAFETY: initialised and not written any more, by the caller's promise; bytes need no
        // alignment.
        unsafe { bytes.read() }
    }

    #[inline]
    unsafe fn write_word(&self, at: u32, word: u32) {
        // SAFETY: the caller's promise.
        let place = unsafe { self.at(at) }.cast();
        // SAFETY: aligned, and the caller's own.
        unsafe { place.write(word) };
    }

    #[inline]
    unsafe fn write_body(&self, at: u32, parts: [&[u8]; 2], len: u32) {
        // SAFETY: the caller's promise.
        let mut place = unsafe { self.at(at) };
        let mut rest = len as usize;
        for part in parts {
            // SAFETY: the caller's own bytes, which no part overlaps: they were just handed out.
            unsafe { place.copy_from_nonoverlapping(NonNull::from(part).cast(), part.len()) };
            rest -= part.len();
            // SAFETY: the parts are at most `len` bytes together.
            place = unsafe { place.add(part.len()) };
        }
        // SAFETY: the caller's own bytes.
        unsafe { place.write_bytes(0, rest) };
    }

    #[inline]
    unsafe fn with_bytes<R>(&self, at: u32, len: u32, look: impl FnOnce(&[u8]) -> R) -> R {
        // SAFETY: the caller's promise.
        look(unsafe { self.bytes(at, len) })
    }
}
