//! Arm v6-M (Cortex-M0, M0+): a 32-bit multiplication that overwrites a factor, eight registers for most instructions.
//! The 16-bit fields of [`arch/rv32`](crate::arch), with the pairs of pixels as the factor that is overwritten, so that
//! nothing needs to be copied, and the accumulators in the high registers, which ADD reaches.
//!
//! Weights of eight channels stand side by side, as far apart from one depth to the next as the pixels' words: one
//! register less one offset points to both.

use super::Sums;
pub(super) use super::blocks::{depthwise_four, depthwise_one, depthwise_two};
use crate::pack::Channel;

/// One pair takes the place of two.
pub(super) const HAS_PAIR: bool = false;

/// (x·m + 2^30) >> 31 of x = sum + bias, |x| < 2^29, from four products of 16-bit halves: with x = 2^16·xh + xl, xl signed,
/// and m = 2^16·mh + ml it is 2·xh·mh + ((xh·ml + xl·mh + (xl·ml >> 16) + 2^14) >> 15). Nothing overflows: the terms of the
/// second sum are below 2^29, 2^30 and 2^15.
#[inline(always)]
pub(super) fn high_product(sum: i32, channel: &Channel) -> i32 {
    let x = channel.bias.wrapping_add(sum);
    let low = i32::from(x as i16);
    let high = (x - low) >> 16;
    let (m_low, m_high) = (channel.multiplier & 0xFFFF, channel.multiplier >> 16);
    let middle = high * m_low + low * m_high + ((low * m_low) >> 16);
    2 * high * m_high + ((middle + (1 << 14)) >> 15)
}

#[cfg(target_arch = "arm")]
mod tile {
    use core::arch::naked_asm;

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

    /// Sums of eight channels and four pixels: [channel·4 + pixel].
    ///
    /// # Safety
    /// `column..end` holds two words for each depth, `weights` the block of weights, `sums` 32 numbers.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn quad(column: *const u32, end: *const u32, weights: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "mov r4, r8",
            "mov r5, r9",
            "mov r6, r10",
            "mov r7, r11",
            "push {{r4-r7}}",
            "mov lr, r1",
            // From a word of pixels, already stepped over, to the weights of the first and of the second depth.
            "subs r7, r2, r0",
            "subs r7, #16",
            "mov r5, r7",
            "adds r5, #8",
            "movs r4, #0x80",
            "lsls r4, r4, #8",
            "mov r12, r4",
            // On the stack: the column, the sums, the channels that are left.
            "movs r4, #8",
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
            "pop {{r4-r7}}",
            "mov r8, r4",
            "mov r9, r5",
            "mov r10, r6",
            "mov r11, r7",
            "pop {{r4-r7, pc}}",
        )
    }
}

/// Four pixels times a block of weights.
#[cfg(target_arch = "arm")]
#[inline(always)]
pub(super) fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, the sums of eight channels and four pixels.
    unsafe { tile::quad(column.as_ptr(), column.as_ptr_range().end, weights.as_ptr(), sums.as_mut_ptr()) }
}

#[cfg(not(target_arch = "arm"))]
pub(super) fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    super::fields::sums(column, weights, sums, 2);
}

/// There is none: [`HAS_PAIR`].
#[inline(always)]
pub(super) fn pair(column: &[u32], weights: &[u32], sums: &mut Sums) {
    quad(column, weights, sums);
}
