//! Activations, each with its derivative.
//!
//! An activation is a small value ([`Relu`], [`Swish`] with its β, [`Gelu`] with its kind); the traits say what its backward
//! pass needs to have been kept, the least first:
//!
//! - [`FromMask`]: one bit per element, for what is made of two straight pieces (ReLU and its kin, the hard functions);
//! - [`FromOutput`]: y, which the next layer keeps anyway (sigmoid, tanh, ELU, softplus, softsign, exp);
//! - [`Activation`]: the input z, for all; the only way for those that are not monotonic (Swish, GELU, Mish, hard-swish), whose
//!   y does not tell z.
//!
//! Gradients accumulate: `d_input += d_output · f′`. Softmax and log-softmax work on rows ([`softmax()`], [`log_softmax()`]).
//! [`argmax`] gives an index, which has no gradient by its type.
//!
#![doc = include_str!("cost.md")]
//! # Example
//!
//! ```
//! use smolnn_float::act::{Activation, FromOutput, Tanh};
//!
//! let z = [-1.0_f32, 0.0, 2.0];
//! let (mut y, mut d_z) = ([0.0; 3], [0.0; 3]);
//! Tanh.forward(&z, &mut y)?;
//! Tanh.backward_from_output(&y, &[1.0; 3], &mut d_z)?;
//! assert_eq!(d_z[1], 1.0);
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```

mod argmax;
mod elu;
mod exp;
mod gelu;
mod hard;
mod mish;
pub mod prelu;
mod relu;
mod sigmoid;
mod softmax;
mod softplus;
mod softsign;
mod swish;
mod tanh;

pub use argmax::{argmax, argmax_rows};
pub use elu::{Elu, SELU_ALPHA, SELU_SCALE, Selu};
pub use exp::Exp;
pub use gelu::{Gelu, GeluKind};
pub use hard::{HardSigmoid, HardSwish, HardTanh};
pub use mish::Mish;
pub use relu::{LeakyRelu, Relu, Relu6};
pub use sigmoid::Sigmoid;
pub use softmax::{log_softmax, log_softmax_backward, softmax, softmax_backward, softmax_scaled};
pub use softplus::Softplus;
pub use softsign::Softsign;
pub use swish::Swish;
pub use tanh::Tanh;

use smolnn_core::ShapeError;

use crate::Real;

/// A function of one element, with its derivative.
pub trait Activation<T: Real> {
    /// f(z).
    fn value(&self, z: T) -> T;

    /// f′(z). Where f has a kink, the type says which side counts.
    fn derivative(&self, z: T) -> T;

    /// y = f(z), element by element.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the slices are not equally long.
    fn forward(&self, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the output", input.len(), output.len())?;
        for (y, &z) in output.iter_mut().zip(input) {
            *y = self.value(z);
        }
        Ok(())
    }

    /// `d_input += d_output · f′(input)`.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the slices are not equally long.
    fn backward(&self, input: &[T], d_output: &[T], d_input: &mut [T]) -> Result<(), ShapeError> {
        accumulate(input, d_output, d_input, |z| self.derivative(z))
    }
}

/// An activation whose derivative follows from its output.
pub trait FromOutput<T: Real>: Activation<T> {
    /// f′ where f is `y`.
    fn derivative_from_output(&self, y: T) -> T;

    /// `d_input += d_output · f′`, from the output of the forward pass.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the slices are not equally long.
    fn backward_from_output(&self, output: &[T], d_output: &[T], d_input: &mut [T]) -> Result<(), ShapeError> {
        accumulate(output, d_output, d_input, |y| self.derivative_from_output(y))
    }
}

/// An activation of two slopes: one bit per element tells which.
pub trait FromMask<T: Real>: Activation<T> {
    /// Whether z lies where the slope is the second of [`slopes`](Self::slopes).
    fn passes(&self, z: T) -> bool;

    /// f′ where [`passes`](Self::passes) is false, and where it is true.
    fn slopes(&self) -> [T; 2];

    /// y = f(z), and the bits for [`backward_from_mask`](Self::backward_from_mask): [`mask_len`] bytes, low bits first.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the slices do not fit each other.
    fn forward_with_mask(&self, input: &[T], output: &mut [T], mask: &mut [u8]) -> Result<(), ShapeError> {
        ShapeError::check_length("the output", input.len(), output.len())?;
        ShapeError::check_length("the mask", mask_len(input.len()), mask.len())?;
        for ((z, y), bits) in input.chunks(8).zip(output.chunks_mut(8)).zip(mask) {
            *bits = 0;
            for (i, (&z, y)) in z.iter().zip(y).enumerate() {
                *y = self.value(z);
                *bits |= u8::from(self.passes(z)) << i;
            }
        }
        Ok(())
    }

    /// `d_input += d_output · f′`, from the bits of the forward pass.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the slices do not fit each other.
    fn backward_from_mask(&self, mask: &[u8], d_output: &[T], d_input: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("d_input", d_output.len(), d_input.len())?;
        ShapeError::check_length("the mask", mask_len(d_output.len()), mask.len())?;
        let [outside, inside] = self.slopes();
        for ((d_y, d_z), &bits) in d_output.chunks(8).zip(d_input.chunks_mut(8)).zip(mask) {
            for (i, (&d_y, d_z)) in d_y.iter().zip(d_z).enumerate() {
                *d_z += d_y * if bits >> i & 1 == 1 { inside } else { outside };
            }
        }
        Ok(())
    }
}

/// Bytes of a mask of `elements` bits.
pub const fn mask_len(elements: usize) -> usize {
    elements.div_ceil(8)
}

/// `d_input += d_output · slope(kept)`.
#[inline(always)]
fn accumulate<T: Real>(
    kept: &[T],
    d_output: &[T],
    d_input: &mut [T],
    slope: impl Fn(T) -> T,
) -> Result<(), ShapeError> {
    ShapeError::check_length("d_output", kept.len(), d_output.len())?;
    ShapeError::check_length("d_input", kept.len(), d_input.len())?;
    for ((d_z, &d_y), &kept) in d_input.iter_mut().zip(d_output).zip(kept) {
        *d_z += d_y * slope(kept);
    }
    Ok(())
}
