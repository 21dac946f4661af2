//! An arena that grows.

use crate::memory::OwnedMemory;

/// An arena that grows and reserves its own memory: [`marena_core::GrowingArena`] in
/// [`OwnedMemory`].
///
/// It has no memory before the first allocation. Its segments have 64 KiB, 128 KiB and so on up to
/// 1 GiB. A segment reserves address space, and uses memory from the first touch of each page on.
/// **Values placed in it are not dropped.**
///
/// # Examples
///
/// ```
/// use marena_std::{AllocError, GrowingArena};
///
/// let mut arena = GrowingArena::new();
/// let numbers = (0..100_000).map(|number| arena.alloc(number));
/// let numbers: Result<Vec<&mut u64>, _> = numbers.collect();
/// assert_eq!(*numbers?[99_999], 99_999);
///
/// // Any number of threads allocate, each in its own lease.
/// let leases = arena.leases(65_536);
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| (0..100_000).try_for_each(|number| leases.alloc(number).map(drop)));
///     }
/// });
/// drop(leases);
///
/// arena.reset(); // the segments stay, for what comes next
/// assert_eq!(arena.stats().used, 0);
/// # Ok::<(), AllocError>(())
/// ```
///
/// With a limit, the arena is full when it reaches the limit:
///
/// ```
/// use marena_std::{AllocError, Error, GrowingArena};
///
/// let builder = GrowingArena::builder().first_segment(64 << 10).max_segment(1 << 20);
/// let arena = builder.limit(2 << 20).build()?;
/// assert!(arena.allocate(1_500_000).is_ok());
/// assert!(matches!(arena.allocate(1_500_000), Err(AllocError::Full { .. })));
/// # Ok::<(), Error>(())
/// ```
///
/// An allocation borrows the arena, so it cannot outlive a reset:
///
/// ```compile_fail,E0502
/// # let mut arena = marena_std::GrowingArena::new();
/// let number = arena.alloc(1).unwrap();
/// arena.reset();
/// *number += 1;
/// ```
///
/// Nothing leaves a scope, whether a guard or a closure holds it:
///
/// ```compile_fail,E0505
/// # let mut arena = marena_std::GrowingArena::new();
/// let scratch = arena.scratch();
/// let number = scratch.alloc(1).unwrap();
/// drop(scratch);
/// *number += 1;
/// ```
///
/// ```compile_fail
/// # let mut arena = marena_std::GrowingArena::new();
/// let number = arena.scoped(|scope| scope.alloc(1).unwrap());
/// ```
///
/// ```compile_fail
/// # let mut arena = marena_std::GrowingArena::new();
/// arena.scoped(|outer| {
///     let mut other = marena_std::GrowingArena::new();
///     other.scoped(|inner| std::mem::swap(outer, inner));
/// });
/// ```
pub type GrowingArena = marena_core::GrowingArena<OwnedMemory>;
