//! The two devices that the kernel uses, where the device tree says they are.

use core::fmt::{self, Write};
use core::ptr::{self, NonNull};

use flat_device_tree::Fdt;
use spin::Mutex;

/// What the test finisher takes for success and for failure with status 1.
const PASS: u32 = 0x5555;
const FAIL: u32 = 0x1_3333;

/// Registers, by their devices' first ones.
pub struct Devices {
    serial: Mutex<Serial>,
    finisher: NonNull<u32>,
}

// SAFETY: the pointers are to device registers, which every hart may write; the serial port has a
// lock, so that lines stay whole.
unsafe impl Send for Devices {}
// SAFETY: as above.
unsafe impl Sync for Devices {}

struct Serial(NonNull<u8>);

impl Devices {
    /// The devices of this machine. Without them nothing can be reported, so their lack is a panic.
    pub fn find(tree: &Fdt<'_>) -> Self {
        Self { serial: Mutex::new(Serial(registers(tree, "ns16550a"))), finisher: registers(tree, "sifive,test0") }
    }

    /// Writes to the serial port.
    pub fn print(&self, text: fmt::Arguments<'_>) {
        // The port takes everything.
        let _ = self.serial.lock().write_fmt(text);
    }

    /// Ends the machine, and with it the emulator.
    pub fn exit(&self, success: bool) {
        // SAFETY: a device register.
        unsafe { self.finisher.write_volatile(if success { PASS } else { FAIL }) };
    }
}

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: a device register: what is written is sent. The emulated port is always
            // ready.
            unsafe { self.0.write_volatile(byte) };
        }
        Ok(())
    }
}

/// The first register of the device that is compatible with `name`.
fn registers<T>(tree: &Fdt<'_>, name: &str) -> NonNull<T> {
    let region = tree.find_compatible(&[name]).and_then(|node| node.reg().next());
    let address = region.map_or(0, |region| region.starting_address.addr());
    match NonNull::new(ptr::with_exposed_provenance_mut(address)) {
        Some(registers) => registers,
        None => panic!("the device tree has no {name}"),
    }
}
