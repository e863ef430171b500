//! The micro-kernel of convolutions: three pixels times two output channels at a time.
//!
//! - Columns: for every group of four depths six words, the even depths (0, 2) of the three pixels as pairs of i16, then
//!   the odd ones (1, 3): what SXTB16 gives without further shuffling.
//! - Weights: a stream per pair of channels, see [`pack`](super::pack). A halfword holds 256·w1 + w0. SMLAD of
//!   the packed word adds 256·A1 + A0, SMLAD of its SXTB16 adds A0, so that A1 = (S − A0) >> 8: one SXTB16 for four
//!   weights instead of two.
//! - Requantisation: SMMLAR(2x, m, t) = t + ((x·m + 2^30) >> 31) with t = rounding + (x >> 31), then ASR and SSAT, see
//!   `requantise` in `pack`, where the equality is proved.
//!
//! 17 instructions for 24 products in the inner loop, 53 around it for the six outputs.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use crate::pack::Layout;

/// [`tile`] or [`wide_tile`].
pub(super) type Tile = unsafe extern "C" fn(*const u32, *const u32, usize, *mut i8, usize, usize, usize) -> *const u32;

/// The tile for words of the layout, which is that of pairs or the wide one.
#[inline(always)]
pub(super) fn of(layout: Layout) -> Tile {
    if layout.is(Layout::DspWide) { wide_tile } else { tile }
}

/// Bytes of one step of the unrolled loop: 17 wide instructions, and 16 where weights are wide.
const STEP: usize = 68;
const WIDE_STEP: usize = 64;
/// Steps of the unrolled loop, a power of two.
const UNROLLED: usize = 4;

/// One step: four depths of three pixels and two channels.
macro_rules! step {
    () => {
        "ldmia.w r0!, {{r10, r11}}
         ldmia.w r1!, {{r3, r12, lr}}
         smlad r5, r10, r3, r5
         smlad r7, r10, r12, r7
         smlad r9, r10, lr, r9
         sxtb16 r10, r10
         smlad r4, r10, r3, r4
         smlad r6, r10, r12, r6
         smlad r8, r10, lr, r8
         ldmia.w r1!, {{r3, r12, lr}}
         smlad r5, r11, r3, r5
         smlad r7, r11, r12, r7
         smlad r9, r11, lr, r9
         sxtb16 r11, r11
         smlad r4, r11, r3, r4
         smlad r6, r11, r12, r6
         smlad r8, r11, lr, r8"
    };
}

/// One step on wide weights, which need no unpacking.
macro_rules! wide_step {
    () => {
        "ldmia.w r0!, {{r10, r11}}
         ldmia.w r1!, {{r3, r12, lr}}
         smlad r4, r10, r3, r4
         smlad r6, r10, r12, r6
         smlad r8, r10, lr, r8
         smlad r5, r11, r3, r5
         smlad r7, r11, r12, r7
         smlad r9, r11, lr, r9
         ldmia.w r0!, {{r10, r11}}
         ldmia.w r1!, {{r3, r12, lr}}
         smlad r4, r10, r3, r4
         smlad r6, r10, r12, r6
         smlad r8, r10, lr, r8
         smlad r5, r11, r3, r5
         smlad r7, r11, r12, r7
         smlad r9, r11, lr, r9"
    };
}

