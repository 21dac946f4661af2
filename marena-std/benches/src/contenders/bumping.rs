//! bumpalo, and bumpalo-herd: a bump for each thread.

use std::alloc::Layout;
use std::ptr::NonNull;

use bumpalo::Bump;
use bumpalo_herd::Member;

use crate::contender::{Contender, SharedContender, Source};

/// A bump.
pub struct Bumpalo(pub Bump);

/// A bump for each thread; here each thread's has room for all.
pub struct Herd(bumpalo_herd::Herd);

impl Contender for Bumpalo {
    const NAME: &'static str = "bumpalo";

    fn with_capacity(bytes: usize) -> Self {
        Self(Bump::with_capacity(bytes))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Source for &Bump {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.alloc_layout(layout)
    }
}

impl Contender for Herd {
    const NAME: &'static str = "bumpalo-herd";

    fn with_capacity(bytes: usize) -> Self {
        let mut herd = bumpalo_herd::Herd::new();
        let layout = Layout::from_size_align(bytes, 8).expect("a capacity is no more than a layout's size");
        {
            // There is no capacity to set. A member keeps its largest chunk at a reset: as many
            // members as may be needed at once each get one.
            let members: Vec<_> = (0..crate::machine::cores()).map(|_| herd.get()).collect();
            for member in &members {
                member.alloc_layout(layout);
            }
        }
        herd.reset();
        Self(herd)
    }

    fn source(&mut self) -> impl Source {
        self.0.get()
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl SharedContender for Herd {
    fn thread_source(&self) -> impl Source {
        self.0.get()
    }
}

impl Source for Member<'_> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.alloc_layout(layout)
    }
}
