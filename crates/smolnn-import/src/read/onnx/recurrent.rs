//! RNN, GRU and LSTM: one recurrent layer of the net per direction.
//!
//! - ONNX has the rows of a GRU's gates in the order z, r, h, as the net has them, and those of an LSTM in the order i, o, f, c, which become i, f, c, o.
//! - Weights, biases and states have the directions as their first axis, and so have the outputs; biases and recurrent biases of a direction are one row.
//! - `layout` 1 puts the batch first; the steps of a sequence follow it.

use super::operator::Op;
use crate::error::Problem;
use crate::net::{Element, Operator, RecurrentCell, Reset, TensorId};

type Outputs = Result<Vec<TensorId>, Problem>;

/// Operands behind the input.
const WEIGHTS: usize = 1;
const RECURRENT: usize = 2;
const BIASES: usize = 3;
const LENGTHS: usize = 4;
const STATES: [usize; 2] = [5, 6];
const PEEPHOLES: usize = 7;

/// Which of the operators it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Rnn,
    Gru,
    Lstm,
}

pub(super) fn recurrent(op: &mut Op<'_>, kind: Kind) -> Outputs {
    let (input, of_input, of_recurrent) = (op.input(0)?, op.shape(0)?, op.shape(RECURRENT)?);
    let (&[first, second, inputs], &[directions, rows, hidden]) = (&of_input[..], &of_recurrent[..]) else {
        let found = format!("an input of shape {of_input:?}, recurrent weights of shape {of_recurrent:?}");
        return Err(op.fault(found, "rank 3: steps, batch, features; directions, rows of the gates, units"));
    };
    let batch_first = op.int("layout", 0) != 0;
    let (batch, steps) = if batch_first { (first, second) } else { (second, first) };
    let reversed = directions_of(op, directions)?;
    let cells = cells(op, kind, directions)?;
    refuse_variants(op, kind, batch, steps)?;
    let gates = cells[0].gates();
    if rows != gates * hidden || op.int("hidden_size", hidden as i64) != hidden as i64 {
        let found = format!(
            "recurrent weights of shape {of_recurrent:?}, hidden_size {}",
            op.int("hidden_size", hidden as i64)
        );
        return Err(op.fault(found, format!("{gates} gates of hidden_size rows")));
    }
    let weights = constant(op, WEIGHTS, &[directions, rows, inputs], "weights")?;
    let recurrent = constant(op, RECURRENT, &of_recurrent, "recurrent weights")?;
    let biases = match op.optional(BIASES) {
        Some(_) => Some(constant(op, BIASES, &[directions, 2 * rows], "biases")?),
        None => None,
    };
    // Whole gates move, so that a row of the bias is a gate of width 1.
    let order: &[usize] = if kind == Kind::Lstm { &[0, 2, 3, 1] } else { &[0, 1, 2][..gates] };
    let part = |values: &[f32], direction: usize, width: usize| -> Vec<f32> {
        let values = &values[direction * rows * width..][..rows * width];
        order.iter().flat_map(|&gate| &values[gate * hidden * width..][..hidden * width]).copied().collect()
    };
    let mut parts: Vec<Vec<TensorId>> = Vec::new();
    for (direction, (&cell, &reversed)) in cells.iter().zip(reversed).enumerate() {
        let mut operands = vec![
            Some(input),
            Some(op.builder.reals(&[rows, inputs], &part(&weights, direction, inputs))),
            Some(op.builder.reals(&[rows, hidden], &part(&recurrent, direction, hidden))),
        ];
        for half in 0..2 {
            let bias = biases.as_ref().map(|biases| part(biases, 2 * direction + half, 1));
            operands.push(bias.map(|bias| op.builder.reals(&[rows], &bias)));
        }
        for &state in &STATES[..cell.states()] {
            operands.push(start(op, state, direction, (batch_first, directions, batch, hidden))?);
        }
        let operator = Operator::Recurrent { cell, time_major: !batch_first, reversed };
        let stated = vec![(Element::F32, Vec::new()); 1 + cell.states()];
        parts.push(op.builder.push_many(operator, &operands, &stated)?);
    }
    // The axis of the directions, of the sequence and of the states.
    let axes = if batch_first { [2, 1, 1] } else { [1, 0, 0] };
    let mut outputs = Vec::new();
    for (index, &axis) in axes.iter().enumerate().take(1 + cells[0].states()) {
        let of_directions: Vec<TensorId> = parts.iter().map(|outputs| outputs[index]).collect();
        outputs.push(match of_directions[..] {
            // What nobody asks for is a placeholder.
            [id, ..] if !op.has_output(index) => id,
            [id] => {
                let mut shape = op.builder.shape(id);
                shape.insert(axis, 1);
                op.builder.reshape(id, &shape)?
            }
            _ => op.builder.push(Operator::Pack { axis: axis as i64 }, &of_directions)?,
        });
    }
    Ok(outputs)
}

