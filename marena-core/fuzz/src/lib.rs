//! Code that the targets share: an image of a region at a fixed address, and the arithmetic that
//! the arena must agree with.
#![warn(missing_docs)]

use std::alloc::Layout;
use std::ptr::NonNull;

use arbitrary::Arbitrary;
use marena_core::RawMemory;

/// The length of a header in bytes.
pub const HEADER: usize = 128;

/// The offset in the header of a word that a peer can write.
pub const CURSOR: usize = 64;
/// See [`CURSOR`].
pub const PEAK: usize = 68;

/// A zeroed buffer, aligned as a region must be, whose address never changes.
pub struct Image {
    start: NonNull<u8>,
    layout: Layout,
}

impl Image {
    /// Returns an image of `len` zero bytes.
    pub fn new(len: usize) -> Self {
        let layout = Layout::from_size_align(len.max(1), HEADER).expect("an image is small");
        // SAFETY: the layout has a size.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        Self { start: NonNull::new(start).expect("an image fits the memory"), layout }
    }

    /// Returns the memory for an arena over the whole image.
    ///
    /// # Safety
    ///
    /// The memory does not outlive the image, and arenas over the same image keep the contract of
    /// `attach`.
    pub unsafe fn memory(&self) -> Option<RawMemory> {
        // SAFETY: valid as long as the image, and used only by its arenas and by `put`.
        unsafe { RawMemory::from_raw_parts(self.start, self.layout.size()) }.ok()
    }

    /// Overwrites bytes while there is no arena.
    pub fn fill(&mut self, offset: usize, bytes: &[u8]) {
        let room = self.layout.size().saturating_sub(offset);
        let len = bytes.len().min(room);
        // SAFETY: `&mut self` is exclusive, and the bytes lie in the image.
        unsafe {
            self.start.as_ptr().add(offset.min(self.layout.size())).copy_from_nonoverlapping(bytes.as_ptr(), len)
        };
    }

    /// Copies the image's first bytes while there is no arena.
    pub fn read(&self, into: &mut [u8]) {
        assert!(into.len() <= self.layout.size());
        // SAFETY: initialised bytes of the image.
        unsafe { self.start.as_ptr().copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) };
    }

    /// Overwrites a word of the header atomically, as a peer does while arenas use it.
    pub fn put(&self, offset: usize, value: u32) {
        assert!(offset + 4 <= HEADER && offset.is_multiple_of(4));
        // SAFETY: the word lies in the header, aligned.
        let word = unsafe { self.start.add(offset).cast::<portable_atomic::AtomicU32>().as_ref() };
        word.store(value, portable_atomic::Ordering::Relaxed);
    }

    /// Returns the image's first address.
    pub fn base(&self) -> usize {
        self.start.addr().get()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { std::alloc::dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// A size: small, or at the edges of the integers that hold sizes.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Size {
    /// A few bytes.
    Small(u8),
    /// Up to 64 KiB.
    Medium(u16),
    /// Near a power of two.
    Near {
        /// The power.
        shift: u8,
        /// The distance from it.
        offset: i8,
    },
    /// Near the largest.
    Huge(u8),
    /// Any number.
    Any(u64),
}

impl Size {
    /// Returns the number.
    pub fn get(self) -> usize {
        match self {
            Self::Small(size) => size.into(),
            Self::Medium(size) => size.into(),
            Self::Near { shift, offset } => {
                1_usize.rotate_left(u32::from(shift) % usize::BITS).wrapping_add_signed(offset.into())
            }
            Self::Huge(less) => usize::MAX - usize::from(less),
            Self::Any(size) => size as usize,
        }
    }
}

/// An alignment: mostly a power of two.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Align {
    /// Two to this power.
    Power(u8),
    /// Any number.
    Any(u16),
}

impl Align {
    /// Returns the number.
    pub fn get(self) -> usize {
        match self {
            Self::Power(shift) => 1_usize.rotate_left(u32::from(shift) % usize::BITS),
            Self::Any(align) => align.into(),
        }
    }
}

/// Returns the start and end of a claim of `size` bytes by wide arithmetic, as offsets from the
/// base, or `None` if it does not fit.
pub fn expected(base: usize, cursor: u32, capacity: usize, size: usize, align: usize) -> Option<(usize, usize)> {
    if !cursor.is_multiple_of(8) {
        return None;
    }
    let at = base as u128 + HEADER as u128 + u128::from(cursor);
    let start = at.next_multiple_of((align as u128).max(8)) - base as u128;
    // The fault that `.ci/fuzz` plants: a target must find that the arena disagrees.
    let end = start + (size as u128).next_multiple_of(8) - u128::from(cfg!(marena_planted));
    (end <= (capacity & !7) as u128).then_some((start as usize, end as usize))
}
