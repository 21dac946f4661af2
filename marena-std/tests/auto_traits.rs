//! Which types may move to other threads, and which may be shared with them.

use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use marena_std::{
    Address, Arena, Block, Builder, Error, GrowingArena, Handle, Leases, OwnedMemory, Stats, ThreadValues,
};
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
use marena_std::{MappedArena, MappedView};
use static_assertions::{assert_impl_all, assert_not_impl_any};

// A panicking thread can only leave blocks behind, and these stay allocated.
assert_impl_all!(Arena: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Leases<'static, Arena>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Leases<'static, GrowingArena>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(OwnedMemory: Send, Sync, Unpin);
assert_impl_all!(Error: std::error::Error, Send, Sync);
assert_impl_all!(Block<'static>: Send, Sync);
assert_impl_all!(Handle: Send, Sync, Copy);
assert_impl_all!(Address: Send, Sync, Copy);
assert_impl_all!(Stats: Send, Sync, Copy);

// There is one owner: a second could reset or unmap the memory under the first.
assert_not_impl_any!(Arena: Clone, Copy);
assert_not_impl_any!(OwnedMemory: Clone, Copy);
// A callback need not be `Send`, so a builder is not `Send` either.
assert_not_impl_any!(Builder<'static>: Send, Sync);
assert_not_impl_any!(Handle<Cell<u8>>: Send, Sync);

// Leases of threads that ended go to other threads, and no two threads use one at once.
assert_impl_all!(ThreadValues<Cell<u8>>: Send, Sync);
assert_not_impl_any!(ThreadValues<Rc<u8>>: Send, Sync);
// A view and its mapping are one process's, whichever thread reads.
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
assert_impl_all!(MappedArena: Send, Sync);
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
assert_impl_all!(MappedView: Send, Sync);
