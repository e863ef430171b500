//! Arm v7-M (Cortex-M3) and v8-M without DSP: SMLAL adds a 32×32-bit product to 64 bits, and with X = x_a + 2^23·x_b that
//! is two multiply-accumulates: w·x_a in the lower 23 bits, w·x_b above. |Σ w·x_a| < 2^22 for a depth up to 255.

pub(super) use super::blocks::{depthwise_four, depthwise_one, depthwise_two};
use super::{DenseSums, Job, Sums};
use crate::pack::Channel;

/// There is a kernel for one pair of pixels.
pub(super) const HAS_PAIR: bool = true;

/// Dense sums have 128·Σ x in them.
pub(super) const DENSE_EXCESS: bool = true;

/// There are kernels that go from the column to the outputs.
pub(super) const HAS_CONVOLVE: bool = false;

/// As [`HAS_CONVOLVE`] for dense layers.
pub(super) const HAS_DENSE_BLOCKS: bool = false;

/// They clamp to the whole of int8 alone.
pub(super) const CONVOLVE_CLAMPS: bool = false;

/// There is none: [`HAS_CONVOLVE`].
#[inline(always)]
pub(super) unsafe fn convolve(_job: &Job) {}

/// There is none: [`HAS_DENSE_BLOCKS`].
#[inline(always)]
pub(super) unsafe fn dense_blocks(_job: &Job) {}

/// (x·m + 2^30) >> 31 of x = sum + bias: the high word of 2x·m and the rounding bit below it. |2x| < 2^30.
#[inline(always)]
pub(super) fn high_product(sum: i32, channel: &Channel) -> i32 {
    let doubled = channel.bias.wrapping_add(sum << 1);
    let product = i64::from(doubled) * i64::from(channel.multiplier);
    (product >> 32) as i32 + (product as u32 >> 31) as i32
}

#[cfg(target_arch = "arm")]
mod tile {
    use core::arch::naked_asm;

    /// One depth: two words of pixels times two channels, eight multiply-accumulates in seven instructions.
    macro_rules! quad_step {
        () => {
            "ldm r0!, {{r12, lr}}
             ldrsb r2, [r1], #1
             smlal r4, r5, r12, r2
             smlal r6, r7, lr, r2
             ldrsb r2, [r1], #1
             smlal r8, r9, r12, r2
             smlal r10, r11, lr, r2"
        };
    }

    /// One depth: one word of pixels times two channels.
    macro_rules! pair_step {
        () => {
            "ldr r12, [r0], #4
             ldrsb r2, [r1], #1
             ldrsb lr, [r1], #1
             smlal r4, r5, r12, r2
             smlal r8, r9, r12, lr"
        };
    }

    /// One input times eight outputs: sixteen instructions.
    macro_rules! dense_step {
        () => {
            "ldrsb r2, [r0], #1
             ldm r1!, {{r12, lr}}
             mla r4, r12, r2, r4
             lsr r12, r12, #8
             mla r5, r12, r2, r5
             lsr r12, r12, #8
             mla r6, r12, r2, r6
             lsr r12, r12, #8
             mla r7, r12, r2, r7
             mla r8, lr, r2, r8
             lsr lr, lr, #8
             mla r9, lr, r2, r9
             lsr lr, lr, #8
             mla r10, lr, r2, r10
             lsr lr, lr, #8
             mla r11, lr, r2, r11"
        };
    }

