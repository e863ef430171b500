//! The passes for f32 on Cortex-M cores with a single-precision FPU: M4F, M7, M33, M55 without Helium.
//!
//! LLVM multiplies, adds and loads one float at a time: three instructions and more per multiply-accumulate. Here VMLA does
//! multiply and add (each rounded, as the portable body's are: same bits), and VLDM loads eight floats:
//! 39 instructions for 32 multiply-accumulates forward, 40 for the input gradient, 43 for the weight gradient.
//! A tap of a depthwise convolution takes 24 for 16 channels, 26 for either gradient; a tap of a first layer 14 for eight
//! outputs, 15 for either gradient.
//! Held by: bit-equality with the portable body on all lengths, in firmware (`float/passes` of conformance).

use core::arch::asm;

use super::Walk;
use crate::Number;

/// Whether every row that will be read lies in the weights: all that the pointers below need.
#[inline(always)]
fn rows_fit(weights: usize, stride: usize, rows: usize, length: usize) -> bool {
    rows > 0 && weights >= (rows - 1) * stride + length
}

/// `s8 …` from the row; sum += each times `s0 …`.
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

/// `s8 …` from the row; `s0 …` += each times the factor.
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

/// The row += `s0 …` times the factor.
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

/// Runs along `{n}` elements: by eights, then four, then one by one. The vector `s0 …` is loaded from `{v}`, and stored
/// back there when `$store` says so.
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

// What stays in s16 … for the whole run: sums, which start at `{from}` and end at `{f}`, or factors at `{f}`. LLVM may not be asked for a
// float register by its class: stable Rust does not see the FPU of a bare-metal target.
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

macro_rules! stored {
    ($registers:literal) => {
        concat!("vstmia {v}!, ", $registers)
    };
}

macro_rules! not_stored {
    ($registers:literal) => {
        ""
    };
}

/// `s16 …` += `s24 …` times `s0 …`, lane by lane, and the like: a multiply-accumulate for each triple.
macro_rules! lanes {
    ($($sum:literal $x:literal $y:literal),+ $(,)?) => {
        concat!($("vmla.f32 ", $sum, ", ", $x, ", ", $y, "\n"),+)
    };
}

/// Walks a window's taps: `$tap` at each, with pointers into two tensors and one at what stays in registers.
macro_rules! walk {
    ($before:expr, $tap:expr, $after:expr, $walk:ident, $a:ident ($read_a:literal), $b:ident ($read_b:literal), $f:ident) => {{
        let ([step_a, pitch_a], [step_b, pitch_b]) = ($walk.skips(0, $read_a), $walk.skips(1, $read_b));
        let (mut a, mut b, mut f) = ($a, $b, $f);
        for _ in 0..$walk.pixels {
        asm!(
            $before,
            "2:",
            "mov {column}, {columns}",
            "3:",
            $tap,
            "add {a}, {a}, {step_a}",
            "add {b}, {b}, {step_b}",
            "subs {column}, {column}, #1",
            "bne 3b",
            "add {a}, {a}, {pitch_a}",
            "add {b}, {b}, {pitch_b}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            $after,
            a = inout(reg) a => _, b = inout(reg) b => _, f = in(reg) f,
            rows = inout(reg) $walk.rows => _, columns = in(reg) $walk.columns, column = out(reg) _,
            step_a = in(reg) step_a, step_b = in(reg) step_b, pitch_a = in(reg) pitch_a, pitch_b = in(reg) pitch_b,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _, out("s28") _, out("s29") _, out("s30") _, out("s31") _,
            options(nostack),
            );
            a = a.wrapping_add($walk.strides[0]);
            b = b.wrapping_add($walk.strides[1]);
            f = f.wrapping_add($walk.strides[2]);
        }
    }};
}

