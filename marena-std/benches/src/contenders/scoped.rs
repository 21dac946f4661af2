//! bump-scope, with and without a scope.

use std::alloc::Layout;
use std::ptr::NonNull;

use bump_scope::alloc::Global;
use bump_scope::settings::BumpSettings;
use bump_scope::traits::BumpAllocatorTyped;
use bump_scope::{Bump, BumpScopeGuard};

use crate::contender::{Contender, Source};

/// A bump, reset as a whole.
pub struct BumpScope(pub Bump);

/// A scope of the bump.
pub struct BumpScoped(Bump);

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
