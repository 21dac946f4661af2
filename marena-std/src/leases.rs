//! Leases that every thread finds by itself.

use crate::arena::Arena;

/// Lets every thread allocate from one value, as fast as from a lease of its own:
/// [`marena_core::Leases`].
///
/// Made by [`Arena::leases`](marena_core::Arena::leases) and
/// [`GrowingArena::leases`](marena_core::GrowingArena::leases).
///
/// # Examples
///
/// ```
/// use marena_std::Arena;
///
/// let arena = Arena::with_capacity(64 << 20)?;
/// let leases = arena.leases(65_536);
/// let lines: Vec<&str> = std::thread::scope(|scope| {
///     let leases = &leases;
///     let write = |thread| move || leases.alloc_fmt(format_args!("line {thread}"));
///     let threads = [0, 1, 2, 3].map(|thread| scope.spawn(write(thread)));
///     let lines = threads.into_iter().map(|thread| thread.join().unwrap());
///     lines.map(|line| line.map(|line| &*line)).collect::<Result<_, _>>()
/// })?;
/// drop(leases);
/// assert_eq!(lines, ["line 0", "line 1", "line 2", "line 3"]);
/// # Ok::<(), marena_std::Error>(())
/// ```
///
/// What is allocated cannot outlive the arena:
///
/// ```compile_fail,E0502
/// # use marena_std::Arena;
/// let mut arena = Arena::with_capacity(1 << 20).unwrap();
/// let leases = arena.leases(4096);
/// let number = leases.alloc(1).unwrap();
/// drop(leases);
/// arena.reset();
/// *number += 1;
/// ```
pub type Leases<'a, A = Arena> = marena_core::Leases<'a, A>;
