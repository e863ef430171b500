//! Depthwise convolutions by a table of taps.

use core::arch::naked_asm;

use crate::backend::scalar::depthwise_taps::Taps;

/// The entry of the kernels: what stays in registers for all channels.
//
// | register | holds                                     | register | holds                                              |
// |----------|-------------------------------------------|----------|----------------------------------------------------|
// | s4       | next weight                               | s9       | the argument                                       |
// | s5       | the image at the input channel            | s10      | outputs of the input channel that are left         |
// | s6       | next taps                                 | s11      | next channel                                       |
// | s7, s8   | end of the table, of the weights          | t3       | next output of the first pixel                     |
// | a6, a7   | bounds of the clamp                       | t4 to t6 | distances of the other pixels' outputs             |
macro_rules! taps_enter {
    () => {
        concat!(
            enter!(),
            "\naddi sp, sp, -48
             mv s9, a0
             lw s4, 4(a0)
             lw s11, 8(a0)
             lw t3, 12(a0)
             lw t4, 16(a0)
             lw t5, 20(a0)
             lw t6, 24(a0)
             lw a1, 28(a0)
             sw a1, 20(sp)
             lw s5, 32(a0)
             lw s8, 36(a0)
             lw s10, 44(a0)
             lw s7, 48(a0)
             lw a6, 60(a0)
             lw a7, 64(a0)
             2:
             lw s6, 0(s9)
             li s0, 0\n"
        )
    };
}

/// The output of the next pixel, whose sum is `$x` and whose outputs are as far from the first one's as `$other` says.
macro_rules! other {
    ($x:literal, $other:literal) => {
        concat!(
            "add a2, t3, ",
            $other,
            "\nslli ",
            $x,
            ", ",
            $x,
            ", 1\n",
            for_output!(channel!("0", "4", "8")),
            output!($x, "0", "a2"),
        )
    };
}

/// The outputs of a channel, that of the first pixel from the sum in s0; back to 2 while weights are left, then the exit.
macro_rules! taps_leave {
    ($($x:literal $other:literal),*) => {
        concat!(
            "mv a0, s11
             addi s11, s11, 12
             slli s0, s0, 1\n",
            channel!("0", "4", "8"),
            output!("s0", "0", "t3"),
            $(other!($x, $other),)*
            "addi t3, t3, 1
             addi s10, s10, -1
             bnez s10, 6f
             lw s10, 40(s9)
             addi s5, s5, 1
             6:
             bne s4, s8, 2b
             addi sp, sp, 48\n",
            leave!()
        )
    };
}

/// The value in `$value` times the weight in t0, added to `$sum`; t1 is overwritten.
macro_rules! product {
    ($value:literal, $sum:literal) => {
        concat!("mul t1, ", $value, ", t0\nadd ", $sum, ", ", $sum, ", t1\n")
    };
}

/// The value of the tap at `$at` in the table.
macro_rules! value {
    ($value:literal, $at:literal) => {
        concat!(
            "lw ", $value, ", ", $at, "(s6)\n", "add ", $value, ", ", $value, ", s5\n", "lb ", $value, ", 0(", $value,
            ")\n",
        )
    };
}

/// Four pixels with taps of their own, all channels: four multiply-accumulates in 24 instructions.
///
/// # Safety
/// The table has taps for four pixels, one at least, each of which has the channels of the input; weights and channels are as many as the
/// layer's outputs, and each pixel's outputs can be written.
//
// | register | holds                                     | register | holds                                              |
// |----------|-------------------------------------------|----------|----------------------------------------------------|
// | a2 to a5 | values of the pixels                      | s0 to s3 | sums of the pixels, then their outputs             |
// | t0, t1   | the weight, a product; bias, mantissa     | a0, t2, ra | the channel, its shift and rounding constant     |
//
// The other registers stand above the macro `taps_enter`.
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_four(taps: *mut Taps) {
    naked_asm!(
        taps_enter!(),
        "li s1, 0
         li s2, 0
         li s3, 0
         3:",
        value!("a2", "0"),
        value!("a3", "4"),
        value!("a4", "8"),
        value!("a5", "12"),
        "lb t0, 0(s4)
         addi s4, s4, 1
         addi s6, s6, 16",
        product!("a2", "s0"),
        product!("a3", "s1"),
        product!("a4", "s2"),
        product!("a5", "s3"),
        "bne s6, s7, 3b",
        taps_leave!("s1" "t4", "s2" "t5", "s3" "t6"),
    )
}

/// One pixel, all channels.
///
/// # Safety
/// As for [`taps_four`], for one pixel.
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_one(taps: *mut Taps) {
    naked_asm!(
        taps_enter!(),
        "3:",
        value!("a2", "0"),
        "lb t0, 0(s4)
         addi s4, s4, 1
         addi s6, s6, 4",
        product!("a2", "s0"),
        "bne s6, s7, 3b",
        taps_leave!(),
    )
}

/// A tap of four neighbours: the column `$d` is the next one of the row, `$a` to `$c` those before it.
macro_rules! neighbour {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            value!($d, "0"),
            "lb t0, 0(s4)
             addi s4, s4, 1
             addi s6, s6, 4\n",
            product!($a, "s0"),
            product!($b, "s1"),
            product!($c, "s2"),
            product!($d, "s3"),
        )
    };
}

