//! The SysTick timer.

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// Starts the timer; its first interrupt comes after `ticks`.
pub fn start(timer: &mut SYST, ticks: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(ticks);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

/// Stops it. An interrupt that is already on its way still comes.
pub fn stop(timer: &mut SYST) {
    timer.disable_counter();
    timer.disable_interrupt();
}
