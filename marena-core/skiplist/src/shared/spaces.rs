//! Arenas in files as the memory of maps.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{self, Acquire, Relaxed};
use core::sync::atomic::{AtomicU64, fence};

use marena_core::{Address, AllocError, Word};
use marena_std::{Durability, MappedArena, MappedView, PublishError};
use portable_atomic::AtomicU32;

use crate::layout::WORD;
use crate::space::Space;

/// The alignment of every allocation in a mapped arena, in bytes.
const STEP: usize = 8;

/// The root slots of an arena: 64-bit numbers in its header, as its `LAYOUT.md` says.
const ROOTS: usize = 4;
const FIRST_ROOT: usize = 24;

/// A file that is read and written.
pub struct Mapped(pub(super) MappedArena);

impl Mapped {
    /// Writes everything to the disk, if the arena's durability asks for that. The node of a link
    /// must be there before the link.
    pub(super) fn before_link(&self) -> Result<(), PublishError> {
        match self.0.durability() {
            Durability::FlushOnPublish => self.0.flush(),
            _ => Ok(()),
        }
    }

    /// Returns the number in a root slot: 0 if it is free, and perhaps no address if it is not.
    ///
    /// # Errors
    ///
    /// [`PublishError::Slot`].
    pub(super) fn root_number(&self, slot: usize) -> Result<u64, PublishError> {
        if slot >= ROOTS {
            return Err(PublishError::Slot { slot });
        }
        // SAFETY: an arena's file begins with 128 bytes of header, which the slots lie in.
        let number = unsafe { self.0.region().cast::<u64>().add(FIRST_ROOT / 8 + slot) };
        // SAFETY: the number is aligned, since the region begins with a page. It stays as long as
        // the arena, and all accesses to a slot are atomic ones of 64 bits.
        let number = unsafe { AtomicU64::from_ptr(number.as_ptr()) };
        // ORDERING: Relaxed: nothing is read through it.
        Ok(number.load(Relaxed))
    }

    /// Writes a link to the disk.
    pub(super) fn after_link(&self, at: u32) -> Result<(), PublishError> {
        match (self.0.durability(), Address::new(at, WORD)) {
            (Durability::FlushOnPublish, Some(link)) => self.0.flush_range(link),
            _ => Ok(()),
        }
    }
}

// SAFETY: the file is mapped as long as the value exists, readable and writable, at a multiple of a
// page, and at most 2^31 bytes long. Peers that keep to the arena's protocol do not get a byte
// twice. Other peers can damage bytes, but this crate only reads and writes them atomically: no
// constructor makes a trusted region of this type. A word lies at its place.
unsafe impl Space for Mapped {
    type Word = AtomicU32;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }

    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let address = match layout.align() {
            ..=STEP => self.0.allocate_address_uninit(layout.size()),
            align => self.0.allocate_address_aligned(layout.size(), align),
        }?;
        // SAFETY: an address of the arena lies in its region.
        Ok(unsafe { self.0.region().cast::<u8>().add(address.offset() as usize) })
    }

    #[inline]
    fn used(&self) -> usize {
        self.0.used()
    }

    #[inline]
    fn word(&self, place: NonNull<u32>) -> NonNull<AtomicU32> {
        place.cast()
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mapped").field(&self.0).finish()
    }
}

/// A file that is only read.
pub struct ReadOnly(pub(super) MappedView);

// SAFETY: as for `Mapped`. Nothing is written, because nothing is ever allocated: no node is made,
// and no link changes.
unsafe impl Space for ReadOnly {
    type Word = ReadOnlyWord;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }

    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Err(AllocError::Full { requested: layout.size(), remaining: 0 })
    }

    #[inline]
    fn used(&self) -> usize {
        self.0.used()
    }

    #[inline]
    fn word(&self, place: NonNull<u32>) -> NonNull<ReadOnlyWord> {
        place.cast()
    }
}

impl fmt::Debug for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadOnly").field(&self.0).finish()
    }
}

/// A word of memory that cannot be written. Such memory guarantees relaxed loads only.
#[derive(Debug)]
#[repr(transparent)]
pub struct ReadOnlyWord(AtomicU32);

// SAFETY: each method forwards to the operation of the same name. A relaxed load and an acquire
// fence order at least what an acquire load orders.
unsafe impl Word for ReadOnlyWord {
    #[inline]
    fn load(&self, order: Ordering) -> u32 {
        let value = self.0.load(Relaxed);
        if order == Acquire {
            // ORDERING: with the load before it, the fence pairs with the Release in
            // `NewNode::link`, and for an index's word with that in `Nodes::make_index`.
            fence(Acquire);
        }
        value
    }

    fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.0.compare_exchange(current, new, success, failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.0.compare_exchange_weak(current, new, success, failure)
    }
}