/// Four neighbours, whose rows have three columns more than the window, all channels: four multiply-accumulates in fifteen instructions.
///
/// # Safety
/// As for [`taps_four`], with such a table.
//
// The registers are those of `taps_four`; a2 to a5 hold four columns, and ra the end of the row in the table.
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_neighbours(taps: *mut Taps) {
    naked_asm!(
        taps_enter!(),
        "li s1, 0
         li s2, 0
         li s3, 0
         3:
         lw ra, 52(s9)
         slli ra, ra, 2",
        value!("a2", "0"),
        value!("a3", "4"),
        value!("a4", "8"),
        "addi s6, s6, 12
         add ra, ra, s6
         4:",
        neighbour!("a2", "a3", "a4", "a5"),
        "beq s6, ra, 5f",
        neighbour!("a3", "a4", "a5", "a2"),
        "beq s6, ra, 5f",
        neighbour!("a4", "a5", "a2", "a3"),
        "beq s6, ra, 5f",
        neighbour!("a5", "a2", "a3", "a4"),
        "bne s6, ra, 4b
         5:
         bne s6, s7, 3b",
        taps_leave!("s1" "t4", "s2" "t5", "s3" "t6"),
    )
}

/// Adds one channel of the tap at a3 times its weight at a5 to `$sum`; a6 and a7 are overwritten.
macro_rules! channel_product {
    ($at:literal, $sum:literal) => {
        concat!(
            "lb a6, ",
            $at,
            "(a3)\n",
            "lb a7, ",
            $at,
            "(a5)\n",
            "mul a6, a6, a7\n",
            "add ",
            $sum,
            ", ",
            $sum,
            ", a6\n",
        )
    };
}

/// One pixel, eight channels at a time: eight multiply-accumulates in 37 instructions. The last eight are computed together, some of them once more.
///
/// # Safety
/// The table has taps for one pixel, one at least, each of which has the channels of the input, eight at least; there are as many outputs, which can
/// be written, and channels, and a weight for each channel of each tap.
//
// | register | in the loop over taps                         | behind it                         |
// |----------|-----------------------------------------------|-----------------------------------|
// | a0, a1   |                                               | the channels; taken by the arithmetic |
// | a2       |                                               | the outputs                       |
// | a3, a5   | the tap, its weights                          | a3: how many channels to go on    |
// | a6, a7   | value and weight of a channel                 | bounds of the clamp               |
// | t0 to t2, ra |                                           | bias, mantissa, shift, rounding constant |
// | t4       | the number of channels                        | the same                          |
// | s0 to s7 | sums of the channels                          | the outputs                       |
// | s8, s9   | next taps, end of the table                   |                                   |
// | s10, s11 | the image at the first channel; the argument  | the same                          |
//
// | stack  | holds                       | stack  | holds                   |
// |--------|-----------------------------|--------|-------------------------|
// | 0(sp)  | weights of the first tap    | 20(sp) | `offset`                |
// | 12(sp) | the channels                | 24(sp) | channels that are left  |
// | 16(sp) | the outputs                 |        |                         |
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_channels(taps: *mut Taps) {
    naked_asm!(
        enter!(),
        "addi sp, sp, -48
         mv s11, a0
         lw a1, 4(a0)
         sw a1, 0(sp)
         lw a1, 8(a0)
         sw a1, 12(sp)
         lw a1, 12(a0)
         sw a1, 16(sp)
         lw a1, 28(a0)
         sw a1, 20(sp)
         lw s10, 32(a0)
         lw s9, 48(a0)
         lw t4, 76(a0)
         sw t4, 24(sp)
         2:
         lw s8, 0(s11)
         lw a5, 0(sp)
         li s0, 0
         li s1, 0
         li s2, 0
         li s3, 0
         li s4, 0
         li s5, 0
         li s6, 0
         li s7, 0
         3:
         lw a3, 0(s8)
         addi s8, s8, 4
         add a3, a3, s10",
        channel_product!("0", "s0"),
        channel_product!("1", "s1"),
        channel_product!("2", "s2"),
        channel_product!("3", "s3"),
        channel_product!("4", "s4"),
        channel_product!("5", "s5"),
        channel_product!("6", "s6"),
        channel_product!("7", "s7"),
        "add a5, a5, t4
         bne s8, s9, 3b
         lw a6, 60(s11)
         lw a7, 64(s11)
         lw a0, 12(sp)
         lw a2, 16(sp)",
        dense_output!("s0", "0", "4", "8", "0"),
        dense_output!("s1", "12", "16", "20", "1"),
        dense_output!("s2", "24", "28", "32", "2"),
        dense_output!("s3", "36", "40", "44", "3"),
        dense_output!("s4", "48", "52", "56", "4"),
        dense_output!("s5", "60", "64", "68", "5"),
        dense_output!("s6", "72", "76", "80", "6"),
        dense_output!("s7", "84", "88", "92", "7"),
        "lw a1, 24(sp)
         addi a1, a1, -8
         beqz a1, 9f
         li a3, 8
         bge a1, a3, 8f
         mv a3, a1
         li a1, 8
         8:
         sw a1, 24(sp)
         add s10, s10, a3
         lw a1, 0(sp)
         add a1, a1, a3
         sw a1, 0(sp)
         add a2, a2, a3
         sw a2, 16(sp)
         slli a3, a3, 2
         add a0, a0, a3
         slli a3, a3, 1
         add a0, a0, a3
         sw a0, 12(sp)
         j 2b
         9:
         addi sp, sp, 48",
        leave!(),
    )
}
