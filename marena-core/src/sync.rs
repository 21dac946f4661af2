//! The one door through which atomics enter: everything else is written against [`Word`].

use core::sync::atomic::Ordering;

/// The atomic word of every memory that ships: portable-atomic's, so that implementors of
/// [`Memory`](crate::Memory) need no crate and version of their own.
pub use portable_atomic::AtomicU32;
pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicUsize};

/// One atomic `u32` of an arena's header.
///
/// All that ships uses portable-atomic's `AtomicU32`. A model checker brings a type of its own, so
/// that the real arena runs under it; a fault-injecting test brings one that misbehaves.
///
/// # Safety
///
/// - Every method is the atomic operation of its name on one `u32`, with at least the ordering
///   passed.
/// - Where such a word lies inside a region, it has the size of a `u32` and all-zero bytes are the
///   value 0.
///
/// # Examples
///
/// ```
/// use core::sync::atomic::Ordering::{Acquire, Relaxed};
/// use marena_core::Word;
///
/// let word = portable_atomic::AtomicU32::new(8);
/// assert_eq!(Word::compare_exchange(&word, 8, 16, Acquire, Relaxed), Ok(8));
/// assert_eq!(Word::load(&word, Relaxed), 16);
/// ```
pub unsafe trait Word: Send + Sync {
    /// Atomic load.
    ///
    /// ```
    /// use core::sync::atomic::Ordering::Relaxed;
    /// use marena_core::Word;
    /// assert_eq!(Word::load(&portable_atomic::AtomicU32::new(8), Relaxed), 8);
    /// ```
    fn load(&self, order: Ordering) -> u32;

    /// Atomic store.
    ///
    /// ```
    /// use core::sync::atomic::Ordering::Relaxed;
    /// use marena_core::Word;
    /// let word = portable_atomic::AtomicU32::new(8);
    /// Word::store(&word, 16, Relaxed);
    /// assert_eq!(word.into_inner(), 16);
    /// ```
    fn store(&self, value: u32, order: Ordering);

    /// Atomic compare-and-swap; `Err` carries what was found.
    ///
    /// # Errors
    ///
    /// The value found, where it is not `current`.
    ///
    /// ```
    /// use core::sync::atomic::Ordering::Relaxed;
    /// use marena_core::Word;
    /// let word = portable_atomic::AtomicU32::new(8);
    /// assert_eq!(Word::compare_exchange(&word, 0, 16, Relaxed, Relaxed), Err(8));
    /// ```
    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;

    /// Atomic compare-and-swap that may fail although it found `current`.
    ///
    /// # Errors
    ///
    /// The value found.
    ///
    /// ```
    /// use core::sync::atomic::Ordering::Relaxed;
    /// use marena_core::Word;
    /// let word = portable_atomic::AtomicU32::new(8);
    /// while Word::compare_exchange_weak(&word, 8, 16, Relaxed, Relaxed).is_err() {}
    /// assert_eq!(word.into_inner(), 16);
    /// ```
    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;

    /// The value, read without atomics by an exclusive owner.
    ///
    /// A model checker overrides this, and [`write`](Self::write), to report a race with any other
    /// access.
    ///
    /// ```
    /// use marena_core::Word;
    /// assert_eq!(Word::read(&mut portable_atomic::AtomicU32::new(8)), 8);
    /// ```
    #[inline]
    fn read(&mut self) -> u32 {
        // ORDERING: `&mut` is exclusive, so there is nobody to order against.
        self.load(Ordering::Relaxed)
    }

    /// Overwrites the value, without atomics, as its exclusive owner.
    ///
    /// ```
    /// use marena_core::Word;
    /// let mut word = portable_atomic::AtomicU32::new(8);
    /// Word::write(&mut word, 16);
    /// assert_eq!(word.into_inner(), 16);
    /// ```
    #[inline]
    fn write(&mut self, value: u32) {
        // ORDERING: as in `read`.
        self.store(value, Ordering::Relaxed);
    }
}

// SAFETY: each method forwards to the operation of the same name; `AtomicU32` has the size and the
// bit validity of `u32`.
unsafe impl Word for AtomicU32 {
    #[inline]
    fn load(&self, order: Ordering) -> u32 {
        Self::load(self, order)
    }

    #[inline]
    fn store(&self, value: u32, order: Ordering) {
        Self::store(self, value, order);
    }

    #[inline]
    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        Self::compare_exchange(self, current, new, success, failure)
    }

    #[inline]
    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        Self::compare_exchange_weak(self, current, new, success, failure)
    }

    #[inline]
    fn read(&mut self) -> u32 {
        *self.get_mut()
    }

    #[inline]
    fn write(&mut self, value: u32) {
        *self.get_mut() = value;
    }
}
