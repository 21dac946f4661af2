//! A root slot of a header: an address or 0, which outlives the process where the memory does.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

pub(crate) use imp::Root;

/// Here publishing is one native 64-bit store. A slot is a cell that only 64-bit atomics access.
#[cfg(target_has_atomic = "64")]
mod imp {
    use core::cell::UnsafeCell;
    use core::marker::PhantomData;
    use core::sync::atomic::AtomicU64;

    use super::{Acquire, Relaxed};

    /// The alignment is that of 64-bit atomics. On some targets a `u64` has a smaller one.
    #[repr(C, align(8))]
    pub(crate) struct Root<W> {
        number: UnsafeCell<u64>,
        word: PhantomData<W>,
    }

    // SAFETY: shared access to the cell goes through `atomic` only.
    unsafe impl<W: Sync> Sync for Root<W> {}

    impl<W> Root<W> {
        /// Creates a slot that names nothing. Its words, if it needs any, come from the argument.
        pub(crate) fn from_words(_: &mut impl FnMut() -> W) -> Self {
            Self { number: UnsafeCell::new(0), word: PhantomData }
        }

        pub(crate) fn atomic(&self) -> &AtomicU64 {
            // SAFETY: the cell lies in `self` and is aligned to 8, as its type is. Shared access to
            // it happens here only, so all accesses that can meet are atomic ones of this width.
            unsafe { AtomicU64::from_ptr(self.number.get()) }
        }

        pub(crate) fn load(&self) -> u64 {
            // ORDERING: Acquire pairs with the Release of the thread that published: the claim of
            // what the number names happens before.
            self.atomic().load(Acquire)
        }

        /// Makes the slot name nothing.
        pub(crate) fn clear(&self) {
            // ORDERING: Relaxed: the caller's next store, of the magic or the cursor, releases it.
            self.atomic().store(0, Relaxed);
        }

        /// Makes the slot name nothing, for its exclusive owner.
        #[inline(always)]
        pub(crate) fn clear_mut(&mut self) {
            *self.number.get_mut() = 0;
        }
    }
}

/// On these targets no thread publishes, but the memory may come from a target where threads do. A
/// slot is two atomic words.
#[cfg(not(target_has_atomic = "64"))]
mod imp {
    use super::{Acquire, Relaxed};
    use crate::sync::Word;

    #[repr(C, align(8))]
    pub(crate) struct Root<W> {
        /// In memory order.
        halves: [W; 2],
    }

    impl<W> Root<W> {
        pub(crate) fn from_words(zero: &mut impl FnMut() -> W) -> Self {
            Self { halves: [zero(), zero()] }
        }
    }

    impl<W: Word> Root<W> {
        /// Returns the number in the slot. A peer may store between the two loads, so the caller
        /// checks the result and never trusts it.
        pub(crate) fn load(&self) -> u64 {
            // ORDERING: Acquire pairs with the Release of the peer that published.
            let [low, high] = [&self.halves[0], &self.halves[1]].map(|half| half.load(Acquire));
            let ([a, b, c, d], [e, f, g, h]) = (low.to_ne_bytes(), high.to_ne_bytes());
            u64::from_ne_bytes([a, b, c, d, e, f, g, h])
        }

        /// Makes the slot name nothing.
        pub(crate) fn clear(&self) {
            // ORDERING: Relaxed: the caller's next store, of the magic or the cursor, releases
            // them.
            self.halves[0].store(0, Relaxed);
            // ORDERING: as above.
            self.halves[1].store(0, Relaxed);
        }

        /// Makes the slot name nothing, for its exclusive owner.
        #[inline(always)]
        pub(crate) fn clear_mut(&mut self) {
            self.halves[0].write(0);
            self.halves[1].write(0);
        }
    }
}
