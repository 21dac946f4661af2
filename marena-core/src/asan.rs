//! Tells the address sanitizer which bytes of a region nobody may touch: the bytes that are not
//! handed out.
//!
//! This is for test runs with `-Zsanitizer=address` and `--cfg marena_asan`. Without the latter,
//! every type and function here is empty.
//!
//! Formatting an arena poisons its region. A claim unpoisons the bytes that were asked for, not the
//! padding around them. A give-back, the end of a scope and a reset poison them again, always
//! before the cursor moves: afterwards the bytes can belong to another thread.

#[cfg(not(marena_asan))]
pub(crate) use off::{Kept, Region, Run, poison, unpoison};
#[cfg(marena_asan)]
pub(crate) use on::{Kept, Region, Run, poison, unpoison};

#[cfg(not(marena_asan))]
mod off {
    use core::marker::PhantomData;
    use core::ptr::NonNull;

    #[inline(always)]
    pub(crate) fn poison(_: NonNull<u8>, _: usize) {}

    #[inline(always)]
    pub(crate) fn unpoison(_: NonNull<u8>, _: usize) {}

    pub(crate) struct Region;

    impl Region {
        pub(crate) const UNKNOWN: Self = Self;

        #[inline(always)]
        pub(crate) fn poisoned(_: NonNull<[u8]>) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn found(_: NonNull<[u8]>) -> Self {
            Self
        }
    }

    #[derive(Clone)]
    pub(crate) struct Run;

    impl Run {
        #[inline(always)]
        pub(crate) fn from(_: NonNull<u8>) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn restart(&self, _: NonNull<u8>) {}

        #[inline(always)]
        pub(crate) fn go_on_as(&self, _: &Self) {}

        #[inline(always)]
        pub(crate) fn poison(&self, _: NonNull<u8>) {}
    }

    pub(crate) struct Kept<T>(PhantomData<T>);

    impl<T> Kept<T> {
        #[inline(always)]
        pub(crate) fn made_by(_: impl FnOnce() -> T) -> Self {
            Self(PhantomData)
        }

        #[inline(always)]
        pub(crate) fn with(&self, _: impl FnOnce(&T)) {}
    }
}

#[cfg(marena_asan)]
mod on {
    use core::cell::Cell;
    use core::ptr::{self, NonNull};

    use crate::placement::HEADER_SIZE;

    unsafe extern "C" {
        fn __asan_poison_memory_region(start: *const u8, size: usize);
        fn __asan_unpoison_memory_region(start: *const u8, size: usize);
    }

    /// From here on the sanitizer reports every use of these bytes. They are the caller's, who is
    /// done with them.
    pub(crate) fn poison(start: NonNull<u8>, size: usize) {
        // SAFETY: the bytes lie in a region. The sanitizer only notes that they must not be used.
        unsafe { __asan_poison_memory_region(start.as_ptr(), size) };
    }

    /// Unpoisons bytes, which the caller may use from here on.
    pub(crate) fn unpoison(start: NonNull<u8>, size: usize) {
        // SAFETY: the bytes lie in a region. The sanitizer only notes that they may be used.
        unsafe { __asan_unpoison_memory_region(start.as_ptr(), size) };
    }

    /// The region in which an arena poisons bytes. At the arena's end all of it is unpoisoned,
    /// because it belongs to its owner again.
    pub(crate) struct Region {
        start: usize,
        size: usize,
    }

    impl Region {
        /// The region of a static, which is never given back to an owner.
        pub(crate) const UNKNOWN: Self = Self { start: 0, size: 0 };

        /// Poisons the region of an arena that starts empty, except its header.
        pub(crate) fn poisoned(region: NonNull<[u8]>) -> Self {
            let found = Self::found(region);
            // SAFETY: every region is longer than a header.
            let behind_header = unsafe { region.cast::<u8>().add(HEADER_SIZE) };
            poison(behind_header, found.size);
            found
        }

        /// Returns the region of an arena that was there before. Nothing is poisoned, because it is
        /// not known which bytes are in use.
        pub(crate) fn found(region: NonNull<[u8]>) -> Self {
            Self { start: region.addr().get() + HEADER_SIZE, size: region.len() - HEADER_SIZE }
        }
    }

    impl Drop for Region {
        fn drop(&mut self) {
            if let Some(start) = NonNull::new(ptr::without_provenance_mut(self.start)) {
                unpoison(start, self.size);
            }
        }
    }

    /// A value that a scope needs at its end, to poison all that it handed out.
    pub(crate) struct Kept<T>(T);

    impl<T> Kept<T> {
        pub(crate) fn made_by(make: impl FnOnce() -> T) -> Self {
            Self(make())
        }

        pub(crate) fn with(&self, poison: impl FnOnce(&T)) {
            poison(&self.0);
        }
    }

    /// The bytes that a bump handed out from its current run.
    #[derive(Clone)]
    pub(crate) struct Run(Cell<NonNull<u8>>);

    impl Run {
        pub(crate) fn from(start: NonNull<u8>) -> Self {
            Self(Cell::new(start))
        }

        /// Makes the run start elsewhere.
        pub(crate) fn restart(&self, start: NonNull<u8>) {
            self.0.set(start);
        }

        /// Starts where another run does.
        pub(crate) fn go_on_as(&self, other: &Self) {
            self.0.set(other.0.get());
        }

        /// Poisons what was handed out, up to `next`.
        pub(crate) fn poison(&self, next: NonNull<u8>) {
            // A scope that came back to a run may have given back blocks from before that.
            poison(self.0.get(), next.addr().get().saturating_sub(self.0.get().addr().get()));
        }
    }
}
