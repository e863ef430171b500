//! Dense layer of int16 activations, four rows at a time: the inputs are paired up as SXTB16 takes weights apart, first with
//! third and second with fourth, once for all rows: 26 instructions for 16 products.

use core::arch::naked_asm;

use crate::backend::dense_int16::{self, Job, finish, kernel};
use crate::pack::Channel;
use crate::quantise::OutputRange;

pub(super) fn dense_int16(
    input: &[i16],
    weights: &[i8],
    channels: &[Channel],
    range: &OutputRange,
    output: &mut [i16],
) {
    dense_int16::dense_int16(kernel, 4, input, weights, channels, range, output);
}

/// Adds four weights at the row's pointer times the inputs in r12 (first and third) and r11 (second and fourth) to `$sum`. The
/// pointer moves on; r10 and lr are overwritten.
macro_rules! row {
    ($row:literal, $sum:literal) => {
        concat!(
            "ldr r10, [",
            $row,
            "], #4\n",
            "sxtb16 lr, r10\n",
            "sxtb16 r10, r10, ror #8\n",
            "smlad ",
            $sum,
            ", lr, r12, ",
            $sum,
            "\n",
            "smlad ",
            $sum,
            ", r10, r11, ",
            $sum,
            "\n",
        )
    };
}

// | register       | holds in this loop                                                |
// |----------------|-------------------------------------------------------------------|
// | r0             | next inputs                                                       |
// | r1, r2, r8, r5 | next weights of the four rows                                     |
// | r3             | groups that are left                                              |
// | r4, r6, r7, r9 | sums of the four rows                                             |
// | r10            | two inputs, then weights                                          |
// | r11, r12       | second and fourth input, first and third input                    |
// | lr             | weights                                                           |
kernel!(
    env!("SMOLNN_DSP_CORE"),
    concat!(
        "cbz r3, 3f\n",
        "2:\n",
        "ldr r10, [r0], #4\n",
        "ldr r11, [r0], #4\n",
        "pkhbt r12, r10, r11, lsl #16\n",
        "pkhtb r11, r11, r10, asr #16\n",
        row!("r1", "r4"),
        row!("r2", "r6"),
        row!("r8", "r7"),
        row!("r5", "r9"),
        "subs r3, #1\n",
        "bne 2b\n",
        "3:\n",
    )
);
