//! One bug, named by the argument. All of them break a promise that an `unsafe` call asked for;
//! what is planted is not in `marena-core` but in how it is used, or in the word it is given.

mod relaxed;

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{Arena, RawMemory};

const LAYOUT: Layout = Layout::new::<[u64; 8]>();

fn main() -> ExitCode {
    let bug = std::env::args().nth(1).unwrap_or_default();
    match bug.as_str() {
        "none" => none(),
        "race" => race(),
        "relaxed-give-back" => relaxed::give_back(),
        "uninitialised" => uninitialised(),
        "past-the-end" => past_the_end(),
        "never-claimed" => never_claimed(),
        "after-give-back" => after_give_back(),
        "after-shrink" => after_shrink(),
        "after-scratch" => after_scratch(),
        "after-lease-scratch" => after_lease_scratch(),
        "after-reset" => after_reset(),
        "buffer-gone" => buffer_gone(),
        _ => {
            eprintln!("which bug?");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn with_arena(run: impl FnOnce(Arena<marena_core::BorrowedMemory<'_>>)) {
    let mut bytes: Vec<u8> = Vec::with_capacity(1 << 16);
    run(Arena::borrowed(bytes.spare_capacity_mut()).unwrap());
}

fn read(at: *const u8) {
    // SAFETY: none, on purpose.
    black_box(unsafe { at.read() });
}

/// No bug: the harness itself is sound, and all that it hides is shown again in time.
fn none() {
    for _ in 0..3 {
        with_arena(|mut arena| {
            let block = arena.allocate(13).unwrap().into_mut();
            read(&raw const block[12]);
            // SAFETY: a block of this arena and layout, given back once.
            unsafe {
                let block = GlobalAlloc::alloc(&arena, LAYOUT);
                let block = arena.realloc(block, LAYOUT, 60);
                let block = arena.realloc(block, Layout::from_size_align_unchecked(60, 8), 64);
                block.add(63).write(1);
                arena.dealloc(block, LAYOUT);
            }
            let mut lease = arena.lease(4096);
            for _ in 0..10 {
                let mut outer = lease.scratch();
                outer.allocate(700).unwrap().fill(1);
                outer.scratch().allocate(3000).unwrap().fill(2);
                outer.allocate(3000).unwrap().fill(3);
            }
            lease.allocate(100).unwrap().fill(4);
            drop(lease);
            arena.scratch().allocate(5000).unwrap().fill(5);
            arena.reset();
            arena.allocate(5000).unwrap().fill(6);
            arena.wipe();
            let mut stack = [MaybeUninit::<u8>::uninit(); 4096];
            Arena::borrowed(&mut stack).unwrap().allocate(100).unwrap().fill(7);
            stack.fill(MaybeUninit::new(1));
            black_box(&stack);
        });
    }
}

/// Two threads write one block.
fn race() {
    with_arena(|arena| {
        let address = arena.allocate(8).unwrap().address();
        let done = AtomicU32::new(0);
        let write = |value| {
            // SAFETY: none, on purpose: two threads do this at once.
            unsafe { arena.view_address_mut(address) }.unwrap()[0] = value;
            // The sanitizer forgets what threads did that have ended. Relaxed, so that it orders
            // nothing.
            done.fetch_add(1, Relaxed);
            while done.load(Relaxed) < 2 {
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| write(1));
            write(2);
        });
    });
}

/// A decision on bytes that were handed out uninitialised.
fn uninitialised() {
    with_arena(|arena| {
        let bytes = arena.allocate_uninit(8, 8).unwrap();
        // SAFETY: none, on purpose: nobody wrote the bytes.
        if black_box(unsafe { bytes[0].assume_init() }) == 7 {
            eprintln!("seven");
        }
    });
}

fn past_the_end() {
    with_arena(|arena| {
        let block = arena.allocate(13).unwrap();
        read(block.as_ptr().wrapping_add(13));
    });
}

fn never_claimed() {
    with_arena(|arena| {
        let block = arena.allocate(16).unwrap();
        read(block.as_ptr().wrapping_add(4096));
    });
}

fn after_give_back() {
    with_arena(|arena| {
        // SAFETY: the layout has a size.
        let block = unsafe { GlobalAlloc::alloc(&arena, LAYOUT) };
        // SAFETY: a block of this arena and layout.
        unsafe { arena.dealloc(block, LAYOUT) };
        read(block);
    });
}

fn after_shrink() {
    with_arena(|arena| {
        // SAFETY: the layout has a size.
        let block = unsafe { GlobalAlloc::alloc(&arena, LAYOUT) };
        // SAFETY: a block of this arena and layout.
        let block = unsafe { arena.realloc(block, LAYOUT, 61) };
        read(block.wrapping_add(62));
    });
}

fn after_scratch() {
    with_arena(|mut arena| {
        let scratch = arena.scratch();
        let inside = scratch.allocate(64).unwrap().as_ptr();
        drop(scratch);
        read(inside);
    });
}

fn after_lease_scratch() {
    with_arena(|arena| {
        let mut lease = arena.lease(4096);
        lease.allocate(8).unwrap();
        let inside = lease.scratch().allocate(64).unwrap().as_ptr();
        read(inside);
    });
}

fn after_reset() {
    with_arena(|mut arena| {
        let block = arena.allocate(64).unwrap().as_ptr();
        arena.reset();
        read(block);
    });
}

/// The buffer is freed under the arena.
fn buffer_gone() {
    let layout = Layout::from_size_align(4096, 128).unwrap();
    // SAFETY: the layout has a size.
    let buffer = NonNull::new(unsafe { std::alloc::alloc(layout) }).unwrap();
    // SAFETY: none, on purpose: the bytes do not stay valid.
    let arena = Arena::new(unsafe { RawMemory::from_raw_parts(buffer, 4096) }.unwrap()).unwrap();
    // SAFETY: allocated above with this layout.
    unsafe { std::alloc::dealloc(buffer.as_ptr(), layout) };
    black_box(arena.allocate(8)).ok();
}
