//! A receive path whose packet buffers are the arenas of a fixed pool: `cargo run --release -p packet-pool`
//!
//! Receivers fill batches of packets, readers share them, and the last one to let go of a batch recycles it. After the start, nothing
//! calls the system's allocator. Where the readers fall behind, the pool is empty, and the receivers know it at once.

mod batch;
mod heap;
mod packet;
mod path;
mod read;
mod receive;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use marena_core::{BorrowedMemory, Pool, StaticMemory};
use static_cell::ConstStaticCell;

use crate::batch::{ARENA_SIZE, ARENAS, BatchPool, Buffers};
use crate::packet::Packet;
use crate::path::{Outcome, run};
use crate::receive::WhenEmpty;

#[global_allocator]
static ALLOCATOR: heap::CountingAllocator = heap::CountingAllocator;

/// All the memory of packets. The cell gives it away once, exclusively.
static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new([const { StaticMemory::new() }; ARENAS]);

/// Each has a receiver.
const SOURCES: usize = 2;

fn main() -> ExitCode {
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packet-pool: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show() -> Result<(), Box<dyn Error>> {
    let pool = Pool::new(BUFFERS.take().each_mut().map(BorrowedMemory::from))?;
    println!("{ARENAS} arenas of {ARENA_SIZE} bytes in .bss, {SOURCES} receivers, 2 readers of every batch\n");

    println!("readers that keep up, receivers that wait:");
    phase(&pool, 300_000, WhenEmpty::Wait, Duration::ZERO)?;
    println!("a reader that takes 200 µs longer for each batch, receivers that let packets go by:");
    phase(&pool, 100_000, WhenEmpty::Drop, Duration::from_micros(200))
}

/// Runs the path, prints what happened, and fails where that is wrong.
fn phase(pool: &BatchPool, packets: u32, when_empty: WhenEmpty, pause: Duration) -> Result<(), Box<dyn Error>> {
    let Outcome { elapsed, allocations, received, verified, account } = run(pool, packets, when_empty, pause);
    let sum = |figure: fn(&receive::Received) -> u64| received.iter().map(figure).sum::<u64>();
    let (arrived, dropped) = (sum(|source| source.packets), sum(|source| source.dropped));
    let seconds = elapsed.as_secs_f64();
    println!("  {arrived} packets in {} batches, {dropped} dropped", sum(|source| source.batches));
    println!("  the pool was empty {} times", sum(|source| source.found_empty));
    println!("  {:.0} packets/s, {:.2} Gbit/s", arrived as f64 / seconds, account.bytes as f64 * 8e-9 / seconds);
    println!("  {allocations} calls of the system's allocator\n");

    let sent = u64::from(packets) * SOURCES as u64;
    let all_bytes: usize = (0..SOURCES as u16)
        .flat_map(|source| (0..packets).map(move |sequence| Packet { source, sequence }.len()))
        .sum();
    let checks = [
        (arrived + dropped == sent, "a packet is neither received nor counted as dropped"),
        (dropped == 0 || when_empty == WhenEmpty::Drop, "a receiver that waits dropped packets"),
        (verified.packets == arrived && account.packets == arrived, "a reader missed a packet"),
        (verified.wrong == 0, "a packet was damaged, or overtaken"),
        (dropped > 0 || account.bytes == all_bytes as u64, "bytes are missing"),
        (allocations == 0, "something was allocated after the start"),
        (pool.available() == ARENAS, "a batch was not recycled"),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        Some((_, failure)) => Err((*failure).into()),
        None => Ok(()),
    }
}
