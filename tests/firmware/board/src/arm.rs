//! Cortex-M: vector table and start-up of cortex-m-rt, SysTick as the clock.
//!
//! cortex-m-rt's reset code enables CP10 and CP11, hence FPU and Helium, on every `-eabihf` target before Rust code runs.

use cortex_m_rt as _;

const SYST_CSR: *mut u32 = 0xE000_E010 as *mut u32;
const SYST_RVR: *mut u32 = 0xE000_E014 as *mut u32;
const SYST_CVR: *mut u32 = 0xE000_E018 as *mut u32;

/// Bits of the counter: SysTick counts down through 24.
pub const COUNTER_MASK: u32 = 0x00FF_FFFF;

/// Starts SysTick on the processor clock, without interrupt, and waits until it has loaded its first value.
pub fn start_counter() {
    // SAFETY: the addresses of SysTick's registers on every Cortex-M; nothing else uses them here.
    unsafe {
        SYST_CSR.write_volatile(0);
        SYST_RVR.write_volatile(COUNTER_MASK);
        SYST_CVR.write_volatile(0);
        SYST_CSR.write_volatile(0b101);
        while SYST_CVR.read_volatile() == 0 {}
    }
}

/// Ticks so far, counting up, modulo [`COUNTER_MASK`] + 1.
#[inline(always)]
pub fn ticks() -> u32 {
    // SAFETY: reads a register that exists on every Cortex-M.
    unsafe { SYST_CVR.read_volatile() }.wrapping_neg()
}

/// Runs a loop of two instructions `turns` times.
#[inline(never)]
pub fn known_loop(turns: u32) {
    // SAFETY: counts a register of its own down to 0.
    unsafe {
        core::arch::asm!("2:", "subs {n}, {n}, #1", "bne 2b", n = inout(reg) turns => _, options(nomem, nostack));
    }
}

/// The stack pointer.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// The lowest address that the stack may use.
pub fn stack_end() -> usize {
    unsafe extern "C" {
        static _stack_end: u8;
    }
    &raw const _stack_end as usize
}

/// What the core pushes when it faults, as cortex-m-rt's trampoline hands it to the handler.
#[repr(transparent)]
pub struct Frame(cortex_m_rt::ExceptionFrame);

impl Frame {
    /// Says where the HardFault happened.
    pub fn say(&self) {
        crate::println!("HardFault at {:#010x}, called from {:#010x}", self.0.pc(), self.0.lr());
    }

    /// Says nothing: without formatting code.
    pub fn ignore(&self) {}
}
