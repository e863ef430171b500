//! 32-bit RISC-V with M. With X = x_a + 2^16·x_b one MUL by a weight makes two products; two of them fit in 16-bit fields:
//!
//! p = X[k]·w[k] + X[k+1]·w[k+1] = Σ_a + 2^16·Σ_b, |Σ_a| ≤ 2·127·128 < 2^15 (packing sees to it), so that
//! (p + 2^15) >> 16 is Σ_b exactly. Two accumulators per pair of pixels: T adds up p modulo 2^32, U adds up Σ_b. At the
//! end the upper pixel's sum is U, the lower one's T − 2^16·U modulo 2^32. Seven instructions for four
//! multiply-accumulates, where MUL and ADD take eight, and half of the loads.

use super::depthwise::Line;
use super::depthwise_taps::{Kernels, Taps};
use super::kernels::{Core, DenseSums, Job, Kernel, Multiply, Sums};

/// The core: 31 registers hold the sums of a block and what a row of pixels needs.
pub(super) struct Rv32;

impl Core for Rv32 {
    const CONVOLVE: Option<Kernel<Job>> = Some(tile::convolve);
    const DENSE_BLOCKS: Option<Kernel<Job>> = Some(tile::dense_blocks);
    const CLAMPS: bool = true;
    const DEPTHWISE_LINES: Option<[Kernel<Line>; 2]> = Some([tile::depthwise_line, tile::depthwise_line_two]);
    const DEPTHWISE_TAPS: Kernels = [tile::taps_four, tile::taps_one];
    const DEPTHWISE_NEIGHBOURS: Option<Kernel<Taps>> = Some(tile::taps_neighbours);
    const DEPTHWISE_CHANNELS: Option<Kernel<Taps>> = Some(tile::taps_channels);
    const QUAD: Multiply = quad;
    const PAIR: Option<Multiply> = Some(pair);

    #[cfg(smolnn_slow_mulh)]
    #[inline(always)]
    fn high_product(sum: i32, channel: &crate::pack::Channel) -> i32 {
        super::kernels::by_halves((channel.bias >> 1).wrapping_add(sum), channel.multiplier)
    }

