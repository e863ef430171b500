//! Parameters from other frameworks' tensors: their order of gates, their transposes, their second biases.
//!
//! | | LSTM | GRU | kernels | biases |
//! |---|---|---|---|---|
//! | PyTorch | i f g o | r z n, reset after | `[gates·hidden][inputs]` | two, which are added |
//! | Keras | i f g o | z r h, reset after by default | `[inputs][gates·hidden]` | one; two for a GRU with reset after |
//! | ONNX | i o f c | z r h, reset before by default (`linear_before_reset`) | `[gates·hidden][inputs]` | both in one, `[W_b \| R_b]` |
//! | TensorFlow Lite | i f c o | none | one tensor per gate, here one behind the other | one |
//! | here | i f g o | z r n | `[gates·hidden][inputs]` | one; b_hn for reset after |
//!
//! All of them hold the state where z is 1: for a [`HoldIsZero`](super::HoldIsZero) cell W, U and b of z are negated, which is
//! exact up to σ(−a) = 1 − σ(a). Held by: the recorded cases (testkit `float_cases`), tests/host/gradient/recurrent.rs.

use smolnn_core::ShapeError;

use super::{Gru, Lstm, Reset, ResidualRnn, SimpleRnn, Sizes, Update};
use crate::Real;
use crate::slices::{at, check_optional, part, part_mut, quotient, vectors_mut};

/// Whose tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
    PyTorch,
    /// `kernel`, `recurrent_kernel`, `bias` (its second row is `recurrent_bias` here).
    Keras,
    /// `W`, `R`, both halves of `B`, `P`.
    Onnx,
    /// The operator's tensors of each gate, one behind the other in the order i, f, c, o.
    TensorFlowLite,
}

/// One layer's tensors, in the layout of their framework, one direction.
#[derive(Clone, Copy, Debug)]
pub struct Tensors<'a, T> {
    /// W, all gates.
    pub input: &'a [T],
    /// U, all gates.
    pub recurrent: &'a [T],
    /// The bias beside W, all gates; zeros where there is none.
    pub bias: Option<&'a [T]>,
    /// The bias beside U, all gates.
    pub recurrent_bias: Option<&'a [T]>,
    /// Peepholes of an LSTM: i, o, f in ONNX, i, f, o in TensorFlow Lite, `[3][hidden]`.
    pub peephole: Option<&'a [T]>,
    /// Projection of an LSTM, `[outputs][hidden]`.
    pub projection: Option<&'a [T]>,
}

impl<'a, T> Tensors<'a, T> {
    /// W and U alone; set the other fields as they are there.
    pub const fn new(input: &'a [T], recurrent: &'a [T]) -> Self {
        Self { input, recurrent, bias: None, recurrent_bias: None, peephole: None, projection: None }
    }
}

/// Parameters of a simple cell.
///
/// # Errors
/// [`ShapeError::Length`] when a tensor has not the cell's size.
pub fn simple<A, T: Real>(
    cell: &SimpleRnn<A>,
    format: Format,
    tensors: &Tensors<'_, T>,
    parameters: &mut [T],
) -> Result<(), ShapeError> {
    let sizes = cell.sizes();
    tensors.check(&sizes, sizes.outputs, 1)?;
    gates(&sizes, sizes.outputs, format, &[0], tensors, parameters)
}

/// Parameters of a residual cell.
///
/// # Errors
/// [`ShapeError::Length`] when a tensor has not the cell's size.
pub fn residual<A, T: Real>(
    cell: &ResidualRnn<A>,
    format: Format,
    tensors: &Tensors<'_, T>,
    parameters: &mut [T],
) -> Result<(), ShapeError> {
    let sizes = cell.sizes();
    tensors.check(&sizes, sizes.outputs, 1)?;
    gates(&sizes, sizes.outputs, format, &[0], tensors, parameters)
}

/// Parameters of an LSTM.
///
/// # Errors
/// [`ShapeError::Length`] when a tensor has not the cell's size, [`ShapeError::Range`] when peepholes or projection are
/// given and the cell has none, or the other way round.
pub fn lstm<T: Real>(
    cell: &Lstm,
    format: Format,
    tensors: &Tensors<'_, T>,
    parameters: &mut [T],
) -> Result<(), ShapeError> {
    let (sizes, offsets, hidden) = (cell.sizes(), cell.offsets(), cell.hidden());
    tensors.check(&sizes, hidden, 4)?;
    let (peepholes, projection) = (offsets.projection - offsets.peephole, offsets.bias - offsets.projection);
    if tensors.peephole.is_some() != (peepholes > 0) || tensors.projection.is_some() != (projection > 0) {
        return Err(ShapeError::Range("peepholes or projection do not match the cell"));
    }
    check_optional("the peepholes", peepholes, tensors.peephole)?;
    check_optional("the projection", projection, tensors.projection)?;
    let order = if format == Format::Onnx { [0, 2, 3, 1] } else { [0, 1, 2, 3] };
    gates(&sizes, hidden, format, &order, tensors, parameters)?;
    let order = if format == Format::Onnx { [0, 2, 1] } else { [0, 1, 2] };
    if let Some(peephole) = tensors.peephole {
        for (gate, from) in order.into_iter().enumerate() {
            let own = part_mut(parameters, offsets.peephole + gate * hidden, hidden);
            super::copy(own, part(peephole, from * hidden, hidden));
        }
    }
    if let Some(source) = tensors.projection {
        super::copy(part_mut(parameters, offsets.projection, projection), source);
    }
    Ok(())
}

