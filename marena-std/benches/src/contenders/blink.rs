//! blink-alloc, for one thread and for many.

use std::alloc::Layout;
use std::ptr::NonNull;

use allocator_api2_04::alloc::Global;
use blink_alloc::{BlinkAlloc, SyncBlinkAlloc};

use crate::contender::{Contender, SharedContender, Source};

/// For one thread.
pub struct Blink(pub BlinkAlloc);

/// For many.
pub struct SyncBlink(SyncBlinkAlloc);

/// More than the largest capacity, for the chunk's own header.
const SLACK: usize = 4096;

impl Contender for Blink {
    const NAME: &'static str = "blink-alloc";

    fn with_capacity(bytes: usize) -> Self {
        Self(BlinkAlloc::with_chunk_size(bytes + SLACK))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Source for &BlinkAlloc {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate(layout).expect("memory").cast()
    }
}

impl Contender for SyncBlink {
    const NAME: &'static str = "blink-alloc (sync)";

    fn with_capacity(bytes: usize) -> Self {
        Self(SyncBlinkAlloc::with_chunk_size_in(bytes + SLACK, Global))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl SharedContender for SyncBlink {
    fn thread_source(&self) -> impl Source {
        &self.0
    }
}

impl Source for &SyncBlinkAlloc {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate(layout).expect("memory").cast()
    }
}
