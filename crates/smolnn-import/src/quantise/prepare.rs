//! Passes on the float net that make it easier to quantise and change nothing that it computes: operators that only scale and shift what a layer gives
//! become part of the layer, and activations are fused.

use super::convert::reals;
use crate::net::{Activation, BinaryKind, Constant, Element, Net, Node, Operator, Tensor, TensorId, UnaryKind};
use crate::rewrite::{drop_renames, fold_before, fold_behind, fuse_activations};

/// Runs all passes.
pub(crate) fn prepare(net: &mut Net) {
    split_sums(net);
    fold_behind(net);
    fold_before(net);
    fuse_activations(net);
    drop_renames(net);
    multiply_instead(net);
    debug_assert!(net.check_flow().is_ok(), "preparing breaks the flow of the net");
}

/// A constant of real numbers.
fn constant(name: String, shape: Vec<usize>, values: &[f32]) -> Tensor {
    let data = Some(Constant::new(values.iter().copied().flat_map(f32::to_le_bytes).collect()));
    Tensor::new(name, Element::F32, shape, data)
}

/// Adds a constant like another one, with other values.
fn add_like(net: &mut Net, like: TensorId, values: &[f32]) -> TensorId {
    let tensor = constant(net.tensors[like].name.clone(), net.tensors[like].shape.clone(), values);
    net.tensors.push(tensor);
    net.tensors.len() - 1
}

/// Turns the sum of several tensors into sums of two: each of them then has a range of its own.
fn split_sums(net: &mut Net) {
    let nodes = std::mem::take(&mut net.nodes);
    for node in nodes {
        let is_real = node.outputs.first().is_some_and(|&id| net.tensors[id].element == Element::F32);
        let (Operator::AddN, [Some(first), others @ ..], [output]) =
            (&node.operator, &node.inputs[..], &node.outputs[..])
        else {
            net.nodes.push(node);
            continue;
        };
        if !is_real || others.is_empty() || others.contains(&None) {
            net.nodes.push(node);
            continue;
        }
        let mut sum = *first;
        for (index, &next) in others.iter().enumerate() {
            let to = if index + 1 == others.len() {
                *output
            } else {
                net.tensors.push(net.tensors[*output].clone());
                net.tensors.len() - 1
            };
            let operator = Operator::Binary(BinaryKind::Add, Activation::None);
            net.nodes.push(Node { operator, inputs: vec![Some(sum), next], outputs: vec![to], ..node.clone() });
            sum = to;
        }
    }
}

