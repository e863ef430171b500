//! Dense layer of int16 activations in short form, four rows of int8 weights at a time: what the cores with the DSP instructions
//! and those with Helium share. Either way SMMUL scales a sum, and ASRS leaves the bit in the carry that ADC rounds by, half
//! up.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware), `dense_int16*`, `lstm_int16*`
//! goldens.

use crate::backend::portable;
use crate::pack::Channel;
use crate::quantise::{OutputRange, clamp};

/// One vector of int16 inputs: `kernel` runs four outputs at a time, `group` inputs a turn of its loop.
#[inline(always)]
pub(super) fn dense_int16(
    kernel: unsafe extern "C" fn(&mut Job),
    group: usize,
    input: &[i16],
    weights: &[i8],
    channels: &[Channel],
    range: &OutputRange,
    output: &mut [i16],
) {
    let blocks = output.len() / 4;
    let (whole, rest) = output.split_at_mut(4 * blocks);
    let (Some(_), Some(rest_weights), Some(rest_channels)) =
        (input.first(), weights.get(4 * blocks * input.len()..), channels.get(4 * blocks..))
    else {
        return;
    };
    if blocks > 0 {
        let mut job = Job {
            input: input.as_ptr(),
            weights: weights.as_ptr(),
            inputs: input.len(),
            groups: input.len() / group,
            rest: input.len() - input.len() / group * group,
            channels: channels.as_ptr(),
            output: whole.as_mut_ptr(),
            blocks,
        };
        // SAFETY: the slices above end behind the last block, so that its weights and channels can be read; the output has four
        // elements per block, and there is a block.
        unsafe { kernel(&mut job) };
        if range.minimum > -32768 || range.maximum < 32767 {
            for value in whole {
                *value = clamp((*value).into(), range.minimum, range.maximum) as i16;
            }
        }
    }
    portable::dense_int16(input, rest_weights, rest_channels, range, rest);
}

/// The arguments of the kernel, which moves some of them on. The assembly names fields by their offsets in bytes, which stand
/// beside them.
#[repr(C)]
pub(super) struct Job {
    input: *const i16,        // 0
    weights: *const i8,       // 4
    inputs: usize,            // 8
    groups: usize,            // 12: turns of the loop over groups of inputs
    rest: usize,              // 16: inputs behind the last group
    channels: *const Channel, // 20
    output: *mut i16,         // 24
    blocks: usize,            // 28: blocks of four outputs, at least one
}

/// Requantises a sum with the channel at r1 and stores the output at r2; both pointers move on. r0, r3 and r5 take bias,
/// mantissa and shift.
macro_rules! finish {
    ($sum:literal) => {
        concat!(
            "ldmia r1!, {{r0, r3, r5}}\n",
            "add ",
            $sum,
            ", ",
            $sum,
            ", r0\n",
            "smmul r0, ",
            $sum,
            ", r3\n",
            "asrs r0, r0, r5\n",
            "adc r0, r0, #0\n",
            "ssat r0, #16, r0\n",
            "strh r0, [r2], #2\n",
        )
    };
}

/// The kernel of a core: `$core` names it to the assembler, `$groups` adds the products of four rows of weights at r1, r2, r8,
/// r5 with inputs at r0, r3 groups of them, to r4, r6, r7, r9.
macro_rules! kernel {
    ($core:expr, $groups:expr) => {
        /// # Safety
        /// The job's inputs can be read, as can four rows of as many weights and four channels for each block; four outputs
        /// for each can be written.
        //
        // | register       | holds                                                                            |
        // |----------------|----------------------------------------------------------------------------------|
        // | r0             | next input; around the loops bias, then output                                   |
        // | r1, r2, r8, r5 | next weight of the four rows; around the loops r1: channels, r2: outputs, r5: shift |
        // | r3             | groups, then inputs that are left; around the loops the mantissa                 |
        // | r4, r6, r7, r9 | sums of the four rows                                                            |
        // | r10, r11, lr   | taken by `$groups`; in the loop over single inputs r10: input, r11: weight       |
        // | r12            | the job, also at [sp]; `$groups` may overwrite it                                |
        #[unsafe(naked)]
        unsafe extern "C" fn kernel(job: &mut Job) {
            naked_asm!(
                $core,
                "push {{r0, r4-r11, lr}}",
                "1:",
                "ldr r12, [sp]",
                "ldmia r12, {{r0, r1, r2, r3}}",
                "mov r4, #0",
                "mov r6, #0",
                "mov r7, #0",
                "mov r9, #0",
                "add r8, r1, r2, lsl #1",
                "add r5, r8, r2",
                "add r2, r1, r2",
                // The next block's weights.
                "ldr r10, [r12, #8]",
                "add r10, r10, r5",
                "str r10, [r12, #4]",
                $groups,
                "ldr r12, [sp]",
                "ldr r3, [r12, #16]",
                "cbz r3, 5f",
                "4:",
                "ldrsh r10, [r0], #2",
                "ldrsb r11, [r1], #1",
                "mla r4, r10, r11, r4",
                "ldrsb r11, [r2], #1",
                "mla r6, r10, r11, r6",
                "ldrsb r11, [r8], #1",
                "mla r7, r10, r11, r7",
                "ldrsb r11, [r5], #1",
                "mla r9, r10, r11, r9",
                "subs r3, #1",
                "bne 4b",
                "5:",
                "ldrd r1, r2, [r12, #20]",
                finish!("r4"),
                finish!("r6"),
                finish!("r7"),
                finish!("r9"),
                "strd r1, r2, [r12, #20]",
                "ldr r3, [r12, #28]",
                "subs r3, #1",
                "str r3, [r12, #28]",
                "bne 1b",
                "pop {{r0, r4-r11, pc}}",
            )
        }
    };
}

pub(super) use {finish, kernel};
