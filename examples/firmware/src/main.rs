//! Packets from an interrupt handler to the main loop, in arenas that are recycled by frame.
//!
//! The handler allocates each packet in the current frame's arena and passes it on through a queue.
//! The main loop allocates its answers in the same arena, while interrupts go on. A packet keeps
//! its frame alive; when the last one is dropped, the arena is reset and free for a later frame.
//! There is no lock, no heap and no `unsafe`.
#![no_std]
#![no_main]

use core::cell::RefCell;

use cortex_m::Peripherals;
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use critical_section::Mutex;
use firmware::random::Random;
use firmware::timer;
use heapless::Vec;
use heapless::spsc::{Producer, Queue};
use marena_core::{BorrowedMemory, Handle, Pool, PoolGuard, StaticMemory};
use panic_semihosting as _;
use static_cell::{ConstStaticCell, StaticCell};

/// Packets that main reads before it stops.
const PACKETS: u32 = 10_000;

/// Frames that can be out at once: one fills, one is read, one waits in the queue.
const FRAMES: usize = 3;

/// Bytes of one frame's region, header included.
const FRAME_BYTES: usize = 4 * 1024;

/// Packets of one frame, at most.
const PACKETS_PER_FRAME: u32 = 32;

type Memory = BorrowedMemory<'static>;
type Frame = PoolGuard<'static, Memory>;

/// The frames' memory: exclusive, so that frames can be reset. The cells' contents are constants,
/// so none is ever on the stack.
static MEMORY: ConstStaticCell<[StaticMemory<FRAME_BYTES>; FRAMES]> =
    ConstStaticCell::new([const { StaticMemory::new() }; FRAMES]);
static QUEUE: ConstStaticCell<Queue<Packet, 64>> = ConstStaticCell::new(Queue::new());
static POOL: StaticCell<Pool<Memory, FRAMES>> = StaticCell::new();

/// Where main leaves the source for the handler's first run.
static HANDOVER: Mutex<RefCell<Option<Source>>> = Mutex::new(RefCell::new(None));

/// Bytes in a frame's arena. Sent once, from the handler to main.
struct Packet {
    frame: Frame,
    frame_number: u32,
    number: u32,
    bytes: Handle,
}

/// The byte at `index` of packet `number`: what is sent, and what must arrive.
fn payload(number: u32, index: usize) -> u8 {
    (number as u8).wrapping_mul(31).wrapping_add(index as u8)
}

/// The handler's side: receives packets from an imaginary device.
struct Source {
    pool: &'static Pool<Memory, FRAMES>,
    packets: Producer<'static, Packet>,
    frame: Option<Frame>,
    frame_number: u32,
    left_in_frame: u32,
    number: u32,
    random: Random,
}

impl Source {
    /// The current frame, or a new one where that is done.
    fn frame(&mut self) -> Option<Frame> {
        if self.frame.is_none() {
            self.frame = self.pool.acquire();
            self.frame_number += 1;
            self.left_in_frame = PACKETS_PER_FRAME;
        }
        self.frame.clone()
    }

    /// Receives one packet; a packet that finds no room is lost, as on a real wire.
    fn receive(&mut self) {
        self.number += 1;
        let size = self.random.within(1, 64) as usize;
        let Some(frame) = self.frame() else { return };
        if let Ok(mut block) = frame.allocate_bounded(size, 4) {
            for (index, byte) in block.iter_mut().enumerate() {
                *byte = payload(self.number, index);
            }
            let bytes = block.publish();
            // A packet that finds the queue full is dropped here, and its share of the frame with
            // it.
            let _ = self.packets.enqueue(Packet { frame, frame_number: self.frame_number, number: self.number, bytes });
        }
        self.left_in_frame -= 1;
        if self.left_in_frame == 0 {
            self.frame = None;
        }
    }
}

#[exception]
fn SysTick() {
    static mut SOURCE: Option<Source> = None;
    if SOURCE.is_none() {
        *SOURCE = critical_section::with(|cs| HANDOVER.take(cs));
    }
    if let Some(source) = SOURCE {
        source.receive();
    }
}

/// What main allocates for each packet it has read: as any bytes of the frame, nobody else may
/// write it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    number: u32,
    sum: u32,
}

/// A packet that was read, and the answer to it.
struct Answered {
    packet: Packet,
    answer: Handle<Answer>,
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().map(|&byte| u32::from(byte)).sum()
}

/// Reads a packet as it arrives, and answers it in its own frame.
fn answer(packet: Packet) -> Answered {
    let Some(bytes) = packet.frame.view(packet.bytes) else { panic!("the frame was recycled too early") };
    for (index, &byte) in bytes.iter().enumerate() {
        assert_eq!(byte, payload(packet.number, index), "packet {} at {index}", packet.number);
    }
    let answer = Answer { number: packet.number, sum: sum(bytes) };
    match packet.frame.insert(answer) {
        Ok(answer) => Answered { packet, answer },
        Err(error) => panic!("{error}"),
    }
}

/// Reads everything of a frame once more, when main and the handler have long written other bytes
/// of it.
fn check(answered: &[Answered]) {
    for Answered { packet, answer } in answered {
        let bytes = packet.frame.view(packet.bytes).unwrap_or_default();
        let expected = Answer { number: packet.number, sum: sum(bytes) };
        assert_eq!(packet.frame.get(*answer), Some(&expected));
    }
}

#[entry]
fn main() -> ! {
    let Some(peripherals) = Peripherals::take() else { panic!("the peripherals are taken") };
    let memories = MEMORY.take().each_mut().map(BorrowedMemory::from);
    let pool = POOL.init(Pool::new(memories).unwrap_or_else(|error| panic!("{error}")));
    let (packets, mut received) = QUEUE.take().split();
    let source =
        Source { pool, packets, frame: None, frame_number: 0, left_in_frame: 0, number: 0, random: Random::new() };
    critical_section::with(|cs| HANDOVER.replace(cs, Some(source)));
    let mut timer = peripherals.SYST;
    timer::start(&mut timer, 4_000);

    let mut answered: Vec<Answered, { PACKETS_PER_FRAME as usize }> = Vec::new();
    let (mut read, mut lost, mut frames, mut high_water) = (0, 0, 0, 0);
    while read < PACKETS {
        let Some(packet) = received.dequeue() else { continue };
        if answered.last().is_some_and(|last| last.packet.frame_number != packet.frame_number) {
            check(&answered);
            // Drops the frame's packets: the last guard resets the arena.
            answered.clear();
            frames += 1;
        }
        lost = packet.number - read - 1;
        let one = answer(packet);
        high_water = high_water.max(one.packet.frame.stats().high_water);
        if answered.push(one).is_err() {
            panic!("a frame has at most {PACKETS_PER_FRAME} packets");
        }
        read += 1;
    }
    timer::stop(&mut timer);
    check(&answered);
    hprintln!(
        "{} packets read and answered, {} lost, {} frames recycled, {} bytes at most in one",
        read,
        lost,
        frames,
        high_water
    );
    assert!(frames > 0 && lost < read / 10, "the main loop does not keep up");
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
