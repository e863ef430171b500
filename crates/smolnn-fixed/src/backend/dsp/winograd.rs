//! Convolution by Winograd's products: three tiles times two output channels at a time.
//!
//! - Tiles are taken three at a time in the order of the output. Their 4×4 inputs are transformed into columns, which serve all
//!   output channels: for each place of a tile, in the order of [`winograd::ORDER`](crate::backend::winograd::ORDER), and for
//!   every two input channels three words, pairs of i16, one per tile.
//! - Weights: a stream per pair of output channels, see [`pack`](super::pack). Both factors have 16 bits, so that SMLAD takes them as
//!   they are: 11 instructions and 12 cycles of a Cortex-M4 for 12 products, which stand for 27 of the direct kernel; 7 cycles of a Cortex-M7 by llvm-mca.
//! - Requantisation: as in [`tile`](super::tile), of half of the result, which is 4 times the sum.
//!
//! A tile that sees padding is copied first. Outputs of an odd last row or column, and of tiles that are missing in the last
//! three, are written to scratch memory.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use smolnn_core::Conv2dShape;

use super::conv2d::{Pixel, stage};
use super::pack::WINOGRAD_TILES as TILES;
use super::schedule::{winograd_end, winograd_prepare, winograd_products, winograd_start};
use crate::backend::winograd::PLACES;
use crate::conv::Conv2d;

/// Runs a convolution whose tiles are the windows of `tiles`.
///
/// # Safety
/// `tiles` belongs to the layer's shape, whose words have the layout for Winograd's products; input, output and scratch memory have the
/// lengths that shape and layout say.
#[inline(never)]
pub(super) unsafe fn winograd(
    layer: &Conv2d<'_>,
    tiles: &Conv2dShape,
    input: *const i8,
    output: *mut i8,
    scratch: *mut u32,
) {
    let shape = &layer.shape;
    let (inputs, outputs) = (shape.input().channels, shape.output().channels);
    let (height, width) = (shape.output().height, shape.output().width);
    let columns = scratch;
    let sums = columns.wrapping_add(TILES * PLACES * (inputs / 2));
    let copy = sums.wrapping_add(TILES * PLACES * 2).cast::<i8>();
    let nowhere = copy.wrapping_add(PLACES * inputs);
    let pitch = tiles.rows().dilation() * shape.input().row();
    let copy_pitch = tiles.columns().kernel() * inputs;
    let mut tile = Pixel::first(tiles, input);
    let mut image = output;
    let mut left = tiles.batch() * tiles.output().height * tiles.output().width;
    while left > 0 {
        let mut places = [[nowhere; 4]; TILES];
        for (index, places) in places.iter_mut().enumerate().take(left) {
            let (row, column) = (2 * tile.row, 2 * tile.column);
            for (place, (y, x)) in places.iter_mut().zip([(0, 0), (0, 1), (1, 0), (1, 1)]) {
                if row + y < height && column + x < width {
                    *place = image.wrapping_add(((row + y) * width + column + x) * outputs);
                }
            }
            // SAFETY: a window lies in the input, the copy and the columns have room for a tile, as the caller vouches.
            unsafe {
                let (source, pitch) = match tile.window() {
                    Some(source) => (source, pitch),
                    None => {
                        stage(tiles, &tile, layer.input_zero_point, copy);
                        (copy.cast_const(), copy_pitch)
                    }
                };
                transform(source, pitch, inputs, columns.add(index));
            }
            tile.advance(tiles);
            if tile.row == 0 && tile.column == 0 {
                image = image.wrapping_add(shape.output().len());
            }
        }
        // SAFETY: words, columns and sums are as long as the layout says, and every place has room for the channels of a pixel.
        unsafe { multiply(layer.words.as_ptr(), columns, inputs / 2, &places, sums, outputs / 2) };
        left -= left.min(TILES);
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::memory::clamp(output, shape.output_len(), &layer.output) };
}