    /// Sums of eight outputs, each with 128·Σ x in it.
    ///
    /// # Safety
    /// `input` has `depth` values, `weights` a block of them, `sums` eight numbers.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense(input: *const i8, weights: *const u32, depth: usize, sums: *mut i32) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "add r12, r0, r2",
            "bic r2, r2, #3",
            "add r2, r0, r2",
            "push {{r3, r12}}",
            "mov r3, r2",
            "movs r4, #0",
            "movs r5, #0",
            "movs r6, #0",
            "movs r7, #0",
            "mov r8, r4",
            "mov r9, r4",
            "mov r10, r4",
            "mov r11, r4",
            "cmp r0, r3",
            "beq 3f",
            "2:",
            dense_step!(),
            dense_step!(),
            dense_step!(),
            dense_step!(),
            "cmp r0, r3",
            "bne 2b",
            "3:",
            "ldr r3, [sp, #4]",
            "cmp r0, r3",
            "beq 5f",
            "4:",
            dense_step!(),
            "cmp r0, r3",
            "bne 4b",
            "5:",
            "sub r4, r4, r5, lsl #8",
            "sub r5, r5, r6, lsl #8",
            "sub r6, r6, r7, lsl #8",
            "sub r8, r8, r9, lsl #8",
            "sub r9, r9, r10, lsl #8",
            "sub r10, r10, r11, lsl #8",
            "pop {{r3, r12}}",
            "stm r3, {{r4-r11}}",
            "pop {{r4-r11, pc}}",
        )
    }

    /// Sums of two channels and four pixels: [channel·4 + pixel].
    ///
    /// # Safety
    /// `weights..end` holds a block of weights, `column` two words for each of its depths, `sums` eight numbers.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn quad(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r3-r11, lr}}",
            "mov r3, r2",
            "movs r4, #0",
            "movs r5, #0",
            "movs r6, #0",
            "movs r7, #0",
            "mov r8, r4",
            "mov r9, r4",
            "mov r10, r4",
            "mov r11, r4",
            "2:",
            quad_step!(),
            quad_step!(),
            quad_step!(),
            quad_step!(),
            "cmp r1, r3",
            "bne 2b",
            "pop {{r3}}",
            // Low sum: 23 bits, signed. High sum: what is above, with the borrow given back.
            "sbfx r0, r4, #0, #23",
            "adds r4, r4, #0x400000",
            "adc r5, r5, #0",
            "lsrs r4, r4, #23",
            "orr r1, r4, r5, lsl #9",
            "sbfx r2, r6, #0, #23",
            "adds r6, r6, #0x400000",
            "adc r7, r7, #0",
            "lsrs r6, r6, #23",
            "orr r4, r6, r7, lsl #9",
            "sbfx r5, r8, #0, #23",
            "adds r8, r8, #0x400000",
            "adc r9, r9, #0",
            "lsr r8, r8, #23",
            "orr r6, r8, r9, lsl #9",
            "sbfx r7, r10, #0, #23",
            "adds r10, r10, #0x400000",
            "adc r11, r11, #0",
            "lsr r10, r10, #23",
            "orr r8, r10, r11, lsl #9",
            "stm r3, {{r0, r1, r2, r4, r5, r6, r7, r8}}",
            "pop {{r4-r11, pc}}",
        )
    }

    /// As [`quad`] for two pixels, one word per depth.
    ///
    /// # Safety
    /// As [`quad`].
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn pair(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r3-r11, lr}}",
            "mov r3, r2",
            "movs r4, #0",
            "movs r5, #0",
            "mov r8, r4",
            "mov r9, r4",
            "2:",
            pair_step!(),
            pair_step!(),
            pair_step!(),
            pair_step!(),
            "cmp r1, r3",
            "bne 2b",
            "pop {{r3}}",
            "sbfx r0, r4, #0, #23",
            "adds r4, r4, #0x400000",
            "adc r5, r5, #0",
            "lsrs r4, r4, #23",
            "orr r1, r4, r5, lsl #9",
            "sbfx r5, r8, #0, #23",
            "adds r8, r8, #0x400000",
            "adc r9, r9, #0",
            "lsr r8, r8, #23",
            "orr r6, r8, r9, lsl #9",
            "strd r0, r1, [r3]",
            "strd r5, r6, [r3, #16]",
            "pop {{r4-r11, pc}}",
        )
    }
}

/// Four pixels times a block of weights.
#[cfg(target_arch = "arm")]
#[inline(always)]
pub(super) fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    // SAFETY: column and weights are of one depth (`run`), the sums of two channels and four pixels.
    unsafe { tile::quad(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

/// Two pixels times a block of weights.
#[cfg(target_arch = "arm")]
#[inline(always)]
pub(super) fn pair(column: &[u32], weights: &[u32], sums: &mut Sums) {
    // SAFETY: as `quad`.
    unsafe { tile::pair(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

/// A vector times a block of outputs, 128·Σ x included.
#[cfg(target_arch = "arm")]
#[inline(always)]
pub(super) fn dense(input: &[i8], weights: &[u32], sums: &mut DenseSums) {
    // SAFETY: the block has eight weights for each input.
    unsafe { tile::dense(input.as_ptr(), weights.as_ptr(), input.len(), sums.as_mut_ptr()) }
}

#[cfg(not(target_arch = "arm"))]
pub(super) use super::dense::sums as dense;

/// The arithmetic of the tile in Rust, for tests on a host that forces this backend.
#[cfg(not(target_arch = "arm"))]
fn sums(column: &[u32], weights: &[u32], sums: &mut Sums, pairs: usize) {
    let weights: &[i8] = bytemuck::must_cast_slice(weights);
    for channel in 0..2 {
        for pair in 0..pairs {
            let mut sum = 0_i64;
            for (depth, weights) in weights.chunks_exact(2).enumerate() {
                sum += i64::from(column[depth * pairs + pair] as i32) * i64::from(weights[channel]);
            }
            let at = channel * 4 + pair * 2;
            sums[at] = (sum as i32) << 9 >> 9;
            sums[at + 1] = ((sum + (1 << 22)) >> 23) as i32;
        }
    }
}

#[cfg(not(target_arch = "arm"))]
pub(super) fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    self::sums(column, weights, sums, 2);
}

#[cfg(not(target_arch = "arm"))]
pub(super) fn pair(column: &[u32], weights: &[u32], sums: &mut Sums) {
    self::sums(column, weights, sums, 1);
}
