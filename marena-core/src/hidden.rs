//! Tells the address sanitizer which bytes of a region nobody may touch: those that are not handed out.
//!
//! Only under `--cfg marena_asan`, for test runs with `-Zsanitizer=address`; otherwise every type here is empty, and so is every
//! function. A region is hidden when an arena is formatted in it. A claim shows the bytes that were asked for, and not the
//! padding around them. A give-back, the end of a scratch and a reset hide them again, always before the cursor moves: afterwards
//! they can be somebody else's.

#[cfg(not(marena_asan))]
pub(crate) use off::{Kept, Region, Run, hide, show};
#[cfg(marena_asan)]
pub(crate) use on::{Kept, Region, Run, hide, show};

#[cfg(not(marena_asan))]
mod off {
    use core::marker::PhantomData;
    use core::ptr::NonNull;

    #[inline(always)]
    pub(crate) fn hide(_: NonNull<u8>, _: usize) {}

    #[inline(always)]
    pub(crate) fn show(_: NonNull<u8>, _: usize) {}

    pub(crate) struct Region;

    impl Region {
        pub(crate) const UNKNOWN: Self = Self;

        #[inline(always)]
        pub(crate) fn hidden(_: NonNull<[u8]>) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn found(_: NonNull<[u8]>) -> Self {
            Self
        }
    }

    pub(crate) struct Run;

    impl Run {
        #[inline(always)]
        pub(crate) fn from(_: NonNull<u8>) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn restart(&self, _: NonNull<u8>) {}

        #[inline(always)]
        pub(crate) fn hide(&self, _: NonNull<u8>) {}
    }

    pub(crate) struct Kept<T>(PhantomData<T>);

    impl<T> Kept<T> {
        #[inline(always)]
        pub(crate) fn copy_of(_: &T) -> Self {
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

    /// From here on a use of these bytes is reported. The caller owns them, and uses them no more.
    pub(crate) fn hide(start: NonNull<u8>, size: usize) {
        // SAFETY: the bytes lie in a region; the sanitizer only notes that they are not to be used.
        unsafe { __asan_poison_memory_region(start.as_ptr(), size) };
    }

    /// These bytes are the caller's to use.
    pub(crate) fn show(start: NonNull<u8>, size: usize) {
        // SAFETY: as in `hide`.
        unsafe { __asan_unpoison_memory_region(start.as_ptr(), size) };
    }

    /// Where an arena hides bytes. At its end the memory is its owner's again, and all of it is shown.
    pub(crate) struct Region {
        start: usize,
        size: usize,
    }

    impl Region {
        /// A region that is never given back to an owner: a static's.
        pub(crate) const UNKNOWN: Self = Self { start: 0, size: 0 };

        /// The region of an arena that starts empty: hidden, but for its header.
        pub(crate) fn hidden(region: NonNull<[u8]>) -> Self {
            let found = Self::found(region);
            // SAFETY: every region is longer than a header.
            hide(unsafe { region.cast::<u8>().add(HEADER_SIZE) }, found.size);
            found
        }

        /// The region of an arena that was there before. What is in use of it is not known, so nothing is hidden yet.
        pub(crate) fn found(region: NonNull<[u8]>) -> Self {
            Self { start: region.addr().get() + HEADER_SIZE, size: region.len() - HEADER_SIZE }
        }
    }

    impl Drop for Region {
        fn drop(&mut self) {
            if let Some(start) = NonNull::new(ptr::without_provenance_mut(self.start)) {
                show(start, self.size);
            }
        }
    }

    /// What a scope needs at its end to hide all that it handed out.
    pub(crate) struct Kept<T>(T);

    impl<T: Clone> Kept<T> {
        pub(crate) fn copy_of(value: &T) -> Self {
            Self(value.clone())
        }

        pub(crate) fn with(&self, hide: impl FnOnce(&T)) {
            hide(&self.0);
        }
    }

    /// The bytes that a bump handed out from its current run.
    pub(crate) struct Run(Cell<NonNull<u8>>);

    impl Run {
        pub(crate) fn from(start: NonNull<u8>) -> Self {
            Self(Cell::new(start))
        }

        /// The bump goes on elsewhere.
        pub(crate) fn restart(&self, start: NonNull<u8>) {
            self.0.set(start);
        }

        /// Hides what was handed out, up to `next`.
        pub(crate) fn hide(&self, next: NonNull<u8>) {
            hide(self.0.get(), next.addr().get() - self.0.get().addr().get());
        }
    }
}
