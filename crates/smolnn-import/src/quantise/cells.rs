//! Recurrent layers in integers: the cells of `smolnn_fixed::rnn`, whose headers say what is computed. Weights are int8 with a scale per row.
//!
//! - GRU and simple RNN with tanh: outputs int8 in steps of 2^−7; the state, which is never rounded to int8 on its way, int16 in steps of 2^−15.
//! - LSTM: outputs and h int8 with the range that they have; the cell int16 in steps of a power of two.
//! - A simple RNN with relu stays with real numbers: nothing bounds its state.

use smolnn_fixed::quantise::Affine;

use super::convert::{Integers, reals};
use super::layers::IntegerRows;
use super::scheme::Scheme;
use crate::error::Problem;
use crate::net::{Axis, Constant, Element, Node, Operator, Quantisation, RecurrentCell, Tensor, View};

/// Operands: weights with their bias, recurrent weights with theirs, the states that the layer starts from.
const WEIGHTS: usize = 1;
const RECURRENT: usize = 2;
const BIAS: usize = 3;
const RECURRENT_BIAS: usize = 4;
const STATES: usize = 5;

/// Outputs of a GRU and a simple RNN, and their state.
const OUTPUT: (f32, i32) = (1.0 / 128.0, 0);
const STATE: (f32, i32) = (1.0 / 32768.0, 0);
/// The least bound of an LSTM's cell. What the data show is the cell behind the last step alone.
const LEAST_CELL_BOUND: f64 = 16.0;

/// How a recurrent layer is quantised.
pub(super) fn recurrent(view: &View<'_>, cell: RecurrentCell) -> Scheme {
    let is_constant = |index: usize| {
        let real = |id: usize| view.tensor(id).element == Element::F32 && view.tensor(id).data.is_some();
        view.optional_input(index).is_none_or(real)
    };
    let is_computed = |index: usize| view.optional_input(index).is_some_and(|id| view.tensor(id).data.is_none());
    if cell == RecurrentCell::Relu || !(WEIGHTS..STATES).all(is_constant) {
        return Scheme::Real;
    }
    match cell {
        // What an LSTM takes from an earlier call is not in the data of one call, so that they do not show its range.
        RecurrentCell::Lstm if (STATES..STATES + 2).any(is_computed) => {
            Scheme::Own { build, int8: &[OUTPUT, OUTPUT], alike: 1 }
        }
        RecurrentCell::Lstm => Scheme::Own { build, int8: &[], alike: 2 },
        _ => Scheme::Own { build, int8: &[OUTPUT], alike: 1 },
    }
}

fn build(integers: &mut Integers<'_>, node: &Node) -> Result<(), Problem> {
    let view = integers.view(node);
    let Operator::Recurrent { cell, .. } = node.operator else {
        return Err(view.fault("another operator", "a recurrent layer"));
    };
    let (of_x, output) = (view.input(0)?, view.output(0)?);
    let x = integers.affine(of_x, Element::I8);
    let is_lstm = cell == RecurrentCell::Lstm;
    let y = integers.affine(output, Element::I8);
    let h = if is_lstm { (Element::I8, y) } else { (Element::I16, Affine::new(STATE.0, STATE.1)) };
    let mut states = vec![h];
    if is_lstm {
        let (least, largest) = integers.range(view.output(2)?);
        let bound = (2.0 * largest.max(-least)).max(LEAST_CELL_BOUND).log2().ceil();
        // The kernel has cells in steps of 2^−15 to 1.
        states.push((Element::I16, Affine::new((bound - 15.0).min(0.0).exp2() as f32, 0)));
    }

    let values = |index: usize| view.optional_input(index).map(|id| reals(view.tensor(id)));
    let rows = view.input_shape(WEIGHTS)?[0];
    let mut bias = values(BIAS).unwrap_or_else(|| vec![0.0; rows]);
    let mut recurrent_bias = values(RECURRENT_BIAS).unwrap_or_else(|| vec![0.0; rows]);
    if is_lstm {
        bias.iter_mut().zip(&mut recurrent_bias).for_each(|(bias, recurrent)| *bias += std::mem::take(recurrent));
    }
    let mut made = node.clone();
    made.inputs.resize(STATES + states.len(), None);
    made.inputs[0] = Some(integers.read(of_x, Some((Element::I8, x)), node.index));
    let layers = [(WEIGHTS, BIAS, &bias, x), (RECURRENT, RECURRENT_BIAS, &recurrent_bias, y)];
    for (weights, biases, bias, input) in layers {
        let of_weights = view.tensor(view.input(weights)?);
        let made_rows = IntegerRows::new(&reals(of_weights), bias, Axis::First(rows), input.scale);
        let quantisation = Quantisation { zero_points: vec![0; rows], scales: made_rows.scales, dimension: 0 };
        made.inputs[weights] = Some(integers.add(Tensor {
            element: Element::I8,
            quantisation: Some(quantisation),
            data: Some(Constant::new(made_rows.values.iter().map(|&value| value as u8).collect())),
            ..of_weights.clone()
        }));
        let bytes = made_rows.bias.iter().flat_map(|&bias| (bias as i32).to_le_bytes()).collect();
        made.inputs[biases] = Some(integers.add(Tensor {
            name: format!("bias of {}", of_weights.name),
            element: Element::I32,
            shape: vec![rows],
            data: Some(Constant::new(bytes)),
            ..of_weights.clone()
        }));
    }
    for (index, &form) in states.iter().enumerate() {
        if let Some(start) = view.optional_input(STATES + index) {
            made.inputs[STATES + index] = Some(integers.read(start, Some(form), node.index));
        }
        made.outputs[1 + index] = integers.written(view.output(1 + index)?, Some(form));
    }
    made.outputs[0] = integers.written(output, Some((Element::I8, y)));
    integers.push(made);
    Ok(())
}