/// Parameters of a GRU. Where the reset gate acts is the cell's type, and must be the framework's.
///
/// # Errors
/// [`ShapeError::Length`] when a tensor has not the cell's size, [`ShapeError::Range`] for TensorFlow Lite, which has none.
pub fn gru<R: Reset, U: Update, T: Real>(
    cell: &Gru<R, U>,
    format: Format,
    tensors: &Tensors<'_, T>,
    parameters: &mut [T],
) -> Result<(), ShapeError> {
    let sizes = cell.sizes();
    let hidden = sizes.outputs;
    tensors.check(&sizes, hidden, 3)?;
    let order = match format {
        Format::PyTorch => [1, 0, 2],
        Format::Keras | Format::Onnx => [0, 1, 2],
        Format::TensorFlowLite => return Err(ShapeError::Range("TensorFlow Lite has no GRU")),
    };
    gates(&sizes, hidden, format, &order, tensors, parameters)?;
    if R::AFTER {
        // The candidate's recurrent bias stands inside of the reset gate: it stays by itself.
        let own = part_mut(parameters, sizes.weights + 2 * hidden, hidden);
        own.fill(T::ZERO);
        if let Some(bias) = tensors.bias {
            super::copy(own, part(bias, 2 * hidden, hidden));
        }
        let own = part_mut(parameters, sizes.weights + 3 * hidden, hidden);
        own.fill(T::ZERO);
        if let Some(bias) = tensors.recurrent_bias {
            super::copy(own, part(bias, 2 * hidden, hidden));
        }
    }
    if !U::HOLD_IS_ONE {
        flip_update(cell, parameters)?;
    }
    Ok(())
}

/// Negates W, U and b of the update gate: from parameters of a [`HoldIsOne`](super::HoldIsOne) cell to those of a
/// [`HoldIsZero`](super::HoldIsZero) cell that does the same, or back.
///
/// # Errors
/// [`ShapeError::Length`] when there are not as many parameters as the cell has.
pub fn flip_update<R: Reset, U: Update, T: Real>(cell: &Gru<R, U>, parameters: &mut [T]) -> Result<(), ShapeError> {
    let sizes = cell.sizes();
    ShapeError::check_length("the parameters", sizes.parameters(), parameters.len())?;
    let (inputs, hidden) = (sizes.inputs, sizes.outputs);
    let starts = [(0, hidden * inputs), (3 * hidden * inputs, hidden * hidden), (sizes.weights, hidden)];
    for (start, length) in starts {
        for value in part_mut(parameters, start, length) {
            *value = -*value;
        }
    }
    Ok(())
}

impl<T> Tensors<'_, T> {
    fn check(&self, sizes: &Sizes, hidden: usize, gates: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("W", gates * hidden * sizes.inputs, self.input.len())?;
        ShapeError::check_length("U", gates * hidden * sizes.outputs, self.recurrent.len())?;
        check_optional("the bias", gates * hidden, self.bias)?;
        check_optional("the recurrent bias", gates * hidden, self.recurrent_bias)
    }
}

/// W, U and the sum of the biases; `order[gate]` is where the framework has our gate.
fn gates<T: Real>(
    sizes: &Sizes,
    hidden: usize,
    format: Format,
    order: &[usize],
    tensors: &Tensors<'_, T>,
    parameters: &mut [T],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the parameters", sizes.parameters(), parameters.len())?;
    let rows = order.len() * hidden;
    let mut start = 0;
    for (source, columns) in [(tensors.input, sizes.inputs), (tensors.recurrent, sizes.outputs)] {
        let target = part_mut(parameters, start, rows * columns);
        start += rows * columns;
        for (row, values) in vectors_mut(target, columns).enumerate() {
            let from = place(row, hidden, order);
            for (column, value) in values.iter_mut().enumerate() {
                let index = if format == Format::Keras { column * rows + from } else { from * columns + column };
                *value = at(source, index);
            }
        }
    }
    for (row, value) in part_mut(parameters, sizes.weights, rows).iter_mut().enumerate() {
        let from = place(row, hidden, order);
        let of = |bias: Option<&[T]>| bias.map_or(T::ZERO, |bias| at(bias, from));
        *value = of(tensors.bias) + of(tensors.recurrent_bias);
    }
    Ok(())
}

/// The framework's row of our row.
fn place(row: usize, hidden: usize, order: &[usize]) -> usize {
    let gate = quotient(row, hidden);
    at(order, gate) * hidden + row - gate * hidden
}