/// Sums in `s0 …`.
macro_rules! walk_sum {
    (16, $($walk:tt)+) => {
        walk_sum!("{{s0-s15}}", concat!(
            "vldmia {a}!, {{s16-s23}}\nvldmia {b}!, {{s24-s31}}\n",
            walk_sum!("s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"),
            "vldmia {a}!, {{s16-s23}}\nvldmia {b}!, {{s24-s31}}\n",
            walk_sum!("s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"),
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        walk_sum!("{{s0-s7}}", concat!(
            "vldmia {a}!, {{s16-s23}}\nvldmia {b}!, {{s24-s31}}\n",
            walk_sum!("s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"),
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        walk_sum!("{{s0-s3}}", concat!(
            "vldmia {a}!, {{s16-s19}}\nvldmia {b}!, {{s24-s27}}\n",
            lanes!("s0" "s16" "s24", "s1" "s17" "s25", "s2" "s18" "s26", "s3" "s19" "s27"),
        ), 4, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        walk_sum!("{{s0}}", concat!(
            "vldmia {a}!, {{s16}}\nvldmia {b}!, {{s24}}\n",
            lanes!("s0" "s16" "s24"),
        ), 1, $($walk)+)
    };
    ($s0:literal $s1:literal $s2:literal $s3:literal $s4:literal $s5:literal $s6:literal $s7:literal) => {
        lanes!(
            $s0 "s16" "s24", $s1 "s17" "s25", $s2 "s18" "s26", $s3 "s19" "s27",
            $s4 "s20" "s28", $s5 "s21" "s29", $s6 "s22" "s30", $s7 "s23" "s31",
        )
    };
    ($sums:literal, $tap:expr, $size:literal, $walk:ident, $a:ident, $b:ident, $f:ident) => {
        walk!(concat!("vldmia {f}, ", $sums), $tap, concat!("vstmia {f}, ", $sums), $walk, $a($size), $b($size), $f)
    };
}

/// Factors in `s0 …`.
macro_rules! walk_add {
    (16, $($walk:tt)+) => {
        walk_add!("{{s0-s15}}", concat!(
            "vldmia {a}, {{s16-s23}}\nvldmia {b}!, {{s24-s31}}\n",
            walk_add!("s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"),
            "vstmia {a}!, {{s16-s23}}\n",
            "vldmia {a}, {{s16-s23}}\nvldmia {b}!, {{s24-s31}}\n",
            walk_add!("s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"),
            "vstmia {a}!, {{s16-s23}}\n",
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        walk_add!("{{s0-s7}}", concat!(
            "vldmia {a}, {{s16-s23}}\nvldmia {b}!, {{s24-s31}}\n",
            walk_add!("s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"),
            "vstmia {a}!, {{s16-s23}}\n",
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        walk_add!("{{s0-s3}}", concat!(
            "vldmia {a}, {{s16-s19}}\nvldmia {b}!, {{s24-s27}}\n",
            lanes!("s16" "s24" "s0", "s17" "s25" "s1", "s18" "s26" "s2", "s19" "s27" "s3"),
            "vstmia {a}!, {{s16-s19}}\n",
        ), 4, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        walk_add!("{{s0}}", concat!(
            "vldmia {a}, {{s16}}\nvldmia {b}!, {{s24}}\n",
            lanes!("s16" "s24" "s0"),
            "vstmia {a}!, {{s16}}\n",
        ), 1, $($walk)+)
    };
    ($s0:literal $s1:literal $s2:literal $s3:literal $s4:literal $s5:literal $s6:literal $s7:literal) => {
        lanes!(
            "s16" "s24" $s0, "s17" "s25" $s1, "s18" "s26" $s2, "s19" "s27" $s3,
            "s20" "s28" $s4, "s21" "s29" $s5, "s22" "s30" $s6, "s23" "s31" $s7,
        )
    };
    ($factors:literal, $tap:expr, $size:literal, $walk:ident, $a:ident, $b:ident, $f:ident) => {
        walk!(concat!("vldmia {f}, ", $factors), $tap, "", $walk, $a($size), $b($size), $f)
    };
}

macro_rules! tile_sum {
    ($walk:ident, $a:ident, $b:ident, $f:ident) => {
        walk!("vldmia {f}, {{s0-s7}}", concat!(
            "vldmia {a}!, {{s16-s23}}\nvldr s24, [{b}]\n",
            lanes!(
                "s0" "s16" "s24", "s1" "s17" "s24", "s2" "s18" "s24", "s3" "s19" "s24",
                "s4" "s20" "s24", "s5" "s21" "s24", "s6" "s22" "s24", "s7" "s23" "s24",
            ),
        ), "vstmia {f}, {{s0-s7}}", $walk, $a(8), $b(0), $f)
    };
}

macro_rules! tile_transposed {
    ($walk:ident, $a:ident, $b:ident, $f:ident) => {
        walk!("vldmia {f}, {{s0-s7}}", concat!(
            "vldmia {a}!, {{s16-s23}}\nvldr s24, [{b}]\n",
            lanes!(
                "s24" "s16" "s0", "s24" "s17" "s1", "s24" "s18" "s2", "s24" "s19" "s3",
                "s24" "s20" "s4", "s24" "s21" "s5", "s24" "s22" "s6", "s24" "s23" "s7",
            ),
            "vstr s24, [{b}]\n",
        ), "", $walk, $a(8), $b(0), $f)
    };
}

macro_rules! tile_outer {
    ($walk:ident, $a:ident, $b:ident, $f:ident) => {
        walk!("vldmia {f}, {{s0-s7}}", concat!(
            "vldmia {a}, {{s16-s23}}\nvldr s24, [{b}]\n",
            lanes!(
                "s16" "s0" "s24", "s17" "s1" "s24", "s18" "s2" "s24", "s19" "s3" "s24",
                "s20" "s4" "s24", "s21" "s5" "s24", "s22" "s6" "s24", "s23" "s7" "s24",
            ),
            "vstmia {a}!, {{s16-s23}}\n",
        ), "", $walk, $a(8), $b(0), $f)
    };
}

/// Sums start with those of `start`, or go on with those in `output`.
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
        // SAFETY: `rows_fit`: input.len() floats are read at `input` and at each row, and the sums at `from`, inside of the slices.
        unsafe {
            along!(dot, "!", not_stored, sums4, ("w0", "s16"), ("w1", "s17"), ("w2", "s18"), ("w3", "s19");
                    n = inout(reg) input.len() => _, v = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    from = in(reg) from, f = in(reg) block.as_mut_ptr(),);
        }
        from = from.wrapping_add(4);
    }
    for y in rest {
        // SAFETY: as above.
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
            // SAFETY: `rows_fit`: d_input.len() floats are read at each row, read and written at `d_input`.
            unsafe {
                along!(add, "", stored, factors4, ("w0", "s16"), ("w1", "s17"), ("w2", "s18"), ("w3", "s19");
                    n = inout(reg) d_input.len() => _, v = inout(reg) d_input.as_mut_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    f = in(reg) block.as_ptr(),);
            }
        }
        for g in rest {
            // SAFETY: as above.
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
            // SAFETY: `rows_fit`: input.len() floats are read at `input`, read and written at each row.
            unsafe {
                along!(update, "!", not_stored, factors4, ("w0", "s16"), ("w1", "s17"), ("w2", "s18"), ("w3", "s19");
                    n = inout(reg) input.len() => _, v = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    f = in(reg) block.as_ptr(),);
            }
        }
        for g in rest {
            // SAFETY: as above.
            unsafe {
                along!(update, "!", not_stored, factor1, ("w0", "s16");
                    n = inout(reg) input.len() => _, v = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) row => _, f = in(reg) g,);
            }
            row = row.wrapping_add(stride);
        }
    }

    #[inline(never)]
    fn walk_sum(walk: &Walk, sums: &mut [f32], a: &[f32], b: &[f32]) {
        if !walk.fits([a.len(), b.len(), sums.len()], [walk.channels; 2]) {
            return;
        }
        let (a, b, f) = (a.as_ptr(), b.as_ptr(), sums.as_mut_ptr());
        // SAFETY: `fits`: so many floats are read at every tap of `a` and `b`; as many sums are read and written.
        unsafe { in_blocks!(walk_sum, walk, a, b, f: 16 8 4 1) }
    }

    #[inline(never)]
    fn walk_add(walk: &Walk, a: &mut [f32], b: &[f32], factors: &[f32]) {
        if !walk.fits([a.len(), b.len(), factors.len()], [walk.channels; 2]) {
            return;
        }
        let (a, b, f) = (a.as_mut_ptr(), b.as_ptr(), factors.as_ptr());
        // SAFETY: `fits`: so many floats are read at every tap of `b`, read and written at those of `a`.
        unsafe { in_blocks!(walk_add, walk, a, b, f: 16 8 4 1) }
    }

    #[inline(never)]
    fn tile_sum(walk: &Walk, sums: &mut [f32], tile: &[f32], x: &[f32]) {
        if walk.channels != 8 || !walk.fits([tile.len(), x.len(), sums.len()], [8, 1]) {
            return;
        }
        let (a, b, f) = (tile.as_ptr(), x.as_ptr(), sums.as_mut_ptr());
        // SAFETY: `fits`: eight floats are read at every tap of the tile and one of `x`; eight sums are read and written.
        unsafe { tile_sum!(walk, a, b, f) }
    }

    #[inline(never)]
    fn tile_transposed(walk: &Walk, tile: &[f32], x: &mut [f32], factors: &[f32]) {
        if walk.channels != 8 || !walk.fits([tile.len(), x.len(), factors.len()], [8, 1]) {
            return;
        }
        let (a, b, f) = (tile.as_ptr(), x.as_mut_ptr(), factors.as_ptr());
        // SAFETY: `fits`: eight floats are read at every tap of the tile, one is read and written at those of `x`.
        unsafe { tile_transposed!(walk, a, b, f) }
    }

    #[inline(never)]
    fn tile_outer(walk: &Walk, tile: &mut [f32], x: &[f32], factors: &[f32]) {
        if walk.channels != 8 || !walk.fits([tile.len(), x.len(), factors.len()], [8, 1]) {
            return;
        }
        let (a, b, f) = (tile.as_mut_ptr(), x.as_ptr(), factors.as_ptr());
        // SAFETY: `fits`: eight floats are read and written at every tap of the tile, one is read at those of `x`.
        unsafe { tile_outer!(walk, a, b, f) }
    }
}
