//! Every public way to claim, read back and give up bytes, with arguments that nobody knows at
//! build time.

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;
use marena_core::{Address, Allocate, Arena, Lease, Pool, RawMemory, Regions, Scratch, StaticMemory};

/// Every method that arenas, leases and scratches have in common.
#[inline(always)]
fn allocate<'a>(memory: impl Allocate<'a>, number: usize) {
    let align = black_box(number);
    black_box(memory.allocate(number)).ok();
    black_box(memory.allocate_aligned(number, align)).ok();
    black_box(memory.allocate_bounded(number, align as u32)).ok();
    black_box(memory.allocate_multiple([number, align, number])).ok();
    black_box(memory.allocate_multiple::<0>([])).ok();
    black_box(memory.allocate_uninit(number, align)).ok();
    if let Ok(layout) = Layout::from_size_align(number, align) {
        black_box(memory.allocate_layout(layout)).ok();
    }
    black_box(memory.allocate_address(number)).ok();
    let mut sizes = black_box([number as u64, align as u64, u64::MAX]);
    black_box(memory.allocate_addresses(&mut sizes)).ok();

    black_box(memory.alloc(number)).ok();
    black_box(memory.alloc(())).ok();
    black_box(memory.alloc_with(|| black_box(number))).ok();
    black_box(memory.alloc_try_with(|| if black_box(number) == 7 { Err(7) } else { Ok(number) })).ok();
    black_box(memory.alloc_uninit::<[u64; 9]>()).ok();
    black_box(memory.alloc_slice_uninit::<[u16; 3]>(number)).ok();
    let source = black_box(&[1_u32, 2, 3][..]);
    black_box(memory.alloc_slice_copy(source)).ok();
    black_box(memory.alloc_slice_clone(source)).ok();
    black_box(memory.alloc_slice_fill_with(number, |index| index as u16)).ok();
    black_box(memory.alloc_slice_from_iter(source.iter().copied())).ok();
    black_box(memory.alloc_str(black_box("text"))).ok();
    black_box(memory.alloc_fmt(format_args!("literal"))).ok();
    // An argument that is text: integers are formatted by `core`, and its code for that indexes,
    // which can panic.
    black_box(memory.alloc_fmt(format_args!("text {}", black_box("text")))).ok();
    black_box(memory.insert(number)).ok();
    build(memory, number);
}

/// What is built in place.
#[inline(always)]
fn build<'a>(memory: impl Allocate<'a>, number: usize) {
    let source = black_box(&[1_u32, 2, 3][..]);
    black_box(memory.alloc_slice_fill_copy(number, 7_u8)).ok();
    black_box(memory.alloc_slice_fill_clone(number, &source)).ok();
    black_box(memory.alloc_slice_fill_default::<u64>(number)).ok();
    black_box(memory.alloc_slice_try_fill_with(number, |index| if index == 7 { Err(7) } else { Ok(index) })).ok();
    black_box(memory.alloc_slice_from_iter(source.iter().filter(|value| **value > 1))).ok();
    black_box(memory.insert_str(black_box("text"))).ok();
    black_box(memory.insert_slice(source)).ok();
    black_box(memory.alloc_cstr_from_str(black_box("text"))).ok();
    black_box(memory.alloc_box(number)).ok();
    black_box(memory.alloc_box_slice(source.iter().copied())).ok();
    if let Ok(slot) = memory.alloc_slot() {
        black_box(slot.write(number));
    }
    if let Ok(mut values) = memory.alloc_vec(number) {
        black_box(values.push(number)).ok();
        black_box(values.extend(0..black_box(number))).ok();
        black_box(values.pop());
        values.truncate(number);
        black_box(values.remove(number));
        black_box(values.swap_remove(number));
        values.retain(|&value| value != black_box(7));
        black_box(values.resize(number, number)).ok();
        values.shrink_to_fit();
        black_box(values.finish());
    }
    if let Ok(mut values) = memory.alloc_vec(number) {
        black_box(values.push(number)).ok();
        let mut values = values.into_iter();
        black_box((values.next(), values.next_back()));
        for value in values {
            black_box(value);
        }
    }
    if let Ok(mut text) = memory.alloc_string(number) {
        black_box(text.push_str(black_box("text"))).ok();
        black_box(text.push(black_box('t'))).ok();
        black_box(text.pop());
        text.truncate(number);
        text.retain(|character| character != black_box('x'));
        text.shrink_to_fit();
        text.clear();
        black_box(text.finish());
    }
}