/// One row of a tile, four channels: loads its inputs and pushes its transform Bᵀ·x, even channels (0, 2) and odd ones (1, 3)
/// apart.
macro_rules! row {
    () => {
        "ldr r4, [r0]
         ldr r5, [r0, r2]
         ldr.w r6, [r0, r2, lsl #1]
         ldr.w r7, [r0, r12]
         add r0, r1
         sxtb16 r8, r4
         sxtb16 r9, r5
         sxtb16 r10, r6
         sxtb16 r11, r7
         sxtb16 r4, r4, ror #8
         sxtb16 r5, r5, ror #8
         sxtb16 r6, r6, ror #8
         sxtb16 r7, r7, ror #8
         ssub16 r8, r8, r10
         sadd16 lr, r9, r10
         ssub16 r10, r10, r9
         ssub16 r11, r9, r11
         ssub16 r4, r4, r6
         sadd16 r9, r5, r6
         ssub16 r6, r6, r5
         ssub16 r7, r5, r7
         push.w {{r4, r6, r7, r8, r9, r10, r11, lr}}"
    };
}

/// One column of the transformed rows, two channels, which stand at `$at` of each row on the stack: writes its transform to four
/// places of a tile, from `$to` on.
macro_rules! column {
    ($at:literal, $to:literal) => {
        concat!(
            "ldr r4, [sp, #96 + ",
            $at,
            "]\n",
            "ldr r5, [sp, #64 + ",
            $at,
            "]\n",
            "ldr r6, [sp, #32 + ",
            $at,
            "]\n",
            "ldr r7, [sp, #",
            $at,
            "]\n",
            "sadd16 r8, r5, r6\n",
            "ssub16 r4, r4, r6\n",
            "ssub16 r6, r6, r5\n",
            "ssub16 r7, r5, r7\n",
            "str.w r8, [",
            $to,
            "]\n",
            "str.w r4, [",
            $to,
            ", r12, lsl #1]\n",
            "str.w r6, [",
            $to,
            ", r12, lsl #2]\n",
            "str.w r7, [",
            $to,
            ", lr]\n",
        )
    };
}

/// Transforms the inputs of a tile, whose rows are `pitch` bytes apart, `channels` channels each, and writes one word of three for
/// every place and two channels.
///
/// 200 instructions for four channels.
///
/// # Safety
/// `channels` is a multiple of four and not 0; four pixels of four rows can be read at `source`, and words written at `columns`
/// up to 24 · `channels` words on.
//
// | register | in a row                                    | in a column                     |
// |----------|---------------------------------------------|---------------------------------|
// | r0       | next input of the row                       | the same                        |
// | r1       | `pitch`                                     | `pitch`                         |
// | r2       | `channels`, bytes from a pixel to the next  | the same                        |
// | r3       | next words of the columns                   | the same                        |
// | r4–r7    | inputs, then odd channels                   | one column of the rows          |
// | r8–r11   | even channels                               | r8: result, r9, r10: where words go |
// | r12      | 3 · `channels`                              | the same                        |
// | lr       | a result                                    | 18 · `channels`, bytes of three places |
//
// | stack, while columns are made | holds                     |
// |-------|------------------------------------------- |
// | 0     | the rows' transforms, the last row first   |
// | 128   | four channels that are left                |
#[unsafe(naked)]
unsafe extern "C" fn transform(source: *const i8, pitch: usize, channels: usize, columns: *mut u32) {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "sub sp, #4",
        "lsr r4, r2, #2",
        "str r4, [sp]",
        "add r12, r2, r2, lsl #1",
        "1:",
        row!(),
        row!(),
        row!(),
        row!(),
        "add lr, r12, r12, lsl #1",
        "lsl lr, lr, #1",
        // The columns 1, 0, 2 and 3, even and odd channels.
        "mov r9, r3",
        "add r10, r9, #12",
        column!("28", "r9"),
        column!("16", "r10"),
        "add r9, r9, r12, lsl #3",
        "add r10, r9, #12",
        column!("12", "r9"),
        column!("0", "r10"),
        "add r9, r9, r12, lsl #3",
        "add r10, r9, #12",
        column!("20", "r9"),
        column!("4", "r10"),
        "add r9, r9, r12, lsl #3",
        "add r10, r9, #12",
        column!("24", "r9"),
        column!("8", "r10"),
        "add sp, #128",
        // Back to the first row, and on by four channels: by two words of three.
        "sub r0, r0, r1, lsl #2",
        "adds r0, #4",
        "adds r3, #24",
        "ldr r4, [sp]",
        "subs r4, #1",
        "str r4, [sp]",
        "bne.w 1b",
        "add sp, #4",
        "pop {{r4-r11, pc}}",
    )
}

/// One output, 4 times the sum in `$sum`: requantised and written at `$place`.
macro_rules! output {
    ($sum:literal, $place:literal) => {
        concat!(
            "asrs ",
            $sum,
            ", ",
            $sum,
            ", #1\n",
            "add r8, r11, ",
            $sum,
            ", asr #31\n",
            "smmlar r8, ",
            $sum,
            ", r10, r8\n",
            "asr r8, r8, r12\n",
            "ssat r8, #8, r8\n",
            "strb.w r8, [",
            $place,
            ", r9]\n",
        )
    };
}

