//! Any function of one int8 value: y = table[x].
//!
//! - Layout: 256 outputs, indexed by the input's bits as u8. Input and output may be one tensor.
//! - Nothing is rounded here; a table built from real numbers is correctly rounded, halves away from zero.
//! - Held by: `logistic_*`, `tanh_*`, `hardswish_*`, `leakyrelu_*`, `elu_*`, `relu*` goldens (tests/host/golden/operators.rs),
//!   random tables against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::elements::tabulated;
use crate::convert::Requantise;
use crate::quantise::{Affine, clamp, round};
use crate::tensors::{Source, Tensors};

/// The outputs of a function for all 256 int8 inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table([i8; 256]);

impl Table {
    /// From the outputs for −128, −127, … 127.
    pub const fn from_ascending(outputs: &[i8; 256]) -> Self {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            table[index ^ 128] = outputs[index];
            index += 1;
        }
        Self(table)
    }

    /// The output for an input.
    #[inline(always)]
    pub const fn get(&self, input: i8) -> i8 {
        self.0[input as u8 as usize]
    }

    /// The inputs −128, −127, … 127 as real numbers, for [`Table::from_reals`].
    pub const fn reals(input: Affine) -> [f64; 256] {
        let mut reals = [0.0; 256];
        let mut index = 0;
        while index < 256 {
            reals[index] = input.scale as f64 * (index as i32 - 128 - input.zero_point) as f64;
            index += 1;
        }
        reals
    }

    /// From the real outputs for the inputs −128, −127, … 127: zero point + round(y / scale), clamped: correctly rounded, at most 0.5 steps
    /// from what is given. NaN becomes the zero point, ±∞ the ends of int8. Costs nothing in a `const`.
    pub const fn from_reals(outputs: &[f64; 256], output: Affine) -> Self {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let steps = round(outputs[index] / output.scale as f64).saturating_add(output.zero_point);
            table[index] = clamp(steps, -128, 127) as i8;
            index += 1;
        }
        Self::from_ascending(&table)
    }

    /// From a real function, at run time, which takes 256 calls; [`table!`](crate::table) does it at compile time. Rounding and
    /// special values are those of [`Table::from_reals`].
    pub fn from_fn(input: Affine, output: Affine, function: impl Fn(f64) -> f64) -> Self {
        Self::from_reals(&Self::reals(input).map(function), output)
    }

    /// From one quantisation to another: QUANTIZE of an int8 tensor to int8, with its bits; clamped at the ends.
    ///
    /// # Errors
    /// The errors are those of [`Requantise::new`].
    pub const fn requantise(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        tabulated!(Requantise::new(input, output))
    }

    /// `next` after `self`: two activations, or an activation and a requantisation, in one table.
    #[must_use]
    pub const fn then(&self, next: &Self) -> Self {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            table[index] = next.get(self.0[index]);
            index += 1;
        }
        Self(table)
    }
}

/// A [`Table`](crate::act::Table) from a real function of one f64, at compile time. The functions of
/// [`real`](crate::real) can be used in it. Rounding and special values are those of
/// [`Table::from_reals`](crate::act::Table::from_reals); [`lookup`](crate::act::lookup) runs it.
///
/// ```
/// use smolnn_fixed::{act::Table, quantise::Affine, real, table};
///
/// const INPUT: Affine = Affine::new(0.05, 0);
/// static SILU: Table = table!(INPUT, Affine::new(0.05, -100), |x| x / (1.0 + real::exp(-x)));
/// assert_eq!(SILU.get(20), -85); // silu(1.0) = 0.731: 14.6 steps above -100
/// ```
#[macro_export]
macro_rules! table {
    ($input:expr, $output:expr, |$x:ident| $function:expr) => {
        const {
            let mut values = $crate::act::Table::reals($input);
            let mut index = 0;
            while index < 256 {
                let $x: f64 = values[index];
                values[index] = $function;
                index += 1;
            }
            $crate::act::Table::from_reals(&values, $output)
        }
    };
}

/// Looks every element up: 3.1 instructions each on the M55, 3.3 on M3 and M4, 3.5 on the M0, 4.8 on RV32, whatever the function.
/// Exactly what the table holds; all 256 inputs have an output.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than `length`, or overlap where they must not.
pub fn lookup(table: &Table, length: usize, mut tensors: impl Tensors<i8>) -> Result<(), ShapeError> {
    tensors.check(length, length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| table.get(value));
    Ok(())
}
