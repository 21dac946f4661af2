//! A region whose header words switch threads at every operation.

use std::alloc::Layout;
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use marena_core::{ExclusiveMemory, Header, Memory, Word};
use shuttle::sync::atomic::{AtomicU32, Ordering};

/// How a word does a compare-and-swap.
pub(crate) trait Step: Sized + Send + Sync + 'static {
    fn compare_and_swap(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32>;
}

/// A compare-and-swap in one step, as it must be.
pub(crate) struct Atomic;

impl Step for Atomic {
    fn compare_and_swap(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        word.compare_exchange(current, new, success, failure)
    }
}

/// A planted fault: a compare-and-swap in two steps.
pub(crate) struct LoadThenStore;

impl Step for LoadThenStore {
    fn compare_and_swap(word: &AtomicU32, current: u32, new: u32, _: Ordering, _: Ordering) -> Result<u32, u32> {
        match word.load(Ordering::Acquire) {
            found if found == current => {
                word.store(new, Ordering::Release);
                Ok(current)
            }
            found => Err(found),
        }
    }
}

pub(crate) struct ScheduledWord<S> {
    value: AtomicU32,
    step: PhantomData<S>,
}

// SAFETY: with `Atomic`, each method is the operation of its name, and shuttle runs one at a time.
// `LoadThenStore` breaks this promise to show that the schedules notice. The word lies in no
// region: its header is beside the region.
unsafe impl<S: Step> Word for ScheduledWord<S> {
    fn load(&self, order: Ordering) -> u32 {
        self.value.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.value.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        S::compare_and_swap(&self.value, current, new, success, failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        S::compare_and_swap(&self.value, current, new, success, failure)
    }
}

/// Zeroed bytes that the value owns, with a header of such words beside them.
pub(crate) struct Region<S: Step> {
    /// INVARIANT: allocated with `layout(region.len())`, freed on drop.
    region: NonNull<[u8]>,
    /// INVARIANT: from a `Box`, freed on drop.
    header: NonNull<Header<ScheduledWord<S>>>,
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, 128).expect("a region is small")
}

impl<S: Step> Region<S> {
    pub(crate) fn new(len: usize) -> Self {
        assert!(len > 0, "a region has bytes");
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout(len)) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout(len)) };
        let word = || ScheduledWord { value: AtomicU32::new(0), step: PhantomData };
        let header = NonNull::from(Box::leak(Box::new(Header::from_words(word))));
        Self { region: NonNull::slice_from_raw_parts(start, len), header }
    }
}

impl<S: Step> Drop for Region<S> {
    fn drop(&mut self) {
        // SAFETY: the invariant of `header`; no arena over the memory is left.
        drop(unsafe { Box::from_raw(self.header.as_ptr()) });
        // SAFETY: the invariant of `region`; likewise.
        unsafe { dealloc(self.region.cast().as_ptr(), layout(self.region.len())) };
    }
}

// SAFETY: the value owns the bytes and the header.
unsafe impl<S: Step> Send for Region<S> {}
// SAFETY: a shared reference gives only raw pointers.
unsafe impl<S: Step> Sync for Region<S> {}

// SAFETY: the value owns an allocation, which stays in place and which only its arena uses. The
// bytes start zero, and only blocks of the arena write them. The header is valid as long as the
// value.
unsafe impl<S: Step> Memory for Region<S> {
    type Word = ScheduledWord<S>;
    const BACKS_OFF: bool = true;

    fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    fn header(&self) -> NonNull<Header<Self::Word>> {
        self.header
    }

    fn is_zeroed(&self) -> bool {
        true
    }
}

// SAFETY: the type is not `Clone`, and the value is the only way to the bytes.
unsafe impl<S: Step> ExclusiveMemory for Region<S> {}
