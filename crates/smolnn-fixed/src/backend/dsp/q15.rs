//! Q15 sigmoid and tanh, eight elements at a time: LLVM's loops take one or two instructions more, and how many depends on
//! where they are inlined.
//!
//! - A piece for x (4 KiB): UBFX finds it; nine instructions per element, and one for the offset of tanh.
//! - A piece for |x| (2 KiB): USAT finds it, −32768 included; twelve, and one for QADD where it saturates.
//!
//! Held by: random inputs against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use crate::act::q15::Q12;
use crate::backend::Pieces;
use crate::q::Q15;

/// A kernel's arguments: inputs, outputs, the number of eights, pieces.
type Kernel = unsafe extern "C" fn(*const i16, *mut i16, usize, *const i32);

/// [`Q12::tanh`] or [`Q12::sigmoid`] of as many eights as there are, from pieces of x or of |x|; what is left is returned.
#[inline(always)]
pub(super) fn eights<'a, const TANH: bool, const N: usize>(
    pieces: &Pieces<N>,
    input: &'a [Q12],
    output: &'a mut [Q15],
) -> (&'a [Q12], &'a mut [Q15]) {
    const { assert!(N == 512 || N == 256) };
    let kernel: Kernel = match (TANH, N) {
        (false, 512) => sigmoid,
        (true, 512) => tanh,
        (false, _) => sigmoid_small,
        (true, _) => tanh_small,
    };
    let (eights, input) = input.as_chunks::<8>();
    let (outputs, output) = output.split_at_mut(8 * eights.len());
    if !eights.is_empty() {
        // SAFETY: there are as many outputs as inputs; Q12 and Q15 are i16, the pieces two arrays one behind the other; the kernel
        // is the one for pieces of that number.
        unsafe {
            kernel(eights.as_ptr().cast(), outputs.as_mut_ptr().cast(), eights.len(), (&raw const *pieces).cast())
        };
    }
    (input, output)
}

/// r10 = c0 + x·(c1 + x·c2) with x in r7. The piece's number is in bits 7 to 15 of the register given.
macro_rules! positioned {
    ($x:literal) => {
        concat!("ubfx r10, ", $x, ", #7, #9\n", load!(), "mla r10, r7, r12, r10\n", "mla r10, r7, r10, r11")
    };
}

/// r10 = r6 + x·(c1 + |x|·c2) with x in r7 and half a unit in r6. r8 becomes the sign of x as ±1, r9 becomes |x|. The caller
/// adds c0 with that sign.
macro_rules! mirrored {
    () => {
        concat!(
            "orr.w r8, r5, r7, asr #31\n",
            "mul r9, r7, r8\n",
            "usat r10, #8, r9, asr #7\n",
            load!(),
            "mla r10, r9, r12, r10\n",
            "mla r10, r7, r10, r6",
        )
    };
}

/// Loads the coefficients of the piece whose number is in r10: c0 to r11, c1 to r10, c2 to r12.
macro_rules! load {
    () => {
        concat!("ldr.w r11, [r3, r10, lsl #2]\n", "ldr.w r10, [r4, r10, lsl #2]\n", "sxtb.w r12, r11\n")
    };
}

/// A kernel: `$line` are the instructions that make the output in r10 from x in r7.
macro_rules! kernel {
    ($name:ident, $slopes:literal, $half:literal, $($line:expr,)*) => {
        /// Eight outputs for each of `eights` eights of inputs, one at least.
        ///
        /// # Safety
        /// 8 · `eights` inputs can be read and outputs written. At `pieces` all constants can be read, and as many slopes behind
        /// them.
        //
        // | register | holds                                                 |
        // |----------|-------------------------------------------------------|
        // | r0, r1   | next input, next output                               |
        // | r2       | eights that are left                                  |
        // | r3, r4   | constants (c0, with c2 in the lowest byte), slopes (c1) |
        // | r5       | 1                                                     |
        // | r6       | half a unit of the kernels for pieces of the absolute value, else 0 |
        // | r7       | x                                                     |
        // | r8, r9   | sign of x as ±1, absolute value of x                  |
        // | r10      | number of the piece, then c1, then the output         |
        // | r11, r12 | c0, c2                                                |
        #[unsafe(naked)]
        unsafe extern "C" fn $name(input: *const i16, output: *mut i16, eights: usize, pieces: *const i32) {
            naked_asm!(
                env!("SMOLNN_DSP_CORE"),
                "push {{r4-r11, lr}}",
                concat!("add.w r4, r3, #", $slopes),
                "mov.w r5, #1",
                concat!("mov.w r6, #", $half),
                "1:",
                ".rept 8",
                "ldrsh.w r7, [r0], #2",
                $($line,)*
                "strh.w r10, [r1], #2",
                ".endr",
                "subs r2, #1",
                "bne.w 1b",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

kernel! { sigmoid, 2048, 0,
    positioned!("r7"),
    "lsr.w r10, r10, #17",
}

kernel! { tanh, 2048, 0,
    "add.w r10, r7, r5",
    positioned!("r10"),
    "asr.w r10, r10, #16",
}

kernel! { sigmoid_small, 1024, 0x10000,
    mirrored!(),
    "mla r10, r11, r8, r10",
    "lsr.w r10, r10, #17",
}

kernel! { tanh_small, 1024, 0x8000,
    mirrored!(),
    "mul r11, r11, r8",
    "qadd r10, r10, r11",
    "asr.w r10, r10, #16",
}
