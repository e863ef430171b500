//! The passes for f32 with Helium (Cortex-M55, M85): four lanes, VFMA, VLDM of up to four vectors, tail-predicated ends.
//!
//! Per four rows: 14 instructions for 32 multiply-accumulates forward, 23 for 64 for the input gradient, 27 for 64 for the
//! weight gradient. Every weight must be loaded: with VLDRW alone the first could not fall below 16.
//! A tap of a depthwise convolution takes 11 for 16 channels, 13 for either gradient; a tap of a first layer 7 for eight
//! outputs, 12 for the input gradient, 8 for the weight gradient.
//! VFMA rounds once where the portable body rounds twice, and the forward pass adds four partial sums: results differ from
//! the portable ones by less than the error bound of the operators. Held by: `float/passes`
//! and the recorded cases of the conformance firmware.

use core::arch::{asm, naked_asm};

use super::Walk;
use crate::Number;

/// Whether every row that will be read lies in the weights: all that the pointers below need.
#[inline(always)]
fn rows_fit(weights: usize, stride: usize, rows: usize, length: usize) -> bool {
    rows > 0 && length > 0 && weights >= (rows - 1) * stride + length
}

/// Stands first in every naked function: where bitcode is written for link-time optimisation the assembler does not hear
/// of the compiler's target-cpu.
macro_rules! helium {
    () => {
        ".cpu cortex-m55"
    };
}

/// Eight columns of four rows at r7 to r10, with those of the input at r6: q4 to q7 += …; `$first` starts the sums.
macro_rules! dot {
    ($first:literal) => {
        concat!(
            "vldmia r6!, {{d0-d3}}\n",
            dot!($first, "r7", "q4"),
            dot!($first, "r8", "q5"),
            dot!($first, "r9", "q6"),
            dot!($first, "r10", "q7"),
        )
    };
    ($first:literal, $row:literal, $sums:literal) => {
        concat!(
            concat!("vldmia ", $row, "!, {{d4-d7}}\n"),
            concat!($first, ".f32 ", $sums, ", q2, q0\n"),
            concat!("vfma.f32 ", $sums, ", q3, q1\n"),
        )
    };
}

/// `y[o] = from[o] + Σ_i w[o, i] · x[i]`, `blocks` times four outputs; the stride in bytes.
///
/// # Safety
/// All rows and `x` hold `n` floats, `y` and `from` four per block; they may be one.
#[unsafe(naked)]
unsafe extern "C" fn dot_blocks(
    w: *const f32,
    stride: usize,
    x: *const f32,
    n: usize,
    y: *mut f32,
    blocks: usize,
    from: *const f32,
) {
    naked_asm!(
        helium!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "sub sp, #64",
        "ldrd r4, r5, [sp, #164]",
        "ldr r11, [sp, #172]",
        "and r12, r3, #7",
        "lsrs r3, r3, #3",
        "2:",
        "mov r6, r2",
        "mov r7, r0",
        "add r8, r7, r1",
        "add r9, r8, r1",
        "add r10, r9, r1",
        "add r0, r10, r1",
        "subs lr, r3, #1",
        "bmi 7f",
        dot!("vmul"),
        "wls lr, lr, 4f",
        "3:",
        dot!("vfma"),
        "le lr, 3b",
        "4:",
        "wlstp.32 lr, r12, 6f",
        "5:",
        "vldrw.u32 q0, [r6], #16",
        "vldrw.u32 q1, [r7], #16",
        "vfma.f32 q4, q1, q0",
        "vldrw.u32 q1, [r8], #16",
        "vfma.f32 q5, q1, q0",
        "vldrw.u32 q1, [r9], #16",
        "vfma.f32 q6, q1, q0",
        "vldrw.u32 q1, [r10], #16",
        "vfma.f32 q7, q1, q0",
        "letp lr, 5b",
        "6:",
        // Four lanes of four rows, transposed through memory: the sums of the rows side by side.
        "vstmia sp, {{d8-d15}}",
        "vld40.32 {{q0, q1, q2, q3}}, [sp]",
        "vld41.32 {{q0, q1, q2, q3}}, [sp]",
        "vld42.32 {{q0, q1, q2, q3}}, [sp]",
        "vld43.32 {{q0, q1, q2, q3}}, [sp]",
        "vldrw.u32 q4, [r11], #16",
        "vadd.f32 q0, q0, q1",
        "vadd.f32 q2, q2, q3",
        "vadd.f32 q4, q4, q0",
        "vadd.f32 q4, q4, q2",
        "vstrw.32 q4, [r4], #16",
        "subs r5, #1",
        "bne 2b",
        "add sp, #64",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        // Less than eight columns.
        "7:",
        "vmov.i32 q4, #0",
        "vmov.i32 q5, #0",
        "vmov.i32 q6, #0",
        "vmov.i32 q7, #0",
        "b 4b",
    )
}

