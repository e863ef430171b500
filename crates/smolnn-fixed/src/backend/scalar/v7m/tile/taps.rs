//! Depthwise convolutions by a table of taps.

use core::arch::naked_asm;

use crate::backend::scalar::depthwise_taps::Taps;

/// The outputs of the sums `$x` with the next channel, the first at `output` and the others where `others` says. lr points to the taps, r1 to the
/// next channel's weights. Jumps back to 2 while weights are left.
macro_rules! outputs {
    ([$($x:literal),*], $($store:literal),*) => {
        concat!(
            "ldr r0, [lr, #8]
             ldm r0!, {{r3, r4, r5}}
             str r0, [lr, #8]
             ldr r6, [lr, #28]
             lsl r6, r6, r5\n",
            $("add ", $x, ", r3, ", $x, ", lsl #1\n", output!($x, "r4", "r5", "r6", "r7"),)*
            "ldr r0, [lr, #12]
             add r3, r0, #1
             str r3, [lr, #12]
             strb r8, [r0]\n",
            $($store, "\n",)*
            // The next output's input channel.
            "ldr r3, [lr, #44]
             subs r3, r3, #1
             itt eq
             addeq r2, r2, #1
             ldreq r3, [lr, #40]
             str r3, [lr, #44]
             ldr r3, [lr, #36]
             cmp r1, r3
             bne 2b\n",
        )
    };
}

/// A tap of four pixels with taps of their own: four multiply-accumulates in eleven instructions and 23 cycles, loop included.
macro_rules! four {
    () => {
        "ldm r0!, {{r4, r5, r6, r7}}
         ldrsb r4, [r2, r4]
         ldrsb r5, [r2, r5]
         ldrsb r6, [r2, r6]
         ldrsb r7, [r2, r7]
         ldrsb r12, [r1], #1
         mla r8, r4, r12, r8
         mla r9, r5, r12, r9
         mla r10, r6, r12, r10
         mla r11, r7, r12, r11
         cmp r0, r3
         bne 3b\n"
    };
}

/// Four pixels with taps of their own, all channels.
///
/// # Safety
/// The table has taps for four pixels, one at least, each of which has the channels of the input; weights and channels are as many as the
/// layer's outputs, and each pixel's outputs can be written.
//
// | register  | in the loop over taps                    | behind it                                      |
// |-----------|------------------------------------------|------------------------------------------------|
// | r0        | next taps                                | next channel, then next output                 |
// | r1        | next weight                              | the same                                       |
// | r2        | the image at the input channel           | the same                                       |
// | r3        | end of the table                         | bias, then what is loaded for a moment         |
// | r4 to r7  | taps of the pixels, then their values    | mantissa, shift, rounding constant; r7: taken  |
// | r8 to r11 | sums of the pixels                       | their outputs                                  |
// | r12       | the weight                               | distance of the last pixel's output            |
// | lr        | the argument                             | the same                                       |
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_four(taps: *mut Taps) {
    naked_asm!(
        "push {{r4-r11, lr}}
         mov lr, r0
         ldr r1, [lr, #4]
         ldr r2, [lr, #32]
         2:
         ldr r0, [lr]
         ldr r3, [lr, #48]
         mov r8, #0
         mov r9, r8
         mov r10, r8
         mov r11, r8
         3:",
        four!(),
        outputs!(
            ["r8", "r9", "r10", "r11"],
            "ldr r3, [lr, #16]",
            "ldr r5, [lr, #20]",
            "ldr r12, [lr, #24]",
            "strb r9, [r0, r3]",
            "strb r10, [r0, r5]",
            "strb r11, [r0, r12]"
        ),
        "pop {{r4-r11, pc}}",
    )
}

/// One pixel, all channels.
///
/// # Safety
/// As for [`taps_four`], for one pixel.
//
// The registers are those of `taps_four`, without r9 to r11.
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_one(taps: *mut Taps) {
    naked_asm!(
        "push {{r4-r8, lr}}
         mov lr, r0
         ldr r1, [lr, #4]
         ldr r2, [lr, #32]
         2:
         ldr r0, [lr]
         ldr r3, [lr, #48]
         mov r8, #0
         3:
         ldr r4, [r0], #4
         ldrsb r4, [r2, r4]
         ldrsb r12, [r1], #1
         mla r8, r4, r12, r8
         cmp r0, r3
         bne 3b",
        outputs!(["r8"],),
        "pop {{r4-r8, pc}}",
    )
}

/// A tap of four neighbours: the column `$d` is the next one of the row, `$a` to `$c` those before it.
macro_rules! neighbour {
    ($a:literal, $b:literal, $c:literal, $d:literal, $end:literal) => {
        concat!(
            "ldr ",
            $d,
            ", [r0], #4\n",
            "ldrsb ",
            $d,
            ", [r2, ",
            $d,
            "]\n",
            "ldrsb r12, [r1], #1\n",
            "mla r8, ",
            $a,
            ", r12, r8\n",
            "mla r9, ",
            $b,
            ", r12, r9\n",
            "mla r10, ",
            $c,
            ", r12, r10\n",
            "mla r11, ",
            $d,
            ", r12, r11\n",
            "subs r3, r3, #1\n",
            $end,
            "\n",
        )
    };
}

/// Four neighbours, whose rows have three columns more than the window, all channels: four multiply-accumulates in nine instructions and 14 cycles.
///
/// # Safety
/// As for [`taps_four`], with such a table.
//
// | register  | in the loops over rows and taps          | behind them                                    |
// |-----------|------------------------------------------|------------------------------------------------|
// | r0        | next taps                                | next channel, then next output                 |
// | r1        | next weight                              | the same                                       |
// | r2        | the image at the input channel           | the same                                       |
// | r3        | taps of the row that are left            | bias, then what is loaded for a moment         |
// | r4 to r7  | values of four columns                   | mantissa, shift, rounding constant; r7: taken  |
// | r8 to r11 | sums of the pixels                       | their outputs                                  |
// | r12       | the weight                               | distance of the last pixel's output            |
// | lr        | the argument                             | the same                                       |
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_neighbours(taps: *mut Taps) {
    naked_asm!(
        "push {{r4-r11, lr}}
         mov lr, r0
         ldr r1, [lr, #4]
         ldr r2, [lr, #32]
         2:
         ldr r0, [lr]
         mov r8, #0
         mov r9, r8
         mov r10, r8
         mov r11, r8
         3:
         ldm r0!, {{r4, r5, r6}}
         ldr r3, [lr, #52]
         ldrsb r4, [r2, r4]
         ldrsb r5, [r2, r5]
         ldrsb r6, [r2, r6]
         4:",
        neighbour!("r4", "r5", "r6", "r7", "beq 5f"),
        neighbour!("r5", "r6", "r7", "r4", "beq 5f"),
        neighbour!("r6", "r7", "r4", "r5", "beq 5f"),
        neighbour!("r7", "r4", "r5", "r6", "bne 4b"),
        "5:
         ldr r3, [lr, #48]
         cmp r0, r3
         bne 3b",
        outputs!(
            ["r8", "r9", "r10", "r11"],
            "ldr r3, [lr, #16]",
            "ldr r5, [lr, #20]",
            "ldr r12, [lr, #24]",
            "strb r9, [r0, r3]",
            "strb r10, [r0, r5]",
            "strb r11, [r0, r12]"
        ),
        "pop {{r4-r11, pc}}",
    )
}
