//! The inner loops for cores that issue a load beside a product (Cortex-M7): the same products in the same registers as in `single`, but every load
//! stands alone, between products that come two cycles or more before its use. A multiple load would be issued by itself.
//!
//! A loop therefore begins with the first loads of its first step, and each step loads what the next one begins with. Behind the last step the next word of
//! the weights' stream is in a register, which is the multiplier; columns end there, so that the last step loads none.
//! The orders were found with llvm-mca, whose model of the core `cargo xtask cycles --inner-loops` asks.

/// What the tile's loop takes: `columns` and the steps but the last go to the stack at 16.
macro_rules! tile_prepare {
    ($weights:ident, $pixels:ident) => {
        "subs r2, r2, #1
         strd r1, r2, [sp, #16]"
    };
}

/// The tile's loop: four depths of three pixels and two channels in a step, on wide weights two times two depths; and the same of two pixels.
macro_rules! tile_products {
    (begin packed, three) => {
        "smlad r5, r10, r3, r5
         ldr.w lr, [r1]
         smlad r7, r10, r12, r7
         sxtb16 r11, r10
         smlad r9, r10, lr, r9
         smlad r4, r11, r3, r4
         ldr r3, [r1, #4]
         smlad r6, r11, r12, r6
         ldr.w r10, [r0]
         smlad r8, r11, lr, r8
         ldr.w lr, [r1, #12]
         smlad r5, r10, r3, r5
         ldr.w r12, [r1, #8]
         smlad r9, r10, lr, r9
         sxtb16 r11, r10
         smlad r7, r10, r12, r7
         add.w r1, r1, #24
         smlad r4, r11, r3, r4
         ldr.w r10, [r0, #4]
         smlad r6, r11, r12, r6
         add.w r0, r0, #8
         smlad r8, r11, lr, r8\n"
    };
    (begin wide, three) => {
        "smlad r4, r10, r3, r4
         ldr.w lr, [r1]
         smlad r6, r10, r12, r6
         ldr.w r11, [r0]
         smlad r8, r10, lr, r8
         ldr.w r10, [r0, #4]
         smlad r5, r11, r3, r5
         ldr r3, [r1, #4]
         smlad r7, r11, r12, r7
         ldr.w r12, [r1, #8]
         smlad r9, r11, lr, r9
         ldr.w lr, [r1, #12]
         smlad r4, r10, r3, r4
         ldr.w r11, [r0, #8]
         smlad r6, r10, r12, r6
         add.w r1, r1, #24
         smlad r8, r10, lr, r8
         ldr.w r10, [r0, #12]
         smlad r5, r11, r3, r5
         add.w r0, r0, #16
         smlad r7, r11, r12, r7
         smlad r9, r11, lr, r9\n"
    };
    (begin packed, two) => {
        "smlad r5, r10, r3, r5
         sxtb16 r11, r10
         smlad r7, r10, r12, r7
         ldr.w r10, [r0]
         smlad r4, r11, r3, r4
         ldr.w r8, [r1, #4]
         smlad r6, r11, r12, r6
         ldr.w r9, [r1, #8]
         smlad r5, r10, r8, r5
         sxtb16 r11, r10
         smlad r7, r10, r9, r7
         ldr.w r10, [r0, #4]
         smlad r4, r11, r8, r4
         add.w r1, r1, #24
         smlad r6, r11, r9, r6
         add.w r0, r0, #8\n"
    };
    (begin wide, two) => {
        "smlad r4, r10, r3, r4
         ldr.w r11, [r0]
         smlad r6, r10, r12, r6
         ldr.w r10, [r0, #4]
         smlad r5, r11, r3, r5
         ldr.w r8, [r1, #4]
         smlad r7, r11, r12, r7
         ldr.w r9, [r1, #8]
         smlad r4, r10, r8, r4
         ldr.w r11, [r0, #8]
         smlad r6, r10, r9, r6
         ldr.w r10, [r0, #12]
         smlad r5, r11, r8, r5
         add.w r1, r1, #24
         smlad r7, r11, r9, r7
         add.w r0, r0, #16\n"
    };
    ($weights:ident, $pixels:ident) => {
        concat!(
            "ldrd r1, r2, [sp, #16]
             ldr.w r10, [r0]
             ldr.w r3, [r1]
             ldr.w r12, [r1, #4]
             adds r0, #4
             adds r1, #8
             cmp r2, #0
             beq.w 3f
            2:\n",
            tile_products!(begin $weights, $pixels),
            "ldr r12, [r1, #-4]
             ldr r3, [r1, #-8]
             subs r2, r2, #1
             bne.w 2b
            3:\n",
            tile_products!(begin $weights, $pixels),
        )
    };
}

/// Multiplier, rounding and shift behind a loop, in r10, r11 and r12: the multiplier is there.
macro_rules! parameters {
    () => {
        "ldmia.w r0!, {{r11, r12}}"
    };
}

/// What the loop over the inputs takes: `input` goes to the stack at 0.
macro_rules! eights_prepare {
    () => {
        "str r1, [sp]"
    };
}

/// The loop over the inputs, four inputs times eight outputs in a step. The end of the input stands on the stack at 8.
macro_rules! eights_products {
    () => {
        "ldr r1, [sp]
        2:
         ldr r3, [r1]
         add.w r1, r1, #4
         ldr.w r12, [r0]
         sxtb16 r2, r3
         ldr.w lr, [r0, #4]
         sxtb16 r3, r3, ror #8
         smlad r5, r12, r2, r5
         sxtb16 r12, r12
         smlad r5, lr, r3, r5
         sxtb16 lr, lr
         smlad r4, r12, r2, r4
         ldr.w r12, [r0, #8]
         smlad r4, lr, r3, r4
         ldr.w lr, [r0, #12]
         smlad r7, r12, r2, r7
         sxtb16 r12, r12
         smlad r7, lr, r3, r7
         sxtb16 lr, lr
         smlad r6, r12, r2, r6
         ldr.w r12, [r0, #16]
         smlad r6, lr, r3, r6
         ldr.w lr, [r0, #20]
         smlad r9, r12, r2, r9
         sxtb16 r12, r12
         smlad r9, lr, r3, r9
         sxtb16 lr, lr
         smlad r8, r12, r2, r8
         ldr.w r12, [r0, #24]
         smlad r8, lr, r3, r8
         ldr.w lr, [r0, #28]
         smlad r11, r12, r2, r11
         sxtb16 r12, r12
         smlad r11, lr, r3, r11
         sxtb16 lr, lr
         smlad r10, r12, r2, r10
         ldr r2, [sp, #8]
         smlad r10, lr, r3, r10
         add.w r0, r0, #32
         cmp r1, r2
         bne.w 2b\n"
    };
}

/// What the loops over Winograd's products take: half of their steps, whose number is even since channels come in fours, go to the stack at 0.
macro_rules! winograd_prepare {
    () => {
        "lsrs r2, r2, #1
         str r2, [sp]"
    };
}

/// The first loads of the first place of a tile. All places follow one another, in the columns and in the weights' stream.
macro_rules! winograd_start {
    () => {
        "ldr.w r10, [r0]
         ldr.w r3, [r1]
         ldr.w r12, [r1, #4]
         adds r0, #4
         adds r1, #8"
    };
}

/// The loop of one place, whose label is 3 or 4, two times two input channels of three tiles and two output channels in a turn. Behind the last place it reads the first
/// two words of the sums, which follow the columns.
macro_rules! winograd_products {
    ($label:literal) => {
        concat!(
            "ldr r2, [sp]\n",
            $label,
            ":\n",
            "smlad r4, r10, r3, r4
             ldr.w lr, [r1]
             smlad r5, r10, r12, r5
             ldr.w r11, [r0]
             smlad r6, r10, lr, r6
             ldr.w r10, [r0, #4]
             smlad r7, r11, r3, r7
             ldr r3, [r1, #4]
             smlad r8, r11, r12, r8
             ldr.w r12, [r1, #8]
             smlad r9, r11, lr, r9
             ldr.w lr, [r1, #12]
             smlad r4, r10, r3, r4
             ldr.w r11, [r0, #8]
             smlad r5, r10, r12, r5
             add.w r1, r1, #24
             smlad r6, r10, lr, r6
             ldr.w r10, [r0, #12]
             smlad r7, r11, r3, r7
             ldr r3, [r1, #-8]
             smlad r8, r11, r12, r8
             ldr r12, [r1, #-4]
             smlad r9, r11, lr, r9
             add.w r0, r0, #16
             subs r2, r2, #1
             bne.w ",
            $label,
            "b\n"
        )
    };
}

/// Behind the last place of a tile: the word that was loaded belongs to what follows.
macro_rules! winograd_end {
    () => {
        "subs r0, #4"
    };
}

pub(super) use {
    eights_prepare, eights_products, parameters, tile_prepare, tile_products, winograd_end, winograd_prepare,
    winograd_products, winograd_start,
};