/// What the gradients share: for every block of four rows, at r5 to r8 with their factors in r0 to r3, sixteen columns at
/// a time of the rows and of the vector at r4, then the rest of them in fours.
macro_rules! gradient {
    ($wide:expr, $narrow:expr) => {
        naked_asm!(
            helium!(),
            "push {{r0-r11, lr}}", // The stride lies at 68, the vector at 72 of what follows.
            "vpush {{d8-d15}}",
            "mov r11, r0",
            "lsr r9, r3, #4",
            "and r10, r3, #15",
            "ldr r12, [sp, #116]",
            "2:",
            "ldrd r0, r4, [sp, #68]",
            "mov r5, r11",
            "add r6, r5, r0",
            "add r7, r6, r0",
            "add r8, r7, r0",
            "add r11, r8, r0",
            "ldmia r12!, {{r0-r3}}",
            "wls lr, r9, 4f",
            "3:",
            $wide,
            "le lr, 3b",
            "4:",
            "wlstp.32 lr, r10, 6f",
            "5:",
            $narrow,
            "letp lr, 5b",
            "6:",
            "ldr r0, [sp, #120]",
            "subs r0, #1",
            "str r0, [sp, #120]",
            "bne 2b",
            "vpop {{d8-d15}}",
            "add sp, #16",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// Four vectors of a row, times its factor, to those of the input gradient in q0 to q3.
macro_rules! add {
    ($row:literal, $factor:literal) => {
        concat!(
            concat!("vldmia ", $row, "!, {{d8-d15}}\n"),
            concat!("vfma.f32 q0, q4, ", $factor, "\n"),
            concat!("vfma.f32 q1, q5, ", $factor, "\n"),
            concat!("vfma.f32 q2, q6, ", $factor, "\n"),
            concat!("vfma.f32 q3, q7, ", $factor, "\n"),
        )
    };
}

/// Four vectors of the input, in q0 to q3, times the row's factor, to the row.
macro_rules! update {
    ($row:literal, $factor:literal) => {
        concat!(
            concat!("vldmia ", $row, ", {{d8-d15}}\n"),
            concat!("vfma.f32 q4, q0, ", $factor, "\n"),
            concat!("vfma.f32 q5, q1, ", $factor, "\n"),
            concat!("vfma.f32 q6, q2, ", $factor, "\n"),
            concat!("vfma.f32 q7, q3, ", $factor, "\n"),
            concat!("vstmia ", $row, "!, {{d8-d15}}\n"),
        )
    };
}

/// `dx[i] += Σ_o g[o] · w[o, i]`, `blocks` times four outputs; the stride in bytes.
///
/// # Safety
/// All rows and `dx` hold `n` floats, `g` four per block.
#[unsafe(naked)]
unsafe extern "C" fn add_blocks(w: *const f32, stride: usize, dx: *mut f32, n: usize, g: *const f32, blocks: usize) {
    gradient!(
        concat!(
            "vldmia r4, {{d0-d7}}\n",
            add!("r5", "r0"),
            add!("r6", "r1"),
            add!("r7", "r2"),
            add!("r8", "r3"),
            "vstmia r4!, {{d0-d7}}\n",
        ),
        concat!(
            "vldrw.u32 q0, [r4]\n",
            "vldrw.u32 q1, [r5], #16\n",
            "vfma.f32 q0, q1, r0\n",
            "vldrw.u32 q1, [r6], #16\n",
            "vfma.f32 q0, q1, r1\n",
            "vldrw.u32 q1, [r7], #16\n",
            "vfma.f32 q0, q1, r2\n",
            "vldrw.u32 q1, [r8], #16\n",
            "vfma.f32 q0, q1, r3\n",
            "vstrw.32 q0, [r4], #16\n",
        )
    )
}

/// `w[o, i] += g[o] · x[i]`, `blocks` times four outputs; the stride in bytes.
///
/// # Safety
/// All rows and `x` hold `n` floats, `g` four per block.
#[unsafe(naked)]
unsafe extern "C" fn update_blocks(w: *mut f32, stride: usize, x: *const f32, n: usize, g: *const f32, blocks: usize) {
    gradient!(
        concat!(
            "vldmia r4!, {{d0-d7}}\n",
            update!("r5", "r0"),
            update!("r6", "r1"),
            update!("r7", "r2"),
            update!("r8", "r3"),
        ),
        concat!(
            "vldrw.u32 q0, [r4], #16\n",
            "vldrw.u32 q1, [r5]\n",
            "vfma.f32 q1, q0, r0\n",
            "vstrw.32 q1, [r5], #16\n",
            "vldrw.u32 q1, [r6]\n",
            "vfma.f32 q1, q0, r1\n",
            "vstrw.32 q1, [r6], #16\n",
            "vldrw.u32 q1, [r7]\n",
            "vfma.f32 q1, q0, r2\n",
            "vstrw.32 q1, [r7], #16\n",
            "vldrw.u32 q1, [r8]\n",
            "vfma.f32 q1, q0, r3\n",
            "vstrw.32 q1, [r8], #16\n",
        )
    )
}

/// Walks a rectangle of pixels: `$pixel` at each, with pointers into two images and one at what stays in registers.
macro_rules! walk {
    ($before:expr, $pixel:expr, $after:expr, $walk:ident, $a:expr, $read_a:literal, $b:expr, $read_b:literal, $f:expr
     $(, $value:ident)?) => {{
        let ([step_a, pitch_a], [step_b, pitch_b]) = ($walk.skips(0, $read_a), $walk.skips(1, $read_b));
        asm!(
            $before,
            "2:",
            "dls lr, {columns}",
            "3:",
            $pixel,
            "add {a}, {a}, {step_a}",
            "add {b}, {b}, {step_b}",
            "le lr, 3b",
            "add {a}, {a}, {pitch_a}",
            "add {b}, {b}, {pitch_b}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            $after,
            a = inout(reg) $a => _, b = inout(reg) $b => _, f = in(reg) $f,
            rows = inout(reg) $walk.rows => _, columns = in(reg) $walk.columns, out("lr") _,
            step_a = in(reg) step_a, step_b = in(reg) step_b, pitch_a = in(reg) pitch_a, pitch_b = in(reg) pitch_b,
            $($value = out(reg) _,)?
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _, out("s28") _, out("s29") _, out("s30") _, out("s31") _,
            options(nostack),
        );
    }};
}

/// Sums in `q0 …`.
macro_rules! walk_sum {
    (16, $($walk:tt)+) => {
        walk_sum!("{{d0-d7}}", concat!(
            "vldmia {a}!, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q0, q4, q6\nvfma.f32 q1, q5, q7\n",
            "vldmia {a}!, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q2, q4, q6\nvfma.f32 q3, q5, q7\n",
        ), 16, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        walk_sum!("{{d0-d1}}", "vldrw.u32 q4, [{a}]\nvldrw.u32 q5, [{b}]\nvfma.f32 q0, q4, q5", 0, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        walk_sum!("{{s0}}", "vldr s16, [{a}]\nvldr s20, [{b}]\nvfma.f32 s0, s16, s20", 0, $($walk)+)
    };
    ($sums:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $sums), $pixel, concat!("vstmia {f}, ", $sums), $walk, $a, $read, $b, $read, $f)
    };
}

/// Factors in `q0 …`.
macro_rules! walk_add {
    (16, $($walk:tt)+) => {
        walk_add!("{{d0-d7}}", concat!(
            "vldmia {a}, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q4, q6, q0\nvfma.f32 q5, q7, q1\n",
            "vstmia {a}!, {{d8-d11}}\n",
            "vldmia {a}, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q4, q6, q2\nvfma.f32 q5, q7, q3\n",
            "vstmia {a}!, {{d8-d11}}\n",
        ), 16, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        walk_add!(
            "{{d0-d1}}", "vldrw.u32 q4, [{a}]\nvldrw.u32 q5, [{b}]\nvfma.f32 q4, q5, q0\nvstrw.32 q4, [{a}]", 0, $($walk)+
        )
    };
    (1, $($walk:tt)+) => {
        walk_add!(
            "{{s0}}", "vldr s16, [{a}]\nvldr s20, [{b}]\nvfma.f32 s16, s20, s0\nvstr s16, [{a}]", 0, $($walk)+
        )
    };
    ($factors:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $factors), $pixel, "", $walk, $a, $read, $b, $read, $f)
    };
}

/// Sums in `q0 …`.
macro_rules! spread_sum {
    (16, $($walk:tt)+) => {
        spread_sum!("{{d0-d7}}", concat!(
            "vldmia {a}!, {{d8-d15}}\nldr {x}, [{b}]\n",
            "vfma.f32 q0, q4, {x}\nvfma.f32 q1, q5, {x}\nvfma.f32 q2, q6, {x}\nvfma.f32 q3, q7, {x}\n",
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        spread_sum!("{{d0-d3}}", concat!(
            "vldmia {a}!, {{d8-d11}}\nldr {x}, [{b}]\n",
            "vfma.f32 q0, q4, {x}\nvfma.f32 q1, q5, {x}\n",
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        spread_sum!("{{d0-d1}}", "vldrw.u32 q4, [{a}]\nldr {x}, [{b}]\nvfma.f32 q0, q4, {x}", 0, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        spread_sum!("{{s0}}", "vldr s16, [{a}]\nldr {x}, [{b}]\nvmov s20, {x}\nvfma.f32 s0, s16, s20", 0, $($walk)+)
    };
    ($sums:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $sums), $pixel, concat!("vstmia {f}, ", $sums), $walk, $a, $read, $b, 0, $f, x)
    };
}

/// Factors in `q0 …`.
macro_rules! spread_add {
    (16, $($walk:tt)+) => {
        spread_add!("{{d0-d7}}", concat!(
            "vldmia {a}, {{d8-d15}}\nldr {x}, [{b}]\n",
            "vfma.f32 q4, q0, {x}\nvfma.f32 q5, q1, {x}\nvfma.f32 q6, q2, {x}\nvfma.f32 q7, q3, {x}\n",
            "vstmia {a}!, {{d8-d15}}\n",
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        spread_add!("{{d0-d3}}", concat!(
            "vldmia {a}, {{d8-d11}}\nldr {x}, [{b}]\n",
            "vfma.f32 q4, q0, {x}\nvfma.f32 q5, q1, {x}\n",
            "vstmia {a}!, {{d8-d11}}\n",
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        spread_add!(
            "{{d0-d1}}", "vldrw.u32 q4, [{a}]\nldr {x}, [{b}]\nvfma.f32 q4, q0, {x}\nvstrw.32 q4, [{a}]", 0, $($walk)+
        )
    };
    (1, $($walk:tt)+) => {
        spread_add!(
            "{{s0}}", "vldr s16, [{a}]\nldr {x}, [{b}]\nvmov s20, {x}\nvfma.f32 s16, s20, s0\nvstr s16, [{a}]", 0, $($walk)+
        )
    };
    ($factors:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $factors), $pixel, "", $walk, $a, $read, $b, 0, $f, x)
    };
}

/// Factors in `q0 …`; the lanes are added up.
macro_rules! gather_add {
    (16, $($walk:tt)+) => {
        gather_add!("{{d0-d7}}", concat!(
            "vldmia {a}!, {{d8-d15}}\n",
            "vmul.f32 q4, q4, q0\nvfma.f32 q4, q5, q1\nvfma.f32 q4, q6, q2\nvfma.f32 q4, q7, q3\n",
            "vldr s24, [{b}]\n",
            gather_add!(),
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        gather_add!("{{d0-d3}}", concat!(
            "vldmia {a}!, {{d8-d11}}\nvldr s24, [{b}]\n",
            "vmul.f32 q4, q4, q0\nvfma.f32 q4, q5, q1\n",
            gather_add!(),
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        gather_add!("{{d0-d1}}", concat!(
            "vldmia {a}!, {{d8-d9}}\nvldr s24, [{b}]\n",
            "vmul.f32 q4, q4, q0\n",
            gather_add!(),
        ), 4, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        gather_add!("{{s0}}", "vldr s16, [{a}]\nvldr s24, [{b}]\nvfma.f32 s24, s16, s0\nvstr s24, [{b}]", 0, $($walk)+)
    };
    () => {
        concat!(
            "vadd.f32 s16, s16, s17\nvadd.f32 s18, s18, s19\n",
            "vadd.f32 s24, s24, s16\nvadd.f32 s24, s24, s18\n",
            "vstr s24, [{b}]\n",
        )
    };
    ($factors:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $factors), $pixel, "", $walk, $a, $read, $b, 0, $f)
    };
}

/// Sums start with those of `start`, or go on with those in `output`.
#[inline(never)]
fn rows_dot_from(weights: &[f32], stride: usize, input: &[f32], start: Option<&[f32]>, output: &mut [f32]) {
    let from = start.map_or(output.as_ptr(), |start| start.as_ptr());
    let started = start.is_none_or(|start| start.len() >= output.len());
    if !started || !rows_fit(weights.len(), stride, output.len(), input.len()) {
        return;
    }
    let (blocks, rest) = output.as_chunks_mut::<4>();
    if !blocks.is_empty() {
        let (y, n) = (blocks.as_mut_ptr().cast(), input.len());
        // SAFETY: `rows_fit`: n floats are read at `input` and at each row; four sums per block, there and at `from`.
        unsafe { dot_blocks(weights.as_ptr(), 4 * stride, input.as_ptr(), n, y, blocks.len(), from) }
    }
    let mut from = from.wrapping_add(4 * blocks.len());
    let mut row = weights.as_ptr().wrapping_add(4 * blocks.len() * stride);
    for y in rest {
        // SAFETY: `rows_fit`: input.len() floats are read at `input` and at the row, one at `from`.
        unsafe {
            asm!(
                "vmov.i32 q2, #0",
                "dlstp.32 lr, {n}",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vldrw.u32 q1, [{w}], #16",
                "vfma.f32 q2, q1, q0",
                "letp lr, 2b",
                "vldr s0, [{from}]",
                "vadd.f32 s8, s8, s9",
                "vadd.f32 s10, s10, s11",
                "vadd.f32 s0, s0, s8",
                "vadd.f32 s0, s0, s10",
                "vstr s0, [{y}]",
                n = in(reg) input.len(), x = inout(reg) input.as_ptr() => _, w = inout(reg) row => _, y = in(reg) y, from = in(reg) from,
                out("lr") _,
                out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                out("s8") _, out("s9") _, out("s10") _, out("s11") _,
                options(nostack),
            );
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
        let (blocks, rest) = d_output.as_chunks::<4>();
        if !blocks.is_empty() {
            let (g, n) = (blocks.as_ptr().cast(), d_input.len());
            // SAFETY: `rows_fit`: n floats are read at each row, read and written at `d_input`; four factors per block.
            unsafe { add_blocks(weights.as_ptr(), 4 * stride, d_input.as_mut_ptr(), n, g, blocks.len()) }
        }
        let mut row = weights.as_ptr().wrapping_add(4 * blocks.len() * stride);
        for &g in rest {
            // SAFETY: `rows_fit`, for one row.
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
        let (blocks, rest) = d_output.as_chunks::<4>();
        if !blocks.is_empty() {
            let (g, n) = (blocks.as_ptr().cast(), input.len());
            // SAFETY: `rows_fit`: n floats are read at `input`, read and written at each row; four factors per block.
            unsafe { update_blocks(weights.as_mut_ptr(), 4 * stride, input.as_ptr(), n, g, blocks.len()) }
        }
        let mut row = weights.as_mut_ptr().wrapping_add(4 * blocks.len() * stride);
        for &g in rest {
            // SAFETY: `rows_fit`, for one row.
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

    walking_passes!(walk [16 4 1], spread [16 8 4 1]);
}
