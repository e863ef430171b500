//! What firmware under QEMU needs and nothing more, the same on every board: start-up, output and exit codes by semihosting,
//! an instruction counter, a stack gauge, and handlers that end the run instead of looping.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! board::entry!(run);
//! fn run() -> board::Exit {
//!     board::println!("hello");
//!     board::Exit::Pass
//! }
//! ```
#![no_std]
// Registers, the raw stack and symbols of the linker script cannot be reached otherwise.
#![allow(unsafe_code)]

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod machine;

pub mod counter;
mod file;
mod options;
pub mod stack;
#[cfg(smolnn_small_board)]
mod uart;

pub use file::File;
pub use machine::Frame;
pub use options::option;
pub use semihosting::{print, println};
#[cfg(smolnn_small_board)]
pub use uart::Uart;

/// How a run ends: the exit status of the QEMU process. `xtask/src/firmware.rs` reads the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Pass = 0,
    /// The firmware found a fault in what it tests.
    Fail = 1,
    /// A panic: what panics in Rust on a host exits with too.
    Panic = 101,
    /// A HardFault, or an exception on RISC-V.
    HardFault = 102,
    /// The instruction counter does not count as the board table says.
    Uncalibrated = 103,
}

/// Makes `$run`, a `fn() -> board::Exit`, the program, with handlers that say what happened when it panics or faults.
#[macro_export]
macro_rules! entry {
    ($run:path) => {
        $crate::program!($run, $crate::say_panic, $crate::Frame::say);
    };
}

/// The same with handlers that do not format: for images whose size, or whose freedom from panics, is looked at. The image
/// of a program without panics then has no trace of formatting code.
#[macro_export]
macro_rules! lean_entry {
    ($run:path) => {
        $crate::program!($run, $crate::mention_panic, $crate::Frame::ignore);
    };
}

/// What [`entry!`] and [`lean_entry!`] have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! program {
    ($run:path, $panic:path, $fault:path) => {
        const _: () = {
            // SAFETY: the one function of that name, called once by the start-up code after RAM was initialised.
            #[unsafe(export_name = "main")]
            extern "C" fn main() -> ! {
                let run: fn() -> $crate::Exit = $run;
                $crate::exit(run())
            }

            // SAFETY: the symbol that the start-up code names for this handler, with the argument that it passes. On Arm
            // the section keeps it within the reach of the trampoline.
            #[cfg_attr(
                target_arch = "arm",
                unsafe(export_name = "HardFault"),
                unsafe(link_section = ".HardFault.board")
            )]
            #[cfg_attr(target_arch = "riscv32", unsafe(export_name = "ExceptionHandler"))]
            extern "C" fn fault(frame: &$crate::Frame) -> ! {
                $fault(frame);
                $crate::exit($crate::Exit::HardFault)
            }

            #[panic_handler]
            fn panic(info: &core::panic::PanicInfo) -> ! {
                $panic(info);
                $crate::exit($crate::Exit::Panic)
            }
        };
    };
}

/// Ends the run.
pub fn exit(code: Exit) -> ! {
    semihosting::process::exit(code as i32)
}

/// Prints a string without formatting code, which would bring `core::fmt` and its panics into the image.
pub fn print_plain(text: &core::ffi::CStr) {
    semihosting::sys::arm_compat::sys_write0(text);
}

/// Prints a label, a number and the end of a line, without formatting code.
pub fn print_number(label: &core::ffi::CStr, number: usize) {
    print_plain(label);
    let mut power = 1_000_000_000;
    while power > 1 && number < power {
        power /= 10;
    }
    while power > 0 {
        semihosting::sys::arm_compat::sys_writec(b'0' + (number / power % 10) as u8);
        power /= 10;
    }
    print_plain(c"\n");
}

/// A static of the given type and constant value, borrowed for ever: `Some` the first time, `None` after.
#[macro_export]
macro_rules! taken {
    ($type:ty, $value:expr) => {{
        use core::sync::atomic::{AtomicBool, Ordering};
        static TAKEN: AtomicBool = AtomicBool::new(false);
        static mut CELL: $type = $value;
        if TAKEN.load(Ordering::Relaxed) {
            None
        } else {
            TAKEN.store(true, Ordering::Relaxed);
            // SAFETY: one core, no interrupts, and the flag above: nobody else has or gets this borrow.
            Some(unsafe { &mut *(&raw mut CELL) })
        }
    }};
}

/// Says where and why the program panicked.
pub fn say_panic(info: &core::panic::PanicInfo) {
    println!("{info}");
}

/// Says that the program panicked, without formatting code.
pub fn mention_panic(_: &core::panic::PanicInfo) {
    print_plain(c"panicked\n");
}
