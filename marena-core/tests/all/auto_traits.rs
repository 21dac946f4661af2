//! Which types may move to other threads, and which may be shared with them.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::MutexGuard;

use marena_core::{
    Address, AllocError, Arena, BorrowedMemory, ExclusiveMemory, GrowingArena, GrowingLease, GrowingScratch, Handle,
    Lease, Memory, MemoryError, NoThreads, Pool, PoolGuard, PoolSlot, RawMemory, Regions, Reserve, Scratch,
    StaticMemory,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};

/// Memory that may leave its thread, or be shared, exactly if a `P` may.
struct Like<P>(NonNull<[u8]>, PhantomData<P>);

/// Memory that may not leave its thread.
type Local = Like<Rc<()>>;
/// Memory that threads may share but that may not leave its thread, for example memory behind a
/// mutex guard.
type Shared = Like<MutexGuard<'static, ()>>;
/// Memory that may leave its thread but that threads may not share.
type Sent = Like<Cell<()>>;

// SAFETY: never used. Only its auto traits matter.
unsafe impl<P: Send> Send for Like<P> {}

// SAFETY: as above.
unsafe impl<P: Sync> Sync for Like<P> {}

// SAFETY: as above.
unsafe impl<P> Memory for Like<P> {
    type Word = portable_atomic::AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        self.0
    }
}

// SAFETY: as above.
unsafe impl<P> ExclusiveMemory for Like<P> {}

impl<P> Reserve for Like<P> {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = 0;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        Err(MemoryError::TooLarge { limit: 0, len: capacity })
    }
}

type Static = &'static StaticMemory<1024>;
type Block = marena_core::Block<'static>;

assert_impl_all!(Arena<BorrowedMemory<'static>>: Send, Sync);
assert_impl_all!(Arena<RawMemory>: Send, Sync);
assert_impl_all!(Arena<Static>: Send, Sync);
assert_impl_all!(StaticMemory<1024>: Send, Sync);
assert_not_impl_any!(Arena<Local>: Send, Sync);
assert_not_impl_any!(Arena<RawMemory>: Clone, Copy);
assert_not_impl_any!(RawMemory: Clone, Copy);
assert_not_impl_any!(BorrowedMemory<'static>: Clone, Copy);
assert_not_impl_any!(StaticMemory<1024>: Clone, Copy);

assert_impl_all!(Static: Memory);
assert_not_impl_any!(Static: ExclusiveMemory);
assert_not_impl_any!(StaticMemory<1024>: Memory, ExclusiveMemory);

assert_impl_all!(Block: Send, Sync);
assert_not_impl_any!(Block: Clone, Copy);

// A handle may move where a shared reference to its value may move.
assert_impl_all!(Handle: Send, Sync, Copy);
assert_impl_all!(Handle<u64>: Send, Sync, Copy);
assert_impl_all!(Handle<&'static str>: Send, Sync);
assert_impl_all!(Handle<MutexGuard<'static, u8>>: Send, Sync, Copy);
assert_not_impl_any!(Handle<Cell<u8>>: Send, Sync);
assert_not_impl_any!(Handle<RefCell<u8>>: Send, Sync);
assert_not_impl_any!(Handle<Rc<u8>>: Send, Sync);
assert_not_impl_any!(Handle<&'static Cell<u8>>: Send, Sync);
assert_not_impl_any!(Handle<*mut u8>: Send, Sync);
assert_not_impl_any!(Handle<MutexGuard<'static, Cell<u8>>>: Send, Sync);
assert_impl_all!(Handle<Rc<u8>>: Copy);
const_assert!(size_of::<Option<Handle<Rc<u8>>>>() == 16);

assert_impl_all!(Lease<'static, Static>: Send);
assert_not_impl_any!(Lease<'static, Static>: Sync, Clone);
assert_not_impl_any!(Lease<'static, Local>: Send, Sync);
assert_impl_all!(Scratch<'static, Static>: Send);
assert_not_impl_any!(Scratch<'static, Static>: Sync, Clone);
assert_not_impl_any!(Scratch<'static, Local>: Send, Sync);
// Both use the arena through a shared reference.
assert_impl_all!(Lease<'static, Shared>: Send);
assert_not_impl_any!(Lease<'static, Sent>: Send, Sync);
assert_impl_all!(Scratch<'static, Shared>: Send);
assert_not_impl_any!(Scratch<'static, Sent>: Send, Sync);
assert_impl_all!(Pool<RawMemory, 2>: Send, Sync);
assert_not_impl_any!(Pool<Local, 2>: Send, Sync);
assert_impl_all!(PoolGuard<'static, RawMemory>: Send, Sync, Clone);
assert_not_impl_any!(PoolGuard<'static, Local>: Send, Sync);
// The last guard resets the arena on the thread where it is dropped, and a slot's owner may move
// the arena out.
assert_impl_all!(Arena<Shared>: Sync);
assert_not_impl_any!(Arena<Shared>: Send);
assert_not_impl_any!(PoolSlot<Shared>: Send, Sync);
assert_not_impl_any!(Pool<Shared, 2>: Send, Sync);
assert_not_impl_any!(PoolGuard<'static, Shared>: Send, Sync);
assert_impl_all!(Arena<Sent>: Send);
assert_not_impl_any!(Arena<Sent>: Sync);
assert_impl_all!(PoolSlot<Sent>: Send);
assert_not_impl_any!(PoolSlot<Sent>: Sync);
assert_not_impl_any!(Pool<Sent, 2>: Sync);
assert_not_impl_any!(PoolGuard<'static, Sent>: Send, Sync);
// A shared arena grows: threads make segments for each other, and whoever drops it drops them all.
assert_impl_all!(GrowingArena<Like<()>>: Send, Sync);
assert_impl_all!(GrowingArena<Sent>: Send);
assert_not_impl_any!(GrowingArena<Sent>: Sync);
assert_not_impl_any!(GrowingArena<Shared>: Send, Sync);
assert_not_impl_any!(GrowingArena<Local>: Send, Sync);
assert_impl_all!(GrowingLease<'static, Like<()>>: Send);
assert_not_impl_any!(GrowingLease<'static, Like<()>>: Sync);
assert_not_impl_any!(GrowingLease<'static, Sent>: Send, Sync);
assert_impl_all!(GrowingScratch<'static, Like<()>>: Send);
assert_not_impl_any!(GrowingScratch<'static, Like<()>>: Sync);
assert_not_impl_any!(GrowingScratch<'static, Sent>: Send, Sync);
assert_impl_all!(Regions<RawMemory, 2>: Send, Sync);
assert_not_impl_any!(Regions<Local, 2>: Send, Sync);

assert_impl_all!(Address: Send, Sync, Copy, UnwindSafe, RefUnwindSafe);
assert_impl_all!(AllocError: Send, Sync, Copy, std::error::Error);

/// This compiles only if handles are covariant, as shared references are.
#[test]
fn a_handle_to_a_longer_lifetime_can_be_used_as_one_to_a_shorter_lifetime() {
    fn shorter<'a>(handle: Handle<&'static str>, _: &'a str) -> Handle<&'a str> {
        handle
    }

    let arena = crate::owned::zeroed_arena(1024);
    let handle = arena.insert("static").unwrap();
    let local = String::from("local");
    assert_eq!(arena.get(shorter(handle, &local)), Some(&"static"));
}
