//! 32-bit RISC-V with M. With X = x_a + 2^16·x_b one MUL by a weight makes two products; two of them fit in 16-bit fields:
//!
//! p = X[k]·w[k] + X[k+1]·w[k+1] = Σ_a + 2^16·Σ_b, |Σ_a| ≤ 2·127·128 < 2^15 (packing sees to it), so that
//! (p + 2^15) >> 16 is Σ_b exactly. Two accumulators per pair of pixels: T adds up p modulo 2^32, U adds up Σ_b. At the
//! end the upper pixel's sum is U, the lower one's T − 2^16·U modulo 2^32. Seven instructions for four
//! multiply-accumulates, where MUL and ADD take eight, and half of the loads.

use super::Sums;
pub(super) use super::blocks::{depthwise_four, depthwise_one, depthwise_two};
use crate::pack::Channel;

/// There is a kernel for one pair of pixels.
pub(super) const HAS_PAIR: bool = true;

/// (x·m + 2^30) >> 31 of x = sum + bias: the high word of 2x·m and the rounding bit below it. |2x| < 2^30.
#[inline(always)]
pub(super) fn high_product(sum: i32, channel: &Channel) -> i32 {
    let doubled = channel.bias.wrapping_add(sum << 1);
    let product = i64::from(doubled) * i64::from(channel.multiplier);
    (product >> 32) as i32 + (product as u32 >> 31) as i32
}

#[cfg(target_arch = "riscv32")]
mod tile {
    use core::arch::naked_asm;

    /// Two depths of one channel times one pair of pixels: weights in `$w0`, `$w1`, which may be `$p` and `$q`.
    macro_rules! products {
        ($x0:literal, $x1:literal, $w0:literal, $w1:literal, $p:literal, $q:literal, $t:literal, $u:literal) => {
            concat!(
                "mul ", $p, ", ", $x0, ", ", $w0, "\n", "mul ", $q, ", ", $x1, ", ", $w1, "\n", "add ", $p, ", ", $p,
                ", ", $q, "\n", "add ", $t, ", ", $t, ", ", $p, "\n", "add ", $p, ", ", $p, ", ra\n", "srai ", $p,
                ", ", $p, ", 16\n", "add ", $u, ", ", $u, ", ", $p, "\n",
            )
        };
    }

    /// Two depths of one channel times two pairs.
    macro_rules! quad_channel {
        ($w0:literal, $w1:literal, $t0:literal, $u0:literal, $t1:literal, $u1:literal) => {
            concat!(
                "lb a6, ",
                $w0,
                "(a1)\n",
                "lb a7, ",
                $w1,
                "(a1)\n",
                products!("a2", "a4", "a6", "a7", "t0", "t1", $t0, $u0),
                products!("a3", "a5", "a6", "a7", "a6", "a7", $t1, $u1),
            )
        };
    }

    macro_rules! quad_step {
        ($x0:literal, $x1:literal, $x2:literal, $x3:literal, $($weights:literal),*) => {
            concat!(
                "lw a2, ", $x0, "(a0)\n", "lw a3, ", $x1, "(a0)\n", "lw a4, ", $x2, "(a0)\n", "lw a5, ", $x3, "(a0)\n",
                quad_step!(@ $($weights),*),
            )
        };
        (@ $a:literal, $b:literal, $c:literal, $d:literal, $e:literal, $f:literal, $g:literal, $h:literal) => {
            concat!(
                quad_channel!($a, $e, "s0", "s1", "s2", "s3"),
                quad_channel!($b, $f, "s4", "s5", "s6", "s7"),
                quad_channel!($c, $g, "s8", "s9", "s10", "s11"),
                quad_channel!($d, $h, "t3", "t4", "t5", "t6"),
            )
        };
    }

    macro_rules! pair_channel {
        ($w0:literal, $w1:literal, $t:literal, $u:literal) => {
            concat!(
                "lb a6, ",
                $w0,
                "(a1)\n",
                "lb a7, ",
                $w1,
                "(a1)\n",
                products!("a2", "a4", "a6", "a7", "a6", "a7", $t, $u),
            )
        };
    }

    /// Two sums out of T and U: to [t] and [u] of the sums.
    macro_rules! take_apart {
        ($t:literal, $u:literal, $to:literal, $next:literal) => {
            concat!(
                "slli a0, ",
                $u,
                ", 16\n",
                "sub ",
                $t,
                ", ",
                $t,
                ", a0\n",
                "sw ",
                $t,
                ", ",
                $to,
                "(a1)\n",
                "sw ",
                $u,
                ", ",
                $next,
                "(a1)\n",
            )
        };
    }

