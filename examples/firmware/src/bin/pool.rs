//! The least that a microcontroller needs: a pool over a static, from which an interrupt handler
//! and main allocate for ever. No `unsafe`, no heap, and no stack frame of the region's size.
#![no_std]
#![no_main]

use core::cell::Cell;

use cortex_m::Peripherals;
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use critical_section::Mutex;
use firmware::timer;
use marena_core::{BorrowedMemory, Handle, Pool, PoolGuard, StaticMemory};
use panic_semihosting as _;
use static_cell::{ConstStaticCell, StaticCell};

const ARENAS: usize = 4;
type Memory = BorrowedMemory<'static>;

/// Lies in `.bss` and is never on the stack: the cell's content is a constant.
/// (`StaticCell::init_with` would build it on the stack and move it here.)
static MEMORY: ConstStaticCell<[StaticMemory<10_240>; ARENAS]> =
    ConstStaticCell::new([const { StaticMemory::new() }; ARENAS]);
static POOL: StaticCell<Pool<Memory, ARENAS>> = StaticCell::new();
/// What the handler has: the pool, and the sample that main has not taken yet.
static SHARED: Mutex<Cell<Option<&Pool<Memory, ARENAS>>>> = Mutex::new(Cell::new(None));
static SAMPLE: Mutex<Cell<Option<Sample>>> = Mutex::new(Cell::new(None));

/// Bytes in an arena that they keep. When it is dropped, the arena is reset and free again.
struct Sample {
    arena: PoolGuard<'static, Memory>,
    bytes: Handle,
}

#[exception]
fn SysTick() {
    critical_section::with(|cs| {
        let Some(pool) = SHARED.borrow(cs).get() else { return };
        // An empty pool means that main is behind; this sample is lost, and the next may find an
        // arena.
        let Some(arena) = pool.acquire() else { return };
        // At most 8 retries, so a bounded number of instructions.
        if let Ok(mut block) = arena.allocate_bounded(64, 8) {
            block.fill(0xA5);
            let bytes = block.publish();
            SAMPLE.borrow(cs).set(Some(Sample { arena, bytes }));
        }
    });
}

#[entry]
fn main() -> ! {
    let Some(peripherals) = Peripherals::take() else { panic!("the peripherals are taken") };
    let memories = MEMORY.take().each_mut().map(BorrowedMemory::from);
    let pool = POOL.init(Pool::new(memories).unwrap_or_else(|error| panic!("{error}")));
    critical_section::with(|cs| SHARED.borrow(cs).set(Some(pool)));
    let mut timer = peripherals.SYST;
    timer::start(&mut timer, 4_000);

    let mut taken = 0;
    while taken < 1_000 {
        let Some(Sample { arena, bytes }) = critical_section::with(|cs| SAMPLE.borrow(cs).take()) else { continue };
        assert_eq!(arena.view(bytes), Some(&[0xA5; 64][..]));
        taken += 1;
    }
    timer::stop(&mut timer);
    critical_section::with(|cs| drop(SAMPLE.borrow(cs).take()));
    assert_eq!(pool.available(), ARENAS);
    hprintln!("{} samples through {} arenas", taken, ARENAS);
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
