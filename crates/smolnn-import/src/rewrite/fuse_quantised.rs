//! Finds the integer operators of a network that was quantised as real operators between DEQUANTIZE and QUANTIZE.
//!
//! An operator whose operands are dequantised and whose result is quantised becomes the operator on the integers, where the kernels have it for int8.
//! Operators that only move elements do so with integers, which is the same. Whatever else there is stays as it is, with real numbers.

use std::collections::{HashMap, HashSet};

use smolnn_float::Real;

use super::uses::Uses;
use crate::net::{
    BinaryKind, Constant, Element, Net, Node, Operator, PoolKind, Quantisation, ReduceKind, Tensor, TensorId, UnaryKind,
};

/// Fuses them.
pub(super) fn apply(net: &mut Net) {
    if !net.nodes.iter().any(|node| node.operator == Operator::Dequantise) {
        return;
    }
    while raise_quantise(net) {}
    let uses = Uses::of(net);
    let nodes = std::mem::take(&mut net.nodes);
    let quantised: HashMap<TensorId, TensorId> = nodes
        .iter()
        .filter(|node| node.operator == Operator::Quantise)
        .filter_map(|node| Some(((*node.inputs.first()?)?, *node.outputs.first()?)))
        .collect();
    let mut pass = Pass { net, uses, nodes: Vec::new(), integers: HashMap::new(), quantised, written: HashSet::new() };
    for node in nodes {
        if node.outputs.first().is_some_and(|output| pass.written.contains(output)) {
            continue;
        }
        if node.operator == Operator::Dequantise
            && let (&[Some(from)], &[to]) = (&node.inputs[..], &node.outputs[..])
            && pass.net.tensors[from].element == Element::I8
        {
            pass.integers.insert(to, from);
        } else if pass.requantise(&node).or_else(|| pass.moved(&node)).or_else(|| pass.fused(&node)).is_some() {
            continue;
        }
        pass.nodes.push(node);
    }
    let nodes = pass.nodes;
    net.nodes = nodes;
}

/// Whether an operator puts elements in another order or shape, one for one.
fn rearranges(operator: &Operator) -> bool {
    matches!(operator, Operator::Transpose | Operator::Reshape | Operator::ExpandDims)
}

/// Quantises before elements are put in another order rather than behind that. Tells whether there was such a place.
fn raise_quantise(net: &mut Net) -> bool {
    let uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        let (Operator::Quantise, &[Some(real)], &[integers]) = (&node.operator, &node.inputs[..], &node.outputs[..])
        else {
            continue;
        };
        let Some(writer) = uses.writers[real].filter(|_| uses.readers[real] == 1) else { continue };
        let Some(&Some(from)) = net.nodes[writer].inputs.first() else { continue };
        if !rearranges(&net.nodes[writer].operator)
            || net.tensors[from].element != Element::F32
            || net.tensors[from].data.is_some()
        {
            continue;
        }
        let shape = net.tensors[from].shape.clone();
        let before = net.tensors.len();
        net.tensors.push(Tensor { shape, ..net.tensors[integers].clone() });
        let moves = net.nodes[writer].clone();
        let quantise = net.nodes[position].clone();
        let mut inputs = moves.inputs.clone();
        inputs[0] = Some(before);
        net.nodes[writer] = Node { inputs: vec![Some(from)], outputs: vec![before], ..quantise };
        net.nodes[position] = Node { inputs, outputs: vec![integers], ..moves };
        return true;
    }
    false
}

/// The outputs of a function for −128 to 127: each value is dequantised, and the function of it, a number of f32, quantised, halves to the even step. What is no
/// number becomes real 0.
fn table(kind: UnaryKind, of_input: &Quantisation, of_output: &Quantisation) -> Option<[i8; 256]> {
    let (x, y) = (*of_input.scales.first()?, *of_output.scales.first()?);
    let (from, to) = (*of_input.zero_points.first()?, *of_output.zero_points.first()?);
    if kind == UnaryKind::LogicalNot {
        return None;
    }
    Some(std::array::from_fn(|index| {
        let real = x * (index as i32 - 128 - from) as f32;
        let steps = (function(kind, real.into()) as f32 / y).round_ties_even() as i32;
        steps.saturating_add(to).clamp(-128, 127) as i8
    }))
}

