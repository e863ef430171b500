//! Sums and products of two tensors: four elements at a time in lanes of 32 bits, eight where the products are of halfwords.
//!
//! - VRMULH is the rounded high word of a product, VQRDMULH of the doubled one; VQDMLAH by 1 adds −1 to what is negative, after which
//!   VRSHL's halves go away from zero. Where nothing is shifted it has to add 0.
//! - An operand that stays where it is along a run is read over and over from a vector that is full of it.
//! - Every lane of a vector is read before its output is written, so that the output may start where an operand does, or before.
//! - Held by: every pair of int8, and random layers against the oracle, on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use smolnn_core::ShapeError;

use super::vector::helium;
use crate::element::Element;
use crate::elementwise::{Add, AddInt16, Mul, Pairs, RunPlan, mul_portable};
use crate::quantise::Multiplier;
use crate::tensors::{Operands, Source};

/// A run of elements. The assembly knows the order of the fields.
#[repr(C)]
struct Run<T> {
    left: *const T,
    right: *const T,
    output: *mut T,
    /// Bytes from one vector of the left operand to the next, and of the right one; 0 where it stays where it is.
    left_step: usize,
    right_step: usize,
    length: usize,
}

/// What a loop keeps in registers: r5 to r10, and in all lanes of q2 to q5.
#[repr(C)]
struct Constants {
    words: [i32; 6],
    splats: [i32; 4],
}

/// A loop over a run.
type Body<T> = unsafe extern "C" fn(&Run<T>, &Constants);

/// Calls `body`, which takes `lanes` elements at a time, for every run. With `SWAPS` it sees the right operand as the left one.
#[inline(always)]
fn for_each_run<T: Element, const SWAPS: bool>(
    pairs: &impl Pairs,
    mut operands: impl Operands<T>,
    lanes: usize,
    body: Body<T>,
    constants: &Constants,
) -> Result<(), ShapeError> {
    let [left, right, output] = pairs.lengths();
    operands.check(left, right, output)?;
    let (left, right, output) = operands.split();
    let RunPlan { length, moves, starts } = pairs.run_plan();
    for ([left_at, right_at], output) in starts.zip(output.chunks_exact(length.max(1))) {
        let firsts = [left.pointer().wrapping_add(left_at), right.pointer().wrapping_add(right_at)];
        // SAFETY: both operands have an element where a run starts: their lengths are those of `pairs`.
        let splats = firsts.map(|first| unsafe { [*first; 8] });
        let [left, right] = [0, 1].map(|operand: usize| {
            if moves[operand] { (firsts[operand], lanes * size_of::<T>()) } else { (splats[operand].as_ptr(), 0) }
        });
        let (left, right) = if SWAPS { (right, left) } else { (left, right) };
        let output = output.as_ptr().cast_mut().cast();
        let run = Run { left: left.0, right: right.0, output, left_step: left.1, right_step: right.1, length };
        // SAFETY: the run lies in the tensors, whose lengths are those of `pairs`, and a splat has as many lanes as a vector at
        // least. The output may be written, since it is in cells.
        unsafe { body(&run, constants) };
    }
    Ok(())
}

/// What VQDMLAH takes and what VRSHL shifts by, for a multiplier of 1 at most.
const fn shift(multiplier: Multiplier) -> [i32; 2] {
    [(multiplier.shift < 0) as i32, multiplier.shift]
}

/// Two halfwords of one value.
const fn halves(value: i32) -> i32 {
    (value & 0xFFFF) | value << 16
}

/// Runs an int8 sum whose multiplier shifts to the right.
#[inline(never)]
pub(super) fn add<P: Pairs>(layer: &Add<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
    let [correction, shift] = shift(layer.multiplier);
    let output = &layer.output;
    let table = layer.table.as_ptr().expose_provenance() as i32;
    let constants = Constants {
        words: [table, layer.factor, correction, shift, output.zero_point, 0],
        splats: [output.minimum, output.maximum, layer.multiplier.mantissa, 0],
    };
    if layer.table_is_left {
        for_each_run::<i8, false>(&layer.pairs, operands, 4, add_int8_run, &constants)
    } else {
        for_each_run::<i8, true>(&layer.pairs, operands, 4, add_int8_run, &constants)
    }
}

