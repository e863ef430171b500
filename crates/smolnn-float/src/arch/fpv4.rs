//! The passes for f32 on Cortex-M cores with a single-precision FPU: M4F, M7, M33, M55 without Helium.
//!
//! LLVM multiplies, adds and loads one float at a time: three instructions and more per multiply-accumulate. Here VMLA does
//! multiply and add (each rounded, as the portable body's are: same bits), and VLDM loads eight floats:
//! 39 instructions for 32 multiply-accumulates forward, 40 for the input gradient, 43 for the weight gradient.
//! A pixel at a tap of a depthwise convolution takes 26 for 16 channels, 26 for the input gradient, 24 for the weight gradient.
//! One of a first layer takes 25, 24 and 23 for 16 outputs, 15, 15 and 14 for eight. Two pixels that lie side by side, eight
//! outputs each, take 21, 21 and 20.
//! Held by: bit-equality with the portable body on all lengths, in firmware (`float/passes` of conformance).

use core::arch::asm;

use super::Walk;
use crate::Number;

/// Whether there is a row, and all rows lie in the weights. The pointers below need no more.
#[inline(always)]
fn rows_fit(weights: usize, stride: usize, rows: usize, length: usize) -> bool {
    // The product is computed in 64 bits, where no stride makes it wrap.
    rows > 0 && weights as u64 >= (rows - 1) as u64 * stride as u64 + length as u64
}

/// Loads elements of the row from s8 on and adds their products with those from s0 on to the sum.
#[rustfmt::skip] // One instruction per line.
macro_rules! dot {
    (8, $row:literal, $sum:literal) => {
        concat!(
            "vldmia {", $row, "}!, {{s8-s15}}\n",
            "vmla.f32 ", $sum, ", s8, s0\n",
            "vmla.f32 ", $sum, ", s9, s1\n",
            "vmla.f32 ", $sum, ", s10, s2\n",
            "vmla.f32 ", $sum, ", s11, s3\n",
            "vmla.f32 ", $sum, ", s12, s4\n",
            "vmla.f32 ", $sum, ", s13, s5\n",
            "vmla.f32 ", $sum, ", s14, s6\n",
            "vmla.f32 ", $sum, ", s15, s7\n",
        )
    };
    (4, $row:literal, $sum:literal) => {
        concat!(
            "vldmia {", $row, "}!, {{s8-s11}}\n",
            "vmla.f32 ", $sum, ", s8, s0\n",
            "vmla.f32 ", $sum, ", s9, s1\n",
            "vmla.f32 ", $sum, ", s10, s2\n",
            "vmla.f32 ", $sum, ", s11, s3\n",
        )
    };
    (1, $row:literal, $sum:literal) => {
        concat!("vldmia {", $row, "}!, {{s8}}\n", "vmla.f32 ", $sum, ", s8, s0\n")
    };
}

/// Loads elements of the row from s8 on and adds them, times the factor, to those from s0 on.
#[rustfmt::skip] // One instruction per line.
macro_rules! add {
    (8, $row:literal, $factor:literal) => {
        concat!(
            "vldmia {", $row, "}!, {{s8-s15}}\n",
            "vmla.f32 s0, s8, ", $factor, "\n",
            "vmla.f32 s1, s9, ", $factor, "\n",
            "vmla.f32 s2, s10, ", $factor, "\n",
            "vmla.f32 s3, s11, ", $factor, "\n",
            "vmla.f32 s4, s12, ", $factor, "\n",
            "vmla.f32 s5, s13, ", $factor, "\n",
            "vmla.f32 s6, s14, ", $factor, "\n",
            "vmla.f32 s7, s15, ", $factor, "\n",
        )
    };
    (4, $row:literal, $factor:literal) => {
        concat!(
            "vldmia {", $row, "}!, {{s8-s11}}\n",
            "vmla.f32 s0, s8, ", $factor, "\n",
            "vmla.f32 s1, s9, ", $factor, "\n",
            "vmla.f32 s2, s10, ", $factor, "\n",
            "vmla.f32 s3, s11, ", $factor, "\n",
        )
    };
    (1, $row:literal, $factor:literal) => {
        concat!("vldmia {", $row, "}!, {{s8}}\n", "vmla.f32 s0, s8, ", $factor, "\n")
    };
}

