//! Dense layer of one vector whose weights do not fit two to a halfword, or whose sums are too long for that
//! ([`Layout::DspWide`](crate::pack::Layout::DspWide)): of 1 000 inputs and more, by their weights.
//!
//! Two pairs of outputs at a time, each from its own stream of words: 12 instructions and 23 cycles for 16 products, besides three for the loop.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use super::dense::whole_groups;
use super::pack::wide_stream;
use super::requantise::requantise;

/// Runs the layer on one vector.
///
/// # Safety
/// The words have the wide layout; input and output have the given lengths, the scratch memory what the layout says.
#[inline(never)]
pub(super) unsafe fn wide_vector(
    words: &[u32],
    inputs: usize,
    outputs: usize,
    input: *const i8,
    mut output: *mut i8,
    scratch: *mut u32,
) {
    let stream = wide_stream(inputs);
    let mut words = words.as_ptr();
    let mut left = outputs;
    // SAFETY: input, output and words have the lengths that the caller vouches for: a stream for every two outputs. The last pair may stand
    // alone, whose stream then serves as both, and the last output too; what is computed besides does not go to the output.
    unsafe {
        let input = whole_groups(input, inputs, scratch);
        while left > 0 {
            let next = if left > 2 { words.add(stream) } else { words };
            if left >= 4 {
                fours(words, next, input, inputs.div_ceil(4), output);
                left -= 4;
            } else {
                let mut rest = [0_i8; 4];
                fours(words, next, input, inputs.div_ceil(4), rest.as_mut_ptr());
                for (index, value) in rest.into_iter().enumerate().take(left) {
                    *output.add(index) = value;
                }
                left = 0;
            }
            words = words.wrapping_add(2 * stream);
            output = output.wrapping_add(4);
        }
    }
}

/// Requantises a sum with the next parameters of a stream and stores the output at r2; r8, r9, r10 and r12 are overwritten.
macro_rules! finish {
    ($stream:literal, $sum:literal) => {
        concat!(
            "ldmia.w ",
            $stream,
            "!, {{r8, r9, r10}}\nlsl ",
            $sum,
            ", ",
            $sum,
            ", #1\n",
            requantise!(any, $sum, "r8", "r9", "r10", "r12"),
            "strb ",
            $sum,
            ", [r2], #1\n"
        )
    };
}

/// Computes four outputs, two from each stream.
///
/// # Safety
/// `words` and `next` are streams of pairs for 4 · `groups` inputs, which can be read at `input`; `groups` is not 0. Four bytes can be
/// written at `output`.
//
// | register       | in the loop over groups           | behind it                                |
// |----------------|-----------------------------------|------------------------------------------|
// | r0, r1         | next words of both streams        | the same                                 |
// | r2             | next inputs                       | next output                              |
// | r3             | end of the inputs                 |                                          |
// | r4, r5, r6, r7 | sums                              | sums, then outputs                       |
// | r8, r9, r10    | weights                           | multiplier, rounding, shift              |
// | r11            | weights                           |                                          |
// | r12, lr        | four inputs, widened              | r12: spare                               |
#[unsafe(naked)]
unsafe extern "C" fn fours(words: *const u32, next: *const u32, input: *const i8, groups: usize, output: *mut i8) {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "add r3, r2, r3, lsl #2",
        "ldmia r0!, {{r4, r5}}",
        "ldmia r1!, {{r6, r7}}",
        "2:",
        "ldr lr, [r2], #4",
        "sxtb16 r12, lr",
        "sxtb16 lr, lr, ror #8",
        "ldmia.w r0!, {{r8, r9, r10, r11}}",
        "smlad r4, r8, r12, r4",
        "smlad r5, r9, r12, r5",
        "smlad r4, r10, lr, r4",
        "smlad r5, r11, lr, r5",
        "ldmia.w r1!, {{r8, r9, r10, r11}}",
        "smlad r6, r8, r12, r6",
        "smlad r7, r9, r12, r7",
        "smlad r6, r10, lr, r6",
        "smlad r7, r11, lr, r7",
        "cmp r2, r3",
        "bne 2b",
        "ldr r2, [sp, #36]",
        finish!("r0", "r4"),
        finish!("r0", "r5"),
        finish!("r1", "r6"),
        finish!("r1", "r7"),
        "pop {{r4-r11, pc}}",
    )
}
