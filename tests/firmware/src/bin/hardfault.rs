//! Must fail: executes an undefined instruction.
#![no_std]
#![no_main]
#![allow(unsafe_code)]

board::entry!(run);

fn run() -> board::Exit {
    #[cfg(target_arch = "arm")]
    // SAFETY: traps; nothing is read or written.
    unsafe {
        core::arch::asm!("udf #0")
    };
    #[cfg(target_arch = "riscv32")]
    // SAFETY: traps; nothing is read or written.
    unsafe {
        core::arch::asm!("unimp")
    };
    board::Exit::Pass
}
