//! The inner loops for cores that issue one instruction at a time (Cortex-M4, M33): multiple loads, which take a cycle less than as many single ones, and
//! no counting, since every loop is unrolled and entered where as many steps are left as there are. `paired` has the same loops for the Cortex-M7.
//!
//! Eight steps make a turn, or two. A step is so many wide instructions of four bytes; `adr`, `mla` and `orr` make the address where the first turn starts.

/// Where the first turn of the tile's loop starts, for a step of so many bytes, and turns of 1 << `$shift` steps: `columns`, turns and that address go to the
/// stack at 16.
macro_rules! tile_prepare {
    (packed, three) => {
        tile_prepare!("68", "7", "3")
    };
    (wide, three) => {
        tile_prepare!("64", "7", "3")
    };
    (packed, two) => {
        tile_prepare!("52", "1", "1")
    };
    (wide, two) => {
        tile_prepare!("48", "1", "1")
    };
    ($bytes:literal, $most:literal, $shift:literal) => {
        concat!(
            "rsb r3, r2, #0
             and r3, r3, #",
            $most,
            "
             adds r2, #",
            $most,
            "
             lsrs r2, r2, #",
            $shift,
            "
             movs r4, #",
            $bytes,
            "
             adr r5, 2f
             mla r3, r3, r4, r5
             orr r3, r3, #1
             strd r1, r2, [sp, #16]
             str r3, [sp, #24]\n"
        )
    };
}

/// The tile's loop: four depths of three pixels and two channels in a step. On wide weights, which need no unpacking, a step is two times two depths.
/// Of two pixels, which are the rest of a run, a turn has two steps and not eight, for less code.
macro_rules! tile_products {
    (step packed, three) => {
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
         smlad r8, r11, lr, r8\n"
    };
    (step packed, two) => {
        "ldmia.w r0!, {{r10, r11}}
         ldrd r3, r12, [r1], #12
         smlad r5, r10, r3, r5
         smlad r7, r10, r12, r7
         sxtb16 r10, r10
         smlad r4, r10, r3, r4
         smlad r6, r10, r12, r6
         ldrd r3, r12, [r1], #12
         smlad r5, r11, r3, r5
         smlad r7, r11, r12, r7
         sxtb16 r11, r11
         smlad r4, r11, r3, r4
         smlad r6, r11, r12, r6\n"
    };
    (step wide, $pixels:ident) => {
        concat!(tile_products!(half $pixels), tile_products!(half $pixels))
    };
    (half three) => {
        "ldmia.w r0!, {{r10, r11}}
         ldmia.w r1!, {{r3, r12, lr}}
         smlad r4, r10, r3, r4
         smlad r6, r10, r12, r6
         smlad r8, r10, lr, r8
         smlad r5, r11, r3, r5
         smlad r7, r11, r12, r7
         smlad r9, r11, lr, r9\n"
    };
    (half two) => {
        "ldmia.w r0!, {{r10, r11}}
         ldrd r3, r12, [r1], #12
         smlad r4, r10, r3, r4
         smlad r6, r10, r12, r6
         smlad r5, r11, r3, r5
         smlad r7, r11, r12, r7\n"
    };
    (turn $weights:ident, three) => {
        concat!(
            tile_products!(steps $weights, three),
            tile_products!(steps $weights, three),
            tile_products!(steps $weights, three),
            tile_products!(steps $weights, three),
        )
    };
    (turn $weights:ident, two) => {
        tile_products!(steps $weights, two)
    };
    (steps $weights:ident, $pixels:ident) => {
        concat!(tile_products!(step $weights, $pixels), tile_products!(step $weights, $pixels))
    };
    ($weights:ident, $pixels:ident) => {
        concat!(
            "add r1, sp, #16
             ldmia.w r1, {{r1, r2, pc}}
             .p2align 2
            2:\n",
            tile_products!(turn $weights, $pixels),
            "subs r2, r2, #1
             bne.w 2b\n"
        )
    };
}

/// Multiplier, rounding and shift behind a loop, in r10, r11 and r12.
macro_rules! parameters {
    () => {
        "ldmia.w r0!, {{r10, r11, r12}}"
    };
}

/// Where the first turn of the loop over the inputs starts: `input` and that address go to the stack at 0.
macro_rules! eights_prepare {
    () => {
        "rsb r3, r2, #0
         and r3, r3, #7
         movs r4, #124
         adr r5, 2f
         mla r3, r3, r4, r5
         orr r3, r3, #1
         strd r1, r3, [sp]"
    };
}

/// The loop over the inputs, four inputs times eight outputs in a step. The end of the input stands on the stack at 8.
macro_rules! eights_products {
    (step) => {
        concat!(
            super::vector::widen!(),
            super::vector::pair!("r4", "r5"),
            super::vector::pair!("r6", "r7"),
            super::vector::pair!("r8", "r9"),
            super::vector::pair!("r10", "r11")
        )
    };
    () => {
        concat!(
            "ldmia.w sp, {{r1, pc}}
             .p2align 2
            2:\n",
            eights_products!(step),
            eights_products!(step),
            eights_products!(step),
            eights_products!(step),
            eights_products!(step),
            eights_products!(step),
            eights_products!(step),
            eights_products!(step),
            "ldr r2, [sp, #8]
             cmp r1, r2
             bne.w 2b\n"
        )
    };
}

/// Where the first turns of both loops over Winograd's products start: turns and these addresses go to the stack at 0.
macro_rules! winograd_prepare {
    () => {
        "rsb r3, r2, #0
         and r3, r3, #7
         adds r2, #7
         lsrs r2, r2, #3
         str r2, [sp]
         movs r4, #44
         adr.w r5, 3f
         mla r5, r3, r4, r5
         orr r5, r5, #1
         adr.w r6, 4f
         mla r6, r3, r4, r6
         orr r6, r6, #1
         strd r5, r6, [sp, #4]"
    };
}

/// Before the first place of a tile: nothing to load.
macro_rules! winograd_start {
    () => {
        ""
    };
}

/// The loop of one place, whose label is 3 or 4, two input channels of three tiles and two output channels in a step. Five single loads one behind the
/// other take six cycles, two multiple ones would take seven.
macro_rules! winograd_products {
    (step) => {
        "ldr.w r11, [r0, #4]
         ldr.w r10, [r0], #8
         ldr.w r12, [r1, #4]
         ldr.w lr, [r1, #8]
         ldr.w r3, [r1], #12
         smlad r4, r10, r3, r4
         smlad r5, r10, r12, r5
         smlad r6, r10, lr, r6
         smlad r7, r11, r3, r7
         smlad r8, r11, r12, r8
         smlad r9, r11, lr, r9\n"
    };
    ("3") => {
        winograd_products!("3", "ldmia.w sp, {{r2, pc}}")
    };
    ("4") => {
        winograd_products!("4", "ldr r2, [sp]\nldr.w pc, [sp, #8]")
    };
    ($label:literal, $enter:literal) => {
        concat!(
            $enter,
            "\n.p2align 2\n",
            $label,
            ":\n",
            winograd_products!(step),
            winograd_products!(step),
            winograd_products!(step),
            winograd_products!(step),
            winograd_products!(step),
            winograd_products!(step),
            winograd_products!(step),
            winograd_products!(step),
            "subs r2, r2, #1\nbne.w ",
            $label,
            "b\n"
        )
    };
}

/// Behind the last place of a tile: nothing was loaded that belongs to what follows.
macro_rules! winograd_end {
    () => {
        ""
    };
}

pub(super) use {
    eights_prepare, eights_products, parameters, tile_prepare, tile_products, winograd_end, winograd_prepare,
    winograd_products, winograd_start,
};
