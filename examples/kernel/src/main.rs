//! A kernel's first memory: the device tree's map becomes arenas, and four harts allocate page
//! tables from them at once.
#![no_std]
#![no_main]

mod device;
mod map;
mod tables;

use core::panic::PanicInfo;
use core::sync::atomic::Ordering::{Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicUsize};

use flat_device_tree::Fdt;
use marena_core::{RawMemory, Regions};
use riscv_rt::entry;
use spin::{Barrier, Once};

use crate::device::Devices;

/// Harts that allocate at once.
const HARTS: usize = 4;

/// The regions that the map may have.
const REGIONS: usize = 8;

type Memory = Regions<RawMemory, REGIONS>;

static DEVICES: Once<Devices> = Once::new();
static MEMORY: Once<Memory> = Once::new();
static START: Barrier = Barrier::new(HARTS);
static END: Barrier = Barrier::new(HARTS);
static TABLES: AtomicUsize = AtomicUsize::new(0);

// The first hart initialises `.data` and `.bss`; the others wait here until it says so in a word
// that lies in neither.
core::arch::global_asm!(
    r#"
    .section .init.mp_hook, "ax"
    .global _mp_hook
    .global _harts_may_start
_mp_hook:
    beqz a0, 2f
    la t0, _harts_may_start
1:  lw t1, 0(t0)
    beqz t1, 1b
    fence r, rw
    li a0, 0
    ret
2:  li a0, 1
    ret
    .balign 4
_harts_may_start:
    .word 0
"#
);

unsafe extern "C" {
    static _harts_may_start: AtomicU32;
}

/// Reads the device tree, once, on the first hart.
fn boot(tree_start: usize) {
    let start = core::ptr::with_exposed_provenance(tree_start);
    // SAFETY: the machine passes the tree's address in `a1`, and the map below leaves those bytes
    // out.
    let tree = match unsafe { Fdt::from_ptr(start) } {
        Ok(tree) => tree,
        Err(error) => panic!("no device tree: {error}"),
    };
    let devices = DEVICES.call_once(|| Devices::find(&tree));
    assert_eq!(tree.cpus().count(), HARTS, "this kernel wants as many harts");
    let memory = MEMORY.call_once(|| map::regions(&tree, tree_start..tree_start + tree.total_size()));
    for arena in memory.arenas() {
        devices.print(format_args!("a region of {} bytes, {} to allocate\n", arena.capacity(), arena.remaining()));
    }
    // SAFETY: a word of the image, zero at the start, that the other harts only read.
    let harts_may_start = unsafe { &_harts_may_start };
    // ORDERING: Release pairs with the fence in `_mp_hook`: the others find memory initialised, and
    // the regions made.
    harts_may_start.store(1, Release);
}

#[entry]
fn main(hart: usize, tree_start: usize) -> ! {
    if hart == 0 {
        boot(tree_start);
    }
    let memory = MEMORY.wait();
    START.wait();
    let last = tables::allocate(memory, hart);
    // All harts are done before the first looks at what it got.
    END.wait();
    let count = tables::check(memory, hart, last);
    // ORDERING: Relaxed: the barrier orders it.
    TABLES.fetch_add(count, Relaxed);
    let devices = DEVICES.wait();
    devices.print(format_args!("hart {hart}: {count} tables, all as it wrote them\n"));
    if END.wait().is_leader() {
        report(devices, memory);
    }
    loop {
        core::hint::spin_loop();
    }
}

/// The last word: everything was handed out, once.
fn report(devices: &Devices, memory: &Memory) {
    let stats = memory.stats();
    // ORDERING: Relaxed: the barrier orders it.
    let tables = TABLES.load(Relaxed);
    devices.print(format_args!("{tables} tables in {} regions: {stats:?}\n", memory.arenas().len()));
    assert!(memory.arenas().len() > 1 && memory.arenas().iter().all(|arena| arena.used() > 0));
    assert!(tables * size_of::<tables::Table>() + stats.stranded <= stats.used);
    assert!(tables * size_of::<tables::Table>() > stats.capacity / 10 * 9, "most of the memory is in tables");
    devices.exit(true);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Some(devices) = DEVICES.get() {
        devices.print(format_args!("{info}\n"));
        devices.exit(false);
    }
    loop {
        core::hint::spin_loop();
    }
}