/// Adds the elements from s0 on, times the factor, to those of the row.
#[rustfmt::skip] // One instruction per line.
macro_rules! update {
    (8, $row:literal, $factor:literal) => {
        concat!(
            "vldmia {", $row, "}, {{s8-s15}}\n",
            "vmla.f32 s8, s0, ", $factor, "\n",
            "vmla.f32 s9, s1, ", $factor, "\n",
            "vmla.f32 s10, s2, ", $factor, "\n",
            "vmla.f32 s11, s3, ", $factor, "\n",
            "vmla.f32 s12, s4, ", $factor, "\n",
            "vmla.f32 s13, s5, ", $factor, "\n",
            "vmla.f32 s14, s6, ", $factor, "\n",
            "vmla.f32 s15, s7, ", $factor, "\n",
            "vstmia {", $row, "}!, {{s8-s15}}\n",
        )
    };
    (4, $row:literal, $factor:literal) => {
        concat!(
            "vldmia {", $row, "}, {{s8-s11}}\n",
            "vmla.f32 s8, s0, ", $factor, "\n",
            "vmla.f32 s9, s1, ", $factor, "\n",
            "vmla.f32 s10, s2, ", $factor, "\n",
            "vmla.f32 s11, s3, ", $factor, "\n",
            "vstmia {", $row, "}!, {{s8-s11}}\n",
        )
    };
    (1, $row:literal, $factor:literal) => {
        concat!("vldmia {", $row, "}, {{s8}}\n", "vmla.f32 s8, s0, ", $factor, "\n", "vstmia {", $row, "}!, {{s8}}\n",)
    };
}

/// Runs along the elements of a vector and of one row or four: by eights, then four, then one by one. The vector's elements are
/// stored back when `$store` says so.
//
// | register      | holds                                                                        |
// |---------------|------------------------------------------------------------------------------|
// | {n}           | elements, then those that go one by one                                      |
// | {steps}       | eights that are left                                                         |
// | {v}           | next elements of the vector                                                  |
// | {w0} to {w3}  | next elements of the rows                                                    |
// | {from}, {f}   | where the sums are loaded from; where they are stored, or factors loaded from |
// | s0 to s7      | elements of the vector                                                       |
// | s8 to s15     | elements of a row                                                            |
// | s16 to s19    | sums or factors of the rows                                                  |
macro_rules! along {
    ($body:ident, $load:literal, $store:ident, $held:ident, $(($row:literal, $with:literal)),+; $($operands:tt)*) => {
        asm!(
            $held!(load),
            "lsrs {steps}, {n}, #3",
            "beq 3f",
            "2:",
            concat!("vldmia {v}", $load, ", {{s0-s7}}"),
            $($body!(8, $row, $with),)+
            $store!("{{s0-s7}}"),
            "subs {steps}, {steps}, #1",
            "bne 2b",
            "3:",
            "tst {n}, #4",
            "beq 4f",
            concat!("vldmia {v}", $load, ", {{s0-s3}}"),
            $($body!(4, $row, $with),)+
            $store!("{{s0-s3}}"),
            "4:",
            "ands {n}, {n}, #3",
            "beq 6f",
            "5:",
            concat!("vldmia {v}", $load, ", {{s0}}"),
            $($body!(1, $row, $with),)+
            $store!("{{s0}}"),
            "subs {n}, {n}, #1",
            "bne 5b",
            "6:",
            $held!(store),
            $($operands)*
            steps = out(reg) _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _,
            options(nostack),
        )
    };
}

// Sums or factors stay in s16 to s19 for the whole run: these macros load and store them. The registers are named, since stable Rust
// does not see the FPU of a bare-metal target and offers no class of float registers.
macro_rules! sums4 {
    (load) => {
        "vldmia {from}, {{s16-s19}}"
    };
    (store) => {
        "vstmia {f}, {{s16-s19}}"
    };
}
macro_rules! sum1 {
    (load) => {
        "vldmia {from}, {{s16}}"
    };
    (store) => {
        "vstmia {f}, {{s16}}"
    };
}
macro_rules! factors4 {
    (load) => {
        "vldmia {f}, {{s16-s19}}"
    };
    (store) => {
        ""
    };
}
macro_rules! factor1 {
    (load) => {
        "vldmia {f}, {{s16}}"
    };
    (store) => {
        ""
    };
}

/// Stores elements of the vector back, and moves on to the next.
macro_rules! stored {
    ($registers:literal) => {
        concat!("vstmia {v}!, ", $registers)
    };
}

