//! A receive path whose packet buffers are the arenas of a fixed pool.
//!
//! Receivers fill batches of packets, two readers share each batch, and the last one to let go of
//! it recycles its arena. After the start, nothing calls the system's allocator. Where the readers
//! fall behind, the pool is empty, and the receivers know it at once.

mod batch;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, value_parser};
use common::{AnyError, EXIT_CODES, Output, count, spawn};
use crossbeam_queue::ArrayQueue;
use marena_core::{BorrowedMemory, Pool, StaticMemory};
use static_cell::ConstStaticCell;

use crate::batch::{ARENA_SIZE, ARENAS, Batch, BatchPool, Buffers, Incoming, Packet};

#[global_allocator]
static ALLOCATOR: common::CountingAllocator = common::CountingAllocator;

/// All the memory of packets. The cell gives it away once, exclusively.
static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new([const { StaticMemory::new() }; ARENAS]);

/// Each has a receiver.
const SOURCES: usize = 2;

/// Packets that go by at a time where nobody has memory for them, and how long that takes on a wire
/// of a gigabit.
const MISSED: (u32, Duration) = (32, Duration::from_micros(200));

/// Receives packets into a fixed pool of arenas, and checks that none is lost unnoticed
#[derive(Parser)]
#[command(name = "packet-pool", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Packets of each of the two sources
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=100_000_000))]
    packets: u32,
}

fn main() -> ExitCode {
    common::main(|Arguments { packets }, output| {
        let pool = Pool::new(BUFFERS.take().each_mut().map(BorrowedMemory::from))?;
        writeln!(
            output,
            "{ARENAS} arenas of {ARENA_SIZE} bytes in .bss, {SOURCES} receivers, 2 readers of every batch\n"
        )?;
        writeln!(output, "readers that keep up, receivers that wait:")?;
        phase(&Path { pool: &pool, packets, lossy: false, pause: Duration::ZERO }, output)?;
        writeln!(output, "a reader that takes longer for each batch, receivers that let packets go by:")?;
        phase(&Path { pool: &pool, packets, lossy: true, pause: Duration::from_micros(200) }, output)
    })
}

/// A receive path.
struct Path<'p> {
    pool: &'p BatchPool,
    /// Of each source.
    packets: u32,
    /// What a receiver does when the pool is empty: lets packets go by, as a network card does, or
    /// has the sender wait, as a reliable transport does.
    lossy: bool,
    /// How much longer than it needs the second reader takes for each batch.
    pause: Duration,
}

/// Packets that a thread has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    arrived: u64,
    dropped: u64,
    damaged: u64,
}

/// Runs a path, prints what happened, and fails where that is wrong.
fn phase(path: &Path<'_>, output: &mut Output) -> Result<(), AnyError> {
    let started = Instant::now();
    let ([received, read], calls) = path.run()?;
    let total = received.iter().fold(Seen::default(), |sum, seen| Seen {
        arrived: sum.arrived + seen.arrived,
        dropped: sum.dropped + seen.dropped,
        damaged: 0,
    });
    let rate = total.arrived as f64 / started.elapsed().as_secs_f64();
    writeln!(output, "  {} packets, {} dropped, {rate:.0} a second", total.arrived, total.dropped)?;
    writeln!(output, "  {calls} calls of the system's allocator\n")?;
    output.flush()?;
    let sent = u64::from(path.packets) * SOURCES as u64;
    let checks = [
        (total.arrived + total.dropped == sent, "a packet is neither received nor counted as dropped"),
        (total.dropped == 0 || path.lossy, "a receiver that waits dropped packets"),
        (read.iter().all(|seen| seen.arrived == total.arrived), "a reader missed a packet"),
        (read.iter().all(|seen| seen.damaged == 0), "a packet was damaged, or overtaken"),
        (calls == 0, "something was allocated after the start"),
        (path.pool.available() == ARENAS, "a batch was not recycled"),
    ];
    checks.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, failure)| Err((*failure).into()))
}