    #[inline(always)]
    unsafe fn winograd(columns: &[i16], weights: &[i16], sums: &mut [i32]) {
        // SAFETY: the slices have the lengths for one number of input channels, as the caller vouches.
        unsafe { tile::winograd(columns.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
    }

    #[inline(always)]
    unsafe fn dense(input: &[i8], weights: &[u32], sums: &mut DenseSums) {
        // SAFETY: the block has sixteen weights for each input, as the caller vouches.
        unsafe { tile::dense(input.as_ptr(), weights.as_ptr(), input.len(), sums.as_mut_ptr()) }
    }
}

/// Four pixels times a block of weights.
#[inline(always)]
unsafe fn quad(column: &[u32], weights: &[u32], _: usize, sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of four channels and four pixels.
    unsafe { tile::quad(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

/// Two pixels times a block of weights.
#[inline(always)]
unsafe fn pair(column: &[u32], weights: &[u32], _: usize, sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of four channels and four pixels.
    unsafe { tile::pair(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

mod tile {
    use core::arch::naked_asm;

    use super::super::depthwise::Line;
    use super::super::kernels::Job;

    /// Two depths of one channel times one pair of pixels. The words are in `$x0`, `$x1`, the weights in `$w0`, `$w1`, the
    /// accumulators in `$t`, `$u`; `$p` and `$q` are overwritten and may be the registers of the weights.
    macro_rules! products {
        ($x0:literal, $x1:literal, $w0:literal, $w1:literal, $p:literal, $q:literal, $t:literal, $u:literal) => {
            concat!(
                "mul ", $p, ", ", $x0, ", ", $w0, "\n", "mul ", $q, ", ", $x1, ", ", $w1, "\n", "add ", $p, ", ", $p,
                ", ", $q, "\n", "add ", $t, ", ", $t, ", ", $p, "\n", "add ", $p, ", ", $p, ", ra\n", "srai ", $p,
                ", ", $p, ", 16\n", "add ", $u, ", ", $u, ", ", $p, "\n",
            )
        };
    }

    /// Two depths of one channel times two pairs of pixels, with the registers of `quad`.
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

    /// Two depths of four channels times two pairs of pixels: the offsets of four words from a0 and of eight weights from a1.
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

    /// Two depths of one channel times one pair of pixels, with the registers of `pair`.
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

    /// The sums of two pixels out of T and U, stored at the offsets `$to` and `$next` from a1; a0 is overwritten.
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

    // The assembler of a naked function does not know the target's extensions, so that they are named here.
    #[cfg(target_feature = "c")]
    macro_rules! extensions {
        () => {
            ".option arch, +m, +c\n"
        };
    }
    #[cfg(not(target_feature = "c"))]
    macro_rules! extensions {
        () => {
            ".option arch, +m\n"
        };
    }

    /// The entry of every kernel: saves the registers that are the caller's on 64 bytes of stack and a3 at 8(sp), moves a2 to t2
    /// and sets ra to 2^15, which rounds a product to the upper pixel's.
    macro_rules! enter {
        () => {
            concat!(
                ".option push\n",
                extensions!(),
                "addi sp, sp, -64
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
             lui ra, 8"
            )
        };
    }

    /// Sets the sixteen accumulators s0 to s11 and t3 to t6 to 0.
    macro_rules! clear {
        () => {
            "li s0, 0
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

    /// The exit of every kernel: what `enter` has saved is restored.
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

    /// (x·m + 2^30) >> 31 in the place of 2x in `$x`, with the mantissa m in `$m`; `$t` is overwritten.
    #[cfg(not(smolnn_slow_mulh))]
    macro_rules! high_product {
        ($x:literal, $m:literal, $t:literal, $u:literal, $v:literal) => {
            concat!(
                "mul ", $t, ", ", $x, ", ", $m, "\n", "mulh ", $x, ", ", $x, ", ", $m, "\n", "srli ", $t, ", ", $t,
                ", 31\n", "add ", $x, ", ", $x, ", ", $t, "\n",
            )
        };
    }

    /// The same by [`by_halves`](super::super::kernels::by_halves); `$m`, `$t`, `$u` and `$v` are overwritten.
    #[cfg(smolnn_slow_mulh)]
    macro_rules! high_product {
        ($x:literal, $m:literal, $t:literal, $u:literal, $v:literal) => {
            concat!(
                "srai ", $x, ", ", $x, ", 1\n", "slli ", $t, ", ", $x, ", 16\n", "srai ", $t, ", ", $t, ", 16\n",
                "sub ", $x, ", ", $x, ", ", $t, "\n", "srai ", $x, ", ", $x, ", 16\n", "srli ", $u, ", ", $m, ", 16\n",
                "slli ", $m, ", ", $m, ", 16\n", "srli ", $m, ", ", $m, ", 16\n", "mul ", $v, ", ", $t, ", ", $m, "\n",
                "srai ", $v, ", ", $v, ", 16\n", "mul ", $t, ", ", $t, ", ", $u, "\n", "add ", $v, ", ", $v, ", ", $t,
                "\n", "mul ", $m, ", ", $x, ", ", $m, "\n", "add ", $v, ", ", $v, ", ", $m, "\n", "mul ", $x, ", ", $x,
                ", ", $u, "\n", "slli ", $x, ", ", $x, ", 1\n", "lui ", $t, ", 4\n", "add ", $v, ", ", $v, ", ", $t,
                "\n", "srai ", $v, ", ", $v, ", 15\n", "add ", $x, ", ", $x, ", ", $v, "\n",
            )
        };
    }

    /// Sets ra to the rounding constant of the channel's shift in t2, and t2 to the whole shift. The layer's offset is at 20(sp).
    macro_rules! rounding {
        () => {
            "lw ra, 20(sp)
             sll ra, ra, t2
             addi t2, t2, 1\n"
        };
    }

    // A slow MULH is done without, which takes the registers of bias, mantissa and rounding constant: these are loaded for each output.
    #[cfg(not(smolnn_slow_mulh))]
    macro_rules! for_channel {
        ($($code:tt)*) => {
            $($code)*
        };
    }
    #[cfg(smolnn_slow_mulh)]
    macro_rules! for_channel {
        ($($code:tt)*) => {
            ""
        };
    }
    #[cfg(not(smolnn_slow_mulh))]
    macro_rules! for_output {
        ($($code:tt)*) => {
            ""
        };
    }
    #[cfg(smolnn_slow_mulh)]
    macro_rules! for_output {
        ($($code:tt)*) => {
            $($code)*
        };
    }

    /// Requantises one sum and stores the output at `$to` from `$base`. `$x` is twice the sum, t0 the bias, t1 the mantissa, t2 the
    /// shift, ra the rounding constant, a6 and a7 are the bounds of the clamp; a1 is overwritten, and what is loaded `for_output`.
    macro_rules! output {
        ($x:literal, $to:literal, $base:literal) => {
            concat!(
                "add ",
                $x,
                ", ",
                $x,
                ", t0\n",
                high_product!($x, "t1", "a1", "t0", "ra"),
                for_output!(rounding!()),
                "srai a1, ",
                $x,
                ", 31\n",
                "add ",
                $x,
                ", ",
                $x,
                ", ra\n",
                "add ",
                $x,
                ", ",
                $x,
                ", a1\n",
                "sra ",
                $x,
                ", ",
                $x,
                ", t2\n",
                "bge ",
                $x,
                ", a6, 10f\n",
                "mv ",
                $x,
                ", a6\n",
                "10:\n",
                "bge a7, ",
                $x,
                ", 10f\n",
                "mv ",
                $x,
                ", a7\n",
                "10:\n",
                "sb ",
                $x,
                ", ",
                $to,
                "(",
                $base,
                ")\n",
            )
        };
    }

    /// Loads the parameters of a channel at a0 into the registers of `output`.
    macro_rules! channel {
        ($bias:literal, $mantissa:literal, $shift:literal) => {
            concat!(
                "lw t0, ",
                $bias,
                "(a0)\n",
                "lw t1, ",
                $mantissa,
                "(a0)\n",
                "lw t2, ",
                $shift,
                "(a0)\n",
                for_channel!(rounding!()),
            )
        };
    }

    /// Adds one weight times the input in a4 to `$sum`.
    macro_rules! dense_weight {
        ($at:literal, $sum:literal) => {
            concat!("lb a5, ", $at, "(a1)\n", "mul a5, a5, a4\n", "add ", $sum, ", ", $sum, ", a5\n")
        };
    }

    /// One input times sixteen outputs: 49 instructions.
    macro_rules! dense_step {
        ($input:literal, $($at:literal)*) => {
            concat!("lb a4, ", $input, "(a0)\n", dense_step!(@ $($at)*))
        };
        (@ $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal
           $i:literal $j:literal $k:literal $l:literal $m:literal $n:literal $o:literal $p:literal) => {
            concat!(
                dense_weight!($a, "s0"), dense_weight!($b, "s1"), dense_weight!($c, "s2"), dense_weight!($d, "s3"),
                dense_weight!($e, "s4"), dense_weight!($f, "s5"), dense_weight!($g, "s6"), dense_weight!($h, "s7"),
                dense_weight!($i, "s8"), dense_weight!($j, "s9"), dense_weight!($k, "s10"), dense_weight!($l, "s11"),
                dense_weight!($m, "t3"), dense_weight!($n, "t4"), dense_weight!($o, "t5"), dense_weight!($p, "t6"),
            )
        };
    }

    /// One output of a dense layer from its sum, with the channel whose parameters lie at the given offsets from a0.
    macro_rules! dense_output {
        ($sum:literal, $bias:literal, $mantissa:literal, $shift:literal, $to:literal) => {
            concat!(channel!($bias, $mantissa, $shift), "slli ", $sum, ", ", $sum, ", 1\n", output!($sum, $to, "a2"),)
        };
    }

    /// The sums over a block of weights at a1 for the inputs from a0 to t2; up to t0 they go by fours.
    macro_rules! dense_sums {
        () => {
            concat!(
                "beq a0, t0, 3f
                 2:\n",
                dense_step!("0", "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15"),
                dense_step!("1", "16" "17" "18" "19" "20" "21" "22" "23" "24" "25" "26" "27" "28" "29" "30" "31"),
                dense_step!("2", "32" "33" "34" "35" "36" "37" "38" "39" "40" "41" "42" "43" "44" "45" "46" "47"),
                dense_step!("3", "48" "49" "50" "51" "52" "53" "54" "55" "56" "57" "58" "59" "60" "61" "62" "63"),
                "addi a0, a0, 4
                 addi a1, a1, 64
                 bne a0, t0, 2b
                 3:
                 beq a0, t2, 5f
                 4:\n",
                dense_step!("0", "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15"),
                "addi a0, a0, 1
                 addi a1, a1, 16
                 bne a0, t2, 4b
                 5:\n",
            )
        };
    }

    /// Sums of sixteen outputs.
    ///
    /// # Safety
    /// `input` has `depth` values, `weights` sixteen bytes for each of them, `sums` sixteen numbers.
    //
    // | register             | holds                                        |
    // |----------------------|----------------------------------------------|
    // | a0                   | next input                                   |
    // | a1                   | next weights; at the end `sums`              |
    // | a4                   | the input                                    |
    // | a5                   | a weight, then its product                   |
    // | t0                   | end of the inputs that go by fours           |
    // | t2                   | end of all inputs                            |
    // | s0 to s11, t3 to t6  | sums of the outputs                          |
    // | 8(sp)                | `sums`                                       |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense(input: *const i8, weights: *const u32, depth: usize, sums: *mut i32) {
        naked_asm!(
            enter!(),
            clear!(),
            "add t2, a0, a2",
            "andi t0, a2, -4",
            "add t0, t0, a0",
            dense_sums!(),
            "lw a1, 8(sp)
             sw s0, 0(a1)
             sw s1, 4(a1)
             sw s2, 8(a1)
             sw s3, 12(a1)
             sw s4, 16(a1)
             sw s5, 20(a1)
             sw s6, 24(a1)
             sw s7, 28(a1)
             sw s8, 32(a1)
             sw s9, 36(a1)
             sw s10, 40(a1)
             sw s11, 44(a1)
             sw t3, 48(a1)
             sw t4, 52(a1)
             sw t5, 56(a1)
             sw t6, 60(a1)",
            leave!(),
        )
    }

    /// The input of a tile in `$x` times the weights of four output channels in a4 to a7.
    macro_rules! winograd_tile {
        ($x:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
            concat!(
                "mul a2, ", $x, ", a4\n", "mul ra, ", $x, ", a5\n", "add ", $s0, ", ", $s0, ", a2\n", "mul a2, ", $x,
                ", a6\n", "add ", $s1, ", ", $s1, ", ra\n", "mul ra, ", $x, ", a7\n", "add ", $s2, ", ", $s2, ", a2\n",
                "add ", $s3, ", ", $s3, ", ra\n",
            )
        };
    }

    /// One input channel of four tiles and four output channels, whose halfwords lie at these offsets: sixteen multiply-accumulates in
    /// forty instructions.
    macro_rules! winograd_step {
        ($a:literal, $b:literal, $c:literal, $d:literal) => {
            concat!(
                "lh a4, ",
                $a,
                "(a1)\n",
                "lh a5, ",
                $b,
                "(a1)\n",
                "lh a6, ",
                $c,
                "(a1)\n",
                "lh a7, ",
                $d,
                "(a1)\n",
                "lh t0, ",
                $a,
                "(a0)\n",
                "lh t1, ",
                $b,
                "(a0)\n",
                winograd_tile!("t0", "s0", "s4", "s8", "t3"),
                "lh t0, ",
                $c,
                "(a0)\n",
                winograd_tile!("t1", "s1", "s5", "s9", "t4"),
                "lh t1, ",
                $d,
                "(a0)\n",
                winograd_tile!("t0", "s2", "s6", "s10", "t5"),
                winograd_tile!("t1", "s3", "s7", "s11", "t6"),
            )
        };
    }

    /// Sums of Winograd's products at the sixteen places of four tiles for four output channels.
    ///
    /// # Safety
    /// `weights..end` holds four halfwords for every place and input channel, of which there are a multiple of four and not 0;
    /// `columns` has as many, `sums` sixteen words for every place.
    //
    // | register           | holds                                                                     |
    // |--------------------|---------------------------------------------------------------------------|
    // | a0, a1             | next inputs, next weights                                                 |
    // | a2, ra             | products                                                                  |
    // | a3                 | next sums                                                                 |
    // | a4 to a7           | the weights of the four channels                                          |
    // | t0, t1             | inputs of the tiles                                                       |
    // | t2                 | end of the place's weights                                                |
    // | s0 to s11, t3 to t6 | sums, four tiles of a channel side by side                               |
    // | 0(sp), 4(sp)       | `end`, bytes of a place's weights                                         |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn winograd(
        columns: *const i16,
        weights: *const i16,
        end: *const i16,
        sums: *mut i32,
    ) {
        naked_asm!(
            enter!(),
            "sub t0, a2, a1",
            "srli t0, t0, 4",
            "sw a2, 0(sp)",
            "sw t0, 4(sp)",
            "3:",
            "lw t2, 4(sp)",
            "add t2, t2, a1",
            clear!(),
            "2:",
            winograd_step!("0", "2", "4", "6"),
            winograd_step!("8", "10", "12", "14"),
            winograd_step!("16", "18", "20", "22"),
            winograd_step!("24", "26", "28", "30"),
            "addi a0, a0, 32",
            "addi a1, a1, 32",
            "bne a1, t2, 2b",
            "sw s0, 0(a3)
             sw s1, 4(a3)
             sw s2, 8(a3)
             sw s3, 12(a3)
             sw s4, 16(a3)
             sw s5, 20(a3)
             sw s6, 24(a3)
             sw s7, 28(a3)
             sw s8, 32(a3)
             sw s9, 36(a3)
             sw s10, 40(a3)
             sw s11, 44(a3)
             sw t3, 48(a3)
             sw t4, 52(a3)
             sw t5, 56(a3)
             sw t6, 60(a3)",
            "addi a3, a3, 64",
            "lw t0, 0(sp)",
            "bne a1, t0, 3b",
            leave!(),
        )
    }

    /// Whole blocks of a dense layer, to the outputs: the column of the job is the input, its stride the depth.
    ///
    /// # Safety
    /// The job's input has `stride` values; weights and channels can be read and outputs written for its blocks of sixteen outputs,
    /// of which there is one at least.
    //
    // | register            | in the loops over inputs            | behind them                          |
    // |---------------------|-------------------------------------|--------------------------------------|
    // | a0                  | next input                          | the block's channels                 |
    // | a1                  | next weights                        | taken by the arithmetic              |
    // | a2                  |                                     | the block's outputs                  |
    // | a4, a5              | the input; a weight, then its product |                                    |
    // | a6, a7              |                                     | bounds of the clamp                  |
    // | t0, t2              | end of the inputs that go by fours; end of all | bias, shift               |
    // | t1, ra              |                                     | mantissa, rounding constant          |
    // | s0 to s11, t3 to t6 | sums of the outputs                 | the outputs                          |
    //
    // The stack is that of `convolve`: 0(sp) holds the input, 4(sp) nothing, 16(sp) the number of inputs.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense_blocks(job: *mut Job) {
        naked_asm!(
            enter!(),
            "addi sp, sp, -48
             lw a1, 4(a0)
             lw a2, 0(a0)
             sw a2, 0(sp)
             lw a2, 12(a0)
             sw a2, 8(sp)
             lw a2, 16(a0)
             sw a2, 12(sp)
             lw a2, 20(a0)
             sw a2, 16(sp)
             lw a2, 24(a0)
             sw a2, 20(sp)
             lw a2, 28(a0)
             sw a2, 24(sp)
             lw a2, 32(a0)
             sw a2, 28(sp)
             lw a2, 36(a0)
             sw a2, 32(sp)",
            "6:",
            "lw a0, 0(sp)
             lw a2, 16(sp)
             add t2, a0, a2
             andi t0, a2, -4
             add t0, t0, a0",
            clear!(),
            dense_sums!(),
            "sw a1, 36(sp)
             lw a0, 8(sp)
             lw a2, 12(sp)
             lw a6, 24(sp)
             lw a7, 28(sp)",
            dense_output!("s0", "0", "4", "8", "0"),
            dense_output!("s1", "12", "16", "20", "1"),
            dense_output!("s2", "24", "28", "32", "2"),
            dense_output!("s3", "36", "40", "44", "3"),
            dense_output!("s4", "48", "52", "56", "4"),
            dense_output!("s5", "60", "64", "68", "5"),
            dense_output!("s6", "72", "76", "80", "6"),
            dense_output!("s7", "84", "88", "92", "7"),
            dense_output!("s8", "96", "100", "104", "8"),
            dense_output!("s9", "108", "112", "116", "9"),
            dense_output!("s10", "120", "124", "128", "10"),
            dense_output!("s11", "132", "136", "140", "11"),
            dense_output!("t3", "144", "148", "152", "12"),
            dense_output!("t4", "156", "160", "164", "13"),
            dense_output!("t5", "168", "172", "176", "14"),
            dense_output!("t6", "180", "184", "188", "15"),
            "addi a0, a0, 192
             sw a0, 8(sp)
             addi a2, a2, 16
             sw a2, 12(sp)
             lw a1, 36(sp)
             lw t2, 32(sp)
             bne a1, t2, 6b
             addi sp, sp, 48",
            leave!(),
        )
    }

    /// Sums of four channels and four pixels: [channel·4 + pixel].
    ///
    /// # Safety
    /// `weights..end` holds a block of weights, whose depth is a multiple of four and not 0; `column` has two words for each of its
    /// depths, `sums` sixteen numbers.
    //
    // | register         | holds                                                                          |
    // |------------------|--------------------------------------------------------------------------------|
    // | a0               | next words of the column                                                       |
    // | a1               | next weights; at the end `sums`                                                |
    // | a2, a4           | words of the first pair of pixels at two depths                                |
    // | a3, a5           | words of the second pair of pixels at two depths                               |
    // | a6, a7           | a channel's weights of two depths, then products                               |
    // | t0, t1           | products                                                                       |
    // | t2               | `end`                                                                          |
    // | s0, s1 and s2, s3 | T and U of channel 0: first and second pair of pixels                         |
    // | s4 to s7         | T and U of channel 1                                                           |
    // | s8 to s11        | T and U of channel 2                                                           |
    // | t3 to t6         | T and U of channel 3                                                           |
    // | ra               | 2^15                                                                           |
    // | 8(sp)            | `sums`                                                                         |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn quad(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            enter!(),
            clear!(),
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

    /// The four outputs of the channel whose parameters lie at the given offsets from a0, out of its two pairs of accumulators, stored at
    /// `$at` from a2, a3, a4 and a5.
    macro_rules! outputs {
        ($t0:literal, $u0:literal, $t1:literal, $u1:literal, $bias:literal, $mantissa:literal, $shift:literal, $at:literal) => {
            concat!(
                for_channel!(channel!($bias, $mantissa, $shift)),
                "slli a1, ",
                $u0,
                ", 16\n",
                "sub ",
                $t0,
                ", ",
                $t0,
                ", a1\n",
                "slli a1, ",
                $u1,
                ", 16\n",
                "sub ",
                $t1,
                ", ",
                $t1,
                ", a1\n",
                "slli ",
                $t0,
                ", ",
                $t0,
                ", 1\n",
                for_output!(channel!($bias, $mantissa, $shift)),
                output!($t0, $at, "a2"),
                "slli ",
                $u0,
                ", ",
                $u0,
                ", 1\n",
                for_output!(channel!($bias, $mantissa, $shift)),
                output!($u0, $at, "a3"),
                "slli ",
                $t1,
                ", ",
                $t1,
                ", 1\n",
                for_output!(channel!($bias, $mantissa, $shift)),
                output!($t1, $at, "a4"),
                "slli ",
                $u1,
                ", ",
                $u1,
                ", 1\n",
                for_output!(channel!($bias, $mantissa, $shift)),
                output!($u1, $at, "a5"),
            )
        };
    }

    /// Four pixels times whole blocks of channels, to the outputs.
    ///
    /// # Safety
    /// The job's column, weights and channels can be read for its blocks, of which there is one at least and whose depth is a
    /// multiple of four and not 0; outputs of four pixels, `stride` apart, can be written.
    //
    // | register            | in the loop over depths                     | around it                             |
    // |---------------------|---------------------------------------------|---------------------------------------|
    // | a0                  | next words of the column                    | the block's channels                  |
    // | a1                  | next weights                                | taken by the arithmetic               |
    // | a2 to a5            | words of two pairs of pixels at two depths  | the block's outputs of the four pixels |
    // | a6, a7              | a channel's weights, then products          | bounds of the clamp                   |
    // | t0, t1              | products                                    | `stride`, then bias; mantissa         |
    // | t2                  | end of the block's weights                  | shift; then `end`                     |
    // | s0 to s11, t3 to t6 | T and U of four channels, as in `quad`      | the outputs                           |
    // | ra                  | 2^15                                        | rounding constant                     |
    //
    // | stack  | holds                           | stack  | holds                        |
    // |--------|---------------------------------|--------|------------------------------|
    // | 0(sp)  | `column`                        | 20(sp) | `offset`                     |
    // | 4(sp)  | `block`                         | 24(sp) | `minimum`                    |
    // | 8(sp)  | next channels                   | 28(sp) | `maximum`                    |
    // | 12(sp) | next output of the first pixel  | 32(sp) | `end`                        |
    // | 16(sp) | `stride`                        | 36(sp) | weights of the next block    |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn convolve(job: *mut Job) {
        naked_asm!(
            enter!(),
            "addi sp, sp, -48
             lw a1, 4(a0)
             lw a2, 0(a0)
             sw a2, 0(sp)
             lw a2, 8(a0)
             sw a2, 4(sp)
             lw a2, 12(a0)
             sw a2, 8(sp)
             lw a2, 16(a0)
             sw a2, 12(sp)
             lw a2, 20(a0)
             sw a2, 16(sp)
             lw a2, 24(a0)
             sw a2, 20(sp)
             lw a2, 28(a0)
             sw a2, 24(sp)
             lw a2, 32(a0)
             sw a2, 28(sp)
             lw a2, 36(a0)
             sw a2, 32(sp)",
            "3:",
            "lw a0, 0(sp)
             lw t2, 4(sp)
             add t2, t2, a1
             lui ra, 8",
            clear!(),
            "2:",
            quad_step!("0", "4", "8", "12", "0", "1", "2", "3", "4", "5", "6", "7"),
            quad_step!("16", "20", "24", "28", "8", "9", "10", "11", "12", "13", "14", "15"),
            "addi a0, a0, 32",
            "addi a1, a1, 16",
            "bne a1, t2, 2b",
            "sw a1, 36(sp)
             lw a0, 8(sp)
             lw a2, 12(sp)
             lw t0, 16(sp)
             lw a6, 24(sp)
             lw a7, 28(sp)
             add a3, a2, t0
             add a4, a3, t0
             add a5, a4, t0",
            outputs!("s0", "s1", "s2", "s3", "0", "4", "8", "0"),
            outputs!("s4", "s5", "s6", "s7", "12", "16", "20", "1"),
            outputs!("s8", "s9", "s10", "s11", "24", "28", "32", "2"),
            outputs!("t3", "t4", "t5", "t6", "36", "40", "44", "3"),
            "addi a0, a0, 48
             sw a0, 8(sp)
             addi a2, a2, 4
             sw a2, 12(sp)
             lw a1, 36(sp)
             lw t2, 32(sp)
             bne a1, t2, 3b
             addi sp, sp, 48",
            leave!(),
        )
    }

    /// Multiplies the value in a1 by a weight. `set` makes the product the new sum; `add` makes it the product plus the sum `$to`,
    /// which may be the same or that of another output. `add` overwrites a2.
    macro_rules! times {
        ($weight:literal, set $sum:literal) => {
            concat!("mul ", $sum, ", a1, ", $weight, "\n")
        };
        ($weight:literal, add $sum:literal, $to:literal) => {
            concat!("mul a2, a1, ", $weight, "\nadd ", $sum, ", ", $to, ", a2\n")
        };
    }

    /// The start of a channel: its weights go to s0 to s8 (row by row), its parameters to t4 to t6 and s9, the pointers to a6, a7, t0
    /// and t2, the number of pixels to t3.
    macro_rules! line_channel {
        () => {
            concat!(
                "lw a1, 12(a0)
             lb s0, 0(a1)
             lb s1, 1(a1)
             lb s2, 2(a1)
             lb s3, 3(a1)
             lb s4, 4(a1)
             lb s5, 5(a1)
             lb s6, 6(a1)
             lb s7, 7(a1)
             lb s8, 8(a1)
             addi a1, a1, 9
             sw a1, 12(a0)
             lw a1, 16(a0)
             lw t4, 0(a1)
             lw t5, 4(a1)
             lw t6, 8(a1)\n",
                for_output!(
                    "sw t4, 0(sp)
             sw t5, 4(sp)\n"
                ),
                "addi a1, a1, 12
             sw a1, 16(a0)
             lw s9, 28(a0)
             sll s9, s9, t6
             addi t6, t6, 1
             lw a6, 0(a0)
             lw a7, 4(a0)
             lw t0, 8(a0)
             lw t2, 20(a0)
             add a6, a6, ra
             add a7, a7, ra
             add t0, t0, ra
             add t2, t2, ra
             lw t3, 40(a0)\n"
            )
        };
    }

    /// Requantises the sum in a3, stores the output at t2 and moves t2 on to the next pixel; a1 and a2 are overwritten.
    macro_rules! line_output {
        () => {
            concat!(
                "slli a3, a3, 1
             add a3, a3, t4\n",
                high_product!("a3", "t5", "a1", "a2", "t4"),
                for_output!(
                    "lw t4, 0(sp)
             lw t5, 4(sp)\n"
                ),
                "srai a2, a3, 31
             add a3, a3, s9
             add a3, a3, a2
             sra a3, a3, t6
             bge a3, s10, 10f
             mv a3, s10
             10:
             bge s11, a3, 10f
             mv a3, s11
             10:
             sb a3, 0(t2)
             add t2, t2, t1\n"
            )
        };
    }

    /// Multiplies the first column, or a column of padding, by the left weights: a5 becomes the next output's sum.
    macro_rules! line_first {
        () => {
            concat!(
                "lw a1, 44(a0)
                 beqz a1, 3f
                 lw a1, 52(a0)
                 add a5, s0, s3
                 add a5, a5, s6
                 mul a5, a5, a1
                 j 4f
                 3:
                 lb a1, 0(a6)\n",
                times!("s0", set "a5"),
                "lb a1, 0(a7)\n",
                times!("s3", add "a5", "a5"),
                "lb a1, 0(t0)\n",
                times!("s6", add "a5", "a5"),
                "add a6, a6, t1
                 add a7, a7, t1
                 add t0, t0, t1
                 4:\n",
            )
        };
    }

    /// The entry of the kernels of a row: t1 becomes the stride, s10 and s11 the bounds, ra the first channel.
    macro_rules! line_enter {
        () => {
            concat!(
                enter!(),
                "\nlw t1, 24(a0)
                 lw s10, 32(a0)
                 lw s11, 36(a0)
                 li ra, 0\n",
            )
        };
    }

    /// Moves on to the next channel; there are as many as bytes from pixel to pixel.
    macro_rules! line_next {
        () => {
            "addi ra, ra, 1
             bne ra, t1, 2b\n"
        };
    }

    /// A row of a 3×3 depthwise convolution, stride 1: every column goes into three outputs, whose sums are a3, a4, a5.
    ///
    /// # Safety
    /// The rows can be read for the columns that `pixels`, `left` and `right` say, `stride` channels each; so many channels and nine
    /// weights for each can be read, and the row's outputs written. There is a channel.
    //
    // | register   | holds                                                              |
    // |------------|--------------------------------------------------------------------|
    // | a0         | the line                                                           |
    // | a1, a2     | a value, a product                                                 |
    // | a3, a4, a5 | sums of three neighbouring outputs; that in a3 is complete next    |
    // | a6, a7, t0 | the next column of the three rows                                  |
    // | t1         | `stride`, the number of channels                                   |
    // | t2         | next output                                                        |
    // | t3         | pixels that are left                                               |
    // | t4, t5, t6 | bias, mantissa and shift of the channel                            |
    // | s0 to s8   | the channel's weights, row by row                                  |
    // | s9         | rounding constant                                                  |
    // | s10, s11   | bounds of the clamp                                                |
    // | ra         | the channel                                                        |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn depthwise_line(line: *mut Line) {
        naked_asm!(
            line_enter!(),
            "2:",
            line_channel!(),
            line_first!(),
            "lb a1, 0(a6)",
            times!("s1", add "a4", "a5"),
            times!("s0", set "a5"),
            "lb a1, 0(a7)",
            times!("s4", add "a4", "a4"),
            times!("s3", add "a5", "a5"),
            "lb a1, 0(t0)",
            times!("s7", add "a4", "a4"),
            times!("s6", add "a5", "a5"),
            "add a6, a6, t1
             add a7, a7, t1
             add t0, t0, t1
             beqz t3, 6f
             5:
             lb a1, 0(a6)",
            times!("s2", add "a3", "a4"),
            times!("s1", add "a4", "a5"),
            times!("s0", set "a5"),
            "lb a1, 0(a7)",
            times!("s5", add "a3", "a3"),
            times!("s4", add "a4", "a4"),
            times!("s3", add "a5", "a5"),
            "lb a1, 0(t0)",
            times!("s8", add "a3", "a3"),
            times!("s7", add "a4", "a4"),
            times!("s6", add "a5", "a5"),
            "add a6, a6, t1
             add a7, a7, t1
             add t0, t0, t1",
            line_output!(),
            "addi t3, t3, -1
             bnez t3, 5b
             6:
             lw a1, 48(a0)
             beqz a1, 7f
             lw a1, 52(a0)
             add a2, s2, s5
             add a2, a2, s8
             mul a2, a2, a1
             add a3, a4, a2",
            line_output!(),
            "7:",
            line_next!(),
            leave!(),
        )
    }

    /// A row of a 3×3 depthwise convolution, stride 2: of two columns one goes into one output, the other into two.
    ///
    /// # Safety
    /// The rows can be read for the columns that `pixels`, `left` and `right` say, `stride` channels each; so many channels and nine
    /// weights for each can be read, and the row's outputs written. There is a channel.
    //
    // | register   | holds                                                              |
    // |------------|--------------------------------------------------------------------|
    // | a0         | the line                                                           |
    // | a1, a2     | a value, a product                                                 |
    // | a3, a5     | sum of the output, sum of the next one                             |
    // | a6, a7, t0 | the next column of the three rows                                  |
    // | t1         | `stride`, the number of channels                                   |
    // | t2         | next output                                                        |
    // | t3         | pixels that are left                                               |
    // | t4, t5, t6 | bias, mantissa and shift of the channel                            |
    // | s0 to s8   | the channel's weights, row by row                                  |
    // | s9         | rounding constant                                                  |
    // | s10, s11   | bounds of the clamp                                                |
    // | ra         | the channel                                                        |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn depthwise_line_two(line: *mut Line) {
        naked_asm!(
            line_enter!(),
            "2:",
            line_channel!(),
            line_first!(),
            "beqz t3, 6f
             5:
             lb a1, 0(a6)
             add a6, a6, t1",
            times!("s1", add "a3", "a5"),
            "lb a1, 0(a7)
             add a7, a7, t1",
            times!("s4", add "a3", "a3"),
            "lb a1, 0(t0)
             add t0, t0, t1",
            times!("s7", add "a3", "a3"),
            "lb a1, 0(a6)
             add a6, a6, t1",
            times!("s2", add "a3", "a3"),
            times!("s0", set "a5"),
            "lb a1, 0(a7)
             add a7, a7, t1",
            times!("s5", add "a3", "a3"),
            times!("s3", add "a5", "a5"),
            "lb a1, 0(t0)
             add t0, t0, t1",
            times!("s8", add "a3", "a3"),
            times!("s6", add "a5", "a5"),
            line_output!(),
            "addi t3, t3, -1
             bnez t3, 5b
             6:
             lw a1, 48(a0)
             beqz a1, 7f
             lb a1, 0(a6)",
            times!("s1", add "a3", "a5"),
            "lb a1, 0(a7)",
            times!("s4", add "a3", "a3"),
            "lb a1, 0(t0)",
            times!("s7", add "a3", "a3"),
            "lw a1, 52(a0)
             add a2, s2, s5
             add a2, a2, s8
             mul a2, a2, a1
             add a3, a3, a2",
            line_output!(),
            "7:",
            line_next!(),
            leave!(),
        )
    }

    /// Sums of four channels and two pixels, which share one word per depth: [channel·4 + pixel].
    ///
    /// # Safety
    /// `weights..end` holds a block of weights, whose depth is a multiple of four and not 0; `column` has a word for each of its
    /// depths, `sums` sixteen numbers.
    //
    // | register           | holds                                                  |
    // |--------------------|--------------------------------------------------------|
    // | a0                 | next words of the column                               |
    // | a1                 | next weights; at the end `sums`                        |
    // | a2, a4             | words of the two pixels at two depths                  |
    // | a6, a7             | a channel's weights of two depths, then products       |
    // | t2                 | `end`                                                  |
    // | s0, s1 and s4, s5  | T and U of channel 0, of channel 1                     |
    // | s8, s9 and t3, t4  | T and U of channel 2, of channel 3                     |
    // | ra                 | 2^15                                                   |
    // | 8(sp)              | `sums`                                                 |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn pair(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            enter!(),
            clear!(),
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

    mod taps;

    pub(super) use taps::{taps_channels, taps_four, taps_neighbours, taps_one};
}
