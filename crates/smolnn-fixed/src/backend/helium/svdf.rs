//! SVDF: every unit's filter over its histories, and the histories' step in time.
//! Held by: `svdf_*` goldens on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use super::copy::copy;
use super::vector::helium;
use crate::element::Element;
use crate::rnn::svdf::{Svdf, filters_portable};

/// Moves every element but the first to the place before it.
pub(super) fn forget_oldest<T: Element>(values: &mut [T]) {
    let first = values.as_mut_ptr();
    let bytes = values.len().saturating_sub(1) * size_of::<T>();
    // SAFETY: the slice has as many bytes behind its first element. The rows overlap, but bytes are read before those in front of
    // them are written, and nothing behind what was written is read again before.
    unsafe { copy(first.cast(), first.wrapping_add(1).cast(), bytes) };
}

/// The arguments of the kernels. The assembly knows the order of the fields.
#[repr(C)]
struct Run<S> {
    state: *const S,
    weights: *const S,
    bias: *const i32,
    /// Bytes from a unit's bias to the next one's.
    bias_step: usize,
    /// Units, and elements of the filter of each.
    units: usize,
    length: usize,
    output: *mut i8,
    /// Minus the bytes by which a kernel goes too far behind a filter.
    back: isize,
    /// At 32: the zero points of the state and of the output, and the clamp.
    state_zero_point: i32,
    zero_point: i32,
    minimum: i32,
    maximum: i32,
    /// At 48: the shift to the left, the mantissa, 1 where there is a shift to the right, and that, negative.
    left: i32,
    mantissa: i32,
    correction: i32,
    right: i32,
}

/// Runs the filters, but for those of int16 states that have a zero point.
pub(super) fn filters<S: Element>(layer: &Svdf<'_, S>, state: &[S], output: &mut [i8]) {
    let lengths = (layer.state_len(), layer.time_weights.len(), layer.units());
    let fit = lengths == (state.len(), state.len(), output.len());
    if !fit || (size_of::<S>() == 2 && layer.state_zero_point != 0) {
        return filters_portable(layer, state, output);
    }
    let no_bias = 0;
    let length = layer.memory * layer.rank;
    let bytes = length * size_of::<S>();
    let run = Run {
        state: state.as_ptr(),
        weights: layer.time_weights.as_ptr(),
        bias: if layer.bias.is_empty() { &no_bias } else { layer.bias.as_ptr() },
        bias_step: if layer.bias.is_empty() { 0 } else { size_of::<i32>() },
        units: output.len(),
        length,
        output: output.as_mut_ptr(),
        back: bytes as isize - bytes.next_multiple_of(16) as isize,
        state_zero_point: layer.state_zero_point,
        zero_point: layer.output.zero_point,
        minimum: layer.output.minimum,
        maximum: layer.output.maximum,
        left: layer.multiplier.shift.max(0),
        mantissa: layer.multiplier.mantissa,
        correction: (layer.multiplier.shift < 0).into(),
        right: layer.multiplier.shift.min(0),
    };
    // SAFETY: states, weights and outputs are as many as checked above, the biases as the layer's constructor checked. The kernel is
    // the one of the elements' size.
    unsafe {
        match size_of::<S>() {
            1 => filters_int8(&run),
            2 => filters_int16(&run),
            _ => filters_portable(layer, state, output),
        }
    }
}

/// Four units at a time: their sums go to the stack, and are requantised together. What differs with the elements: their bits, how two
/// vectors of states and weights are loaded and added to the sum, and how the sum ends.
macro_rules! kernel {
    ($name:ident, $bits:literal, $start:literal, $products:literal, $end:literal) => {
        /// # Safety
        /// The run's states, weights and biases can be read, and its outputs written. There is a unit, and a filter's length is not 0.
        //
        // | register | holds                                   | register | holds                                          |
        // |----------|-----------------------------------------|----------|------------------------------------------------|
        // | r0, r1   | next states, next weights               | r9, r10  | where the next sum goes, where the last of four ends |
        // | r2, r3   | next bias, `bias_step`                  | r11      | `back`                                         |
        // | r4       | the sum; then with r8 what requantises  | r12      | the run                                        |
        // | r5, r6   | units that are left, `length`           | lr       | elements that are left; the state's zero point |
        // | r7       | next output                             | q0, q1   | states, weights; the four sums                 |
        // | r8       | the sum of the weights                  | q2, q3   | the clamp                                      |
        #[unsafe(naked)]
        unsafe extern "C" fn $name<S>(run: &Run<S>) {
            naked_asm!(
                helium!(),
                "push {{r4-r11, lr}}",
                "sub sp, #20",
                "mov r12, r0",
                "ldrd r4, r8, [r12, #40]",
                "vdup.32 q2, r4",
                "vdup.32 q3, r8",
                "ldm.w r12, {{r0, r1, r2, r3, r5, r6, r7, r11}}",
                "2:",
                "mov r9, sp",
                "cmp r5, #4",
                "ite hi",
                "addhi r10, r9, #16",
                "addls r10, r9, r5, lsl #2",
                "3:",
                "ldr r4, [r2]",
                "add r2, r3",
                $start,
                concat!("dlstp.", $bits, " lr, r6"),
                "4:",
                $products,
                "letp lr, 4b",
                $end,
                "add r0, r11",
                "add r1, r11",
                "str r4, [r9], #4",
                "cmp r9, r10",
                "bne 3b",
                "vldrw.u32 q0, [sp]",
                "ldrd r4, r8, [r12, #48]",
                "vshl.s32 q0, r4",
                "vqrdmulh.s32 q0, q0, r8",
                "ldrd r4, r8, [r12, #56]",
                "vqdmlah.s32 q0, q0, r4",
                "vrshl.s32 q0, r8",
                "ldr r4, [r12, #36]",
                "vadd.i32 q0, q0, r4",
                "vmax.s32 q0, q0, q2",
                "vmin.s32 q0, q0, q3",
                "vctp.32 r5",
                "vpst",
                "vstrbt.32 q0, [r7], #4",
                "subs r5, #4",
                "bgt 2b",
                "add sp, #20",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

kernel!(
    filters_int16,
    "16",
    "",
    "vldrh.u16 q0, [r0], #16
     vldrh.u16 q1, [r1], #16
     vmladava.s16 r4, q0, q1",
    ""
);
// Σ (v − z)·w = Σ v·w − z·Σ w.
kernel!(
    filters_int8,
    "8",
    "mov r8, #0",
    "vldrb.u8 q0, [r0], #16
     vldrb.u8 q1, [r1], #16
     vmladava.s8 r4, q0, q1
     vaddva.s8 r8, q1",
    "ldr lr, [r12, #32]
     mls r4, lr, r8, r4"
);
