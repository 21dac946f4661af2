//! The allocator traits of collections: allocator-api2's, in two versions, and the standard
//! library's.

/// Implements the allocator traits for `&T`, where `&T` implements [`Claim`](crate::Claim): that of
/// allocator-api2 0.2 with the feature `allocator-api2`, that of 0.4 with `allocator-api2-04`, and
/// the standard library's with `nightly`.
///
/// This macro is for crates that implement [`Claim`](crate::Claim) and depend on the exact version
/// of this one. Such a crate has features of the same names, which enable this crate's, and
/// `#![cfg_attr(feature = "nightly", feature(allocator_api))]`. The text after the type is an
/// example, which becomes part of the documentation.
///
/// [`Claim`](crate::Claim) has an example of its use.
#[macro_export]
#[cfg_attr(marena_allocator_api, allow_internal_unstable(allocator_api))]
macro_rules! implement_allocator {
    ($([$($generics:tt)*] $memory:ty: $example:literal)*) => {$(
        $crate::implement_std! { [$($generics)*] $memory: $example }
        $crate::implement_api2! { [$($generics)*] $memory: $example }
        $crate::implement_api2_04! { [$($generics)*] $memory: "" }
    )*};
    (@impl $api:path, $feature:literal, [$($bound:tt)*] [$($generics:tt)*] $memory:ty: $example:literal) => {
        const _: () = {
            use ::core::alloc::Layout;
            use ::core::ptr::NonNull;
            use ::core::result::Result;

            use $api as api;
            use $crate::{Claim, Reallocate};

            /// Lets collections live in the arena. The last block grows and shrinks in place, and
            /// is given back when it is freed. Other blocks stay until the reset, or until the end
            /// of a scope.
            ///
            /// In a full arena, an allocation returns an error. Most methods of collections, such
            /// as `push`, abort the program on such an error. Call `try_reserve` first where the
            /// length comes from outside.
            ///
            #[doc = $example]
            // SAFETY: blocks are claimed with their layout and are nobody else's. They stay valid
            // for the reference's lifetime, which the collection cannot outlive, because a reset
            // and the end of a scope need the owner mutably. Copies of the reference are the same
            // allocator.
            #[cfg_attr(docsrs, doc(cfg(feature = $feature)))]
            unsafe impl<$($generics)*> api::Allocator for &$memory $($bound)* {
                #[inline]
                fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, api::AllocError> {
                    Reallocate::allocate_bytes(*self, layout).ok_or(api::AllocError)
                }

                #[inline]
                fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, api::AllocError> {
                    Reallocate::allocate_zeros(*self, layout).ok_or(api::AllocError)
                }

                #[inline]
                unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
                    // SAFETY: the caller passes a block of this layout, and does not use it
                    // afterwards.
                    unsafe { Claim::give_back(*self, start, layout.size()) };
                }

                #[inline]
                unsafe fn grow(
                    &self,
                    start: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> Result<NonNull<[u8]>, api::AllocError> {
                    // SAFETY: the caller's promises are those of `Reallocate::grow`.
                    unsafe { Reallocate::grow(*self, start, old, new) }.ok_or(api::AllocError)
                }

                #[inline]
                unsafe fn grow_zeroed(
                    &self,
                    start: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> Result<NonNull<[u8]>, api::AllocError> {
                    // SAFETY: the caller's promises are those of `Reallocate::grow`.
                    unsafe { Reallocate::grow_zeroed(*self, start, old, new) }.ok_or(api::AllocError)
                }

                #[inline]
                unsafe fn shrink(
                    &self,
                    start: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> Result<NonNull<[u8]>, api::AllocError> {
                    // SAFETY: the caller's promises are those of `Reallocate::shrink`.
                    unsafe { Reallocate::shrink(*self, start, old, new) }.ok_or(api::AllocError)
                }
            }
        };
    };
}

/// A part of [`implement_allocator!`]: the standard library's trait, where this build has it.
#[cfg(all(feature = "nightly", marena_allocator_api))]
#[macro_export]
#[allow_internal_unstable(allocator_api)]
macro_rules! implement_std {
    ($($type:tt)*) => { $crate::implement_allocator! { @impl ::core::alloc, "nightly", [] $($type)* } };
}

/// A part of [`implement_allocator!`]: the standard library's trait, where this build has it.
#[cfg(not(all(feature = "nightly", marena_allocator_api)))]
#[macro_export]
macro_rules! implement_std {
    ($($type:tt)*) => {};
}

/// A part of [`implement_allocator!`]: the trait of allocator-api2 0.2, where this build has it,
/// and where it is not the standard library's.
#[cfg(all(feature = "allocator-api2", feature = "nightly", marena_allocator_api))]
#[macro_export]
#[allow_internal_unstable(allocator_api)]
macro_rules! implement_api2 {
    ([$($generics:tt)*] $memory:ty: $example:literal) => {
        $crate::implement_allocator! {
            @impl $crate::allocator_api2::alloc, "allocator-api2",
            [where
                // If this bound fails, both traits are the same one, and there is no second
                // implementation. The bound has a lifetime, because a bound without one that never
                // holds is an error.
                for<'any> (&'any (), $crate::allocator_api2::alloc::AllocError): $crate::NotStd,
                // This bound always holds. It spares the compiler the choice between two
                // implementations.
                for<'any> &'any $memory: ::core::alloc::Allocator]
            [$($generics)*] $memory: $example
        }
    };
}

/// A part of [`implement_allocator!`]: the trait of allocator-api2 0.2, where this build has it. It
/// may be the standard library's, which then is not implemented separately.
#[cfg(all(feature = "allocator-api2", not(all(feature = "nightly", marena_allocator_api))))]
#[macro_export]
#[cfg_attr(marena_allocator_api, allow_internal_unstable(allocator_api))]
macro_rules! implement_api2 {
    ($($type:tt)*) => {
        $crate::implement_allocator! { @impl $crate::allocator_api2::alloc, "allocator-api2", [] $($type)* }
    };
}

/// A part of [`implement_allocator!`]: the trait of allocator-api2 0.2, where this build has it.
#[cfg(not(feature = "allocator-api2"))]
#[macro_export]
macro_rules! implement_api2 {
    ($($type:tt)*) => {};
}

/// A part of [`implement_allocator!`]: the trait of allocator-api2 0.4, where this build has it.
#[cfg(feature = "allocator-api2-04")]
#[macro_export]
macro_rules! implement_api2_04 {
    ($($type:tt)*) => {
        $crate::implement_allocator! { @impl $crate::allocator_api2_04::alloc, "allocator-api2-04", [] $($type)* }
    };
}

/// A part of [`implement_allocator!`]: the trait of allocator-api2 0.4, where this build has it.
#[cfg(not(feature = "allocator-api2-04"))]
#[macro_export]
macro_rules! implement_api2_04 {
    ($($type:tt)*) => {};
}

crate::implement_allocator! {
    ['s, A: crate::Lend] crate::Leases<'s, A>: "```
use allocator_api2::vec::Vec;
use marena_core::{Arena, Reserve};

fn on_another_thread<M: Reserve + Send + Sync>(arena: &Arena<M>) {
    let leases = arena.leases(65_536);
    let mut numbers = Vec::new_in(&leases);
    numbers.extend(0..100_u32);
    std::thread::scope(|scope| {
        scope.spawn(move || numbers.extend(100..200));
    });
}
```"
    [M: crate::Reserve] crate::GrowingArena<M>: "```
use allocator_api2::vec::Vec;
use marena_core::{GrowingArena, Reserve};

fn any_number<M: Reserve>(arena: &GrowingArena<M>, count: u32) {
    let mut numbers = Vec::new_in(arena);
    numbers.extend(0..count);
}
```"
    ['a, M: crate::Reserve] crate::GrowingScope<'a, M>: "```
use allocator_api2::vec::Vec;
use marena_core::{GrowingArena, Reserve};

fn any_number<M: Reserve>(arena: &mut GrowingArena<M>, count: u32) -> usize {
    arena.scoped(|scope| {
        let mut numbers = Vec::new_in(&*scope);
        numbers.extend(0..count);
        numbers.len()
    })
}
```"
    ['a, M: crate::Reserve] crate::GrowingScratch<'a, M>: "```
use allocator_api2::vec::Vec;
use marena_core::{GrowingArena, Reserve};

fn any_number<M: Reserve>(arena: &mut GrowingArena<M>, count: u32) {
    let scratch = arena.scratch();
    let mut numbers = Vec::new_in(&scratch);
    numbers.extend(0..count);
}
```"
    ['a, M: crate::Reserve] crate::GrowingLease<'a, M>: "```
use allocator_api2::vec::Vec;
use marena_core::{GrowingArena, Reserve};

fn any_number<M: Reserve>(arena: &GrowingArena<M>, count: u32) {
    let lease = arena.lease(65_536);
    let mut numbers = Vec::new_in(&lease);
    numbers.extend(0..count);
}
```"
    [M: crate::Memory, const N: usize] crate::Regions<M, N>: "```
use allocator_api2::vec::Vec;
use marena_core::{Arena, Regions, StaticMemory};

static MEMORY: StaticMemory<1024> = StaticMemory::new();
let mut regions: Regions<_, 1> = Regions::new();
regions.push(Arena::from_static(&MEMORY)).unwrap();
let mut numbers = Vec::new_in(&regions);
numbers.extend(0..100_u32);
assert_eq!(regions.arenas()[0].used(), 400);
```"
    [M: crate::Memory] crate::Arena<M>: "```
use allocator_api2::vec::Vec;
use core::mem::MaybeUninit;
use marena_core::Arena;

let mut bytes = [MaybeUninit::uninit(); 4096];
let arena = Arena::borrowed(&mut bytes)?;
let mut numbers = Vec::new_in(&arena);
numbers.extend(0..100_u32);
assert!(arena.used() >= 400);
# Ok::<(), marena_core::MemoryError>(())
```"
    ['p, M: crate::ExclusiveMemory] crate::PoolGuard<'p, M>: "```
use allocator_api2::vec::Vec;
use core::mem::MaybeUninit;
use marena_core::{BorrowedMemory, Pool};

let mut bytes = [MaybeUninit::uninit(); 4096];
let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
let guard = pool.acquire().unwrap();
let mut numbers = Vec::new_in(&guard);
numbers.extend(0..100_u32);
assert_eq!(guard.used(), 400);
# Ok::<(), marena_core::MemoryError>(())
```"
    ['a, M: crate::Memory] crate::Lease<'a, M>: "```
use allocator_api2::boxed::Box;
use core::mem::MaybeUninit;
use marena_core::Arena;

let mut bytes = [MaybeUninit::uninit(); 4096];
let arena = Arena::borrowed(&mut bytes)?;
let lease = arena.lease(1024);
let number = Box::new_in(7, &lease);
assert_eq!(*number, 7);
# Ok::<(), marena_core::MemoryError>(())
```"
    ['x, M: crate::Memory] crate::Scope<'x, M>: "```
use allocator_api2::vec::Vec;
use core::mem::MaybeUninit;
use marena_core::Arena;

let mut bytes = [MaybeUninit::uninit(); 4096];
let mut arena = Arena::borrowed(&mut bytes)?;
arena.scoped(|scope| {
    let mut numbers = Vec::new_in(&*scope);
    numbers.extend(0..100_u32);
});
# Ok::<(), marena_core::MemoryError>(())
```"
    ['s, M: crate::Memory] crate::Scratch<'s, M>: "```
use allocator_api2::vec::Vec;
use core::mem::MaybeUninit;
use marena_core::Arena;

let mut bytes = [MaybeUninit::uninit(); 4096];
let mut arena = Arena::borrowed(&mut bytes)?;
let scratch = arena.scratch();
let mut numbers = Vec::new_in(&scratch);
numbers.extend(0..100_u32);
# Ok::<(), marena_core::MemoryError>(())
```"
}