/// Leaves the vector as it is; the load has moved on already.
macro_rules! not_stored {
    ($registers:literal) => {
        ""
    };
}

/// Walks a rectangle of pixels, and runs `$pixel` at each. What stays in registers, sums or factors, is loaded by `$before` and
/// stored by `$after`.
//
// | register             | holds                                                                             |
// |----------------------|-----------------------------------------------------------------------------------|
// | {a}, {b}             | the pixel in both images                                                          |
// | {f}                  | address of what stays                                                             |
// | {rows}               | rows that are left                                                                |
// | {columns}, {column}  | pixels of a row, pixels that are left; in `$before` and `$after` {column}: address of an element |
// | {step_a}, {step_b}   | bytes from what was read of a pixel to the next                                   |
// | {pitch_a}, {pitch_b} | bytes from behind a row to the next                                               |
// | {apart}              | bytes between elements of what stays, where they lie apart                        |
// | s0 to s15            | what stays, one element per channel                                               |
// | s16 to s23           | channels of the pixel in `a`; of sixteen eight at a time                          |
// | s24 to s31           | channels of the pixel in `b`; in s24 its one element where it has one             |
macro_rules! walk {
    ($before:expr, $pixel:expr, $after:expr, $walk:ident, $a:expr, $read_a:literal, $b:expr, $read_b:literal, $f:expr
     $(, $apart:ident)?) => {{
        let ([step_a, pitch_a], [step_b, pitch_b]) = ($walk.skips(0, $read_a), $walk.skips(1, $read_b));
        asm!(
            $before,
            "2:",
            "mov {column}, {columns}",
            "3:",
            $pixel,
            "add {a}, {a}, {step_a}",
            "add {b}, {b}, {step_b}",
            "subs {column}, {column}, #1",
            "bne 3b",
            "add {a}, {a}, {pitch_a}",
            "add {b}, {b}, {pitch_b}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            $after,
            a = inout(reg) $a => _, b = inout(reg) $b => _, f = in(reg) $f,
            rows = inout(reg) $walk.rows => _, columns = in(reg) $walk.columns, column = out(reg) _,
            $($apart = in(reg) 4 * $walk.$apart,)?
            step_a = in(reg) step_a, step_b = in(reg) step_b, pitch_a = in(reg) pitch_a, pitch_b = in(reg) pitch_b,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _, out("s28") _, out("s29") _, out("s30") _, out("s31") _,
            options(nostack),
        );
    }};
}

/// The multiply-accumulate of one channel, between `$f` that stays and the elements `$a` and `$b` of the images.
macro_rules! product {
    (rows_sum, $f:literal, $a:literal, $b:literal) => {
        concat!("vadd.f32 ", $f, ", ", $f, ", ", $a, "\n")
    };
    (walk_sum, $f:literal, $a:literal, $b:literal) => {
        concat!("vmla.f32 ", $f, ", ", $a, ", ", $b, "\n")
    };
    (walk_add, $f:literal, $a:literal, $b:literal) => {
        concat!("vmla.f32 ", $a, ", ", $b, ", ", $f, "\n")
    };
    ($pass:ident, $f:literal, $a:literal, $b:literal) => {
        product!($pass "s24", $f, $a)
    };
    (spread_sum $b:literal, $f:literal, $a:literal) => {
        concat!("vmla.f32 ", $f, ", ", $a, ", ", $b, "\n")
    };
    (spread_add $b:literal, $f:literal, $a:literal) => {
        concat!("vmla.f32 ", $a, ", ", $b, ", ", $f, "\n")
    };
    (gather_add $b:literal, $f:literal, $a:literal) => {
        concat!("vmla.f32 ", $b, ", ", $a, ", ", $f, "\n")
    };
}

/// The multiply-accumulates of one, four or eight channels; for 16, those of the second eight of sixteen.
macro_rules! products {
    ($pass:ident, 1) => {
        product!($pass, "s0", "s16", "s24")
    };
    ($pass:ident, 4) => {
        concat!(
            products!($pass, 1),
            product!($pass, "s1", "s17", "s25"),
            product!($pass, "s2", "s18", "s26"),
            product!($pass, "s3", "s19", "s27"),
        )
    };
    ($pass:ident, 8) => {
        concat!(
            products!($pass, 4),
            product!($pass, "s4", "s20", "s28"),
            product!($pass, "s5", "s21", "s29"),
            product!($pass, "s6", "s22", "s30"),
            product!($pass, "s7", "s23", "s31"),
        )
    };
    ($pass:ident, 16) => {
        concat!(
            product!($pass, "s8", "s16", "s24"),
            product!($pass, "s9", "s17", "s25"),
            product!($pass, "s10", "s18", "s26"),
            product!($pass, "s11", "s19", "s27"),
            product!($pass, "s12", "s20", "s28"),
            product!($pass, "s13", "s21", "s29"),
            product!($pass, "s14", "s22", "s30"),
            product!($pass, "s15", "s23", "s31"),
        )
    };
}