/// Divisions by constants, negations and squares become products, which have integer kernels of every type.
fn multiply_instead(net: &mut Net) {
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        let is_real = |id: TensorId| net.tensors[id].element == Element::F32;
        let (activation, inputs) = match (&node.operator, &node.inputs[..]) {
            (Operator::Binary(BinaryKind::Divide, activation), &[Some(of), Some(by)])
                if is_real(by) && net.tensors[by].data.is_some() =>
            {
                let reciprocals: Vec<f32> = reals(&net.tensors[by]).iter().map(|value| 1.0 / value).collect();
                if !reciprocals.iter().all(|value| value.is_normal()) {
                    continue;
                }
                (*activation, [of, add_like(net, by, &reciprocals)])
            }
            (Operator::Unary(UnaryKind::Negate), &[Some(of)]) if is_real(of) => {
                net.tensors.push(constant("minus one".into(), vec![1], &[-1.0]));
                (Activation::None, [of, net.tensors.len() - 1])
            }
            (Operator::Unary(UnaryKind::Square), &[Some(of)]) if is_real(of) => (Activation::None, [of, of]),
            _ => continue,
        };
        net.nodes[position].operator = Operator::Binary(BinaryKind::Multiply, activation);
        net.nodes[position].inputs = inputs.map(Some).to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Padding, RemovedChannels, SlidingWindow};

    /// A net that is built node by node; the input is tensor 0.
    struct Builder(Net);

    impl Builder {
        fn new(shape: Vec<usize>) -> Self {
            let input = Tensor { data: None, ..constant("input".into(), shape, &[]) };
            let removed = RemovedChannels::default();
            Self(Net { tensors: vec![input], nodes: vec![], inputs: vec![0], outputs: vec![0], removed })
        }

        fn constant(&mut self, shape: Vec<usize>, values: &[f32]) -> TensorId {
            self.0.tensors.push(constant("constant".into(), shape, values));
            self.0.tensors.len() - 1
        }

        fn node(&mut self, operator: Operator, inputs: &[TensorId], shape: Vec<usize>) -> TensorId {
            let output = Tensor { data: None, ..constant("between".into(), shape, &[]) };
            self.0.tensors.push(output);
            let output = self.0.tensors.len() - 1;
            let (index, inputs) = (self.0.nodes.len(), inputs.iter().map(|&id| Some(id)).collect());
            self.0.nodes.push(Node { index, name: String::new(), operator, inputs, outputs: vec![output] });
            self.0.outputs = vec![output];
            output
        }
    }

    const DENSE: Operator = Operator::Dense { keep_dims: false, activation: Activation::None, narrow_sums: false };

    fn binary(kind: BinaryKind) -> Operator {
        Operator::Binary(kind, Activation::None)
    }

    /// (x · 2 + 1) · [1, 3] − 1 before a dense layer, and times −2, then RELU behind it: one layer is left, that gives the same.
    #[test]
    fn normalisation_on_both_sides_of_a_layer_becomes_part_of_it() {
        let mut net = Builder::new(vec![1, 2]);
        let (two, one) = (net.constant(vec![1], &[2.0]), net.constant(vec![1], &[1.0]));
        let (per_channel, minus_two) = (net.constant(vec![2], &[1.0, 3.0]), net.constant(vec![1], &[-2.0]));
        let (weights, bias) = (net.constant(vec![1, 2], &[0.5, -1.0]), net.constant(vec![1], &[0.25]));
        let mut at = 0;
        for (kind, by) in [
            (BinaryKind::Multiply, two),
            (BinaryKind::Add, one),
            (BinaryKind::Multiply, per_channel),
            (BinaryKind::Subtract, one),
        ] {
            at = net.node(binary(kind), &[at, by], vec![1, 2]);
        }
        let at = net.node(DENSE, &[at, weights, bias], vec![1, 1]);
        let at = net.node(binary(BinaryKind::Divide), &[at, minus_two], vec![1, 1]);
        net.node(Operator::Unary(UnaryKind::Relu), &[at], vec![1, 1]);
        let mut net = net.0;
        prepare(&mut net);
        let [Node { operator: Operator::Dense { activation: Activation::Relu, .. }, inputs, .. }] = &net.nodes[..]
        else {
            panic!("{:?}", net.nodes);
        };
        assert_eq!(inputs[0], Some(0));
        let values = |index: usize| reals(&net.tensors[inputs[index].unwrap()]);
        // For x = (a, b): 0.5 · (2a + 1 − 1) − (6b + 3 − 1) + 0.25, times −1/2.
        assert_eq!((values(1), values(2)), (vec![-0.5, 3.0], vec![0.875]));
    }

    /// Zeros around an image are not what a sum before the layer would have made of them.
    #[test]
    fn sums_before_padding_stay() {
        for (padding, left) in [(Padding::Same, 2), (Padding::Valid, 1)] {
            let mut net = Builder::new(vec![1, 3, 3, 1]);
            let (one, weights) = (net.constant(vec![1], &[1.0]), net.constant(vec![1, 3, 3, 1], &[1.0; 9]));
            let sum = net.node(binary(BinaryKind::Add), &[0, one], vec![1, 3, 3, 1]);
            let window = SlidingWindow { stride: [1, 1], dilation: [1, 1], padding };
            let size = if padding == Padding::Same { 3 } else { 1 };
            let conv = Operator::Conv2d { window, activation: Activation::None, narrow_sums: false };
            net.node(conv, &[sum, weights], vec![1, size, size, 1]);
            let mut net = net.0;
            prepare(&mut net);
            assert_eq!(net.nodes.len(), left, "{padding:?}");
        }
    }
}
