//! bump-scope, with and without a scope.

use std::alloc::Layout;
use std::ptr::NonNull;

use bump_scope::alloc::Global;
use bump_scope::settings::BumpSettings;
use bump_scope::traits::BumpAllocatorTyped;
use bump_scope::{Bump, BumpPool, BumpPoolGuard, BumpScopeGuard};

use crate::contender::{Contender, SharedContender, Source};

/// A bump, reset as a whole.
pub struct BumpScope(pub Bump);

/// A scope of the bump.
pub struct BumpScoped(Bump);

/// A pool of bumps: one for each thread.
pub struct BumpScopePool(BumpPool);

fn bump(bytes: usize) -> Bump {
    Bump::with_capacity(Layout::from_size_align(bytes, 8).expect("a capacity is no more than a layout's size"))
}

impl Contender for BumpScope {
    const NAME: &'static str = "bump-scope";

    fn with_capacity(bytes: usize) -> Self {
        Self(bump(bytes))
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
        self.allocate_layout(layout)
    }

    #[inline(always)]
    fn block_for<T>(&mut self) -> NonNull<u8> {
        self.allocate_sized::<T>().cast()
    }
}

impl Contender for BumpScoped {
    const NAME: &'static str = "bump-scope, a scope";

    fn with_capacity(bytes: usize) -> Self {
        Self(bump(bytes))
    }

    fn source(&mut self) -> impl Source {
        self.0.scope_guard()
    }

    /// The scope's end took everything back.
    fn reset(&mut self) {}
}

impl Source for BumpScopeGuard<'_, Global, BumpSettings> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.scope().allocate_layout(layout)
    }

    #[inline(always)]
    fn block_for<T>(&mut self) -> NonNull<u8> {
        self.scope().allocate_sized::<T>().cast()
    }
}

impl Contender for BumpScopePool {
    const NAME: &'static str = "bump-scope's BumpPool";

    fn with_capacity(bytes: usize) -> Self {
        let mut pool = BumpPool::new();
        // Each thread's has room for all.
        pool.bumps().extend((0..crate::machine::cores()).map(|_| bump(bytes)));
        Self(pool)
    }

    fn source(&mut self) -> impl Source {
        self.0.get()
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl SharedContender for BumpScopePool {
    fn thread_source(&self) -> impl Source {
        self.0.get()
    }
}

impl Source for BumpPoolGuard<'_> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate_layout(layout)
    }

    #[inline(always)]
    fn block_for<T>(&mut self) -> NonNull<u8> {
        self.allocate_sized::<T>().cast()
    }
}