/// The multiply-accumulates of a pixel's channels with their loads and stores.
macro_rules! channels {
    (rows_sum, $size:tt, $a:literal, $b:literal) => {
        concat!("vldmia {a}!, ", $a, "\n", products!(rows_sum, $size))
    };
    (walk_sum, $size:tt, $a:literal, $b:literal) => {
        concat!("vldmia {a}!, ", $a, "\nvldmia {b}!, ", $b, "\n", products!(walk_sum, $size))
    };
    (walk_add, $size:tt, $a:literal, $b:literal) => {
        concat!("vldmia {a}, ", $a, "\nvldmia {b}!, ", $b, "\n", products!(walk_add, $size), "vstmia {a}!, ", $a, "\n")
    };
    (spread_sum, $size:tt, $a:literal, $b:literal) => {
        concat!("vldmia {a}!, ", $a, "\n", products!(spread_sum, $size))
    };
    (spread_add, $size:tt, $a:literal, $b:literal) => {
        concat!("vldmia {a}, ", $a, "\n", products!(spread_add, $size), "vstmia {a}!, ", $a, "\n")
    };
    (gather_add, $size:tt, $a:literal, $b:literal) => {
        concat!("vldmia {a}!, ", $a, "\n", products!(gather_add, $size))
    };
    ($pass:ident, 16) => {
        concat!(channels!($pass, 8), channels!($pass, 16, "{{s16-s23}}", "{{s24-s31}}"))
    };
    ($pass:ident, 8) => {
        channels!($pass, 8, "{{s16-s23}}", "{{s24-s31}}")
    };
    ($pass:ident, 4) => {
        channels!($pass, 4, "{{s16-s19}}", "{{s24-s27}}")
    };
    ($pass:ident, 1) => {
        channels!($pass, 1, "{{s16}}", "{{s24}}")
    };
}

/// The products of eight channels with one of the other image, for each of two pixels.
macro_rules! pair {
    ($pass:ident) => {
        concat!(
            pair!($pass "s24": "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"),
            pair!($pass "s25": "s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"),
        )
    };
    ($pass:ident $b:literal: $a0:literal $a1:literal $a2:literal $a3:literal $a4:literal $a5:literal $a6:literal $a7:literal) => {
        concat!(
            product!($pass $b, "s0", $a0),
            product!($pass $b, "s1", $a1),
            product!($pass $b, "s2", $a2),
            product!($pass $b, "s3", $a3),
            product!($pass $b, "s4", $a4),
            product!($pass $b, "s5", $a5),
            product!($pass $b, "s6", $a6),
            product!($pass $b, "s7", $a7),
        )
    };
}

/// Loads or stores what stays, where its elements lie side by side or, one at a time, where they lie apart.
macro_rules! held {
    ($access:literal, 16) => {
        concat!($access, " {f}, {{s0-s15}}")
    };
    ($access:literal, 8) => {
        concat!($access, " {f}, {{s0-s7}}")
    };
    ($access:literal, 4) => {
        concat!($access, " {f}, {{s0-s3}}")
    };
    ($access:literal, 1) => {
        concat!($access, " {f}, {{s0}}")
    };
    ($access:literal, apart 16) => {
        concat!(held!($access, apart 8), held!($access, "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"))
    };
    ($access:literal, apart 8) => {
        concat!(held!($access, apart 4), held!($access, "s4" "s5" "s6" "s7"))
    };
    ($access:literal, apart 4) => {
        concat!(held!($access, apart 1), held!($access, "s1" "s2" "s3"))
    };
    ($access:literal, apart 1) => {
        concat!("mov {column}, {f}\n", held!($access, "s0"))
    };
    ($access:literal, $($register:literal)+) => {
        concat!($($access, " ", $register, ", [{column}]\nadd {column}, {column}, {apart}\n"),+)
    };
}

