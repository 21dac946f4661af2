//! A value for each thread, wherever threads come from.

use core::fmt;
use core::marker::PhantomData;

/// A value of type `T` for each thread that asks for one: how [`Leases`](crate::Leases) find the
/// calling thread's lease.
///
/// `marena-std` implements it with thread-local variables. A kernel could implement it with its
/// processors. [`NoThreads`] has no values.
///
/// # Safety
///
/// - [`with`](Self::with) lends a value to one thread at a time. What one thread did with it
///   happens before it is lent to another.
/// - A value is dropped with `self` at the earliest.
pub unsafe trait PerThread<T: Send>: Send + Sync {
    /// Calls `f` with the calling thread's value, which `make` makes if the thread has none.
    /// Returns `None` and calls nothing if the thread cannot have one.
    fn with<R>(&self, make: impl FnOnce() -> T, f: impl FnOnce(&T) -> R) -> Option<R>;
}

/// Has no value for any thread. [`Leases`](crate::Leases) then allocate in the arena itself.
pub struct NoThreads<T>(PhantomData<fn() -> T>);

// SAFETY: nothing is lent.
unsafe impl<T: Send> PerThread<T> for NoThreads<T> {
    fn with<R>(&self, _: impl FnOnce() -> T, _: impl FnOnce(&T) -> R) -> Option<R> {
        None
    }
}

impl<T> Default for NoThreads<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> fmt::Debug for NoThreads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoThreads")
    }
}
