//! A pool under embassy: one task fills arenas, another reads them, and a channel of guards is
//! between them. No `unsafe`.
#![no_std]
#![no_main]

use cortex_m_semihosting::{debug, hprintln};
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use marena_core::{BorrowedMemory, Handle, Pool, PoolGuard, StaticMemory};
use panic_semihosting as _;
use static_cell::{ConstStaticCell, StaticCell};

const ARENAS: usize = 3;
type Memory = BorrowedMemory<'static>;

/// Lies in `.bss` and is never on the stack.
static MEMORY: ConstStaticCell<[StaticMemory<1024>; ARENAS]> =
    ConstStaticCell::new([const { StaticMemory::new() }; ARENAS]);
static POOL: StaticCell<Pool<Memory, ARENAS>> = StaticCell::new();
static PACKETS: Channel<CriticalSectionRawMutex, Packet, ARENAS> = Channel::new();

/// Bytes in an arena that they keep. When it is dropped, the arena is reset and free again.
struct Packet {
    arena: PoolGuard<'static, Memory>,
    bytes: Handle,
}

#[embassy_executor::task]
async fn receive(pool: &'static Pool<Memory, ARENAS>) {
    for number in 0_u32.. {
        let arena = loop {
            match pool.acquire() {
                Some(arena) => break arena,
                // The reader is behind.
                None => yield_now().await,
            }
        };
        let Ok(mut block) = arena.allocate(100) else { panic!("an arena has room for a packet") };
        block.fill(number as u8);
        let bytes = block.publish();
        PACKETS.send(Packet { arena, bytes }).await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let memories = MEMORY.take().each_mut().map(BorrowedMemory::from);
    let Ok(pool) = Pool::new(memories) else { panic!("each memory holds an arena") };
    let Ok(task) = receive(POOL.init(pool)) else { panic!("the task runs once") };
    spawner.spawn(task);
    for number in 0..1_000_u32 {
        let Packet { arena, bytes } = PACKETS.receive().await;
        assert_eq!(arena.view(bytes), Some(&[number as u8; 100][..]));
    }
    hprintln!("1000 packets through {} arenas, under embassy", ARENAS);
    debug::exit(debug::EXIT_SUCCESS);
}