/// Runs an int16 sum whose multiplier shifts to the right.
#[inline(never)]
pub(super) fn add_int16<P: Pairs>(layer: &AddInt16<P>, operands: impl Operands<i16>) -> Result<(), ShapeError> {
    let [small_correction, small_shift] = shift(layer.small);
    let [correction, shift] = shift(layer.multiplier);
    let constants = Constants {
        words: [small_correction, small_shift, layer.factor, 2 * layer.small_sign, correction, shift],
        splats: [layer.output.minimum, layer.output.maximum, layer.small.mantissa, layer.multiplier.mantissa],
    };
    if layer.small_is_left {
        for_each_run::<i16, false>(&layer.pairs, operands, 4, add_int16_run, &constants)
    } else {
        for_each_run::<i16, true>(&layer.pairs, operands, 4, add_int16_run, &constants)
    }
}

/// Runs a product: with vectors where the multiplier shifts nothing to the left and the clamp lies in the type.
#[inline(always)]
pub(super) fn mul<T: Element, P: Pairs>(layer: &Mul<P>, operands: impl Operands<T>) -> Result<(), ShapeError> {
    let output = &layer.output;
    let is_int8 = T::LEAST == i8::MIN.into();
    let is_int16 =
        T::LEAST == i16::MIN.into() && (layer.left_zero_point, layer.right_zero_point, output.zero_point) == (0, 0, 0);
    let in_type = T::LEAST <= output.minimum && output.minimum <= output.maximum && output.maximum <= T::LARGEST;
    if (is_int8 || is_int16) && in_type && layer.multiplier.shift <= 0 {
        mul_vectors(layer, operands, if is_int8 { mul_int8_run } else { mul_int16_run })
    } else {
        mul_portable(layer, operands)
    }
}

/// Runs a product with the loop of its type.
#[inline(never)]
fn mul_vectors<T: Element, P: Pairs>(
    layer: &Mul<P>,
    operands: impl Operands<T>,
    body: Body<T>,
) -> Result<(), ShapeError> {
    let [correction, shift] = shift(layer.multiplier);
    let Mul { left_zero_point, right_zero_point, multiplier, ref output, .. } = *layer;
    let constants = Constants {
        words: [left_zero_point, right_zero_point, multiplier.mantissa, correction, shift, output.zero_point],
        splats: [halves(output.minimum), halves(output.maximum), 0, 0],
    };
    for_each_run::<T, false>(&layer.pairs, operands, 8, body, &constants)
}