/// The pass that writes a vector, held from s0 on, to every row.
macro_rules! rows_fill {
    (16, $($walk:tt)+) => {
        rows_fill!("{{s0-s15}}", 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        rows_fill!("{{s0-s7}}", 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        rows_fill!("{{s0-s3}}", 4, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        rows_fill!("{{s0}}", 1, $($walk)+)
    };
    ($held:literal, $size:tt, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $held), concat!("vstmia {a}!, ", $held), "", $walk, $a, $size, $b, 0, $f)
    };
}

/// The pass that adds up all rows, with the sums from s0 on.
macro_rules! rows_sum {
    ($size:tt, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(held!("vldmia", $size), channels!(rows_sum, $size), held!("vstmia", $size), $walk, $a, $size, $b, 0, $f)
    };
}

/// The pass that adds up the products of both images, with the sums from s0 on.
macro_rules! walk_sum {
    ($size:tt, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(
            held!("vldmia", $size),
            channels!(walk_sum, $size),
            held!("vstmia", $size),
            $walk,
            $a,
            $size,
            $b,
            $size,
            $f
        )
    };
}

/// The pass that adds `b` times the factors, held from s0 on, to `a`.
macro_rules! walk_add {
    ($size:tt, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(held!("vldmia", $size), channels!(walk_add, $size), "", $walk, $a, $size, $b, $size, $f)
    };
}

/// The elements of two pixels of `b` in s24 and s25. `read` loads them and moves on; `load` and `store` are a pair, of which
/// `store` moves on.
macro_rules! two {
    (read side_by_side) => {
        "vldmia {b}!, {{s24-s25}}\n"
    };
    (load side_by_side) => {
        "vldmia {b}, {{s24-s25}}\n"
    };
    (store side_by_side) => {
        "vstmia {b}!, {{s24-s25}}\n"
    };
    (read apart) => {
        concat!(two!(load apart), "add {b}, {b}, {step_b}\n")
    };
    (load apart) => {
        "vldr s24, [{b}]\nadd {b}, {b}, {step_b}\nvldr s25, [{b}]\n"
    };
    (store apart) => {
        "vstr s25, [{b}]\nsub {b}, {b}, {step_b}\nvstr s24, [{b}]\nadd {b}, {b}, {step_b}, lsl #1\n"
    };
}

/// Walks two pixels at a time where pixels of `a` have eight channels and no more, so that two of them lie side by side.
//
// | register             | holds                                                                             |
// |----------------------|-----------------------------------------------------------------------------------|
// | {a}, {b}             | the pixel in both images                                                          |
// | {f}                  | address of what stays                                                             |
// | {rows}               | rows that are left                                                                |
// | {columns}, {column}  | pixels of a row, pairs that are left; in `$before` and `$after` {column}: address of an element |
// | {step_b}             | bytes from a pixel of `b` to the next                                             |
// | {pitch_a}, {pitch_b} | bytes from behind a row to the next                                               |
// | {apart}              | bytes between elements of what stays                                              |
// | s0 to s7             | what stays, one element per channel                                               |
// | s8 to s15            | channels of the first pixel of `a`                                                |
// | s16 to s23           | channels of the second pixel of `a`, or of one that is left                       |
// | s24, s25             | elements of the two pixels of `b`                                                 |
macro_rules! walk_pairs {
    ($before:expr, $pair:expr, $pixel:expr, $after:expr, $walk:ident, $a:expr, $b:expr, $f:expr) => {{
        let ([_, pitch_a], [step_b, pitch_b]) = ($walk.skips(0, 8), $walk.skips(1, 0));
        asm!(
            $before,
            "2:",
            "lsrs {column}, {columns}, #1",
            "beq 4f",
            "3:",
            $pair,
            "subs {column}, {column}, #1",
            "bne 3b",
            "4:",
            "tst {columns}, #1",
            "beq 5f",
            $pixel,
            "add {b}, {b}, {step_b}",
            "5:",
            "add {a}, {a}, {pitch_a}",
            "add {b}, {b}, {pitch_b}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            $after,
            a = inout(reg) $a => _, b = inout(reg) $b => _, f = in(reg) $f, apart = in(reg) 4 * $walk.apart,
            rows = inout(reg) $walk.rows => _, columns = in(reg) $walk.columns, column = out(reg) _,
            step_b = in(reg) step_b, pitch_a = in(reg) pitch_a, pitch_b = in(reg) pitch_b,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _,
            options(nostack),
        );
    }};
}

/// The pass that adds up `a` times the one element of `b`, with the sums from s0 on.
macro_rules! spread_sum {
    (8, $walk:ident, $($from:expr),+) => {
        if $walk.steps == [8, 1] {
            spread_sum!(pairs side_by_side, $walk, $($from),+);
        } else if $walk.steps[0] == 8 {
            spread_sum!(pairs apart, $walk, $($from),+);
        } else {
            spread_sum!(single 8, $walk, $($from),+);
        }
    };
    (pairs $b_lies:ident, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk_pairs!(
            held!("vldr", apart 8),
            concat!(
                "vldmia {a}!, {{s8-s23}}\n",
                two!(read $b_lies),
                pair!(spread_sum),
            ),
            concat!("vldr s24, [{b}]\n", channels!(spread_sum, 8)),
            held!("vstr", apart 8),
            $walk, $a, $b, $f
        )
    };
    (single $size:tt, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(
            held!("vldr", apart $size),
            concat!("vldr s24, [{b}]\n", channels!(spread_sum, $size)),
            held!("vstr", apart $size),
            $walk, $a, $size, $b, 0, $f, apart
        )
    };
    ($size:tt, $($walk:tt)+) => {
        spread_sum!(single $size, $($walk)+)
    };
}

/// The pass that adds the one element of `b` times the factors, held from s0 on, to `a`.
macro_rules! spread_add {
    (8, $walk:ident, $($from:expr),+) => {
        if $walk.steps == [8, 1] {
            spread_add!(pairs side_by_side, $walk, $($from),+);
        } else if $walk.steps[0] == 8 {
            spread_add!(pairs apart, $walk, $($from),+);
        } else {
            spread_add!(single 8, $walk, $($from),+);
        }
    };
    (pairs $b_lies:ident, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk_pairs!(
            held!("vldr", apart 8),
            concat!(
                "vldmia {a}, {{s8-s23}}\n",
                two!(read $b_lies),
                pair!(spread_add),
                "vstmia {a}!, {{s8-s23}}\n",
            ),
            concat!("vldr s24, [{b}]\n", channels!(spread_add, 8)),
            "",
            $walk, $a, $b, $f
        )
    };
    (single $size:tt, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(
            held!("vldr", apart $size),
            concat!("vldr s24, [{b}]\n", channels!(spread_add, $size)),
            "",
            $walk, $a, $size, $b, 0, $f, apart
        )
    };
    ($size:tt, $($walk:tt)+) => {
        spread_add!(single $size, $($walk)+)
    };
}

/// The pass that adds the sum of `a` times the factors, held from s0 on, to the one element of `b`.
macro_rules! gather_add {
    (8, $walk:ident, $($from:expr),+) => {
        if $walk.steps == [8, 1] {
            gather_add!(pairs side_by_side, $walk, $($from),+);
        } else if $walk.steps[0] == 8 {
            gather_add!(pairs apart, $walk, $($from),+);
        } else {
            gather_add!(single 8, $walk, $($from),+);
        }
    };
    (pairs $b_lies:ident, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk_pairs!(
            held!("vldr", apart 8),
            concat!(
                "vldmia {a}!, {{s8-s23}}\n",
                two!(load $b_lies),
                pair!(gather_add),
                two!(store $b_lies),
            ),
            concat!("vldr s24, [{b}]\n", channels!(gather_add, 8), "vstr s24, [{b}]\n"),
            "",
            $walk, $a, $b, $f
        )
    };
    (single $size:tt, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(
            held!("vldr", apart $size),
            concat!("vldr s24, [{b}]\n", channels!(gather_add, $size), "vstr s24, [{b}]\n"),
            "",
            $walk, $a, $size, $b, 0, $f, apart
        )
    };
    ($size:tt, $($walk:tt)+) => {
        gather_add!(single $size, $($walk)+)
    };
}

/// The forward pass. Its sums start with those of `start`, or go on with those in `output`.
#[inline(never)]
fn rows_dot_from(weights: &[f32], stride: usize, input: &[f32], start: Option<&[f32]>, output: &mut [f32]) {
    let mut from = start.map_or(output.as_ptr(), |start| start.as_ptr());
    let started = start.is_none_or(|start| start.len() >= output.len());
    if !started || !rows_fit(weights.len(), stride, output.len(), input.len()) {
        return;
    }
    let mut row = weights.as_ptr();
    let (blocks, rest) = output.as_chunks_mut::<4>();
    for block in blocks {
        let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|k| row.wrapping_add(k * stride));
        row = row.wrapping_add(4 * stride);
        // SAFETY: `rows_fit` found the floats of every row, as many as `input` has; `from` and `block` have one for each of the
        // four rows.
        unsafe {
            along!(dot, "!", not_stored, sums4, ("w0", "s16"), ("w1", "s17"), ("w2", "s18"), ("w3", "s19");
                    n = inout(reg) input.len() => _, v = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    from = in(reg) from, f = in(reg) block.as_mut_ptr(),);
        }
        from = from.wrapping_add(4);
    }
    for y in rest {
        // SAFETY: `rows_fit` found the floats of every row, as many as `input` has; `from` has one for each output.
        unsafe {
            along!(dot, "!", not_stored, sum1, ("w0", "s16");
                    n = inout(reg) input.len() => _, v = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) row => _, from = in(reg) from, f = in(reg) y,);
        }
        (row, from) = (row.wrapping_add(stride), from.wrapping_add(1));
    }
}