/// Computes `pairs` pairs of output channels of three tiles whose columns stand at `columns`, `steps` pairs of input channels each.
/// Writes two bytes per pair at every one of the places, the four pixels of a tile one after the other.
///
/// # Safety
/// `steps` and `pairs` are not 0; `words` has `pairs` · (8 + 32 · `steps`) words, `columns` 48 · `steps`, `sums` 96;
/// 2 · `pairs` bytes can be written at every place.
//
// | register    | in the loop over steps              | in the transform of the sums         |
// |-------------|-------------------------------------|--------------------------------------|
// | r0          | next words                          | the same                             |
// | r1          | next words of the columns           | next places                          |
// | r2          | turns that are left                 | a sum; a place                       |
// | r3, r12, lr | inputs of the three tiles           | r3: a sum; a place, r12: shift, lr: next sums |
// | r4–r6       | sums of the even channel            | r4–r7: the four outputs              |
// | r7–r9       | sums of the odd channel             | r8: a sum; a result, r9: a sum; the channel |
// | r10, r11    | weights of both channels            | multiplier, rounding                 |
//
// | stack | holds                                | stack | holds               |
// |-------|--------------------------------------|-------|---------------------|
// | 0     | turns of a loop                      | 20    | `sums`              |
// | 4     | where the first turn of a column's first and third place starts | 24 | `columns` |
// | 8     | the same of the second and fourth    | 28    | end of the places   |
// | 12    | pairs of places that are left        | 32    | the channel         |
// | 16    | next sums                            | 36    | pairs that are left |
#[unsafe(naked)]
unsafe extern "C" fn multiply(
    words: *const u32,
    columns: *const u32,
    steps: usize,
    places: &[[*mut i8; 4]; TILES],
    sums: *mut u32,
    pairs: usize,
) {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "ldrd r4, r5, [sp, #36]",
        "sub sp, #44",
        "strd r4, r1, [sp, #20]",
        "adds r3, #{places}",
        "movs r6, #0",
        "strd r3, r6, [sp, #28]",
        "str r5, [sp, #36]",
        winograd_prepare!(),
        // The sums of the first two places of a tile start from 4 times the bias, the others from 0. Of two places the second is added
        // to the first.
        "1:",
        "ldm r0!, {{r4, r7}}",
        "mov r5, r4",
        "mov r6, r4",
        "mov r8, r7",
        "mov r9, r7",
        "ldrd r3, r1, [sp, #20]",
        "movs r2, #{pairs_of_places}",
        "strd r2, r3, [sp, #12]",
        winograd_start!(),
        "2:",
        winograd_products!("3"),
        "ldr.w r11, [sp, #16]",
        "stmia.w r11, {{r4-r9}}",
        winograd_products!("4"),
        "ldrd r2, r11, [sp, #12]",
        "add.w r11, r11, #24",
        "stmia.w r11!, {{r4-r9}}",
        "subs r2, #1",
        "strd r2, r11, [sp, #12]",
        "beq 5f",
        "movs r4, #0",
        "movs r5, #0",
        "movs r6, #0",
        "movs r7, #0",
        "mov r8, r4",
        "mov r9, r4",
        "b.w 2b",
        "5:",
        winograd_end!(),
        "ldr r1, [sp, #28]",
        "subs r1, #{places}",
        "ldr.w lr, [sp, #20]",
        "6:",
        "ldmia.w r0!, {{r10, r11, r12}}",
        // Per column M1, M1 + M0, M2, M2 + M3: the first row of outputs is M1 + M0 + M2, the second M1 − M2 − M3. The columns come
        // as 1, 0, 2, 3, and their results go on in the same way.
        "7:",
        "ldr.w r6, [lr]",
        "ldr.w r4, [lr, #24]",
        "ldr.w r2, [lr, #48]",
        "ldr.w r3, [lr, #72]",
        "adds r4, r4, r2",
        "subs r6, r6, r3",
        "ldr.w r8, [lr, #192]",
        "ldr.w r2, [lr, #216]",
        "ldr.w r3, [lr, #240]",
        "ldr.w r9, [lr, #264]",
        "adds r2, r2, r3",
        "sub r8, r8, r9",
        "subs r5, r4, r2",
        "adds r4, r4, r2",
        "sub r7, r6, r8",
        "add r6, r6, r8",
        "ldr.w r8, [lr, #96]",
        "ldr.w r2, [lr, #120]",
        "ldr.w r3, [lr, #144]",
        "ldr.w r9, [lr, #168]",
        "adds r4, r4, r2",
        "adds r4, r4, r3",
        "add r6, r6, r8",
        "sub r6, r6, r9",
        "ldr.w r8, [lr, #288]",
        "ldr.w r2, [lr, #312]",
        "ldr.w r3, [lr, #336]",
        "ldr.w r9, [lr, #360]",
        "subs r5, r5, r2",
        "subs r5, r5, r3",
        "sub r7, r7, r8",
        "add r7, r7, r9",
        "ldr.w r9, [sp, #32]",
        "ldr.w r2, [r1], #4",
        "ldr.w r3, [r1], #4",
        output!("r4", "r2"),
        output!("r5", "r3"),
        "ldrd r2, r3, [r1], #8",
        output!("r6", "r2"),
        output!("r7", "r3"),
        "ldr r2, [sp, #28]",
        "add lr, #4",
        "cmp r1, r2",
        "bne.w 7b",
        "subs r1, #{places}",
        "add r9, r9, #1",
        "str.w r9, [sp, #32]",
        "lsls r2, r9, #31",
        "bne.w 6b",
        "ldr r2, [sp, #36]",
        "subs r2, #1",
        "str r2, [sp, #36]",
        "bne.w 1b",
        "add sp, #44",
        "pop {{r4-r11, pc}}",
        places = const 4 * 4 * TILES,
        pairs_of_places = const PLACES / 2,
    )
}
