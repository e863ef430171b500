//! The micro-kernel of convolutions: three pixels times two output channels at a time, and two pixels where fewer than three are left.
//!
//! - Columns: for every group of four depths six words, the even depths (0, 2) of the three pixels as pairs of i16, then
//!   the odd ones (1, 3): what SXTB16 gives without further shuffling.
//! - Weights: a stream per pair of channels, see [`pack`](super::pack). A halfword holds 256·w1 + w0. SMLAD of
//!   the packed word adds 256·A1 + A0, SMLAD of its SXTB16 adds A0, so that A1 = (S − A0) >> 8: one SXTB16 for four
//!   weights instead of two.
//! - Requantisation: SMMLAR(2x, m, t) = t + ((x·m + 2^30) >> 31) with t = rounding + (x >> 31), then ASR and SSAT, see
//!   `requantise` in `pack`, where the equality is proved. Where the outputs are rectified, t = rounding: of a negative sum both give at
//!   most the zero point, which is the least output.
//!
//! 17 instructions for 24 products in the inner loop, 52 around it for the six outputs; 26 where the core issues two at a time, in 13 cycles by llvm-mca.
//! Of two pixels it is 13 for 16, and 40 around it for the four outputs: five pixels are three and two, four are two and two, so that none is computed in
//! vain but beside a single one. Both read columns of three pixels.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use super::requantise::requantise;
use super::schedule::{parameters, tile_prepare, tile_products};
use crate::pack::Layout;
use crate::quantise::OutputRange;

/// [`tile`] or another one of this file.
type Tile = unsafe extern "C" fn(*const u32, *const u32, usize, *mut i8, usize, usize, usize) -> *const u32;

/// The tiles of a layer.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    /// Of three pixels.
    pub three: Tile,
    /// Of two pixels; not to be called where the pixels make whole threes.
    pub two: Tile,
}

/// The tiles for words of the layout, which is that of pairs or the wide one, for outputs of that range, and so many pixels.
// Inlined, so that a model links the tiles that its own layers need.
#[inline(always)]
pub(super) fn of(layout: Layout, output: &OutputRange, pixels: usize) -> Tiles {
    let (three, two): (Tile, Tile) = match (layout.is(Layout::DspWide), output.is_rectified()) {
        (false, false) => (tile, tile_of_two),
        (false, true) => (rectified_tile, rectified_tile_of_two),
        (true, false) => (wide_tile, wide_tile_of_two),
        (true, true) => (rectified_wide_tile, rectified_wide_tile_of_two),
    };
    Tiles { three, two: if pixels.is_multiple_of(3) { three } else { two } }
}

/// Requantises a doubled sum with multiplier, rounding and shift in r10, r11, r12; r3 is overwritten.
macro_rules! finish {
    ($outputs:ident, $sum:literal) => {
        requantise!($outputs, $sum, "r10", "r11", "r12", "r3")
    };
}

/// What a tile does for its third pixel, if it has three.
macro_rules! third {
    (three, $($lines:tt)*) => { $($lines)* };
    (two, $($lines:tt)*) => { "" };
}

/// What is done to the sums of the odd channel behind the loop: those of packed weights are 256 times as much, and the even channel's.
macro_rules! separate {
    (packed, $even:literal, $odd:literal) => {
        concat!("subs ", $odd, ", ", $odd, ", ", $even)
    };
    (wide, $even:literal, $odd:literal) => {
        ""
    };
}

/// Doubles a sum of the odd channel.
macro_rules! double_odd {
    (packed, $odd:literal) => {
        concat!("asrs ", $odd, ", ", $odd, ", #7")
    };
    (wide, $odd:literal) => {
        concat!("lsls ", $odd, ", ", $odd, ", #1")
    };
}

