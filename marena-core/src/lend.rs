//! Arenas that [`Leases`](crate::Leases) can be made of: one that grows, and one that does not.

use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::claim::{Claim, Claimed, require_stable_alignment};
use crate::claimed_from::ClaimedFrom;
use crate::error::AllocError;
use crate::growing::{GrowingArena, GrowingLease};
use crate::lease::Lease;
use crate::memory::{Memory, Reserve, max_align};

/// An arena that [`Leases`](crate::Leases) can be made of: an [`Arena`] or a [`GrowingArena`] in
/// memory that can be reserved by size. This trait is sealed.
pub trait Lend: private::Lend {}

impl<M: Reserve + Send + Sync> Lend for Arena<M> {}
impl<M: Reserve + Send + Sync> Lend for GrowingArena<M> {}

pub(crate) mod private {
    use super::*;

    pub trait Lend: fmt::Debug + Sized {
        type Memory: Reserve;
        type Lease<'a>: Claims<'a, Self::Memory> + Send
        where
            Self: 'a;
        /// The largest alignment that a claim can have, in bytes.
        const MAX_ALIGN: usize;

        /// Returns a lease for one thread.
        fn lend(&self, chunk: usize) -> Self::Lease<'_>;

        /// Returns the arena itself.
        fn shared(&self) -> impl Claims<'_, Self::Memory>;
    }

    /// [`Claim`] for the types below, with one type of claim for all of them.
    pub trait Claims<'a, M: Memory> {
        /// Claims bytes of a lease's chunk, or returns `None` if they do not fit. Nearly every call
        /// is served here.
        ///
        /// # Safety
        ///
        /// - The same as for [`Claim::claim`].
        unsafe fn claim_ahead(&self, size: usize, align: usize) -> Option<Claimed<ClaimedFrom<'a, M>>>;

        /// # Safety
        ///
        /// - The same as for [`Claim::claim`].
        unsafe fn claim(
            &self,
            size: usize,
            align: usize,
            retries: Option<u32>,
        ) -> Result<Claimed<ClaimedFrom<'a, M>>, AllocError>;

        /// # Safety
        ///
        /// - The same as for [`Claim::give_back`], for bytes that were claimed from the same arena
        ///   in any way.
        unsafe fn give_back(&self, start: NonNull<u8>, size: usize);

        /// # Safety
        ///
        /// - The same as for [`Claim::extend`], for bytes that were claimed from the same arena in
        ///   any way.
        unsafe fn extend(
            &self,
            start: NonNull<u8>,
            old_size: usize,
            new_size: usize,
        ) -> Option<Claimed<ClaimedFrom<'a, M>>>;

        /// # Safety
        ///
        /// - The same as for [`Claim::epoch`].
        unsafe fn epoch(&self) -> NonZeroU64;

        fn remaining(&self) -> usize;
    }
}

impl<M: Reserve + Send + Sync> private::Lend for Arena<M> {
    type Memory = M;
    type Lease<'a>
        = Lease<'a, M>
    where
        Self: 'a;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline]
    fn lend(&self, chunk: usize) -> Lease<'_, M> {
        self.lease(chunk)
    }

    #[inline]
    fn shared(&self) -> impl private::Claims<'_, M> {
        self
    }
}

impl<M: Reserve + Send + Sync> private::Lend for GrowingArena<M> {
    type Memory = M;
    type Lease<'a>
        = GrowingLease<'a, M>
    where
        Self: 'a;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline]
    fn lend(&self, chunk: usize) -> GrowingLease<'_, M> {
        self.lease(chunk)
    }

    #[inline]
    fn shared(&self) -> impl private::Claims<'_, M> {
        self
    }
}

macro_rules! claims {
    ($(($($bound:tt)*) $type:ty: $claim:ident => $self:expr, $ahead:expr;)*) => {$(
        impl<'a, M: $($bound)*> private::Claims<'a, M> for $type {
            #[inline(always)]
            unsafe fn claim_ahead(&self, size: usize, align: usize) -> Option<Claimed<ClaimedFrom<'a, M>>> {
                require_stable_alignment::<M>(align).ok()?;
                $ahead(self, size, align)
            }

            #[inline(always)]
            unsafe fn claim(
                &self,
                size: usize,
                align: usize,
                retries: Option<u32>,
            ) -> Result<Claimed<ClaimedFrom<'a, M>>, AllocError> {
                let $claim = self;
                // SAFETY: the caller's promises.
                unsafe { Claim::claim($self, size, align, retries) }.map(Claimed::from)
            }

            #[inline]
            unsafe fn give_back(&self, start: NonNull<u8>, size: usize) {
                let $claim = self;
                // SAFETY: the caller's promises.
                unsafe { Claim::give_back($self, start, size) };
            }

            #[inline]
            unsafe fn extend(
                &self,
                start: NonNull<u8>,
                old_size: usize,
                new_size: usize,
            ) -> Option<Claimed<ClaimedFrom<'a, M>>> {
                let $claim = self;
                // SAFETY: the caller's promises.
                unsafe { Claim::extend($self, start, old_size, new_size) }.map(Claimed::from)
            }

            unsafe fn epoch(&self) -> NonZeroU64 {
                let $claim = self;
                // SAFETY: the caller's promise.
                unsafe { Claim::epoch($self) }
            }

            #[inline]
            fn remaining(&self) -> usize {
                let $claim = self;
                Claim::remaining($self)
            }
        }
    )*};
}

claims! {
    (Memory) Lease<'a, M>: lease => lease, Lease::claim_ahead;
    (Memory) &'a Arena<M>: arena => *arena, nothing_ahead;
    (Reserve) GrowingLease<'a, M>: lease => lease, GrowingLease::claim_ahead;
    (Reserve) &'a GrowingArena<M>: arena => *arena, nothing_ahead;
}

fn nothing_ahead<A, C>(_: &A, _size: usize, _align: usize) -> Option<C> {
    None
}
