//! Q15 sigmoid and tanh in 2 KiB, eight at a time: USAT gives the piece of |x|, −32768 included, and what is constant stays in
//! registers, for which LLVM keeps too many copies. Twelve instructions per element, thirteen where QADD saturates.
//! Held by: random inputs against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use crate::act::q15::{Pieces, Q12};
use crate::q::Q15;

/// The function of as many eights as there are; what is left is returned.
#[inline(always)]
pub(crate) fn mirrored<'a, const SATURATES: bool>(
    pieces: &Pieces<256>,
    input: &'a [Q12],
    output: &'a mut [Q15],
) -> (&'a [Q12], &'a mut [Q15]) {
    let (eights, input) = input.as_chunks::<8>();
    let (outputs, output) = output.split_at_mut(8 * eights.len());
    if !eights.is_empty() {
        let run = if SATURATES { saturating } else { wrapping };
        // SAFETY: there are as many outputs as inputs; Q12 and Q15 are i16, the pieces two arrays one behind the other.
        unsafe { run(eights.as_ptr().cast(), outputs.as_mut_ptr().cast(), eights.len(), (&raw const *pieces).cast()) };
    }
    (input, output)
}

/// One element: x in r7, its sign in r8, |x| in r9, the piece's c0 in r11. `last` adds ±c0, leaving the output in r10.
macro_rules! element {
    ($last:literal) => {
        concat!(
            "ldrsh.w r7, [r0], #2
             orr.w r8, r5, r7, asr #31
             mul r9, r7, r8
             usat r10, #8, r9, asr #7
             ldr.w r11, [r3, r10, lsl #2]
             ldr.w r10, [r4, r10, lsl #2]
             sxtb.w r12, r11
             mla r10, r9, r12, r10
             mla r10, r7, r10, r6\n",
            $last,
            "strh.w r10, [r1], #2\n",
        )
    };
}

macro_rules! kernel {
    ($name:ident, $half:literal, $last:literal) => {
        /// r0: inputs, r1: outputs, r2: eights, one or more, r3: constants with the slopes behind them.
        ///
        /// # Safety
        /// As many inputs can be read and outputs written; 256 constants and as many slopes can be read.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(input: *const i16, output: *mut i16, eights: usize, pieces: *const i32) {
            naked_asm!(
                env!("SMOLNN_DSP_CORE"),
                "push {{r4-r11, lr}}",
                "add.w r4, r3, #1024",
                "mov.w r5, #1",
                concat!("mov.w r6, #", $half),
                "1:",
                element!($last),
                element!($last),
                element!($last),
                element!($last),
                element!($last),
                element!($last),
                element!($last),
                element!($last),
                "subs r2, #1",
                "bne.w 1b",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

kernel!(wrapping, "0x10000", "mla r10, r11, r8, r10\nlsr.w r10, r10, #17\n");
kernel!(saturating, "0x8000", "mul r11, r11, r8\nqadd r10, r10, r11\nasr.w r10, r10, #16\n");
