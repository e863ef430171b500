//! Makes recurrent layers of loops. Keras writes an LSTM, a GRU or a simple RNN as a loop over its time steps, with two counters, the states, the sequence that is
//! read and the one that is written. Such layers have kernels of their own: less code and fewer cycles than the loop's operators step by step, and in integers
//! one set of weights and scales for all steps.
//!
//! The body of a loop is read as formulas over the step's input x and the states. A formula that is one of [`RecurrentCell`]'s says what its parts are: products
//! with weights, rows of them per gate, and biases. A loop that is anything else stays as it is.

mod body;
mod cell;
mod formula;

use std::collections::HashMap;
use std::mem;
use std::ops::Range;

use smolnn_core::Comparison;

use super::uses::Uses;
use crate::net::{BinaryKind, Constant, Element, Net, Node, Operator, RecurrentCell, Tensor, TensorId};
use body::Body;

/// Puts a recurrent layer in place of each loop that is one.
pub(super) fn apply(net: &mut Net) {
    let mut results: HashMap<TensorId, TensorId> = HashMap::new();
    for mut node in mem::take(&mut net.nodes) {
        for input in node.inputs.iter_mut().flatten() {
            *input = *results.get(input).unwrap_or(input);
        }
        match Layer::of(net, &node) {
            Some(layer) => layer.place(net, &node, &mut results),
            None => net.nodes.push(node),
        }
    }
    for output in &mut net.outputs {
        *output = *results.get(output).unwrap_or(output);
    }
}

/// What a value of the loop is behind the last round.
#[derive(Clone, Copy)]
enum Last {
    /// What it was before the first one.
    Same,
    /// The number of rounds.
    Rounds,
    /// The state of this number, of the cell's.
    State(usize),
    /// The states behind all steps.
    Sequence,
    /// The state behind the last step, as a sequence of one.
    OneStep,
}

/// A recurrent layer in place of a loop.
struct Layer {
    kind: RecurrentCell,
    /// Number of the value that is the sequence.
    sequence: usize,
    /// Numbers of the values that are the states.
    states: Vec<usize>,
    steps: usize,
    hidden: usize,
    /// Weights, recurrent weights, biases, recurrent biases.
    parameters: [(Vec<usize>, Vec<f32>); 4],
    lasts: Vec<Last>,
}