    macro_rules! enter {
        () => {
            // Assembly outside of functions does not know the target's extensions.
            ".option push
             .option arch, +m, +c
             addi sp, sp, -64
             sw ra, 60(sp)
             sw s0, 56(sp)
             sw s1, 52(sp)
             sw s2, 48(sp)
             sw s3, 44(sp)
             sw s4, 40(sp)
             sw s5, 36(sp)
             sw s6, 32(sp)
             sw s7, 28(sp)
             sw s8, 24(sp)
             sw s9, 20(sp)
             sw s10, 16(sp)
             sw s11, 12(sp)
             sw a3, 8(sp)
             mv t2, a2
             lui ra, 8
             li s0, 0
             li s1, 0
             li s2, 0
             li s3, 0
             li s4, 0
             li s5, 0
             li s6, 0
             li s7, 0
             li s8, 0
             li s9, 0
             li s10, 0
             li s11, 0
             li t3, 0
             li t4, 0
             li t5, 0
             li t6, 0"
        };
    }

    macro_rules! leave {
        () => {
            "lw ra, 60(sp)
             lw s0, 56(sp)
             lw s1, 52(sp)
             lw s2, 48(sp)
             lw s3, 44(sp)
             lw s4, 40(sp)
             lw s5, 36(sp)
             lw s6, 32(sp)
             lw s7, 28(sp)
             lw s8, 24(sp)
             lw s9, 20(sp)
             lw s10, 16(sp)
             lw s11, 12(sp)
             addi sp, sp, 64
             ret
             .option pop"
        };
    }

    /// Sums of four channels and four pixels: [channel·4 + pixel].
    ///
    /// # Safety
    /// `weights..end` holds a block of weights, `column` two words for each of its depths, `sums` sixteen numbers.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn quad(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            enter!(),
            "2:",
            quad_step!("0", "4", "8", "12", "0", "1", "2", "3", "4", "5", "6", "7"),
            quad_step!("16", "20", "24", "28", "8", "9", "10", "11", "12", "13", "14", "15"),
            "addi a0, a0, 32",
            "addi a1, a1, 16",
            "bne a1, t2, 2b",
            "lw a1, 8(sp)",
            take_apart!("s0", "s1", "0", "4"),
            take_apart!("s2", "s3", "8", "12"),
            take_apart!("s4", "s5", "16", "20"),
            take_apart!("s6", "s7", "24", "28"),
            take_apart!("s8", "s9", "32", "36"),
            take_apart!("s10", "s11", "40", "44"),
            take_apart!("t3", "t4", "48", "52"),
            take_apart!("t5", "t6", "56", "60"),
            leave!(),
        )
    }

    /// As [`quad`] for two pixels, one word per depth.
    ///
    /// # Safety
    /// As [`quad`].
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn pair(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            enter!(),
            "2:",
            "lw a2, 0(a0)",
            "lw a4, 4(a0)",
            pair_channel!("0", "4", "s0", "s1"),
            pair_channel!("1", "5", "s4", "s5"),
            pair_channel!("2", "6", "s8", "s9"),
            pair_channel!("3", "7", "t3", "t4"),
            "lw a2, 8(a0)",
            "lw a4, 12(a0)",
            pair_channel!("8", "12", "s0", "s1"),
            pair_channel!("9", "13", "s4", "s5"),
            pair_channel!("10", "14", "s8", "s9"),
            pair_channel!("11", "15", "t3", "t4"),
            "addi a0, a0, 16",
            "addi a1, a1, 16",
            "bne a1, t2, 2b",
            "lw a1, 8(sp)",
            take_apart!("s0", "s1", "0", "4"),
            take_apart!("s4", "s5", "16", "20"),
            take_apart!("s8", "s9", "32", "36"),
            take_apart!("t3", "t4", "48", "52"),
            leave!(),
        )
    }
}

/// Four pixels times a block of weights.
#[cfg(target_arch = "riscv32")]
#[inline(always)]
pub(super) fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, the sums of four channels and four pixels.
    unsafe { tile::quad(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

/// Two pixels times a block of weights.
#[cfg(target_arch = "riscv32")]
#[inline(always)]
pub(super) fn pair(column: &[u32], weights: &[u32], sums: &mut Sums) {
    // SAFETY: as `quad`.
    unsafe { tile::pair(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

#[cfg(not(target_arch = "riscv32"))]
pub(super) fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    super::fields::sums(column, weights, sums, 2);
}

#[cfg(not(target_arch = "riscv32"))]
pub(super) fn pair(column: &[u32], weights: &[u32], sums: &mut Sums) {
    super::fields::sums(column, weights, sums, 1);
}
