//! Reading back: by handle, checked; by address, with the caller's word for it.

use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::Ordering::Relaxed;

use crate::address::Address;
use crate::arena::Arena;
use crate::handle::Handle;
use crate::memory::Memory;
use crate::placement::HEADER_SIZE;
use crate::sync::Word;

impl<M: Memory> Arena<M> {
    /// The bytes of a published block, or `None` for a handle from before a reset or from another arena. One comparison.
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
        // SAFETY: the epoch says so.
        self.is_current(handle.epoch()).then(|| unsafe { self.published_bytes(handle) })
    }

    /// An inserted value, or `None` for a handle from before a reset or from another arena. One comparison.
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
    pub fn get<T>(&self, handle: Handle<T>) -> Option<&T> {
        // SAFETY: the epoch says so.
        self.is_current(handle.epoch()).then(|| unsafe { self.published_value(handle) })
    }

    /// A pointer to the bytes of an address, or `None` where they do not all lie in `[128, 128 + used)`.
    ///
    /// An address proves nothing, so nothing is promised about the bytes: they may be written by their owner, or belong to
    /// another block than the one that had this address in an earlier life.
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
        // ORDERING: Relaxed: whoever received the address through synchronisation sees at least its claim, by coherence.
        let used = self.header().cursor.load(Relaxed).min(self.limit()) as usize;
        if size > used.checked_sub(position)? {
            return None;
        }
        Some(NonNull::slice_from_raw_parts(self.at(position), size))
    }

    /// The bytes of an address, or `None` where they do not all lie in `[128, 128 + used)`.
    ///
    /// # Safety
    ///
    /// - If the bytes are in range, they are initialised.
    /// - Nobody writes them while the result is used, and what was written before happens before this call.
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
        // SAFETY: in the region by the check; initialised and not written by the caller's promise.
        Some(unsafe { bytes.as_ref() })
    }

    /// The bytes of an address, to write, or `None` where they do not all lie in `[128, 128 + used)`.
    ///
    /// # Safety
    ///
    /// - If the bytes are in range, they are initialised.
    /// - Nobody else uses them while the result is used, and what was done with them before happens before this call.
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
        // SAFETY: in the region by the check; initialised and used by nobody else by the caller's promise.
        Some(unsafe { bytes.as_mut() })
    }

    /// What a handle to bytes names.
    ///
    /// Handles are made only from published blocks and inserted values, of the epoch they carry; epochs are unique, and bytes
    /// that a live epoch's handle names are never given back. So an equal epoch alone proves that the bytes lie in this region,
    /// are initialised, and are written by nobody until the epoch ends, for which its owner must not be borrowed.
    ///
    /// # Safety
    ///
    /// The handle is of this arena's current epoch, or of that of a scratch which outlives the result.
    #[inline]
    pub(crate) unsafe fn published_bytes(&self, handle: Handle) -> &[u8] {
        let start = self.at(handle.address().offset() as usize - HEADER_SIZE);
        // SAFETY: see above.
        unsafe { slice::from_raw_parts(start.as_ptr(), handle.address().size() as usize) }
    }

    /// What a handle to a value names.
    ///
    /// # Safety
    ///
    /// As for [`published_bytes`](Self::published_bytes).
    #[inline]
    pub(crate) unsafe fn published_value<T>(&self, handle: Handle<T>) -> &T {
        // A value of no bytes was placed nowhere; any aligned pointer reads it.
        let start = match size_of::<T>() {
            0 => NonNull::dangling(),
            _ => self.at(handle.address().offset() as usize - HEADER_SIZE).cast(),
        };
        // SAFETY: as in `published_bytes`; the value was placed with the alignment of `T`.
        unsafe { start.as_ref() }
    }
}
