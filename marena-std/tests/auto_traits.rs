//! Who may go to which thread.

use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};

use marena_std::{Address, Arena, Block, Builder, Error, Handle, OwnedMemory, Stats};
use static_assertions::{assert_impl_all, assert_not_impl_any};

// What a panicking thread claimed stays claimed, which is all that it can leave behind.
assert_impl_all!(Arena: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(OwnedMemory: Send, Sync, Unpin);
assert_impl_all!(Error: std::error::Error, Send, Sync);
assert_impl_all!(Block<'static>: Send, Sync);
assert_impl_all!(Handle: Send, Sync, Copy);
assert_impl_all!(Address: Send, Sync, Copy);
assert_impl_all!(Stats: Send, Sync, Copy);

// One owner each: a second could reset or unmap under the first.
assert_not_impl_any!(Arena: Clone, Copy);
assert_not_impl_any!(OwnedMemory: Clone, Copy);
// A callback is not asked to be sendable, so a builder is not.
assert_not_impl_any!(Builder<'static>: Send, Sync);
assert_not_impl_any!(Handle<Cell<u8>>: Send, Sync);
