//! Dense layer of int16 activations, four rows at a time: VLDRB.S16 widens eight weights as it loads them. The loop ends
//! where the inputs do.

use core::arch::naked_asm;

use super::vector::helium;
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
    dense_int16::dense_int16(kernel, 1, input, weights, channels, range, output);
}

// VMLADAVA adds to registers of even numbers only, so that sums and rows change places for the loop. Groups are of one
// input: none are left for the loop over single inputs, which would need the rows' pointers again.
//
// | register       | holds in this loop                                      |
// |----------------|---------------------------------------------------------|
// | r0             | next inputs                                             |
// | r1, r2, r3, r5 | next weights of the four rows                           |
// | r4, r6, r8, r10| sums of the four rows, afterwards in r4, r6, r7, r9     |
// | lr             | inputs that are left                                    |
// | q0             | eight inputs                                            |
// | q1, q2, q3     | eight weights of a row                                  |
kernel!(
    helium!(),
    "mov r7, r8
     mov r8, #0
     mov r10, #0
     dlstp.16 lr, r3
     mov r3, r7
     2:
     vldrh.u16 q0, [r0], #16
     vldrb.s16 q1, [r1], #8
     vmladava.s16 r4, q0, q1
     vldrb.s16 q2, [r2], #8
     vmladava.s16 r6, q0, q2
     vldrb.s16 q3, [r3], #8
     vmladava.s16 r8, q0, q3
     vldrb.s16 q1, [r5], #8
     vmladava.s16 r10, q0, q1
     letp lr, 2b
     mov r7, r8
     mov r9, r10\n"
);
