//! Each operation whose cost is promised, a thousand times, in a function of its own.
//!
//! callgrind counts the instructions of each function and of all that it calls, calls and returns
//! included. The numbers depend on the compiler and on the C library's `memset` and
//! `memcpy`; the same program counts the same at every run.

#[path = "../../../../marena-core/tests/heap/mod.rs"]
mod heap;

use std::alloc::Layout;
use std::hint::black_box;

use marena_core::{
    Arena, BorrowedMemory, Claim, GrowingArena, GrowingLease, Handle, Lease, Pool, Reallocate, Scratch, StaticMemory,
};

use heap::Heap;

const CALLS: usize = 1000;

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;
type Static = Arena<&'static StaticMemory<{ 1 << 20 }>>;

macro_rules! counted {
    ($($name:ident($argument:ident: $type:ty) $body:expr)*) => {$(
        #[inline(never)]
        fn $name($argument: $type) {
            black_box($body);
        }
    )*};
}

counted! {
    count_allocate(arena: &Borrowed<'_>) (arena.allocate(black_box(64)).is_ok(), planted(arena))
    count_allocate_known_zero(arena: &Static) arena.allocate(black_box(64)).is_ok()
    count_allocate_aligned(arena: &Borrowed<'_>) arena.allocate_aligned(black_box(64), black_box(64)).is_ok()
    count_allocate_bounded(arena: &Borrowed<'_>) arena.allocate_bounded(black_box(64), black_box(4)).is_ok()
    count_allocate_layout(arena: &Borrowed<'_>) arena.allocate_layout(black_box(Layout::new::<[u64; 3]>())).is_ok()
    count_allocate_layout_static(arena: &Static) arena.allocate_layout(black_box(Layout::new::<[u64; 3]>())).is_ok()
    count_allocate_multiple(arena: &Borrowed<'_>) arena.allocate_multiple(black_box([24, 5, 100])).is_ok()
    count_allocate_refused(arena: &Borrowed<'_>) arena.allocate(black_box(1 << 30)).is_ok()
    count_alloc(arena: &Borrowed<'_>) arena.alloc(black_box(7_u64)).is_ok()
    // Of another type, since for the same one it is the same function as `alloc`, and the compiler
    // keeps one of both.
    count_alloc_box(arena: &Borrowed<'_>) arena.alloc_box(black_box(7_u32)).is_ok()
    count_insert(arena: &Borrowed<'_>) arena.insert(black_box(7_u64)).is_ok()
    count_reset(arena: &mut Borrowed<'_>) arena.reset()
    count_lease_alloc(lease: &Lease<'_, BorrowedMemory<'_>>) lease.alloc(black_box(7_u64)).is_ok()
    count_lease_layout(lease: &Lease<'_, BorrowedMemory<'_>>) lease.allocate_layout(black_box(Layout::new::<[u64; 3]>())).is_ok()
    count_lease_grow(lease: &Lease<'_, BorrowedMemory<'_>>) grow_behind_another(lease)
    count_growing_lease_grow(lease: &GrowingLease<'_, Heap<0xA5>>) grow_behind_another(lease)
    count_scratch_alloc(scratch: &Scratch<'_, BorrowedMemory<'_>>) scratch.alloc(black_box(7_u64)).is_ok()
    count_scratch_of_arena(arena: &mut Borrowed<'_>) drop(black_box(arena.scratch()))
    count_scratch_of_lease(lease: &mut Lease<'_, BorrowedMemory<'_>>) drop(black_box(lease.scratch()))
    count_pool_guard(pool: &Pool<BorrowedMemory<'_>, 1>) drop(black_box(pool.acquire()))
}

/// Allocates a block and another one, and grows the first, which moves.
#[inline(always)]
fn grow_behind_another<'a>(memory: impl Claim<'a> + Reallocate<'a>) -> bool {
    let (old, new) = black_box((Layout::new::<[u64; 4]>(), Layout::new::<[u64; 8]>()));
    let Some(block) = memory.allocate_bytes(old) else { return false };
    black_box(memory.allocate_bytes(old));
    // SAFETY: allocated just now with this layout, and not used afterwards.
    unsafe { memory.grow(block.cast(), old, new) }.is_some()
}

/// What grows, for the check that must see it: nothing unless it is planted.
#[inline(always)]
fn planted(arena: &Borrowed<'_>) -> usize {
    if cfg!(feature = "planted") { black_box(arena.used()) } else { 0 }
}

#[inline(never)]
fn count_view(arena: &Borrowed<'_>, handle: Handle) {
    black_box(arena.view(black_box(handle)));
}

#[inline(never)]
fn count_get(arena: &Borrowed<'_>, handle: Handle<u64>) {
    black_box(arena.get(black_box(handle)));
}

fn main() {
    static MEMORY: StaticMemory<{ 1 << 20 }> = StaticMemory::new();
    let statics = Arena::from_static(&MEMORY);
    let mut bytes = Vec::with_capacity(4 << 20);
    let mut arena = Arena::borrowed(bytes.spare_capacity_mut()).expect("the buffer holds an arena");
    let mut more = Vec::with_capacity(4096);
    let memory = BorrowedMemory::new(more.spare_capacity_mut()).expect("the buffer holds an arena");
    let pool = Pool::new([memory]).expect("the memory was checked");
    let handle = arena.allocate(64).expect("there is room").publish();
    let value = arena.insert(7).expect("there is room");

    for _ in 0..CALLS {
        count_allocate(&arena);
        count_allocate_known_zero(&statics);
        count_allocate_aligned(&arena);
        count_allocate_bounded(&arena);
        count_allocate_layout(&arena);
        count_allocate_layout_static(&statics);
        count_allocate_multiple(&arena);
        count_allocate_refused(&arena);
        count_alloc(&arena);
        count_alloc_box(&arena);
        count_insert(&arena);
        count_view(&arena, handle);
        count_get(&arena, value);
        count_pool_guard(&pool);
    }
    // The chunk is large and claimed before: what is counted is the path that nearly every call
    // takes.
    let mut lease = arena.lease(1 << 18);
    while arena.remaining() > (3 << 20) {
        lease.allocate(128).expect("there is room");
    }
    for _ in 0..CALLS {
        count_lease_alloc(&lease);
        count_lease_layout(&lease);
        count_lease_grow(&lease);
    }
    for _ in 0..CALLS {
        count_scratch_of_lease(&mut lease);
    }
    drop(lease);
    let growing =
        GrowingArena::<Heap<0xA5>>::builder().first_segment(4 << 20).build().expect("the sizes fit each other");
    let lease = growing.lease(1 << 20);
    while growing.stats().used < 2 << 20 {
        lease.allocate(128).expect("there is room");
    }
    for _ in 0..CALLS {
        count_growing_lease_grow(&lease);
    }
    let scratch = arena.scratch();
    for _ in 0..CALLS {
        count_scratch_alloc(&scratch);
    }
    drop(scratch);
    for _ in 0..CALLS {
        count_scratch_of_arena(&mut arena);
    }
    for _ in 0..CALLS {
        count_reset(&mut arena);
    }
}