// One copy of each pass, not one per caller: the loops are long, and the callers keep their registers.
impl Number for f32 {
    #[inline]
    fn rows_dot(weights: &[f32], stride: usize, input: &[f32], output: &mut [f32]) {
        rows_dot_from(weights, stride, input, None, output);
    }

    #[inline]
    fn rows_affine(weights: &[f32], stride: usize, bias: &[f32], input: &[f32], output: &mut [f32]) {
        rows_dot_from(weights, stride, input, Some(bias), output);
    }

    #[inline(never)]
    fn rows_transposed(weights: &[f32], stride: usize, d_output: &[f32], d_input: &mut [f32]) {
        if !rows_fit(weights.len(), stride, d_output.len(), d_input.len()) {
            return;
        }
        let mut row = weights.as_ptr();
        let (blocks, rest) = d_output.as_chunks::<4>();
        for block in blocks {
            let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|k| row.wrapping_add(k * stride));
            row = row.wrapping_add(4 * stride);
            // SAFETY: `rows_fit` found the floats of every row, as many as `d_input` has, which are read and written; the block has
            // four factors.
            unsafe {
                along!(add, "", stored, factors4, ("w0", "s16"), ("w1", "s17"), ("w2", "s18"), ("w3", "s19");
                    n = inout(reg) d_input.len() => _, v = inout(reg) d_input.as_mut_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    f = in(reg) block.as_ptr(),);
            }
        }
        for g in rest {
            // SAFETY: `rows_fit` found the floats of every row, as many as `d_input` has, which are read and written.
            unsafe {
                along!(add, "", stored, factor1, ("w0", "s16");
                    n = inout(reg) d_input.len() => _, v = inout(reg) d_input.as_mut_ptr() => _,
                    w0 = inout(reg) row => _, f = in(reg) g,);
            }
            row = row.wrapping_add(stride);
        }
    }

    #[inline(never)]
    fn rows_outer(weights: &mut [f32], stride: usize, d_output: &[f32], input: &[f32]) {
        if !rows_fit(weights.len(), stride, d_output.len(), input.len()) {
            return;
        }
        let mut row = weights.as_mut_ptr();
        let (blocks, rest) = d_output.as_chunks::<4>();
        for block in blocks {
            let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|k| row.wrapping_add(k * stride));
            row = row.wrapping_add(4 * stride);
            // SAFETY: `rows_fit` found the floats of every row, which are read and written, and `input` has as many; the block has
            // four factors.
            unsafe {
                along!(update, "!", not_stored, factors4, ("w0", "s16"), ("w1", "s17"), ("w2", "s18"), ("w3", "s19");
                    n = inout(reg) input.len() => _, v = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    f = in(reg) block.as_ptr(),);
            }
        }
        for g in rest {
            // SAFETY: `rows_fit` found the floats of every row, which are read and written, and `input` has as many.
            unsafe {
                along!(update, "!", not_stored, factor1, ("w0", "s16");
                    n = inout(reg) input.len() => _, v = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) row => _, f = in(reg) g,);
            }
            row = row.wrapping_add(stride);
        }
    }

    walking_passes!(walk [16 8 4 1], spread [16 8 4 1]);
}
