//! The passes for f32 on Cortex-M cores with a single-precision FPU: M4F, M7, M33, M55 without Helium.
//!
//! LLVM multiplies, adds and loads one float at a time: three instructions and more per multiply-accumulate. Here VMLA does
//! multiply and add (each rounded, as the portable body's are: same bits), and VLDM loads eight floats:
//! 39 instructions for 32 multiply-accumulates forward, 40 for the input gradient, 43 for the weight gradient.
//! Held by: bit-equality with the portable body on all lengths, in firmware (`float/passes` of conformance).

use core::arch::asm;

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
    fn products(sums: &mut [f32], a: &[f32], b: &[f32]) {
        if a.len() != sums.len() || b.len() != sums.len() {
            return;
        }
        // SAFETY: as many floats as `sums` has are read at `a` and `b`, read and written at `sums`.
        unsafe {
            asm!(
                "lsrs {steps}, {n}, #3",
                "beq 3f",
                "2:",
                "vldmia {sums}, {{s0-s7}}",
                "vldmia {a}!, {{s8-s15}}",
                "vldmia {b}!, {{s16-s23}}",
                "vmla.f32 s0, s8, s16",
                "vmla.f32 s1, s9, s17",
                "vmla.f32 s2, s10, s18",
                "vmla.f32 s3, s11, s19",
                "vmla.f32 s4, s12, s20",
                "vmla.f32 s5, s13, s21",
                "vmla.f32 s6, s14, s22",
                "vmla.f32 s7, s15, s23",
                "vstmia {sums}!, {{s0-s7}}",
                "subs {steps}, {steps}, #1",
                "bne 2b",
                "3:",
                "ands {n}, {n}, #7",
                "beq 5f",
                "4:",
                "vldmia {a}!, {{s8}}",
                "vldmia {b}!, {{s16}}",
                "vldr s0, [{sums}]",
                "vmla.f32 s0, s8, s16",
                "vstmia {sums}!, {{s0}}",
                "subs {n}, {n}, #1",
                "bne 4b",
                "5:",
                n = inout(reg) sums.len() => _, sums = inout(reg) sums.as_mut_ptr() => _,
                a = inout(reg) a.as_ptr() => _, b = inout(reg) b.as_ptr() => _, steps = out(reg) _,
                out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
                out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _,
                out("s23") _,
                options(nostack),
            );
        }
    }
}
