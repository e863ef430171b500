//! Arm v6-M (Cortex-M0, M0+): a 32-bit multiplication that overwrites a factor, eight registers for most instructions.
//! The 16-bit fields of `rv32`, with the pairs of pixels as the factor that is overwritten, so that
//! nothing needs to be copied, and the accumulators in the high registers, which ADD reaches.
//!
//! Weights of eight channels stand side by side, as far apart from one depth to the next as the pixels' words: one
//! register less one offset points to both.

use core::mem::MaybeUninit;

use super::depthwise::Block;
use super::depthwise_taps::{Kernels, LANES, Taps};
use super::kernels::{Core, DenseRows, DenseSums, Kernel, Multiply, Outputs, Sums, by_halves};
use super::pack::DENSE_ROWS;
use super::rounding::Rounding;
use crate::pack::Channel;

/// The core: too few registers for kernels that go to the outputs; two pixels run one by one.
pub(super) struct V6m;

impl Core for V6m {
    // A product of 64 bits takes hundreds of bytes.
    const RARE_APART: bool = true;
    const DEPTHWISE_TAPS: Kernels = [taps_four, taps_one];
    const QUAD: Multiply = quad;
    const PAIR: Option<Multiply> = Some(single);
    const PAIR_PIXELS: usize = 1;
    const DENSE_ROWS: [DenseRows; DENSE_ROWS] =
        [tile::dense_row, tile::dense_two_rows, tile::dense_three_rows, tile::dense_four_rows];
    const FINISH: Option<Kernel<Outputs>> = Some(tile::finish);
    const FINISH_ONE: Option<Kernel<Outputs>> = Some(tile::finish_one);

    #[inline(always)]
    unsafe fn winograd(columns: &[i16], weights: &[i16], sums: &mut [i32]) {
        // SAFETY: the slices have the lengths for one number of input channels, as the caller vouches.
        unsafe { tile::winograd(columns.as_ptr(), columns.as_ptr_range().end, weights.as_ptr(), sums.as_mut_ptr()) }
    }

    #[inline(always)]
    unsafe fn depthwise_four(block: &mut Block) {
        // SAFETY: as the caller vouches; the kernel is the one for four pixels.
        unsafe { depthwise::<4>(block, tile::depthwise_four) }
    }

    #[inline(always)]
    unsafe fn depthwise_two(block: &mut Block) {
        // SAFETY: as the caller vouches; the kernel is the one for two pixels.
        unsafe { depthwise::<2>(block, tile::depthwise_two) }
    }

    #[inline(always)]
    unsafe fn depthwise_one(block: &mut Block) {
        // SAFETY: as the caller vouches; the kernel is the one for one pixel.
        unsafe { depthwise::<1>(block, tile::depthwise_one) }
    }

    #[inline(always)]
    unsafe fn dense(input: &[i8], weights: &[u32], sums: &mut DenseSums) {
        // SAFETY: the block has eight weights for each input, as the caller vouches.
        unsafe { tile::dense(input.as_ptr(), weights.as_ptr(), input.len(), sums.as_mut_ptr()) }
    }

    #[inline(always)]
    fn high_product(sum: i32, channel: &Channel) -> i32 {
        by_halves(channel.bias.wrapping_add(sum), channel.multiplier)
    }
}

/// Sums of 3×3 taps of some pixels: taps, weights of the first channel, that channel and the one where they end, sums by channels
/// and pixels.
type Depthwise = unsafe extern "C" fn(*const *const i8, *const i8, usize, usize, *mut i32);

/// Channels of a depthwise convolution whose sums are on the stack at a time.
const TOGETHER: usize = 8;

/// A 3×3 depthwise convolution of `PIXELS` pixels, at most four.
///
/// # Safety
/// The block's pointers are good for its number of channels and for as many pixels, for which `kernel` is; the full range of int8 is
/// asked for.
#[inline(always)]
unsafe fn depthwise<const PIXELS: usize>(block: &Block, kernel: Depthwise) {
    let mut first = 0;
    while first < block.count {
        let end = block.count.min(first + TOGETHER);
        let mut sums = MaybeUninit::<[i32; 4 * TOGETHER]>::uninit();
        // SAFETY: the channels from `first` to `end`, at least one, are those of the block; their sums have room.
        unsafe {
            let weights = block.weights.wrapping_add(9 * first);
            kernel(block.taps.as_ptr(), weights, first, end, sums.as_mut_ptr().cast());
            tile::finish(&mut Outputs {
                sums: sums.as_ptr().cast(),
                channels: block.channels.wrapping_add(first),
                end: block.channels.wrapping_add(end),
                output: block.output.wrapping_add(first),
                stride: block.stride,
                offset: block.offset,
                lanes: 4 * PIXELS,
                skip: 0,
                limit: Rounding::limit(block.offset),
            });
        }
        first = end;
    }
}

/// Sums of some channels by a table of taps: those of the next channels, of which there are so many.
type SumsOfTaps = unsafe extern "C" fn(*mut Taps, *mut i32, usize);

