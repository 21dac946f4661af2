//! Scopes of growing arenas whose values stay usable while scopes within them come and go.

use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use super::arena::GrowingArena;
use super::scratch::{GrowingScratch, InScope};
use crate::claim::{Claim, Claimed};
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::memory::{Reserve, max_align};
use crate::view::View;

/// A scope of a growing arena, for a closure: the counterpart of [`Scope`](crate::Scope).
///
/// Its values stay usable while scopes within it come and go. Made by [`GrowingArena::scoped`].
///
/// # Examples
///
/// ```
/// use marena_core::{GrowingArena, Reserve};
///
/// fn sum<M: Reserve>(arena: &mut GrowingArena<M>, parts: &[&[u64]]) -> u64 {
///     arena.scoped(|scope| {
///         let sum = scope.alloc(0).unwrap();
///         for part in parts {
///             // What the part needs goes back at once, and `sum` stays.
///             *sum += scope.scoped(|inner| {
///                 let part = inner.alloc_slice_copy(part).unwrap();
///                 part.iter().sum::<u64>()
///             });
///         }
///         *sum
///     })
/// }
/// ```
pub struct GrowingScope<'x, M: Reserve> {
    /// INVARIANT: it ends after `'x`.
    scratch: GrowingScratch<'x, M>,
}

impl<M: Reserve> GrowingArena<M> {
    /// Calls `f` with a scope, and takes back everything that was allocated in it.
    pub fn scoped<R>(&mut self, f: impl for<'x> FnOnce(&mut GrowingScope<'x, M>) -> R) -> R {
        // INVARIANT: the scope ends here, after `f`, which took any lifetime for `'x`.
        f(&mut GrowingScope { scratch: self.scratch() })
    }
}

/// Allocating: as [`Arena`](crate::Arena)'s methods of the same names. What they return lives for
/// `'x`, until the closure returns.
impl<'x, M: Reserve> GrowingScope<'x, M> {
    crate::forward_allocate!('s => 'x);
}

impl<'x, M: Reserve> GrowingScope<'x, M> {
    /// Calls `f` with a scope within this one, whose own values stay usable.
    pub fn scoped<R>(&mut self, f: impl for<'y> FnOnce(&mut GrowingScope<'y, M>) -> R) -> R {
        // INVARIANT: as in `GrowingArena::scoped`.
        f(&mut GrowingScope { scratch: self.scratch.scratch() })
    }

    /// Returns the bytes of a block published in this scope, or `None` for any other handle.
    #[must_use]
    pub fn view(&self, handle: Handle) -> Option<&'x [u8]> {
        self.get(handle)
    }

    /// Returns a value inserted in this scope, or `None` for any other handle.
    #[must_use]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'x T> {
        // SAFETY: the scope ends after `'x`: the invariant of `scratch`.
        unsafe { self.scratch.published(handle) }
    }
}

// SAFETY: every claim is the scratch's, which hands out each byte once and takes all back at its
// end. Its end comes after `'x`: the invariant of `scratch`. A scope within this one borrows it
// mutably, so nobody claims through this one meanwhile.
unsafe impl<'x, M: Reserve> Claim<'x> for &GrowingScope<'x, M> {
    type Origin = InScope;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>) -> Result<Claimed<InScope>, AllocError> {
        // SAFETY: the caller's promises.
        unsafe { self.scratch.claim(size, align, retries) }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises.
        unsafe { self.scratch.give_back(start, size) }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<InScope>> {
        // SAFETY: the caller's promises.
        unsafe { self.scratch.extend(start, old_size, new_size) }
    }

    unsafe fn epoch(self) -> NonZeroU64 {
        // SAFETY: the caller's promise.
        unsafe { Claim::epoch(&self.scratch) }
    }

    fn remaining(self) -> usize {
        Claim::remaining(&self.scratch)
    }
}

impl<M: Reserve> View for GrowingScope<'_, M> {
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        self.scratch.get(handle)
    }
}

impl<M: Reserve> fmt::Debug for GrowingScope<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrowingScope").field(&self.scratch).finish()
    }
}
