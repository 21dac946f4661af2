//! multitude: an arena for one thread.

use std::alloc::Layout;
use std::ptr::NonNull;

use multitude::{Alloc, Arena};

use crate::contender::{Contender, Source};

/// An arena, whose plainest way to allocate is used: without a reference count.
pub struct Multitude(Arena);

impl Contender for Multitude {
    const NAME: &'static str = "multitude";

    /// There is no capacity to set: what was reserved grows at the first use, which is not
    /// measured.
    fn with_capacity(_bytes: usize) -> Self {
        Self(Arena::new())
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Source for &Arena {
    fn block(&mut self, _layout: Layout) -> NonNull<u8> {
        unreachable!("no work asks it for blocks of a layout that is known only at run time")
    }

    #[inline(always)]
    fn block_for<T>(&mut self) -> NonNull<u8> {
        NonNull::from(Alloc::leak(self.alloc_uninit::<T>())).cast()
    }
}
