//! Sums of depthwise convolutions by a table of taps.

use core::arch::naked_asm;

use crate::backend::scalar::depthwise_taps::Taps;

/// Sums of the next `count` channels of four pixels, each with taps of its own: four multiply-accumulates in seventeen instructions and 27 cycles.
///
/// # Safety
/// The table has taps for four pixels, one at least, each of which has the channels of the input. There are so many channels, one at least,
/// with weights for each, and `sums` has room.
//
// | register  | holds                                          | register | holds                                      |
// |-----------|------------------------------------------------|----------|--------------------------------------------|
// | r0 to r2  | taps of the pixels, their values, products     | r8 to r11 | sums of the pixels                        |
// | r3        | the weight                                     | r12      | the table                                  |
// | r4        | the tap, as a distance from the last one's end | lr       | next sums                                  |
// | r5        | end of the channel's weights                   | [sp]     | the argument                               |
// | r6        | the image at the input channel                 | [sp, #4] | channels that are left                     |
// | r7        | next taps                                      | [sp, #8] | what r4 starts from                        |
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_four(taps: *mut Taps, sums: *mut i32, count: usize) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        save_high!(),
        "push {{r4-r7}}
         sub sp, #12
         str r0, [sp]
         str r2, [sp, #4]
         mov lr, r1
         ldr r1, [r0]
         mov r12, r1
         ldr r5, [r0, #4]
         ldr r6, [r0, #32]
         ldr r1, [r0, #56]
         adds r5, r5, r1
         rsbs r1, r1, #0
         str r1, [sp, #8]
         1:
         movs r0, #0
         mov r8, r0
         mov r9, r0
         mov r10, r0
         mov r11, r0
         mov r7, r12
         ldr r4, [sp, #8]
         2:
         ldrsb r3, [r5, r4]
         ldm r7!, {{r0, r1, r2}}
         ldrsb r0, [r6, r0]
         ldrsb r1, [r6, r1]
         ldrsb r2, [r6, r2]
         muls r0, r3, r0
         add r8, r0
         muls r1, r3, r1
         add r9, r1
         muls r2, r3, r2
         add r10, r2
         ldm r7!, {{r0}}
         ldrsb r0, [r6, r0]
         muls r0, r3, r0
         add r11, r0
         adds r4, #1
         bne 2b
         mov r0, lr
         mov r1, r8
         mov r2, r9
         mov r3, r10
         mov r4, r11
         stm r0!, {{r1, r2, r3, r4}}
         mov lr, r0
         ldr r0, [sp]
         ldr r1, [sp, #8]
         subs r5, r5, r1
         ldr r1, [r0, #44]
         subs r1, #1
         bne 3f
         adds r6, #1
         ldr r1, [r0, #40]
         3:
         str r1, [r0, #44]
         ldr r1, [sp, #4]
         subs r1, #1
         str r1, [sp, #4]
         bne 1b
         str r6, [r0, #32]
         ldr r1, [sp, #8]
         adds r5, r5, r1
         str r5, [r0, #4]
         add sp, #12",
        leave!(),
    )
}

/// Sums of the next `count` channels of one pixel: a multiply-accumulate in seven instructions and eleven cycles.
///
/// # Safety
/// As for [`taps_four`], for one pixel.
//
// | register  | holds                                          | register | holds                                      |
// |-----------|------------------------------------------------|----------|--------------------------------------------|
// | r0        | the tap, its value, the product                | r8       | what r4 starts from                        |
// | r1        | the sum                                        | r9       | outputs of the input channel that are left |
// | r2        | taken between the channels                     | r10      | channels that are left                     |
// | r3        | the weight                                     | r11      | outputs of an input channel                |
// | r4        | the tap, as a distance from the last one's end | r12      | the table                                  |
// | r5        | end of the channel's weights                   | lr       | next sum                                   |
// | r6        | the image at the input channel                 | [sp]     | the argument                               |
// | r7        | next taps                                      |          |                                            |
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn taps_one(taps: *mut Taps, sums: *mut i32, count: usize) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        save_high!(),
        "push {{r4-r7}}
         push {{r0}}
         mov r10, r2
         mov lr, r1
         ldr r1, [r0]
         mov r12, r1
         ldr r5, [r0, #4]
         ldr r6, [r0, #32]
         ldr r1, [r0, #40]
         mov r11, r1
         ldr r1, [r0, #44]
         mov r9, r1
         ldr r1, [r0, #56]
         adds r5, r5, r1
         rsbs r1, r1, #0
         mov r8, r1
         1:
         movs r1, #0
         mov r7, r12
         mov r4, r8
         2:
         ldrsb r3, [r5, r4]
         ldm r7!, {{r0}}
         ldrsb r0, [r6, r0]
         muls r0, r3, r0
         adds r1, r1, r0
         adds r4, #1
         bne 2b
         mov r0, lr
         stm r0!, {{r1}}
         mov lr, r0
         mov r2, r8
         subs r5, r5, r2
         mov r2, r9
         subs r2, #1
         bne 3f
         adds r6, #1
         mov r2, r11
         3:
         mov r9, r2
         mov r2, r10
         subs r2, #1
         mov r10, r2
         bne 1b
         pop {{r0}}
         str r6, [r0, #32]
         mov r1, r9
         str r1, [r0, #44]
         mov r1, r8
         adds r5, r5, r1
         str r5, [r0, #4]",
        leave!(),
    )
}
