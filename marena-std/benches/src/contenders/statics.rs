//! static-alloc: a bump over memory of a size fixed at build time.

use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use static_alloc::Bump;

use crate::contender::{Contender, SharedContender, Source};

/// More than any work asks for; what is not touched takes no memory.
const CAPACITY: usize = 256 << 20;

type Region = Bump<[MaybeUninit<u64>; CAPACITY / size_of::<u64>()]>;

/// Over leaked memory, which stands for a static that can be reset.
pub struct StaticAlloc(&'static mut Region);

impl Contender for StaticAlloc {
    const NAME: &'static str = "static-alloc";

    fn with_capacity(bytes: usize) -> Self {
        assert!(bytes <= CAPACITY, "raise CAPACITY");
        Self(Bump::from_maybe_uninit(Box::leak(Box::new_uninit())))
    }

    fn source(&mut self) -> impl Source {
        &*self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl SharedContender for StaticAlloc {
    fn thread_source(&self) -> impl Source {
        &*self.0
    }
}

impl Source for &Region {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.alloc(layout).expect("works reserve what they use")
    }
}
