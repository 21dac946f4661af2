//! Reads by handle, which is checked, by address, for which the caller vouches, and of everything.

use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::Ordering::Relaxed;

use crate::address::Address;
use crate::arena::Arena;
use crate::asan;
use crate::handle::{Handle, Nameable};
use crate::memory::{ExclusiveMemory, Memory};
use crate::placement::HEADER_SIZE;
use crate::sync::Word;

/// Reads through handles, for code that is generic over arenas and scopes. The inherent methods of
/// the same names need no import.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{Arena, Handle, View};
///
/// fn total(numbers: &impl View, handles: &[Handle<u32>]) -> Option<u32> {
///     handles.iter().map(|&handle| numbers.get(handle)).sum()
/// }
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let mut arena = Arena::borrowed(&mut bytes)?;
/// let handles = [arena.insert(1).unwrap(), arena.insert(2).unwrap()];
/// assert_eq!(total(&arena, &handles), Some(3));
/// arena.reset();
/// assert_eq!(total(&arena, &handles), None);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub trait View {
    /// Returns what a handle names, or `None` if the handle is stale or of another arena.
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T>;

    /// Returns the bytes of a published block, or `None` if the handle is stale or of another
    /// arena.
    fn view(&self, handle: Handle) -> Option<&[u8]> {
        self.get(handle)
    }
}

impl<M: Memory> View for Arena<M> {
    #[inline]
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        Arena::get(self, handle)
    }
}

impl<M: Memory> Arena<M> {
    /// Returns the bytes of a published block, or `None` if the handle is from before a reset or
    /// from another arena. Makes one comparison.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let (mut bytes, mut more) = ([MaybeUninit::uninit(); 1024], [MaybeUninit::uninit(); 1024]);
    /// let (arena, other) = (Arena::borrowed(&mut bytes)?, Arena::borrowed(&mut more)?);
    /// let handle = arena.allocate(4).unwrap().publish();
    /// assert_eq!(arena.view(handle), Some(&[0; 4][..]));
    /// assert_eq!(other.view(handle), None);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn view(&self, handle: Handle) -> Option<&[u8]> {
        self.get(handle)
    }

    /// Returns an inserted value, or `None` if the handle is from before a reset or from another
    /// arena. Makes one comparison.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let handle = arena.insert("text").unwrap();
    /// assert_eq!(arena.get(handle), Some(&"text"));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        // SAFETY: the handle is of the current epoch.
        self.is_current(handle.epoch()).then(|| unsafe { self.published(handle) })
    }

    /// Returns a pointer to the bytes of an address, or `None` if they do not all lie in
    /// `[128, 128 + used)`.
    ///
    /// The bytes are not protected: their owner may be writing them, and after a reset they may
    /// belong to another block.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::{Address, Arena};
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let address = arena.allocate_address(8).unwrap();
    /// assert!(arena.view_ptr(address).is_some());
    /// assert!(arena.view_ptr(Address::new(address.offset() + 8, 1).unwrap()).is_none());
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn view_ptr(&self, address: Address) -> Option<NonNull<[u8]>> {
        // An address's offset is at least the header's size, and its end at most 2^31.
        let position = address.offset() as usize - HEADER_SIZE;
        let size = address.size() as usize;
        // ORDERING: Relaxed: a thread that received the address through synchronisation sees at
        // least the cursor of its claim, by coherence.
        let used = self.header().cursor.load(Relaxed).min(self.limit()) as usize;
        if size > used.checked_sub(position)? {
            return None;
        }
        Some(NonNull::slice_from_raw_parts(self.at(position), size))
    }

    /// Returns the bytes of an address, or `None` if they do not all lie in `[128, 128 + used)`.
    ///
    /// # Safety
    ///
    /// - If the bytes are in range, they are initialised.
    /// - Nobody writes them while the result is used, and earlier writes happen before this call.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let address = arena.allocate_address(2).unwrap();
    /// // SAFETY: just allocated, zeroed, and known to nobody else.
    /// assert_eq!(unsafe { arena.view_address(address) }, Some(&[0, 0][..]));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub unsafe fn view_address(&self, address: Address) -> Option<&[u8]> {
        let bytes = self.view_ptr(address)?;
        // SAFETY: the bytes lie in the region by the check. By the caller's promise they are
        // initialised, and nobody writes them.
        Some(unsafe { bytes.as_ref() })
    }

    /// Returns the bytes of an address for writing, or `None` if they do not all lie in
    /// `[128, 128 + used)`.
    ///
    /// # Safety
    ///
    /// - If the bytes are in range, they are initialised.
    /// - Nobody else uses them while the result is used, and earlier uses happen before this call.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let address = arena.allocate_address(2).unwrap();
    /// // SAFETY: just allocated, zeroed, and known to nobody else.
    /// unsafe { arena.view_address_mut(address) }.unwrap().copy_from_slice(b"ok");
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the caller promises that nobody else uses the bytes")]
    pub unsafe fn view_address_mut(&self, address: Address) -> Option<&mut [u8]> {
        let mut bytes = self.view_ptr(address)?;
        // SAFETY: the bytes lie in the region by the check. By the caller's promise they are
        // initialised, and nobody else uses them.
        Some(unsafe { bytes.as_mut() })
    }

    /// Returns all bytes that are handed out, in one piece, with what lies unused between blocks.
    /// Those bytes, and the padding in values, need not be initialised.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// for number in [1_u64, 2, 3] {
    ///     arena.alloc(number).unwrap();
    /// }
    /// // SAFETY: nothing but numbers is there, and they have no padding.
    /// let numbers = unsafe { arena.allocated().align_to::<u64>() }.1;
    /// assert_eq!(numbers, [1, 2, 3]);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    pub fn allocated(&mut self) -> &[MaybeUninit<u8>]
    where
        M: ExclusiveMemory,
    {
        // SAFETY: whatever was handed out was borrowed from the arena, which is mutably borrowed
        // now, and nobody else reaches its memory.
        unsafe { self.allocated_from(0) }
    }

    /// Returns the bytes that are handed out from a position on.
    ///
    /// # Safety
    ///
    /// - Nobody writes the bytes while the result is used, and earlier writes happen before this
    ///   call.
    pub(crate) unsafe fn allocated_from(&self, position: u32) -> &[MaybeUninit<u8>] {
        // What is not ready was never handed out, although a leaked scope may have claimed it.
        let end = self.used().min(self.ready_limit() as usize);
        let len = end.saturating_sub(position as usize);
        let start = self.at(end - len);
        // Whoever copies all of them reads those between the blocks, too.
        asan::unpoison(start, len);
        // SAFETY: the bytes lie in the region, up to the cursor. They need not be initialised, and
        // nobody writes them, by the caller's promise.
        unsafe { slice::from_raw_parts(start.as_ptr().cast(), len) }
    }

    /// Returns the value that a handle names.
    ///
    /// Only published blocks and inserted values get handles, with the epoch in which they were
    /// allocated. Epochs are unique, and the bytes of a published value are not given back in its
    /// epoch. So the current epoch alone proves that the bytes lie in this region, hold a `T`, and
    /// are not written until the epoch ends. An epoch cannot end while its owner is borrowed.
    ///
    /// # Safety
    ///
    /// - The handle has this arena's current epoch, or that of a scope which outlives the result.
    #[inline(always)]
    pub(crate) unsafe fn published<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> &T {
        let address = handle.address();
        let value = T::locate(address.size() as usize, || self.at(address.offset() as usize - HEADER_SIZE));
        // SAFETY: the caller's promise, by the argument above. The value was placed with the
        // alignment of `T`.
        unsafe { value.as_ref() }
    }
}
