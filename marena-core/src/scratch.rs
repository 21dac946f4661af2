//! Scopes that own their end: what was allocated in them goes back when they are dropped.

use core::cell::Cell;
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::asan;
use crate::claim::{Claim, Claimed, Origin, require_stable_alignment};
use crate::epoch;
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::lease::Lease;
use crate::memory::{Memory, max_align};
use crate::runs::Marks;
use crate::scope_bytes::ScopeBytes;
use crate::view::View;

/// A scope: allocating in it costs no atomic operation, and all its bytes go back when it ends.
///
/// [`Arena::scratch`] and [`Lease::scratch`] begin one, and [`Scratch::scratch`] begins one within
/// another. What a scope hands out cannot outlive it. While a scope within it is open, its own
/// values cannot be used. With [`scoped`](Self::scoped) they can.
///
/// A scope cannot be shared between threads. It has its own handles, which its own
/// [`view`](Self::view) and [`get`](Self::get) read, and which are stale after its end. Values in
/// it are not dropped.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 4096];
/// let mut arena = Arena::borrowed(&mut bytes)?;
/// let kept = arena.insert(1_u64).unwrap();
/// for request in 0..1000_u64 {
///     let scratch = arena.scratch();
///     let buffer = scratch.alloc_slice_fill_with(100, |i| i as u64 + request).unwrap();
///     assert_eq!(buffer[99], 99 + request);
/// }
/// assert_eq!(arena.used(), 8);
/// assert_eq!(arena.get(kept), Some(&1));
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// Nothing leaves the scope:
///
/// ```compile_fail,E0505
/// # use core::mem::MaybeUninit;
/// # use marena_core::Arena;
/// # let mut bytes = [MaybeUninit::uninit(); 1024];
/// # let mut arena = Arena::borrowed(&mut bytes).unwrap();
/// let scratch = arena.scratch();
/// let number = scratch.alloc(1).unwrap();
/// drop(scratch);
/// *number = 2;
/// ```
pub struct Scratch<'s, M: Memory> {
    bytes: ScopeBytes<'s, M>,
    /// How far the outer scopes have used the runs of a lease. The rest is poisoned at the end of
    /// this one.
    outer_marks: asan::Kept<Marks>,
    /// The epoch, which is drawn for the first block or handle. Most scopes make none.
    epoch: Cell<Option<NonZeroU64>>,
}

impl<M: Memory> Arena<M> {
    /// Begins a scope over all that the arena has left.
    ///
    /// In [exclusive memory](Memory::IS_EXCLUSIVE) it costs no atomic operation, and a leaked scope
    /// keeps nothing. Elsewhere it costs one compare-and-swap, and one more at its end. Meanwhile,
    /// other arenas over the same static find it full, and if the scope is leaked, until a reset.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// let scratch = arena.scratch();
    /// scratch.alloc_str("gone at the end").unwrap();
    /// drop(scratch);
    /// assert_eq!(arena.used(), 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn scratch(&mut self) -> Scratch<'_, M> {
        Scratch::new(ScopeBytes::of_arena(self))
    }
}

impl<M: Memory> Lease<'_, M> {
    /// Begins a scope, whose bytes all go back to the lease at its end.
    ///
    /// They also go back when the scope is leaked: nothing of it can be used afterwards.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let mut lease = arena.lease(1024);
    /// let kept = lease.alloc(1_u64).unwrap();
    /// for round in 0..1000_u64 {
    ///     let scratch = lease.scratch();
    ///     scratch.alloc([round; 16]).unwrap();
    /// }
    /// assert_eq!(*kept, 1);
    /// assert!(arena.used() < 1024);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn scratch(&mut self) -> Scratch<'_, M> {
        self.runs().mark_dirty();
        Scratch::new(ScopeBytes::of_lease(self))
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return lives as long as the
/// borrow of the scope.
impl<M: Memory> Scratch<'_, M> {
    crate::forward_allocate!('s => 's);
}

impl<'s, M: Memory> Scratch<'s, M> {
    /// Creates a scope that hands out these bytes.
    #[inline(always)]
    pub(crate) fn new(bytes: ScopeBytes<'s, M>) -> Self {
        Self { outer_marks: bytes.used_marks(), bytes, epoch: Cell::new(None) }
    }

    /// Claims bytes of the bump, or returns `None` if they do not fit. The caller passes a power of
    /// two as `align`, and a `size` that is not 0.
    #[inline(always)]
    pub(crate) fn claim_ahead(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        require_stable_alignment::<M>(align).ok()?;
        self.bytes.bump().claim(size, align)
    }

