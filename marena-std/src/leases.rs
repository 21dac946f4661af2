//! One value through which every thread allocates in its own lease.

use crate::arena::Arena;

/// One value, shared by all threads, through which each thread allocates in its own lease:
/// [`marena_core::Leases`].
///
/// [`Arena::leases`](marena_core::Arena::leases) and
/// [`GrowingArena::leases`](marena_core::GrowingArena::leases) make one.
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