/// A function of a real number.
fn function(kind: UnaryKind, x: f64) -> f64 {
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
    const SELU: (f64, f64) = (1.050_700_987_355_480_5, 1.673_263_242_354_377_2);
    match kind {
        UnaryKind::Relu => x.max(0.0),
        UnaryKind::Relu6 => x.clamp(0.0, 6.0),
        UnaryKind::ReluN1To1 => x.clamp(-1.0, 1.0),
        UnaryKind::LeakyRelu { alpha } if x < 0.0 => x * f64::from(alpha),
        UnaryKind::LeakyRelu { .. } => x,
        UnaryKind::Elu if x < 0.0 => x.exp_m1(),
        UnaryKind::Elu => x,
        UnaryKind::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        UnaryKind::Logistic => 1.0 / (1.0 + (-x).exp()),
        UnaryKind::Tanh => x.tanh(),
        UnaryKind::Abs => x.abs(),
        UnaryKind::Rsqrt => 1.0 / x.sqrt(),
        UnaryKind::Negate => -x,
        UnaryKind::Square => x * x,
        UnaryKind::Sqrt => x.sqrt(),
        UnaryKind::Exp => x.exp(),
        UnaryKind::Log => x.ln(),
        UnaryKind::Sign if x == 0.0 => 0.0,
        UnaryKind::Sign => x.signum(),
        UnaryKind::Sin => x.sin(),
        UnaryKind::Cos => x.cos(),
        UnaryKind::Floor => x.floor(),
        UnaryKind::Ceil => x.ceil(),
        UnaryKind::Round => x.round_ties_even(),
        UnaryKind::Gelu { approximate: false } => 0.5 * x * (1.0 + Real::erf(x * FRAC_1_SQRT_2)),
        UnaryKind::Gelu { approximate: true } => {
            0.5 * x * (1.0 + (FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (x + 0.044715 * x * x * x)).tanh())
        }
        UnaryKind::LogicalNot => f64::from(u8::from(x == 0.0)),
        UnaryKind::Erf => Real::erf(x),
        UnaryKind::Mish => x * Real::softplus(x).tanh(),
        UnaryKind::Softplus => Real::softplus(x),
        UnaryKind::Softsign => x / (1.0 + x.abs()),
        UnaryKind::Selu if x < 0.0 => SELU.0 * SELU.1 * x.exp_m1(),
        UnaryKind::Selu => SELU.0 * x,
        UnaryKind::Clamp { low, high } => x.max(low.into()).min(high.into()),
    }
}

struct Pass<'a> {
    net: &'a mut Net,
    uses: Uses,
    nodes: Vec<Node>,
    /// Real tensors that are dequantised, and the integers.
    integers: HashMap<TensorId, TensorId>,
    /// Real tensors that are quantised, and the integers.
    quantised: HashMap<TensorId, TensorId>,
    /// Outputs that an operator on integers writes in place of a later node.
    written: HashSet<TensorId>,
}

