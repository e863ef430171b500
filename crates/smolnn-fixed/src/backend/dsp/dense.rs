//! Dense layer. Several vectors are the pixels of a pointwise convolution; one vector runs here.
//!
//! Eight outputs at a time, in pairs as in [`tile`](super::tile): the input is widened on the way, four bytes for all eight,
//! since a widened copy would cost memory. 31 instructions for 32 products, 69 around them for the eight outputs.
//! What is left over, and layers that are smaller, runs a pair at a time.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use super::conv2d::pairs;
use super::dense_wide::wide_vector;
use super::schedule::{eights_prepare, eights_products};
use super::tile;
use super::vector::{pair, widen};
use crate::Tensors;
use crate::dense::Dense;
use crate::pack::Layout;

#[inline(always)]
pub(super) fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (input, output) = tensors.pointers();
    // SAFETY: the layer checked that its words have this layout for this shape, its caller that tensors and scratch memory
    // are as long as the shape and the layout say.
    unsafe {
        if layer.layout.is(Layout::DspEights) {
            vector(layer.words, shape.inputs(), shape.outputs(), input, output, scratch.as_mut_ptr());
            super::memory::clamp(output, shape.outputs(), &layer.output);
        } else if layer.layout.is(Layout::DspWide) && shape.batch() == 1 {
            wide_vector(layer.words, shape.inputs(), shape.outputs(), input, output, scratch.as_mut_ptr());
            super::memory::clamp(output, shape.outputs(), &layer.output);
        } else {
            let (tiles, conv) = (tile::of(layer.layout, &layer.output, shape.batch()), shape.as_conv2d());
            pairs(tiles, &conv, layer.words, 0, &layer.output, input, output, scratch.as_mut_ptr());
        }
    }
}

/// Outputs that are packed as eight.
const NEARLY_EIGHT: usize = 7;

/// Runs the layer on one vector.
///
/// # Safety
/// The words have the layout of eights; input and output have the given lengths, the scratch memory what the layout says.
// Inlined, so that a model links what its own numbers of inputs and outputs need.
#[inline(always)]
pub(super) unsafe fn vector(
    words: &[u32],
    inputs: usize,
    outputs: usize,
    input: *const i8,
    output: *mut i8,
    scratch: *mut u32,
) {
    let groups = inputs.div_ceil(4);
    // SAFETY: input, output and words have the lengths that the caller vouches for.
    unsafe {
        let input = whole_groups(input, inputs, scratch);
        if outputs % 8 == NEARLY_EIGHT {
            let whole = outputs - NEARLY_EIGHT;
            let words = groups_of(words.as_ptr(), groups, whole, input, output);
            nearly_eight(words, groups, input, output.add(whole));
        } else {
            groups_of(words.as_ptr(), groups, outputs, input, output);
        }
    }
}

/// Runs the layer on a vector of so many groups of four inputs; gives the end of the words read.
///
/// # Safety
/// The words have the layout of eights, but that seven outputs are no stream of eight; input and output have the given lengths.
#[inline(never)]
unsafe fn groups_of(
    mut words: *const u32,
    groups: usize,
    outputs: usize,
    input: *const i8,
    output: *mut i8,
) -> *const u32 {
    // SAFETY: input, output and words have the lengths that the caller vouches for.
    unsafe {
        let whole = outputs / 8 * 8;
        if whole > 0 {
            words = eights(words, input, groups, output, output.add(whole));
        }
        let even = outputs / 2 * 2;
        if even > whole {
            words = twos(words, input, groups, output.add(whole), output.add(even));
        }
        if even < outputs {
            let mut rest = [0_i8; 2];
            words = twos(words, input, groups, rest.as_mut_ptr(), rest.as_mut_ptr().add(2));
            *output.add(even) = rest[0];
        }
    }
    words
}

/// Computes seven outputs, which are packed as eight.
///
/// # Safety
/// As for [`eights`], but that seven bytes are written.
#[inline(never)]
unsafe fn nearly_eight(words: *const u32, groups: usize, input: *const i8, output: *mut i8) {
    let mut all = [0_i8; 8];
    // SAFETY: as the caller vouches; there is room for eight outputs.
    unsafe {
        eights(words, input, groups, all.as_mut_ptr(), all.as_mut_ptr().add(8));
        for (index, value) in all.into_iter().enumerate().take(NEARLY_EIGHT) {
            *output.add(index) = value;
        }
    }
}

/// The input in whole groups of four: where the last one would not be filled, a copy in the scratch memory, so that reads stay inside.
///
/// # Safety
/// `inputs` bytes can be read at `input`; where they are no multiple of four, the scratch memory holds the words of a copy.
#[inline(always)]
pub(super) unsafe fn whole_groups(input: *const i8, inputs: usize, scratch: *mut u32) -> *const i8 {
    if inputs.is_multiple_of(4) {
        return input;
    }
    // SAFETY: the scratch memory holds the copy, as the caller vouches.
    unsafe { super::memory::copy(input, scratch.cast(), inputs) };
    scratch.cast()
}

