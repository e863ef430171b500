//! Pooling of int8, four channels at a time: SSUB8 and SEL keep the largest, SXTAB16 adds into halfwords.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::asm;

use smolnn_core::Pool2dShape;

use crate::element::Element;
use crate::pool::Kind;
use crate::quantise::OutputRange;
use crate::tensors::{Source, Tensors};

/// Taps whose sum fits in a halfword: 255 · 128 < 2^15.
const MOST_TAPS: usize = 255;

/// Runs the pooling, unless the type or the shape is left to the portable body.
#[inline(always)]
pub(super) fn pool2d<T: Element>(
    shape: &Pool2dShape,
    kind: Kind,
    minimum: i32,
    maximum: i32,
    tensors: &mut impl Tensors<T>,
) -> bool {
    let taps = shape.rows().kernel() * shape.columns().kernel();
    if size_of::<T>() != 1 || shape.output().channels < 4 || taps > MOST_TAPS {
        return false;
    }
    let (input, output) = tensors.pointers();
    let (input, output) = (input.cast::<i8>(), output.cast::<i8>());
    // SAFETY: elements of one byte are i8; the caller checked the lengths.
    unsafe {
        match kind {
            Kind::Maximum => run(shape, input, output, i32::from_ne_bytes([0x80; 4]), larger, |most, _| most),
            Kind::Mean => run(shape, input, output, 0, add, mean),
        }
        super::memory::clamp(output, shape.output_len(), &OutputRange { zero_point: 0, minimum, maximum });
    }
    true
}

/// The largest of one value or more.
#[inline(always)]
pub(super) fn largest(values: impl Source<i8>) -> i32 {
    let (groups, rest) = values.groups::<4>();
    let most = groups.fold([i32::from_ne_bytes([0x80; 4]), 0], |most, group| {
        larger(most, i32::from_ne_bytes(group.map(|value| value as u8)))
    });
    let most = most[0].to_ne_bytes().map(|byte| i32::from(byte as i8));
    rest.elements().map(i32::from).chain(most).fold(-128, |a, b| if a > b { a } else { b })
}

/// The larger byte of each of four pairs. SSUB8 leaves in the flags which of them SEL takes.
#[inline(always)]
fn larger([mut most, _]: [i32; 2], word: i32) -> [i32; 2] {
    // SAFETY: the instructions compute on the registers given and touch no memory.
    unsafe {
        asm!(
            "ssub8 {difference}, {most}, {word}",
            "sel {most}, {most}, {word}",
            most = inout(reg) most,
            word = in(reg) word,
            difference = out(reg) _,
            options(pure, nomem, nostack),
        );
    }
    [most, 0]
}

/// Adds bytes 0 and 2, and 1 and 3, to pairs of halfwords.
#[inline(always)]
fn add([mut even, mut odd]: [i32; 2], word: i32) -> [i32; 2] {
    // SAFETY: the instructions compute on the registers given and touch no memory.
    unsafe {
        asm!(
            "sxtab16 {even}, {even}, {word}",
            "sxtab16 {odd}, {odd}, {word}, ror #8",
            even = inout(reg) even,
            odd = inout(reg) odd,
            word = in(reg) word,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    [even, odd]
}

/// The four means of the sums, to nearest, halves away from zero.
#[inline(always)]
fn mean([even, odd]: [i32; 2], taps: usize) -> [i32; 2] {
    let taps = taps.max(1) as i32;
    let one = |sum: i32| -> u32 {
        let sum = if sum > 0 { sum + taps / 2 } else { sum - taps / 2 };
        let quotient: u32;
        // SAFETY: the instruction computes on the registers given and touches no memory; the divisor is not 0.
        unsafe {
            asm!("sdiv {}, {}, {}", out(reg) quotient, in(reg) sum, in(reg) taps,
                options(pure, nomem, nostack, preserves_flags));
        }
        quotient & 0xFF
    };
    let (first, third) = (one(i32::from(even as i16)), one(even >> 16));
    let (second, fourth) = (one(i32::from(odd as i16)), one(odd >> 16));
    [(first | second << 8 | third << 16 | fourth << 24) as i32, 0]
}

/// Runs the window over the images: `gather` takes up four channels of a tap, `finish` makes outputs of what is gathered.
///
/// # Safety
/// Input and output have the lengths that the shape says, with four channels at least.
#[inline(always)]
unsafe fn run(
    shape: &Pool2dShape,
    input: *const i8,
    mut output: *mut i8,
    start: i32,
    gather: impl Fn([i32; 2], i32) -> [i32; 2],
    finish: impl Fn([i32; 2], usize) -> [i32; 2],
) {
    let channels = shape.output().channels;
    let (row_step, step) = (shape.rows().dilation() * shape.input().row(), shape.columns().dilation() * channels);
    for image in 0..shape.batch() {
        let image = input.wrapping_add(image * shape.input().len());
        for row in 0..shape.output().height {
            let rows = shape.rows().taps(row);
            for column in 0..shape.output().width {
                let (first, last) = shape.columns().taps(column);
                // A window that sees no column of the input has no taps, so that it must not visit rows either.
                let (first_row, last_row) = if first < last { rows } else { (0, 0) };
                let (tap_rows, tap_columns) = (last_row - first_row, last - first);
                let y = shape.rows().position(row, first_row);
                let x = shape.columns().position(column, first);
                let corner =
                    image.wrapping_add(y.wrapping_mul(shape.input().row()).wrapping_add(x.wrapping_mul(channels)));
                let mut channel = 0;
                while channel < channels {
                    // The last block may overlap the one before: its input is still there, since a row of the output
                    // never covers input that the row needs.
                    let at = channel.min(channels - 4);
                    let mut gathered = [start, start];
                    let mut row_start = corner.wrapping_add(at);
                    for _ in 0..tap_rows {
                        let mut tap = row_start;
                        for _ in 0..tap_columns {
                            // SAFETY: the window's taps lie in the image.
                            gathered = gather(gathered, unsafe { tap.cast::<i32>().read_unaligned() });
                            tap = tap.wrapping_add(step);
                        }
                        row_start = row_start.wrapping_add(row_step);
                    }
                    let [result, _] = finish(gathered, tap_rows * tap_columns);
                    // SAFETY: the pixel lies in the output.
                    unsafe { output.add(at).cast::<i32>().write_unaligned(result) };
                    channel += 4;
                }
                output = output.wrapping_add(channels);
            }
        }
    }
}