impl Pass<'_> {
    fn quantisation(&self, id: TensorId) -> Option<&Quantisation> {
        self.net.tensors[id].quantisation.as_ref()
    }

    /// A tensor of integers as this one is quantised, in the shape of another one.
    fn tensor(&mut self, quantisation: Option<Quantisation>, shape_of: TensorId) -> TensorId {
        let tensor = Tensor { element: Element::I8, quantisation, data: None, ..self.net.tensors[shape_of].clone() };
        self.net.tensors.push(tensor);
        self.net.tensors.len() - 1
    }

    /// Integers that were dequantised to be quantised again.
    fn requantise(&mut self, node: &Node) -> Option<()> {
        let (Operator::Quantise, &[Some(real)], &[to]) = (&node.operator, &node.inputs[..], &node.outputs[..]) else {
            return None;
        };
        let from = *self.integers.get(&real)?;
        let same = self.quantisation(from) == self.quantisation(to) && self.net.tensors[to].element == Element::I8;
        let operator = if same { Operator::Reshape } else { Operator::Quantise };
        self.nodes.push(Node { operator, inputs: vec![Some(from)], ..node.clone() });
        Some(())
    }

    /// An operator that moves elements, as one on integers of one scale, behind which they are dequantised.
    fn moved(&mut self, node: &Node) -> Option<()> {
        let all = match &node.operator {
            Operator::Concatenate { .. } | Operator::Pack { .. } => node.inputs.len(),
            operator if rearranges(operator) => 1,
            Operator::StridedSlice { .. }
            | Operator::Slice
            | Operator::Split
            | Operator::Unpack { .. }
            | Operator::Reverse
            | Operator::Tile
            | Operator::BroadcastTo
            | Operator::MirrorPad { .. }
            | Operator::DepthToSpace { .. }
            | Operator::SpaceToDepth { .. }
            | Operator::ResizeNearest { .. }
            | Operator::Gather { .. }
            | Operator::Pool2d { kind: PoolKind::Max, .. }
            | Operator::Reduce { kind: ReduceKind::Max | ReduceKind::Min, .. } => 1,
            Operator::Pad if node.inputs.len() == 2 => 1,
            _ => return None,
        };
        let mut inputs = node.inputs.clone();
        for input in inputs.iter_mut().take(all) {
            *input = Some(*self.integers.get(&(*input)?)?);
        }
        let quantisation = self.quantisation(inputs[0]?).cloned();
        let alike = inputs.iter().take(all).flatten().all(|&id| self.quantisation(id) == quantisation.as_ref());
        if !alike {
            return None;
        }
        let outputs: Vec<TensorId> = node.outputs.iter().map(|&id| self.tensor(quantisation.clone(), id)).collect();
        self.nodes.push(Node { inputs, outputs: outputs.clone(), ..node.clone() });
        for (&from, &to) in outputs.iter().zip(&node.outputs) {
            self.integers.insert(to, from);
            let (operator, name) = (Operator::Dequantise, "DequantizeLinear".into());
            self.nodes.push(Node { index: node.index, name, operator, inputs: vec![Some(from)], outputs: vec![to] });
        }
        Some(())
    }

    /// An operator on integers, whose result is quantised.
    fn fused(&mut self, node: &Node) -> Option<()> {
        let &[real] = &node.outputs[..] else { return None };
        let to = *self.quantised.get(&real).filter(|_| self.uses.readers[real] == 1)?;
        if self.net.tensors[to].element != Element::I8 {
            return None;
        }
        let mut inputs = node.inputs.clone();
        let data = match &node.operator {
            Operator::TransposeConv2d { .. } => 2..3,
            Operator::MatMul { .. }
            | Operator::Binary(BinaryKind::Add | BinaryKind::Subtract | BinaryKind::Multiply | BinaryKind::Divide, _) => {
                0..2
            }
            Operator::Concatenate { .. } => 0..node.inputs.len(),
            _ => 0..1,
        };
        for input in &mut inputs[data.clone()] {
            *input = Some(*self.integers.get(&(*input)?)?);
        }
        let input = inputs[data.start]?;
        let of_input = self.quantisation(input).cloned();
        let mut operator = node.operator.clone();
        // The quantisation that the kernel gives, where it is not free.
        let given = match &node.operator {
            Operator::Conv2d { .. }
            | Operator::DepthwiseConv2d { .. }
            | Operator::TransposeConv2d { .. }
            | Operator::Dense { .. } => {
                self.layer(node, &mut inputs, input)?;
                None
            }
            Operator::MatMul { .. } | Operator::Binary(..) => None,
            Operator::Reduce { kind: ReduceKind::Mean | ReduceKind::Sum, .. } => None,
            Operator::Pool2d { kind: PoolKind::Average, .. } | Operator::ResizeBilinear { .. } => of_input,
            // Another scale would be a second rounding: there the softmax stays real.
            Operator::Softmax { .. } => {
                let of_kernel = Quantisation { scales: vec![1.0 / 256.0], zero_points: vec![-128], dimension: 0 };
                if self.quantisation(to) != Some(&of_kernel) {
                    return None;
                }
                None
            }
            &Operator::Unary(kind) => {
                operator = Operator::Lookup(Box::new(table(kind, of_input.as_ref()?, self.quantisation(to)?)?));
                None
            }
            Operator::Concatenate { .. } => {
                // Each part in the scale of the whole.
                for at in data {
                    let part = inputs[at]?;
                    if self.quantisation(part) != self.quantisation(to) {
                        let quantisation = self.quantisation(to).cloned();
                        let scaled = self.tensor(quantisation, part);
                        let (name, operator) = ("QuantizeLinear".into(), Operator::Quantise);
                        self.nodes.push(Node {
                            index: node.index,
                            name,
                            operator,
                            inputs: vec![Some(part)],
                            outputs: vec![scaled],
                        });
                        inputs[at] = Some(scaled);
                    }
                }
                None
            }
            _ => return None,
        };
        self.written.insert(to);
        let output = match given.filter(|given| Some(given) != self.quantisation(to)) {
            Some(given) => self.tensor(Some(given), to),
            None => to,
        };
        self.nodes.push(Node { operator, inputs, outputs: vec![output], ..node.clone() });
        if output != to {
            let (name, operator) = ("QuantizeLinear".into(), Operator::Quantise);
            self.nodes.push(Node { index: node.index, name, operator, inputs: vec![Some(output)], outputs: vec![to] });
        }
        Some(())
    }

    /// The weights of a layer on integers, which have to be symmetric int8 ones, and its bias, in steps of the products of both scales.
    fn layer(&mut self, node: &Node, inputs: &mut [Option<TensorId>], input: TensorId) -> Option<()> {
        let bias_at = if matches!(node.operator, Operator::TransposeConv2d { .. }) { 3 } else { 2 };
        let weights = &self.net.tensors[inputs[1]?];
        let of_weights =
            weights.quantisation.as_ref().filter(|_| weights.element == Element::I8 && weights.data.is_some())?;
        if of_weights.zero_points.iter().any(|&point| point != 0) {
            return None;
        }
        let scale = *self.quantisation(input)?.scales.first()?;
        let Some(&Some(bias)) = inputs.get(bias_at) else { return Some(()) };
        let tensor = &self.net.tensors[bias];
        if tensor.element == Element::I32 && tensor.quantisation.is_some() {
            return Some(());
        }
        let bytes = tensor.data.as_ref().filter(|_| tensor.element == Element::F32)?.bytes();
        let scales: Vec<f32> = of_weights.scales.iter().map(|weight| weight * scale).collect();
        let step = |index: usize| f64::from(if scales.len() == 1 { scales[0] } else { scales[index] });
        let steps = bytes
            .as_chunks()
            .0
            .iter()
            .enumerate()
            .map(|(index, &bytes)| (f64::from(f32::from_le_bytes(bytes)) / step(index)).round_ties_even() as i32);
        let data = Some(Constant::new(steps.flat_map(i32::to_le_bytes).collect()));
        let zero_points = vec![0; scales.len()];
        let quantisation = Some(Quantisation { scales: scales.clone(), zero_points, dimension: 0 });
        let tensor = Tensor { element: Element::I32, data, quantisation, ..tensor.clone() };
        self.net.tensors.push(tensor);
        inputs[bias_at] = Some(self.net.tensors.len() - 1);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sigmoid straight to the scale of the file: each output is the nearest step to the real result.
    #[test]
    fn tables_round_once() {
        let of = |scale, zero_point| Quantisation { scales: vec![scale], zero_points: vec![zero_point], dimension: 0 };
        let (x, y) = (of(0.05, 3), of(0.0031, -120));
        let outputs = table(UnaryKind::Logistic, &x, &y).expect("a table");
        for (index, &output) in outputs.iter().enumerate() {
            let real = 1.0 / (1.0 + (-0.05 * (index as f64 - 131.0)).exp());
            let found = 0.0031 * (f64::from(output) + 120.0);
            assert!((found - real).abs() <= 0.0031 * 0.5001 || output == 127, "{index}: {found} instead of {real}");
        }
        let leaky = table(UnaryKind::LeakyRelu { alpha: 0.1 }, &of(1.0, 0), &of(1.0, 0)).expect("a table");
        // −128 · 0.1 = −12.8, −15 · 0.1 = −1.5, −25 · 0.1 = −2.5: halves go to the even step.
        assert_eq!((leaky[0], leaky[113], leaky[103], leaky[255]), (-13, -2, -2, 127));
    }
}