/// Requantises a pair of sums with the parameters at r0 and stores two outputs at r1; r2, r3, r12 and lr are overwritten.
macro_rules! requantise {
    ($even:literal, $odd:literal) => {
        concat!(
            "ldmia.w r0!, {{r2, r3, r12}}\n",
            "sub ",
            $odd,
            ", ",
            $odd,
            ", ",
            $even,
            "\n",
            "lsl ",
            $even,
            ", ",
            $even,
            ", #1\n",
            "add lr, r3, ",
            $even,
            ", asr #31\n",
            "smmlar lr, ",
            $even,
            ", r2, lr\n",
            "asr lr, lr, r12\n",
            "ssat lr, #8, lr\n",
            "strb lr, [r1], #1\n",
            "ldmia.w r0!, {{r2, r3, r12}}\n",
            "asr ",
            $odd,
            ", ",
            $odd,
            ", #7\n",
            "add lr, r3, ",
            $odd,
            ", asr #31\n",
            "smmlar lr, ",
            $odd,
            ", r2, lr\n",
            "asr lr, lr, r12\n",
            "ssat lr, #8, lr\n",
            "strb lr, [r1], #1\n",
        )
    };
}

/// Computes the outputs from `output` to `end`, eight at a time; gives the end of the words read.
///
/// # Safety
/// 4 · `groups` bytes can be read at `input`, and `groups` is not 0. From `output` to `end` a multiple of eight bytes can be
/// written, and not none; `words` are those of so many outputs in the layout of eights.
//
// | register        | in the loop over groups                       | around it                        |
// |-----------------|-----------------------------------------------|----------------------------------|
// | r0              | next words                                    | next words                       |
// | r1              | next inputs                                   | next output                      |
// | r2, r3          | four inputs, widened; then r2: end of the input | multiplier, rounding           |
// | r4, r6, r8, r10 | sums A0 of the even channels                  | the same                         |
// | r5, r7, r9, r11 | 256·A1 + A0 of the pairs of channels          | 256·A1                           |
// | r12, lr         | weights of a pair of channels                 | shift, result                    |
//
// | stack | holds                               | stack | holds              |
// |-------|-------------------------------------|-------|--------------------|
// | 0     | `input`                             | 12    | next output        |
// | 4     | address where the first turn starts | 16    | `end`              |
// | 8     | end of the input                    |       |                    |
#[unsafe(naked)]
unsafe extern "C" fn eights(
    words: *const u32,
    input: *const i8,
    groups: usize,
    output: *mut i8,
    end: *mut i8,
) -> *const u32 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "ldr r4, [sp, #36]",
        "sub sp, #20",
        "strd r3, r4, [sp, #12]",
        "add r5, r1, r2, lsl #2",
        "str r5, [sp, #8]",
        eights_prepare!(),
        "1:",
        "ldmia.w r0!, {{r4, r5, r6, r7, r8, r9, r10, r11}}",
        eights_products!(),
        "ldr r1, [sp, #12]",
        requantise!("r4", "r5"),
        requantise!("r6", "r7"),
        requantise!("r8", "r9"),
        requantise!("r10", "r11"),
        "str r1, [sp, #12]",
        "ldr r2, [sp, #16]",
        "cmp r1, r2",
        "bne.w 1b",
        "add sp, #20",
        "pop {{r4-r11, pc}}",
    )
}

/// Computes the outputs from `output` to `end`, two at a time; gives the end of the words read.
///
/// # Safety
/// 4 · `groups` bytes can be read at `input`, and `groups` is not 0. From `output` to `end` an even number of bytes can be
/// written, and not none; `words` are those of so many outputs in the layout of eights.
//
// | register | in the loop over groups                | around it             |
// |----------|----------------------------------------|-----------------------|
// | r0       | next words                             | next words            |
// | r1       | next inputs                            | next output           |
// | r2, r3   | four inputs, widened                   | multiplier, rounding  |
// | r4       | sum A0 of the even channel             | the same              |
// | r5       | 256·A1 + A0 of both channels           | 256·A1                |
// | r6, r7   | `input` and its end                    | the same              |
// | r8, r9   | `end`, next output                     | the same              |
// | r12, lr  | weights of both channels               | shift, result         |
#[unsafe(naked)]
unsafe extern "C" fn twos(
    words: *const u32,
    input: *const i8,
    groups: usize,
    output: *mut i8,
    end: *mut i8,
) -> *const u32 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r9, lr}}",
        "ldr r8, [sp, #28]",
        "mov r6, r1",
        "mov r9, r3",
        "add r7, r1, r2, lsl #2",
        "1:",
        "ldmia r0!, {{r4, r5}}",
        "mov r1, r6",
        "2:",
        widen!(),
        pair!("r4", "r5"),
        "cmp r1, r7",
        "bne 2b",
        "mov r1, r9",
        requantise!("r4", "r5"),
        "mov r9, r1",
        "cmp r1, r8",
        "bne 1b",
        "pop {{r4-r9, pc}}",
    )
}
