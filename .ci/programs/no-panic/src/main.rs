//! Links if nothing that `marena-core` allocates by can panic.
//!
//! The panic handler calls a function that nobody defines. The linker drops what cannot be reached
//! from `_start`; if the handler is among what is left, it reports that function as undefined, and
//! where it is called from. So every path below is called with arguments that the optimiser cannot
//! know, and through references it cannot see behind.
#![no_std]
#![no_main]

mod paths;

use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr::NonNull;

use marena_core::{Arena, Pool, RawMemory};

unsafe extern "C" {
    safe fn a_path_of_marena_core_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    a_path_of_marena_core_can_panic()
}

/// The entry, which no machine ever runs: only what it reaches matters.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let number = black_box(7);
    let bytes = NonNull::new(black_box(0x2000_0000 as *mut u8)).unwrap_or(NonNull::dangling());
    // SAFETY: never run.
    let Ok(memory) = (unsafe { RawMemory::from_raw_parts(bytes, number) }) else { stop() };
    let Ok(mut arena) = Arena::new(memory) else { stop() };
    // SAFETY: never run.
    let Ok(more) = (unsafe { RawMemory::from_raw_parts(bytes, number) }) else { stop() };
    // SAFETY: never run.
    let Ok(attached) = (unsafe { Arena::attach(more) }) else { stop() };

    paths::arena(black_box(&attached), number);
    paths::lease(black_box(&mut attached.lease(number)), number);
    paths::scratch(black_box(&mut arena.scratch()), number);
    paths::scratch(black_box(&mut arena.lease(number).scratch()), number);
    paths::lives(black_box(&mut arena), number);
    paths::statics(number);
    paths::global(black_box(&attached), number);
    // SAFETY: never run.
    let regions = unsafe { [RawMemory::from_raw_parts(bytes, number), RawMemory::from_raw_parts(bytes, number)] };
    if let [Ok(first), Ok(second)] = regions
        && let (Ok(first), Ok(second)) = (Arena::new(first), Arena::new(second))
    {
        paths::regions(first, second, number);
    }
    // SAFETY: never run.
    let Ok(last) = (unsafe { RawMemory::from_raw_parts(bytes, number) }) else { stop() };
    if let Ok(pool) = Pool::new([arena.into_memory(), attached.into_memory(), last]) {
        paths::pool(black_box(&pool), number);
    }
    #[cfg(feature = "planted")]
    paths::planted(number);
    stop()
}

fn stop() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
