//! talc, behind a critical section.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use firmware_size::{BYTES, run};
use talc::TalcLock;
use talc::source::Manual;

/// A lock for one core: interrupts are off while it is held.
struct Interrupts(core::cell::Cell<critical_section::RestoreState>);

// SAFETY: the state is touched only while the lock is held.
unsafe impl Sync for Interrupts {}

// SAFETY: with interrupts off on the one core there is, nobody else runs.
unsafe impl lock_api::RawMutex for Interrupts {
    #[expect(clippy::declare_interior_mutable_const, reason = "the trait asks for it")]
    const INIT: Self = Self(core::cell::Cell::new(critical_section::RestoreState::invalid()));
    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        // SAFETY: `unlock` releases it, on the same core.
        self.0.set(unsafe { critical_section::acquire() });
    }

    fn try_lock(&self) -> bool {
        self.lock();
        true
    }

    unsafe fn unlock(&self) {
        // SAFETY: the state is that of the `lock` before.
        unsafe { critical_section::release(self.0.get()) };
    }
}

// The crate links `alloc`, which asks for a global allocator.
#[global_allocator]
static TALC: TalcLock<Interrupts, Manual> = TalcLock::new(Manual);

#[entry]
fn main() -> ! {
    static mut MEMORY: [MaybeUninit<u8>; BYTES] = [MaybeUninit::uninit(); BYTES];
    // SAFETY: memory that nobody else uses.
    unsafe { TALC.lock().claim(MEMORY.as_mut_ptr().cast(), BYTES) };
    run(&TALC)
}