/// A collection's calls.
#[inline(always)]
fn collect(memory: impl Allocator, number: usize) {
    let (Ok(small), Ok(large)) = (Layout::from_size_align(number, 8), Layout::from_size_align(number, number)) else {
        return;
    };
    let (Ok(block), Ok(zeroed)) = (memory.allocate(small), memory.allocate_zeroed(large)) else { return };
    // SAFETY: never run.
    let Ok(block) = (unsafe { memory.grow(block.cast(), small, large) }) else { return };
    // SAFETY: never run.
    let Ok(zeroed) = (unsafe { memory.grow_zeroed(zeroed.cast(), small, large) }) else { return };
    // SAFETY: never run.
    let Ok(block) = (unsafe { memory.shrink(block.cast(), large, small) }) else { return };
    // SAFETY: never run.
    unsafe { memory.deallocate(block.cast(), small) };
    // SAFETY: never run.
    unsafe { memory.deallocate(zeroed.cast(), large) };
}

/// What a program's global allocator is asked for.
#[inline(never)]
pub(crate) fn global(memory: &impl GlobalAlloc, number: usize) {
    let Ok(layout) = Layout::from_size_align(number, number) else { return };
    // SAFETY: never run.
    let block = unsafe { memory.alloc(layout) };
    // SAFETY: never run.
    let zeroed = unsafe { memory.alloc_zeroed(layout) };
    // SAFETY: never run.
    let block = unsafe { memory.realloc(block, layout, black_box(number)) };
    // SAFETY: never run.
    unsafe { memory.dealloc(block, layout) };
    // SAFETY: never run.
    unsafe { memory.dealloc(zeroed, layout) };
}

#[inline(never)]
pub(crate) fn arena(arena: &Arena<RawMemory>, number: usize) {
    allocate(arena, number);
    collect(arena, number);
    black_box((arena.capacity(), arena.used(), arena.remaining(), arena.stats()));

    let (Ok(handle), Ok(block)) = (arena.insert(number), arena.allocate(number)) else { return };
    black_box(arena.get(black_box(handle)));
    black_box(block.len());
    black_box(arena.view(black_box(block.publish())));
    if let Some(address) = Address::from_raw(number as u64).or(Address::new(number as u32, number as u32)) {
        black_box(arena.view_ptr(address));
        // SAFETY: never run.
        black_box(unsafe { arena.view_address(address) });
        // SAFETY: never run.
        black_box(unsafe { arena.view_address_mut(address) });
    }
}

#[inline(never)]
pub(crate) fn lease(lease: &mut Lease<'_, RawMemory>, number: usize) {
    allocate(&*lease, number);
    collect(&*lease, number);
    black_box(&lease.scratch());
    lease.scoped(|scope| black_box(scope.alloc(number)).is_ok());
}

#[inline(never)]
pub(crate) fn scratch(scratch: &mut Scratch<'_, RawMemory>, number: usize) {
    allocate(&*scratch, number);
    collect(&*scratch, number);
    let (Ok(handle), Ok(block)) = (scratch.insert(number), scratch.allocate(number)) else { return };
    black_box(scratch.get(black_box(handle)));
    black_box(scratch.view(black_box(block.publish())));
    black_box(scratch.remaining());
    black_box(&scratch.scratch().scratch());
}

/// What ends what an arena holds.
#[inline(never)]
pub(crate) fn lives(arena: &mut Arena<RawMemory>, number: usize) {
    arena.reset();
    black_box(arena.allocate(number)).ok();
    arena.wipe();
    // SAFETY: never run.
    unsafe { arena.reset_shared() };
}

/// Memory known at build time, and memory that is borrowed.
#[inline(never)]
pub(crate) fn statics(number: usize) {
    static MEMORY: StaticMemory<4096> = StaticMemory::new();
    static ARENA: Arena<&'static StaticMemory<4096>> = Arena::from_static(&MEMORY);
    allocate(&ARENA, number);
    collect(&ARENA, number);
    // SAFETY: never run.
    let bytes = unsafe { NonNull::<[core::mem::MaybeUninit<u8>; 4096]>::dangling().as_mut() };
    let Some(bytes) = bytes.get_mut(number..) else { return };
    if let Ok(mut borrowed) = Arena::borrowed(bytes) {
        black_box(borrowed.allocate(number)).ok();
        borrowed.reset();
    }
}

#[inline(never)]
pub(crate) fn pool(pool: &Pool<RawMemory, 3>, number: usize) {
    black_box(pool.available());
    let Some(guard) = pool.acquire() else { return };
    let reader = black_box(guard.clone());
    black_box(reader.allocate(number)).ok();
}

#[inline(never)]
pub(crate) fn regions(first: Arena<RawMemory>, second: Arena<RawMemory>, number: usize) {
    let mut regions: Regions<_, 2> = Regions::new();
    black_box(regions.push(first)).ok();
    black_box(regions.push(second)).ok();
    allocate(&regions, number);
    collect(&regions, number);
    black_box(regions.stats());
    regions.reset();
}

/// What the check must find: a slice indexed by a number that nobody knows.
#[cfg(feature = "planted")]
#[inline(never)]
pub(crate) fn planted(number: usize) {
    black_box(black_box(&[1_u8, 2, 3])[black_box(number)]);
}
