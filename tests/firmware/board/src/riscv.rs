//! RV32 in machine mode: start-up of riscv-rt, `minstret` as the clock.

use riscv_rt as _;

/// Bits of the counter: the low word of `minstret`.
pub const COUNTER_MASK: u32 = u32::MAX;

/// `minstret` runs from reset.
pub fn start_counter() {}

/// Instructions retired so far, modulo 2^32.
#[inline(always)]
pub fn ticks() -> u32 {
    let instructions: u32;
    // SAFETY: reads a counter that every machine-mode hart has; not `nomem`, so that work stays on its side of the read.
    unsafe { core::arch::asm!("csrr {}, minstret", out(reg) instructions, options(nostack)) };
    instructions
}

/// Runs a loop of two instructions `turns` times.
#[inline(never)]
pub fn known_loop(turns: u32) {
    // SAFETY: counts a register of its own down to 0.
    unsafe {
        core::arch::asm!("2:", "addi {n}, {n}, -1", "bnez {n}, 2b", n = inout(reg) turns => _, options(nomem, nostack));
    }
}

/// The stack pointer.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// The lowest address that the stack may use.
pub fn stack_end() -> usize {
    unsafe extern "C" {
        static __eheap: u8;
    }
    &raw const __eheap as usize
}

/// The registers that riscv-rt's trap code saves and hands to the handler.
#[repr(transparent)]
pub struct Frame(riscv_rt::TrapFrame);

impl Frame {
    /// Says what the exception was and where it happened.
    pub fn say(&self) {
        let (cause, address): (u32, u32);
        // SAFETY: reads two registers that describe the trap.
        unsafe { core::arch::asm!("csrr {}, mcause", "csrr {}, mepc", out(reg) cause, out(reg) address) };
        crate::println!("exception {cause} at {address:#010x}, called from {:#010x}", self.0.ra);
    }

    /// Says nothing: without formatting code.
    pub fn ignore(&self) {}
}