impl Layer {
    /// The layer that a node is, if it is a loop and one.
    fn of(net: &Net, node: &Node) -> Option<Self> {
        let Operator::Loop { condition, body } = &node.operator else { return None };
        let values = node.inputs.iter().copied().collect::<Option<Vec<_>>>()?;
        if [condition.inputs.len(), body.inputs.len(), body.outputs.len(), node.outputs.len()] != [values.len(); 4] {
            return None;
        }
        let body = Body { net: body, outer: net, values: &values, uses: Uses::of(body) };
        let (known, sequence, counter) = body.formulas()?;
        let cell = body.cell(&known)?;
        let &[steps, batch, inputs] = &net.tensors[values[sequence]].shape[..] else { return None };
        if rounds(condition, &body)? != steps {
            return None;
        }
        let rows = |(id, rows): &(TensorId, Range<usize>), width: usize| {
            let tensor = body.constant(*id)?;
            let values = tensor.reals()?;
            values.get(rows.start * width..rows.end * width).map(<[f32]>::to_vec)
        };
        let hidden = cell.gates[0].recurrent.1.len();
        let mut parameters = [const { Vec::new() }; 4];
        for gate in &cell.gates {
            let widths = [&gate.weights, &gate.recurrent].map(|(id, _)| body.constant(*id).map(|of| of.shape.clone()));
            let [Some(of_weights), Some(of_recurrent)] = widths else { return None };
            if of_weights.get(1) != Some(&inputs)
                || of_recurrent.get(1) != Some(&hidden)
                || gate.weights.1.len() != hidden
            {
                return None;
            }
            parameters[0].extend(rows(&gate.weights, inputs)?);
            parameters[1].extend(rows(&gate.recurrent, hidden)?);
            for (biases, into) in gate.biases.iter().zip(2..) {
                let mut sums = vec![0.0; hidden];
                for bias in biases {
                    let values = rows(bias, 1).filter(|values| values.len() == hidden)?;
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
                parameters[into].extend(sums);
            }
        }
        let rows = cell.gates.len() * hidden;
        let [weights, recurrent, biases, recurrent_biases] = parameters;
        let parameters = [
            (vec![rows, inputs], weights),
            (vec![rows, hidden], recurrent),
            (vec![rows], biases),
            (vec![rows], recurrent_biases),
        ];
        let state_of = |number: usize| cell.states.iter().position(|&state| state == number);
        let h = body.net.outputs[cell.states[0]];
        let shape = |number: usize| &net.tensors[values[number]].shape[..];
        let last = |number: usize| {
            if let Some(state) = state_of(number) {
                return (shape(number) == [batch, hidden]).then_some(Last::State(state));
            }
            if body.unchanged(body.net.inputs[number]).is_some() {
                return Some(Last::Same);
            }
            if body.counts(number) {
                return Some(Last::Rounds);
            }
            if shape(number) == [1, batch, hidden] && body.is_reshaped(body.net.outputs[number], h) {
                return Some(Last::OneStep);
            }
            let is_sequence = shape(number) == [steps, batch, hidden] && body.is_sequence_of(number, h, counter);
            is_sequence.then_some(Last::Sequence)
        };
        let lasts = (0..values.len()).map(last).collect::<Option<Vec<_>>>()?;
        Some(Self { kind: cell.kind, sequence, states: cell.states, steps, hidden, parameters, lasts })
    }

    /// Adds the layer to the net, and says what the loop's outputs are.
    fn place(self, net: &mut Net, node: &Node, results: &mut HashMap<TensorId, TensorId>) {
        let values: Vec<TensorId> = node.inputs.iter().copied().flatten().collect();
        let sequence = values[self.sequence];
        let batch = net.tensors[sequence].shape[1];
        let mut add = |element: Element, shape: Vec<usize>, data: Option<Vec<u8>>, name: &str| {
            net.tensors.push(Tensor::new(name.into(), element, shape, data.map(Constant::new)));
            net.tensors.len() - 1
        };
        let name = match self.kind {
            RecurrentCell::Tanh | RecurrentCell::Relu => "RNN",
            RecurrentCell::Gru { .. } => "GRU",
            RecurrentCell::Lstm => "LSTM",
        };
        let mut inputs = vec![Some(sequence)];
        for (shape, values) in self.parameters {
            let has_none = shape.len() == 1 && values.iter().all(|&value| value == 0.0);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            inputs.push((!has_none).then(|| add(Element::F32, shape, Some(bytes), name)));
        }
        let states = add(Element::F32, vec![self.steps, batch, self.hidden], None, name);
        let mut outputs = vec![states];
        outputs.extend(self.states.iter().map(|_| add(Element::F32, vec![batch, self.hidden], None, name)));
        let rounds = add(Element::I32, Vec::new(), Some((self.steps as i32).to_le_bytes().into()), name);
        let one = add(Element::F32, vec![1, batch, self.hidden], None, name);
        let starts = self.states.iter().map(|&state| {
            let zeros = net.tensors[values[state]].reals().is_some_and(|start| start.iter().all(|&value| value == 0.0));
            (!zeros).then_some(values[state])
        });
        inputs.extend(starts.collect::<Vec<_>>());
        let operator = Operator::Recurrent { cell: self.kind, time_major: true, reversed: false };
        net.nodes.push(Node { index: node.index, name: name.into(), operator, inputs, outputs: outputs.clone() });
        net.nodes.push(Node {
            index: node.index,
            name: "RESHAPE".into(),
            operator: Operator::Reshape,
            inputs: vec![Some(outputs[1])],
            outputs: vec![one],
        });
        for ((&output, last), value) in node.outputs.iter().zip(self.lasts).zip(values) {
            let result = match last {
                Last::Same => value,
                Last::Rounds => rounds,
                Last::State(state) => outputs[1 + state],
                Last::Sequence => outputs[0],
                Last::OneStep => one,
            };
            results.insert(output, result);
        }
    }
}

/// How often a loop runs whose condition compares counters with constants.
fn rounds(condition: &Net, body: &Body<'_>) -> Option<usize> {
    let uses = Uses::of(condition);
    let mut open = condition.outputs.clone();
    let (mut least, mut visited) = (None, 0);
    while let Some(id) = open.pop() {
        visited += 1;
        let node = &condition.nodes[uses.writers[id]?];
        let &[Some(left), Some(right)] = &node.inputs[..] else { return None };
        match node.operator {
            Operator::Binary(BinaryKind::LogicalAnd, _) if visited <= condition.nodes.len() => {
                open.extend([left, right])
            }
            Operator::Compare(Comparison::Less) => {
                let number = condition.inputs.iter().position(|&input| input == left)?;
                let &[most] = &condition.tensors[right].integers()?[..] else { return None };
                let most = usize::try_from(most).ok().filter(|_| body.counts(number))?;
                least = Some(least.map_or(most, |least: usize| least.min(most)));
            }
            _ => return None,
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::apply;
    use crate::net::{BinaryKind, Constant, Net, Operator, RecurrentCell, Reset, UnaryKind};

    /// A network of the converter's, as it is read.
    fn network(name: &str) -> Net {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/converter");
        let file = std::fs::read(folder.join(name).join("model.tflite")).expect("the project's own data");
        let mut net = crate::read::read(&file, &[], None).expect("the model is read");
        crate::rewrite::fold_constants::apply(&mut net);
        net
    }

    fn loops(net: &Net) -> usize {
        net.nodes.iter().filter(|node| matches!(node.operator, Operator::Loop { .. })).count()
    }

    #[test]
    fn loops_of_kerass_layers_are_cells() {
        let mut net = network("recurrent_layers");
        assert_eq!(loops(&net), 8);
        apply(&mut net);
        assert_eq!(loops(&net), 0);
        let cells = net.nodes.iter().filter_map(|node| match node.operator {
            Operator::Recurrent { cell, .. } => Some(cell),
            _ => None,
        });
        let cells: Vec<RecurrentCell> = cells.collect();
        let count = |cell: RecurrentCell| cells.iter().filter(|&&found| found == cell).count();
        assert_eq!(count(RecurrentCell::Lstm), 4);
        assert_eq!([Reset::Before, Reset::After].map(|reset| count(RecurrentCell::Gru { reset })), [1, 1]);
        assert_eq!([RecurrentCell::Tanh, RecurrentCell::Relu].map(count), [1, 1]);
    }

    #[test]
    fn other_loops_stay() {
        let mut net = network("other_loops");
        let before = loops(&net);
        apply(&mut net);
        assert_eq!((before, loops(&net)), (3, 3));
    }

    /// The same network with one thing changed in the body of a loop; `None` where there is no such thing.
    fn changed(net: &Net, position: usize, change: impl Fn(&mut Net) -> Option<()>) -> Option<Net> {
        let mut net = net.clone();
        let Operator::Loop { body, .. } = &mut net.nodes[position].operator else { return None };
        change(Arc::make_mut(body))?;
        Some(net)
    }

    /// Another operator, or another constant, makes another formula: no such loop may be taken for a cell.
    #[test]
    fn a_changed_body_is_no_cell() {
        let mut tried = 0;
        let layers = network("recurrent_layers");
        for position in 0..layers.nodes.len() {
            let Operator::Loop { body, .. } = &layers.nodes[position].operator else { continue };
            let mut check = |changed: Option<Net>, what: String| {
                let Some(mut net) = changed else { return };
                apply(&mut net);
                assert_eq!(loops(&net), 1, "loop {position} with {what} was taken for a cell");
                tried += 1;
            };
            for at in 0..body.nodes.len() {
                let other = |body: &mut Net| {
                    let node = &mut body.nodes[at];
                    node.operator = match node.operator.clone() {
                        Operator::Binary(BinaryKind::Add, activation) => {
                            Operator::Binary(BinaryKind::Multiply, activation)
                        }
                        Operator::Binary(BinaryKind::Multiply, activation) => {
                            Operator::Binary(BinaryKind::Add, activation)
                        }
                        Operator::Binary(kind, activation) => {
                            node.inputs.reverse();
                            Operator::Binary(kind, activation)
                        }
                        Operator::Unary(UnaryKind::Logistic) => Operator::Unary(UnaryKind::Tanh),
                        Operator::Unary(UnaryKind::Tanh) => Operator::Unary(UnaryKind::Logistic),
                        Operator::Gather { batch_dims, .. } => Operator::Gather { axis: 1, batch_dims },
                        Operator::Concatenate { .. } => Operator::Concatenate { axis: 2 },
                        Operator::Dense { keep_dims, narrow_sums, .. } => {
                            let activation = crate::net::Activation::Relu6;
                            Operator::Dense { keep_dims, narrow_sums, activation }
                        }
                        _ => return None,
                    };
                    Some(())
                };
                check(changed(&layers, position, other), format!("another {}", body.nodes[at].name));
            }
            // The one of 1 − z, steps of counters, and where steps are read and written.
            for id in 0..body.tensors.len() {
                let other = |body: &mut Net| {
                    let is_read_by = |kinds: fn(&Operator) -> bool| {
                        body.nodes.iter().any(|node| kinds(&node.operator) && node.inputs.contains(&Some(id)))
                    };
                    let matters = is_read_by(|operator| {
                        matches!(operator, Operator::Binary(..) | Operator::Slice | Operator::Concatenate { .. })
                    });
                    let data = body.tensors[id].data.as_ref().filter(|_| matters)?;
                    let mut bytes = data.bytes().to_vec();
                    if bytes.len() > 12 {
                        return None;
                    }
                    bytes[0] = bytes[0].wrapping_add(2);
                    body.tensors[id].data = Some(Constant::new(bytes));
                    Some(())
                };
                check(changed(&layers, position, other), format!("another constant {id}"));
            }
        }
        assert!(tried > 120, "{tried} changes");
    }
}