/// Four pixels of a depthwise convolution by a table of taps.
///
/// # Safety
/// The pointers are good for the table's taps, for the channels and for four pixels.
unsafe extern "C" fn taps_four(taps: *mut Taps) {
    // SAFETY: as the caller vouches.
    unsafe { taps_of::<LANES>(&mut *taps, tile::taps_four) }
}

/// One pixel of a depthwise convolution by a table of taps.
///
/// # Safety
/// The pointers are good for the table's taps, for the channels and for one pixel.
unsafe extern "C" fn taps_one(taps: *mut Taps) {
    // SAFETY: as the caller vouches.
    unsafe { taps_of::<1>(&mut *taps, tile::taps_one) }
}

/// Pixels of a depthwise convolution by a table of taps, [`TOGETHER`] channels at a time.
///
/// # Safety
/// The pointers are good for the table's taps, for the channels and for `PIXELS` pixels, for which `kernel` is.
#[inline(always)]
unsafe fn taps_of<const PIXELS: usize>(taps: &mut Taps, kernel: SumsOfTaps) {
    let pixels = taps.pixels.min(PIXELS);
    while taps.weights < taps.end {
        let left = (taps.end.addr() - taps.weights.addr()).checked_div(taps.depth).unwrap_or(0);
        let count = left.min(TOGETHER);
        let mut sums = MaybeUninit::<[i32; 4 * TOGETHER]>::uninit();
        // SAFETY: so many channels are left, at least one; their sums have room.
        unsafe {
            kernel(taps, sums.as_mut_ptr().cast(), count);
            let end = taps.channels.wrapping_add(count);
            let finish = if PIXELS == 1 { tile::finish_one } else { tile::finish };
            finish(&mut Outputs {
                sums: sums.as_ptr().cast(),
                channels: taps.channels,
                end,
                output: taps.output,
                stride: taps.others[0],
                offset: taps.offset,
                lanes: 4 * pixels,
                skip: 4 * (PIXELS - pixels),
                limit: Rounding::limit(taps.offset),
            });
            taps.channels = end;
        }
        taps.output = taps.output.wrapping_add(count);
    }
}

/// Four pixels times the first channels of a block of weights.
#[inline(always)]
unsafe fn quad(column: &[u32], weights: &[u32], channels: usize, sums: &mut Sums) {
    let end = column.as_ptr_range().end;
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of eight channels and four
    // pixels, and there are as many channels.
    unsafe { tile::quad(column.as_ptr(), end, weights.as_ptr(), sums.as_mut_ptr(), channels) }
}

