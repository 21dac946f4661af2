//! rarena-allocator, the arena for many threads.

use std::alloc::Layout;
use std::ptr::NonNull;

use rarena_allocator::sync::Arena;
use rarena_allocator::{Allocator, Buffer, Freelist, Options};

use crate::contender::{Contender, SharedContender, Source};

/// Without a free list, its fastest setting.
pub struct Rarena(Arena);

/// The same, with its result unwrapped as its documentation does it.
pub struct RarenaUnwrapped(Rarena);

impl Contender for Rarena {
    const NAME: &'static str = "rarena-allocator";

    fn with_capacity(bytes: usize) -> Self {
        let capacity = u32::try_from(bytes + 4096).expect("works use less than 4 GiB");
        let options = Options::new().with_capacity(capacity).with_freelist(Freelist::None);
        Self(options.alloc().expect("memory"))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        // SAFETY: works use no block after a reset.
        unsafe { self.0.clear() }.expect("the arena is writable");
    }
}

impl SharedContender for Rarena {
    fn thread_source(&self) -> impl Source {
        &self.0
    }
}

impl Source for &Arena {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        debug_assert_eq!(layout.align(), align_of::<u64>());
        let mut bytes = self.alloc_aligned_bytes::<u64>((layout.size() - size_of::<u64>()) as u32);
        // In place: moving the result out of its place on the stack costs more than the claim.
        let Ok(bytes) = &mut bytes else { panic!("works reserve what they use") };
        // SAFETY: nothing in plain bytes needs to be dropped; the arena gets them back at its
        // reset.
        unsafe { bytes.detach() };
        NonNull::new(bytes.as_mut_ptr()).expect("a block of some bytes is somewhere")
    }
}

impl Contender for RarenaUnwrapped {
    const NAME: &'static str = "rarena-allocator, unwrapped";

    fn with_capacity(bytes: usize) -> Self {
        Self(Rarena::with_capacity(bytes))
    }

    fn source(&mut self) -> impl Source {
        Unwrapping(&self.0.0)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

struct Unwrapping<'a>(&'a Arena);

impl Source for Unwrapping<'_> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        debug_assert_eq!(layout.align(), align_of::<u64>());
        let bytes = self.0.alloc_aligned_bytes::<u64>((layout.size() - size_of::<u64>()) as u32);
        let mut bytes = bytes.expect("works reserve what they use");
        // SAFETY: as above.
        unsafe { bytes.detach() };
        NonNull::new(bytes.as_mut_ptr()).expect("a block of some bytes is somewhere")
    }
}
