//! The passes for f32 with Helium (Cortex-M55, M85): four lanes, VFMA, tail-predicated loops.
//!
//! Per four lanes of four rows: 10 instructions for 16 multiply-accumulates forward, 11 for the input gradient, 14 for the
//! weight gradient. Every weight must be loaded, which bounds the first from below at 8.
//! VFMA rounds once where the portable body rounds twice, and the forward pass adds four partial sums: results differ from
//! the portable ones by less than the error bound of the operators. Held by: `float/passes`
//! and the recorded cases of the conformance firmware.

use core::arch::asm;
use core::mem::MaybeUninit;

use crate::Number;

/// Whether every row that will be read lies in the weights: all that the pointers below need.
#[inline(always)]
fn rows_fit(weights: usize, stride: usize, rows: usize, length: usize) -> bool {
    rows > 0 && length > 0 && weights >= (rows - 1) * stride + length
}

// One copy of each pass, not one per caller: the loops are long, and the callers keep their registers.
impl Number for f32 {
    #[inline(never)]
    fn rows_dot(weights: &[f32], stride: usize, input: &[f32], output: &mut [f32]) {
        if !rows_fit(weights.len(), stride, output.len(), input.len()) {
            return;
        }
        let mut row = weights.as_ptr();
        let (blocks, rest) = output.as_chunks_mut::<4>();
        for block in blocks {
            let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|k| row.wrapping_add(k * stride));
            row = row.wrapping_add(4 * stride);
            let mut sums = MaybeUninit::<[f32; 16]>::uninit();
            // SAFETY: `rows_fit`: input.len() floats are read at `input` and at each row; `sums` and `block` are 16 and 4.
            unsafe {
                asm!(
                    "vmov.i32 q2, #0",
                    "vmov.i32 q3, #0",
                    "vmov.i32 q4, #0",
                    "vmov.i32 q5, #0",
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{x}], #16",
                    "vldrw.u32 q1, [{w0}], #16",
                    "vfma.f32 q2, q1, q0",
                    "vldrw.u32 q1, [{w1}], #16",
                    "vfma.f32 q3, q1, q0",
                    "vldrw.u32 q1, [{w2}], #16",
                    "vfma.f32 q4, q1, q0",
                    "vldrw.u32 q1, [{w3}], #16",
                    "vfma.f32 q5, q1, q0",
                    "letp lr, 2b",
                    // Four lanes of four rows, transposed through memory: the sums of the rows side by side.
                    "vstrw.32 q2, [{sums}]",
                    "vstrw.32 q3, [{sums}, #16]",
                    "vstrw.32 q4, [{sums}, #32]",
                    "vstrw.32 q5, [{sums}, #48]",
                    "vld40.32 {{q0, q1, q2, q3}}, [{sums}]",
                    "vld41.32 {{q0, q1, q2, q3}}, [{sums}]",
                    "vld42.32 {{q0, q1, q2, q3}}, [{sums}]",
                    "vld43.32 {{q0, q1, q2, q3}}, [{sums}]",
                    "vldrw.u32 q4, [{y}]",
                    "vadd.f32 q0, q0, q1",
                    "vadd.f32 q2, q2, q3",
                    "vadd.f32 q4, q4, q0",
                    "vadd.f32 q4, q4, q2",
                    "vstrw.32 q4, [{y}]",
                    n = in(reg) input.len(), x = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    sums = in(reg) sums.as_mut_ptr(), y = in(reg) block.as_mut_ptr(), out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _,
                    out("s15") _, out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _,
                    out("s22") _, out("s23") _,
                    options(nostack),
                );
            }
        }
        for y in rest {
            // SAFETY: `rows_fit`: input.len() floats are read at `input` and at the row.
            unsafe {
                asm!(
                    "vmov.i32 q2, #0",
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{x}], #16",
                    "vldrw.u32 q1, [{w}], #16",
                    "vfma.f32 q2, q1, q0",
                    "letp lr, 2b",
                    "vldr s0, [{y}]",
                    "vadd.f32 s8, s8, s9",
                    "vadd.f32 s10, s10, s11",
                    "vadd.f32 s0, s0, s8",
                    "vadd.f32 s0, s0, s10",
                    "vstr s0, [{y}]",
                    n = in(reg) input.len(), x = inout(reg) input.as_ptr() => _, w = inout(reg) row => _, y = in(reg) y,
                    out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    out("s8") _, out("s9") _, out("s10") _, out("s11") _,
                    options(nostack),
                );
            }
            row = row.wrapping_add(stride);
        }
    }

    #[inline(never)]
    fn rows_transposed(weights: &[f32], stride: usize, d_output: &[f32], d_input: &mut [f32]) {
        if !rows_fit(weights.len(), stride, d_output.len(), d_input.len()) {
            return;
        }
        let mut row = weights.as_ptr();
        let (blocks, rest) = d_output.as_chunks::<4>();
        for &[g0, g1, g2, g3] in blocks {
            let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|k| row.wrapping_add(k * stride));
            row = row.wrapping_add(4 * stride);
            // SAFETY: `rows_fit`: d_input.len() floats are read at each row, read and written at `d_input`.
            unsafe {
                asm!(
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{dx}]",
                    "vldrw.u32 q1, [{w0}], #16",
                    "vfma.f32 q0, q1, {g0}",
                    "vldrw.u32 q1, [{w1}], #16",
                    "vfma.f32 q0, q1, {g1}",
                    "vldrw.u32 q1, [{w2}], #16",
                    "vfma.f32 q0, q1, {g2}",
                    "vldrw.u32 q1, [{w3}], #16",
                    "vfma.f32 q0, q1, {g3}",
                    "vstrw.32 q0, [{dx}], #16",
                    "letp lr, 2b",
                    n = in(reg) d_input.len(), dx = inout(reg) d_input.as_mut_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    g0 = in(reg) g0.to_bits(), g1 = in(reg) g1.to_bits(), g2 = in(reg) g2.to_bits(), g3 = in(reg) g3.to_bits(),
                    out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    options(nostack),
                );
            }
        }
        for &g in rest {
            // SAFETY: as above, for one row.
            unsafe {
                asm!(
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{dx}]",
                    "vldrw.u32 q1, [{w}], #16",
                    "vfma.f32 q0, q1, {g}",
                    "vstrw.32 q0, [{dx}], #16",
                    "letp lr, 2b",
                    n = in(reg) d_input.len(), dx = inout(reg) d_input.as_mut_ptr() => _, w = inout(reg) row => _,
                    g = in(reg) g.to_bits(), out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    options(nostack),
                );
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
        for &[g0, g1, g2, g3] in blocks {
            let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|k| row.wrapping_add(k * stride));
            row = row.wrapping_add(4 * stride);
            // SAFETY: `rows_fit`: input.len() floats are read at `input`, read and written at each row.
            unsafe {
                asm!(
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{x}], #16",
                    "vldrw.u32 q1, [{w0}]",
                    "vfma.f32 q1, q0, {g0}",
                    "vstrw.32 q1, [{w0}], #16",
                    "vldrw.u32 q1, [{w1}]",
                    "vfma.f32 q1, q0, {g1}",
                    "vstrw.32 q1, [{w1}], #16",
                    "vldrw.u32 q1, [{w2}]",
                    "vfma.f32 q1, q0, {g2}",
                    "vstrw.32 q1, [{w2}], #16",
                    "vldrw.u32 q1, [{w3}]",
                    "vfma.f32 q1, q0, {g3}",
                    "vstrw.32 q1, [{w3}], #16",
                    "letp lr, 2b",
                    n = in(reg) input.len(), x = inout(reg) input.as_ptr() => _,
                    w0 = inout(reg) w0 => _, w1 = inout(reg) w1 => _, w2 = inout(reg) w2 => _, w3 = inout(reg) w3 => _,
                    g0 = in(reg) g0.to_bits(), g1 = in(reg) g1.to_bits(), g2 = in(reg) g2.to_bits(), g3 = in(reg) g3.to_bits(),
                    out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    options(nostack),
                );
            }
        }
        for &g in rest {
            // SAFETY: as above, for one row.
            unsafe {
                asm!(
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{x}], #16",
                    "vldrw.u32 q1, [{w}]",
                    "vfma.f32 q1, q0, {g}",
                    "vstrw.32 q1, [{w}], #16",
                    "letp lr, 2b",
                    n = in(reg) input.len(), x = inout(reg) input.as_ptr() => _, w = inout(reg) row => _,
                    g = in(reg) g.to_bits(), out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    options(nostack),
                );
            }
            row = row.wrapping_add(stride);
        }
    }

    #[inline(never)]
    fn products(sums: &mut [f32], a: &[f32], b: &[f32]) {
        if sums.is_empty() || a.len() != sums.len() || b.len() != sums.len() {
            return;
        }
        // SAFETY: as many floats as `sums` has are read at `a` and `b`, read and written at `sums`.
        unsafe {
            asm!(
                "dlstp.32 lr, {n}",
                "2:",
                "vldrw.u32 q0, [{sums}]",
                "vldrw.u32 q1, [{a}], #16",
                "vldrw.u32 q2, [{b}], #16",
                "vfma.f32 q0, q1, q2",
                "vstrw.32 q0, [{sums}], #16",
                "letp lr, 2b",
                n = in(reg) sums.len(), sums = inout(reg) sums.as_mut_ptr() => _,
                a = inout(reg) a.as_ptr() => _, b = inout(reg) b.as_ptr() => _, out("lr") _,
                out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                out("s8") _, out("s9") _, out("s10") _, out("s11") _,
                options(nostack),
            );
        }
    }
}
