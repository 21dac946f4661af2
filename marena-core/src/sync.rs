//! The one file through which atomics enter. Everything else is written against [`Word`].

use core::sync::atomic::Ordering;

/// The atomic word of every memory that ships: portable-atomic's, so that implementors of
/// [`Memory`](crate::Memory) need no crate and version of their own.
pub use portable_atomic::AtomicU32;
pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicUsize};

/// One atomic `u32` of an arena's header.
///
/// Everything that ships uses portable-atomic's [`AtomicU32`]. A model checker brings a type of its
/// own, so that the real arena runs under it. A fault-injecting test brings one that misbehaves.
///
/// # Safety
///
/// - Every method is the atomic operation of its name on one `u32`, with at least the ordering
///   passed.
/// - If such a word lies inside a region, it has the size of a `u32`, and all-zero bytes are the
///   value 0.
///
/// # Examples
///
/// ```
/// use core::sync::atomic::Ordering::{Acquire, Relaxed};
/// use marena_core::{AtomicU32, Word};
///
/// let word = AtomicU32::new(8);
/// assert_eq!(Word::compare_exchange(&word, 8, 16, Acquire, Relaxed), Ok(8));
/// assert_eq!(Word::load(&word, Relaxed), 16);
/// ```
pub unsafe trait Word: Send + Sync {
    /// Loads the value atomically.
    fn load(&self, order: Ordering) -> u32;

    /// Stores a value atomically.
    fn store(&self, value: u32, order: Ordering);

    /// Replaces `current` by `new`, atomically.
    ///
    /// # Errors
    ///
    /// The value found, if it is not `current`.
    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;

    /// Replaces `current` by `new`, atomically. May fail although it found `current`.
    ///
    /// # Errors
    ///
    /// The value found.
    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;

    /// Reads the value without atomics, as its exclusive owner.
    ///
    /// A model checker overrides this and [`write`](Self::write), to report a race with any other
    /// access.
    #[inline]
    fn read(&mut self) -> u32 {
        // ORDERING: `&mut` is exclusive, so there is nobody to order against.
        self.load(Ordering::Relaxed)
    }

    /// Overwrites the value without atomics, as its exclusive owner.
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