/// For each direction whether its steps are read from the last one on.
fn directions_of(op: &Op<'_>, directions: usize) -> Result<&'static [bool], Problem> {
    let direction = op.text("direction", "forward");
    let reversed: &[bool] = match &direction[..] {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        _ => return Err(op.fault(format!("direction {}", direction.escape_debug()), "forward, reverse, bidirectional")),
    };
    if reversed.len() != directions {
        let found = format!("weights of {directions} directions for direction {direction}");
        return Err(op.fault(found, "weights of two directions for a bidirectional layer, of one otherwise"));
    }
    Ok(reversed)
}

/// The cell of each direction.
fn cells(op: &Op<'_>, kind: Kind, directions: usize) -> Result<Vec<RecurrentCell>, Problem> {
    let usual: &[&str] = match kind {
        Kind::Rnn => &["tanh"],
        Kind::Gru => &["sigmoid", "tanh"],
        Kind::Lstm => &["sigmoid", "tanh", "tanh"],
    };
    let names =
        op.texts("activations").unwrap_or_else(|| usual.repeat(directions).iter().map(|&name| name.into()).collect());
    let names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let fault = || {
        let supported = if kind == Kind::Rnn { "Tanh or Relu".into() } else { usual.join(", ") };
        op.fault(format!("activations {}", names.join(", ").escape_debug()), format!("{supported} for each direction"))
    };
    if names.len() != usual.len() * directions {
        return Err(fault());
    }
    let reset = if op.int("linear_before_reset", 0) != 0 { Reset::After } else { Reset::Before };
    let cell = |names: &[String]| match kind {
        Kind::Rnn if names == ["relu"] => Ok(RecurrentCell::Relu),
        _ if names != usual => Err(fault()),
        Kind::Rnn => Ok(RecurrentCell::Tanh),
        Kind::Gru => Ok(RecurrentCell::Gru { reset }),
        Kind::Lstm => Ok(RecurrentCell::Lstm),
    };
    names.chunks(usual.len()).map(cell).collect()
}

/// Refuses what changes the cell or the sequences in ways that no kernel has.
fn refuse_variants(op: &mut Op<'_>, kind: Kind, batch: usize, steps: usize) -> Result<(), Problem> {
    if let Some(clip) = op.attribute("clip").map(|attribute| attribute.float) {
        return Err(
            op.fault(format!("sums of the gates that are clipped (clip {clip})"), "cells without the attribute clip")
        );
    }
    if op.int("input_forget", 0) != 0 {
        return Err(op.fault("an input gate that is coupled to the forget gate (input_forget 1)", "input_forget 0"));
    }
    if kind == Kind::Lstm && op.optional(PEEPHOLES).is_some() {
        let peepholes = op.reals(PEEPHOLES, "peepholes")?;
        if peepholes.iter().any(|&weight| weight != 0.0) {
            return Err(op.fault("peepholes (input P)", "LSTMs without peepholes, as PyTorch and Keras train them"));
        }
    }
    if op.optional(LENGTHS).is_some() {
        let lengths = op.integers(LENGTHS, "sequence_lens")?;
        if lengths.len() != batch || lengths.iter().any(|&length| length != steps as i64) {
            let found = format!("sequences of lengths {lengths:?} (input sequence_lens)");
            return Err(op.fault(found, format!("sequences of all {steps} steps: leave sequence_lens out")));
        }
    }
    Ok(())
}

/// The numbers of operand `index`, a constant of this shape.
fn constant(op: &mut Op<'_>, index: usize, shape: &[usize], role: &str) -> Result<Vec<f32>, Problem> {
    let found = op.shape(index)?;
    if found != shape {
        return Err(op.fault(format!("{role} of shape {found:?}"), format!("shape {shape:?}")));
    }
    op.reals(index, role)
}

/// The state `[batch, hidden]` from which a direction starts, if operand `index` gives it.
fn start(
    op: &mut Op<'_>,
    index: usize,
    direction: usize,
    (batch_first, directions, batch, hidden): (bool, usize, usize, usize),
) -> Result<Option<TensorId>, Problem> {
    let Some(id) = op.optional(index) else { return Ok(None) };
    let shape = if batch_first { [batch, directions, hidden] } else { [directions, batch, hidden] };
    let found = op.shape(index)?;
    if found != shape {
        return Err(op.fault(format!("a state of shape {found:?} to start from"), format!("shape {shape:?}")));
    }
    let id = if directions == 1 { id } else { op.builder.pick(id, usize::from(batch_first), &[direction])? };
    op.builder.reshape(id, &[batch, hidden]).map(Some)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::{proto, read};
    use crate::error::Error;
    use crate::net::{Net, Operator};

    /// Sizes of the operator of these tests.
    const STEPS: i64 = 3;
    const INPUTS: i64 = 2;
    const HIDDEN: i64 = 2;

    fn constant(name: &str, dims: &[i64], data_type: i32, raw_data: Vec<u8>) -> proto::Tensor {
        proto::Tensor { name: name.into(), dims: dims.to_vec(), data_type, raw_data, ..proto::Tensor::default() }
    }

    /// Real numbers that tell the gates apart: the whole part is the number of the row.
    fn rows(name: &str, dims: &[i64]) -> proto::Tensor {
        let width = if dims.len() == 3 { dims[2] } else { 1 };
        let values = 0..dims.iter().product::<i64>();
        constant(name, dims, 1, values.flat_map(|at| ((at / width) as f32).to_le_bytes()).collect())
    }

    fn text(name: &str, values: &[&str]) -> proto::Attribute {
        let strings = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        proto::Attribute { name: name.into(), strings, ..proto::Attribute::default() }
    }

    fn number(name: &str, int: i64) -> proto::Attribute {
        proto::Attribute { name: name.into(), int, ..proto::Attribute::default() }
    }

    /// A model of one operator over two directions, which `change` changes.
    fn model(kind: &str, gates: i64, change: impl Fn(&mut proto::Node, &mut Vec<proto::Tensor>)) -> Vec<u8> {
        let shape = |lengths: &[i64]| proto::Shape {
            dimensions: lengths.iter().map(|&length| proto::Dimension { length: Some(length), name: None }).collect(),
        };
        let value = |name: &str, lengths: &[i64]| proto::ValueInfo {
            name: name.into(),
            kind: Some(proto::Type { tensor: Some(proto::TensorType { element: 1, shape: Some(shape(lengths)) }) }),
        };
        let direction =
            proto::Attribute { name: "direction".into(), string: b"bidirectional".to_vec(), ..Default::default() };
        let mut node = proto::Node {
            inputs: ["x", "w", "r", "b"].map(String::from).to_vec(),
            outputs: ["y", "y_h"].map(String::from).to_vec(),
            op_type: kind.into(),
            attributes: vec![direction],
            ..proto::Node::default()
        };
        let rows_of = gates * HIDDEN;
        let mut constants =
            vec![rows("w", &[2, rows_of, INPUTS]), rows("r", &[2, rows_of, HIDDEN]), rows("b", &[2, 2 * rows_of])];
        change(&mut node, &mut constants);
        let graph = proto::Graph {
            nodes: vec![node],
            initializers: constants,
            inputs: vec![value("x", &[STEPS, 1, INPUTS])],
            outputs: vec![value("y", &[]), value("y_h", &[])],
            ..proto::Graph::default()
        };
        let opset = proto::OperatorSet { domain: String::new(), version: 17 };
        proto::Model { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..proto::Model::default() }
            .encode_to_vec()
    }

    fn net(kind: &str, gates: i64, change: impl Fn(&mut proto::Node, &mut Vec<proto::Tensor>)) -> Result<Net, Error> {
        read(&model(kind, gates, change), &[], None)
    }

    #[test]
    fn gates_of_an_lstm_become_those_of_the_net() {
        let net = net("LSTM", 4, |_, _| {}).unwrap();
        let found: Vec<_> =
            net.nodes.iter().filter(|node| matches!(node.operator, Operator::Recurrent { .. })).collect();
        let values = |id: Option<usize>| net.tensors[id.unwrap()].reals().unwrap();
        // Rows i, o, f, c of the file, two each, become i, f, c, o; the second direction comes behind the first.
        assert_eq!(values(found[0].inputs[3]), [0.0, 1.0, 4.0, 5.0, 6.0, 7.0, 2.0, 3.0]);
        assert_eq!(values(found[0].inputs[4]), [8.0, 9.0, 12.0, 13.0, 14.0, 15.0, 10.0, 11.0]);
        assert_eq!(values(found[1].inputs[3]), [16.0, 17.0, 20.0, 21.0, 22.0, 23.0, 18.0, 19.0]);
        assert_eq!(values(found[1].inputs[1])[..6], [8.0, 8.0, 9.0, 9.0, 12.0, 12.0]);
        let reversed = |at: usize| matches!(found[at].operator, Operator::Recurrent { reversed: true, .. });
        assert!(!reversed(0) && reversed(1) && found.len() == 2);
        let shapes: Vec<_> = net.outputs.iter().map(|&id| &net.tensors[id].shape[..]).collect();
        assert_eq!(shapes, [&[3, 2, 1, 2][..], &[2, 1, 2]]);
    }

    #[test]
    fn layout_1_has_the_batch_first() {
        let net = net("GRU", 3, |node, _| node.attributes.push(number("layout", 1))).unwrap();
        // The input of the other tests is then three sequences of one step.
        let shapes: Vec<_> = net.outputs.iter().map(|&id| &net.tensors[id].shape[..]).collect();
        assert_eq!(shapes, [&[3, 1, 2, 2][..], &[3, 2, 2]]);
        assert!(matches!(net.nodes[0].operator, Operator::Recurrent { time_major: false, .. }));
    }

    #[test]
    fn variants_without_a_kernel_are_refused_by_name() {
        type Change = fn(&mut proto::Node, &mut Vec<proto::Tensor>);
        let lengths: Change = |node, constants| {
            node.inputs.push("lengths".into());
            constants.push(constant("lengths", &[1], 6, 2_i32.to_le_bytes().to_vec()));
        };
        let peepholes: Change = |node, constants| {
            node.inputs.extend(["", "", "", "p"].map(String::from));
            constants.push(rows("p", &[2, 6]));
        };
        let state: Change = |node, constants| {
            node.inputs.extend(["", "h"].map(String::from));
            constants.push(rows("h", &[1, 1, 2]));
        };
        let cases: [(&str, i64, Change, &str); 9] = [
            ("LSTM", 4, peepholes, "peepholes (input P)"),
            ("GRU", 3, lengths, "sequences of lengths [2] (input sequence_lens)"),
            ("GRU", 3, |node, _| node.attributes.push(number("clip", 0)), "clipped (clip 0)"),
            ("LSTM", 4, |node, _| node.attributes.push(number("input_forget", 1)), "coupled to the forget gate"),
            (
                "GRU",
                3,
                |node, _| node.attributes.push(text("activations", &["HardSigmoid", "Tanh"])),
                "hardsigmoid, tanh",
            ),
            ("RNN", 1, |node, _| node.attributes.push(text("activations", &["Tanh", "Affine"])), "tanh, affine"),
            ("RNN", 1, |node, _| node.attributes[0].string = b"sideways".to_vec(), "direction sideways"),
            ("RNN", 1, |node, _| node.attributes[0].string = b"reverse".to_vec(), "weights of 2 directions"),
            ("RNN", 1, state, "a state of shape [1, 1, 2]"),
        ];
        for (kind, gates, change, expected) in cases {
            match net(kind, gates, change) {
                Err(Error::Unsupported(problems)) => {
                    let found = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    assert!(found.contains(expected), "{expected}: {found}");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