/// One pixel times a block of weights, all channels of it.
#[inline(always)]
unsafe fn single(column: &[u32], weights: &[u32], _: usize, sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of eight channels and four pixels.
    unsafe { tile::single(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

mod tile {
    use core::arch::naked_asm;

    use super::Outputs;

    /// Copies r8 to r11, which a kernel keeps for its caller, to r4 to r7, which it has pushed.
    macro_rules! save_high {
        () => {
            "mov r4, r8
             mov r5, r9
             mov r6, r10
             mov r7, r11"
        };
    }

    /// The exit of kernels that have pushed r4 to r7, and then r8 to r11 in their place.
    macro_rules! leave {
        () => {
            "pop {{r4-r7}}
             mov r8, r4
             mov r9, r5
             mov r10, r6
             mov r11, r7
             pop {{r4-r7, pc}}"
        };
    }

    /// Two depths of one channel times two pairs: eight multiply-accumulates in seventeen instructions.
    macro_rules! step {
        () => {
            "ldm r6!, {{r0-r3}}
             ldrsb r4, [r6, r7]
             muls r0, r4, r0
             muls r1, r4, r1
             ldrsb r4, [r6, r5]
             muls r2, r4, r2
             muls r3, r4, r3
             adds r0, r0, r2
             add r8, r0
             add r0, r12
             asrs r0, r0, #16
             add r9, r0
             adds r1, r1, r3
             add r10, r1
             add r1, r12
             asrs r1, r1, #16
             add r11, r1"
        };
    }

    /// One input times eight outputs: 27 instructions. Weights lie four to a word, each plus 128; a shift brings a weight to the
    /// lowest byte. The weights above it stay in the factor, so that the sum contains 256 times the next sum of the word, which is
    /// taken off at the end.
    macro_rules! dense_step {
        ($at:literal) => {
            concat!(
                "ldm r5!, {{r0, r1}}\n",
                "ldrb r3, [r4, #",
                $at,
                "]\n",
                "sxtb r3, r3
                 movs r2, r3
                 muls r2, r0, r2
                 adds r6, r6, r2
                 lsrs r2, r0, #8
                 muls r2, r3, r2
                 adds r7, r7, r2
                 lsrs r2, r0, #16
                 muls r2, r3, r2
                 add r8, r2
                 lsrs r2, r0, #24
                 muls r2, r3, r2
                 add r9, r2
                 movs r2, r3
                 muls r2, r1, r2
                 add r10, r2
                 lsrs r2, r1, #8
                 muls r2, r3, r2
                 add r11, r2
                 lsrs r2, r1, #16
                 muls r2, r3, r2
                 add r12, r2
                 lsrs r2, r1, #24
                 muls r2, r3, r2
                 add lr, r2\n"
            )
        };
    }

    /// Sums of eight outputs, whose accumulators start from `sums`.
    ///
    /// # Safety
    /// `input` has `depth` values, `weights` eight bytes for each of them, `sums` eight numbers.
    //
    // | register           | holds                                                          |
    // |--------------------|----------------------------------------------------------------|
    // | r0, r1             | the words of eight weights                                     |
    // | r2                 | a weight, then its product; the end that r4 is compared with   |
    // | r3                 | the input; at the end `sums`                                   |
    // | r4                 | next input                                                     |
    // | r5                 | next weights                                                   |
    // | r6, r7, r8, r9     | sums of outputs 0 to 3                                         |
    // | r10, r11, r12, lr  | sums of outputs 4 to 7                                         |
    // | [sp], [sp, #4]     | end of the inputs that go by fours, end of all inputs          |
    // | [sp, #8]           | `sums`, with what the accumulators start from                  |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense(input: *const i8, weights: *const u32, depth: usize, sums: *mut i32) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            save_high!(),
            "push {{r3-r7}}",
            "movs r4, r0",
            "movs r5, r1",
            "adds r1, r0, r2",
            "lsrs r2, r2, #2",
            "lsls r2, r2, #2",
            "adds r0, r0, r2",
            "push {{r0, r1}}",
            "ldm r3!, {{r6, r7}}",
            "ldm r3!, {{r0, r1, r2}}",
            "mov r8, r0",
            "mov r9, r1",
            "mov r10, r2",
            "ldm r3!, {{r0, r1, r2}}",
            "mov r11, r0",
            "mov r12, r1",
            "mov lr, r2",
            "ldr r2, [sp]",
            "cmp r4, r2",
            "beq 3f",
            "2:",
            dense_step!("0"),
            dense_step!("1"),
            dense_step!("2"),
            dense_step!("3"),
            "adds r4, #4",
            "ldr r2, [sp]",
            "cmp r4, r2",
            "bne 2b",
            "3:",
            "ldr r2, [sp, #4]",
            "cmp r4, r2",
            "beq 5f",
            "4:",
            dense_step!("0"),
            "adds r4, #1",
            "ldr r2, [sp, #4]",
            "cmp r4, r2",
            "bne 4b",
            "5:",
            "ldr r3, [sp, #8]",
            "lsls r2, r7, #8",
            "subs r0, r6, r2",
            "mov r4, r8",
            "lsls r2, r4, #8",
            "subs r1, r7, r2",
            "mov r5, r9",
            "lsls r2, r5, #8",
            "subs r4, r4, r2",
            "stm r3!, {{r0, r1, r4, r5}}",
            "mov r0, r10",
            "mov r1, r11",
            "lsls r2, r1, #8",
            "subs r0, r0, r2",
            "mov r4, r12",
            "lsls r2, r4, #8",
            "subs r1, r1, r2",
            "mov r5, lr",
            "lsls r2, r5, #8",
            "subs r4, r4, r2",
            "stm r3!, {{r0, r1, r4, r5}}",
            "add sp, #12",
            leave!(),
        )
    }

    /// Products of an input, in the register `$x`, with the weights at `$at` in rows that end at `$row`, which are added to the sums; all
    /// inputs, whose distance from their end `$at` counts up to 0. `$weight` takes the weights.
    macro_rules! dense_rows {
        ($x:literal $weight:literal $at:literal; $($row:literal $sum:literal),*) => {
            concat!(
                "2:\n",
                "ldrsb ", $x, ", [r0, ", $at, "]\n",
                $("ldrsb ", $weight, ", [", $row, ", ", $at, "]\n",
                  "muls ", $weight, ", ", $x, ", ", $weight, "\n",
                  "add ", $sum, ", ", $weight, "\n",)*
                "adds ", $at, ", #1\n",
                "bne 2b\n",
            )
        };
    }

    /// Sums of one output.
    ///
    /// # Safety
    /// `input` and `weights` have `depth` values, one at least; `sums` has one number.
    //
    // | register | holds                   | register | holds                                        |
    // |----------|-------------------------|----------|----------------------------------------------|
    // | r0       | end of the inputs       | r4, r5   | the input, the weight                        |
    // | r1       | end of the weights      | r6       | the sum                                      |
    // | r2       | place before the end    | r3       | `sums`                                       |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense_row(input: *const i8, weights: *const i8, depth: usize, sums: *mut i32) {
        naked_asm!(
            "push {{r4-r6, lr}}",
            "adds r0, r0, r2",
            "adds r1, r1, r2",
            "movs r6, #0",
            "rsbs r2, r2, #0",
            dense_rows!("r4" "r5" "r2"; "r1" "r6"),
            "str r6, [r3]",
            "pop {{r4-r6, pc}}",
        )
    }

    /// Sums of two outputs.
    ///
    /// # Safety
    /// `input` has `depth` values, one at least, `weights` two rows of as many, `sums` two numbers.
    //
    // | register | holds                   | register | holds                                        |
    // |----------|-------------------------|----------|----------------------------------------------|
    // | r0       | end of the inputs       | r4, r5   | the input, the weight                        |
    // | r1, r6   | ends of the rows        | r7, r12  | the sums                                     |
    // | r2       | place before the end    | r3       | `sums`                                       |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense_two_rows(input: *const i8, weights: *const i8, depth: usize, sums: *mut i32) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "adds r0, r0, r2",
            "adds r1, r1, r2",
            "adds r6, r1, r2",
            "movs r7, #0",
            "mov r12, r7",
            "rsbs r2, r2, #0",
            dense_rows!("r4" "r5" "r2"; "r1" "r7", "r6" "r12"),
            "mov r4, r12",
            "str r7, [r3]",
            "str r4, [r3, #4]",
            "pop {{r4-r7, pc}}",
        )
    }

    /// Sums of three outputs.
    ///
    /// # Safety
    /// `input` has `depth` values, one at least, `weights` three rows of as many, `sums` three numbers.
    //
    // | register   | holds                   | register    | holds                                     |
    // |------------|-------------------------|-------------|-------------------------------------------|
    // | r0         | end of the inputs       | r4, r5      | the input, the weight                     |
    // | r1, r6, r7 | ends of the rows        | r3, r12, lr | the sums                                  |
    // | r2         | place before the end    | [sp]        | `sums`                                    |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense_three_rows(
        input: *const i8,
        weights: *const i8,
        depth: usize,
        sums: *mut i32,
    ) {
        naked_asm!(
            "push {{r3-r7, lr}}",
            "adds r0, r0, r2",
            "adds r1, r1, r2",
            "adds r6, r1, r2",
            "adds r7, r6, r2",
            "movs r3, #0",
            "mov r12, r3",
            "mov lr, r3",
            "rsbs r2, r2, #0",
            dense_rows!("r4" "r5" "r2"; "r1" "r3", "r6" "r12", "r7" "lr"),
            "mov r4, r12",
            "mov r5, lr",
            "pop {{r2}}",
            "stm r2!, {{r3, r4, r5}}",
            "pop {{r4-r7, pc}}",
        )
    }

    /// Sums of four outputs.
    ///
    /// # Safety
    /// `input` has `depth` values, one at least, `weights` four rows of as many, `sums` four numbers.
    //
    // | register       | holds                | register       | holds                                     |
    // |----------------|----------------------|----------------|-------------------------------------------|
    // | r0             | end of the inputs    | r4, r5         | the input, the weight                     |
    // | r1, r3, r6, r7 | ends of the rows     | r8, r9, r12, lr | the sums                                 |
    // | r2             | place before the end | [sp]           | `sums`                                    |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense_four_rows(
        input: *const i8,
        weights: *const i8,
        depth: usize,
        sums: *mut i32,
    ) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "mov r4, r8",
            "mov r5, r9",
            "push {{r3, r4, r5}}",
            "adds r0, r0, r2",
            "adds r1, r1, r2",
            "adds r3, r1, r2",
            "adds r6, r3, r2",
            "adds r7, r6, r2",
            "movs r4, #0",
            "mov r8, r4",
            "mov r9, r4",
            "mov r12, r4",
            "mov lr, r4",
            "rsbs r2, r2, #0",
            dense_rows!("r4" "r5" "r2"; "r1" "r8", "r3" "r9", "r6" "r12", "r7" "lr"),
            "pop {{r2}}",
            "mov r4, r8",
            "mov r5, r9",
            "mov r6, r12",
            "mov r7, lr",
            "stm r2!, {{r4, r5, r6, r7}}",
            "pop {{r4, r5}}",
            "mov r8, r4",
            "mov r9, r5",
            "pop {{r4-r7, pc}}",
        )
    }

    /// One input channel of four tiles times a weight: `$weight` takes it out of the word of both. Four multiply-accumulates in
    /// fifteen instructions and 18 cycles.
    macro_rules! winograd_step {
        ($weight:literal) => {
            concat!(
                "ldm r5!, {{r4}}
                 ldm r6!, {{r0, r1}}\n",
                $weight,
                "sxth r2, r0
                 muls r2, r4, r2
                 add r8, r2
                 asrs r0, r0, #16
                 muls r0, r4, r0
                 add r9, r0
                 sxth r2, r1
                 muls r2, r4, r2
                 add r10, r2
                 asrs r1, r1, #16
                 muls r1, r4, r1
                 add r11, r1\n"
            )
        };
    }

    /// The sums of a place for one of two output channels, which go to the next sums.
    macro_rules! winograd_place {
        ($weight:literal) => {
            concat!(
                "movs r4, #0
                 mov r8, r4
                 mov r9, r4
                 mov r10, r4
                 mov r11, r4
                 2:\n",
                winograd_step!($weight),
                winograd_step!($weight),
                winograd_step!($weight),
                winograd_step!($weight),
                "cmp r6, r7
                 bne 2b
                 mov r0, r8
                 mov r1, r9
                 mov r2, r10
                 mov r3, r11
                 mov r4, lr
                 stm r4!, {{r0-r3}}
                 mov lr, r4\n"
            )
        };
    }

    /// Sums of Winograd's products at the sixteen places of four tiles for two output channels.
    ///
    /// # Safety
    /// `columns..end` holds four halfwords for every place and input channel, of which there are a multiple of four and not 0;
    /// `weights` has two of them, `sums` eight words for every place.
    //
    // | register    | holds                                                                            |
    // |-------------|----------------------------------------------------------------------------------|
    // | r0, r1      | the inputs of two tiles each; then products                                      |
    // | r2, r3      | an input, then its product; r3 is taken between the places                       |
    // | r4          | the weight                                                                       |
    // | r5, r6      | next weights, next inputs                                                        |
    // | r7          | end of the place's inputs                                                        |
    // | r8 to r11   | sums of the tiles                                                                |
    // | r12         | bytes of a place's weights                                                       |
    // | lr          | next sums                                                                        |
    // | [sp]        | `end`                                                                            |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn winograd(
        columns: *const i16,
        end: *const i16,
        weights: *const i16,
        sums: *mut i32,
    ) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            save_high!(),
            "push {{r4-r7}}",
            "mov lr, r3",
            "movs r5, r2",
            "movs r6, r0",
            "subs r2, r1, r0",
            "lsrs r2, r2, #5",
            "mov r12, r2",
            "sub sp, #4",
            "str r1, [sp]",
            "3:",
            "mov r3, r12",
            "lsls r3, r3, #1",
            "adds r7, r6, r3",
            winograd_place!("sxth r4, r4\n"),
            "mov r3, r12",
            "subs r5, r5, r3",
            "lsls r3, r3, #1",
            "subs r6, r6, r3",
            winograd_place!("asrs r4, r4, #16\n"),
            "ldr r3, [sp]",
            "cmp r6, r3",
            "beq 4f",
            "b 3b",
            "4:",
            "add sp, #4",
            leave!(),
        )
    }

    /// Sums of the first channels of a block and four pixels: [channel·4 + pixel].
    ///
    /// # Safety
    /// `column..end` holds two words for each depth of `weights`, which is a block whose depth is a multiple of four and not 0;
    /// `sums` has 32 numbers. There are one to eight channels.
    //
    // | register    | holds                                                                            |
    // |-------------|----------------------------------------------------------------------------------|
    // | r0, r1      | words of the first depth, one per pair of pixels; then products                  |
    // | r2, r3      | words of the second depth, one per pair of pixels; then products                 |
    // | r4          | the weight                                                                       |
    // | r5, r7      | what leads from r6 to the channel's weight of the second, of the first depth     |
    // | r6          | next words of the column                                                         |
    // | r8, r9      | T and U of the first pair: products modulo 2^32, sum of the upper pixel          |
    // | r10, r11    | T and U of the second pair                                                       |
    // | r12         | 2^15, which rounds a product to the upper pixel's                                |
    // | lr          | `end`                                                                            |
    // | [sp]        | `column`                                                                         |
    // | [sp, #4]    | next sums                                                                        |
    // | [sp, #8]    | channels that are left                                                           |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn quad(
        column: *const u32,
        end: *const u32,
        weights: *const u32,
        sums: *mut i32,
        channels: usize,
    ) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            save_high!(),
            "push {{r4-r7}}",
            "mov lr, r1",
            // The loads have moved r6 on by 16 bytes when the weights are loaded: r7 and r5 make up for that.
            "subs r7, r2, r0",
            "subs r7, #16",
            "mov r5, r7",
            "adds r5, #8",
            "movs r4, #0x80",
            "lsls r4, r4, #8",
            "mov r12, r4",
            "ldr r4, [sp, #36]",
            "sub sp, #12",
            "str r0, [sp]",
            "str r3, [sp, #4]",
            "str r4, [sp, #8]",
            "3:",
            "ldr r6, [sp]",
            "movs r4, #0",
            "mov r8, r4",
            "mov r9, r4",
            "mov r10, r4",
            "mov r11, r4",
            "2:",
            step!(),
            step!(),
            "cmp r6, lr",
            "bne 2b",
            "mov r1, r9",
            "lsls r2, r1, #16",
            "mov r0, r8",
            "subs r0, r0, r2",
            "mov r3, r11",
            "lsls r4, r3, #16",
            "mov r2, r10",
            "subs r2, r2, r4",
            "ldr r4, [sp, #4]",
            "stm r4!, {{r0-r3}}",
            "str r4, [sp, #4]",
            "adds r7, #1",
            "adds r5, #1",
            "ldr r4, [sp, #8]",
            "subs r4, #1",
            "str r4, [sp, #8]",
            "bne 3b",
            "add sp, #12",
            leave!(),
        )
    }

    /// One depth of one pixel times eight channels, with the registers of `single`: 30 instructions and 34 cycles.
    macro_rules! single_step {
        ($at:literal) => {
            concat!(
                "ldm r5!, {{r0, r1}}\n",
                "ldrb r3, [r4, #",
                $at,
                "]\n",
                "sxtb r3, r3
                 sxtb r2, r0
                 muls r2, r3, r2
                 adds r6, r6, r2
                 lsrs r2, r0, #8
                 sxtb r2, r2
                 muls r2, r3, r2
                 adds r7, r7, r2
                 lsrs r2, r0, #16
                 sxtb r2, r2
                 muls r2, r3, r2
                 add r8, r2
                 asrs r2, r0, #24
                 muls r2, r3, r2
                 add r9, r2
                 sxtb r2, r1
                 muls r2, r3, r2
                 add r10, r2
                 lsrs r2, r1, #8
                 sxtb r2, r2
                 muls r2, r3, r2
                 add r11, r2
                 lsrs r2, r1, #16
                 sxtb r2, r2
                 muls r2, r3, r2
                 add r12, r2
                 asrs r2, r1, #24
                 muls r2, r3, r2
                 add lr, r2\n"
            )
        };
    }

    /// Sums of eight channels and one pixel, the first of every four: [channel·4].
    ///
    /// # Safety
    /// `weights..end` is a block whose depth is a multiple of four and not 0; `column` has two words for each depth, of which the lowest byte is
    /// the pixel's value; `sums` has 29 numbers.
    //
    // | register | holds                                  | register          | holds                               |
    // |----------|----------------------------------------|-------------------|-------------------------------------|
    // | r0, r1   | the words of eight weights             | r5                | next weights                        |
    // | r2       | a weight, then its product; `end`      | r6 to r9          | sums of channels 0 to 3             |
    // | r3       | the value; at the end `sums`           | r10, r11, r12, lr | sums of channels 4 to 7             |
    // | r4       | next words of the column               | [sp], [sp, #4]    | `end`, `sums`                       |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn single(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            save_high!(),
            "push {{r4-r7}}",
            "push {{r2, r3}}",
            "movs r4, r0",
            "movs r5, r1",
            "movs r6, #0",
            "movs r7, #0",
            "mov r8, r6",
            "mov r9, r6",
            "mov r10, r6",
            "mov r11, r6",
            "mov r12, r6",
            "mov lr, r6",
            "2:",
            single_step!("0"),
            single_step!("8"),
            "adds r4, #16",
            "ldr r2, [sp]",
            "cmp r5, r2",
            "bne 2b",
            "pop {{r2, r3}}",
            "str r6, [r3]",
            "str r7, [r3, #16]",
            "mov r0, r8",
            "str r0, [r3, #32]",
            "mov r0, r9",
            "str r0, [r3, #48]",
            "mov r0, r10",
            "str r0, [r3, #64]",
            "mov r0, r11",
            "str r0, [r3, #80]",
            "mov r0, r12",
            "str r0, [r3, #96]",
            "mov r0, lr",
            "str r0, [r3, #112]",
            leave!(),
        )
    }

    /// a + (a >> 31) of x in r1, for the mantissa in r5 and r6; r2, r3 and r4 are overwritten.
    macro_rules! finish {
        () => {
            // The carry of the shift by 15 is the last bit that is shifted out, which rounds.
            "sxth r2, r1
             subs r1, r1, r2
             asrs r1, r1, #16
             movs r3, r1
             muls r3, r5, r3
             movs r4, r2
             muls r4, r6, r4
             adds r3, r3, r4
             muls r2, r5, r2
             asrs r2, r2, #16
             adds r3, r3, r2
             muls r1, r6, r1
             lsls r1, r1, #1
             asrs r3, r3, #15
             adcs r1, r3
             asrs r2, r1, #31
             adds r1, r1, r2"
        };
    }

    /// Sums of channels become outputs: per output 31 instructions and 34 cycles, of rectified ones where the sum is negative 11 and 16. The formula is that of
    /// [`by_halves`](super::by_halves) and of `Rounding::short`.
    ///
    /// # Safety
    /// The pointers are good for the channels, of which there is one, and for the pixels, of which there is one.
    //
    // | register    | holds                                             | register | holds                                 |
    // |-------------|---------------------------------------------------|----------|---------------------------------------|
    // | r0          | next sum                                          | r8       | bias of the channel                   |
    // | r1          | the sum x, its upper half xh, the output          | r9       | 2^(s−1) + zero point · 2^s            |
    // | r2          | its lower half xl, products                       | r10      | `stride`                              |
    // | r3, r4      | products                                          | r11      | `limit`                               |
    // | r5, r6      | lower and upper half of the mantissa              | r12      | end of the channel's sums             |
    // | r7          | next output                                       | lr       | s                                     |
    //
    // | stack | holds            | stack | holds                      | stack | holds                                    |
    // |-------|------------------|-------|----------------------------|-------|------------------------------------------|
    // | 0     | next channel     | 8     | first output of the channel | 16    | `lanes`                                 |
    // | 4     | `end`            | 12    | `offset`                   | 20    | `skip`                                   |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn finish(outputs: *mut Outputs) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            save_high!(),
            "push {{r4-r7}}",
            "sub sp, #24",
            "ldm r0!, {{r1-r7}}",
            "mov r10, r5",
            "ldr r5, [r0, #4]",
            "mov r11, r5",
            "ldr r0, [r0]",
            "str r0, [sp, #20]",
            "mov r0, sp",
            "stm r0!, {{r2, r3, r4, r6, r7}}",
            "movs r0, r1",
            "1:",
            "ldr r1, [sp]",
            "ldm r1!, {{r2, r3, r4}}",
            "str r1, [sp]",
            "mov r8, r2",
            "uxth r5, r3",
            "asrs r6, r3, #16",
            "ldr r1, [sp, #12]",
            "lsls r1, r4",
            "mov r9, r1",
            "adds r4, #1",
            "mov lr, r4",
            "ldr r7, [sp, #8]",
            "adds r1, r7, #1",
            "str r1, [sp, #8]",
            "ldr r1, [sp, #16]",
            "adds r1, r0, r1",
            "mov r12, r1",
            "2:",
            "ldm r0!, {{r1}}",
            "add r1, r8",
            "cmp r1, r11",
            "blt 5f",
            finish!(),
            "add r1, r9",
            "mov r2, lr",
            "asrs r1, r2",
            // Beyond int8 the sign says which end it is.
            "sxtb r2, r1",
            "cmp r1, r2",
            "bne 4f",
            "3:",
            "strb r1, [r7]",
            "add r7, r10",
            "cmp r0, r12",
            "bne 2b",
            "ldr r1, [sp, #20]",
            "adds r0, r0, r1",
            "ldr r1, [sp]",
            "ldr r2, [sp, #4]",
            "cmp r1, r2",
            "bne 1b",
            "add sp, #24",
            leave!(),
            "4:",
            "asrs r1, r1, #31",
            "movs r2, #127",
            "eors r1, r2",
            "b 3b",
            "5:",
            "movs r1, #127",
            "mvns r1, r1",
            "b 3b",
        )
    }

    /// [`finish`] for one pixel: per output 42 instructions, of rectified ones where the sum is negative 15.
    ///
    /// # Safety
    /// The pointers are good for the channels, of which there is one; sums and outputs lie one behind the other.
    //
    // | register    | holds                                             | register | holds                                 |
    // |-------------|---------------------------------------------------|----------|---------------------------------------|
    // | r0          | next sum                                          | r8       | 2^(s−1) + zero point · 2^s            |
    // | r1          | the sum x, its upper half xh, the output          | r9       | `offset`                              |
    // | r2          | the bias, the lower half xl, products             | r10      | next channel                          |
    // | r3, r4      | mantissa, s − 1; products                         | r11      | `limit`                               |
    // | r5, r6      | lower and upper half of the mantissa              | r12      | `end`                                 |
    // | r7          | next output                                       | lr       | s                                     |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn finish_one(outputs: *mut Outputs) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            save_high!(),
            "push {{r4-r7}}",
            "ldr r1, [r0, #20]",
            "mov r9, r1",
            "ldr r1, [r0, #32]",
            "mov r11, r1",
            "ldr r7, [r0, #12]",
            "ldm r0!, {{r1, r2, r3}}",
            "mov r10, r2",
            "mov r12, r3",
            "movs r0, r1",
            "2:",
            "mov r1, r10",
            "ldm r1!, {{r2, r3, r4}}",
            "mov r10, r1",
            "ldm r0!, {{r1}}",
            "adds r1, r1, r2",
            "cmp r1, r11",
            "blt 5f",
            "uxth r5, r3",
            "asrs r6, r3, #16",
            "mov r2, r9",
            "lsls r2, r4",
            "mov r8, r2",
            "adds r4, #1",
            "mov lr, r4",
            finish!(),
            "add r1, r8",
            "mov r2, lr",
            "asrs r1, r2",
            // Beyond int8 the sign says which end it is.
            "sxtb r2, r1",
            "cmp r1, r2",
            "bne 4f",
            "3:",
            "strb r1, [r7]",
            "adds r7, #1",
            "mov r1, r10",
            "cmp r1, r12",
            "bne 2b",
            leave!(),
            "4:",
            "asrs r1, r1, #31",
            "movs r2, #127",
            "eors r1, r2",
            "b 3b",
            "5:",
            "movs r1, #127",
            "mvns r1, r1",
            "b 3b",
        )
    }

    /// The next column of a row, which is seen by one, two or three pixels: each with the register of its sum and that of its weight.
    macro_rules! column {
        ($sum:literal $weight:literal) => {
            concat!("ldm r7!, {{r0}}\nldrsb r0, [r0, r6]\n", column!(@ $sum $weight))
        };
        ($first:literal $first_weight:literal, $sum:literal $weight:literal) => {
            concat!("ldm r7!, {{r0}}\nldrsb r0, [r0, r6]\n", column!(@@ $first $first_weight), column!(@ $sum $weight))
        };
        ($first:literal $first_weight:literal, $second:literal $second_weight:literal, $sum:literal $weight:literal) => {
            concat!(
                "ldm r7!, {{r0}}\nldrsb r0, [r0, r6]\n",
                column!(@@ $first $first_weight),
                column!(@@ $second $second_weight),
                column!(@ $sum $weight)
            )
        };
        (@ $sum:literal $weight:literal) => {
            concat!("muls r0, ", $weight, ", r0\nadd ", $sum, ", r0\n")
        };
        (@@ $sum:literal $weight:literal) => {
            concat!("movs r1, r0\nmuls r1, ", $weight, ", r1\nadd ", $sum, ", r1\n")
        };
    }

    /// The kernel of a depthwise convolution for some pixels: bytes of a block's taps, the columns of a row, and how the sums are stored at
    /// r0.
    //
    // | register    | holds                                             | register | holds                                 |
    // |-------------|---------------------------------------------------|----------|---------------------------------------|
    // | r0          | a tap, its input, then a product                  | r7       | next taps                             |
    // | r1          | a product                                         | r8 to r11 | sums of the pixels                   |
    // | r2, r3, r4  | weights of a row                                  | r12      | first taps                            |
    // | r5          | next weights                                      | lr       | next sums                             |
    // | r6          | the channel                                       | [sp]     | channel where they end                |
    macro_rules! depthwise {
        ($bytes:literal; $($columns:expr),*; $($store:literal),*) => {
            naked_asm!(
                "push {{r4-r7, lr}}",
                save_high!(),
                "push {{r4-r7}}",
                "mov r12, r0",
                "movs r5, r1",
                "movs r6, r2",
                "ldr r0, [sp, #36]",
                "mov lr, r0",
                "push {{r3}}",
                "1:",
                "movs r0, #0",
                "mov r8, r0",
                "mov r9, r0",
                "mov r10, r0",
                "mov r11, r0",
                "mov r7, r12",
                "2:",
                "movs r2, #0",
                "ldrsb r2, [r5, r2]",
                "movs r3, #1",
                "ldrsb r3, [r5, r3]",
                "movs r4, #2",
                "ldrsb r4, [r5, r4]",
                "adds r5, #3",
                $($columns,)*
                "mov r0, r12",
                concat!("adds r0, #", $bytes),
                "cmp r7, r0",
                "bne 2b",
                "mov r0, lr",
                $($store,)*
                "mov lr, r0",
                "adds r6, #1",
                "ldr r0, [sp]",
                "cmp r6, r0",
                "bne 1b",
                "add sp, #4",
                leave!(),
            )
        };
    }

    /// Sums of four neighbouring pixels, whose rows have six taps. The table of its registers stands above the macro `depthwise`.
    ///
    /// # Safety
    /// The taps are good for the channels from `first` to `end`, of which there is one; there are nine weights for each of them from
    /// `first` on, and room for its sums.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn depthwise_four(
        taps: *const *const i8,
        weights: *const i8,
        first: usize,
        end: usize,
        sums: *mut i32,
    ) {
        depthwise!(
            72;
            column!("r8" "r2"),
            column!("r8" "r3", "r9" "r2"),
            column!("r8" "r4", "r9" "r3", "r10" "r2"),
            column!("r9" "r4", "r10" "r3", "r11" "r2"),
            column!("r10" "r4", "r11" "r3"),
            column!("r11" "r4");
            "mov r1, r8", "mov r2, r9", "mov r3, r10", "mov r4, r11", "stm r0!, {{r1, r2, r3, r4}}"
        )
    }

    /// Sums of two pixels, each with three taps of its own in a row. The table of its registers stands above the macro `depthwise`.
    ///
    /// # Safety
    /// As for [`depthwise_four`].
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn depthwise_two(
        taps: *const *const i8,
        weights: *const i8,
        first: usize,
        end: usize,
        sums: *mut i32,
    ) {
        depthwise!(
            72;
            column!("r8" "r2"),
            column!("r8" "r3"),
            column!("r8" "r4"),
            column!("r9" "r2"),
            column!("r9" "r3"),
            column!("r9" "r4");
            "mov r1, r8", "mov r2, r9", "stm r0!, {{r1, r2}}"
        )
    }

    /// Sums of one pixel, whose rows have three taps. The table of its registers stands above the macro `depthwise`.
    ///
    /// # Safety
    /// As for [`depthwise_four`].
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn depthwise_one(
        taps: *const *const i8,
        weights: *const i8,
        first: usize,
        end: usize,
        sums: *mut i32,
    ) {
        depthwise!(
            36;
            column!("r8" "r2"),
            column!("r8" "r3"),
            column!("r8" "r4");
            "mov r1, r8", "stm r0!, {{r1}}"
        )
    }

    mod taps;

    pub(super) use taps::{taps_four, taps_one};
}