// In every loop:
//
// | register | holds                          | register | holds                              |
// |----------|--------------------------------|----------|------------------------------------|
// | r0, r1   | next of left and right operand | r5-r10   | `words`, as the loop's table says  |
// | r2       | next output                    | r11      | elements                           |
// | r3, r4   | `left_step`, `right_step`      | q2, q3   | the clamp                          |
// | lr       | elements that are left         | q0, q1   | elements and results               |
macro_rules! loop_over_run {
    ($($line:literal),*) => {
        naked_asm!(
            helium!(),
            "push {{r4-r11, lr}}",
            "vpush {{d8-d11}}",
            "ldm.w r1!, {{r5, r6, r7, r8, r9, r10}}",
            "ldm.w r1, {{r1, r2, r3, r4}}",
            "vdup.32 q2, r1",
            "vdup.32 q3, r2",
            "vdup.32 q4, r3",
            "vdup.32 q5, r4",
            "ldm.w r0, {{r0, r1, r2, r3, r4, r11}}",
            $($line,)*
            "vpop {{d8-d11}}",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// The sum of a run: the left operand's terms come from the table.
///
/// # Safety
/// The operands of the run can be read, and its output written.
//
// | register | holds           | register | holds               |
// |----------|-----------------|----------|---------------------|
// | r5       | the table       | r8       | the shift, negative |
// | r6       | `factor`        | r9       | the zero point      |
// | r7       | the correction  | q4       | the mantissa        |
#[unsafe(naked)]
unsafe extern "C" fn add_int8_run(run: &Run<i8>, constants: &Constants) {
    loop_over_run!(
        "dlstp.32 lr, r11",
        "2:",
        "vldrb.u32 q1, [r0]",
        "add r0, r3",
        "vldrw.u32 q0, [r5, q1, uxtw #2]",
        "vldrb.s32 q1, [r1]",
        "add r1, r4",
        "vmla.i32 q0, q1, r6",
        "vrmulh.s32 q0, q0, q4",
        "vqdmlah.s32 q0, q0, r7",
        "vrshl.s32 q0, r8",
        "vadd.i32 q0, q0, r9",
        "vmax.s32 q0, q0, q2",
        "vmin.s32 q0, q0, q3",
        "vstrb.32 q0, [r2], #4",
        "letp lr, 2b"
    )
}

/// The sum of a run: the left operand is the one with the smaller scale.
///
/// # Safety
/// The operands of the run can be read, and its output written.
//
// | register | holds                                             | register | holds                             |
// |----------|---------------------------------------------------|----------|-----------------------------------|
// | r5, r6   | the smaller operand's correction, shift, negative | r9, r10  | the sum's                         |
// | r7, r8   | `factor`, twice `small_sign`                      | q4, q5   | the smaller operand's, the sum's mantissa |
#[unsafe(naked)]
unsafe extern "C" fn add_int16_run(run: &Run<i16>, constants: &Constants) {
    loop_over_run!(
        "dlstp.32 lr, r11",
        "2:",
        "vldrh.s32 q0, [r0]",
        "add r0, r3",
        "vshl.i32 q0, q0, #16",
        "vrmulh.s32 q0, q0, q4",
        "vqdmlah.s32 q0, q0, r5",
        "vldrh.s32 q1, [r1]",
        "vrshl.s32 q0, r6",
        "add r1, r4",
        "vmul.i32 q1, q1, r7",
        "vmla.i32 q1, q0, r8",
        "vrmulh.s32 q1, q1, q5",
        "vqdmlah.s32 q1, q1, r9",
        "vrshl.s32 q1, r10",
        "vmax.s32 q1, q1, q2",
        "vmin.s32 q1, q1, q3",
        "vstrh.32 q1, [r2], #8",
        "letp lr, 2b"
    )
}

/// The products of a run: what loads a vector of each operand and takes the zero points off, and what adds the output's and stores.
/// Products of even and odd elements have 32 bits: under the loop's own predicate, of halfwords, the last of an odd number would
/// lose half of them.
//
// | register | holds                                | register | holds                        |
// |----------|--------------------------------------|----------|------------------------------|
// | r5, r6   | zero points of left and right        | r9       | the shift, negative          |
// | r7       | the mantissa                         | r10      | the output's zero point      |
// | r8       | the correction                       | q4       | products of even elements    |
macro_rules! products {
    ([$($load:literal),*], [$($store:literal),*]) => {
        loop_over_run!(
            "2:",
            "vctp.16 r11",
            "vpstt",
            $($load,)*
            "add r0, r3",
            "add r1, r4",
            "vmullb.s16 q4, q0, q1",
            "vmullt.s16 q0, q0, q1",
            "vqrdmulh.s32 q4, q4, r7",
            "vqrdmulh.s32 q0, q0, r7",
            "vqdmlah.s32 q4, q4, r8",
            "vqdmlah.s32 q0, q0, r8",
            "vrshl.s32 q4, r9",
            "vrshl.s32 q0, r9",
            "vqmovnb.s32 q4, q4",
            "vqmovnt.s32 q4, q0",
            $($store,)*
            "subs r11, #8",
            "bgt 2b"
        )
    };
}

/// The product of a run.
///
/// # Safety
/// The operands of the run can be read, and its output written.
#[unsafe(naked)]
unsafe extern "C" fn mul_int8_run<T>(run: &Run<T>, constants: &Constants) {
    products!(
        ["vldrbt.s16 q0, [r0]", "vldrbt.s16 q1, [r1]", "vsub.i16 q0, q0, r5", "vsub.i16 q1, q1, r6"],
        ["vqadd.s16 q4, q4, r10", "vmax.s16 q4, q4, q2", "vmin.s16 q4, q4, q3", "vpst", "vstrbt.16 q4, [r2], #8"]
    )
}

/// The product of a run without zero points.
///
/// # Safety
/// The operands of the run can be read, and its output written.
#[unsafe(naked)]
unsafe extern "C" fn mul_int16_run<T>(run: &Run<T>, constants: &Constants) {
    products!(
        ["vldrht.u16 q0, [r0]", "vldrht.u16 q1, [r1]"],
        ["vmax.s16 q4, q4, q2", "vmin.s16 q4, q4, q3", "vpst", "vstrht.16 q4, [r2], #16"]
    )
}
