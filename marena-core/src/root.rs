//! One root slot of a header: an address, or 0, that outlives the process where the memory does.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

pub(crate) use imp::Root;

/// Publishing is one native 64-bit store, so a slot is a cell that only such atomics reach.
#[cfg(target_has_atomic = "64")]
mod imp {
    use core::cell::UnsafeCell;
    use core::marker::PhantomData;
    use core::sync::atomic::AtomicU64;

    use super::{Acquire, Relaxed};

    /// Aligned for atomics on targets, too, where a `u64` by itself is aligned to less.
    #[repr(C, align(8))]
    pub(crate) struct Root<W> {
        number: UnsafeCell<u64>,
        word: PhantomData<W>,
    }

    // SAFETY: the cell is reached through `atomic` only, or mutably.
    unsafe impl<W: Sync> Sync for Root<W> {}

    impl<W> Root<W> {
        /// A slot that names nothing, whose words, if it needs any, `zero` makes.
        pub(crate) fn from_words(_: &mut impl FnMut() -> W) -> Self {
            Self { number: UnsafeCell::new(0), word: PhantomData }
        }

        pub(crate) fn atomic(&self) -> &AtomicU64 {
            // SAFETY: the cell lies in `self`, aligned to 8 as its type is. Through a shared
            // reference it is reached here alone, so all accesses that can meet are atomic ones of
            // this width.
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

        /// As [`clear`](Self::clear), by the exclusive owner.
        #[inline(always)]
        pub(crate) fn clear_mut(&mut self) {
            *self.number.get_mut() = 0;
        }
    }
}

/// No thread here publishes, but memory may come from where others do. Two words, each an atomic.
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
        /// Two loads, between which a peer's store may come: what they give is checked and never
        /// trusted.
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

        /// As [`clear`](Self::clear), by the exclusive owner.
        #[inline(always)]
        pub(crate) fn clear_mut(&mut self) {
            self.halves[0].write(0);
            self.halves[1].write(0);
        }
    }
}