type Queues<'p> = [ArrayQueue<Batch<'p>>; 2];

impl<'p> Path<'p> {
    /// Returns what receivers and readers have met, and how often the system's allocator was called
    /// meanwhile.
    fn run(&self) -> io::Result<([[Seen; 2]; 2], usize)> {
        let queues = [ArrayQueue::new(ARENAS), ArrayQueue::new(ARENAS)];
        let (receiving, gate) = (AtomicUsize::new(SOURCES), OnceLock::new());
        let (queues, receiving, gate) = (&queues, &receiving, &gate);
        thread::scope(|scope| {
            let start = |work: fn(&Self, u8, &Queues<'p>, &AtomicUsize) -> Seen, number| {
                // Nobody begins before all are there. Where one cannot start, nobody begins at all.
                spawn(scope, move || if *gate.wait() { work(self, number, queues, receiving) } else { Seen::default() })
            };
            type Work<'p> = fn(&Path<'p>, u8, &Queues<'p>, &AtomicUsize) -> Seen;
            let works: [(Work<'p>, u8); 4] = [(Self::receive, 0), (Self::receive, 1), (Self::read, 0), (Self::read, 1)];
            let threads: io::Result<Vec<_>> = works.into_iter().map(|(work, number)| start(work, number)).collect();
            let Ok(()) = gate.set(threads.is_ok()) else { unreachable!("it is set once") };
            let (mut threads, mut seen) = (threads?.into_iter(), [Seen::default(); 4]);
            let join = || threads.next().and_then(|thread| thread.join().ok()).expect("no thread panics");
            let ((), heap) = count(|| seen.fill_with(join));
            let [first, second, third, fourth] = seen;
            Ok(([[first, second], [third, fourth]], heap.calls))
        })
    }

    /// Receives all that comes in, and has every reader share each batch.
    fn receive(&self, source: u8, queues: &Queues<'p>, receiving: &AtomicUsize) -> Seen {
        let (mut seen, mut incoming) = (Seen::default(), Incoming::new(source, self.packets));
        while incoming.peek().is_some() {
            if let Some(batch) = Batch::receive(self.pool, &mut incoming) {
                seen.arrived += batch.packets().count() as u64;
                for queue in queues {
                    let Ok(()) = queue.push(batch.clone()) else { unreachable!("a queue has room for all batches") };
                }
            } else if self.lossy {
                // The pool is as large as the readers may fall behind. There is nothing to free and
                // no list to cut.
                seen.dropped += u64::from(incoming.advance(MISSED.0));
                thread::sleep(MISSED.1);
            } else {
                thread::yield_now();
            }
        }
        // ORDERING: Release pairs with the readers' Acquire: who sees this finds all that was
        // pushed before.
        receiving.fetch_sub(1, Release);
        seen
    }

    /// Looks at all batches until the last receiver is done. Polls, as packet drivers do.
    fn read(&self, number: u8, queues: &Queues<'p>, receiving: &AtomicUsize) -> Seen {
        let (mut seen, mut next) = (Seen::default(), [0; SOURCES]);
        loop {
            // ORDERING: Acquire pairs with the receivers' Release, so that nothing is pushed after
            // the look at the queue below.
            let all_received = receiving.load(Acquire) == 0;
            // At the end of this round the batch is dropped: if the other reader has let go of it,
            // its arena is free.
            let Some(batch) = queues[usize::from(number)].pop() else {
                if all_received {
                    return seen;
                }
                thread::yield_now();
                continue;
            };
            for bytes in batch.packets() {
                seen.arrived += 1;
                match Packet::parse(bytes) {
                    Some(Packet { source, sequence }) if next[usize::from(source)] <= sequence => {
                        next[usize::from(source)] = sequence + 1;
                    }
                    _ => seen.damaged += 1,
                }
            }
            if number == 1 && !self.pause.is_zero() {
                thread::sleep(self.pause);
            }
        }
    }
}