/// The body of the tile around the inner loop, which is that of the core's schedule: how outputs are requantised, the kind of weights, and whether there are
/// three pixels or two.
macro_rules! tile {
    ($outputs:ident, $weights:ident, $pixels:ident) => {
        naked_asm!(
            env!("SMOLNN_DSP_CORE"),
            "push {{r4-r11, lr}}",
            "ldr r4, [sp, #36]",
            "ldr r5, [sp, #40]",
            "ldr r6, [sp, #44]",
            "add r6, r3, r6, lsl #1",
            "sub sp, #28",
            "strd r3, r4, [sp]",
            "strd r5, r6, [sp, #8]",
            tile_prepare!($weights, $pixels),
            // The two sums of each pixel start from the first two words of the channels' stream.
            "1:",
            "ldmia r0!, {{r4, r5}}",
            "mov r6, r4",
            "mov r7, r5",
            third!($pixels, "mov r8, r4\nmov r9, r5"),
            tile_products!($weights, $pixels),
            // The even channel's sums are in r4, r6, r8. Multiplier, rounding and shift go to r10, r11, r12.
            parameters!(),
            separate!($weights, "r4", "r5"),
            separate!($weights, "r6", "r7"),
            third!($pixels, separate!($weights, "r8", "r9")),
            "lsls r4, r4, #1",
            "lsls r6, r6, #1",
            third!($pixels, "lsl r8, r8, #1"),
            finish!($outputs, "r4"),
            finish!($outputs, "r6"),
            third!($pixels, finish!($outputs, "r8")),
            // r5, r7, r9 hold the odd channel's sums, 256 times as much where they are packed.
            "ldmia.w r0!, {{r10, r11, r12}}",
            double_odd!($weights, "r5"),
            double_odd!($weights, "r7"),
            third!($pixels, double_odd!($weights, "r9")),
            finish!($outputs, "r5"),
            finish!($outputs, "r7"),
            third!($pixels, finish!($outputs, "r9")),
            "bfi r4, r5, #8, #8",
            "bfi r6, r7, #8, #8",
            third!($pixels, "bfi r8, r9, #8, #8"),
            "ldmia.w sp, {{r1, r2, r3, r5}}",
            "strh r6, [r1, r2]",
            third!($pixels, "strh.w r8, [r1, r3]"),
            "strh r4, [r1], #2",
            "str r1, [sp]",
            "cmp r1, r5",
            "bne.w 1b",
            "add sp, #28",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// Computes `pairs` pairs of channels for three pixels whose columns stand at `columns`, `groups` groups of four depths each, at
/// least one.
/// Writes two bytes per pair at `output`, `output + stride` and `output + last`; gives the end of the stream of weights.
///
/// # Safety
/// `pairs` is not 0; `words` has `pairs` · (8 + 2 · `groups`) words, `columns` 6 · `groups`; 2 · `pairs` bytes can be written at the
/// three places.
//
// | register    | in the loop over groups                    | around it                          |
// |-------------|--------------------------------------------|------------------------------------|
// | r0          | next words                                 | next words                         |
// | r1          | next words of the columns                  | next output of the first pixel     |
// | r2          | turns or steps that are left               | `stride`                           |
// | r3, r12, lr | two depths of the three pixels             | r3: rounding of a sum, `last`; r12: shift |
// | r4, r6, r8  | sums A0 of the even channel                | its results, then both channels'   |
// | r5, r7, r9  | 256·A1 + A0 of both channels               | 256·A1, then results; r5: end of the first pixel's outputs |
// | r10, r11    | weights of both channels; those of the even one | multiplier, rounding          |
//
// Of two pixels r8 and r9 hold no sums; the paired schedule has two depths there.
//
// | stack | holds                            | stack | holds                               |
// |-------|----------------------------------|-------|-------------------------------------|
// | 0     | next output of the first pixel   | 16    | `columns`                           |
// | 4     | `stride`                         | 20    | turns of the loop, or steps but one |
// | 8     | `last`                           | 24    | address where the first turn starts |
// | 12    | end of the first pixel's outputs |       |                                     |
#[unsafe(naked)]
unsafe extern "C" fn tile(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(any, packed, three)
}

/// As [`tile`], for outputs that are rectified.
///
/// # Safety
/// As for [`tile`].
#[unsafe(naked)]
unsafe extern "C" fn rectified_tile(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(rectified, packed, three)
}

/// As [`tile`], on words of the wide layout: the two sums of each pixel are those of the two channels.
///
/// # Safety
/// As for [`tile`], but that `words` has `pairs` · (8 + 4 · `groups`) words.
#[unsafe(naked)]
unsafe extern "C" fn wide_tile(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(any, wide, three)
}

/// As [`wide_tile`], for outputs that are rectified.
///
/// # Safety
/// As for [`wide_tile`].
#[unsafe(naked)]
unsafe extern "C" fn rectified_wide_tile(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(rectified, wide, three)
}

/// As [`tile`], for two pixels: the columns' third one is left out, and nothing is written at `output + last`.
///
/// # Safety
/// As for [`tile`].
#[unsafe(naked)]
unsafe extern "C" fn tile_of_two(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(any, packed, two)
}

/// As [`rectified_tile`], for two pixels: the columns' third one is left out, and nothing is written at `output + last`.
///
/// # Safety
/// As for [`rectified_tile`].
#[unsafe(naked)]
unsafe extern "C" fn rectified_tile_of_two(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(rectified, packed, two)
}

/// As [`wide_tile`], for two pixels: the columns' third one is left out, and nothing is written at `output + last`.
///
/// # Safety
/// As for [`wide_tile`].
#[unsafe(naked)]
unsafe extern "C" fn wide_tile_of_two(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(any, wide, two)
}

/// As [`rectified_wide_tile`], for two pixels: the columns' third one is left out, and nothing is written at `output + last`.
///
/// # Safety
/// As for [`rectified_wide_tile`].
#[unsafe(naked)]
unsafe extern "C" fn rectified_wide_tile_of_two(
    words: *const u32,
    columns: *const u32,
    groups: usize,
    output: *mut i8,
    stride: usize,
    last: usize,
    pairs: usize,
) -> *const u32 {
    tile!(rectified, wide, two)
}

/// Where the bytes of three pixels stand. The assembly knows the order of the fields.
#[repr(C)]
pub(super) struct Patches {
    pub starts: [*const i8; 3],
    /// Bytes from the start of a run to that of the next one.
    pub pitches: [usize; 3],
}

/// Widens `runs` runs of `groups` groups of four bytes of each of three pixels into columns; gives the end of the columns.
///
/// 12 instructions for 12 bytes, 12 around a run.
///
/// # Safety
/// `groups` and `runs` are not 0; the runs can be read, six words per group and run written at `columns`.
//
// | register        | holds                                                        |
// |-----------------|--------------------------------------------------------------|
// | r0              | groups of the run that are left                              |
// | r1              | next words of the columns                                    |
// | r2, r3          | `groups`, runs that are left                                 |
// | r4, r5, r6      | next bytes of the three pixels                               |
// | r7, r8, r9      | even depths of the three pixels; between runs their pitches  |
// | r10, r11, r12   | four bytes of the three pixels, then their odd depths        |
// | lr              | the pixels' pitches                                          |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen(patches: &Patches, columns: *mut u32, groups: usize, runs: usize) -> *mut u32 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "ldmia r0!, {{r4, r5, r6}}",
        "mov lr, r0",
        "1:",
        "mov r0, r2",
        "2:",
        "ldr r10, [r4], #4",
        "ldr r11, [r5], #4",
        "ldr r12, [r6], #4",
        "sxtb16 r7, r10",
        "sxtb16 r8, r11",
        "sxtb16 r9, r12",
        "sxtb16 r10, r10, ror #8",
        "sxtb16 r11, r11, ror #8",
        "sxtb16 r12, r12, ror #8",
        "stmia r1!, {{r7, r8, r9, r10, r11, r12}}",
        "subs r0, r0, #1",
        "bne 2b",
        "subs r3, r3, #1",
        "beq 3f",
        "ldmia.w lr, {{r7, r8, r9}}",
        "sub r4, r4, r2, lsl #2",
        "sub r5, r5, r2, lsl #2",
        "sub r6, r6, r2, lsl #2",
        "add r4, r7",
        "add r5, r8",
        "add r6, r9",
        "b 1b",
        "3:",
        "mov r0, r1",
        "pop {{r4-r11, pc}}",
    )
}
