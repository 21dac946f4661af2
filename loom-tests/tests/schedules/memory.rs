//! A region whose header's words switch threads at every operation.

use std::alloc::Layout;
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use marena_core::{ExclusiveMemory, Header, Memory, Word};
use shuttle::sync::atomic::{AtomicU32, Ordering};

/// How a word compares and swaps.
pub(crate) trait Step: Sized + Send + Sync + 'static {
    fn exchange(word: &AtomicU32, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;
}

/// In one step, as it must.
pub(crate) struct Atomic;

impl Step for Atomic {
    fn exchange(word: &AtomicU32, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        word.compare_exchange(current, new, success, failure)
    }
}

/// The fault: in two.
pub(crate) struct LoadThenStore;

impl Step for LoadThenStore {
    fn exchange(word: &AtomicU32, current: u32, new: u32, _: Ordering, _: Ordering) -> Result<u32, u32> {
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

// SAFETY: with `Atomic`, each method is the operation of its name, which shuttle runs one at a
// time. `LoadThenStore` breaks this promise to show that the schedules notice. The word lies in no
// region: its header is beside it.
unsafe impl<S: Step> Word for ScheduledWord<S> {
    fn load(&self, order: Ordering) -> u32 {
        self.value.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.value.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        S::exchange(&self.value, current, new, success, failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        S::exchange(&self.value, current, new, success, failure)
    }
}

/// Zeroed bytes of its own, with a header of such words beside them.
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
        // SAFETY: the invariant of `header`; nobody uses the memory any more.
        drop(unsafe { Box::from_raw(self.header.as_ptr()) });
        // SAFETY: the invariant of `region`; likewise.
        unsafe { dealloc(self.region.cast().as_ptr(), layout(self.region.len())) };
    }
}

// SAFETY: the bytes and the header are the value's own.
unsafe impl<S: Step> Send for Region<S> {}
// SAFETY: a shared reference gives only raw pointers.
unsafe impl<S: Step> Sync for Region<S> {}

// SAFETY: an allocation stays where it is, the value owns it, and nothing but its arena uses it;
// the bytes start zero and are written by what the arena hands out alone. The header is a valid one
// and lives as long.
unsafe impl<S: Step> Memory for Region<S> {
    type Word = ScheduledWord<S>;

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

// SAFETY: neither `Clone` nor reachable otherwise.
unsafe impl<S: Step> ExclusiveMemory for Region<S> {}
