//! Memory that can be had by its size.

use super::ExclusiveMemory;
use crate::error::MemoryError;
use crate::per_thread::PerThread;

/// Memory that can be had by its size: from an operating system, a kernel's page allocator, a heap.
///
/// [`Arena::with_capacity`](crate::Arena::with_capacity), [`Arena::builder`](crate::Arena::builder)
/// and [`Arena::trim`](crate::Arena::trim) are there for arenas in such memory. `marena-std`'s
/// `Arena` is one.
///
/// # Examples
///
/// ```
/// use core::ptr::NonNull;
/// use marena_core::{Arena, AtomicU32, ExclusiveMemory, Memory, MemoryError, NoThreads, Reserve};
/// use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
///
/// struct Heap(NonNull<[u8]>);
///
/// // SAFETY: `reserve` allocates the bytes, and only dropping the value frees them.
/// unsafe impl Memory for Heap {
///     type Word = AtomicU32;
///     fn region(&self) -> NonNull<[u8]> {
///         self.0
///     }
/// }
/// // SAFETY: nobody else has the pointer, and the value is not `Clone`.
/// unsafe impl ExclusiveMemory for Heap {}
///
/// impl Heap {
///     fn layout(capacity: usize) -> Layout {
///         Layout::from_size_align(capacity, 128).expect("a capacity that `reserve` has checked")
///     }
/// }
///
/// impl Reserve for Heap {
///     type Error = MemoryError;
///     /// There is nothing to set but the capacity.
///     type Builder<'b> = ();
///     type PerThread<T: Send> = NoThreads<T>;
///     const MAX_CAPACITY: usize = 1 << 30;
///
///     fn reserve(capacity: usize) -> Result<Self, MemoryError> {
///         if capacity > Self::MAX_CAPACITY {
///             return Err(MemoryError::TooLarge { limit: Self::MAX_CAPACITY, len: capacity });
///         }
///         let layout = Self::layout(capacity.max(136));
///         // SAFETY: the size is not 0.
///         let start = NonNull::new(unsafe { alloc(layout) });
///         let start = start.unwrap_or_else(|| handle_alloc_error(layout));
///         Ok(Self(NonNull::slice_from_raw_parts(start, layout.size())))
///     }
/// }
///
/// impl Drop for Heap {
///     fn drop(&mut self) {
///         // SAFETY: allocated by `reserve` with this layout.
///         unsafe { dealloc(self.0.cast().as_ptr(), Self::layout(self.0.len())) };
///     }
/// }
///
/// let arena = Arena::<Heap>::with_capacity(4096)?;
/// assert_eq!(arena.remaining(), 4096 - 128);
/// # Ok::<(), MemoryError>(())
/// ```
pub trait Reserve: ExclusiveMemory + Sized {
    /// Why there is no such memory.
    type Error: From<MemoryError>;

    /// The settings of memory to be, at their defaults.
    type Builder<'b>: Default;

    /// How [`Leases`](crate::Leases) of arenas in such memory find the calling thread's:
    /// [`NoThreads`](crate::NoThreads) where there are no threads to tell apart.
    type PerThread<T: Send>: PerThread<T> + Default;

    /// The largest capacity, in bytes.
    const MAX_CAPACITY: usize;

    /// Returns fresh memory of at least `capacity` bytes.
    ///
    /// A [`GrowingArena`](crate::GrowingArena) reserves one segment at a time. If this method, or
    /// dropping what it returned, allocates from that arena, and it has no room, the thread waits
    /// for itself for ever.
    ///
    /// # Errors
    ///
    /// Where there is none of this size.
    fn reserve(capacity: usize) -> Result<Self, Self::Error>;

    /// Offers the memory past the region's first `kept` bytes to where it came from, which provides
    /// it anew when it is touched.
    ///
    /// # Errors
    ///
    /// Where the memory could not be taken back. Each byte is then what it was, or zero.
    ///
    /// # Safety
    ///
    /// Nobody else uses those bytes meanwhile, or relies on their values afterwards: each is what
    /// it was, or zero.
    unsafe fn give_back_past(&self, kept: usize) -> Result<GivenBack, Self::Error> {
        let _ = kept;
        Ok(GivenBack { bytes: 0, zero_from: self.region().len() })
    }

    /// Lets others go on. A thread calls this again and again while it waits for another one that
    /// reserves memory for a [`GrowingArena`](crate::GrowingArena): with an operating system, a
    /// good place to yield.
    fn wait() {
        core::hint::spin_loop();
    }
}

/// Memory that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenBack {
    /// Bytes that were offered: 0 for memory that cannot be given back.
    pub bytes: usize,
    /// Every byte of the region at this offset or behind it is zero. The region's length where that
    /// is not known.
    pub zero_from: usize,
}