    /// Begins a scope within this one. This one cannot be used until it ends.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let mut outer = arena.scratch();
    /// for _ in 0..1000 {
    ///     let inner = outer.scratch();
    ///     inner.alloc([0_u64; 32]).unwrap();
    /// }
    /// assert!(outer.alloc([0_u64; 32]).is_ok());
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn scratch(&mut self) -> Scratch<'_, M> {
        // SAFETY: this scope is mutably borrowed by the inner one.
        Scratch::new(unsafe { self.bytes.within() })
    }

    /// Returns the bytes of a block published in this scope, or `None` for any other handle.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let scratch = arena.scratch();
    /// let handle = scratch.allocate(4).unwrap().publish();
    /// assert_eq!(scratch.view(handle), Some(&[0; 4][..]));
    /// drop(scratch);
    /// assert_eq!(arena.view(handle), None);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn view(&self, handle: Handle) -> Option<&[u8]> {
        self.get(handle)
    }

    /// Returns what a handle of this scope names, or `None` for any other handle.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let scratch = arena.scratch();
    /// let handle = scratch.insert([1, 2, 3]).unwrap();
    /// assert_eq!(scratch.get(handle), Some(&[1, 2, 3]));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        // SAFETY: the borrow of the scope keeps its end away.
        unsafe { self.published(handle) }
    }

    /// Returns what a handle of this scope names, for longer than the borrow of the scope.
    ///
    /// # Safety
    ///
    /// - The reference is not used after the scope's end.
    #[inline]
    pub(crate) unsafe fn published<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'s T> {
        let current = self.epoch.get() == Some(handle.epoch());
        // SAFETY: the handle was made in this scope, which owns the bytes and hands them out to
        // nobody else until its end.
        current.then(|| unsafe { self.bytes.arena().published(handle) })
    }

    /// Returns how many bytes can still be allocated. On a lease, not all of them are in one piece,
    /// and others who share the arena change the number.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let free = arena.remaining();
    /// assert_eq!(arena.scratch().remaining(), free);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.total()
    }
}

// SAFETY: `claim` hands out bytes of the bump, each once. They belong to the scope while it is
// borrowed: its end and scopes within it need it mutably.
unsafe impl<'s, M: Memory> Claim<'s> for &'s Scratch<'_, M> {
    type Origin = Self;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>) -> Result<Claimed<Self>, AllocError> {
        require_stable_alignment::<M>(align)?;
        let start = match self.bytes.bump().claim(size, align) {
            Some(start) => start,
            None => self.bytes.claim_slowly(size, align, retries)?,
        };
        // SAFETY: claimed just now.
        Ok(unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if size > 0 {
            self.bytes.bump().give_back(start, size);
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self>> {
        let extended = self.bytes.extend(start, old_size, new_size);
        // SAFETY: the block was claimed from this scope before, and what lies behind it just now.
        extended.then(|| unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        Origin::epoch(self)
    }

    #[inline]
    fn remaining(self) -> usize {
        self.bytes.longest()
    }
}

// SAFETY: the base is the arena's, and no bytes are said to be zero.
unsafe impl<M: Memory> Origin for &Scratch<'_, M> {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        self.bytes.arena().base()
    }

    #[inline(always)]
    fn dirty_end(self) -> Option<usize> {
        // Scopes use the same bytes repeatedly, so nothing is known about them.
        None
    }

    #[inline]
    fn epoch(self) -> NonZeroU64 {
        self.epoch.get().unwrap_or_else(|| {
            let epoch = epoch::draw();
            self.epoch.set(Some(epoch));
            epoch
        })
    }
}

impl<M: Memory> Drop for Scratch<'_, M> {
    #[inline]
    fn drop(&mut self) {
        self.bytes.poison(&self.outer_marks);
        self.bytes.end();
    }
}

// SAFETY: the pointers lead into the region, to bytes that are the scope's own. The lease is
// mutably borrowed for the scope, and `Send` under the same bound.
unsafe impl<M: Memory> Send for Scratch<'_, M> where Arena<M>: Sync {}

impl<M: Memory> View for Scratch<'_, M> {
    #[inline]
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        Scratch::get(self, handle)
    }
}

impl<M: Memory> fmt::Debug for Scratch<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch")
            .field("arena", self.bytes.arena())
            .field("room", &self.bytes.bump().room())
            .finish_non_exhaustive()
    }
}
