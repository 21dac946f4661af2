//! A pool under RTIC: a hardware task fills arenas, a software task reads them. The framework keeps
//! the memory and hands it out once, so there is no `unsafe` and no cell.
#![no_std]
#![no_main]

use panic_semihosting as _;

#[rtic::app(device = lm3s6965, dispatchers = [SSI0])]
mod app {
    use cortex_m_semihosting::{debug, hprintln};
    use firmware::timer;
    use marena_core::{BorrowedMemory, Handle, Pool, PoolGuard, StaticMemory};

    const ARENAS: usize = 3;
    type Memory = BorrowedMemory<'static>;

    /// Bytes in an arena that they keep. When it is dropped, the arena is reset and free again.
    pub struct Packet {
        arena: PoolGuard<'static, Memory>,
        bytes: Handle,
        number: u32,
    }

    #[shared]
    struct Shared {}

    #[local]
    struct Local {
        pool: &'static Pool<Memory, ARENAS>,
        sent: u32,
        read: u32,
    }

    #[init(local = [
        memory: [StaticMemory<1024>; ARENAS] = [const { StaticMemory::new() }; ARENAS],
        home: Option<Pool<Memory, ARENAS>> = None,
    ])]
    fn init(mut context: init::Context) -> (Shared, Local) {
        let memories = context.local.memory.each_mut().map(BorrowedMemory::from);
        let Ok(pool) = Pool::new(memories) else { panic!("each memory holds an arena") };
        let pool = context.local.home.insert(pool);
        timer::start(&mut context.core.SYST, 4_000);
        (Shared {}, Local { pool, sent: 0, read: 0 })
    }

    #[task(binds = SysTick, local = [pool, sent], priority = 2)]
    fn receive(context: receive::Context) {
        let receive::LocalResources { pool, sent, .. } = context.local;
        let Some(arena) = pool.acquire() else { return };
        let Ok(mut block) = arena.allocate_bounded(100, 8) else { return };
        block.fill(*sent as u8);
        let bytes = block.publish();
        // A packet that finds the reader busy is dropped, and its arena with it.
        if read::spawn(Packet { arena, bytes, number: *sent }).is_ok() {
            *sent += 1;
        }
    }

    #[task(local = [read], priority = 1)]
    async fn read(context: read::Context, packet: Packet) {
        let read = context.local.read;
        assert_eq!(packet.number, *read);
        assert_eq!(packet.arena.view(packet.bytes), Some(&[*read as u8; 100][..]));
        *read += 1;
        if *read == 1_000 {
            hprintln!("{} packets through {} arenas, under RTIC", read, ARENAS);
            debug::exit(debug::EXIT_SUCCESS);
        }
    }
}
