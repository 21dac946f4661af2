//! Access to the bytes of a map's region: plain access, if only maps of this process write them.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::slice;

use marena_core::AllocError;

#[cfg(feature = "mapped")]
use crate::checkpoints::Checkpoints;
use crate::damage::Damage;
use crate::layout::WORD;
use crate::space::Space;

/// A space, and where its region lies.
#[derive(Debug)]
pub(crate) struct Extent<S> {
    space: S,
    /// INVARIANT: the region's start, which is the same at every call, even after the space was
    /// moved.
    base: NonNull<u8>,
    /// INVARIANT: the region's length, without bytes at its end that are no whole word.
    len: u32,
}

// SAFETY: `base` points to bytes that `space` keeps. They are valid from any thread that may use
// the space, and do not move.
unsafe impl<S: Send> Send for Extent<S> {}
// SAFETY: as above.
unsafe impl<S: Sync> Sync for Extent<S> {}

impl<S: Space> Extent<S> {
    pub(crate) fn new(space: S) -> Self {
        let region = space.region();
        // At most 2^31, by the space's promise.
        let len = region.len() as u32 / WORD * WORD;
        Self { base: region.cast(), len, space }
    }

    #[cfg(feature = "mapped")]
    pub(crate) fn into_space(self) -> S {
        self.space
    }
}

/// A space, and how its bytes are accessed. Offsets count from its region's start.
///
/// # Safety
///
/// - [`extent`](Self::extent) is the same at every call.
/// - If the region is not [`TRUSTED`](Self::TRUSTED), its bytes are initialised, and all methods
///   access them atomically.
pub(crate) unsafe trait Region {
    type Space: Space;

    /// Whether only maps of this process write the bytes that they allocated. Otherwise everything
    /// that is read is checked.
    const TRUSTED: bool;

    fn extent(&self) -> &Extent<Self::Space>;

    #[inline]
    fn space(&self) -> &Self::Space {
        &self.extent().space
    }

    #[inline]
    fn base(&self) -> NonNull<u8> {
        self.extent().base
    }

    #[inline]
    fn len(&self) -> u32 {
        self.extent().len
    }

    /// Allocates uninitialised bytes, and returns their offset.
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<u32, AllocError> {
        let start = self.space().allocate(layout)?;
        Ok((start.addr().get() - self.base().addr().get()) as u32)
    }

    /// Returns the nodes that searches remember. A trusted region has shortcuts instead.
    #[cfg(feature = "mapped")]
    fn checkpoints(&self) -> Option<&Checkpoints> {
        None
    }

    /// Reads a word that is not written any more.
    ///
    /// # Safety
    ///
    /// - `at` is a multiple of 4, and the word lies in the region.
    /// - In a trusted region, the word was written, which happens before this call, and is never
    ///   written again.
    unsafe fn read_word(&self, at: u32) -> u32;

    /// Reads eight bytes as a big-endian number.
    ///
    /// # Safety
    ///
    /// - The same as for [`read_word`](Self::read_word), for both words.
    unsafe fn read_eight(&self, at: u32) -> u64;

    /// Writes a word that nobody else accesses.
    ///
    /// # Safety
    ///
    /// - `at` is a multiple of 4, and the word lies in the caller's own bytes of the region.
    unsafe fn write_word(&self, at: u32, word: u32);

    /// Writes the parts, and zeros behind them up to `len` bytes. A region that is not trusted also
    /// gets zeros up to the end of the last word.
    ///
    /// # Safety
    ///
    /// - The same as for [`write_word`](Self::write_word), for all words.
    unsafe fn write_body(&self, at: u32, parts: [&[u8]; 2], len: u32);

    /// Calls `look` with bytes.
    ///
    /// # Safety
    ///
    /// - The same as for [`read_word`](Self::read_word), for all words, but `len` can be any
    ///   number.
    unsafe fn with_bytes<R>(&self, at: u32, len: u32, look: impl FnOnce(&[u8]) -> R) -> R;

    /// Calls `look` with bytes, or returns `None` if there is no memory for a copy of them.
    ///
    /// # Safety
    ///
    /// - The same as for [`with_bytes`](Self::with_bytes).
    unsafe fn try_with_bytes<R>(&self, at: u32, len: u32, look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        // SAFETY: the caller's promise.
        Some(unsafe { self.with_bytes(at, len, look) })
    }

    /// Returns an error if something is not sound. A trusted region has no damage.
    fn check(&self, sound: bool, at: u32) -> Result<(), Damage> {
        if Self::TRUSTED || sound { Ok(()) } else { Err(Damage { offset: at }) }
    }

    /// Returns the pointer to an offset.
    ///
    /// # Safety
    ///
    /// - `at` is at most the region's length.
    #[inline]
    unsafe fn at(&self, at: u32) -> NonNull<u8> {
        // SAFETY: in the region or at its end, by the caller's promise.
        unsafe { self.base().add(at as usize) }
    }

    /// Returns a word that others may access.
    ///
    /// # Safety
    ///
    /// - `at` is a multiple of 4, and the word lies in the region.
    /// - In a trusted region, the word was written, which happens before this call, and only this
    ///   method has accessed it since.
    #[inline]
    unsafe fn word(&self, at: u32) -> &<Self::Space as Space>::Word {
        // SAFETY: the caller's promise.
        let place = unsafe { self.at(at) };
        let word = self.space().word(place.cast());
        // SAFETY: by the space's promise the word stays as long as the space. If it lies in the
        // region, it is aligned and initialised.
        unsafe { word.as_ref() }
    }
}

/// A region that only maps of this process write.
#[derive(Debug)]
pub(crate) struct Plain<S>(Extent<S>);

impl<S: Space> Plain<S> {
    pub(crate) fn new(space: S) -> Self {
        Self(Extent::new(space))
    }

    /// Returns bytes of a node.
    ///
    /// # Safety
    ///
    /// - The bytes lie in the region. They were written, which happens before this call, and are
    ///   never written again.
    #[inline]
    pub(crate) unsafe fn bytes(&self, at: u32, len: u32) -> &[u8] {
        // SAFETY: in the region, by the caller's promise.
        let start = unsafe { self.at(at) };
        // SAFETY: by the caller's promise, the bytes are initialised and not written any more. They
        // stay as long as the space, which is borrowed.
        unsafe { slice::from_raw_parts(start.as_ptr(), len as usize) }
    }
}

// SAFETY: the extent is a field that never changes.
unsafe impl<S: Space> Region for Plain<S> {
    type Space = S;

    const TRUSTED: bool = true;

    #[inline]
    fn extent(&self) -> &Extent<S> {
        &self.0
    }

    #[inline]
    unsafe fn read_word(&self, at: u32) -> u32 {
        // SAFETY: the caller's promise.
        let word = unsafe { self.at(at) }.cast();
        // SAFETY: aligned, initialised and not written any more, by the caller's promise.
        unsafe { word.read() }
    }

    #[inline]
    unsafe fn read_eight(&self, at: u32) -> u64 {
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.at(at) }.cast();
        // SAFETY: by the caller's promise, the bytes are initialised and not written any more.
        // Bytes need no alignment.
        u64::from_be_bytes(unsafe { bytes.read() })
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
            // SAFETY: these are the caller's own bytes. No part overlaps them, because they were
            // allocated just now.
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