/// The body of the tile around the inner loop: bytes of a step of the loop, the steps, what is done to the sums of the odd channel behind
/// the loop, and how they are doubled.
macro_rules! tile {
    ($bytes:ident; $($steps:expr),*; $($separate:literal),*; $($double:literal),*) => {
        naked_asm!(
            env!("SMOLNN_DSP_CORE"),
            "push {{r4-r11, lr}}",
            "ldr r4, [sp, #36]",
            "ldr r5, [sp, #40]",
            "ldr r6, [sp, #44]",
            "add r6, r3, r6, lsl #1",
            "sub sp, #28",
            "strd r3, r4, [sp, #12]",
            "strd r5, r6, [sp, #20]",
            "rsb r3, r2, #0",
            "and r3, r3, #{unrolled} - 1",
            "add r2, r2, #{unrolled} - 1",
            "lsr r2, r2, #{log}",
            "movs r4, #{step}",
            "adr r5, 2f",
            "mla r3, r3, r4, r5",
            "orr r3, r3, #1",
            "strd r1, r2, [sp]",
            "str r3, [sp, #8]",
            // The two sums of each pixel start from the first two words of the channels' stream.
            "1:",
            "ldmia r0!, {{r4, r5}}",
            "mov r6, r4",
            "mov r7, r5",
            "mov r8, r4",
            "mov r9, r5",
            "ldmia.w sp, {{r1, r2, pc}}",
            ".p2align 2",
            "2:",
            $($steps,)*
            "subs r2, r2, #1",
            "bne 2b",
            // The even channel's sums are in r4, r6, r8. Multiplier, rounding and shift go to r10, r11, r12.
            "ldrd r1, r2, [sp, #12]",
            "ldr.w lr, [sp, #20]",
            "ldmia.w r0!, {{r10, r11, r12}}",
            $($separate,)*
            "lsls r4, r4, #1",
            "lsls r6, r6, #1",
            "lsl r8, r8, #1",
            "add r3, r11, r6, asr #31",
            "smmlar r3, r6, r10, r3",
            "asr r3, r3, r12",
            "ssat r3, #8, r3",
            "strb r3, [r1, r2]",
            "add r3, r11, r8, asr #31",
            "smmlar r3, r8, r10, r3",
            "asr r3, r3, r12",
            "ssat r3, #8, r3",
            "strb r3, [r1, lr]",
            "add r3, r11, r4, asr #31",
            "smmlar r3, r4, r10, r3",
            "asr r3, r3, r12",
            "ssat r3, #8, r3",
            "strb r3, [r1], #1",
            // r5, r7, r9 hold the odd channel's sums, 256 times as much where they are packed.
            "ldmia.w r0!, {{r10, r11, r12}}",
            $($double,)*
            "add r3, r11, r7, asr #31",
            "smmlar r3, r7, r10, r3",
            "asr r3, r3, r12",
            "ssat r3, #8, r3",
            "strb r3, [r1, r2]",
            "add r3, r11, r9, asr #31",
            "smmlar r3, r9, r10, r3",
            "asr r3, r3, r12",
            "ssat r3, #8, r3",
            "strb r3, [r1, lr]",
            "add r3, r11, r5, asr #31",
            "smmlar r3, r5, r10, r3",
            "asr r3, r3, r12",
            "ssat r3, #8, r3",
            "strb r3, [r1], #1",
            "str r1, [sp, #12]",
            "ldr r3, [sp, #24]",
            "cmp r1, r3",
            "bne.w 1b",
            "add sp, #28",
            "pop {{r4-r11, pc}}",
            unrolled = const UNROLLED,
            log = const UNROLLED.trailing_zeros(),
            step = const $bytes,
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
// | r2          | turns that are left                        | `stride`                           |
// | r3, r12, lr | two depths of the three pixels             | r3: result, r12: shift, lr: `last` |
// | r4, r6, r8  | sums A0 of the even channel                | the same                           |
// | r5, r7, r9  | 256·A1 + A0 of both channels               | 256·A1                             |
// | r10, r11    | weights of both channels; those of the even one | multiplier, rounding          |
//
// | stack | holds                            | stack | holds                          |
// |-------|----------------------------------|-------|--------------------------------|
// | 0     | `columns`                        | 16    | `stride`                       |
// | 4     | turns of the loop                | 20    | `last`                         |
// | 8     | address where the first turn starts | 24 | end of the first pixel's outputs |
// | 12    | next output of the first pixel   |       |                                |
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
    tile!(
        STEP; step!(), step!(), step!(), step!();
        "subs r5, r5, r4", "subs r7, r7, r6", "sub r9, r9, r8";
        "asrs r5, r5, #7", "asrs r7, r7, #7", "asr r9, r9, #7"
    )
}

/// As [`tile`], on words of the wide layout: the two sums of each pixel are those of the two channels. 16 instructions for 24 products.
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
    tile!(
        WIDE_STEP; wide_step!(), wide_step!(), wide_step!(), wide_step!();;
        "lsls r5, r5, #1", "lsls r7, r7, #1", "lsl r9, r9, #1"
    )
}

/// Widens `runs` runs of `groups` groups of four bytes of each of three pixels into columns; gives the end of the columns.
/// From the end of a run it is `gap` bytes to the next one.
///
/// 12 instructions for 12 bytes.
///
/// # Safety
/// `groups` and `runs` are not 0; the runs can be read, six words per group and run written at `columns`.
//
// | register         | holds                                                       |
// |------------------|-------------------------------------------------------------|
// | r0, r1, r2       | next bytes of the three pixels                              |
// | r3               | next words of the columns                                   |
// | r4               | groups of the run that are left; between runs `gap`         |
// | r5, r6, r7       | even depths of the three pixels                             |
// | r8, r9, r10      | four bytes of the three pixels, then their odd depths       |
// | r12              | runs that are left                                          |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen(
    first: *const i8,
    second: *const i8,
    third: *const i8,
    columns: *mut u32,
    groups: usize,
    runs: usize,
    gap: usize,
) -> *mut u32 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "ldr.w r12, [sp, #40]",
        "1:",
        "ldr r4, [sp, #36]",
        "2:",
        "ldr r8, [r0], #4",
        "ldr r9, [r1], #4",
        "ldr r10, [r2], #4",
        "sxtb16 r5, r8",
        "sxtb16 r6, r9",
        "sxtb16 r7, r10",
        "sxtb16 r8, r8, ror #8",
        "sxtb16 r9, r9, ror #8",
        "sxtb16 r10, r10, ror #8",
        "stmia r3!, {{r5, r6, r7, r8, r9, r10}}",
        "subs r4, r4, #1",
        "bne 2b",
        "ldr r4, [sp, #44]",
        "add r0, r4",
        "add r1, r4",
        "add r2, r4",
        "subs r12, r12, #1",
        "bne 1b",
        "mov r0, r3",
        "pop {{r4-r11, pc}}",
    )
}
