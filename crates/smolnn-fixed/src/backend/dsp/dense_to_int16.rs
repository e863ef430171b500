//! Dense layer to int16, eight outputs at a time, two channels to a halfword as in [`tile`](super::tile). Multipliers of 1/2
//! and more are common here, so that the requantisation knows right shifts by 0, and left shifts.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware), `lstm_*` goldens.

use core::arch::naked_asm;

use super::pack::TO_INT16_OUTPUTS as OUTPUTS;
use super::vector::{pair, widen};
use crate::dense::DenseToInt16;

pub(super) fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16], scratch: &mut [u32]) {
    let groups = input.len().div_ceil(4);
    let mut column = input.as_ptr();
    if !input.len().is_multiple_of(4) {
        // The last group is partly filled: a copy keeps reads inside of the input. Its weights are 0.
        let copy: &mut [i8] = bytemuck::must_cast_slice_mut(scratch);
        for (copy, &value) in copy.iter_mut().zip(input) {
            *copy = value;
        }
        column = copy.as_ptr();
    }
    let blocks = output.len() / OUTPUTS;
    let (whole, rest) = output.split_at_mut(blocks * OUTPUTS);
    // SAFETY: 4 · groups bytes can be read at the column; the words hold a block for every eight outputs begun.
    unsafe {
        let mut words = layer.words.as_ptr();
        if blocks > 0 {
            words = eights(words, column, groups, whole.as_mut_ptr(), blocks);
        }
        if !rest.is_empty() {
            let mut side = [0; OUTPUTS];
            eights(words, column, groups, side.as_mut_ptr(), 1);
            for (result, &value) in rest.iter_mut().zip(&side) {
                *result = value;
            }
        }
    }
}

/// Takes the odd channel's sum out of 256 times that sum plus the even channel's.
macro_rules! split {
    ($even:literal, $odd:literal) => {
        concat!("sub ", $odd, ", ", $odd, ", ", $even, "\nasr ", $odd, ", ", $odd, ", #8\n")
    };
}

/// Requantises a sum and stores the output at r1: left shift, mantissa, half a unit and right shift come from r0.
/// The sum's sign stands for its product's: where they differ the product rounds to 0, and the correction changes nothing.
macro_rules! requantise {
    ($sum:literal) => {
        concat!(
            "ldmia.w r0!, {{r2, r3, r12, lr}}\n",
            "lsl ",
            $sum,
            ", ",
            $sum,
            ", r2\n",
            "and r2, lr, ",
            $sum,
            ", asr #31\n",
            "sub r12, r12, r2, lsr #31\n",
            "smmlar ",
            $sum,
            ", ",
            $sum,
            ", r3, r12\n",
            "asr ",
            $sum,
            ", ",
            $sum,
            ", lr\n",
            "ssat ",
            $sum,
            ", #16, ",
            $sum,
            "\n",
            "strh ",
            $sum,
            ", [r1], #2\n",
        )
    };
}

/// Computes `blocks` blocks of eight outputs from 4 · `groups` inputs; gives the end of the words read.
///
/// # Safety
/// Neither count is 0. The inputs can be read and the outputs written; the words are blocks of [`Layout::DspToInt16`] for that
/// many inputs.
//
// | register        | in the loop over groups                       | around it                            |
// |-----------------|-----------------------------------------------|--------------------------------------|
// | r0              | next words                                    | next words                           |
// | r1              | next inputs                                   | next output                          |
// | r2, r3          | four inputs, widened; then r2: end of the input | left shift, then correction; mantissa |
// | r4, r6, r8, r10 | sums A0 of the even channels                  | the sums, then the outputs           |
// | r5, r7, r9, r11 | 256·A1 + A0 of the pairs of channels          | the sums A1, then the outputs        |
// | r12, lr         | weights of a pair of channels                 | half a unit, right shift             |
//
// | stack | holds              | stack | holds                 |
// |-------|--------------------|-------|-----------------------|
// | 0     | end of the input   | 8     | next output           |
// | 4     | `input`            | 12    | blocks that are left  |
#[unsafe(naked)]
unsafe extern "C" fn eights(
    words: *const u32,
    input: *const i8,
    groups: usize,
    output: *mut i16,
    blocks: usize,
) -> *const u32 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "ldr r4, [sp, #36]",
        "add r2, r1, r2, lsl #2",
        "push {{r4}}",
        "push {{r3}}",
        "push {{r1}}",
        "push {{r2}}",
        "1:",
        "ldmia.w r0!, {{r4, r5, r6, r7, r8, r9, r10, r11}}",
        "ldr r1, [sp, #4]",
        "2:",
        widen!(),
        pair!("r4", "r5"),
        pair!("r6", "r7"),
        pair!("r8", "r9"),
        pair!("r10", "r11"),
        "ldr r2, [sp]",
        "cmp r1, r2",
        "bne 2b",
        "ldr r1, [sp, #8]",
        split!("r4", "r5"),
        split!("r6", "r7"),
        split!("r8", "r9"),
        split!("r10", "r11"),
        requantise!("r4"),
        requantise!("r5"),
        requantise!("r6"),
        requantise!("r7"),
        requantise!("r8"),
        requantise!("r9"),
        requantise!("r10"),
        requantise!("r11"),
        "ldr r2, [sp, #12]",
        "subs r2, #1",
        "strd r1, r2, [sp, #8]",
        "bne.w 1b",
        "add sp, #16",
        "pop {{r4-r11, pc}}",
    )
}
